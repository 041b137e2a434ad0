package markdown_test

import (
	"fmt"
	"html"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"github.com/starlingbot/starling/adapter/markdown"
)

// What a platform makes of a text is written in one form, so that it can be compared with what the document says:
// ⟪b⟫…⟪/b⟫ for marks (b i s c pre h), ⟪@ID⟫ ⟪#ID⟫ ⟪t UNIX⟫ for nodes, ⟪l ADDRESS⟫…⟪/l⟫ for links, ⟪•⟫ and ⟪N.⟫ for items,
// ⟪!…⟫ for what must never come out. An address that is its own label is text: nothing is hidden by it.

type platform struct {
	name     string
	r        *markdown.Renderer
	read     func(string) string
	heading  int // levels
	tables   bool
	longCode bool // code spans may hold backticks
	names    bool // mentions by name
	plain    bool // no marks in labels
	quoted   bool // code in quotes
	times    bool
}

var platforms = []platform{
	{name: "slack", r: markdown.Slack(), read: readSlack, plain: true, times: true},
	{name: "slack-block", r: markdown.SlackBlock(), read: readSlackBlock, heading: 6, tables: true, longCode: true, quoted: true, times: true},
	{name: "discord", r: markdown.Discord(), read: readDiscord, heading: 3, longCode: true, quoted: true, times: true},
	{name: "mattermost", r: markdown.Mattermost(), read: readMattermost, heading: 6, tables: true, longCode: true, names: true, quoted: true},
}

func mark(k, s string) string {
	if bare(s) == "" {
		return s
	}
	if k == "c" && strings.Trim(bare(s), "-") == "" { // as the line below the header of a table
		return "⟪-⟫"
	}
	return "⟪" + k + "⟫" + s + "⟪/" + k + "⟫"
}

type where struct{ label, table, quote, bold bool }

var validHost = regexp.MustCompile(`^(?i:https?)://[A-Za-z0-9._:\[\]-]+([/?#](?s:.*))?$`)

// mark is mark; in mrkdwn it does not stand beside a character that would hide it.
func (p *platform) mark(k, s string) string {
	if p.name != "slack" {
		return mark(k, s)
	}
	s = bare(s)
	rest := strings.TrimLeft(s, "*_~`")
	core := strings.TrimRight(rest, "*_~`")
	return s[:len(s)-len(rest)] + mark(k, core) + rest[len(core):]
}

