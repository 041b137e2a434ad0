package markdown

import "strings"

// Node shows n: by [Renderer.Override] if there is one for its kind, else by [Writer.Default].
func (w *Writer) Node(n *Node) {
	if f := w.r.Override[n.Kind]; f != nil {
		f(w, n)
		return
	}
	w.Default(n)
}

// Default shows n as the dialect says.
func (w *Writer) Default(n *Node) {
	switch n.Kind {
	case KindDocument, KindItem:
		w.blocks(n)
	case KindParagraph, KindCell:
		w.Inline(n)
	case KindHeading:
		w.heading(n)
	case KindQuote:
		w.quote(n)
	case KindList:
		w.list(n)
	case KindCodeBlock:
		w.codeBlock(n.Text, n.Target)
	case KindTable:
		w.table(n)
	case KindRule:
		if w.d.Rule == "" || w.flat {
			w.Atom("———")
		} else {
			w.Atom(w.d.Rule)
		}
	default:
		w.inlineNode(n)
	}
}

// Blocks shows the blocks in n, with blank lines between them.
func (w *Writer) Blocks(n *Node) { w.blocks(n) }

func (w *Writer) blocks(n *Node) {
	for c := n.first; c != nil; c = c.next {
		w.Node(c)
		if c.next != nil {
			if c.Kind == KindHeading {
				w.dropLine()
				w.lines(2, levelLine) // it stays with what it is the heading of, if it can
			} else {
				w.Paragraph()
			}
		}
	}
}

func (w *Writer) heading(n *Node) {
	var marks Marks
	if w.d.Heading != nil {
		marks = w.d.Heading(n.Level)
	}
	inside := w.inside
	if marks == w.d.Strong {
		w.inside |= 1 << 0
	}
	w.oneLine++
	w.Within(marks, func() { w.Inline(n) })
	w.oneLine--
	w.inside = inside
}

func (w *Writer) quote(n *Node) {
	mark := w.d.Quote
	if w.quotes > 0 && w.d.QuoteInner != "" {
		mark = w.d.QuoteInner
	}
	if mark == "" || w.flat || w.quotes >= 4 || n.first == nil {
		w.blocks(n)
		return
	}
	w.prefixed(mark, func() {
		w.quotes++
		w.blocks(n)
		w.quotes--
	})
}

// prefixed puts mark before every line that f writes.
func (w *Writer) prefixed(mark string, f func()) {
	w.freshLine()
	prefix, indent, parent := w.prefix, w.indent, w.scope
	w.indent = ""
	w.prefix += mark
	start := len(w.buf)
	w.buf = append(w.buf, mark...)
	w.setGlue(start+1, len(w.buf)+1)
	w.enter(w.newScope(parent, Marks{Open: mark}, false))
	w.bol = true
	f()
	if w.dropLine(); len(w.buf) == start+len(mark) { // nothing stands in it
		w.cut(start)
	}
	w.enter(parent)
	w.prefix, w.indent = prefix, indent
}

// freshLine goes to the beginning of a line, before the indentation of lists: a block of code or a table that is indented
// would show that, or be something else.
func (w *Writer) freshLine() {
	if w.indent == "" {
		return
	}
	if line := "\n" + w.prefix + w.indent; w.bol && strings.HasSuffix(string(w.buf[max(0, len(w.buf)-len(line)):]), line) {
		w.cut(len(w.buf) - len(w.indent))
		w.breaks[len(w.breaks)-1].gap -= int32(len(w.indent))
		return
	}
	indent := w.indent
	w.indent = ""
	w.lines(1, levelLine)
	w.indent = indent
}

func (w *Writer) list(n *Node) {
	w.depth++
	number := n.Level
	for item := n.first; item != nil; item = item.next {
		w.item(n, item, number)
		number++
		if item.next == nil {
			break
		}
		if n.Loose {
			w.Paragraph()
		} else {
			w.Newline()
		}
	}
	w.depth--
}

func (w *Writer) item(list, item *Node, number int) {
	mark := "- "
	if b := w.d.Bullets; len(b) > 0 {
		mark = b[min(w.depth, len(b))-1]
	}
	if list.Ordered {
		mark = itoa(number) + ". "
	}
	if item.Task != TaskNone {
		box := w.d.Tasks[item.Task-TaskOpen]
		if w.d.TaskBullet || list.Ordered {
			mark += box
		} else {
			mark = box
		}
	}
	start := len(w.buf)
	w.buf = append(w.buf, mark...)
	w.setGlue(start+1, len(w.buf)+1)
	w.bol = true
	indent := w.indent
	width := columns(mark)
	if item.Task != TaskNone && w.d.TaskBullet {
		width = 2
	}
	w.indent += strings.Repeat(" ", width)
	if f := w.r.Override[KindItem]; f != nil {
		f(w, item)
	} else if list.Loose {
		w.blocks(item)
	} else {
		for c := item.first; c != nil; c = c.next {
			w.Node(c)
			if c.next != nil {
				w.Newline()
			}
		}
	}
	if w.bol && w.d.Fence != FenceNone { // an empty item below text would make that a heading
		w.Atom(zwsp)
	}
	w.indent = indent
}

