package markdown

import (
	"strings"
	"unicode/utf8"

	"github.com/starlingbot/starling/adapter"
)

// Rendered is a document as one platform shows it. It is read only.
type Rendered struct {
	text   string
	glue   []uint64
	breaks []lineBreak
	spans  []span
	scopes []scope
}

// Text gives the whole text as it goes over the wire.
func (r *Rendered) Text() string { return r.text }

// Part is a piece of a rendered text.
type Part struct {
	Text string // as it goes over the wire
	Head int    // this many bytes at the beginning were added: what is open there is opened again
	Tail int    // this many bytes at the end were added: what is open there is closed
	// Before is white space of the original that is left out before this part; only the first one has any: more spaces than
	// a part holds.
	Before string
	Gap    string // white space of the original that is left out after this part: line breaks, with the marks of quotes
	// and the indentation of lists that begin the next line, or spaces and their like
}

// Join gives the text that parts were made of: the parts without what was added to them, with what was left out. It is
// the definition of "nothing is lost".
func Join(parts []Part) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.Before)
		b.WriteString(p.Text[p.Head : len(p.Text)-p.Tail])
		b.WriteString(p.Gap)
	}
	return b.String()
}

// Split gives the text in parts of at most limit units each; limit 0: in one part. A part ends at the last paragraph that
// fits; if not one does, at the last line, then word, then cluster of characters. It never ends inside an entity, an
// escape, a mention or a link. A block of code, a quote or emphasis that is cut is closed and opened again in the next
// part, code with its language; a table repeats its header.
//
// Where this cannot be, because something that must stay together is longer than the limit, it is cut all the same, so
// that no part is over the limit. [Renderer.Parts] shows such things in another form before it comes to that.
func (r *Rendered) Split(limit int, unit adapter.TextUnit) []Part {
	parts, _ := r.split(limit, unit, true)
	return parts
}

type candidate struct {
	off, used int // used: units of the text before off, from the beginning of the part
	gap       int
}

func (r *Rendered) split(limit int, unit adapter.TextUnit, force bool) (parts []Part, ok bool) {
	text := r.text
	if text == "" {
		return nil, true
	}
	left := unit.Len(text)
	if limit <= 0 || left <= limit {
		return []Part{{Text: text}}, true
	}
	nextBreak, nextSpan := 0, 0
	sc := int32(0) // the scope at pos
	before := ""
	for pos := 0; pos < len(text); {
		for nextSpan < len(r.spans) && int(r.spans[nextSpan].off) <= pos {
			sc = r.spans[nextSpan].scope
			nextSpan++
		}
		for nextBreak < len(r.breaks) && int(r.breaks[nextBreak].off) < pos {
			nextBreak++
		}
		head := r.opening(sc)
		if force && unit.Len(head)+r.closing(sc, unit)+8 > limit {
			head, sc = "", 0
		}
		room := limit - unit.Len(head)
		if len(parts) > 0 && strings.TrimSpace(text[pos:]) == "" {
			parts[len(parts)-1].Gap += text[pos:]
			return parts, true
		}
		if left <= room {
			return append(parts, Part{Text: head + text[pos:], Head: len(head), Before: before}), true
		}
		best, hard := r.cuts(pos, sc, nextBreak, nextSpan, room, unit, false)
		if best[levelParagraph].off+best[levelLine].off+best[levelWord].off == 0 {
			best, hard = r.cuts(pos, sc, nextBreak, nextSpan, room, unit, true)
		}
		level := levelParagraph
		for level > levelNone && best[level].off == 0 {
			level--
		}
		cut := best[level]
		if level == levelNone {
			if !force {
				return nil, false
			}
			if cut = hard; cut.off == 0 { // one character is over the limit
				_, size := utf8.DecodeRuneInString(text[pos:])
				cut = candidate{off: pos + size, used: unit.Len(text[pos : pos+size])}
			}
			sc = 0
		} else {
			for nextSpan < len(r.spans) && int(r.spans[nextSpan].off) <= cut.off {
				sc = r.spans[nextSpan].scope
				nextSpan++
			}
		}
		end := cut.off + cut.gap
		if cut.gap > 0 {
			end = r.gap(end, nextBreak)
		}
		body := text[pos:cut.off]
		if strings.TrimSpace(body) == "" { // a run of spaces that is longer than a part
			if len(parts) > 0 {
				parts[len(parts)-1].Gap += text[pos:end]
			} else {
				before += text[pos:end]
			}
			left -= unit.Len(text[pos:end])
			pos = end
			continue
		}
		closing := r.closers(sc)
		if force && unit.Len(head)+cut.used+unit.Len(closing) > limit {
			closing = ""
		}
		parts = append(parts, Part{Text: head + body + closing, Head: len(head), Tail: len(closing), Gap: text[cut.off:end], Before: before})
		before = ""
		left -= cut.used + unit.Len(text[cut.off:end])
		pos = end
	}
	return parts, true
}

