package discord

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/apiclient"
)

// ephemeralPrefix begins the ids of messages that one user alone sees: they can be changed only over their interaction.
const ephemeralPrefix = "ephemeral:"

// posted is the part of a message that is read of an answer.
type posted struct {
	ID      string `json:"id"`
	Flags   int    `json:"flags"`
	Content string `json:"content"`
}

// Send implements [adapter.Adapter]. It waits for its turn: four messages at once in a room and then about one a second,
// or what Discord's answers say. A wait of more than five seconds is a [adapter.RateLimitError] instead. It never tries
// twice; a message with a Key may be sent again, see Features.IdempotentSend.
//
// With the Origin of a command or a click that was made in the same room the message is its answer, for as long as Discord
// takes one (15 minutes), also after a restart; later it is posted as any other. Message.Only needs such an Origin of that
// user: without one it is [adapter.ErrUnsupported]; if the time is over it goes to the user's direct room, or is
// [adapter.ErrForbidden]. It is never shown to the room.
func (a *Adapter) Send(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
	if err := a.life.Usable(ctx, "send"); err != nil {
		return adapter.Ref{}, err
	}
	m, body, err := a.ready("send", m)
	if err != nil {
		return adapter.Ref{}, err
	}
	if o, ok := readOrigin(m.Origin); ok && o.Channel == target(m.To) {
		if m.Only != "" && m.Only != o.User {
			return adapter.Ref{}, fmt.Errorf("discord: send: %w: only whoever used the command can be answered alone; open a direct room", adapter.ErrUnsupported)
		}
		return a.respond(ctx, m, o, body)
	}
	if m.Only != "" {
		if c, err := a.channelByID(ctx, target(m.To)); err != nil || c.kind != channelDirect || c.recipient != m.Only {
			return adapter.Ref{}, fmt.Errorf("discord: send: %w: discord shows a message to one user alone only as the answer to a command or a button; open a direct room", adapter.ErrUnsupported)
		}
	}
	return a.post(ctx, m, body)
}

// target is the channel of an address.
func target(to adapter.Address) string {
	if to.Thread != "" {
		return to.Thread
	}
	return to.Room
}

// ready gives m and its payload: rendered, where nobody did.
func (a *Adapter) ready(verb string, m *adapter.Message) (*adapter.Message, payload, error) {
	if m.To.Room == "" {
		return nil, payload{}, fmt.Errorf("discord: %s: %w: the message has no room", verb, adapter.ErrInvalid)
	}
	if !isID(m.To.Room) || !isID(target(m.To)) {
		return nil, payload{}, fmt.Errorf("discord: %s: %w: the room %q: ids are numbers", verb, adapter.ErrNotFound, m.To.Room)
	}
	noded := adapter.Strip(m.Text) != m.Text || m.Notify != "" && !strings.HasPrefix(m.Text, "@everyone") && !strings.HasPrefix(m.Text, "@here")
	for _, f := range m.Fields {
		noded = noded || adapter.Strip(f.Value) != f.Value
	}
	if noded {
		parts, err := a.Render(m)
		if err != nil {
			return nil, payload{}, err
		}
		if len(parts) != 1 {
			return nil, payload{}, fmt.Errorf("discord: %s: %w: it takes %d messages; Render splits it", verb, adapter.ErrTooLong, len(parts))
		}
		m = parts[0]
	}
	body, err := compose(m)
	if err != nil {
		return nil, body, fmt.Errorf("discord: %s: %w", verb, err)
	}
	if body.empty(len(m.Files)) {
		return nil, body, fmt.Errorf("discord: %s: %w: the message is empty", verb, adapter.ErrInvalid)
	}
	return m, body, nil
}

