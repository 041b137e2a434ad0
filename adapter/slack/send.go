package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	slackgo "github.com/slack-go/slack"

	"github.com/starlingbot/starling/adapter"
)

// The ids of messages that Slack gives no message stamp for.
const (
	ephemeralPrefix = "ephemeral:" // seen by one user: cannot be changed or found again
	filePrefix      = "file:"      // a shared file: its message gets a stamp later, which nobody is told
	responsePrefix  = "response:"  // posted over a response_url
)

// metadataType marks the messages of this library, so that one of unknown outcome can be found again
// (https://docs.slack.dev/messaging/message-metadata).
const metadataType = "starling_message"

// Send implements [adapter.Adapter]. It waits for its turn: about one message a second in a room, three at once. A wait of
// more than five seconds is a [adapter.RateLimitError] instead. It never tries twice.
//
// With Message.Only the Ref names an ephemeral message, and with Files a file: those cannot be edited, and the former not
// deleted.
func (a *Adapter) Send(ctx context.Context, m *adapter.Message) (adapter.Ref, error) {
	if err := a.life.Usable(ctx, "send"); err != nil {
		return adapter.Ref{}, err
	}
	m, err := a.ready(m)
	if err != nil {
		return adapter.Ref{}, err
	}
	if len(m.Files) > 0 && m.Only != "" {
		return adapter.Ref{}, fmt.Errorf("slack: send: %w: a file cannot be shown to one user alone; open a direct room", adapter.ErrUnsupported)
	}
	if err := a.turn(ctx, m.To.Room); err != nil {
		return adapter.Ref{}, err
	}
	var id string
	switch {
	case len(m.Files) > 0:
		id, err = a.share(ctx, m.To, m.Text, m.Files)
	case m.Only != "":
		id, err = a.api.PostEphemeralContext(ctx, m.To.Room, m.Only, options(m)...)
		id = ephemeralPrefix + id
	default:
		_, id, err = a.api.PostMessageContext(ctx, m.To.Room, options(m)...)
	}
	if err = a.fail("send", err); err != nil {
		a.pace.Refused(m.To.Room, err)
		if id, err = a.respond(ctx, m, err); err != nil {
			return adapter.Ref{}, err
		}
	}
	return adapter.Ref{Address: m.To, ID: id}, nil
}

// ready gives m as it is posted: rendered, where nobody did.
func (a *Adapter) ready(m *adapter.Message) (*adapter.Message, error) {
	if m.To.Room == "" {
		return nil, fmt.Errorf("slack: send: %w: the message has no room", adapter.ErrInvalid)
	}
	if len(m.Buttons) > 0 || len(m.Fields) > 0 || m.Notify != "" || adapter.Strip(m.Text) != m.Text {
		parts, err := a.Render(m)
		if err != nil {
			return nil, err
		}
		if len(parts) != 1 {
			return nil, fmt.Errorf("slack: send: %w: it takes %d messages; Render splits it", adapter.ErrTooLong, len(parts))
		}
		m = parts[0]
	}
	if m.Text == "" && len(m.Native[kind]) == 0 && len(m.Files) == 0 {
		return nil, fmt.Errorf("slack: send: %w: the message is empty", adapter.ErrInvalid)
	}
	if n := utf8.RuneCountInString(m.Text); n > maxText {
		return nil, fmt.Errorf("slack: send: %w: %d of %d characters", adapter.ErrTooLong, n, maxText)
	}
	return m, nil
}

// options are how the library is told of a rendered message.
func options(m *adapter.Message) []slackgo.MsgOption {
	var opts []slackgo.MsgOption
	blocks := nativeBlocks(m.Native[kind])
	if m.Color != adapter.ColorNone {
		att := slackgo.Attachment{Color: color(m.Color), Fallback: m.Text, Blocks: slackgo.Blocks{BlockSet: blocks}}
		if len(blocks) == 0 {
			att.Text, att.MarkdownIn = m.Text, []string{"text"}
		}
		opts = append(opts, slackgo.MsgOptionAttachments(att))
	} else {
		if m.Text != "" {
			opts = append(opts, slackgo.MsgOptionText(m.Text, false))
		}
		if len(blocks) > 0 {
			opts = append(opts, slackgo.MsgOptionBlocks(blocks...))
		}
	}
	if m.Key != "" && m.Only == "" {
		opts = append(opts, slackgo.MsgOptionMetadata(slackgo.SlackMetadata{EventType: metadataType, EventPayload: map[string]any{"key": m.Key}}))
	}
	if m.To.Thread != "" {
		opts = append(opts, slackgo.MsgOptionTS(m.To.Thread))
	}
	if m.Previews {
		opts = append(opts, slackgo.MsgOptionEnableLinkUnfurl())
	} else {
		opts = append(opts, slackgo.MsgOptionDisableLinkUnfurl(), slackgo.MsgOptionDisableMediaUnfurl())
	}
	return opts
}

