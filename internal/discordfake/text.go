package discordfake

import (
	"regexp"
	"strings"
)

// Shown gives a message as people read it: Discord's Markdown is interpreted, so that what was not escaped shows.
func (s *Server) Shown(m *Message) string {
	text := m.Content
	for _, e := range m.Embeds {
		if text == "" {
			text = e.Description
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read(text)
}

// Fields gives the names and values of the fields of a message.
func (s *Server) Fields(m *Message) (out [][2]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range m.Embeds {
		for _, f := range e.Fields {
			out = append(out, [2]string{f.Name, s.read(f.Value)})
		}
	}
	return out
}

var (
	lineMark = regexp.MustCompile(`(?m)^(#{1,3} |-# |> |>>> |[-*] |\d+\. )`)
	shown    = regexp.MustCompile("(?s)" + strings.Join([]string{
		`\\([^A-Za-z0-9\s])`,       // 1 escape
		"```(?:[a-z]*\n)?(.*?)```", // 2 block of code
		"``(.+?)``",                // 3 code
		"`([^`\n]+)`",              // 4 code
		`\[([^\]\n]+)\]\(<?(https?://[^)>\s]+)>?\)`, // 5 label, 6 address
		`<(https?://[^>\s]+)>`,                      // 7 address
		`<@!?(\d+)>`,                                // 8 user
		`<#(\d+)>`,                                  // 9 room
		`<@&(\d+)>`,                                 // 10 role
		`<t:(-?\d+)(?::[tTdDfFRsS])?>`,              // 11 time
		`(@everyone|@here)`,                         // 12
		`(\*\*|__|~~|\|\||\*|_)`,                    // 13 marks
		`:(tada|thumbsup):`,                         // 14 emoji
	}, "|"))
)

// read interprets a text.
func (s *Server) read(text string) string {
	text = lineMark.ReplaceAllString(text, "")
	var b strings.Builder
	at := 0
	for _, f := range shown.FindAllStringSubmatchIndex(text, -1) {
		b.WriteString(text[at:f[0]])
		group := func(n int) (string, bool) {
			if f[2*n] < 0 {
				return "", false
			}
			return text[f[2*n]:f[2*n+1]], true
		}
		for n := 1; n <= 14; n++ {
			v, ok := group(n)
			if !ok {
				continue
			}
			switch n {
			case 1, 2, 7:
				b.WriteString(v)
			case 3, 4:
				b.WriteString(strings.TrimSpace(v))
			case 5:
				b.WriteString(v)
			case 8:
				name := v
				if u := s.users[v]; u != nil {
					name = u.Name
					if u.Global != "" {
						name = u.Global
					}
				}
				b.WriteString("@" + name)
			case 9:
				name := v
				if c := s.channels[v]; c != nil {
					name = c.Name
				}
				b.WriteString("#" + name)
			case 10:
				b.WriteString("@role")
			case 11:
				b.WriteString("a time")
			case 12:
				b.WriteString("EVERYBODY WAS CALLED")
			case 14:
				b.WriteString("🎉")
			}
		}
		at = f[1]
	}
	b.WriteString(text[at:])
	return b.String()
}