// post posts an ordinary message.
func (a *Adapter) post(ctx context.Context, m *adapter.Message, body payload) (adapter.Ref, error) {
	to := target(m.To)
	if err := a.turn(ctx, to); err != nil {
		return adapter.Ref{}, err
	}
	if m.Key != "" {
		body.Nonce, body.Enforce = nonceOf(to, m.Key), true
	}
	var msg posted
	err := a.deliver(ctx, "send", http.MethodPost, "channels/"+to+"/messages", &body, m.Files, nil, &msg)
	if m.To.Thread != "" && hasCode(err, 10003) {
		if to, err = a.startThread(ctx, m.To, &body); err == nil {
			err = a.deliver(ctx, "send", http.MethodPost, "channels/"+to+"/messages", &body, m.Files, nil, &msg)
		}
	}
	if err != nil {
		return adapter.Ref{}, err
	}
	if !isID(msg.ID) {
		return adapter.Ref{}, errors.New("discord: send: the answer does not say which message it is")
	}
	a.spoken.note(msg.ID, msg.Content, true)
	return adapter.Ref{Address: m.To, ID: msg.ID}, nil
}

// startThread begins the thread below a message, and gives where to post. Where there are no threads the message becomes a
// reply to that one. Nothing of it is the message itself: what fails here was certainly not posted.
func (a *Adapter) startThread(ctx context.Context, to adapter.Address, body *payload) (string, error) {
	var root posted
	if err := a.call(ctx, "start a thread", http.MethodGet, "channels/"+to.Room+"/messages/"+to.Thread, nil, &root); err != nil {
		return to.Thread, apiclient.NothingPosted(err)
	}
	var c wireChannel
	err := a.call(ctx, "start a thread", http.MethodPost, "channels/"+to.Room+"/messages/"+to.Thread+"/threads",
		map[string]any{"name": threadName(root.Content), "auto_archive_duration": 1440}, &c)
	switch {
	case err == nil && isID(c.ID):
		if c.ParentID == "" {
			c.ParentID = to.Room
		}
		a.channels.Put(c.ID, channelOf(&c))
		return c.ID, nil
	case hasCode(err, 160004): // somebody else just did
		a.channels.Forget(to.Thread)
		return to.Thread, nil
	case errors.Is(err, errors.ErrUnsupported):
		body.Reference = &reference{Message: to.Thread}
		return to.Room, nil
	case err == nil:
		err = fmt.Errorf("discord: start a thread: %w: the answer does not say which thread it is", adapter.ErrUnavailable)
	}
	return to.Thread, apiclient.NothingPosted(err)
}

var tags = regexp.MustCompile(`<[@#:/at&!][^<>]{0,150}>|[*_~|>\x60]`)

// threadName makes the name of a thread of what its first message says.
func threadName(said string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(tags.ReplaceAllString(said, " ")), "\n")
	name := strings.Join(strings.Fields(line), " ")
	if utf8.RuneCountInString(name) > 60 {
		name = cutRunes(name, 60)
	}
	if name == "" {
		return "Thread"
	}
	return name
}

// real gives the channel and the id of a message that can be referred to.
func real(verb string, ref adapter.Ref) (channel, id string, err error) {
	channel, id = target(ref.Address), strings.TrimPrefix(ref.ID, ephemeralPrefix)
	if !isID(channel) || !isID(id) {
		return "", "", fmt.Errorf("discord: %s: message %q: %w", verb, ref.ID, adapter.ErrNotFound)
	}
	return channel, id, nil
}

// change makes a request about a message of the bot: over its room, or over its interaction where that is the only way.
func (a *Adapter) change(ctx context.Context, verb, method string, ref adapter.Ref, body any) error {
	channel, id, err := real(verb, ref)
	if err != nil {
		return err
	}
	w := a.answers.by(id, a.now())
	if strings.HasPrefix(ref.ID, ephemeralPrefix) {
		if w == nil {
			return fmt.Errorf("discord: %s: %w: a message that one user alone sees can be changed for 15 minutes, by the process that posted it", verb, adapter.ErrUnsupported)
		}
		return a.call(ctx, verb, method, w.o.webhook()+"/messages/"+id, body, nil)
	}
	err = a.call(ctx, verb, method, "channels/"+channel+"/messages/"+id, body, nil)
	if w != nil && (errors.Is(err, adapter.ErrForbidden) || hasCode(err, 10003)) { // the bot itself is not in that room
		err = a.call(ctx, verb, method, w.o.webhook()+"/messages/"+id, body, nil)
	}
	return err
}

