package markdown_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/markdown"
)

// shape is the structure of a document without its texts.
func shape(d *markdown.Document) string {
	var b strings.Builder
	var walk func(n *markdown.Node)
	walk = func(n *markdown.Node) {
		b.WriteString(n.Kind.String() + "(")
		for c := range n.Children() {
			walk(c)
		}
		b.WriteString(")")
	}
	walk(d.Root())
	return b.String()
}

// TestDataNeverInfluencesStructure: the tree is the same whatever the data is, and the data is in it letter by letter.
func TestDataNeverInfluencesStructure(t *testing.T) {
	for seed := uint64(1); seed <= 3000; seed++ {
		r := rand.New(rand.NewPCG(seed, 3))
		doc := genDoc(r)
		before := shape(markdown.Parse(doc.source()))
		doc.each(func(e *el) {
			if e.kind == "data" || e.data && e.kind != "link" {
				e.text = genData(r)
			}
			if e.kind == "link" && e.data {
				e.id = genData(r)
			}
		})
		parsed := markdown.Parse(doc.source())
		require.Equal(t, before, shape(parsed), "seed %d, source %q", seed, doc.source())
		var want, got []string
		doc.each(func(e *el) {
			if e.kind == "data" {
				want = append(want, bare(e.text))
			}
		})
		var walk func(n *markdown.Node)
		walk = func(n *markdown.Node) {
			if n.Kind == markdown.KindData {
				got = append(got, bare(n.Text))
			}
			for c := range n.Children() {
				walk(c)
			}
		}
		walk(parsed.Root())
		require.Equal(t, want, got)
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"html is text", "<b>x</b>", `document paragraph text "<b>x</b>"`},
		{"escapes and entities", `\*a\* &amp; &#65; &copy; &nope;`, `document paragraph text "*a* & A © &nope;"`},
		{"no entity carries a node", "a&#xFDD1;b&#64977;", `document paragraph text "ab"`},
		{"no zero bytes", "a\x00b&#0;", "document paragraph text \"ab\uFFFD\""},
		{"not UTF-8", "a\xffb", "document paragraph text \"a\uFFFDb\""},
		{"reference", "[a]\n\n[a]: https://x.example", `document paragraph link "https://x.example" "https://x.example" text "a"`},
		{"data in an info string", "```" + adapter.Data("go\n```\n# x") + "\ny\n```", `document code block "y"`},
		{"a language", "```" + adapter.Data("c++") + "\ny\n```", `document code block "y" "c++"`},
		{"task list", "- [x] a\n- [ ] b", `document list item paragraph text "a" item paragraph text "b"`},
		{"table", "| a |\n|---|\n| b |", `document table row cell text "a" row cell text "b"`},
		{"data and a word are one word", "a" + adapter.Data("*") + "b", `document paragraph text "a" data "*" text "b"`},
		{"mention in code", "`" + adapter.Mention(adapter.User{ID: "U1", Name: "al"}) + "`", `document paragraph code "@al"`},
		{"data in an address", "[x](https://h.example/" + adapter.Data("a b)c") + ")", `document paragraph link "https://h.example/a b)c" "https://h.example/a%20b%29c" text "x"`},
		{"autolink", "<https://h.example/x>", `document paragraph link "https://h.example/x" "https://h.example/x" text "https://h.example/x"`},
		{"a tab in code", "```\n\tx\n```", `document code block "\tx"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, strings.Join(strings.Fields(markdown.Parse(c.text).String()), " "))
		})
	}
}

// TestLinks: T11, the host of a link that data chose is shown where the label hides it.
func TestLinks(t *testing.T) {
	data := adapter.Data
	for _, c := range []struct{ name, text, slack, discord, mattermost, plain string }{
		{"written by code", "[docs](https://a.example/x)", "<https://a.example/x|docs>", "[docs](<https://a.example/x>)", "[docs](https://a.example/x)", "docs (https://a.example/x)"},
		{"address is data", "[docs](" + data("https://evil.example/x") + ")", "<https://evil.example/x|docs> (evil.example)", "[docs](<https://evil.example/x>) (evil.example)",
			"[docs](https://evil.example/x) (evil.example)", "docs (https://evil.example/x)"},
		{"host is data", "[docs](https://a.example" + data(".evil.example/x") + ")", "<https://a.example.evil.example/x|docs> (a.example.evil.example)",
			"[docs](<https://a.example.evil.example/x>) (a.example.evil.example)", "[docs](https://a.example.evil.example/x) (a.example.evil.example)", "docs (https://a.example.evil.example/x)"},
		{"path is data", "[docs](https://a.example/" + data("x") + ")", "<https://a.example/x|docs>", "[docs](<https://a.example/x>)", "[docs](https://a.example/x)", "docs (https://a.example/x)"},
		{"label is another address", "[" + data("bank.example") + "](https://a.example/x)", "<https://a.example/x|bank.example> (a.example)",
			"[bank.example](<https://a.example/x>) (a.example)", "[bank.example](https://a.example/x) (a.example)", "bank.example (https://a.example/x)"},
		{"label shows the host", "[" + data("https://a.example/login") + "](" + data("https://a.example/x") + ")", "<https://a.example/x|https:\u200b//a.example/login>",
			`[https\://a.example/login](<https://a.example/x>)`, "[https:\u200b//a.example/login](https://a.example/x)", "https://a.example/login (https://a.example/x)"},
		{"label begins like the host", "[" + data("a.example.com") + "](" + data("https://a.example/") + ")", "<https://a.example/|a.example.com> (a.example)",
			"[a.example.com](<https://a.example/>) (a.example)", "[a.example.com](https://a.example/) (a.example)", "a.example.com (https://a.example/)"},
		{"a user in the address", "[x](" + data("https://bank.example@evil.example") + ")", "x (https:\u200b//bank.example@evil.example)", `x (https\://bank.example\@evil.example)`,
			"x (https:\u200b//bank.example@evil.example)", "x (https://bank.example@evil.example)"},
		{"a scheme that runs code", "[x](javascript:alert)", "x (javascript:alert)", "x (javascript:alert)", "x (javascript:alert)", "x (javascript:alert)"},
		{"a scheme from data", "[x](" + data("slack://open") + ")", "x (slack:\u200b//open)", `x (slack\://open)`, "x (slack:\u200b//open)", "x (slack://open)"},
		{"letters that look alike", "[x](" + data("https://аpple.example") + ")", "x (https:\u200b//аpple.example)", `x (https\://аpple.example)`, "x (https:\u200b//аpple.example)", "x (https://аpple.example)"},
		{"an address in a text", "see https://a.example/x_y. And (" + data("https://b.example/?a=1&b=2") + ")", "see <https://a.example/x_y>. And (<https://b.example/?a=1&amp;b=2>)",
			"see <https://a.example/x_y>. And (<https://b.example/?a=1&b=2>)", "see <https://a.example/x_y>. And (<https://b.example/?a=1&b=2>)", "see https://a.example/x_y. And (https://b.example/?a=1&b=2)"},
		{"an address with data in it", "https://a.example/" + data("feature/x") + "/log", "<https://a.example/feature/x/log>", "<https://a.example/feature/x/log>", "<https://a.example/feature/x/log>", "https://a.example/feature/x/log"},
		{"a picture", "![graph](https://a.example/g.png)", "<https://a.example/g.png|graph>", "[graph](<https://a.example/g.png>)", "[graph](https://a.example/g.png)", "graph (https://a.example/g.png)"},
		{"mail", "<ops@a.example>", "<mailto:ops@a.example|ops@a.example>", "[ops\\@a.example](<mailto:ops@a.example>)", "[ops@a.example](mailto:ops@a.example)", "ops@a.example"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.slack, markdown.Slack().Render(c.text))
			require.Equal(t, c.discord, markdown.Discord().Render(c.text))
			require.Equal(t, c.mattermost, markdown.Mattermost().Render(c.text))
			require.Equal(t, c.plain, markdown.Plain().Render(c.text))
		})
	}
}

