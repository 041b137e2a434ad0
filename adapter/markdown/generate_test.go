package markdown_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
	"unicode"

	"github.com/starlingbot/starling/adapter"
)

// el is an element of a generated document. source writes it in the portable dialect; what a reader of a platform has to
// find of it is said by expected in grammar_test.go.
type el struct {
	kind string // doc p h q ul ol li pre table row cell | text data user room time b i s code link
	text string
	id   string
	unix int64
	kids []*el
	data bool // pre, code: text is data; link: the address is data
}

// hostile are pieces of data that want to be something else.
var hostile = []string{
	"<!channel>", "<!here|x>", "<!everyone>", "<@U1>", "<@U1|bob>", "<#C1>", "<#C1|x>", "<!subteam^S1>", "<!date^1^{date}|x>",
	"<https://evil.example|Log in>", "<mailto:a@b.example|x>", "&lt;!channel&gt;", "&amp;", "&#60;@U1&#62;", "&lt;", "&", ";", "lt;",
	"@everyone", "@here", "@all", "@channel", "@alice", "~town-square", "#general", "#tag", "<@123>", "<@!123>", "<@&123>", "<#123>",
	"<:x:123>", "<a:x:123>", "<t:1:R>", "</cmd:1>", "<id:customize>", ":tada:", ":)", ":-D", "||spoiler||", "__under__",
	"[Log in](https://evil.example)", "[Log in](<https://evil.example>)", "![x](http://tracker.example)", "[x][y]", "[x]", "](", ")", "(", "!",
	"[x]: https://evil.example", "https://evil.example/a_b_c", "http://x.example/@all", "https://e.example/*a*", "https://e.example/a(b)",
	"https:", "://", "//evil.example", "www.evil.example", "<https://evil.example>", "mailto:x@y.example", "javascript:alert(1)",
	"*a*", "*", "**", "**b**", "_", "_i_", "__", "~", "~~", "~~s~~", "`", "``", "```", "````", "`c`", "```go\nx\n```", "~~~", "\\", "\\*", "\\\\",
	"\n", "\n\n", "\n# h", "\n- x", "\n1. x", "\n12) x", "\n> q", "\n>>> q", "\n-# sub", "\n---", "\n===", "\n| a | b |\n|---|---|\n| c | d |",
	"\n    code", "\n\tcode", "\n+ x", "\n* x", "\n```\n", "# h", "- x", "1. x", "1", ".", "> q", "= ", "===", "---", "| a |", "|", "+", "-", "    x", "\t",
	"<b>", "</b>", "<!-- x -->", "<script>", "a", "word", "two words", "x", "42", " ", "  ", "é", "日本", "e\u0301", "👩‍👩‍👧", "🇩🇪", "\u200b", "\u202e", "\u2067", "{", "}",
	"$x$", "^", "%s", "{{.}}", "\x1b[31m", "\x07", "\x00", "\r\n", "\u2028",
}

var words = []string{"alpha", "beta", "gamma", "delta", "Status", "ok", "deploy", "x1", "done.", "really?", "(so)", "two words", "über", "naïve", "日本語"}

func pick[T any](r *rand.Rand, s []T) T { return s[r.IntN(len(s))] }

func genData(r *rand.Rand) string {
	var b strings.Builder
	for range 1 + r.IntN(4) {
		b.WriteString(pick(r, hostile))
		if r.IntN(4) == 0 {
			b.WriteString(pick(r, []string{" ", "\n", "a", "*", "`"}))
		}
	}
	if r.IntN(12) == 0 {
		b.WriteRune(rune(r.IntN(0x2fff)))
	}
	return b.String()
}

