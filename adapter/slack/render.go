package slack

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/markdown"
)

// kind is the key of Message.Native: its value is an array of Block Kit blocks.
const kind = "slack"

// actionPrefix begins the action ids of buttons made here; their values are packed.
const actionPrefix = "starling:"

type object = map[string]any

// renderers are how the portable dialect is shown: in mrkdwn, in blocks of type markdown, and for notifications.
type renderers struct{ mrkdwn, block, plain *markdown.Renderer }

func newRenderers() renderers {
	return renderers{mrkdwn: markdown.Slack(), block: markdown.SlackBlock(), plain: markdown.Plain()}
}

// Render implements [adapter.Renderer]. A text goes out as mrkdwn, or as rich text or a block of type markdown where that
// keeps more of it, see the package documentation; it is split at 4,000 characters (3,000 in mrkdwn beside buttons or fields). Buttons
// and fields come with the last part, files as a part of their own after it: a retry of one does not repeat the other. The
// key of part n after the first is "KEY/n".
//
// A message with Native["slack"] is one message with those blocks; its Text is shown in notifications, its Fields and Buttons
// are not shown. Errors: [adapter.ErrInvalid], [adapter.ErrTooLong] for what cannot be split.
func (a *Adapter) Render(m *adapter.Message) ([]*adapter.Message, error) {
	switch m.Notify {
	case adapter.NotifyNone, adapter.NotifyHere, adapter.NotifyRoom:
	default:
		return nil, fmt.Errorf("slack: render: %w: Notify %q", adapter.ErrInvalid, m.Notify)
	}
	for _, f := range m.Files {
		if f.Size > maxFile {
			return nil, fmt.Errorf("slack: render: %w: the file %q has %d bytes", adapter.ErrTooLong, f.Name, f.Size)
		}
	}
	bare := *m
	bare.Fields, bare.Buttons, bare.Files, bare.Native = nil, nil, nil, nil
	var parts []*adapter.Message
	var err error
	if native := m.Native[kind]; len(native) > 0 {
		parts, err = a.native(&bare, native)
	} else {
		parts, err = a.laidOut(&bare, m)
	}
	if err != nil {
		return nil, err
	}
	if len(m.Files) > 0 {
		bare.Text, bare.Notify, bare.Files = "", adapter.NotifyNone, m.Files
		if n := len(parts); n > 0 && bare.Key != "" {
			bare.Key += "/" + strconv.Itoa(n+1)
		}
		parts = append(parts, &bare)
	}
	return parts, nil
}

// native gives a message of the author's own blocks. A mass mention stands before them: in the text beside blocks it would
// reach nobody.
func (a *Adapter) native(bare *adapter.Message, raw json.RawMessage) ([]*adapter.Message, error) {
	var blocks []json.RawMessage
	if json.Unmarshal(raw, &blocks) != nil || len(blocks) == 0 {
		return nil, fmt.Errorf("slack: render: %w: Native[%q] is no array of blocks", adapter.ErrInvalid, kind)
	}
	part := *bare
	part.Text = notice(a.show.plain.Render(bare.Text))
	if bare.Notify != adapter.NotifyNone {
		mention := a.show.mrkdwn.Dialect.Notify(bare.Notify)
		part.Text = strings.TrimSpace(mention + " " + part.Text)
		section, err := json.Marshal(mrkdwnSection(mention))
		if err != nil {
			return nil, fmt.Errorf("slack: render: %w", err)
		}
		blocks = append([]json.RawMessage{section}, blocks...)
	}
	if len(blocks) > maxBlocks {
		return nil, fmt.Errorf("slack: render: %w: %d of %d blocks", adapter.ErrTooLong, len(blocks), maxBlocks)
	}
	part.Notify = adapter.NotifyNone
	return one(&part, blocks)
}

// one is part with blocks.
func one[T any](part *adapter.Message, blocks []T) ([]*adapter.Message, error) {
	raw, err := json.Marshal(blocks)
	if err != nil {
		return nil, fmt.Errorf("slack: render: %w: %w", adapter.ErrInvalid, err)
	}
	part.Native = map[string]json.RawMessage{kind: raw}
	return []*adapter.Message{part}, nil
}

