package adapter

import (
	"fmt"
	"strconv"
	"strings"
)

// Fit gives m as an adapter with these features can show it. It is pure and the only place where what is not text is
// degraded; the text itself is the business of the [Renderer]. Each loss has one form:
//
//	no Threads    To.Thread is dropped: it is said in the room
//	no Buttons    a numbered list of the labels below the text; the bot takes the number as the click
//	no Fields     "**Name:** value", a line each, below the text; a value of several lines stands below its name
//	no Files      the name, type and size of each, below the text; and so for a file over MaxFile
//	no Ephemeral  a message with Only is refused with [ErrUnsupported]: never shown to the room. The bot sends it to the
//	              direct room instead before it comes here
//
// Color, Notify, Previews and Native need no feature: an adapter that cannot show them leaves them. m is not changed; it is
// returned as it is where nothing is lost.
func Fit(m *Message, f Features) (*Message, error) {
	if m.Only != "" && !f.Hides(m) {
		return nil, fmt.Errorf("adapter: everybody in %s would see a message that is for %s alone; send it to a direct room: %w", m.To, m.Only, ErrUnsupported)
	}
	lostFiles := lost(m.Files, f)
	if (m.To.Thread == "" || f.Threads) && (len(m.Buttons) == 0 || f.Buttons) && (len(m.Fields) == 0 || f.Fields) && lostFiles == 0 {
		return m, nil
	}
	c := *m
	if !f.Threads {
		c.To.Thread = ""
	}
	var b strings.Builder
	b.WriteString(m.Text)
	if len(m.Fields) > 0 && !f.Fields {
		c.Fields = nil
		paragraph(&b)
		for i, field := range m.Fields {
			many := strings.Contains(field.Value, "\n")
			switch {
			case i == 0:
			case many || strings.Contains(m.Fields[i-1].Value, "\n"):
				b.WriteString("\n\n")
			default:
				b.WriteString("  \n") // a line break of the portable dialect
			}
			between := " "
			if many { // behind the name a list or a block of code would not be one, and its end would begin another
				between = "\n\n"
			}
			b.WriteString(Format("**%s:**%s%s", field.Name, Markup(between), Markup(field.Value)))
		}
	}
	if lostFiles > 0 {
		c.Files = nil
		paragraph(&b)
		first := true
		for _, file := range m.Files {
			if !loses(file, f) {
				c.Files = append(c.Files, file)
				continue
			}
			if !first {
				b.WriteString("  \n")
			}
			first = false
			b.WriteString(describe(file, f))
		}
	}
	if len(m.Buttons) > 0 && !f.Buttons {
		c.Buttons = nil
		paragraph(&b)
		for i, button := range m.Buttons {
			if i > 0 {
				b.WriteString("\n")
			}
			// No list: it would go on with the numbers of one that the text ends with.
			b.WriteString(Data(strconv.Itoa(i+1)+".") + " " + Data(button.Label))
		}
		b.WriteString("\n\nAnswer with the number.")
	}
	c.Text = b.String()
	return &c, nil
}

// Hides tells whether a message with Only can be hidden from the others in its room.
func (f Features) Hides(m *Message) bool {
	return f.Ephemeral && (!f.EphemeralOrigin || m.Origin != "")
}

// paragraph begins a new paragraph after what is there.
func paragraph(b *strings.Builder) {
	if b.Len() > 0 {
		b.WriteString("\n\n")
	}
}

// lost counts the files that cannot be posted.
func lost(files []File, f Features) (n int) {
	for _, file := range files {
		if loses(file, f) {
			n++
		}
	}
	return n
}

func loses(file File, f Features) bool { return !f.Files || f.MaxFile > 0 && file.Size > f.MaxFile }

// describe names a file that cannot be posted.
func describe(file File, f Features) string {
	text := Format("File %s", file.Name)
	var about []string
	if file.Type != "" {
		about = append(about, Data(file.Type))
	}
	if file.Size > 0 {
		about = append(about, Size(file.Size))
	}
	if f.Files {
		about = append(about, "too large to post, at most "+Size(f.MaxFile))
	}
	if len(about) > 0 {
		text += " (" + strings.Join(about, ", ") + ")"
	}
	return text
}

// Size writes a number of bytes for people: "12 B", "3.4 KiB".
func Size(n int64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n)/(1<<10), 0
	for ; v >= 1<<10 && unit < 3; unit++ {
		v /= 1 << 10
	}
	return fmt.Sprintf("%.1f %ciB", v, "KMGT"[unit])
}
