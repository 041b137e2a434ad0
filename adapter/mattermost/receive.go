package mattermost

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mattermost/mattermost-server/v6/model"

	"github.com/starlingbot/starling/adapter"
)

// frame is what comes on the websocket: an event, or the answer to an action. Unlike the library's types it takes events that
// are new and fields that are broken, as long as those used here are not.
type frame struct {
	Event     string                     `json:"event"`
	Data      map[string]json.RawMessage `json:"data"`
	Broadcast struct {
		Channel string `json:"channel_id"`
		User    string `json:"user_id"`
	} `json:"broadcast"`
	Seq    int64  `json:"seq"`
	Status string `json:"status"`
	Reply  int64  `json:"seq_reply"`
}

// str gives a string of the event's data.
func (f *frame) str(key string) string {
	raw := f.Data[key]
	if n := len(raw); n >= 2 && raw[0] == '"' && bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : n-1])
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// wirePost is a post, as far as it is used.
type wirePost struct {
	ID       string                     `json:"id"`
	CreateAt int64                      `json:"create_at"`
	UpdateAt int64                      `json:"update_at"`
	EditAt   int64                      `json:"edit_at"`
	DeleteAt int64                      `json:"delete_at"`
	User     string                     `json:"user_id"`
	Channel  string                     `json:"channel_id"`
	Root     string                     `json:"root_id"`
	Message  string                     `json:"message"`
	Source   string                     `json:"message_source"`
	Type     string                     `json:"type"`
	Props    map[string]json.RawMessage `json:"props"`
	FileIDs  []string                   `json:"file_ids"`
	Metadata struct {
		Files []wireFile `json:"files"`
	} `json:"metadata"`
}

type wireFile struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Type string `json:"mime_type"`
	Size int64  `json:"size"`
}