// TestMassMentions: T9, nothing but Message.Notify mentions everybody.
func TestMassMentions(t *testing.T) {
	for _, text := range []string{"@all @here @channel @everyone", "<!here> <!channel> <!everyone>", "<@&1> x@all .@all", "https://x.example/@all", "`@all`"} {
		for name, r := range renderers() {
			if name == "plain" || strings.HasPrefix(name, "ansi") {
				continue
			}
			for _, in := range []string{text, adapter.Data(text), "**" + adapter.Data(text) + "**", "# " + adapter.Data(text), "| a |\n|--|\n| " + adapter.Data(text) + " |"} {
				out := r.Render(in)
				if strings.HasPrefix(name, "slack") {
					require.NotContains(t, out, "<!", name)
				}
				if !strings.Contains(out, "```") && !strings.Contains(text, "`") { // code is shown as it is
					require.NotContains(t, strings.ReplaceAll(out, `\<`, ""), "<@", name)
				}
				if name == "mattermost" && !strings.Contains(in, "`") {
					require.NotRegexp(t, `(^|[^0-9A-Za-z])@(all|here|channel)`, out)
				}
				if name == "discord" && !strings.ContainsAny(in, "`|/") {
					require.NotRegexp(t, `(^|[^\\])@(everyone|here)`, out)
				}
			}
		}
	}
	f := adapter.Features{MaxText: 30}
	m := &adapter.Message{Text: "the **site** is down, all hands on deck", Notify: adapter.NotifyRoom, Key: "k", Buttons: []adapter.Button{{Label: "ok"}}}
	for name, want := range map[string][]string{
		"slack":      {"<!channel> the *site* is down,", "all hands on deck"},
		"discord":    {"@everyone the **site** is", "down, all hands on deck"},
		"mattermost": {"@channel the **site** is down,", "all hands on deck"},
	} {
		parts := renderers()[name].Messages(m, f)
		require.Len(t, parts, 2, name)
		require.Equal(t, want, []string{parts[0].Text, parts[1].Text})
		require.Equal(t, []string{"k", "k/2"}, []string{parts[0].Key, parts[1].Key})
		require.Empty(t, parts[0].Buttons)
		require.Len(t, parts[1].Buttons, 1)
		require.Equal(t, adapter.NotifyNone, parts[1].Notify)
	}
}