func color(c adapter.Color) string {
	switch c {
	case adapter.ColorGood:
		return "good"
	case adapter.ColorWarn:
		return "warning"
	}
	return "danger"
}

// rawBlock is a layout block that goes out as it is.
type rawBlock struct{ json.RawMessage }

// BlockType implements the library's Block.
func (b rawBlock) BlockType() slackgo.MessageBlockType {
	var t struct {
		Type slackgo.MessageBlockType `json:"type"`
	}
	_ = json.Unmarshal(b.RawMessage, &t)
	return t.Type
}

// ID implements the library's Block.
func (b rawBlock) ID() string {
	var t struct {
		ID string `json:"block_id"`
	}
	_ = json.Unmarshal(b.RawMessage, &t)
	return t.ID
}

func nativeBlocks(raw json.RawMessage) []slackgo.Block {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	var blocks []slackgo.Block
	for _, b := range list {
		blocks = append(blocks, rawBlock{b})
	}
	return blocks
}

// respond answers a command or a click where the bot is not in the room, over the address that Slack gave with it. It gives why, the
// error of the ordinary way, where there is no such address, or Slack refuses the answer there too; and its own where the answer may
// be sent again.
func (a *Adapter) respond(ctx context.Context, m *adapter.Message, why error) (string, error) {
	if m.Origin == "" || len(m.Files) > 0 || adapter.OutcomeOf(why) != adapter.Refused {
		return "", why
	}
	var o origin
	if json.Unmarshal([]byte(m.Origin), &o) != nil || !a.mayRespond(o.URL) || a.now().Unix()-o.Got > 29*60 {
		return "", why
	}
	kind := slackgo.ResponseTypeInChannel
	if m.Only != "" {
		if m.Only != o.User { // it would be shown to somebody else
			return "", why
		}
		kind = slackgo.ResponseTypeEphemeral
	}
	opts := append(options(m), slackgo.MsgOptionResponseURL(o.URL, kind))
	_, _, err := a.api.PostMessageContext(ctx, m.To.Room, opts...)
	if err = a.fail("send over the response_url", err); err == nil {
		return responsePrefix + stampOf(a.now()), nil
	}
	if adapter.OutcomeOf(err) == adapter.NotYet {
		return "", err
	}
	a.log.Debug("an answer over the response_url failed", "error", err)
	return "", why
}

// mayRespond tells whether an address is Slack's: what is stored with an event is not trusted further than that.
func (a *Adapter) mayRespond(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	api, err := url.Parse(a.cfg.APIURL)
	return u.Scheme == "https" && u.Hostname() == "hooks.slack.com" || err == nil && u.Scheme == api.Scheme && u.Host == api.Host
}

// real gives the room and stamp of a message that can be referred to.
func real(verb string, ref adapter.Ref) error {
	switch {
	case ref.Room == "" || ref.ID == "":
		return fmt.Errorf("slack: %s: message %q: %w", verb, ref.ID, adapter.ErrNotFound)
	case strings.HasPrefix(ref.ID, ephemeralPrefix), strings.HasPrefix(ref.ID, responsePrefix):
		return fmt.Errorf("slack: %s: %w: slack lets nobody refer to a message that one user alone sees", verb, adapter.ErrUnsupported)
	case strings.HasPrefix(ref.ID, filePrefix):
		return fmt.Errorf("slack: %s: %w: slack does not say which message shows a file", verb, adapter.ErrUnsupported)
	}
	return nil
}

// Edit implements [adapter.Editor]. Errors: those of the interface, [adapter.ErrUnsupported] for an ephemeral message or a file.
func (a *Adapter) Edit(ctx context.Context, ref adapter.Ref, m *adapter.Message) error {
	if err := a.life.Usable(ctx, "edit"); err != nil {
		return err
	}
	if err := real("edit", ref); err != nil {
		return err
	}
	c := *m
	c.To, c.Only, c.Files = ref.Address, "", nil
	ready, err := a.ready(&c)
	if err != nil {
		return err
	}
	c = *ready
	c.To.Thread = ""
	opts := options(&c)
	if len(c.Native[kind]) == 0 && c.Color == adapter.ColorNone { // what stood in blocks would stay
		opts = append(opts, slackgo.MsgOptionBlocks())
	}
	if c.Color == adapter.ColorNone {
		opts = append(opts, slackgo.MsgOptionAttachments([]slackgo.Attachment{}...))
	}
	_, _, _, err = a.api.UpdateMessageContext(ctx, ref.Room, ref.ID, opts...)
	return a.fail("edit", err)
}

