package mattermost

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/mattermost/mattermost-server/v6/model"

	"github.com/starlingbot/starling/adapter"
)

// What the names of values in a callback are is in the server's source: app/command.go (tryExecuteCustomCommand),
// app/integration_action.go (DoPostActionWithCookie, SubmitInteractiveDialog) and app/webhook.go (TriggerWebhook).

// sealedKey is the key of a button's context that holds its seal.
const sealedKey = "starling"

func refusal(format string, args ...any) error { return &errRefused{fmt.Errorf(format, args...)} }

// readCommand reads a slash command.
func (a *Adapter) readCommand(h http.Header, form url.Values, now time.Time) (*callback, error) {
	token := form.Get("token")
	if !anyToken(a.cfg.CommandTokens, token) {
		return nil, refusal("its token is not in Config.CommandTokens")
	}
	if auth := h.Get("Authorization"); auth != "" && !anyToken([]string{"Token " + token}, auth) {
		return nil, refusal("its header and its form have two tokens")
	}
	me := a.me.Load()
	user, room, command := form.Get("user_id"), form.Get("channel_id"), strings.TrimPrefix(form.Get("command"), "/")
	t, err := readTrigger(me.key, form.Get("trigger_id"), user, now)
	if err != nil {
		return nil, &errRefused{err}
	}
	if !model.IsValidId(user) || !model.IsValidId(room) || command == "" {
		return nil, refusal("it lacks a user, a room or a command")
	}
	d := a.decoder()
	if full, ok := d.commands[command]; ok {
		command = full
	}
	ev := &adapter.Event{ID: "command/" + t.id, Kind: adapter.KindInvocation, Adapter: d.adapter, Time: t.at.UTC().Round(0), Room: a.roomKnown(room),
		User: d.account(user), Invocation: &adapter.Invocation{Command: command, Text: form.Get("text")}}
	if root := form.Get("root_id"); model.IsValidId(root) { // later servers tell it
		ev.Thread = root
	}
	o := origin{Kind: kindCommand, User: user, Room: room, Thread: ev.Thread, At: now.Unix(), Trigger: form.Get("trigger_id")}
	if u, err := url.Parse(form.Get("response_url")); err == nil && strings.HasSuffix(path.Dir(u.Path), "/hooks/commands") && model.IsValidId(path.Base(u.Path)) {
		o.Hook = path.Base(u.Path)
	}
	ev.Raw = formJSON(form, o)
	return &callback{r: &received{ev: ev}, kind: kindCommand, replay: "command/" + t.id, origin: o}, nil
}

// formJSON gives a form as JSON, without what authenticates it, and without what answers it: the id in its response_url, and its
// trigger_id, which are in its origin.
func formJSON(form url.Values, o origin) json.RawMessage {
	m := map[string]string{}
	for k, v := range form {
		m[k] = strings.Join(v, ",")
	}
	delete(m, "token")
	delete(m, "trigger_id")
	if at, ok := strings.CutSuffix(m["response_url"], "/"+o.Hook); ok && o.Hook != "" {
		m["response_url"] = at
	} else {
		delete(m, "response_url")
	}
	b, err := json.Marshal(m)
	if err != nil {
		return nil
	}
	return b
}

// posted is what is known of a message of the bot that has buttons.
type posted struct {
	room, nonce, root string
}

// maxPosted is how many of these are remembered; others are asked for.
const maxPosted = 10_000

// readClick reads a pressed button.
func (a *Adapter) readClick(ctx context.Context, body []byte, now time.Time) (*callback, error) {
	var p model.PostActionIntegrationRequest
	if json.Unmarshal(body, &p) != nil {
		return nil, refusal("its JSON cannot be read")
	}
	text, _ := p.Context[sealedKey].(string)
	s, err := a.seal.open(sealClick, text)
	if err != nil {
		return nil, &errRefused{err}
	}
	me := a.me.Load()
	t, err := readTrigger(me.key, p.TriggerId, p.UserId, now)
	if err != nil {
		return nil, &errRefused{err}
	}
	switch {
	case p.ChannelId != s.Room || !model.IsValidId(p.UserId) || !model.IsValidId(p.PostId):
		return nil, refusal("it is not in the room of its button")
	case s.Only != "" && s.Only != p.UserId:
		return nil, refusal("its button was shown to somebody else")
	case now.Unix() > s.Expires:
		return &callback{kind: kindClick, said: "This button is too old to be pressed."}, nil
	}
	known := posted{room: s.Room, nonce: s.Nonce}
	if s.Only == "" { // an ephemeral message cannot be asked for
		if known, err = a.postedByID(ctx, p.PostId); err != nil {
			if adapter.OutcomeOf(err) == adapter.Refused {
				return nil, &errRefused{err}
			}
			return nil, err
		}
	}
	if known.room != s.Room || known.nonce != s.Nonce {
		return nil, refusal("its button is not one of that message")
	}
	trigger := p.TriggerId
	p.Context, p.TriggerId = nil, ""
	raw, err := json.Marshal(&p)
	if err != nil {
		return nil, refusal("its JSON cannot be read")
	}
	d := a.decoder()
	ev := &adapter.Event{ID: "click/" + t.id, Kind: adapter.KindClick, Adapter: d.adapter, Time: t.at.UTC().Round(0), Room: a.roomKnown(s.Room), Thread: known.root,
		MessageID: p.PostId, User: d.account(p.UserId), Raw: raw}
	ev.Click = &adapter.Click{Command: s.Command, Label: s.Label, Message: ev.Ref()}
	o := origin{Kind: kindClick, User: p.UserId, Room: s.Room, Thread: known.root, At: now.Unix(), Trigger: trigger}
	return &callback{r: &received{ev: ev}, kind: kindClick, replay: "click/" + t.id, origin: o}, nil
}