// TestTerminal: T10, no control and no invisible character comes out, and no line is wider than the terminal.
func TestTerminal(t *testing.T) {
	sgr := regexp.MustCompile("\x1b\\[[0-9]{1,2}m")
	for seed := uint64(1); seed <= 1500; seed++ {
		r := rand.New(rand.NewPCG(seed, 5))
		doc := genDoc(r)
		doc.each(func(e *el) {
			if e.kind == "data" {
				e.text += "\x1b]8;;https://evil.example\x07\x9b31m\u202e\u200b\x7f"
			}
		})
		width := 20 + r.IntN(60)
		for name, out := range map[string]string{"ansi": markdown.ANSI(width, true).Render(doc.source()), "piped": markdown.ANSI(width, false).Render(doc.source()), "plain": markdown.Plain().Render(doc.source())} {
			text := out
			if name == "ansi" {
				text = sgr.ReplaceAllString(out, "")
			}
			require.NotRegexp(t, "[\x00-\x08\x0b-\x1f\x7f\u0080-\u009f\u200b-\u200f\u202a-\u202e\ufdd0-\ufdef]", text, "%s, seed %d", name, seed)
		}
	}
	prose := strings.Repeat("some words and **more of them** ", 30)
	for line := range strings.SplitSeq(markdown.ANSI(40, true).Render("> - "+prose+"\n\n"+prose), "\n") {
		require.LessOrEqual(t, markdown.Columns(sgr.ReplaceAllString(line, "")), 40, "%q", line)
	}
	require.Equal(t, "• one two\n  three", markdown.ANSI(10, false).Render("- one two three"))
	require.Equal(t, "│ one two\n│ three", markdown.ANSI(10, false).Render("> one two three"))
}

