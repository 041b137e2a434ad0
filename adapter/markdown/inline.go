package markdown

import "strings"

// Inline shows what is in a line: the children of n.
func (w *Writer) Inline(n *Node) {
	more := w.more
	defer func() { w.more = more }()
	for c := n.first; c != nil; {
		w.more = more || c.next != nil && c.next.Kind != KindBreak
		if isText(c) && c.next != nil && isText(c.next) && w.label == 0 && w.d.URL != nil && !w.overridden() {
			c = w.run(c, more)
			continue
		}
		w.Node(c)
		c = c.next
	}
}

func isText(n *Node) bool { return n.Kind == KindText || n.Kind == KindData }

func (w *Writer) overridden() bool {
	return w.r.Override[KindText] != nil || w.r.Override[KindData] != nil
}

// run shows neighbouring pieces of text, so that an address of which a part is data is found as a whole, and returns the
// node after them.
func (w *Writer) run(first *Node, more bool) *Node {
	w.scratch = w.scratch[:0]
	end := first
	for ; end != nil && isText(end); end = end.next {
		w.scratch = append(w.scratch, end.Text...)
	}
	s := ""
	if strings.Contains(string(w.scratch), "://") {
		s = string(w.scratch)
	}
	if start, _ := findURL(s, 0); start < 0 {
		for n := first; n != end; n = n.next {
			w.more = more || n.next != nil && n.next.Kind != KindBreak
			w.Node(n)
		}
		return end
	}
	off := 0 // of n in s
	from := 0
	w.more = true
	start, stop := findURL(s, 0)
	for n := first; n != end; n = n.next {
		to := off + len(n.Text)
		for from < to {
			switch {
			case start < 0 || start >= to: // what is left has no address
				w.pieces(s[from:to], n.Kind == KindData)
				from = to
			case from < start:
				w.pieces(s[from:start], n.Kind == KindData)
				from = start
			default:
				w.url(s[start:stop], true)
				from = stop
				start, stop = findURL(s, stop)
			}
		}
		off = to
	}
	return end
}

// pieces writes text without addresses that may have line breaks.
func (w *Writer) pieces(s string, data bool) {
	w.label++ // no addresses
	w.text(s, data)
	w.label--
}

func (w *Writer) inlineNode(n *Node) {
	switch n.Kind {
	case KindText:
		w.text(n.Text, false)
	case KindData:
		w.text(n.Text, true)
	case KindBreak:
		if !w.bol || w.oneLine > 0 {
			w.Newline()
		}
	case KindStrong:
		w.style(n, w.d.Strong, 1<<0)
	case KindEmphasis:
		marks := w.d.Emphasis
		first := n.first
		for first != nil && first.next != nil && (isText(first) || first.Kind == KindBreak) && strings.TrimFunc(first.Text, unseenSpace) == "" {
			first = first.next
		}
		if first != nil && first.Kind == KindStrong && w.d.EmphasisOuter != (Marks{}) && w.inside&1 == 0 {
			marks = w.d.EmphasisOuter // three of one mark are read in more than one way
		}
		w.style(n, marks, 1<<1)
	case KindStrike:
		w.style(n, w.d.Strike, 1<<2)
	case KindCode:
		w.code(n.Text)
	case KindMention:
		w.reference(n, w.d.Mention)
	case KindRoom:
		w.reference(n, w.d.RoomLink)
	case KindTime:
		if w.label > 0 || w.flat || w.d.Time == nil {
			w.text(n.plain(w.r.Location), true)
			return
		}
		w.Together(func() {
			if !w.d.Time(w, n.Time) {
				w.text(n.plain(w.r.Location), true)
			}
		}, func() { w.text(n.plain(w.r.Location), true) })
	case KindLink, KindImage:
		w.link(n)
	}
}

func (w *Writer) style(n *Node, marks Marks, bit uint8) {
	if w.inside&bit != 0 || w.label > 0 && w.d.PlainLabels {
		w.Inline(n)
		return
	}
	w.inside |= bit
	w.Within(marks, func() { w.Inline(n) })
	w.inside &^= bit
}

// reference shows a mention or a room link.
func (w *Writer) reference(n *Node, f func(w *Writer, id, name string) bool) {
	asText := func() { w.text(n.plain(nil), true) }
	if w.label > 0 || w.flat || f == nil {
		asText()
		return
	}
	w.Together(func() {
		if !f(w, n.Target, n.Text) {
			asText()
		}
	}, asText)
}

