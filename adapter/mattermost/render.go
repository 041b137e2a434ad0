package mattermost

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/mattermost/mattermost-server/v6/model"

	"github.com/starlingbot/starling/adapter"
)

// kind is the key of Message.Native: its value is an array of message attachments.
const kind = "mattermost"

const (
	maxLabel     = 40 // characters on a button: more are cut by the apps
	maxButtons   = 25
	maxPerPost   = 10      // files of a post (model.PostFileidsMaxRunes)
	maxProps     = 760_000 // characters of all attachments (model.PostPropsMaxUserRunes)
	maxFieldName = 1_000
)

// rendered is what Native holds of a part that was rendered: it is sent as it is, and not rendered once more.
type rendered struct {
	Done        bool              `json:"rendered"`
	Attachments []json.RawMessage `json:"attachments,omitempty"`
}

// Render implements [adapter.Renderer]: text in Mattermost's Markdown, split at Config.MaxText. Fields, and with a colour the text
// too, are a message attachment. Buttons, fields and files come with the last part; more than ten files take several. A message
// with Native["mattermost"] shows those attachments below its text. Without Config.CallbackURL buttons are a numbered list of what
// to type.
//
// Nothing but Message.Notify makes a mass mention, not in attachments, fields and labels either.
func (a *Adapter) Render(m *adapter.Message) ([]*adapter.Message, error) {
	fail := func(kind error, format string, args ...any) ([]*adapter.Message, error) {
		return nil, fmt.Errorf("mattermost: render: %w: %s", kind, fmt.Sprintf(format, args...))
	}
	switch m.Notify {
	case adapter.NotifyNone, adapter.NotifyHere, adapter.NotifyRoom:
	default:
		return fail(adapter.ErrInvalid, "Notify %q", m.Notify)
	}
	if _, done := asRendered(m); done {
		c := *m
		return []*adapter.Message{&c}, nil
	}
	native, err := nativeAttachments(m.Native[kind])
	if err != nil {
		return fail(adapter.ErrInvalid, "Native[%q] is no array of attachments", kind)
	}
	c := *m
	c.Text = strings.ReplaceAll(c.Text, "\x00", "\uFFFD") // the server's database takes none
	c.Native = nil
	if len(c.Buttons) > maxButtons {
		return fail(adapter.ErrTooLong, "%d buttons, at most %d", len(c.Buttons), maxButtons)
	}
	for _, b := range c.Buttons {
		if strings.TrimSpace(plainLine(b.Label)) == "" {
			return fail(adapter.ErrInvalid, "a button has no label")
		}
	}
	if len(c.Buttons) > 0 && a.cfg.CallbackURL == "" {
		c.Text, c.Buttons = withList(c.Text, c.Buttons), nil
	}
	for _, f := range c.Files {
		if f.Size > a.cfg.MaxFile {
			return fail(adapter.ErrTooLong, "the file %q has %d of at most %d bytes", f.Name, f.Size, a.cfg.MaxFile)
		}
	}
	fields, err := a.fields(c.Fields)
	if err != nil {
		return nil, err
	}
	c.Fields, c.Color = nil, ""
	parts := a.md.Messages(&c, a.Features())
	for i, p := range parts {
		last := i == len(parts)-1
		p.Notify = ""
		r := rendered{Done: true}
		att := model.SlackAttachment{Color: color(m.Color)}
		if m.Color != adapter.ColorNone {
			att.Text, p.Text = p.Text, ""
		}
		if last {
			att.Fields = fields
		}
		if att.Text != "" || len(att.Fields) > 0 {
			b, err := json.Marshal(&att)
			if err != nil {
				return fail(adapter.ErrInvalid, "the fields: %v", err)
			}
			r.Attachments = append(r.Attachments, b)
		}
		if last {
			r.Attachments = append(r.Attachments, native...)
		}
		size := 0
		for _, b := range r.Attachments {
			size += utf8.RuneCount(b)
		}
		if size > maxProps {
			return fail(adapter.ErrTooLong, "fields and attachments of %d characters, at most %d", size, maxProps)
		}
		if p.Native, err = r.native(); err != nil {
			return fail(adapter.ErrInvalid, "the attachments: %v", err)
		}
	}
	return splitFiles(parts), nil
}

func (r rendered) native() (map[string]json.RawMessage, error) {
	b, err := json.Marshal(&r)
	return map[string]json.RawMessage{kind: b}, err
}