// expected says what has to be read of e.
func (p *platform) expected(e *el, in where) string {
	var b strings.Builder
	kids := func(in where) string {
		var b strings.Builder
		for _, k := range e.kids {
			b.WriteString(p.expected(k, in))
		}
		return b.String()
	}
	switch e.kind {
	case "doc", "p", "cell":
		return kids(in)
	case "text":
		return e.text
	case "data":
		return e.text
	case "h":
		if p.heading == 0 || len(e.id) > p.heading {
			in.bold = true
			return p.mark("b", kids(in))
		}
		return mark("h", kids(in))
	case "q":
		in.quote = true
		return kids(in)
	case "ul", "ol":
		for i, li := range e.kids {
			switch {
			case e.kind == "ul":
				b.WriteString("⟪•⟫")
			case p.name == "slack":
				fmt.Fprintf(&b, "%d.", i+3)
			default:
				fmt.Fprintf(&b, "⟪%d.⟫", i+3)
			}
			for _, k := range li.kids {
				b.WriteString(p.expected(k, in))
			}
		}
	case "pre":
		text := strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n").Replace(e.text)
		if in.quote && !p.quoted {
			for l := range strings.SplitSeq(text, "\n") {
				b.WriteString(p.expected(&el{kind: "code", text: l}, in))
			}
			return b.String()
		}
		return mark("pre", dashes(strings.TrimRight(normal(text), " \t\n")))
	case "table":
		if p.tables {
			for _, row := range e.kids {
				for _, c := range row.kids {
					b.WriteString("⟪td⟫" + p.expected(c, where{table: true}))
				}
			}
			return b.String()
		}
		for i, row := range e.kids {
			var line strings.Builder
			for _, c := range row.kids {
				line.WriteString(cellText(c.kids))
			}
			if in.quote && !p.quoted { // lines of code: their number is not known here where cells are blank
				b.WriteString(p.quotedLine(line.String()))
			} else {
				b.WriteString(line.String())
			}
			if i == 0 {
				if in.quote && !p.quoted {
					b.WriteString("⟪-⟫")
				} else {
					b.WriteString("⟪-⟫")
				}
			}
		}
		if in.quote && !p.quoted {
			return b.String()
		}
		return "⟪pre⟫" + b.String() + "⟪/pre⟫"
	case "user":
		name := e.text
		if p.names && regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`).MatchString(name) && name != "all" && name != "channel" && name != "here" && !in.label {
			return "⟪@" + name + "⟫"
		}
		if !p.names && e.id == "123" && !in.label || !p.names && !in.label && strings.HasPrefix(p.name, "slack") && regexp.MustCompile(`^[A-Z0-9]+$`).MatchString(e.id) {
			return "⟪@" + e.id + "⟫"
		}
		return "@" + name
	case "room":
		switch {
		case in.label:
		case p.names && regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`).MatchString(e.text):
			return "⟪#" + e.text + "⟫"
		case !p.names:
			return "⟪#" + e.id + "⟫"
		}
		return roomText(e)
	case "time":
		if !p.times || in.label || p.tables && in.table && p.name != "discord" {
			return timeText(e)
		}
		return fmt.Sprintf("⟪t %d⟫", e.unix)
	case "b", "i", "s":
		if e.kind == "b" && in.bold || in.label && p.plain {
			return kids(in)
		}
		if e.kind == "b" {
			in.bold = true
		}
		return p.mark(e.kind, kids(in))
	case "code":
		if in.label && p.plain {
			return e.text
		}
		if in.table && strings.Contains(e.text, "|") {
			return e.text
		}
		if !p.longCode && strings.Contains(e.text, "`") {
			return mark("pre", e.text)
		}
		return mark("c", e.text)
	case "link":
		in.label = true
		label := kids(in)
		shown := plainLabel(e.kids)
		address, ok := e.id, true
		if e.data {
			address, ok = cleaned(e.id)
		}
		raw := strings.ReplaceAll(e.id, "\x00", "")
		blank := bare(shown) == ""
		if !ok {
			if blank || shown == raw {
				return label + pass(blank || shown != raw, raw)
			}
			return label + "(" + raw + ")"
		}
		if blank {
			if strings.HasPrefix(address, "http") {
				return address + "\uE0FF" // no character of it is outside of a mark
			}
			label = address
		}
		if p.names && !strings.HasPrefix(address, "mailto:") {
			address = strings.ReplaceAll(address, "@", "%40")
		}
		out := "⟪l " + address + "⟫" + label + "⟪/l⟫"
		data := false
		for _, k := range e.kids {
			k.each(func(e *el) { data = data || e.kind == "data" })
		}
		foreign := e.data && !strings.HasPrefix(e.id, "https://evil.example/")
		if e.data {
			foreign = true
		}
		if h := markdown.ShownHost(shown, address, foreign, data); h != "" {
			out += "(" + h + ")"
		}
		return out
	}
	return b.String()
}

func pass(ok bool, s string) string {
	if ok {
		return s
	}
	return ""
}

func (p *platform) quotedLine(s string) string {
	if strings.Contains(s, "`") {
		return mark("pre", s)
	}
	return mark("c", s)
}

func cellText(kids []*el) string {
	var b strings.Builder
	for _, k := range kids {
		switch k.kind {
		case "link":
			label := plainLabel(k.kids)
			address, ok := k.id, true
			if k.data {
				if address, ok = cleaned(k.id); !ok {
					address = k.id
				}
			}
			if bare(label) == "" && label == "" || label == address {
				b.WriteString(address)
			} else {
				b.WriteString(label + "(" + address + ")")
			}
		case "b", "i", "s":
			b.WriteString(cellText(k.kids))
		default:
			b.WriteString(plainLabel([]*el{k}))
		}
	}
	return b.String()
}

func plainLabel(kids []*el) string {
	var b strings.Builder
	for i, k := range kids {
		if i > 0 && apart(kids[i-1], k) {
			b.WriteString(" ")
		}
		switch k.kind {
		case "user":
			b.WriteString("@" + k.text)
		case "room":
			b.WriteString(roomText(k))
		case "time":
			b.WriteString(timeText(k))
		case "b", "i", "s", "link":
			b.WriteString(plainLabel(k.kids))
		default:
			b.WriteString(normal(k.text))
		}
	}
	return b.String()
}

func roomText(e *el) string {
	if e.text == "" {
		return e.id
	}
	return "#" + e.text
}

func timeText(e *el) string { return time.Unix(e.unix, 0).UTC().Format("2006-01-02 15:04 UTC") }

