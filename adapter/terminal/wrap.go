package terminal

import (
	"os"
	"strings"

	"github.com/starlingbot/starling/adapter/markdown"
)

// wrap breaks the lines of s at spaces, so that none has more than width columns, and sets what follows a break in by hang
// columns. Escape sequences have no width. A word that is wider is left whole: the terminal breaks it, and it can be copied.
func wrap(s string, width, hang int) string {
	if len(s) <= width {
		return s
	}
	var b strings.Builder
	for line := range strings.SplitAfterSeq(s, "\n") {
		line, end := strings.TrimSuffix(line, "\n"), line[len(strings.TrimSuffix(line, "\n")):]
		column, begun := 0, false // whether a word stands in the line
		for line != "" {
			n := len(line) - len(strings.TrimLeft(line, " "))
			space, rest := line[:n], line[n:]
			if n = strings.IndexByte(rest, ' '); n < 0 {
				n = len(rest)
			}
			word := rest[:n]
			line = rest[n:]
			columns := markdown.Columns(clean(word))
			if begun && columns > 0 && column+len(space)+columns > width {
				b.WriteString("\n" + strings.Repeat(" ", hang))
				column, space = hang, ""
			}
			b.WriteString(space + word)
			column += len(space) + columns
			begun = begun || columns > 0
		}
		b.WriteString(end)
	}
	return b.String()
}

// flow puts items beside one another in lines of at most width columns.
func flow(items []string, width int) string {
	const gap = "  "
	var b strings.Builder
	column := 0
	for i, item := range items {
		columns := markdown.Columns(clean(item))
		switch {
		case i == 0:
		case column+len(gap)+columns > width:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteString(gap)
			column += len(gap)
		}
		b.WriteString(item)
		column += columns
	}
	return b.String()
}

// width gives the columns of the terminal now.
func (a *Adapter) width() int {
	columns, _ := screenSize(a.cfg.Out.(*os.File), a.cfg.Width)
	return max(columns, leastWidth)
}

// fold wraps what is not a message's text where it goes to the terminal. A pipe gets lines as they are.
func (a *Adapter) fold(s string, hang int) string {
	if !a.tty {
		return s
	}
	return wrap(s, a.width(), hang)
}
