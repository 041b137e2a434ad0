package markdown_test

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// readSlack reads mrkdwn (https://docs.slack.dev/messaging/formatting-message-text): three backticks first, then lines, in
// which a mark opens after no letter or digit and before no white space, and closes the other way round on the same line.
func readSlack(s string) string {
	var codes []string
	s = regexp.MustCompile("(?s)```.*?```").ReplaceAllStringFunc(s, func(m string) string {
		codes = append(codes, mark("pre", dashes(strings.TrimSuffix(strings.TrimPrefix(slackDecode(m[3:len(m)-3]), "\n"), "\n"))))
		return string(rune(0xE000 + len(codes) - 1))
	})
	var b strings.Builder
	slackLines(&b, s)
	out := b.String()
	for i, c := range codes {
		out = strings.Replace(out, string(rune(0xE000+i)), c, 1)
	}
	return out
}

var slackItem = regexp.MustCompile(`^ *(?:[•◦▪☐☑]) `)

var numberItem = regexp.MustCompile(`^ *(\d{1,9})[.)] `)

func slackLines(b *strings.Builder, s string) {
	for l := range strings.SplitSeq(s, "\n") {
		quoted := false
		for _, q := range []string{"> ", ">", "&gt;"} {
			if rest, ok := strings.CutPrefix(l, q); ok {
				l, quoted = rest, true
				break
			}
		}
		if quoted {
			l = strings.ReplaceAll(l, "│ ", "")
		}
		if m := slackItem.FindString(l); m != "" {
			b.WriteString("⟪•⟫")
			l = l[len(m):]
		} // numbers are text
		b.WriteString(slackInline(l))
	}
}

var slackTag = regexp.MustCompile(`^<([^<>]*)>`)

var shouts = regexp.MustCompile(`(?i)@(here|channel|everyone)`)

var emoji = regexp.MustCompile(`:[a-zA-Z0-9_+'-]+:`)

var schemes = regexp.MustCompile(`(?i)https?://`)

func slackDecode(s string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s)
}

func slackText(s string) string {
	switch {
	case strings.ContainsAny(s, "<>"), shouts.MatchString(s), emoji.MatchString(s), schemes.MatchString(s), regexp.MustCompile(`&($|[^lga])`).MatchString(s):
		return "⟪!" + s + "⟫"
	}
	return slackDecode(s)
}

func slackInline(s string) string {
	var b, plain strings.Builder
	flush := func() {
		b.WriteString(slackText(plain.String()))
		plain.Reset()
	}
	for i := 0; i < len(s); {
		if m := slackTag.FindStringSubmatch(s[i:]); m != nil {
			flush()
			b.WriteString(slackNode(m[1]))
			i += len(m[0])
			continue
		}
		if c := s[i]; strings.IndexByte("*_~`", c) >= 0 {
			if end := slackClose(s, i); end > 0 {
				flush()
				inner := s[i+1 : end]
				if c == '`' {
					b.WriteString(mark("c", slackDecode(inner)))
				} else {
					b.WriteString(mark(map[byte]string{'*': "b", '_': "i", '~': "s"}[c], slackInline(inner)))
				}
				i = end + 1
				continue
			}
		}
		plain.WriteByte(s[i])
		i++
	}
	flush()
	return b.String()
}

func hidden(r rune) bool {
	return unicode.IsSpace(r) || r == '\u200b' || r == utf8.RuneError
}

func letter(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// slackClose gives where the mark at i is closed, or 0.
func slackClose(s string, i int) int {
	prev, _ := utf8.DecodeLastRuneInString(s[:i])
	next, _ := utf8.DecodeRuneInString(s[i+1:])
	if letter(prev) || hidden(next) && s[i] != '`' || s[i] == '`' && next == '\u200b' {
		return 0
	}
	for j := i + 1; j < len(s); j++ {
		if m := slackTag.FindString(s[j:]); m != "" && s[i] != '`' {
			j += len(m) - 1
			continue
		}
		if s[j] == '`' && s[i] != '`' {
			if end := slackClose(s, j); end > 0 {
				j = end
				continue
			}
		}
		if s[j] != s[i] || j == i+1 {
			continue
		}
		prev, _ := utf8.DecodeLastRuneInString(s[:j])
		next, _ := utf8.DecodeRuneInString(s[j+1:])
		if (!hidden(prev) || s[i] == '`' && prev != '\u200b') && !letter(next) {
			return j
		}
	}
	return 0
}

func slackNode(tag string) string {
	body, label, labelled := strings.Cut(tag, "|")
	switch {
	case strings.HasPrefix(body, "@"):
		return "⟪@" + body[1:] + "⟫"
	case strings.HasPrefix(body, "#"):
		return "⟪#" + body[1:] + "⟫"
	case strings.HasPrefix(body, "!date^"):
		return "⟪t " + strings.Split(body, "^")[1] + "⟫"
	case strings.HasPrefix(body, "!"):
		return "⟪!" + body + "⟫"
	case !labelled:
		return slackDecode(body)
	}
	return "⟪l " + slackDecode(body) + "⟫" + slackText(label) + "⟪/l⟫"
}

var blockTag = regexp.MustCompile(`<([^<>]*)>`)

// readSlackBlock reads a markdown block: CommonMark, with mentions of Slack in the text.
func readSlackBlock(s string) string {
	return commonmark(s, false, false, slackDecode, func(raw string) string {
		var b strings.Builder
		for raw != "" {
			loc := blockTag.FindStringIndex(raw)
			if loc == nil {
				loc = []int{len(raw), len(raw)}
			}
			s := literals(raw[:loc[0]], "\\`*{}[]()#+-.!_>~|")
			if strings.ContainsAny(s, "<>") || shouts.MatchString(s) || schemes.MatchString(s) {
				s = "⟪!" + s + "⟫"
			}
			b.WriteString(uncoded(emoji.ReplaceAllString(s, "⟪!emoji⟫")))
			if loc[0] < loc[1] {
				b.WriteString(slackNode(raw[loc[0]+1 : loc[1]-1]))
			}
			raw = raw[loc[1]:]
		}
		return b.String()
	})
}