// TestBesides: whatever stands beside what, a terminal and plain text get what the pieces show and nothing between them.
func TestBesides(t *testing.T) {
	sgr := regexp.MustCompile("\x1b\\[[0-9;]+m")
	pieces := map[string]string{ // by what they show
		"a": "a", "(": "(", "!": "\\!", "`": "\\`", "*": "\\*", "_": "\\_", "b": "**b**", "c": "*c*", "d": "~~d~~", "e": "`e`", "fg": "***f** g*", "h*": "**h\\***", "+i": "*\\+i*",
		"j (http://j.example)": "[j](http://j.example)", "@k": adapter.Mention(adapter.User{ID: "K", Name: "k"}), "#l": adapter.RoomLink(adapter.Room{ID: "L", Name: "l"}), "*m": adapter.Data("*m"),
	}
	renderers := map[string]*markdown.Renderer{"ansi": markdown.ANSI(0, true), "piped": markdown.ANSI(0, false), "plain": markdown.Plain()}
	runs := 0
	for shown1, one := range pieces {
		for shown2, two := range pieces {
			for shown3, three := range pieces {
				doc := markdown.Parse("x " + one + two + three + " y")
				plain := renderers["plain"].Document(doc).Text()
				if plain != "x "+shown1+shown2+shown3+" y" { // read otherwise together, by the rules of CommonMark
					require.NotContains(t, plain, "\u200b")
				} else {
					runs++
				}
				for name, r := range renderers {
					require.Equal(t, plain, sgr.ReplaceAllString(r.Document(doc).Text(), ""), "%s: %q", name, one+two+three)
				}
			}
		}
	}
	require.Greater(t, runs, 1000)
}

// TestDirections: a direction that data begins ends with it, on every platform that shows it; what is written from right
// to left stays as it is.
func TestDirections(t *testing.T) {
	for data, want := range map[string]string{
		"שלום":                            "שלום",
		"a\u202egnp.exe":                  "a\u202egnp.exe\u202c",
		"\u202eab\u202c":                  "\u202eab\u202c",
		"\u202e\u2067ab":                  "\u202e\u2067ab\u2069\u202c",
		"\u2067\u202eab\u2069":            "\u2067\u202eab\u2069",
		"\u2066\u202c\u202aab":            "\u2066\u202c\u202aab\u202c\u2069",
		"\u202c\u2069ab":                  "\u202c\u2069ab",
		"\u202eprod\nto":                  "\u202eprod\nto\u202c",
		"\u200e" + "ok" + "\u202d\u202bx": "\u200eok\u202d\u202bx\u202c\u202c",
	} {
		for name, r := range map[string]*markdown.Renderer{"slack": markdown.Slack(), "slack-block": markdown.SlackBlock(), "discord": markdown.Discord(), "mattermost": markdown.Mattermost()} {
			require.Equal(t, "x "+want+" is ok", r.Render("x "+adapter.Data(data)+" is ok"), name)
			line := strings.ReplaceAll(want, "\n", " ")
			require.Equal(t, "x `"+line+"` is ok", r.Render("x `"+adapter.Data(data)+"` is ok"), name)
			require.Contains(t, r.Render("# "+adapter.Data(data)+" is ok"), strings.TrimLeft(line, "\u202c\u2069")+" is ok", name)
		}
	}
	out := markdown.Slack().Render("by " + adapter.Mention(adapter.User{ID: "no id", Name: "al\u202e"}) + " to [" + adapter.Data("\u202ex") + "](https://a.example/" + adapter.Data("\u202e") + ")")
	require.Equal(t, "by @al\u202e\u202c to <https://a.example/%E2%80%AE|\u202ex\u202c>", out, "an address is encoded and not changed")
}

