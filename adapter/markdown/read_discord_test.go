package markdown_test

import (
	"regexp"
	"strings"
)

// readDiscord reads Discord's Markdown
// (https://support.discord.com/hc/en-us/articles/210298617, https://discord.com/developers/docs/reference#message-formatting):
// a block of code by three backticks first, then lines, and in them whatever comes first.
func readDiscord(s string) string {
	var b strings.Builder
	start := true
	for s != "" {
		if start {
			if m := regexp.MustCompile(`^ *(>>> |> )`).FindString(s); m != "" {
				s = strings.TrimPrefix(s[len(m):], "│ ")
			}
			if m := regexp.MustCompile(`^(#{1,3}) +([^\n]+)`).FindStringSubmatch(s); m != nil {
				b.WriteString(mark("h", discordInline(m[2])))
				s = s[len(m[0]):]
				start = false
				continue
			}
			if m := regexp.MustCompile(`^ *([-*+]|☐|☑) +`).FindString(s); m != "" {
				b.WriteString("⟪•⟫")
				s = s[len(m):]
			} else if m := numberItem.FindStringSubmatch(s); m != nil {
				b.WriteString("⟪" + m[1] + ".⟫")
				s = s[len(m[0]):]
			}
			if strings.HasPrefix(s, "-# ") {
				b.WriteString("⟪!subtext⟫")
			}
		}
		line, rest, more := strings.Cut(s, "\n")
		if strings.HasPrefix(line, "```") {
			// In a quote the mark stands before every line of the code too.
			code, after, ok := strings.Cut(s[3:], "```")
			if ok {
				if first, content, ok := strings.Cut(code, "\n"); ok && regexp.MustCompile(`^[a-zA-Z0-9_+\-.#]*$`).MatchString(first) {
					code = content
				}
				if strings.HasSuffix(code, "\n> ") {
					code = strings.ReplaceAll("\n"+code, "\n> ", "\n")[1:]
				}
				b.WriteString(mark("pre", dashes(strings.TrimSuffix(code, "\n"))))
				s, start = after, false
				continue
			}
		}
		b.WriteString(discordInline(line))
		if !more {
			break
		}
		s, start = rest, true
	}
	return b.String()
}

var discordNodes = []struct {
	re   *regexp.Regexp
	form string
}{

	{regexp.MustCompile(`^<@!?(\d+)>`), "⟪@$1⟫"},
	{regexp.MustCompile(`^<@&(\d+)>`), "⟪!role $1⟫"},
	{regexp.MustCompile(`^<#(\d+)>`), "⟪#$1⟫"},
	{regexp.MustCompile(`^<t:(-?\d+)(?::[a-zA-Z])?>`), "⟪t $1⟫"},
	{regexp.MustCompile(`^<a?:\w+:\d+>`), "⟪!emoji⟫"},
	{regexp.MustCompile(`^<id:\w+>`), "⟪!guide⟫"},
	{regexp.MustCompile(`^</[^>]+:\d+>`), "⟪!command⟫"},
	{regexp.MustCompile(`^@(everyone|here)`), "⟪!$1⟫"},
	{regexp.MustCompile(`^:[a-zA-Z0-9_+-]+:`), "⟪!emoji⟫"},
	{regexp.MustCompile(`^<([a-z]+:/[^ >]+)>`), "$1"},
	{regexp.MustCompile(`(?i)^https?://[^\s<]+`), "⟪!bare⟫"},
	{regexp.MustCompile(`^\|\|.+\|\|`), "⟪!spoiler⟫"},
	{regexp.MustCompile(`^__.+__`), "⟪!underline⟫"},
}

func discordInline(s string) string {
	var b strings.Builder
next:
	for i := 0; i < len(s); {
		rest := s[i:]
		if rest[0] == '\\' && len(rest) > 1 && rest[1] < 0x80 && !letter(rune(rest[1])) && rest[1] != ' ' {
			b.WriteByte(rest[1])
			i += 2
			continue
		}
		for _, n := range discordNodes {
			if m := n.re.FindStringSubmatchIndex(rest); m != nil {
				b.Write(n.re.ExpandString(nil, n.form, rest, m))
				i += m[1]
				continue next
			}
		}
		if rest[0] == '`' {
			run := len(rest) - len(strings.TrimLeft(rest, "`"))
			if run >= 3 {
				b.WriteString("⟪!fence⟫")
			}
			if end := closeRun(rest, run); end > 0 {
				code := rest[run:end]
				if strings.HasPrefix(strings.TrimLeft(code, " "), "`") {
					code = strings.TrimPrefix(code, " ")
				}
				if strings.HasSuffix(strings.TrimRight(code, " "), "`") {
					code = strings.TrimSuffix(code, " ")
				}
				b.WriteString(mark("c", code))
				i += end + run
				continue
			}
		}
		if rest[0] == '[' {
			if end := closeAt(rest, 1, "]("); end > 0 {
				address := rest[end+2:]
				stop := strings.IndexByte(address, ')')
				if stop > 0 {
					used := end + 2 + stop + 1
					address = strings.Trim(address[:stop], "<>")
					b.WriteString("⟪l " + address + "⟫" + discordInline(rest[1:end]) + "⟪/l⟫")
					i += used
					continue
				}
			}
		}
		for _, m := range [...]struct{ open, kind string }{{"**", "b"}, {"~~", "s"}, {"_", "i"}, {"*", "i"}} {
			if !strings.HasPrefix(rest, m.open) || m.open == "*" && len(rest) > 1 && rest[1] == ' ' {
				continue
			}
			if end := closeAt(rest, len(m.open), m.open); end > 0 {
				b.WriteString(mark(m.kind, discordInline(rest[len(m.open):end])))
				i += end + len(m.open)
				continue next
			}
		}
		b.WriteByte(rest[0])
		i++
	}
	return b.String()
}

func closeRun(s string, run int) int {
	for j := run; j < len(s); {
		if s[j] != '`' {
			j++
			continue
		}
		k := j
		for k < len(s) && s[k] == '`' {
			k++
		}
		if k-j == run {
			return j
		}
		j = k
	}
	return 0
}

// closeAt gives where mark closes what begins at from, past escapes, code and marks of the other length.
func closeAt(s string, from int, mark string) int {
	for j := from; j < len(s); {
		switch {
		case s[j] == '\\' && j+1 < len(s):
			j += 2
			continue
		case s[j] == '`':
			run := len(s[j:]) - len(strings.TrimLeft(s[j:], "`"))
			if end := closeRun(s[j:], run); end > 0 {
				j += end + run
				continue
			}
		case s[j] == '<':
			if end := strings.IndexByte(s[j:], '>'); end > 0 && !strings.Contains(s[j:j+end], " ") {
				j += end + 1
				continue
			}
		case mark == "*" && strings.HasPrefix(s[j:], "**"):
			j += 2
			continue
		case mark == "**" && strings.HasPrefix(s[j:], "***"):
		case strings.HasPrefix(s[j:], mark) && j > from:
			return j
		}
		j++
	}
	return 0
}