// genInline gives what stands in a line; without says what may not stand in it.
func genInline(r *rand.Rand, depth int, without string) []*el {
	var out []*el
	for n := 1 + r.IntN(3); len(out) < n; {
		k := pick(r, []string{"text", "text", "data", "data", "data", "user", "room", "time", "b", "i", "s", "code", "link"})
		if strings.Contains(without, k+" ") {
			continue
		}
		e := &el{kind: k}
		switch k {
		case "text":
			e.text = pick(r, words)
		case "data":
			e.text = genData(r)
		case "user":
			e.id, e.text = "123", pick(r, []string{"alice", "bob", "@all", "channel", "x<!here>", "a*b*", "Ann Lee"})
			if r.IntN(5) == 0 {
				e.id = pick(r, []string{"U1|x>", "1 2", "everyone", "<!here>", "&456"})
			}
		case "room":
			e.id, e.text = "456", pick(r, []string{"ops", "general", "", "x](y", "a b"})
		case "time":
			e.unix = int64(r.IntN(2_000_000_000))
		case "b", "i", "s":
			if depth == 0 {
				continue
			}
			e.kids = genInline(r, depth-1, without+k+" ")
			if marked(e.kids[0]) || marked(e.kids[len(e.kids)-1]) { // three stars are ambiguous in the source too
				e.kids = append(append([]*el{{kind: "text", text: "from"}}, e.kids...), &el{kind: "text", text: "to"})
			}
		case "code":
			e.text, e.data = "some code", false
			if r.IntN(3) > 0 {
				e.text, e.data = genData(r), true
			}
		case "link":
			e.kids = genInline(r, 0, without+"link user room time code ")
			e.id = pick(r, []string{"https://example.com/a", "https://example.com/?a=1&b=2", "mailto:a@example.com"})
			if r.IntN(3) == 0 {
				e.id, e.data = genData(r), true
				if r.IntN(2) == 0 {
					e.id = "https://evil.example/" + e.id
				}
			}
		}
		out = append(out, e)
	}
	return out
}

func genBlocks(r *rand.Rand, depth int) []*el {
	var out []*el
	for range 1 + r.IntN(2) {
		k := pick(r, []string{"p", "p", "p", "h", "q", "ul", "ol", "pre", "table"})
		if depth == 0 && strings.Contains("q ul ol", k) {
			k = "p"
		}
		if (k == "ul" || k == "ol") && len(out) > 0 && strings.HasSuffix(out[len(out)-1].kind, "l") {
			k = "p" // two lists in a row are one
		}
		if k == "q" && len(out) > 0 && out[len(out)-1].kind == "q" {
			k = "p"
		}
		e := &el{kind: k}
		switch k {
		case "p", "h":
			e.kids = genInline(r, 2, "")
			if k == "h" {
				e.id = strings.Repeat("#", 1+r.IntN(4))
			}
		case "q":
			e.kids = genBlocks(r, 0)
		case "ul", "ol":
			for range 1 + r.IntN(3) {
				li := &el{kind: "li", kids: []*el{{kind: "p", kids: genInline(r, 1, "")}}}
				if depth > 1 && r.IntN(3) == 0 {
					li.kids = append(li.kids, &el{kind: "ul", kids: []*el{{kind: "li", kids: []*el{{kind: "p", kids: genInline(r, 1, "")}}}}})
				}
				e.kids = append(e.kids, li)
			}
		case "pre":
			e.text, e.id = "line one\nline two", pick(r, []string{"", "go", "c++"})
			if r.IntN(3) > 0 {
				e.text, e.data = genData(r), true
			}
		case "table":
			columns := 1 + r.IntN(3)
			for range 1 + r.IntN(3) {
				row := &el{kind: "row"}
				for range columns {
					row.kids = append(row.kids, &el{kind: "cell", kids: genInline(r, 1, "")})
				}
				e.kids = append(e.kids, row)
			}
		}
		out = append(out, e)
	}
	return out
}

func genDoc(r *rand.Rand) *el { return &el{kind: "doc", kids: genBlocks(r, 2)} }

func (e *el) each(f func(*el)) {
	f(e)
	for _, k := range e.kids {
		k.each(f)
	}
}

