package mattermost

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mattermost/mattermost-server/v6/model"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/apiclient"
)

// The ids of messages that are no posts.
const (
	ephemeralPrefix = "ephemeral:" // seen by one user: it is stored nowhere
	responsePrefix  = "response:"  // the answer to a callback
)

// The props that mark the posts of this library.
const (
	propKey   = "starling_key"   // finds a post of unknown outcome again
	propNonce = "starling_nonce" // ties a button to its post
)

// outgoing is a rendered message, ready to go.
type outgoing struct {
	text        string
	attachments []json.RawMessage
	buttons     []adapter.Button
}

// Send implements [adapter.Adapter]. It never tries twice. A Message.Key makes the pending post id, by which the server knows a
// repetition for 30 s.
//
// With Message.Only the message is ephemeral, and its Ref names nothing that can be changed: as the answer to a slash command or a
// click in the way that these have, else with Config.SystemAdmin. Where neither is there it is [adapter.ErrUnsupported], and never
// shown to the room; in the direct room of that user it is an ordinary message.
func (a *Adapter) Send(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
	if err := a.life.Usable(ctx, "send"); err != nil {
		return adapter.Ref{}, err
	}
	m, out, err := a.ready(m)
	if err != nil {
		return adapter.Ref{}, err
	}
	me, err := a.known(ctx)
	if err != nil {
		return adapter.Ref{}, apiclient.NothingPosted(err)
	}
	if m.Only != "" {
		private, err := a.privateTo(ctx, m.To.Room, m.Only)
		if err != nil {
			return adapter.Ref{}, apiclient.NothingPosted(err)
		}
		if !private {
			return a.whisper(ctx, m, out)
		}
	}
	ids, err := a.putAll(ctx, m.To.Room, m.Files)
	if err != nil {
		return adapter.Ref{}, apiclient.NothingPosted(err)
	}
	post := &model.Post{UserId: me.id, ChannelId: m.To.Room, RootId: m.To.Thread, Message: out.text, FileIds: ids, PendingPostId: a.pendingID(me, m)}
	attachments, props, err := a.attach(m, out, "")
	if err != nil {
		return adapter.Ref{}, err
	}
	if len(attachments) > 0 {
		props["attachments"] = attachments
	}
	post.SetProps(props)
	created, resp, err := a.with(ctx).CreatePost(post)
	if err = a.fail("send", resp, err); err != nil {
		if errors.Is(err, adapter.ErrForbidden) {
			if id, ok, other := a.respond(ctx, m, out); ok {
				return adapter.Ref{Address: m.To, ID: id}, other
			}
		}
		return adapter.Ref{}, err
	}
	if created.UserId != me.id || created.ChannelId != m.To.Room || !model.IsValidId(created.Id) {
		return adapter.Ref{}, errors.New("mattermost: send: the answer is another message than the one that was sent")
	}
	if nonce, ok := props[propNonce].(string); ok {
		a.posts.Put(created.Id, posted{room: created.ChannelId, nonce: nonce, root: created.RootId})
	}
	if o, ok := parseOrigin(m.Origin); ok { // the request that waits for an answer need not any more
		if w := a.waiting.get(o.Wait); w != nil {
			w.release()
		}
	}
	return adapter.Ref{Address: m.To, ID: created.Id}, nil
}

// whisper shows a message to one user alone.
func (a *Adapter) whisper(ctx context.Context, m *adapter.Message, out *outgoing) (adapter.Ref, error) {
	if len(m.Files) > 0 {
		return adapter.Ref{}, fmt.Errorf("mattermost: send: %w: a file cannot be shown to one user alone; open a direct room", adapter.ErrUnsupported)
	}
	if id, ok, err := a.respond(ctx, m, out); ok {
		return adapter.Ref{Address: m.To, ID: id}, err
	} else if err != nil {
		return adapter.Ref{}, err
	}
	if !a.cfg.SystemAdmin {
		return adapter.Ref{}, fmt.Errorf("mattermost: send: %w: only a system administrator may show a message to one user alone; give the bot that role and set Config.SystemAdmin, or open a direct room",
			adapter.ErrUnsupported)
	}
	if !model.IsValidId(m.Only) {
		return adapter.Ref{}, fmt.Errorf("mattermost: send: user %q: %w", m.Only, adapter.ErrNotFound)
	}
	attachments, props, err := a.attach(m, out, m.Only)
	if err != nil {
		return adapter.Ref{}, err
	}
	if len(attachments) > 0 {
		props["attachments"] = attachments
	}
	post := &model.Post{ChannelId: m.To.Room, RootId: m.To.Thread, Message: out.text}
	post.SetProps(props)
	shown, resp, err := a.with(ctx).CreatePostEphemeral(&model.PostEphemeral{UserID: m.Only, Post: post})
	if err != nil {
		return adapter.Ref{}, a.fail("send", resp, err)
	}
	return adapter.Ref{Address: m.To, ID: ephemeralPrefix + shown.Id}, nil
}