// laidOut gives the parts of a text and of the fields and buttons of m. bare is m without what is no text.
func (a *Adapter) laidOut(bare, m *adapter.Message) ([]*adapter.Message, error) {
	extra, err := a.extras(m)
	if err != nil {
		return nil, err
	}
	doc := markdown.Parse(bare.Text)
	show, limit, rich := a.show.mrkdwn, maxText, []any(nil)
	if len(extra) > 0 {
		limit = maxSection
	}
	form := a.form(doc, bare, len(extra), limit)
	if form == asBlock {
		show, limit = a.show.block, maxText
	}
	parts := show.MessagesOf(doc, bare, adapter.Features{MaxText: limit, Unit: adapter.UnitRunes})
	if parts[0].Text == "" && len(extra) == 0 {
		return nil, nil
	}
	if form == asRich { // it fits into one
		rich = a.rich(doc, bare.Notify)
	}
	for i, p := range parts {
		p.Notify = adapter.NotifyNone // it stands in the text
		blocks := []any{}
		switch last := i == len(parts)-1; {
		case p.Text == "": // buttons or fields alone: what a notification shows
			p.Text = notice(summary(m))
			blocks = extra
		case form == asBlock:
			blocks = append(blocks, object{"type": "markdown", "text": p.Text})
			p.Text = notice(a.show.plain.Render(p.Text))
			if last {
				blocks = append(blocks, extra...)
			}
		case rich != nil:
			blocks = append(rich, extra...)
		case last && len(extra) > 0:
			blocks = append(append(blocks, mrkdwnSection(p.Text)), extra...)
		}
		if len(blocks) > 0 {
			if _, err := one(p, blocks); err != nil {
				return nil, err
			}
		}
	}
	return parts, nil
}

// form is how a text goes out.
type form int

const (
	asMrkdwn form = iota
	asRich
	asBlock
)

// form decides how a document goes out: as mrkdwn, if that shows all of it.
//
// A block of type markdown (https://docs.slack.dev/reference/block-kit/blocks/markdown-block) is taken where mrkdwn has no
// such construct. But mentions, links to rooms, times and mass mentions are documented for mrkdwn alone
// (https://docs.slack.dev/messaging/formatting-message-text), and so is that entities are read in code and addresses; and
// attachments, which have the colour, for no block of type markdown. Such a text stays mrkdwn, with what is nearest there.
//
// Where mrkdwn would need invisible characters to keep text from being formatted, it is rich text, or such a block if it is
// more than rich text can be, or than one message holds. extra blocks stand beside the text.
func (a *Adapter) form(d *markdown.Document, m *adapter.Message, extra, limit int) form {
	only, lost, blocks := m.Notify != adapter.NotifyNone || m.Color != adapter.ColorNone, false, 0
	var walk func(n *markdown.Node, depth int)
	walk = func(n *markdown.Node, depth int) {
		if depth == 1 {
			blocks++
		}
		switch n.Kind {
		case markdown.KindMention, markdown.KindRoom, markdown.KindTime:
			only = true
		case markdown.KindText, markdown.KindData:
			only = only || strings.Contains(n.Text, "://") && strings.Contains(n.Text, "&")
		case markdown.KindLink:
			only = only || strings.Contains(n.Target, "&") && n.First() != nil && n.First().Text == n.Text
		case markdown.KindHeading, markdown.KindList, markdown.KindTable, markdown.KindRule:
			lost = true
		case markdown.KindCodeBlock:
			lost = lost || n.Target != "" || depth > 1
			only = only || strings.ContainsAny(n.Text, "&<>")
		case markdown.KindQuote:
			lost = lost || depth > 1
		case markdown.KindCode:
			lost = lost || strings.Contains(n.Text, "`")
			only = only || strings.ContainsAny(n.Text, "&<>")
		}
		for c := range n.Children() {
			walk(c, depth+1)
		}
	}
	walk(d.Root(), 0)
	wire := a.show.mrkdwn.Document(d).Text()
	guarded := strings.Count(wire, zwsp) > strings.Count(m.Text, zwsp)
	fits := utf8.RuneCountInString(wire)+len("<!channel> ") <= limit
	switch {
	case (guarded || lost) && fits && a.rich(d, "") != nil:
		return asRich
	case (guarded || lost) && !only && blocks+extra <= maxBlocks: // Slack makes several blocks of one
		return asBlock
	}
	return asMrkdwn
}

const zwsp = "\u200b" // zero-width space

// mrkdwnSection is a section block. verbatim keeps Slack from making mentions and links of plain text
// (https://docs.slack.dev/reference/block-kit/composition-objects/text-object).
func mrkdwnSection(text string) object {
	return object{"type": "section", "text": mrkdwnText(text)}
}

func mrkdwnText(text string) object { return object{"type": "mrkdwn", "text": text, "verbatim": true} }

func plainText(text string, emoji bool) object {
	return object{"type": "plain_text", "text": text, "emoji": emoji}
}

