package markdown

import (
	"bytes"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// Renderer shows documents on one platform. The functions named for platforms make them; to change one, change its fields
// before the first use. After that it may be used concurrently.
type Renderer struct {
	Dialect Dialect

	// Override replaces how a kind of node is shown. [Writer.Default] shows it as without.
	Override map[Kind]func(w *Writer, n *Node)

	// UserName and RoomName find the name by which the platform links a user or a room, where that needs names
	// (Mattermost); nil, or "": the name in the mention is used if it can be such a name.
	UserName func(id string) string
	RoomName func(id string) string

	// Width wraps lines to this many columns, where the dialect is one of a terminal. 0: they are not wrapped. The first
	// line has Lead columns less, for what stands before it.
	Width, Lead int

	// Location is the zone of times where the platform does not show them in the reader's; nil: UTC.
	Location *time.Location
}

// Marks are what stands before and after something. The zero value: nothing.
type Marks struct{ Open, Close string }

// FenceStyle is how a platform shows blocks of code.
type FenceStyle uint8

// The styles of fence.
const (
	FenceNone  FenceStyle = iota // indented by four spaces: the platform shows text as it is
	FenceThree                   // three backticks; runs of three within are broken by a zero-width space
	FenceLong                    // one backtick more than the longest run within
)

// Dialect is what a platform's markup looks like. What is left zero is shown as plain text. The functions write with the
// [Writer]; each must let nothing in its arguments act as markup.
type Dialect struct {
	Name string

	Strong, Emphasis, Strike Marks
	EmphasisOuter            Marks // for emphasis that begins with strong text; zero = Emphasis
	Heading                  func(level int) Marks
	Rule                     string
	Bullets                  []string  // by depth; the last one serves below. Each ends with a space
	Tasks                    [2]string // open and done; they stand in place of the bullet, or after it if TaskBullet
	TaskBullet               bool

	Quote       string // stands at the beginning of every quoted line
	QuoteInner  string // for a quote in a quote; "" = Quote again
	FenceQuoted bool   // a block of code may stand in a quote; otherwise the quote is interrupted

	Fence     FenceStyle
	FenceInfo bool // the language is written after the fence
	Tables    bool // tables are shown natively; otherwise they become aligned code
	CodeMarks Marks

	// Boundary is written between a mark of emphasis and a letter or digit beside it, where the platform would not see the
	// mark otherwise.
	Boundary string
	// Flanking: a mark between a letter and a punctuation character is read by the rules of CommonMark (6.2), for which a
	// zero-width space is written inside of the mark.
	Flanking bool
	// Sequences: marks are control sequences and no text, so that nothing need keep them apart from each other and from text.
	Sequences bool
	// PlainLabels: labels of links hold no markup.
	PlainLabels bool
	// ShowsAddress: Link shows the address, so that no label can hide it.
	ShowsAddress bool

	// Escape writes s, a piece of a line, so that it shows as itself. data: it is no text of the markup; names of emoji are
	// left alone there.
	Escape func(w *Writer, s string, data bool)
	// Code writes a code span; nil: CodeMarks around the content as it is.
	Code func(w *Writer, s string)
	// CodeLine writes a line of a block of code; nil: as it is, but for the breaking of FenceThree.
	CodeLine func(w *Writer, s string)
	// Link writes a link; label writes its label. nil: the label and the address.
	Link func(w *Writer, address string, label func())
	// URL writes an address that is its own label and tells whether it could; nil: the address as text.
	URL func(w *Writer, address string) bool
	// Mention and RoomLink write these and tell whether they could; otherwise the name is shown.
	Mention  func(w *Writer, id, name string) bool
	RoomLink func(w *Writer, id, name string) bool
	// Time writes a time and tells whether it could; otherwise it is shown in Renderer.Location.
	Time func(w *Writer, t time.Time) bool
	// Notify gives the mass mention that a message asks for, or "". It is the only thing that may make one.
	Notify func(n adapter.Notify) string
}

// limits are what a text must fit into.
type limits struct {
	max  int
	unit adapter.TextUnit
	flat bool // nothing but text
}

// Render shows a text of the portable dialect on the platform, whole. A text with neither markup nor nodes is returned as
// it is, without an allocation.
func (r *Renderer) Render(text string) string {
	if simple(text) && r.Width == 0 {
		return text
	}
	return r.Document(Parse(text)).Text()
}

// Document shows a parsed text.
func (r *Renderer) Document(d *Document) *Rendered { return r.render(d, limits{}, "") }

// Split shows a text in parts of at most limit units each; limit 0: in one part. An empty text has no parts. See
// [Renderer.Parts].
func (r *Renderer) Split(text string, limit int, unit adapter.TextUnit) []string {
	if r.asWritten(text, limit, unit) {
		return []string{text}
	}
	parts := r.Parts(Parse(text), limit, unit)
	out := make([]string, len(parts))
	for i := range parts {
		out[i] = parts[i].Text
	}
	return out
}

// Parts shows a document in parts of at most limit units each; limit 0: in one part. What cannot be cut and is longer than
// a part is shown in a simpler form: a link as its label and its address, a table as aligned code, and if the marks of
// nested constructs alone leave no room, everything as plain text. [Rendered.Split] says where parts end.
//
// The only part over the limit is one of a single character that, with its escape, is longer than the limit: this cannot
// be for a limit of 8 or more.
func (r *Renderer) Parts(d *Document, limit int, unit adapter.TextUnit) []Part {
	return r.parts(d, limit, unit, "")
}

func (r *Renderer) parts(d *Document, limit int, unit adapter.TextUnit, notify string) []Part {
	out := r.render(d, limits{max: limit, unit: unit}, notify)
	if parts, ok := out.split(limit, unit, false); ok {
		return parts
	}
	parts, _ := r.render(d, limits{max: limit, unit: unit, flat: true}, notify).split(limit, unit, true)
	return parts
}

func (r *Renderer) render(d *Document, l limits, notify string) *Rendered {
	w := Writer{r: r, d: &r.Dialect, limits: l, bol: true}
	w.buf = make([]byte, 0, 64+l.sizeHint(d))
	if notify != "" {
		w.Atom(notify)
		w.text(" ", false)
	}
	w.blocks(d.root)
	w.trim()
	if len(bytes.TrimSpace(w.buf)) == 0 { // white space of any kind is nothing to post
		w.cut(0)
		w.spans = nil
	}
	if r.Width > 0 {
		w.wrap(r.Width)
	}
	return &Rendered{text: string(w.buf), glue: w.glue, breaks: w.breaks, spans: w.spans, scopes: w.scopes}
}

func (limits) sizeHint(d *Document) int {
	n := 0
	for c := d.root.first; c != nil; c = c.next {
		n += 16
		for t := c.first; t != nil; t = t.next {
			n += len(t.Text) + 16
		}
		n += len(c.Text)
	}
	return n
}

// Messages does what an [adapter.Renderer] has to: it shows the text of m and of its fields and splits it by f. All parts
// go to the same place; what is not text (fields, buttons, files, native layout) stays on the last part, so that it
// stands below the whole text, and the key of part n after the first is "KEY/n". A message without text stays one message.
func (r *Renderer) Messages(m *adapter.Message, f adapter.Features) []*adapter.Message {
	if m.Notify == adapter.NotifyNone && r.asWritten(m.Text, f.MaxText, f.Unit) {
		return []*adapter.Message{r.last(m)}
	}
	if m.Text == "" && r.notify(m) == "" {
		return []*adapter.Message{r.last(m)}
	}
	return r.MessagesOf(Parse(m.Text), m, f)
}

// MessagesOf is [Renderer.Messages] for a text that was parsed already: for an adapter that looks at a document before it
// chooses a renderer. The text of m is not read.
func (r *Renderer) MessagesOf(d *Document, m *adapter.Message, f adapter.Features) []*adapter.Message {
	parts := r.parts(d, f.MaxText, f.Unit, r.notify(m))
	last := r.last(m)
	last.Text = ""
	if len(parts) > 0 {
		last.Text = parts[len(parts)-1].Text
	}
	if len(parts) < 2 {
		return []*adapter.Message{last}
	}
	out := make([]*adapter.Message, len(parts))
	for i := range parts {
		part := *last
		if i < len(parts)-1 {
			part.Fields, part.Buttons, part.Files, part.Native = nil, nil, nil, nil
		}
		if part.Text = parts[i].Text; i > 0 {
			part.Notify = adapter.NotifyNone
			if part.Key != "" {
				part.Key += "/" + itoa(i+1)
			}
		}
		out[i] = &part
	}
	return out
}

// last is m with its fields shown.
func (r *Renderer) last(m *adapter.Message) *adapter.Message {
	last := *m
	if len(m.Fields) > 0 {
		last.Fields = make([]adapter.Field, len(m.Fields))
		for i, field := range m.Fields {
			field.Value = r.Render(field.Value)
			last.Fields[i] = field
		}
	}
	return &last
}

// notify gives the mass mention that m asks for.
func (r *Renderer) notify(m *adapter.Message) string {
	if r.Dialect.Notify == nil || m.Notify == adapter.NotifyNone {
		return ""
	}
	return r.Dialect.Notify(m.Notify)
}

// asWritten tells whether a text is one part that is shown as it is written.
func (r *Renderer) asWritten(text string, limit int, unit adapter.TextUnit) bool {
	return r.Width == 0 && simple(text) && (limit <= 0 || len(text) <= limit || unit.Len(text) <= limit)
}