// privateTo tells whether a room is the direct one with a user.
func (a *Adapter) privateTo(ctx context.Context, id, user string) (bool, error) {
	r, err := a.roomByID(ctx, id)
	if err != nil {
		if adapter.OutcomeOf(err) == adapter.Refused && !errors.Is(err, adapter.ErrAuth) { // a room that the bot is not in is not private to it
			return false, nil
		}
		return false, err
	}
	return r.Kind == adapter.RoomDirect && r.other == user, nil
}

// ready gives m as it is posted: rendered, where nobody did.
func (a *Adapter) ready(m *adapter.Message) (*adapter.Message, *outgoing, error) {
	if !model.IsValidId(m.To.Room) {
		return nil, nil, fmt.Errorf("mattermost: send: room %q: %w", m.To.Room, adapter.ErrNotFound)
	}
	if m.To.Thread != "" && !model.IsValidId(m.To.Thread) {
		return nil, nil, fmt.Errorf("mattermost: send: thread %q: %w", m.To.Thread, adapter.ErrNotFound)
	}
	r, done := asRendered(m)
	if !done {
		parts, err := a.Render(m)
		if err != nil {
			return nil, nil, err
		}
		if len(parts) != 1 {
			return nil, nil, fmt.Errorf("mattermost: send: %w: it takes %d messages; Render splits it", adapter.ErrTooLong, len(parts))
		}
		m = parts[0]
		r, _ = asRendered(m)
	}
	out := &outgoing{text: m.Text, attachments: r.Attachments, buttons: m.Buttons}
	if a.cfg.CallbackURL == "" && len(out.buttons) > 0 {
		return nil, nil, fmt.Errorf("mattermost: send: %w: Config.CallbackURL is not set, so there can be no buttons", adapter.ErrUnsupported)
	}
	if strings.TrimSpace(out.text) == "" && len(out.attachments) == 0 && len(out.buttons) == 0 && len(m.Files) == 0 {
		return nil, nil, fmt.Errorf("mattermost: send: %w: the message is empty", adapter.ErrInvalid)
	}
	if n := utf8.RuneCountInString(out.text); n > a.cfg.MaxText {
		return nil, nil, fmt.Errorf("mattermost: send: %w: %d of %d characters", adapter.ErrTooLong, n, a.cfg.MaxText)
	}
	if len(m.Files) > maxPerPost {
		return nil, nil, fmt.Errorf("mattermost: send: %w: %d files, a post has at most %d; Render splits them", adapter.ErrTooLong, len(m.Files), maxPerPost)
	}
	return m, out, nil
}

// attach makes the attachments and props of a post. only is who alone sees it.
func (a *Adapter) attach(m *adapter.Message, out *outgoing, only string) (list []*model.SlackAttachment, props map[string]any, err error) {
	props = map[string]any{}
	if m.Key != "" {
		props[propKey] = keyDigest(m.To, m.Key)
	}
	for _, raw := range out.attachments {
		var att model.SlackAttachment
		if err := json.Unmarshal(raw, &att); err != nil {
			return nil, nil, fmt.Errorf("mattermost: send: %w: an attachment cannot be read", adapter.ErrInvalid)
		}
		list = append(list, &att)
	}
	if len(out.buttons) == 0 {
		return list, props, nil
	}
	nonce := rand.Text()
	props[propNonce] = nonce
	with := &model.SlackAttachment{}
	for i, b := range out.buttons {
		context, err := a.seal.seal(sealClick, sealed{Room: m.To.Room, Nonce: nonce, Expires: a.now().Add(a.cfg.ButtonsFor).Unix(), Command: b.Command, Label: b.Label, Only: only})
		if err != nil {
			return nil, nil, fmt.Errorf("mattermost: send: %w: %w", adapter.ErrInvalid, err)
		}
		if len(context) > maxSealed {
			return nil, nil, fmt.Errorf("mattermost: send: %w: the command of the button %q", adapter.ErrTooLong, b.Label)
		}
		act := &model.PostAction{Id: "starling" + strconv.Itoa(i), Type: model.PostActionTypeButton, Name: cutRunes(plainLine(b.Label), maxLabel),
			Integration: &model.PostActionIntegration{URL: a.cfg.CallbackURL, Context: map[string]any{sealedKey: context}}}
		switch b.Style {
		case adapter.ButtonPrimary:
			act.Style = "primary"
		case adapter.ButtonDanger:
			act.Style = "danger"
		}
		with.Actions = append(with.Actions, act)
	}
	return append(list, with), props, nil
}

// keyDigest is what a post shows of the key of its message.
func keyDigest(to adapter.Address, key string) string {
	sum := sha256.Sum256([]byte(to.Room + "\n" + to.Thread + "\n" + key))
	return hex.EncodeToString(sum[:16])
}

// pendingID makes the pending post id of a message: the server gives the post of the first of those that have the same. It knows them
// of all users, so nobody else may guess one.
func (a *Adapter) pendingID(me *identity, m *adapter.Message) string {
	if m.Key == "" {
		return ""
	}
	h := hmac.New(sha256.New, []byte(a.cfg.Token))
	h.Write([]byte("pending post id\n" + m.To.Room + "\n" + m.To.Thread + "\n" + m.Key))
	return me.id + ":" + hex.EncodeToString(h.Sum(nil)[:16])
}
