package discord

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/starlingbot/starling/adapter"
)

// kind is the key of Message.Native: its value is an array of components.
const kind = "discord"

// Render implements [adapter.Renderer]: text in Discord's Markdown, split at 2,000 characters. Fields, buttons, files and a
// colour come with the last part. Errors: [adapter.ErrInvalid] and [adapter.ErrTooLong] for what Discord would refuse.
func (a *Adapter) Render(m *adapter.Message) ([]*adapter.Message, error) {
	switch m.Notify {
	case adapter.NotifyNone, adapter.NotifyHere, adapter.NotifyRoom:
	default:
		return nil, fmt.Errorf("discord: render: %w: Notify %q", adapter.ErrInvalid, m.Notify)
	}
	parts := a.md.Messages(m, a.Features())
	for i, p := range parts {
		if i < len(parts)-1 {
			p.Color = adapter.ColorNone
		}
		if _, err := compose(p); err != nil {
			return nil, fmt.Errorf("discord: render: %w", err)
		}
	}
	return parts, nil
}

// payload is a message as Discord takes it (https://discord.com/developers/docs/resources/message#create-message).
type payload struct {
	Content     string          `json:"content"`
	Embeds      []embed         `json:"embeds"`
	Components  json.RawMessage `json:"components"`
	Mentions    mentions        `json:"allowed_mentions"`
	Flags       int             `json:"flags"`
	Nonce       string          `json:"nonce,omitempty"`
	Enforce     bool            `json:"enforce_nonce,omitempty"`
	Reference   *reference      `json:"message_reference,omitempty"`
	Attachments []attachment    `json:"attachments,omitempty"`
}

// mentions says whom a message notifies. It goes with every message: without it all that looks like a mention would be one.
type mentions struct {
	Parse []string `json:"parse"`
	Users []string `json:"users,omitempty"`
}

func nobody() mentions { return mentions{Parse: []string{}} }

type embed struct {
	Description string       `json:"description,omitempty"`
	Color       int          `json:"color,omitempty"`
	Fields      []embedField `json:"fields,omitempty"`
}

type embedField struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Inline bool   `json:"inline"`
}

type reference struct {
	Message string `json:"message_id"`
	Fail    bool   `json:"fail_if_not_exists"`
}

type attachment struct {
	ID       int    `json:"id"`
	Filename string `json:"filename"`
}

type row struct {
	Type       int      `json:"type"`
	Components []button `json:"components"`
}

type button struct {
	Type     int    `json:"type"`
	Style    int    `json:"style"`
	Label    string `json:"label"`
	CustomID string `json:"custom_id"`
}

// maxMentions is how many users a message may notify.
const maxMentions = 100

// mentioned finds the mentions that a renderer made: what is data has a backslash before its "<".
var mentioned = regexp.MustCompile(`\\.|<@([1-9][0-9]{0,19})>`)

// compose makes the payload of a rendered message, without its files and its nonce, and refuses what Discord refuses.
func compose(m *adapter.Message) (payload, error) {
	p := payload{Content: m.Text, Embeds: []embed{}, Components: json.RawMessage("[]"), Mentions: nobody()}
	if n := adapter.UnitUTF16.Len(m.Text); n > maxText {
		return p, fmt.Errorf("%w: %d of %d characters", adapter.ErrTooLong, n, maxText)
	}
	if m.Notify != adapter.NotifyNone {
		p.Mentions.Parse = []string{"everyone"}
	}
	for _, found := range mentioned.FindAllStringSubmatch(m.Text, -1) {
		if id := found[1]; id != "" && len(p.Mentions.Users) < maxMentions && !slices.Contains(p.Mentions.Users, id) {
			p.Mentions.Users = append(p.Mentions.Users, id)
		}
	}
	if err := p.addFields(m); err != nil {
		return p, err
	}
	if !m.Previews && len(p.Embeds) == 0 { // the flag would take our own embed away; links are in angle brackets then
		p.Flags |= flagSuppressEmbeds
	}
	if len(m.Files) > maxFiles {
		return p, fmt.Errorf("%w: %d files; a message takes %d", adapter.ErrTooLong, len(m.Files), maxFiles)
	}
	for _, f := range m.Files {
		if f.Size > maxFile {
			return p, fmt.Errorf("%w: the file %q has %d of %d bytes", adapter.ErrTooLong, f.Name, f.Size, maxFile)
		}
	}
	if native := m.Native[kind]; len(native) > 0 {
		var list []json.RawMessage
		if json.Unmarshal(native, &list) != nil || list == nil {
			return p, fmt.Errorf("%w: Native[%q] is no array of components", adapter.ErrInvalid, kind)
		}
		p.Components = native
		return p, nil
	}
	return p, p.addButtons(m.Buttons)
}