// normal is what the lines and controls of a text become.
func normal(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\u2028", "\n", "\u2029", "\n", "\u0085", "\n").Replace(s)
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, s)
}

// cleaned is what an address that is data becomes.
func cleaned(s string) (string, bool) {
	s = normal(s)
	if !validHost.MatchString(s) && !regexp.MustCompile(`^(?i:mailto):`).MatchString(s) {
		return s, false
	}
	return regexp.MustCompile(`[^A-Za-z0-9\-._~:/?#@!$&*+,;=%]`).ReplaceAllStringFunc(s, func(c string) string {
		out := ""
		for _, b := range []byte(c) {
			out += fmt.Sprintf("%%%02X", b)
		}
		return out
	}), true
}

var dashLine = regexp.MustCompile(`^-+(  -+)*$`)

// dashes takes away the line below the header of a table that is code.
func dashes(s string) string {
	lines := strings.Split(s, "\n")
	if len(lines) > 1 && dashLine.MatchString(lines[1]) {
		lines[1] = "⟪-⟫"
	}
	return strings.Join(lines, "\n")
}

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

// commonmark reads what a platform that follows CommonMark and GitHub makes of a text. inline reads the raw text of a leaf.
func commonmark(s string, withHTML, linkify bool, code, inline func(raw string) string) string {
	blocks := parser.DefaultBlockParsers()
	inlines := append(parser.DefaultInlineParsers(), util.Prioritized(extension.NewTaskCheckBoxParser(), 0),
		util.Prioritized(extension.NewStrikethroughParser(), 500))
	if !withHTML {
		blocks = append(blocks[:8:8], blocks[9])
		inlines = append(inlines[:3:3], inlines[4:]...)
	}
	if linkify {
		inlines = append(inlines, util.Prioritized(extension.NewLinkifyParser(extension.WithLinkifyEmailRegexp(gfmMail)), 999))
	}
	p := parser.NewParser(parser.WithBlockParsers(blocks...), parser.WithInlineParsers(inlines...),
		parser.WithParagraphTransformers(append(parser.DefaultParagraphTransformers(), util.Prioritized(extension.NewTableParagraphTransformer(), 200))...),
		parser.WithASTTransformers(util.Prioritized(extension.NewTableASTTransformer(), 0)))
	src := []byte(s)
	var walk func(n ast.Node) string
	children := func(n ast.Node) string {
		var b, raw strings.Builder
		flush := func() {
			if raw.Len() > 0 {
				b.WriteString(inline(raw.String()))
				raw.Reset()
			}
		}
		for c := n.FirstChild(); c != nil; c = c.NextSibling() {
			if t, ok := c.(*ast.Text); ok {
				raw.Write(t.Segment.Value(src))
				if t.SoftLineBreak() || t.HardLineBreak() {
					raw.WriteByte('\n')
				}
				continue
			}
			flush()
			b.WriteString(walk(c))
		}
		flush()
		return b.String()
	}
	walk = func(n ast.Node) string {
		switch n := n.(type) {
		case *ast.Heading:
			return mark("h", children(n))
		case *ast.ThematicBreak:
			return "⟪!rule⟫"
		case *ast.HTMLBlock, *ast.RawHTML:
			return "⟪!html⟫"
		case *ast.CodeBlock:
			return "⟪!indented⟫" + string(n.Lines().Value(src))
		case *ast.FencedCodeBlock:
			return mark("pre", dashes(strings.TrimSuffix(code(string(n.Lines().Value(src))), "\n")))
		case *ast.List:
			var b strings.Builder
			i := n.Start
			for c := n.FirstChild(); c != nil; c = c.NextSibling() {
				if n.IsOrdered() {
					fmt.Fprintf(&b, "⟪%d.⟫", i)
				} else {
					b.WriteString("⟪•⟫")
				}
				i++
				b.WriteString(children(c))
			}
			return b.String()
		case *extast.TableCell:
			return "⟪td⟫" + children(n)
		case *ast.Emphasis:
			return mark(map[int]string{1: "i", 2: "b"}[n.Level], children(n))
		case *extast.Strikethrough:
			return mark("s", children(n))
		case *ast.CodeSpan:
			var b strings.Builder
			for c := n.FirstChild(); c != nil; c = c.NextSibling() {
				b.Write(c.(*ast.Text).Segment.Value(src))
			}
			return mark("c", code(b.String()))
		case *ast.Link:
			return "⟪l " + strings.ReplaceAll(html.UnescapeString(string(n.Destination)), "\uE07E", "~") + "⟫" + children(n) + "⟪/l⟫"
		case *ast.Image:
			return "⟪!image⟫"
		case *ast.AutoLink:
			return code(string(n.Label(src)))
		case *extast.TaskCheckBox:
			return "⟪!task⟫"
		}
		return children(n)
	}
	return walk(p.Parse(text.NewReader(src)))
}

