package markdown_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
