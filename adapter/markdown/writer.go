package markdown

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/starlingbot/starling/adapter"
)

// Writer takes what a [Renderer] shows. It knows which lines are quoted, keeps what must not be torn apart together, and
// remembers where a text can be split and what has to be closed and opened again there.
type Writer struct {
	r *Renderer
	d *Dialect
	limits

	buf    []byte
	glue   []uint64 // bit i: no part may begin at byte i
	breaks []lineBreak
	spans  []span  // the scope that is open from an offset on
	scopes []scope // scope i+1 of the text; 0 is the text itself
	scope  int32

	prefix  string // of every line: quotes
	indent  string // of every line after it: lists
	bol     bool   // nothing stands in this line but what the platform takes for its beginning
	edge    bool   // a closing mark was the last that was written
	edgeAt  int    // where the closing marks begin
	markEnd int    // where the last mark ends
	opened  bool   // it is an opening one
	more    bool   // something may follow in the line
	oneLine int    // > 0: line breaks are spaces
	label   int    // > 0: in the label of a link
	cell    int    // > 0: in a cell of a native table
	depth   int    // of lists
	quotes  int
	inside  uint8    // which of strong, emphasis, strike are open
	pending []opener // marks that open with the first character
	scratch []byte
	nowrap  [][2]int
}

type lineBreak struct {
	off   int32
	gap   int32 // bytes that are left out when a part ends here
	level uint8
}

type span struct{ off, scope int32 }

type scope struct {
	parent      int32
	code        bool // white space stays
	open, close string
}

type opener struct {
	marks Marks
	scope int32
}

const (
	levelNone uint8 = iota
	levelCluster
	levelWord
	levelLine
	levelParagraph
)

const zwsp = "\u200b" // zero-width space

// Renderer gives the renderer that this writer belongs to.
func (w *Writer) Renderer() *Renderer { return w.r }

// LineStart tells whether what is written next stands at the beginning of a line.
func (w *Writer) LineStart() bool { return w.bol && len(w.pending) == 0 }

// InLabel tells whether the label of a link is being written.
func (w *Writer) InLabel() bool { return w.label > 0 }

// InTable tells whether a cell of a native table is being written.
func (w *Writer) InTable() bool { return w.cell > 0 }

// Last gives the last character written, or a line feed.
func (w *Writer) Last() rune {
	if len(w.buf) == 0 {
		return '\n'
	}
	r, _ := utf8.DecodeLastRune(w.buf)
	return r
}

// Raw writes wire text that may be split anywhere between its clusters. It has no line breaks.
func (w *Writer) Raw(s string) {
	if s == "" {
		return
	}
	if len(w.pending) > 0 || w.edge {
		s = w.begin(s)
	}
	w.bol = w.bol && strings.Trim(s, " ") == ""
	w.buf = append(w.buf, s...)
}

// Atom writes wire text that is never split: an entity, a mention, an escape.
func (w *Writer) Atom(s string) {
	if s == "" {
		return
	}
	if len(w.pending) > 0 || w.edge {
		if s = w.begin(s); s == "" {
			return
		}
	}
	start := len(w.buf)
	w.bol = false
	w.buf = append(w.buf, s...)
	if len(s) > 1 {
		w.setGlue(start+1, len(w.buf))
	}
}

// outside writes an atom before the marks that wait for the first character.
func (w *Writer) outside(s string) {
	pending := w.pending
	w.pending = nil
	w.Atom(s)
	w.pending = pending
}

// Text writes text as itself, whatever is in it. It may have line breaks.
func (w *Writer) Text(s string) { w.text(s, true) }