func TestOverride(t *testing.T) {
	r := markdown.Discord()
	r.Override = map[markdown.Kind]func(*markdown.Writer, *markdown.Node){
		markdown.KindHeading: func(w *markdown.Writer, n *markdown.Node) { w.Raw(">> "); w.Inline(n) },
		markdown.KindMention: func(w *markdown.Writer, n *markdown.Node) { w.Text("*" + n.Text + "*") },
		markdown.KindStrong:  func(w *markdown.Writer, n *markdown.Node) { w.Atom("!"); w.Default(n) },
	}
	require.Equal(t, ">> Title **x**\n\n\\*al\\* !**b**"[:9], r.Render("# Title **x**\n\n" + adapter.Mention(adapter.User{ID: "1", Name: "al"}) + " **b**")[:9])
	require.Contains(t, r.Render(adapter.Mention(adapter.User{ID: "1", Name: "al"})+" **b**"), "\\*al\\* !**b**")
}

func TestMattermostNames(t *testing.T) {
	r := markdown.Mattermost()
	text := adapter.Format("%s in %s", adapter.User{ID: "u1", Name: "Ann Lee"}, adapter.Room{ID: "c1", Name: "Ops Room"})
	require.Equal(t, "@\u200bAnn Lee in \\#Ops Room", r.Render(text))
	r.UserName = func(id string) string { return map[string]string{"u1": "ann.lee"}[id] }
	r.RoomName = func(id string) string { return map[string]string{"c1": "ops"}[id] }
	require.Equal(t, "@ann.lee\u200b in ~ops\u200b", r.Render(text))
	require.Equal(t, "@\u200ball", r.Render(adapter.Mention(adapter.User{ID: "u2", Name: "all"})))
	r.Location = time.FixedZone("CET", 3600)
	require.Equal(t, "2026-01-01 01:00 CET", r.Render(adapter.Timestamp(time.Unix(1767225600, 0))))
}

// TestFastPath: a text that is taken for simple is rendered as it is by the slow path too.
func TestFastPath(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pieces := append([]string{"a", "b ", " ", "\n", ". ", ": ", "1", "-", "+", "(", ")", "!", "x.", "?", ",", "'", "\"", ";", "%", "$", "^", "{", "}", "/", ":", "http://a"}, words...)
	simple := 0
	for range 20000 {
		var b strings.Builder
		for range 1 + r.IntN(8) {
			b.WriteString(pick(r, pieces))
		}
		text := b.String()
		if !markdown.Simple(text) {
			continue
		}
		simple++
		require.Equal(t, markdown.ParseFully(text).String(), markdown.Parse(text).String(), "%q", text)
		for name, renderer := range renderers() {
			if renderer.Width > 0 {
				continue
			}
			require.Equal(t, text, renderer.Document(markdown.ParseFully(text)).Text(), "%s %q", name, text)
		}
	}
	require.Greater(t, simple, 1000)
}

func TestClusters(t *testing.T) {
	for _, s := range []string{"a", "é", "e\u0301", "👩‍👩‍👧‍👦", "🇩🇪", "👍🏽", "क्षि", "각", "\u1100\u1161\u11a8", "\r\n", "☎️", "🏴\U000e0067\U000e0062\U000e007f", "ก็", "நி", "1️⃣"} {
		require.Equal(t, len(s), markdown.ClusterLen(s+"x"), "%q", s)
		require.Equal(t, len(s), markdown.ClusterLen(s+"漢"), "%q", s)
	}
	require.Equal(t, len("🇩🇪"), markdown.ClusterLen("🇩🇪🇫🇷"))
}