// code shows a code span.
func (w *Writer) code(s string) {
	s = oneLine(s)
	switch {
	case strings.TrimFunc(s, unseenSpace) == "": // marks around nothing are read as text on some platforms
		w.escape(s, true)
	case w.flat || w.label > 0 && w.d.PlainLabels:
		w.escape(s, true)
	case w.d.Code != nil:
		w.d.Code(w, s)
	default:
		w.CodeSpan(w.d.CodeMarks, func() { w.codeLine(s) })
	}
}

// CodeSpan writes what f writes between marks that are closed and opened again where a part ends inside. White space
// within stays.
func (w *Writer) CodeSpan(marks Marks, f func()) {
	if len(w.pending) > 0 || w.edge {
		w.begin("`")
	}
	if last := w.Last(); !w.d.Sequences && marks.Open != "" && (w.d.Boundary != "" && wordRune(last) || last == '`') { // two spans would be one
		w.Atom(zwsp)
	}
	parent, start := w.scope, len(w.buf)
	w.buf = append(w.buf, marks.Open...)
	w.setGlue(start+1, len(w.buf)+1)
	w.enter(w.newScope(parent, marks, true))
	w.bol = false
	f()
	start = len(w.buf)
	w.buf = append(w.buf, marks.Close...)
	w.setGlue(start, len(w.buf))
	w.enter(parent)
	w.edge = w.d.Boundary != "" && marks.Close != ""
	w.markEnd, w.edgeAt, w.opened = len(w.buf), len(w.buf), false
}

// markdownCode writes a code span of CommonMark: fenced by more backticks than any run within, with a space where the
// content begins or ends with one (CommonMark 6.1).
func markdownCode(w *Writer, s string) {
	n := 1
	for run := longest(s, '`'); n <= run; n++ {
	}
	mark := strings.Repeat("`", n)
	pad := ""
	if s[0] == '`' || s[len(s)-1] == '`' || s[0] == ' ' && s[len(s)-1] == ' ' && strings.Trim(s, " ") != "" {
		pad = " "
	}
	w.CodeSpan(Marks{mark + pad, pad + mark}, func() { w.Raw(s) })
}

func (w *Writer) link(n *Node) {
	label := string(n.appendPlain(nil, w.r.Location))
	blank := strings.TrimFunc(label, unseenSpace) == ""
	if n.Target == "" { // no address: what was written
		if w.Inline(n); blank || label != n.Text {
			if !blank {
				w.text(" (", true)
			}
			w.text(n.Text, true)
			if !blank {
				w.text(")", true)
			}
		}
		return
	}
	address := n.Target
	own := label == address || "mailto:"+label == address
	asText := func() {
		switch {
		case own:
			w.escape(label, true)
		case blank:
			w.escape(address, true)
		default:
			w.Inline(n)
			w.escape(" (", true)
			w.escape(address, true)
			w.escape(")", true)
		}
	}
	switch {
	case w.label > 0:
		w.Inline(n)
		return
	case w.flat || w.d.Link == nil && (w.d.URL == nil || !own && !blank):
		asText()
		return
	case (own || blank) && w.d.URL != nil && strings.HasPrefix(address, "http"):
		w.Together(func() {
			if !w.d.URL(w, address) {
				asText()
			}
		}, asText)
		return
	case w.d.Link == nil:
		asText()
		return
	}
	w.Together(func() {
		if len(w.pending) > 0 || w.edge {
			w.begin("<")
		}
		if !w.d.Sequences && (len(w.buf) > 0 && w.buf[len(w.buf)-1] == '!' || w.LineStart() && len(label) == 1 && w.depth > 0) {
			w.Atom(zwsp) // together they would be a picture, or an item "[x]" of a task list
		}
		w.label++
		w.oneLine++
		w.d.Link(w, address, func() {
			switch {
			case blank:
				w.escape(address, true)
			case w.d.PlainLabels:
				w.text(label, true)
			default:
				w.Inline(n)
			}
		})
		w.oneLine--
		w.label--
		if h := shownHost(n, label); h != "" && !w.d.ShowsAddress {
			w.escape(" ("+h+")", true)
		}
	}, asText)
}
