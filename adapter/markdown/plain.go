package markdown

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Plain shows documents as text without markup: for notifications, logs, mail and platforms without formatting. Links
// show their address, code is indented, tables are aligned, and what controls a terminal or rewrites a line is taken
// out, as by [ANSI].
func Plain() *Renderer {
	return &Renderer{Dialect: Dialect{
		Name:       "plain",
		Rule:       "----------",
		Bullets:    []string{"- "},
		Tasks:      [2]string{"[ ] ", "[x] "},
		Quote:      "> ",
		Escape:     func(w *Writer, s string, _ bool) { w.Raw(printable(s)) },
		CodeLine:   func(w *Writer, s string) { w.Raw(printable(s)) },
		Code:       func(w *Writer, s string) { w.CodeSpan(Marks{}, func() { w.Raw(printable(s)) }) },
		Mention:    nil, // @name
		RoomLink:   nil, // #name
		Link:       nil, // label (address)
		FenceInfo:  false,
		TaskBullet: false,
		Sequences:  true, // or none
	}}
}

// ANSI shows documents on a terminal with width columns (0: lines are not wrapped; code and tables never are) by the
// sequences of ECMA-48 that all terminals know: bold, italic, underlined, struck out, and colour for code and mentions.
// Without colour, as it should be where the output is no terminal, it is [Plain] with bullets.
//
// Tabs become four spaces. Control characters, escape characters, bidirectional controls and invisible characters never come out of data or
// markup.
func ANSI(width int, colour bool) *Renderer {
	r := Plain()
	r.Width = width
	d := &r.Dialect
	d.Name = "ansi"
	d.Bullets = []string{"• ", "◦ ", "▪ "}
	d.Tasks = [2]string{"☐ ", "☑ "}
	d.Quote = "│ "
	d.Rule = strings.Repeat("─", 20)
	if width > 0 {
		d.Rule = strings.Repeat("─", min(width, 40))
	}
	// Tab stops of a terminal are counted from its edge, which is not where the text begins.
	show := func(w *Writer, s string) { w.Raw(strings.ReplaceAll(printable(s), "\t", "    ")) }
	d.Escape = func(w *Writer, s string, _ bool) { show(w, s) }
	d.CodeLine = show
	d.Code = func(w *Writer, s string) { w.CodeSpan(d.CodeMarks, func() { show(w, s) }) }
	if !colour {
		return r
	}
	sgr := func(on, off string) Marks { return Marks{"\x1b[" + on + "m", "\x1b[" + off + "m"} }
	d.Strong = sgr("1", "22")
	d.Emphasis = sgr("3", "23")
	d.Strike = sgr("9", "29")
	d.CodeMarks = sgr("36", "39")
	d.Heading = func(level int) Marks {
		if level == 1 {
			return Marks{"\x1b[1m\x1b[4m", "\x1b[24m\x1b[22m"}
		}
		return sgr("1", "22")
	}
	reference := func(sigil string) func(*Writer, string, string) bool {
		return func(w *Writer, id, name string) bool {
			if name == "" {
				name = id
			}
			w.Atom("\x1b[33m" + sigil + printable(oneLine(name)) + "\x1b[39m")
			return true
		}
	}
	d.Mention, d.RoomLink = reference("@"), reference("#")
	d.URL = func(w *Writer, address string) bool {
		w.Raw("\x1b[4m" + address + "\x1b[24m")
		return true
	}
	d.ShowsAddress = true
	d.Link = func(w *Writer, address string, label func()) {
		w.Raw("\x1b[4m")
		label()
		w.Raw("\x1b[24m (" + strings.TrimPrefix(address, "mailto:") + ")")
	}
	return r
}

// printable takes out what controls a terminal (C0 but for the tab, DEL, C1: ECMA-48), what rewrites the direction of a
// line or has no glyph (Bidi_Control and Default_Ignorable_Code_Point but for variation selectors, Unicode 16).
func printable(s string) string {
	i := 0
	for i < len(s) && (s[i] >= ' ' && s[i] < 0x7f || s[i] == '\t') {
		i++
	}
	if i == len(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r >= 0x7f && r <= 0x9f || unseen(r) {
			return -1
		}
		return r
	}, s)
}

func unseen(r rune) bool {
	switch {
	case r < 0xad:
		return false
	case r == 0xad, r == 0x34f, r == 0x61c, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5, r == 0x3164, r == 0xfeff, r == 0xffa0,
		r >= 0x180b && r <= 0x180f,
		r >= 0x200b && r <= 0x200f,
		r >= 0x2028 && r <= 0x202e,
		r >= 0x2060 && r <= 0x206f,
		r >= 0xfff0 && r <= 0xfffb,
		r >= 0xfdd0 && r <= 0xfdef,
		r >= 0x1d173 && r <= 0x1d17a,
		r >= 0xe0000 && r <= 0xe0fff:
		return true
	}
	return r&0xfffe == 0xfffe
}