// prop gives a string among the props: what the server sets are strings, and others are not looked at.
func (p *wirePost) prop(key string) string {
	var s string
	if raw, ok := p.Props[key]; !ok || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// flagged tells whether a prop is set, in whatever form.
func (p *wirePost) flagged(key string) bool {
	switch string(p.Props[key]) {
	case "", "false", `"false"`, `""`, "null":
		return false
	}
	return true
}

// text is what was typed: the server rewrites the addresses of pictures and then gives the source too.
func (p *wirePost) text() string {
	if p.Type == model.PostTypeMe {
		if raw := p.prop("message"); raw != "" {
			return raw
		}
	}
	if p.Source != "" {
		return p.Source
	}
	return p.Message
}

// received is an event on its way to the sink, before names are looked up.
type received struct {
	ev    *adapter.Event
	files []string  // whose names are not known
	until time.Time // not zero: somebody waits for the answer until then, and it does not come again

	created   int64 // when the message was made, in a history
	since     int64 // a history that is read from then on, in milliseconds, has it
	placeless bool  // it is no sign of how far its room was heard
}

// verdict is what is to be done with what came.
type verdict string

const (
	deliver   verdict = "delivered"
	ignored   verdict = "ignored"   // of no interest, or told by another event too
	unknown   verdict = "unknown"   // a kind that is not mapped
	malformed verdict = "malformed" // it cannot be read
)

// decoder turns what Mattermost delivers into events. It is pure: looking names up is the intake's.
type decoder struct {
	adapter, tenant string
	me              identity
	commands        map[string]string // slash command -> command
}

// decoder gives the decoder of this moment.
func (a *Adapter) decoder() decoder {
	d := decoder{adapter: a.cfg.Name, tenant: a.cfg.Tenant}
	if me := a.me.Load(); me != nil {
		d.me = *me
	}
	if c := a.commands.Load(); c != nil {
		d.commands = *c
	}
	return d
}

// forget names what an event makes stale in the caches.
type forget struct {
	user, room string
	name       string // in the cache of names
	everybody  bool
}

// clockSlack is more than what is taken for the server's clock may be ahead of it.
const clockSlack = 10 * time.Second

// event decodes an event of the websocket. conn is the connection's id: with the sequence number it names an event for which the
// server has no other name, and a replay has the same.
func (d decoder) event(f *frame, conn string, now time.Time) (r *received, stale forget, v verdict) {
	switch f.Event {
	case "posted":
		r, v = d.posted(f)
	case "post_edited":
		r, v = d.post(f, d.edited)
	case "post_deleted":
		r, v = d.post(f, d.deleted)
		if r != nil {
			r.since = now.Add(-clockSlack).UnixMilli() // the post is as it was before
			if by := f.str("delete_by"); model.IsValidId(by) {
				r.ev.User = d.account(by)
			}
		}
	case "reaction_added", "reaction_removed":
		r, v = d.reaction(f, conn)
	case "user_added", "user_removed":
		r, v = d.moved(f, conn, now)
		if r != nil && r.ev.Self {
			stale.room = r.ev.Room.ID
		}
	case "user_updated":
		var data struct {
			ID   string `json:"id"`
			Name string `json:"username"`
		}
		v = ignored
		if json.Unmarshal(f.Data["user"], &data) != nil || data.ID == "" {
			v = malformed
		}
		stale.user = data.ID
		if data.Name != "" {
			stale.name = "@" + strings.ToLower(data.Name)
		}
	case "user_role_updated", "new_user":
		stale.user, v = f.str("user_id"), ignored
	case "user_activation_status_change", "guests_deactivated":
		stale.everybody, v = true, ignored
	case "channel_updated":
		var data struct {
			ID string `json:"id"`
		}
		v = ignored
		if json.Unmarshal([]byte(f.str("channel")), &data) != nil || data.ID == "" {
			v = malformed
		}
		stale.room = data.ID
	case "channel_converted", "channel_deleted", "channel_restored", "channel_created":
		stale.room, v = f.str("channel_id"), ignored
	case "direct_added", "group_added":
		stale.room, v = f.Broadcast.Channel, ignored
	case "hello", "typing", "status_change", "channel_viewed", "multiple_channels_viewed", "preference_changed", "preferences_changed", "preferences_deleted",
		"ephemeral_message", "post_unread", "thread_updated", "thread_follow_changed", "thread_read_changed", "channel_member_updated", "memberrole_updated",
		"added_to_team", "leave_team", "update_team", "emoji_added", "open_dialog", "config_changed", "license_changed", "role_updated", "plugin_enabled",
		"plugin_disabled", "plugin_statuses_changed", "sidebar_category_created", "sidebar_category_updated", "sidebar_category_deleted",
		"sidebar_category_order_updated", "post_acknowledgement_added", "post_acknowledgement_removed", "draft_created", "draft_updated", "draft_deleted":
		v = ignored
	default:
		v = unknown
	}
	return r, stale, v
}

// posted decodes a posted event.
func (d decoder) posted(f *frame) (*received, verdict) {
	r, v := d.post(f, d.said)
	if r != nil {
		r.ev.Room.Kind = roomKind(f.str("channel_type"))
		switch r.ev.Room.Kind {
		case adapter.RoomDirect:
		case adapter.RoomGroup:
			r.ev.Room.Name = f.str("channel_display_name")
		default:
			r.ev.Room.Name = f.str("channel_name")
		}
	}
	return r, v
}

// post decodes the post that an event carries as a string.
func (d decoder) post(f *frame, as func(*wirePost, json.RawMessage) (*received, verdict)) (*received, verdict) {
	raw := f.str("post")
	var p wirePost
	if raw == "" || json.Unmarshal([]byte(raw), &p) != nil {
		return nil, malformed
	}
	return as(&p, json.RawMessage(raw))
}

// begin makes what all events about a post have.
func (d decoder) begin(kind adapter.Kind, id string, at int64, p *wirePost, raw json.RawMessage) *received {
	ev := &adapter.Event{ID: id, Kind: kind, Adapter: d.adapter, Time: time.UnixMilli(at).UTC(), Order: orderOf(at, p.ID), Room: adapter.Room{ID: p.Channel},
		Thread: p.Root, MessageID: p.ID, Self: p.User == d.me.id && d.me.id != "" && !p.hooked(), Raw: raw}
	ev.User = d.author(p)
	return &received{ev: ev, since: millisOf(ev.Order)}
}

// author is who wrote a post. What came over a webhook, or as the answer to a slash command, carries the account of whoever made
// the webhook or used the command, and any name: it is a program, and never that person.
func (d decoder) author(p *wirePost) adapter.User {
	if p.hooked() {
		name := p.prop("override_username")
		if name == "" {
			name = p.prop("webhook_display_name")
		}
		if name == "" {
			name = "webhook"
		}
		return adapter.User{Adapter: d.adapter, Tenant: d.tenant, ID: "webhook-" + p.User, Name: name, Kind: adapter.KindBot}
	}
	u := d.account(p.User)
	if p.flagged("from_bot") {
		u.Kind = adapter.KindBot
	}
	return u
}

// hooked tells whether no account wrote it itself.
func (p *wirePost) hooked() bool {
	return p.flagged("from_webhook") || p.flagged("from_plugin") || p.flagged("from_oauth_app")
}

func (d decoder) account(id string) adapter.User {
	return adapter.User{Adapter: d.adapter, Tenant: d.tenant, ID: id}
}

// said decodes something that somebody said, or that the system did.
func (d decoder) said(p *wirePost, raw json.RawMessage) (*received, verdict) {
	switch {
	case p.Type == model.PostTypeHeaderChange:
		r := d.begin(adapter.KindTopic, "topic/"+p.ID, p.CreateAt, p, raw)
		r.ev.Text = p.prop("new_header")
		return r, complete(r)
	case strings.HasPrefix(p.Type, model.PostSystemMessagePrefix), p.Type == model.PostTypeAddBotTeamsChannels, p.Type == model.PostTypeSystemWarnMetricStatus:
		return nil, ignored // told by an event of its own, or nobody said it
	}
	r := d.begin(adapter.KindMessage, "message/"+p.ID, p.CreateAt, p, raw)
	r.ev.Text = p.text()
	r.files = d.files(r.ev, p)
	return r, complete(r)
}

// files puts the files of a post into ev, and gives the ids of those of which nothing else is known.
func (d decoder) files(ev *adapter.Event, p *wirePost) (nameless []string) {
	known := map[string]wireFile{}
	for _, f := range p.Metadata.Files {
		known[f.ID] = f
	}
	for _, id := range p.FileIDs {
		f, ok := known[id]
		if !ok {
			nameless = append(nameless, id)
		}
		ev.Files = append(ev.Files, adapter.File{ID: id, Name: f.Name, Type: f.Type, Size: max(f.Size, 0)})
	}
	return nameless
}

// edited decodes a change. One that was not an edit of the message (it was pinned) has an older EditAt, or none.
func (d decoder) edited(p *wirePost, raw json.RawMessage) (*received, verdict) {
	if strings.HasPrefix(p.Type, model.PostSystemMessagePrefix) || p.EditAt == 0 || p.UpdateAt-p.EditAt > 1000 {
		return nil, ignored
	}
	r := d.begin(adapter.KindEdit, "edit/"+p.ID+"/"+strconv.FormatInt(p.EditAt, 10), p.EditAt, p, raw)
	r.ev.Text = p.text()
	r.files = d.files(r.ev, p)
	return r, complete(r)
}

// deleted decodes a deletion. Only administrators are told who did it, so User is empty; Self is set on the bot's own messages.
func (d decoder) deleted(p *wirePost, raw json.RawMessage) (*received, verdict) {
	if strings.HasPrefix(p.Type, model.PostSystemMessagePrefix) {
		return nil, ignored
	}
	at := max(p.DeleteAt, p.UpdateAt)
	r := d.begin(adapter.KindDelete, "delete/"+p.ID, at, p, raw)
	r.ev.User = adapter.User{}
	return r, complete(r)
}

func (d decoder) reaction(f *frame, conn string) (*received, verdict) {
	raw := json.RawMessage(f.str("reaction"))
	var w struct {
		User     string `json:"user_id"`
		Post     string `json:"post_id"`
		Emoji    string `json:"emoji_name"`
		CreateAt int64  `json:"create_at"`
		UpdateAt int64  `json:"update_at"`
	}
	if json.Unmarshal(raw, &w) != nil || w.User == "" || w.Post == "" || w.Emoji == "" || f.Broadcast.Channel == "" {
		return nil, malformed
	}
	ev := &adapter.Event{ID: f.Event + "/" + conn + "/" + strconv.FormatInt(f.Seq, 10), Kind: adapter.KindReaction, Adapter: d.adapter,
		Time: time.UnixMilli(max(w.UpdateAt, w.CreateAt, 0)).UTC(), Room: adapter.Room{ID: f.Broadcast.Channel}, User: d.account(w.User), Self: w.User == d.me.id,
		MessageID: w.Post, Raw: raw}
	ev.Reaction = &adapter.Reaction{Emoji: withoutTone(strings.Trim(w.Emoji, ":")), Removed: f.Event == "reaction_removed",
		Message: adapter.Ref{Address: adapter.Address{Adapter: d.adapter, Room: f.Broadcast.Channel}, ID: w.Post}}
	return &received{ev: ev}, deliver
}

// moved decodes that somebody came or went. For the bot itself a removal has another form, since it is in the room no more.
func (d decoder) moved(f *frame, conn string, now time.Time) (*received, verdict) {
	kind := adapter.KindJoin
	user, room := f.str("user_id"), f.Broadcast.Channel
	if f.Event == "user_removed" {
		kind = adapter.KindLeave
		if user == "" {
			user = f.Broadcast.User
		}
		if room == "" {
			room = f.str("channel_id")
		}
	}
	if user == "" || room == "" {
		return nil, malformed
	}
	raw, err := json.Marshal(map[string]any{"event": f.Event, "data": f.Data, "broadcast": map[string]string{"channel_id": f.Broadcast.Channel, "user_id": f.Broadcast.User}, "seq": f.Seq})
	if err != nil {
		return nil, malformed
	}
	return &received{ev: &adapter.Event{ID: f.Event + "/" + conn + "/" + strconv.FormatInt(f.Seq, 10), Kind: kind, Adapter: d.adapter, Time: now.UTC().Round(0),
		Room: adapter.Room{ID: room}, User: d.account(user), Self: user == d.me.id, Raw: raw}}, deliver
}

// complete finds events that lack what they need.
func complete(r *received) verdict {
	ev := r.ev
	if ev.Room.ID == "" || ev.MessageID == "" || ev.Time.UnixMilli() <= 0 || ev.Kind != adapter.KindDelete && ev.User.ID == "" {
		return malformed
	}
	return deliver
}

// orderOf is the order stamp of a post: its time in milliseconds, and its id for those of the same.
func orderOf(millis int64, id string) string { return fmt.Sprintf("%013d.%s", max(millis, 0), id) }

// millisOf is the time in an order stamp; 0 for what is none.
func millisOf(order string) int64 {
	s, _, _ := strings.Cut(order, ".")
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > 1<<50 {
		return 0
	}
	return n
}

// Decode gives the library's value of an event's Raw: a *model.Post for what is about a message, a *model.Reaction, a
// *model.WebSocketEvent for KindJoin and KindLeave, a *model.PostActionIntegrationRequest for KindClick, and for KindInvocation a
// *model.SubmitDialogRequest if Invocation.Form is set, else a map[string]string, the form of the slash command. What
// authenticates a click or a command is not in it; what answers it, the response_url and the trigger_id, is from Event.Origin.
func Decode(ev *adapter.Event) (any, error) {
	if len(ev.Raw) == 0 {
		return nil, fmt.Errorf("mattermost: decode: %w: the event has no Raw", adapter.ErrNotFound)
	}
	o, _ := parseOrigin(ev.Origin)
	var v any
	switch ev.Kind {
	case adapter.KindReaction:
		v = &model.Reaction{}
	case adapter.KindClick:
		v = &model.PostActionIntegrationRequest{}
	case adapter.KindInvocation:
		if ev.Invocation != nil && ev.Invocation.Form != "" {
			v = &model.SubmitDialogRequest{}
			break
		}
		m := map[string]string{}
		if err := json.Unmarshal(ev.Raw, &m); err != nil {
			return nil, fmt.Errorf("mattermost: decode: %w", err)
		}
		if m["trigger_id"] = o.Trigger; m["response_url"] != "" {
			m["response_url"] += "/" + o.Hook
		}
		return m, nil
	case adapter.KindJoin, adapter.KindLeave:
		e, err := model.WebSocketEventFromJSON(bytes.NewReader(ev.Raw))
		if err != nil {
			return nil, fmt.Errorf("mattermost: decode: %w", err)
		}
		return e, nil
	case adapter.KindMessage, adapter.KindEdit, adapter.KindDelete, adapter.KindTopic:
		v = &model.Post{}
	default:
		return nil, fmt.Errorf("mattermost: decode: %w: kind %q", errors.ErrUnsupported, ev.Kind)
	}
	if err := json.Unmarshal(ev.Raw, v); err != nil {
		return nil, fmt.Errorf("mattermost: decode: %w", err)
	}
	if click, ok := v.(*model.PostActionIntegrationRequest); ok {
		click.TriggerId = o.Trigger
	}
	return v, nil
}