// codeBlock shows a block of code.
func (w *Writer) codeBlock(text, language string) {
	lines := strings.Split(strings.TrimRight(text, " \t\n"), "\n")
	switch {
	case w.flat:
		for i, l := range lines {
			if i > 0 {
				w.Newline()
			}
			w.escape(l, true)
		}
	case w.d.Fence == FenceNone:
		w.prefixed("    ", func() { w.codeLines(Marks{}, w.d.CodeMarks, lines, 0) })
	case w.quotes > 0 && !w.d.FenceQuoted:
		for i, l := range lines {
			if i > 0 {
				w.Newline()
			}
			w.code(l)
		}
	default:
		w.freshLine()
		w.codeLines(w.fence(text, language), Marks{}, lines, 0)
	}
}

// fence gives the lines before and after a block of code.
func (w *Writer) fence(text, language string) Marks {
	fence := "```"
	if w.d.Fence == FenceLong {
		if n := longest(text, '`'); n >= 3 {
			fence = strings.Repeat("`", n+1)
		}
	}
	open := fence
	if w.d.FenceInfo {
		open += language
	}
	return Marks{open + "\n" + w.prefix, "\n" + w.prefix + fence}
}

// codeLines writes lines of code between marks; fence and marks are written again in every part, and the first header
// lines too.
func (w *Writer) codeLines(fence, marks Marks, lines []string, header int) {
	indent, parent := w.indent, w.scope
	w.indent = ""
	from := len(w.buf)
	open, closing := fence.Open+marks.Open, marks.Close+fence.Close
	start := len(w.buf)
	w.buf = append(w.buf, open...)
	w.setGlue(start+1, len(w.buf)+1)
	if header == 0 {
		w.enter(w.newScope(parent, Marks{open, closing}, true))
	}
	for i, l := range lines {
		if i > 0 {
			w.lines(1, levelLine)
		}
		if header > 0 && i == header {
			w.glueFrom(start)
			w.enter(w.newScope(parent, Marks{string(w.buf[start:]), closing}, true))
		}
		w.codeLine(l)
	}
	start = len(w.buf)
	w.buf = append(w.buf, closing...)
	w.setGlue(start, len(w.buf))
	w.enter(parent)
	w.indent = indent
	w.bol = false
	w.nowrap = append(w.nowrap, [2]int{from, len(w.buf)})
}

// glueFrom keeps what was written since start, and the next character, together.
func (w *Writer) glueFrom(start int) {
	w.setGlue(start+1, len(w.buf)+1)
	for i := len(w.breaks); i > 0 && int(w.breaks[i-1].off) >= start; i-- {
		w.breaks[i-1].level = levelNone
	}
}

// codeLine writes a line of a block of code.
func (w *Writer) codeLine(s string) {
	w.bol = false
	switch {
	case w.d.CodeLine != nil:
		w.d.CodeLine(w, s)
	case w.d.Fence == FenceThree:
		w.breakRuns(s, 3)
	default:
		w.Raw(s)
	}
}

// breakRuns writes s with a zero-width space in every run of n backticks.
func (w *Writer) breakRuns(s string, n int) {
	run, from := 0, 0
	for i := range len(s) {
		if s[i] != '`' {
			run = 0
			continue
		}
		if run++; run == n {
			w.Raw(s[from:i])
			w.Atom(zwsp)
			from, run = i, 1
		}
	}
	w.Raw(s[from:])
}

func longest(s string, c byte) (n int) {
	run := 0
	for i := range len(s) {
		if s[i] != c {
			run = 0
			continue
		}
		run++
		n = max(n, run)
	}
	return n
}

// table shows a table natively, or as aligned code.
func (w *Writer) table(n *Node) {
	if w.d.Tables && !w.flat && n.first != nil {
		saved := w.save()
		if w.nativeTable(n) {
			return
		}
		w.restore(saved)
	}
	w.codeTable(n)
}