// source writes e in the portable dialect.
func (e *el) source() string {
	var b strings.Builder
	switch e.kind {
	case "doc":
		for i, k := range e.kids {
			if i > 0 {
				b.WriteString("\n\n")
			}
			b.WriteString(k.source())
		}
	case "q":
		doc := el{kind: "doc", kids: e.kids}
		for i, l := range sourceLines(doc.source()) {
			if i > 0 {
				b.WriteString("\n")
			}
			b.WriteString("> " + l)
		}
	case "ul", "ol":
		for i, li := range e.kids {
			mark := "- "
			if e.kind == "ol" {
				mark = fmt.Sprintf("%d. ", i+3)
			}
			for j, k := range li.kids {
				for n, l := range sourceLines(k.source()) {
					if j == 0 && n == 0 {
						b.WriteString(mark + l)
					} else {
						b.WriteString("\n" + strings.Repeat(" ", len(mark)) + l)
					}
				}
			}
			if i < len(e.kids)-1 {
				b.WriteString("\n")
			}
		}
	case "pre":
		b.WriteString("```" + e.id + "\n" + maybe(e.text, e.data) + "\n```")
	case "table":
		for i, row := range e.kids {
			for _, c := range row.kids {
				b.WriteString("| " + c.source() + " ")
			}
			b.WriteString("|")
			if i == 0 {
				b.WriteString("\n" + strings.Repeat("|---", len(row.kids)) + "|")
			}
			if i < len(e.kids)-1 {
				b.WriteString("\n")
			}
		}
	case "h":
		return e.id + " " + inlineSource(e.kids)
	case "p", "cell":
		return inlineSource(e.kids)
	case "text":
		return e.text
	case "data":
		return adapter.Data(e.text)
	case "user":
		return adapter.Mention(adapter.User{ID: e.id, Name: e.text})
	case "room":
		return adapter.RoomLink(adapter.Room{ID: e.id, Name: e.text})
	case "time":
		return adapter.Timestamp(time.Unix(e.unix, 0))
	case "b":
		return "**" + inlineSource(e.kids) + "**"
	case "i":
		return "*" + inlineSource(e.kids) + "*"
	case "s":
		return "~~" + inlineSource(e.kids) + "~~"
	case "code":
		return "`" + maybe(e.text, e.data) + "`"
	case "link":
		return "[" + inlineSource(e.kids) + "](" + maybe(e.id, e.data) + ")"
	}
	return b.String()
}

// inlineSource: marks beside each other are ambiguous in the source, so that a space stands between.
func inlineSource(kids []*el) string {
	var b strings.Builder
	for i, k := range kids {
		if i > 0 && apart(kids[i-1], k) {
			b.WriteString(" ")
		}
		b.WriteString(k.source())
	}
	return b.String()
}

func apart(a, b *el) bool {
	return marked(a) || marked(b) || a.kind == "code" && b.kind == "code" || a.kind == "text" || b.kind == "text"
}

func marked(e *el) bool { return e.kind == "b" || e.kind == "i" || e.kind == "s" }

func maybe(s string, data bool) string {
	if data {
		return adapter.Data(s)
	}
	return s
}

// bare is text without what no reader can tell from nothing: white space, zero-width spaces, controls, what ends a
// direction, and characters that texts may not hold.
func bare(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Cc, r) || r == '\u200b' || r == '\u202c' || r == '\u2069' || r >= 0xFDD0 && r <= 0xFDEF {
			return -1
		}
		return r
	}, s)
}

// sourceLines splits a text at the line breaks that are not data.
func sourceLines(s string) []string {
	lines, data, from := []string(nil), false, 0
	for i, r := range s {
		switch {
		case r >= 0xFDD0 && r <= 0xFDD3:
			data = true
		case r == 0xFDD5:
			data = false
		case r == '\n' && !data:
			lines, from = append(lines, s[from:i]), i+1
		}
	}
	return append(lines, s[from:])
}