// Edit implements [adapter.Editor]. Errors: those of the interface, [adapter.ErrUnsupported] for a message that one user alone
// sees, once its 15 minutes are over or another process posted it.
func (a *Adapter) Edit(ctx context.Context, ref adapter.Ref, m *adapter.Message) error {
	if err := a.life.Usable(ctx, "edit"); err != nil {
		return err
	}
	c := *m
	c.To, c.Only, c.Files, c.Notify = ref.Address, "", nil, adapter.NotifyNone // an edit notifies nobody
	if _, _, err := real("edit", ref); err != nil {
		return err
	}
	_, body, err := a.ready("edit", &c)
	if err != nil {
		return err
	}
	return a.change(ctx, "edit", http.MethodPatch, ref, &body)
}

// Delete implements [adapter.Deleter]. Errors: those of the interface; see [Adapter.Edit] for messages that one user sees.
func (a *Adapter) Delete(ctx context.Context, ref adapter.Ref) error {
	if err := a.life.Usable(ctx, "delete"); err != nil {
		return err
	}
	return a.change(ctx, "delete", http.MethodDelete, ref, nil)
}

// customEmoji is an emoji of a server as people and as Discord write it.
var customEmoji = regexp.MustCompile(`^(?:<?a?:)?([A-Za-z0-9_]{2,32}:[0-9]{1,20})>?$`)

// React implements [adapter.Reactor]: emoji is the character itself, or name:id of one of a server that the bot is in.
// Errors: those of the interface, [adapter.ErrInvalid] for an emoji that Discord does not know.
func (a *Adapter) React(ctx context.Context, ref adapter.Ref, emoji string) error {
	if err := a.life.Usable(ctx, "react"); err != nil {
		return err
	}
	channel, id, err := real("react", ref)
	if err != nil {
		return err
	}
	if strings.HasPrefix(ref.ID, ephemeralPrefix) {
		return fmt.Errorf("discord: react: %w: one user alone sees that message", adapter.ErrUnsupported)
	}
	if emoji == "" || len(emoji) > 100 {
		return fmt.Errorf("discord: react: %w: %q is no emoji", adapter.ErrInvalid, cutRunes(emoji, 40))
	}
	if found := customEmoji.FindStringSubmatch(emoji); found != nil {
		emoji = found[1]
	}
	return a.call(ctx, "react", http.MethodPut, "channels/"+channel+"/messages/"+id+"/reactions/"+url.PathEscape(emoji)+"/@me", nil, nil)
}

// Typing implements [adapter.Typer]: for ten seconds, or until the bot says something.
func (a *Adapter) Typing(ctx context.Context, to adapter.Address) error {
	if err := a.life.Usable(ctx, "show typing"); err != nil {
		return err
	}
	if !isID(target(to)) {
		return fmt.Errorf("discord: show typing: room %q: %w", to.Room, adapter.ErrNotFound)
	}
	return a.call(ctx, "show typing", http.MethodPost, "channels/"+target(to)+"/typing", nil, nil)
}

// SetTopic implements [adapter.TopicSetter]; a topic is plain text of at most 1,024 characters. It needs the permission
// Manage Channels; Discord takes two changes in ten minutes.
func (a *Adapter) SetTopic(ctx context.Context, room, topic string) error {
	if err := a.life.Usable(ctx, "set the topic"); err != nil {
		return err
	}
	if !isID(room) {
		return fmt.Errorf("discord: set the topic: room %q: %w", room, adapter.ErrNotFound)
	}
	topic = adapter.PlainText(topic)
	if n := utf8.RuneCountInString(topic); n > maxTopic {
		return fmt.Errorf("discord: set the topic: %w: %d of %d characters", adapter.ErrTooLong, n, maxTopic)
	}
	undo := a.guilds.setTopic(room, topic)
	err := a.call(ctx, "set the topic", http.MethodPatch, "channels/"+room, map[string]string{"topic": topic}, nil)
	if err != nil && adapter.OutcomeOf(err) != adapter.Unknown {
		undo()
	}
	return err
}