// notice is a text beside blocks: notifications show it, and programs that read the screen aloud.
func notice(plain string) string { return escape(cutRunes(strings.TrimSpace(plain), maxNotice)) }

// summary is a text for a message that has none.
func summary(m *adapter.Message) string {
	var words []string
	for _, f := range m.Fields {
		words = append(words, adapter.PlainText(f.Name)+": "+adapter.PlainText(f.Value))
	}
	for _, b := range m.Buttons {
		words = append(words, adapter.PlainText(b.Label))
	}
	return strings.Join(words, ", ")
}

// extras gives fields and buttons as blocks.
func (a *Adapter) extras(m *adapter.Message) (blocks []any, err error) {
	var fields []any
	for i, f := range m.Fields {
		field, err := a.field(f)
		if err != nil {
			return nil, err
		}
		fields = append(fields, field)
		if len(fields) == maxFields || i == len(m.Fields)-1 {
			blocks = append(blocks, object{"type": "section", "fields": fields})
			fields = nil
		}
	}
	var buttons []any
	for i, b := range m.Buttons {
		value := packCommand(b.Command)
		if utf8.RuneCountInString(value) > maxCommand {
			return nil, fmt.Errorf("slack: render: %w: the command of the button %q is over %d characters", adapter.ErrTooLong, b.Label, maxCommand)
		}
		label := cutRunes(adapter.PlainText(b.Label), maxLabel)
		if strings.TrimSpace(label) == "" {
			return nil, fmt.Errorf("slack: render: %w: a button has no label", adapter.ErrInvalid)
		}
		e := object{"type": "button", "action_id": actionPrefix + strconv.Itoa(i), "value": value, "text": plainText(label, true)}
		if b.Style == adapter.ButtonPrimary || b.Style == adapter.ButtonDanger {
			e["style"] = string(b.Style)
		}
		buttons = append(buttons, e)
		if len(buttons) == maxButtons || i == len(m.Buttons)-1 {
			blocks = append(blocks, object{"type": "actions", "elements": buttons})
			buttons = nil
		}
	}
	if len(blocks) > maxBlocks-1 {
		return nil, fmt.Errorf("slack: render: %w: too many fields and buttons for one message", adapter.ErrTooLong)
	}
	return blocks, nil
}

// field gives a field: in mrkdwn, or as plain text where nothing in it is formatted and mrkdwn would need invisible
// characters, or has no room.
func (a *Adapter) field(f adapter.Field) (object, error) {
	name := strings.Join(strings.Fields(adapter.PlainText(f.Name)), " ")
	doc := markdown.Parse(f.Value)
	value := a.show.mrkdwn.Document(doc).Text()
	head := ""
	if name != "" {
		head = a.show.mrkdwn.Render("**" + adapter.Data(name) + "**")
	}
	text := strings.TrimSuffix(head+"\n"+value, "\n")
	exact := strings.Count(text, zwsp) <= strings.Count(f.Name+f.Value, zwsp)
	if text == "" {
		return nil, fmt.Errorf("slack: render: %w: a field has neither name nor value", adapter.ErrInvalid)
	}
	if utf8.RuneCountInString(text) <= maxField && (exact || !unformatted(doc)) {
		return mrkdwnText(text), nil
	}
	plain := strings.TrimSuffix(name+"\n"+a.show.plain.Document(doc).Text(), "\n")
	if n := utf8.RuneCountInString(plain); n > maxField {
		return nil, fmt.Errorf("slack: render: %w: the field %q has %d of %d characters", adapter.ErrTooLong, name, n, maxField)
	}
	return plainText(plain, false), nil
}

// unformatted tells whether a document is text and data alone.
func unformatted(d *markdown.Document) bool {
	for block := range d.Root().Children() {
		if block.Kind != markdown.KindParagraph {
			return false
		}
		for n := range block.Children() {
			if n.Kind != markdown.KindText && n.Kind != markdown.KindData && n.Kind != markdown.KindBreak {
				return false
			}
		}
	}
	return true
}

// cutRunes shortens s to n characters.
func cutRunes(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	r := []rune(s)
	return string(r[:n-1]) + "…"
}

// What goes through a button or a menu and comes back goes without the characters that Slack escapes on some ways and not
// on others.
var (
	packer   = strings.NewReplacer("%", "%25", "&", "%26", "<", "%3C", ">", "%3E")
	unpacker = strings.NewReplacer("%25", "%", "%26", "&", "%3C", "<", "%3E", ">")
)

func packCommand(s string) string   { return packer.Replace(s) }
func unpackCommand(s string) string { return unpacker.Replace(s) }