// begin writes the marks that wait for the first character of s that is no space, and the boundary after a closing one. It
// returns what of s is still to be written.
func (w *Writer) begin(s string) string {
	if len(w.pending) > 0 {
		rest := strings.TrimLeftFunc(s, unseenSpace)
		if !w.bol {
			w.buf = append(w.buf, s[:len(s)-len(rest)]...)
		}
		w.edge = w.edge && len(s) == len(rest)
		if s = rest; s == "" {
			return s
		}
	}
	if w.edge {
		w.edge = false
		r, _ := utf8.DecodeRuneInString(s)
		if w.d.Flanking && !spaceRune(r) {
			w.flank()
		}
		if !w.d.Sequences && len(w.pending) > 0 || w.d.Boundary != "" && (wordRune(r) || strings.ContainsRune("*_~`", r)) {
			start := len(w.buf)
			w.buf = append(w.buf, zwsp...)
			w.setGlue(start, len(w.buf)+1)
		}
	}
	outer := w.Last()
	for i, p := range w.pending {
		if w.d.Boundary != "" && wordRune(w.Last()) {
			start := len(w.buf)
			w.buf = append(w.buf, w.d.Boundary...)
			w.setGlue(start, len(w.buf)+1)
		}
		start := len(w.buf)
		w.buf = append(w.buf, p.marks.Open...)
		if r, _ := utf8.DecodeRuneInString(s); w.d.Flanking && i == len(w.pending)-1 && p.marks.Close != "" && !spaceRune(outer) && !wordRune(r) {
			w.buf = append(w.buf, zwsp...)
		}
		w.setGlue(start+1, len(w.buf)+1)
		w.enter(p.scope)
		w.bol = false
	}
	if len(w.pending) > 0 {
		w.markEnd, w.opened = len(w.buf), true
	}
	w.pending = w.pending[:0]
	return s
}

// flank writes a zero-width space before the closing marks at the end, if punctuation stands there.
func (w *Writer) flank() {
	if r, _ := utf8.DecodeLastRune(w.buf[:w.edgeAt]); w.edgeAt == 0 || wordRune(r) {
		return
	}
	w.buf = slices.Insert(w.buf, w.edgeAt, []byte(zwsp)...)
	w.setGlue(w.edgeAt, len(w.buf))
	for i := len(w.spans); i > 0 && int(w.spans[i-1].off) > w.edgeAt; i-- {
		w.spans[i-1].off += int32(len(zwsp))
	}
}

// unseenSpace tells what cannot stand right inside of a mark.
func unseenSpace(r rune) bool {
	return r == '\u200b' || r == popDirection || r == popIsolate || unicode.IsSpace(r)
}

func spaceRune(r rune) bool { return unicode.IsSpace(r) }

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// enter makes s the scope of what follows.
func (w *Writer) enter(s int32) {
	w.scope = s
	off := int32(len(w.buf))
	if n := len(w.spans); n > 0 && w.spans[n-1].off == off {
		w.spans[n-1].scope = s
		return
	}
	w.spans = append(w.spans, span{off, s})
}

func (w *Writer) newScope(parent int32, marks Marks, code bool) int32 {
	w.scopes = append(w.scopes, scope{parent: parent, open: marks.Open, close: marks.Close, code: code})
	return int32(len(w.scopes))
}

// Within writes what f writes between marks. A part that ends inside is closed, and the next one opened, with them. White
// space at the edges stands outside of the marks; nothing is written if f writes nothing else.
func (w *Writer) Within(marks Marks, f func()) {
	if marks == (Marks{}) || w.flat {
		f()
		return
	}
	parent := w.scope
	if n := len(w.pending); n > 0 {
		parent = w.pending[n-1].scope
	}
	depth := len(w.pending)
	w.pending = append(w.pending, opener{marks, w.newScope(parent, marks, false)})
	w.oneLine++
	f()
	w.oneLine--
	if len(w.pending) > depth { // nothing was written
		w.pending = w.pending[:depth]
		return
	}
	w.closeMark(marks, parent)
}