// Delete implements [adapter.Deleter]. Errors: those of the interface, [adapter.ErrUnsupported] for an ephemeral message.
func (a *Adapter) Delete(ctx context.Context, ref adapter.Ref) error {
	if err := a.life.Usable(ctx, "delete"); err != nil {
		return err
	}
	if id, ok := strings.CutPrefix(ref.ID, filePrefix); ok {
		return a.fail("delete", a.api.DeleteFileContext(ctx, id))
	}
	if err := real("delete", ref); err != nil {
		return err
	}
	_, _, err := a.api.DeleteMessageContext(ctx, ref.Room, ref.ID)
	return a.fail("delete", err)
}

// React implements [adapter.Reactor]: emoji is a name without colons, or one of the common emoji. Errors: those of the
// interface, [adapter.ErrInvalid] for an emoji whose name is not known here.
func (a *Adapter) React(ctx context.Context, ref adapter.Ref, emoji string) error {
	if err := a.life.Usable(ctx, "react"); err != nil {
		return err
	}
	if err := real("react", ref); err != nil {
		return err
	}
	name, ok := emojiName(emoji)
	if !ok {
		return fmt.Errorf("slack: react: %w: slack wants the name of an emoji, as in thumbsup; %q has none here", adapter.ErrInvalid, emoji)
	}
	err := a.api.AddReactionContext(ctx, name, slackgo.NewRefToMessage(ref.Room, ref.ID))
	var refused slackgo.SlackErrorResponse
	if errors.As(err, &refused) && refused.Err == "already_reacted" {
		return nil
	}
	return a.fail("react", err)
}

// SetTopic implements [adapter.TopicSetter]; a topic is plain text of at most 250 characters. It needs the scope
// channels:write.topic (groups:write.topic in private rooms), which is not among [DefaultScopes].
func (a *Adapter) SetTopic(ctx context.Context, room, topic string) error {
	if err := a.life.Usable(ctx, "set the topic"); err != nil {
		return err
	}
	_, err := a.api.SetTopicOfConversationContext(ctx, room, escape(adapter.PlainText(topic)))
	return a.fail("set the topic", err)
}

const (
	findBack  = 24 * time.Hour // how far back a message is looked for
	findPages = 10
)

// Find implements [adapter.Finder] by the metadata that Send puts on a message: it looks through the last day of the room or
// thread, at most 2,000 messages. It is [adapter.ErrUnsupported] for an ephemeral message and a file, which carry none, and where
// there were more messages than it looks through, so that nobody knows.
func (a *Adapter) Find(ctx context.Context, m *adapter.Message) (adapter.Ref, bool, error) {
	if err := a.life.Usable(ctx, "find"); err != nil {
		return adapter.Ref{}, false, err
	}
	if m.Key == "" || m.Only != "" || len(m.Files) > 0 {
		return adapter.Ref{}, false, fmt.Errorf("slack: find: %w: only a message with a Key and without files that all see can be looked for", adapter.ErrUnsupported)
	}
	method := "conversations.history"
	form := url.Values{"channel": {m.To.Room}, "limit": {strconv.Itoa(historyPage)}, "include_all_metadata": {"1"}, "oldest": {stampOf(a.now().Add(-findBack))}}
	if m.To.Thread != "" {
		method = "conversations.replies"
		form.Set("ts", m.To.Thread)
	} else {
		form.Set("latest", a.latest())
	}
	for range findPages {
		page, err := a.messages(ctx, method, form)
		if err != nil {
			return adapter.Ref{}, false, fmt.Errorf("slack: find: %w", err)
		}
		for _, raw := range page.Messages {
			var posted struct {
				TS       string `json:"ts"`
				Metadata struct {
					Type    string `json:"event_type"`
					Payload struct {
						Key string `json:"key"`
					} `json:"event_payload"`
				} `json:"metadata"`
			}
			if json.Unmarshal(raw, &posted) == nil && posted.Metadata.Type == metadataType && posted.Metadata.Payload.Key == m.Key {
				return adapter.Ref{Address: m.To, ID: posted.TS}, true, nil
			}
		}
		if page.Meta.Cursor == "" {
			return adapter.Ref{}, false, nil
		}
		form.Set("cursor", page.Meta.Cursor)
	}
	return adapter.Ref{}, false, fmt.Errorf("slack: find: %w: there were over %d messages in a day", adapter.ErrUnsupported, findPages*historyPage)
}