// asRendered gives what Render made of a message, and whether it did.
func asRendered(m *adapter.Message) (r rendered, done bool) {
	raw := m.Native[kind]
	if len(raw) == 0 || raw[0] != '{' || json.Unmarshal(raw, &r) != nil {
		return rendered{}, false
	}
	return r, r.Done
}

// splitFiles puts the files over ten into messages of their own.
func splitFiles(parts []*adapter.Message) []*adapter.Message {
	last := parts[len(parts)-1]
	files := last.Files
	if len(files) <= maxPerPost {
		return parts
	}
	last.Files = files[:maxPerPost]
	for n := 1; n*maxPerPost < len(files); n++ {
		c := *last
		c.Text, c.Buttons = "", nil
		c.Files = files[n*maxPerPost : min((n+1)*maxPerPost, len(files))]
		c.Native, _ = rendered{Done: true}.native() // of nothing that could fail
		if c.Key != "" {
			c.Key += fmt.Sprintf("/files%d", n+1)
		}
		parts = append(parts, &c)
	}
	return parts
}

// withList shows buttons as what to type.
func withList(text string, buttons []adapter.Button) string {
	var b strings.Builder
	b.WriteString(text)
	if text != "" {
		b.WriteString("\n\n")
	}
	for i, x := range buttons {
		b.WriteString(adapter.Format("%d. %s: `%s`\n", i+1, plainLine(x.Label), x.Command))
	}
	return b.String()
}

// fields renders fields. The apps show the name as Markdown too.
func (a *Adapter) fields(list []adapter.Field) (out []*model.SlackAttachmentField, err error) {
	for _, f := range list {
		name := plainLine(f.Name)
		if utf8.RuneCountInString(name) > maxFieldName {
			return nil, fmt.Errorf("mattermost: render: %w: the name of a field has over %d characters", adapter.ErrTooLong, maxFieldName)
		}
		value := a.md.Render(strings.ReplaceAll(f.Value, "\x00", "\uFFFD"))
		if utf8.RuneCountInString(value) > a.cfg.MaxText {
			return nil, fmt.Errorf("mattermost: render: %w: the field %q has over %d characters", adapter.ErrTooLong, name, a.cfg.MaxText)
		}
		out = append(out, &model.SlackAttachmentField{Title: a.md.Render(adapter.Data(name)), Value: value, Short: model.SlackCompatibleBool(f.Short)})
	}
	return out, nil
}

func color(c adapter.Color) string {
	switch c {
	case adapter.ColorGood:
		return "good"
	case adapter.ColorWarn:
		return "warning"
	case adapter.ColorBad:
		return "danger"
	}
	return ""
}

// massMention is what the server takes for a mention of many: it reads whatever is no letter, digit or one of . - _ : @ as the end
// of a word, and case does not matter (app/notification.go: processText).
var massMention = regexp.MustCompile(`(?i)@(all|channel|here|everyone)`) // read only

// harmless keeps a text from mentioning everybody.
func harmless(s string) string { return massMention.ReplaceAllString(s, "@\u200b$1") }

// nativeAttachments checks an author's own attachments. Their texts may hold what people wrote: mass mentions are taken out.
func nativeAttachments(raw json.RawMessage) (out []json.RawMessage, err error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var list []map[string]any
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	for _, att := range list {
		b, err := json.Marshal(tame(att))
		if err != nil {
			return nil, err
		}
		var known model.SlackAttachment // what the server cannot read it drops without a word
		if err := json.Unmarshal(b, &known); err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

// tame takes mass mentions out of all texts but addresses and what buttons carry.
func tame(v any) any {
	switch v := v.(type) {
	case string:
		return harmless(strings.ReplaceAll(adapter.PlainText(v), "\x00", "\uFFFD"))
	case []any:
		for i := range v {
			v[i] = tame(v[i])
		}
	case map[string]any:
		for k, e := range v {
			if k != "integration" && k != "url" && !strings.HasSuffix(k, "_url") && !strings.HasSuffix(k, "_link") && !strings.HasSuffix(k, "_icon") {
				v[k] = tame(e)
			}
		}
	}
	return v
}

// plainLine gives a text in one line, without markup, mentions and mass mentions.
func plainLine(s string) string {
	return harmless(strings.Join(strings.Fields(strings.ReplaceAll(adapter.PlainText(s), "\x00", "\uFFFD")), " "))
}

// cutRunes shortens s to n characters.
func cutRunes(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	r := []rune(s)
	return string(r[:n-1]) + "…"
}