// closeMark writes a closing mark before the white space at the end, and before characters that would hide it there.
func (w *Writer) closeMark(marks Marks, parent int32) {
	mark := marks.Close
	outside := unseenSpace
	switch {
	case w.d.Flanking: // there a zero-width space is as good as a letter
		outside = spaceRune
	case w.d.Boundary != "":
		outside = func(r rune) bool { return unseenSpace(r) || strings.ContainsRune("*_~`", r) }
	}
	end := w.markEnd + len(bytes.TrimRightFunc(w.buf[w.markEnd:], outside))
	run := !w.opened && end == w.markEnd && end > 0                                       // right after another closing mark
	if w.opened && end == w.markEnd && bytes.HasSuffix(w.buf[:end], []byte(marks.Open)) { // nothing is left within
		tail := string(w.buf[end:])
		w.cut(end - len(marks.Open))
		w.enter(parent)
		w.buf = append(w.buf, tail...)
		w.opened = false
		w.markEnd = len(w.buf)
		return
	}
	spaces := string(w.buf[end:])
	w.cut(end)
	if !run && w.d.Boundary == "" && end > 0 && mark != "" && w.buf[end-1] == mark[0] { // an escaped one would be read with the mark
		w.buf = append(w.buf, zwsp...)
	}
	w.buf = append(w.buf, mark...)
	w.setGlue(end, len(w.buf))
	w.enter(parent)
	w.buf = append(w.buf, spaces...)
	if !run {
		w.edgeAt = end
	}
	w.edge = spaces == ""
	w.markEnd, w.opened = len(w.buf)-len(spaces), false
}

// cut takes away what was written from n on.
func (w *Writer) cut(n int) {
	w.buf = w.buf[:n]
	for i := len(w.breaks); i > 0 && int(w.breaks[i-1].off) >= n; i-- {
		w.breaks = w.breaks[:i-1]
	}
	for i := len(w.spans); i > 0 && int(w.spans[i-1].off) > n; i-- {
		w.spans = w.spans[:i-1]
	}
	if word := n >> 6; word < len(w.glue) {
		w.glue[word] &= 1<<(n&63) - 1
		w.glue = w.glue[:word+1]
	}
}

func (w *Writer) setGlue(from, to int) {
	if to <= from {
		return
	}
	for need := (to-1)>>6 + 1; len(w.glue) < need; {
		w.glue = append(w.glue, 0)
	}
	for i := from; i < to; i++ {
		w.glue[i>>6] |= 1 << (i & 63)
	}
}

// Together keeps what f writes in one part. If it does not fit into one, it is taken back, and instead writes it in
// another form.
func (w *Writer) Together(f, instead func()) {
	saved := w.save()
	start := len(w.buf)
	f()
	if w.max > 0 && instead != nil && w.length(start)+w.overhead(w.scope) > w.max {
		w.restore(saved)
		instead()
		return
	}
	w.setGlue(start+1, len(w.buf))
	for i := len(w.breaks); i > 0 && int(w.breaks[i-1].off) > start; i-- {
		w.breaks[i-1].level = levelNone
	}
}

// save and restore take back what was written in between.
type saved struct {
	w       Writer
	pending []opener
	last    span
	tail    []byte // closing marks at the end, before which flank may write
	spans   []span // of them
}

func (w *Writer) save() saved {
	s := saved{w: *w}
	if len(w.pending) > 0 {
		s.pending = slices.Clone(w.pending)
	}
	n := len(w.spans)
	if n > 0 {
		s.last = w.spans[n-1]
	}
	if w.edge && w.d.Flanking {
		for n > 0 && int(w.spans[n-1].off) > w.edgeAt {
			n--
		}
		s.tail, s.spans = bytes.Clone(w.buf[w.edgeAt:]), slices.Clone(w.spans[n:])
	}
	return s
}

func (w *Writer) restore(s saved) {
	w.cut(len(s.w.buf))
	buf, glue, breaks, spans, scopes := w.buf, w.glue, w.breaks, w.spans, w.scopes
	*w = s.w
	w.buf, w.glue, w.breaks, w.scopes, w.pending = buf, glue, breaks, scopes, s.pending
	if s.tail != nil {
		copy(w.buf[w.edgeAt:], s.tail)
		w.spans = append(spans[:len(s.w.spans)-len(s.spans)], s.spans...)
	} else if w.spans = spans[:min(len(spans), len(s.w.spans))]; len(w.spans) > 0 {
		w.spans[len(w.spans)-1] = s.last
	}
}

func (w *Writer) length(from int) int { return size(w.unit, w.buf[from:]) }