// nativeTable tells whether a part can hold the header and each of the rows.
func (w *Writer) nativeTable(n *Node) bool {
	w.freshLine()
	indent, parent := w.indent, w.scope
	w.indent = ""
	w.cell++
	w.oneLine++
	start := len(w.buf)
	w.row(n.first)
	w.oneLine--
	w.lines(1, levelNone)
	for c := n.first.first; c != nil; c = c.next {
		w.buf = append(w.buf, [...]string{"| --- ", "| :-- ", "| --: ", "| :-: "}[c.Align]...)
	}
	w.buf = append(w.buf, '|')
	header := w.length(start)
	ok := w.max == 0 || header+w.overhead(parent) <= w.max
	for r := n.first.next; r != nil && ok; r = r.next {
		w.lines(1, levelLine)
		from := len(w.buf)
		if r == n.first.next {
			w.glueFrom(start)
			w.enter(w.newScope(parent, Marks{Open: string(w.buf[start:])}, false))
		}
		w.oneLine++
		w.row(r)
		w.oneLine--
		w.setGlue(from+1, len(w.buf))
		ok = w.max == 0 || header+w.length(from)+w.overhead(parent)+2 <= w.max
	}
	if n.first.next == nil {
		w.glueFrom(start)
	}
	w.enter(parent)
	w.cell--
	w.indent = indent
	w.bol = false
	return ok
}

func (w *Writer) row(r *Node) {
	for c := r.first; c != nil; c = c.next {
		w.edge = false
		w.buf = append(w.buf, "| "...)
		w.bol = false
		w.Node(c)
		w.buf = append(w.buf, ' ')
	}
	w.edge = false
	w.buf = append(w.buf, '|')
}

// codeTable shows a table as lines of aligned columns.
func (w *Writer) codeTable(n *Node) {
	lines, header := w.align(n)
	switch {
	case w.flat:
		for i, l := range lines {
			if i > 0 {
				w.Newline()
			}
			w.escape(strings.TrimRight(l, " "), true)
		}
		return
	case w.quotes > 0 && !w.d.FenceQuoted && w.d.Fence != FenceNone:
		for i, l := range lines {
			if i > 0 {
				w.Newline()
			}
			w.code(l)
		}
		return
	}
	w.freshLine()
	var fence Marks
	if w.d.Fence != FenceNone {
		fence = w.fence(strings.Join(lines, "\n"), "")
	}
	if w.max > 0 { // the header is repeated where that leaves room for the longest row
		head, longest := 2+w.overhead(w.scope)+w.unit.Len(fence.Open+fence.Close), 0
		for i, l := range lines {
			// Escapes make lines longer on some platforms: at most five bytes for one.
			if k := w.unit.Len(l) + 4*strings.Count(l, "&") + 3*(strings.Count(l, "<")+strings.Count(l, ">")) + 3*strings.Count(l, "`"); i < header {
				head += k + 1 + w.unit.Len(w.prefix)
			} else {
				longest = max(longest, k)
			}
		}
		if head+longest > w.max {
			header = 0
		}
	}
	w.codeLines(fence, Marks{}, lines, header)
}

// align gives the lines of a table in columns, and how many of them are its header.
func (w *Writer) align(n *Node) (lines []string, header int) {
	var rows [][]string
	var widths []int
	var aligns []Align
	for r := n.first; r != nil; r = r.next {
		var row []string
		for c := r.first; c != nil; c = c.next {
			text := oneLine(string(w.cellText(nil, c)))
			i := len(row)
			if row = append(row, text); i == len(widths) {
				widths, aligns = append(widths, 0), append(aligns, c.Align)
			}
			widths[i] = max(widths[i], columns(text))
		}
		rows = append(rows, row)
	}
	for i, row := range rows {
		var b strings.Builder
		for c, text := range row {
			if c > 0 {
				b.WriteString("  ")
			}
			space := widths[c] - columns(text)
			left := 0
			switch aligns[c] {
			case AlignRight:
				left = space
			case AlignCenter:
				left = space / 2
			}
			b.WriteString(strings.Repeat(" ", left) + text)
			if c < len(row)-1 {
				b.WriteString(strings.Repeat(" ", space-left))
			}
		}
		lines = append(lines, strings.TrimRight(b.String(), " "))
		if i == 0 {
			b.Reset()
			for c, width := range widths {
				if c > 0 {
					b.WriteString("  ")
				}
				b.WriteString(strings.Repeat("-", max(width, 1)))
			}
			lines = append(lines, b.String())
		}
	}
	return lines, min(2, len(lines)-1)
}

// cellText appends the text of a cell of a table that is code: links with their address.
func (w *Writer) cellText(dst []byte, n *Node) []byte {
	for c := n.first; c != nil; c = c.next {
		switch {
		case c.Kind == KindLink || c.Kind == KindImage:
			label := string(c.appendPlain(nil, w.r.Location))
			address := c.Target
			if address == "" {
				address = c.Text
			}
			if label == "" || label == address || "mailto:"+label == address {
				dst = append(dst, address...)
			} else {
				dst = append(append(append(append(dst, label...), " ("...), address...), ')')
			}
		case c.first != nil:
			dst = w.cellText(dst, c)
		default:
			dst = append(dst, c.plain(w.r.Location)...)
		}
	}
	return dst
}

func oneLine(s string) string {
	if !strings.ContainsAny(s, "\n\t") {
		return s
	}
	return strings.NewReplacer("\n", " ", "\t", " ").Replace(s)
}