// addFields puts fields and a colour into an embed. With a colour the text is in it too, unless it is to notify somebody:
// in an embed nothing does.
func (p *payload) addFields(m *adapter.Message) error {
	if len(m.Fields) > maxFields {
		return fmt.Errorf("%w: %d fields; discord takes %d", adapter.ErrTooLong, len(m.Fields), maxFields)
	}
	e := embed{Color: colour(m.Color)}
	sum := 0
	for _, f := range m.Fields {
		name := strings.TrimSpace(adapter.PlainText(f.Name))
		value := f.Value
		if name == "" {
			name = "\u200b" // Discord wants something
		}
		if strings.TrimSpace(value) == "" {
			value = "\u200b"
		}
		if utf8.RuneCountInString(name) > maxFieldName || utf8.RuneCountInString(value) > maxFieldValue {
			return fmt.Errorf("%w: the field %q: a name has at most %d characters and a value %d", adapter.ErrTooLong, name, maxFieldName, maxFieldValue)
		}
		e.Fields = append(e.Fields, embedField{Name: name, Value: value, Inline: f.Short})
		sum += utf8.RuneCountInString(name) + utf8.RuneCountInString(value)
	}
	if e.Color != 0 && m.Notify == adapter.NotifyNone && len(p.Mentions.Users) == 0 {
		e.Description, p.Content = p.Content, ""
		sum += utf8.RuneCountInString(e.Description)
	}
	if sum > maxEmbed {
		return fmt.Errorf("%w: text and fields together have %d of %d characters", adapter.ErrTooLong, sum, maxEmbed)
	}
	if e.Description != "" || len(e.Fields) > 0 {
		p.Embeds = []embed{e}
	}
	return nil
}

func colour(c adapter.Color) int {
	switch c {
	case adapter.ColorGood:
		return 0x2ECC71
	case adapter.ColorWarn:
		return 0xF1C40F
	case adapter.ColorBad:
		return 0xE74C3C
	}
	return 0
}

func (p *payload) addButtons(buttons []adapter.Button) error {
	if len(buttons) > maxRows*maxRow {
		return fmt.Errorf("%w: %d buttons; discord takes %d", adapter.ErrTooLong, len(buttons), maxRows*maxRow)
	}
	var rows []row
	seen := map[string]bool{}
	for i, b := range buttons {
		label := cutRunes(strings.TrimSpace(adapter.PlainText(b.Label)), maxLabel)
		switch n := utf8.RuneCountInString(b.Command); {
		case label == "":
			return fmt.Errorf("%w: a button has no label", adapter.ErrInvalid)
		case n == 0:
			return fmt.Errorf("%w: the button %q has no command", adapter.ErrInvalid, label)
		case n > maxCustomID:
			return fmt.Errorf("%w: the command of the button %q has %d characters; discord keeps %d", adapter.ErrInvalid, label, n, maxCustomID)
		case seen[b.Command]:
			return fmt.Errorf("%w: two buttons have the command of %q; discord wants different ones", adapter.ErrInvalid, label)
		}
		seen[b.Command] = true
		if i%maxRow == 0 {
			rows = append(rows, row{Type: 1})
		}
		last := &rows[len(rows)-1]
		last.Components = append(last.Components, button{Type: componentButton, Style: buttonStyle(b.Style), Label: label, CustomID: b.Command})
	}
	if len(rows) == 0 {
		return nil
	}
	raw, err := json.Marshal(rows)
	if err != nil {
		return fmt.Errorf("%w: %w", adapter.ErrInvalid, err)
	}
	p.Components = raw
	return nil
}

func buttonStyle(s adapter.ButtonStyle) int {
	switch s {
	case adapter.ButtonPrimary:
		return 1
	case adapter.ButtonDanger:
		return 4
	}
	return 2
}

// empty tells whether there is nothing to show.
func (p *payload) empty(files int) bool {
	return strings.TrimSpace(p.Content) == "" && len(p.Embeds) == 0 && string(p.Components) == "[]" && files == 0
}

// nonceOf makes of a key what Discord recognises a message by: 25 characters at most
// (https://discord.com/developers/docs/resources/message#create-message).
func nonceOf(channel, key string) string {
	h := sha256.Sum256([]byte(channel + "/" + key))
	return hex.EncodeToString(h[:12])
}

// cutRunes shortens s to n characters.
func cutRunes(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	r := []rune(s)
	return string(r[:n-1]) + "…"
}