// overhead is the length of what opens and closes a scope.
func (w *Writer) overhead(s int32) int {
	n := 0
	for ; s > 0; s = w.scopes[s-1].parent {
		n += w.unit.Len(w.scopes[s-1].open) + w.unit.Len(w.scopes[s-1].close)
	}
	return n
}

// size is the length of b in a unit.
func size(u adapter.TextUnit, b []byte) int {
	switch u {
	case adapter.UnitBytes:
		return len(b)
	case adapter.UnitUTF16:
		n := 0
		for i := 0; i < len(b); {
			if b[i] < utf8.RuneSelf {
				i++
				n++
				continue
			}
			r, k := utf8.DecodeRune(b[i:])
			i += k
			if n++; r > 0xFFFF {
				n++
			}
		}
		return n
	}
	return utf8.RuneCount(b)
}

// Newline begins a new line of the same block; where that cannot be (in a heading, a label, between marks) it is a space.
func (w *Writer) Newline() {
	if w.oneLine > 0 {
		if last := w.Last(); last != ' ' && last != '\n' {
			w.Raw(" ")
		}
		return
	}
	w.dropLine()
	w.lines(1, levelLine)
}

// Paragraph leaves a blank line.
func (w *Writer) Paragraph() {
	if w.oneLine > 0 {
		w.Newline()
		return
	}
	w.dropLine()
	w.lines(2, levelParagraph)
}

// lines writes n line feeds, each with what stands at the beginning of a line, and a break there.
func (w *Writer) lines(n int, level uint8) {
	w.edge = false
	off := len(w.buf)
	for i := range n {
		w.buf = append(w.buf, '\n')
		w.buf = append(w.buf, w.prefix...)
		if i == n-1 {
			w.buf = append(w.buf, w.indent...)
		}
	}
	w.setGlue(off+1, len(w.buf))
	w.breaks = append(w.breaks, lineBreak{int32(off), int32(len(w.buf) - off), level})
	w.bol = true
}

// trim takes white space away at the end, and lines in which nothing stands.
func (w *Writer) trim() {
	for {
		w.dropLine()
		end := len(bytes.TrimRight(w.buf, " \n"))
		if end == len(w.buf) {
			return
		}
		w.cut(end)
	}
}

// dropLine takes the last line away if nothing stands in it.
func (w *Writer) dropLine() {
	for n := len(w.breaks); n > 0 && int(w.breaks[n-1].off+w.breaks[n-1].gap) >= len(w.buf) && w.breaks[n-1].level != levelNone; n = len(w.breaks) {
		w.cut(int(w.breaks[n-1].off))
	}
}

// text writes text that may have line breaks.
func (w *Writer) text(s string, data bool) {
	for {
		i := strings.IndexByte(s, '\n')
		if i < 0 {
			w.line(s, data)
			return
		}
		w.line(s[:i], data)
		n := 1
		for i+n < len(s) && s[i+n] == '\n' {
			n++
		}
		switch {
		case w.oneLine > 0:
			w.Newline()
		case w.bol: // nothing stands in this line: an empty one may end the block, or make the one before it a heading
		case n == 1:
			w.Newline()
		default:
			w.lines(n, levelParagraph)
		}
		s = s[i+n:]
	}
}

// line writes a piece of a line, with the addresses in it as links.
func (w *Writer) line(s string, data bool) {
	if w.label == 0 && w.d.URL != nil && strings.Contains(s, "://") {
		for {
			start, end := findURL(s, 0)
			if start < 0 {
				break
			}
			more := w.more
			w.more = true
			w.escape(s[:start], data)
			w.more = more || end < len(s)
			w.url(s[start:end], data)
			w.more = more
			s = s[end:]
		}
	}
	w.escape(s, data)
}

func (w *Writer) url(address string, data bool) {
	w.Together(func() {
		if !w.d.URL(w, address) {
			w.escape(address, data)
		}
	}, func() { w.escape(address, data) })
}

func (w *Writer) escape(s string, data bool) {
	if s == "" || w.bol && strings.Trim(s, " \t") == "" {
		return
	}
	if w.d.Escape == nil {
		w.Raw(s)
		return
	}
	w.d.Escape(w, s, data)
}

func itoa(n int) string { return strconv.Itoa(n) }