// wrap breaks lines that are longer than width columns at spaces. What follows stands below the text of its line, after
// the marks of quotes and lists.
func (w *Writer) wrap(width int) {
	old := *w
	w.buf, w.glue, w.breaks, w.spans = make([]byte, 0, len(old.buf)+len(old.buf)/8), nil, nil, nil
	br, sp, code := 0, 0, 0
	slices.SortFunc(old.nowrap, func(a, b [2]int) int { return a[0] - b[0] })
	from := 0
	copyTo := func(to int) {
		for ; sp < len(old.spans) && int(old.spans[sp].off) < to; sp++ {
			w.spans = append(w.spans, span{int32(len(w.buf) + int(old.spans[sp].off) - from), old.spans[sp].scope})
		}
		for ; br < len(old.breaks) && int(old.breaks[br].off) < to; br++ {
			b := old.breaks[br]
			b.off = int32(len(w.buf) + int(b.off) - from)
			w.breaks = append(w.breaks, b)
		}
		for i := from; i < to && i>>6 < len(old.glue); i++ {
			if word := old.glue[i>>6] >> (i & 63); word == 0 { // none in the rest of these 64
				i |= 63
			} else if word&1 != 0 {
				w.setGlue(len(w.buf)+i-from, len(w.buf)+i-from+1)
			}
		}
		w.buf = append(w.buf, old.buf[from:to]...)
		from = to
	}
	for start := 0; start < len(old.buf); {
		end := start
		for end < len(old.buf) && old.buf[end] != '\n' {
			end++
		}
		for code < len(old.nowrap) && old.nowrap[code][1] <= start {
			code++
		}
		if code == len(old.nowrap) || old.nowrap[code][0] >= end {
			old.wrapLine(start, end, width, func(space int, hang string) {
				copyTo(space)
				off := len(w.buf)
				w.buf = append(append(w.buf, '\n'), hang...)
				w.setGlue(off+1, len(w.buf))
				w.breaks = append(w.breaks, lineBreak{int32(off), int32(len(w.buf) - off), levelLine})
				from = space + 1
				for ; sp < len(old.spans) && int(old.spans[sp].off) < from; sp++ {
					w.spans = append(w.spans, span{int32(len(w.buf)), old.spans[sp].scope})
				}
			})
		}
		start = end + 1
	}
	copyTo(len(old.buf))
	for ; sp < len(old.spans); sp++ {
		w.spans = append(w.spans, span{int32(len(w.buf)), old.spans[sp].scope})
	}
}

// wrapLine calls brk for every space at which the line from start to end is broken.
func (w *Writer) wrapLine(start, end, width int, brk func(space int, hang string)) {
	col, space, spaceCol := 0, -1, 0
	if start == 0 {
		col = w.r.Lead
	}
	if col+end-start <= width {
		return
	}
	line := string(w.buf[start:end])
	hang, lead := w.hanging(line)
	for i := 0; i < len(line); {
		if line[i] == '\x1b' { // only our own
			for i < len(line) && line[i] != 'm' {
				i++
			}
			i++
			continue
		}
		size, wide := 1, 1
		if line[i] >= utf8.RuneSelf || i+1 < len(line) && line[i+1] >= utf8.RuneSelf || line[i] < ' ' {
			size = clusterLen(line[i:])
			wide = columns(line[i : i+size])
		}
		if line[i] == ' ' && i >= lead && !(len(w.glue) > (start+i)>>6 && w.glue[(start+i)>>6]&(1<<((start+i)&63)) != 0) {
			space, spaceCol = i, col+1
		}
		if col += wide; col > width && space > 0 && line[i] != ' ' {
			brk(start+space, hang)
			col = columns(hang) + col - spaceCol
			space = -1
		}
		i += size
	}
}

// hanging gives what stands below the marks that a line begins with, and their length.
func (w *Writer) hanging(line string) (hang string, lead int) {
	for w.d.Quote != "" && strings.HasPrefix(line[lead:], w.d.Quote) {
		lead += len(w.d.Quote)
		hang += w.d.Quote
	}
	for lead < len(line) && line[lead] == ' ' {
		lead++
		hang += " "
	}
	for _, mark := range append(w.d.Bullets[:len(w.d.Bullets):len(w.d.Bullets)], w.d.Tasks[:]...) {
		if mark != "" && strings.HasPrefix(line[lead:], mark) {
			return hang + strings.Repeat(" ", columns(mark)), lead + len(mark)
		}
	}
	digits := lead
	for digits < len(line) && line[digits] >= '0' && line[digits] <= '9' {
		digits++
	}
	if digits > lead && digits-lead < 10 && strings.HasPrefix(line[digits:], ". ") {
		hang += strings.Repeat(" ", digits-lead+2)
		lead = digits + 2
	}
	if r, _ := utf8.DecodeRuneInString(line[lead:]); r == utf8.RuneError {
		return hang, lead
	}
	return hang, lead
}