// TestHostileSizes: 8 times 16 KiB of what makes a careless renderer slow takes a fraction of a second; a quadratic one would
// take minutes. The limit is that of a machine that does something else beside it. With the race detector 8 times 2 KiB.
func TestHostileSizes(t *testing.T) {
	size := 16 << 10
	if raceEnabled {
		size = 2 << 10
	}
	slowest, what := time.Duration(0), ""
	for _, piece := range []string{"http://@", "https://x)", "(", ")", "`", "*", "_a", "@", "www.", "&a", ":a", "<", "\\", "\n", "\n> ", " ", "[", "](", "e\u0301", "\u0301", "😀", "| ", "\n    x", "1."} {
		data := strings.Repeat(piece, size/len(piece))
		text := adapter.Format("# %s\n\n**%s** `%s` [%s](%s)\n\n> - %s\n\n```\n%s\n```\n\n| a |\n|---|\n| %s |", data, data, data, data, data, data, data, data)
		for name, r := range renderers() {
			start := time.Now()
			r.Split(text, 2000, adapter.UnitUTF16)
			took := time.Since(start)
			require.Less(t, took, 20*time.Second, "%s %q", name, piece)
			if took > slowest {
				slowest, what = took, fmt.Sprintf("%s %q", name, piece)
			}
		}
	}
	t.Logf("slowest: %v for %s", slowest, what)
}

// TestEmptyData: a piece of data with nothing in it keeps the structure of what stands around it. Without a node there
// "**%s**" would be a line across, and "- %s" would be no item.
func TestEmptyData(t *testing.T) {
	m := func(s string) adapter.Node { return adapter.Node{Kind: adapter.NodeMarkup, Text: s} }
	for _, empty := range []string{"", "\x00", "\r\x1b"} {
		for _, around := range [][2]string{{"**", "**"}, {"x **", "** y"}, {"*", "*"}, {"~~", "~~"}, {"`", "`"}, {"- ", ""}, {"# ", ""}, {"```\n", "\n```"}, {"[", "](https://a.example)"},
			{"[a](", ")"}, {"| a |\n|---|\n| ", " |"}, {"> ", ""}} {
			data := func(s string) *markdown.Document {
				return markdown.ParseNodes(m(around[0]), adapter.Node{Kind: adapter.NodeData, Text: s}, m(around[1]))
			}
			require.Equal(t, shape(data("x")), shape(data(empty)), "%q", around)
			for name, r := range renderers() {
				if out := r.Document(data(empty)).Text(); strings.Trim(around[0]+around[1], "*~`") == "" {
					require.Empty(t, strings.Trim(out, " \u200b"), "%s: marks around nothing", name)
				}
			}
		}
	}
}

// TestMessagesOf: a document that was parsed already gives what its text gives.
func TestMessagesOf(t *testing.T) {
	r := markdown.Slack()
	for _, text := range []string{"plain", "**a** " + adapter.Data("*b*"), strings.Repeat("some words ", 40), ""} {
		for _, notify := range []adapter.Notify{"", adapter.NotifyHere} {
			m := &adapter.Message{Text: text, Notify: notify, Key: "k", Fields: []adapter.Field{{Name: "n", Value: "**v**"}}, Buttons: []adapter.Button{{Label: "l"}}}
			f := adapter.Features{MaxText: 100}
			require.Equal(t, r.Messages(m, f), r.MessagesOf(markdown.Parse(text), m, f))
		}
	}
}

// TestLead: the first line leaves room for what stands before it.
func TestLead(t *testing.T) {
	r := markdown.ANSI(20, false)
	r.Lead = 12
	require.Equal(t, "one two\nthree four five six\nseven", r.Render("one two three four five six seven"))
	r.Lead = 40 // more than there is: the terminal breaks it
	require.Equal(t, "one\ntwo three four five\nsix", r.Render("one two three four five six"))
}