// postedByID asks for a message with buttons.
func (a *Adapter) postedByID(ctx context.Context, id string) (posted, error) {
	return a.posts.Get(ctx, id, func(ctx context.Context) (posted, error) {
		p, resp, err := a.with(ctx).GetPost(id, "")
		if err != nil {
			return posted{}, a.fail("look up a message", resp, err)
		}
		nonce, _ := p.GetProp(propNonce).(string)
		return posted{room: p.ChannelId, nonce: nonce, root: p.RootId}, nil
	})
}

// readForm reads a form that was filled in.
func (a *Adapter) readForm(body []byte, now time.Time) (*callback, error) {
	var p model.SubmitDialogRequest
	if json.Unmarshal(body, &p) != nil {
		return nil, refusal("its JSON cannot be read")
	}
	s, err := a.seal.open(sealForm, p.State)
	switch {
	case err != nil:
		return nil, &errRefused{err}
	case s.User != p.UserId || s.Form != p.CallbackId || !model.IsValidId(p.UserId):
		return nil, refusal("its form was shown to somebody else, or is another one")
	case now.Unix() > s.Expires:
		return &callback{kind: kindForm, said: "This form is too old to be sent. Begin again."}, nil
	}
	p.State, p.URL = "", ""
	raw, err := json.Marshal(&p)
	if err != nil {
		return nil, refusal("its JSON cannot be read")
	}
	options := map[string]string{}
	for k, v := range p.Submission {
		switch v := v.(type) {
		case string:
			options[k] = v
		case bool:
			options[k] = strconv.FormatBool(v)
		case float64:
			options[k] = strconv.FormatFloat(v, 'f', -1, 64)
		}
	}
	d := a.decoder()
	ev := &adapter.Event{ID: "form/" + s.Nonce, Kind: adapter.KindInvocation, Adapter: d.adapter, Time: now.UTC().Round(0), Room: a.roomKnown(s.Room), Thread: s.Thread,
		User: d.account(p.UserId), Invocation: &adapter.Invocation{Form: s.Form, Options: options}, Raw: raw}
	return &callback{r: &received{ev: ev}, kind: kindForm, replay: "form/" + s.Nonce, origin: origin{Kind: kindForm, User: p.UserId, Room: s.Room, Thread: s.Thread, At: now.Unix()}}, nil
}

// hookOf reads the form of an outgoing webhook.
func hookOf(form url.Values) *model.OutgoingWebhookPayload {
	at, _ := strconv.ParseInt(form.Get("timestamp"), 10, 64)
	return &model.OutgoingWebhookPayload{Token: form.Get("token"), ChannelId: form.Get("channel_id"), ChannelName: form.Get("channel_name"), Timestamp: at,
		UserId: form.Get("user_id"), UserName: form.Get("user_name"), PostId: form.Get("post_id"), Text: form.Get("text"), TriggerWord: form.Get("trigger_word"), FileIds: form.Get("file_ids")}
}

// readHook reads an outgoing webhook: a message in a public room, also in one that the bot is not in. Its event is that which the
// websocket would deliver, so that both are one.
func (a *Adapter) readHook(p *model.OutgoingWebhookPayload) (*callback, error) {
	if !anyToken(a.cfg.HookTokens, p.Token) {
		return nil, refusal("its token is not in Config.HookTokens")
	}
	if !model.IsValidId(p.UserId) || !model.IsValidId(p.ChannelId) || !model.IsValidId(p.PostId) {
		return nil, refusal("it lacks a user, a room or a message")
	}
	at := p.Timestamp
	if at < 1e11 { // in a form it is in seconds
		at *= 1000
	}
	post := model.Post{Id: p.PostId, UserId: p.UserId, ChannelId: p.ChannelId, Message: p.Text, CreateAt: at, UpdateAt: at}
	if p.FileIds != "" {
		post.FileIds = strings.Split(p.FileIds, ",")
	}
	raw, err := json.Marshal(&post)
	if err != nil {
		return nil, &errRefused{err}
	}
	d := a.decoder()
	r := d.begin(adapter.KindMessage, "message/"+p.PostId, at, &wirePost{ID: p.PostId, User: p.UserId, Channel: p.ChannelId}, raw)
	r.ev.Room = a.roomKnown(p.ChannelId)
	if r.ev.Room.Name == "" {
		r.ev.Room.Name, r.ev.Room.Kind = p.ChannelName, adapter.RoomChannel // these are for public rooms alone
	}
	r.ev.Text = p.Text
	r.files = d.files(r.ev, &wirePost{FileIDs: post.FileIds})
	if complete(r) != deliver {
		return nil, refusal("it lacks a time")
	}
	if r.ev.Self {
		return &callback{kind: kindHook}, nil
	}
	r.placeless = true
	return &callback{r: r, kind: kindHook, replay: "hook/" + p.PostId, origin: origin{Kind: kindHook, User: p.UserId, Room: p.ChannelId, At: a.now().Unix()}}, nil
}