// gfmMail: GitHub Flavored Markdown, section 6.9; goldmark's own takes backticks too.
var gfmMail = regexp.MustCompile(`^[A-Za-z0-9._+-]+@[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+`)

var escapes = regexp.MustCompile("\\\\[!-/:-@\\[-`{-~]|&#?[0-9a-zA-Z]+;")

const coded = 0xF0000 // a character that was escaped is no syntax any more

// literals resolves escapes and entities to characters that are no syntax.
func literals(raw string, allowed string) string {
	return escapes.ReplaceAllStringFunc(raw, func(m string) string {
		out := html.UnescapeString(m)
		if m[0] == '\\' {
			if strings.IndexByte(allowed, m[1]) < 0 {
				return "⟪!escape " + m[1:] + "⟫"
			}
			out = m[1:]
		}
		return strings.Map(func(r rune) rune { return r + coded }, out)
	})
}

func uncoded(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= coded && r < coded+0x3000 {
			return r - coded
		}
		return r
	}, s)
}

var (
	mmMention = regexp.MustCompile(`(^|[^a-zA-Z0-9_])@([a-z0-9][a-z0-9._-]*)`)
	mmChannel = regexp.MustCompile(`(^|[^a-zA-Z0-9_~])~([a-z0-9][a-z0-9._-]*)`)
	mmHashtag = regexp.MustCompile(`(^|[^\pL\d_])#(\pL[\pL\d_.-]*)`)
)

// readMattermost reads the Markdown of Mattermost: goldmark finds the structure, as the server and the mobile apps do by
// CommonMark; names and signs in the text are found as by the server and the web app (app/mention_parser_standard.go,
// text_formatting.tsx). The web app knows backslashes only before some characters.
func readMattermost(s string) string {
	// Only two tildes strike out: hide the single ones.
	single := regexp.MustCompile(`(^|[^~\\])~($|[^~])`)
	for range 2 { // neighbours overlap
		s = single.ReplaceAllString(s, "${1}\uE07E${2}")
	}
	show := func(s string) string { return strings.ReplaceAll(s, "\uE07E", "~") }
	return commonmark(s, true, true, show, func(raw string) string {
		s := literals(show(raw), "\\`*{}[]()#+-.!_>~|")
		s = mmHashtag.ReplaceAllString(s, "$1⟪!tag $2⟫")
		s = mmMention.ReplaceAllString(s, "$1⟪@$2⟫")
		s = mmChannel.ReplaceAllString(s, "$1⟪#$2⟫")
		s = emoji.ReplaceAllString(s, "⟪!emoji⟫")
		return uncoded(s)
	})
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

// TestGrammar renders generated documents full of hostile data and reads them as each platform does: what is read is what
// the document says, no mention, link or mark more or less, and every piece of data letter by letter. It runs for 10
// seconds; STARLING_INPUTS=1000000 makes it run over so many inputs on all platforms together.
func TestGrammar(t *testing.T) {
	inputs, _ := strconv.Atoi(os.Getenv("STARLING_INPUTS"))
	limit := time.Now().Add(10 * time.Second)
	if testing.Short() {
		limit = time.Now().Add(time.Second)
	}
	done := 0
	for seed := uint64(1); inputs > 0 && done < inputs || inputs == 0 && time.Now().Before(limit); seed++ {
		doc := genDoc(rand.New(rand.NewPCG(seed, 7)))
		source := doc.source()
		parsed := markdown.Parse(source)
		for i := range platforms {
			p := &platforms[i]
			wire := p.r.Document(parsed).Text()
			want, got := strings.ReplaceAll(bare(p.expected(doc, where{})), "\uE0FF", ""), bare(p.read(wire))
			if want != got {
				t.Fatalf("%s, seed %d\nsource %q\nwire\n%s\nwire %q\nwant %s\ngot  %s\n%s", p.name, seed, source, wire, wire, want, got, parsed)
			}
			done++
		}
	}
	t.Logf("%d inputs", done)
	require.Greater(t, done, 1000)
}