// cuts finds where a part that begins at pos may end, the last place for each level, and where it is cut if nothing else
// goes. Between clusters is looked for only if asked: it is the costly one, and seldom needed.
func (r *Rendered) cuts(pos int, at int32, br, sp, room int, unit adapter.TextUnit, clustered bool) (best [levelParagraph + 1]candidate, hard candidate) {
	text := r.text
	bytes, utf16 := unit == adapter.UnitBytes, unit == adapter.UnitUTF16
	tail := r.closing(at, unit)
	code := r.code(at)
	seen := false // something that can be seen stands in the part, after the last opening mark
	used := 0
	var all clusters
	event := 0 // the next offset at which a scope changes or a line ends
	for i := pos; i < len(text); {
		if i >= event {
			for sp < len(r.spans) && int(r.spans[sp].off) <= i {
				if seen = seen && r.spans[sp].scope <= at; r.spans[sp].scope == 0 {
					seen = true
				}
				at = r.spans[sp].scope
				tail, code = r.closing(at, unit), r.code(at)
				sp++
			}
			for br < len(r.breaks) && int(r.breaks[br].off) < i {
				br++
			}
			event = len(text)
			if sp < len(r.spans) {
				event = int(r.spans[sp].off)
			}
			if br < len(r.breaks) {
				event = min(event, int(r.breaks[br].off))
				if int(r.breaks[br].off) == i {
					event = i + 1
					if level := r.breaks[br].level; level != levelNone && seen && used+tail <= room && !r.glued(i) {
						best[level] = candidate{i, used, int(r.breaks[br].gap)}
					}
				}
			}
		}
		if i > pos && used <= room {
			hard = candidate{off: i, used: used}
		}
		c := text[i]
		if c > ' ' && c < utf8.RuneSelf && !clustered && (!code || i == 0 || text[i-1] != ' ') { // the usual character
			seen = true
			if used++; used > room {
				break
			}
			i++
			continue
		}
		char, size := rune(c), 1
		if c >= utf8.RuneSelf {
			char, size = utf8.DecodeRuneInString(text[i:])
		}
		boundary := clustered && all.boundary(char)
		if seen && used+tail <= room && !r.glued(i) && (br == len(r.breaks) || int(r.breaks[br].off) != i) {
			switch {
			case c == ' ' && !code:
				best[levelWord] = candidate{i, used, 1}
			case code && text[i-1] == ' ':
				best[levelWord] = candidate{i, used, 0}
			case boundary:
				best[levelCluster] = candidate{i, used, 0}
			}
		}
		seen = seen || char > ' ' && !unseenSpace(char)
		switch {
		case bytes:
			used += size
		case utf16 && char > 0xFFFF:
			used += 2
		default:
			used++
		}
		if used > room {
			break
		}
		i += size
	}
	return best, hard
}

// gap goes on over white space that follows what is left out.
func (r *Rendered) gap(end, br int) int {
	for end < len(r.text) {
		for br < len(r.breaks) && int(r.breaks[br].off) < end {
			br++
		}
		switch {
		case r.code(r.scopeAt(end)):
			return end
		case br < len(r.breaks) && int(r.breaks[br].off) == end && r.breaks[br].level != levelNone:
			end += int(r.breaks[br].gap)
		case r.text[end] == ' ' && !r.glued(end) && (end+1 >= len(r.text) || !r.glued(end+1)):
			end++
		default:
			return end
		}
	}
	return end
}

func (r *Rendered) glued(i int) bool {
	return i>>6 < len(r.glue) && r.glue[i>>6]&(1<<(i&63)) != 0
}

func (r *Rendered) scopeAt(off int) int32 {
	lo, hi := 0, len(r.spans)
	for lo < hi {
		if mid := (lo + hi) / 2; int(r.spans[mid].off) <= off {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == 0 {
		return 0
	}
	return r.spans[lo-1].scope
}

func (r *Rendered) code(s int32) bool { return s > 0 && r.scopes[s-1].code }

func (r *Rendered) opening(s int32) string {
	if s == 0 {
		return ""
	}
	return r.opening(r.scopes[s-1].parent) + r.scopes[s-1].open
}

func (r *Rendered) closers(s int32) string {
	out := ""
	for ; s > 0; s = r.scopes[s-1].parent {
		out += r.scopes[s-1].close
	}
	return out
}

func (r *Rendered) closing(s int32, unit adapter.TextUnit) int {
	n := 0
	for ; s > 0; s = r.scopes[s-1].parent {
		n += unit.Len(r.scopes[s-1].close)
	}
	return n
}

// Split splits text that has no markup, in the way of [Rendered.Split]: for text that an adapter sends as it is.
func Split(text string, limit int, unit adapter.TextUnit) []string {
	if limit <= 0 || len(text) <= limit || unit.Len(text) <= limit {
		if text == "" {
			return nil
		}
		return []string{text}
	}
	parts := lines(text).Split(limit, unit)
	out := make([]string, len(parts))
	for i := range parts {
		out[i] = parts[i].Text
	}
	return out
}

// lines is text that has line breaks and no markup.
func lines(text string) *Rendered {
	r := &Rendered{text: text}
	for i := 0; i < len(text); i++ {
		if text[i] != '\n' {
			continue
		}
		n := 1
		for i+n < len(text) && text[i+n] == '\n' {
			n++
		}
		level := levelLine
		if n > 1 {
			level = levelParagraph
		}
		r.breaks = append(r.breaks, lineBreak{int32(i), int32(n), level})
		i += n - 1
	}
	return r
}
