package terminal

import (
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/markdown"
)

const (
	hang       = 2  // columns by which further lines are set in, so that no text can look like a line of its own
	leastWidth = 20 // columns of text, however narrow the terminal is
)

// entry gives a message as it is shown: head, and further lines set in. It is called with a.mu held.
func (a *Adapter) entry(head string, m *adapter.Message) string {
	head = strings.TrimRight(head, " ")
	lead := markdown.Columns(clean(head)) + 1
	body := a.render(m, lead)
	if body != "" && body[0] != '\n' {
		head += " "
	}
	return head + strings.ReplaceAll(body, "\n", "\n"+strings.Repeat(" ", hang)) + "\n"
}

// render gives what a message shows, in lines. lead columns stand before the first one. A text that begins with code or a
// table, whose lines stand below one another, begins with a line feed.
func (a *Adapter) render(m *adapter.Message, lead int) string {
	var b strings.Builder
	show := a.renderer()
	text := func(s, before string) { // shows a text of the dialect after what stands before it in the line
		show.Lead = markdown.Columns(before)
		if b.Len() == 0 {
			show.Lead += lead - hang
		}
		doc := markdown.Parse(cleanText(s))
		out := strings.TrimRight(show.Document(doc).Text(), " \n") // all sequences in it are the renderer's
		if before == "" && b.Len() == 0 && strings.Contains(out, "\n") && columned(doc) {
			b.WriteByte('\n')
		}
		b.WriteString(before + out)
	}
	line := func() {
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
	}
	switch notify := "@" + word(string(m.Notify)); {
	case m.Notify == adapter.NotifyNone && m.Text == "":
	case m.Notify == adapter.NotifyNone:
		text(m.Text, "")
	case m.Text == "":
		b.WriteString(notify)
	default:
		text(m.Text, notify+" ")
	}
	for _, f := range m.Fields {
		line()
		text(f.Value, word(adapter.PlainText(f.Name))+": ")
	}
	if len(m.Buttons) > 0 {
		labels := make([]string, len(m.Buttons))
		for i, button := range m.Buttons {
			labels[i] = "[" + strconv.Itoa(i+1) + "] " + word(adapter.PlainText(button.Label))
		}
		line()
		if a.tty {
			b.WriteString(flow(labels, a.width()-hang))
		} else {
			b.WriteString(strings.Join(labels, "  "))
		}
	}
	for _, f := range m.Files {
		s := "file: " + word(f.Name)
		if f.Size > 0 {
			s += " (" + size(f.Size) + ")"
		}
		line()
		b.WriteString(s)
	}
	return b.String()
}

// columned tells whether a document begins with what is to be read in columns.
func columned(d *markdown.Document) bool {
	first := d.Root().First()
	return first != nil && (first.Kind == markdown.KindCodeBlock || first.Kind == markdown.KindTable)
}

// renderer makes the renderer for the terminal as it is now, or for a pipe.
func (a *Adapter) renderer() *markdown.Renderer {
	if !a.tty {
		return markdown.Plain()
	}
	r := markdown.ANSI(max(a.width()-hang, leastWidth), a.colours)
	r.Location = time.Local
	return r
}

// screenSize asks a terminal for its columns and rows; width, if it is over 0, is taken instead of what it says.
func screenSize(f *os.File, width int) (columns, rows int) {
	columns, rows = width, 24
	control(f, func(fd int) {
		if w, h, err := term.GetSize(fd); err == nil {
			rows = h
			if columns <= 0 {
				columns = w
			}
		}
	})
	if columns <= 0 {
		columns = 80
	}
	return columns, rows
}

// size shows a number of bytes.
func size(n int64) string {
	if n < 1<<10 {
		return strconv.FormatInt(n, 10) + " B"
	}
	f, unit := float64(n), ""
	for _, unit = range []string{"KiB", "MiB", "GiB", "TiB"} {
		if f /= 1 << 10; f < 1<<10 {
			break
		}
	}
	return strconv.FormatFloat(f, 'f', 1, 64) + " " + unit
}
