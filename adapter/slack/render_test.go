package slack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/slack"
	"github.com/starlingbot/starling/internal/slackfake"
)

// forms gives what a part goes out as: "mrkdwn", or the types of its blocks.
func forms(t *testing.T, p *adapter.Message) string {
	t.Helper()
	if len(p.Native["slack"]) == 0 {
		return "mrkdwn"
	}
	var blocks []struct {
		Type string `json:"type"`
		Text any    `json:"text"`
	}
	require.NoError(t, json.Unmarshal(p.Native["slack"], &blocks))
	var types []string
	for _, b := range blocks {
		types = append(types, b.Type)
	}
	return strings.Join(types, " ")
}

// TestWhichKeepsMore: mrkdwn where it shows all of a text, a markdown block where that keeps more of it.
func TestWhichKeepsMore(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		a := idle(t, f, configFor(f))
		ann := adapter.User{ID: "U1", Name: "ann"}
		table := "| a | b |\n|---|---|\n| 1 | 2 |"
		for _, c := range []struct{ name, text, want, wire string }{
			{"words", "all is well", "mrkdwn", "all is well"},
			{"marks", "**b** *i* ~~s~~ `c` [l](https://x.example/?a&b)", "mrkdwn", "*b* _i_ ~s~ `c` <https://x.example/?a&amp;b|l>"},
			{"code", "```\na < b\n```", "mrkdwn", "```\na &lt; b\n```"},
			{"quote", "> q", "mrkdwn", "> q"},
			{"picture", "![graph](https://x.example/g.png)", "mrkdwn", "<https://x.example/g.png|graph>"},
			{"harmless data", adapter.Format("%s & %s", "a_b", "<c>"), "mrkdwn", "a_b &amp; &lt;c&gt;"},
			{"heading", "# h", "markdown", "# h"},
			{"list", "- a\n- b", "markdown", "- a\n- b"},
			{"tasks", "- [x] a", "markdown", "- [x] a"},
			{"table", table, "markdown", "| a | b |\n| --- | --- |\n| 1 | 2 |"},
			{"rule", "a\n\n---\n\nb", "markdown", "a\n\n---\n\nb"},
			{"language", "```go\nx\n```", "markdown", "```go\nx\n```"},
			{"quote in a quote", "> a\n> > b", "markdown", "> a\n> \n> > b"},
			{"code with a backtick in a list", "- `` a`b ``", "markdown", "- ``a`b``"},
			{"data that formats in a list", adapter.Format("- run %s", "*x* _y_ ~z~ `c`"), "markdown", "- run \\*x\\* \\_y\\_ \\~z\\~ \\`c\\`"},
			{"a mention and a table", adapter.Format("%s:\n\n%s", ann, adapter.Markup(table)), "mrkdwn", "<@U1>:\n\n```\na  b\n-  -\n1  2\n```"},
			{"a room and a heading", adapter.Format("# %s", adapter.Room{ID: "C2", Name: "dev"}), "mrkdwn", "*<#C2>*"},
			{"a time and a list", adapter.Format("- %s", time.Unix(0, 0)), "mrkdwn", "• <!date^0^{date_short_pretty} {time}|1970-01-01 00:00 UTC>"},
			{"a mention and data in a list", adapter.Format("- %s: %s", ann, "*x*"), "mrkdwn", "• <@U1>: *\u200bx*\u200b"},
			{"code with < in a list", "- `a<b`", "mrkdwn", "• `a&lt;b`"},
			{"code with & in a language", "```go\na && b\n```", "mrkdwn", "```\na &amp;&amp; b\n```"},
			{"an address with & in a list", "- https://x.example/?a&b", "mrkdwn", "• <https://x.example/?a&amp;b>"},
			{"the same in brackets", "- <https://x.example/?a&b>", "mrkdwn", "• <https://x.example/?a&amp;b>"},
			{"the same with a label", "- [log](https://x.example/?a&b)", "markdown", "- [log](https://x.example/?a&b)"},
			{"data and an address", adapter.Format("%s", "*x* https://x.example/"), "markdown", "\\*x\\* <https://x.example/>"},
			{"very many blocks", strings.Repeat("# h\n", 60), "mrkdwn", strings.TrimSpace(strings.Repeat("*h*\n\n", 60))},
		} {
			parts, err := a.Render(&adapter.Message{To: to("C1"), Text: c.text})
			require.NoError(t, err)
			require.Len(t, parts, 1, c.name)
			require.Equal(t, c.want, forms(t, parts[0]), c.name)
			if c.want == "mrkdwn" {
				require.Equal(t, c.wire, parts[0].Text, c.name)
				continue
			}
			var blocks []struct{ Text string }
			require.NoError(t, json.Unmarshal(parts[0].Native["slack"], &blocks))
			require.Equal(t, c.wire, blocks[0].Text, c.name)
			require.NotContains(t, strings.ReplaceAll(parts[0].Text, "\\", ""), "\u200b", "a notification is plain")
		}
		for _, c := range []struct{ text, want string }{
			{adapter.Format("**run** %s", "*x*"), `[{"type":"text","text":"run","style":{"bold":true}},{"type":"text","text":" "},{"type":"text","text":"*x*"}]`},
			{adapter.Format("%s :tada: %s", ann, "*x* :tada:"), `[{"type":"user","user_id":"U1"},{"type":"text","text":" "},{"type":"emoji","name":"tada"},{"type":"text","text":" "},{"type":"text","text":"*x* :tada:"}]`},
			{adapter.Format("a\n\n*%s* in %s", "`", adapter.Room{ID: "C2"}), "[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"\\n\\n\"},{\"type\":\"text\",\"text\":\"`\",\"style\":{\"italic\":true}},{\"type\":\"text\",\"text\":\" in \"},{\"type\":\"channel\",\"channel_id\":\"C2\"}]"},
			{"~~**`` a`b ``**~~ \\*", "[{\"type\":\"text\",\"text\":\"a`b\",\"style\":{\"bold\":true,\"strike\":true,\"code\":true}},{\"type\":\"text\",\"text\":\" *\"}]"},
			{adapter.Format("%s %s", adapter.User{ID: "U1> <!channel", Name: "x"}, "*y*"), `[{"type":"text","text":"@x"},{"type":"text","text":" "},{"type":"text","text":"*y*"}]`},
			{adapter.Format("%s at %v", "~x~", time.Unix(0, 0)), `[{"type":"text","text":"~x~"},{"type":"text","text":" at "},{"type":"date","timestamp":0,"format":"{date_short_pretty} {time}","fallback":"1970-01-01 00:00 UTC"}]`},
		} {
			parts, err := a.Render(&adapter.Message{To: to("C1"), Text: c.text})
			require.NoError(t, err)
			require.Len(t, parts, 1)
			require.JSONEq(t, `[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":`+c.want+`}]}]`, string(parts[0].Native["slack"]))
		}
		for mention, want := range map[string]string{"": "markdown", adapter.Mention(ann): "mrkdwn"} { // too long for one part
			parts, err := a.Render(&adapter.Message{To: to("C1"), Text: mention + adapter.Data(strings.Repeat("*x* ", 1500))})
			require.NoError(t, err)
			require.Greater(t, len(parts), 1)
			for _, p := range parts {
				require.Equal(t, want, forms(t, p))
			}
		}
		for want, m := range map[string]*adapter.Message{
			"rich_text actions":       {Text: adapter.Data("*x*"), Notify: adapter.NotifyHere, Buttons: []adapter.Button{{Label: "b"}}},
			"mrkdwn":                  {Text: "# h", Color: adapter.ColorBad},
			"section actions":         {Text: "# h", Notify: adapter.NotifyHere, Buttons: []adapter.Button{{Label: "b"}}},
			"markdown section":        {Text: "# h", Fields: []adapter.Field{{Name: "n", Value: "v"}}},
			"section section":         {Text: "h", Fields: []adapter.Field{{Name: "n", Value: "v"}}},
			"section section actions": {Fields: slices.Repeat([]adapter.Field{{Name: "n", Value: "v"}}, 11), Buttons: []adapter.Button{{Label: "b"}}},
		} {
			m.To = to("C1")
			parts, err := a.Render(m)
			require.NoError(t, err)
			require.Equal(t, want, forms(t, parts[len(parts)-1]))
		}
	})
}

// hostile is data as somebody would write it who wants more than to be read.
var hostile = []string{
	"<!channel>", "<@U2>", "*b*", "_i_", "~s~", "`c`", "```", "# h", "- i", "1. n", "> q", "| a | b |", "[l](https://evil.example)", "<https://evil.example|Log in>", "&lt;!here&gt;",
	"@here", "@channel", ":tada:", "\\*", "---", "a\n\nb", "=====", "https://evil.example/?a=1&b=<2>", "👩‍👩‍👧‍👦", "<!date^0^x|y>", "</", "&amp;amp;",
}

// random makes a message, the words that are to be read in it in order, and whom it mentions.
func random(r *rand.Rand) (m *adapter.Message, words, pings []string) {
	m = &adapter.Message{To: to("C1"), Key: "k"}
	n := 0
	word := func() string {
		n++
		w := fmt.Sprintf("w%04dw", n)
		words = append(words, w)
		return w
	}
	data := func() string {
		s := word()
		for range r.IntN(4) {
			s += " " + hostile[r.IntN(len(hostile))]
		}
		return adapter.Data(s)
	}
	line := func() string {
		s := word()
		for range r.IntN(12) {
			switch r.IntN(8) {
			case 0:
				s += " **" + data() + "**"
			case 1:
				s += " `" + word() + "`"
			case 4:
				if r.IntN(8) == 0 {
					s += " `" + data() + "`"
				}
			case 2:
				s += " [" + word() + "](https://x.example/a?b=c&d=e)"
			case 3:
				s += " " + data()
			default:
				s += " " + word()
			}
		}
		return s
	}
	var b strings.Builder
	mention := r.IntN(3) == 0
	kinds := 8
	if r.IntN(3) == 0 { // a short answer
		kinds = 0
		b.WriteString(word() + " **" + data() + "** " + data())
	}
	for range min(r.IntN(r.IntN(40)+1), 5*kinds) {
		switch r.IntN(kinds) {
		case 0:
			b.WriteString("# " + line() + "\n\n")
		case 1:
			b.WriteString("- " + line() + "\n- " + line() + "\n\n")
		case 2:
			b.WriteString("| " + data() + " | " + word() + " |\n|---|--:|\n")
			for range r.IntN(20) {
				b.WriteString("| " + word() + " | " + data() + " |\n")
			}
			b.WriteString("\n")
		case 3:
			b.WriteString("```go\n")
			for range r.IntN(30) {
				b.WriteString(line() + "\n")
			}
			b.WriteString("```\n\n")
		case 4:
			b.WriteString("> " + line() + "\n\n")
		case 5:
			b.WriteString("x" + strings.Repeat("é", r.IntN(5000)) + " " + line() + "\n\n")
		default:
			b.WriteString(line() + "\n\n")
		}
		if mention && r.IntN(4) == 0 {
			b.WriteString(adapter.Mention(adapter.User{ID: "U1", Name: "ann"}) + "\n\n")
			pings = append(pings, "U1")
		}
	}
	m.Text = b.String()
	if r.IntN(3) == 0 {
		for range r.IntN(25) {
			m.Fields = append(m.Fields, adapter.Field{Name: "n" + hostile[r.IntN(len(hostile))], Value: strings.Repeat("v"+adapter.Data(hostile[r.IntN(len(hostile))])+" ", 1+r.IntN(60))})
		}
	}
	if r.IntN(3) == 0 {
		for range r.IntN(60) {
			m.Buttons = append(m.Buttons, adapter.Button{Label: strings.Repeat("b"+hostile[r.IntN(len(hostile))], 1+r.IntN(9)), Command: strings.Repeat("c&", r.IntN(80))})
		}
	}
	switch r.IntN(6) {
	case 0:
		m.Color = adapter.ColorWarn
	case 1:
		m.Notify = adapter.NotifyHere
		pings = append([]string{"here"}, pings...)
	}
	return m, words, pings
}

// TestLimitsHold: whatever a message is, its parts are within the limits of Slack, which takes them; nothing of the text is
// lost or out of order; and nobody is mentioned but by code.
func TestLimitsHold(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		a := idle(t, f, configFor(f))
		n := 200
		if testing.Short() {
			n = 30
		}
		seen := map[string]int{}
		for seed := range uint64(n) {
			m, words, pings := random(rand.New(rand.NewPCG(seed, 5)))
			parts, err := a.Render(m)
			require.NoError(t, err, "seed %d", seed)
			before := len(f.Posts())
			for i, p := range parts {
				require.LessOrEqual(t, utf8.RuneCountInString(p.Text), 4000, "seed %d", seed)
				require.NotEmpty(t, strings.TrimSpace(p.Text), "seed %d", seed)
				require.Empty(t, p.Notify+adapter.Notify(p.Only))
				require.Empty(t, p.Fields)
				require.Empty(t, p.Buttons)
				if i < len(parts)-1 {
					require.NotContains(t, forms(t, p), "actions")
				}
				seen[strings.SplitN(forms(t, p), " ", 2)[0]]++
				wait(2 * time.Second)
				_, err := a.Send(t.Context(), p) // the fake refuses what Slack would
				require.NoError(t, err, "seed %d: %s", seed, p.Native["slack"])
			}
			var shown, pinged []string
			for _, p := range f.Posts()[before:] {
				shown = append(shown, f.Shown(&p))
				pinged = append(pinged, p.Pings()...)
			}
			all := strings.Join(shown, " ")
			for _, w := range words {
				i := strings.Index(all, w)
				require.GreaterOrEqual(t, i, 0, "seed %d: %s is lost in %q", seed, w, shown)
				all = all[i+len(w):]
			}
			require.Equal(t, pings, pinged, "seed %d", seed)
			if len(m.Buttons) > 0 {
				last := f.Posts()[len(f.Posts())-1]
				require.Len(t, last.Buttons(), len(m.Buttons), "seed %d", seed)
			}
		}
		t.Log(seen)
		for _, form := range []string{"mrkdwn", "markdown", "section", "rich_text"} {
			require.Greater(t, seen[form], n/50, "%v", seen)
		}
	})
}

// TestDataIsShown: whatever data is and whatever it stands in, it is read letter by letter, in mrkdwn and in a block.
func TestDataIsShown(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		a := idle(t, f, configFor(f))
		squeeze := func(s string) string { return strings.Join(strings.Fields(s), "") }
		for _, mention := range []string{"", adapter.Mention(adapter.User{ID: "U1", Name: "ann"}) + "\n\n"} {
			for _, around := range [][2]string{{"", ""}, {"x ", " y"}, {"**", "**"}, {"*", "*"}, {"a ~~", "~~ b"}, {"`", "`"}, {"```\n", "\n```"}, {"# ", ""}, {"- ", ""}, {"> ", ""},
				{"[", "](https://a.example)"}, {"| h |\n|---|\n| ", " |"}, {"1. **", "**"}} {
				for _, h := range hostile {
					wait(2 * time.Second)
					parts, err := a.Render(&adapter.Message{To: to("C1"), Text: mention + around[0] + adapter.Data(h) + around[1]})
					require.NoError(t, err)
					require.Len(t, parts, 1)
					_, err = a.Send(t.Context(), parts[0])
					require.NoError(t, err)
					posts := f.Posts()
					shown := posts[len(posts)-1]
					require.Contains(t, squeeze(f.Shown(&shown)), squeeze(h), "%q %q", around, parts[0])
					if mention == "" {
						require.Empty(t, shown.Pings())
					} else {
						require.Equal(t, []string{"U1"}, shown.Pings())
					}
				}
			}
		}
	})
}

// TestNative: the author's own blocks go out as they are and no other platform's; the text beside them is for notifications
// and may have any length.
func TestNative(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		a := idle(t, f, configFor(f))
		blocks := `[{"type":"header","text":{"type":"plain_text","text":"H"},"from_tomorrow":1},{"type":"divider"}]`
		send := func(m *adapter.Message) slackfake.Message {
			m.To = to("C1")
			parts, err := a.Render(m)
			require.NoError(t, err)
			require.Len(t, parts, 1)
			wait(2 * time.Second)
			_, err = a.Send(t.Context(), parts[0])
			require.NoError(t, err)
			posts := f.Posts()
			return posts[len(posts)-1]
		}
		m := send(&adapter.Message{Text: "**for** " + adapter.Data("<others>") + strings.Repeat(" word", 2000), Native: map[string]json.RawMessage{"slack": json.RawMessage(blocks), "discord": json.RawMessage(`[1]`)},
			Fields: []adapter.Field{{Name: "a", Value: "b"}}, Buttons: []adapter.Button{{Label: "x"}}})
		require.JSONEq(t, blocks, string(m.Blocks))
		require.True(t, strings.HasPrefix(m.Text, "for &lt;others&gt; word word"), m.Text)
		require.LessOrEqual(t, utf8.RuneCountInString(m.Text), 4000)

		m = send(&adapter.Message{Native: map[string]json.RawMessage{"slack": json.RawMessage(blocks)}, Notify: adapter.NotifyRoom})
		require.Equal(t, []string{"channel"}, m.Pings(), "a mass mention that was asked for reaches the room")
		require.Contains(t, string(m.Blocks), `"from_tomorrow":1`)

		m = send(&adapter.Message{Text: "**bold**", Native: map[string]json.RawMessage{"discord": json.RawMessage(`[{}]`)}})
		require.Equal(t, "*bold*", m.Text)
		require.Empty(t, m.Blocks)

		for raw, is := range map[string]error{
			`{}`: adapter.ErrInvalid, `[]`: adapter.ErrInvalid, `"x"`: adapter.ErrInvalid, `[`: adapter.ErrInvalid,
			"[" + strings.TrimSuffix(strings.Repeat(`{"type":"divider"},`, 51), ",") + "]": adapter.ErrTooLong,
		} {
			_, err := a.Render(&adapter.Message{To: to("C1"), Text: "x", Native: map[string]json.RawMessage{"slack": json.RawMessage(raw)}})
			require.ErrorIs(t, err, is)
		}
		_, err := a.Render(&adapter.Message{To: to("C1"), Notify: adapter.NotifyHere,
			Native: map[string]json.RawMessage{"slack": json.RawMessage("[" + strings.TrimSuffix(strings.Repeat(`{"type":"divider"},`, 50), ",") + "]")}})
		require.ErrorIs(t, err, adapter.ErrTooLong)
	})
}

// TestFields: a field is mrkdwn where that shows it, else plain text; what has no room is refused.
func TestFields(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		a := idle(t, f, configFor(f))
		field := func(name, value string) (string, string) {
			parts, err := a.Render(&adapter.Message{To: to("C1"), Fields: []adapter.Field{{Name: name, Value: value}}})
			require.NoError(t, err)
			var blocks []struct{ Fields []struct{ Type, Text string } }
			require.NoError(t, json.Unmarshal(parts[0].Native["slack"], &blocks))
			return blocks[0].Fields[0].Type, blocks[0].Fields[0].Text
		}
		for _, c := range [][4]string{
			{"Host", "web", "mrkdwn", "*Host*\nweb"},
			{"Host\nname", "**web** <1>", "mrkdwn", "*Host name*\n*web* &lt;1&gt;"},
			{"Host", adapter.Data("*.example"), "plain_text", "Host\n*.example"},
			{"*Host*", "web", "plain_text", "*Host*\nweb"},
			{"Host", "**a** " + adapter.Data("*b*"), "mrkdwn", "*Host*\n*a* *\u200bb*\u200b"},
			{"Who", adapter.Mention(adapter.User{ID: "U1", Name: "ann"}), "mrkdwn", "*Who*\n<@U1>"},
			{"", "web", "mrkdwn", "\nweb"},
			{"Host", "", "mrkdwn", "*Host*"},
			{"Load", strings.Repeat("&", 500), "plain_text", "Load\n" + strings.Repeat("&", 500)},
		} {
			kind, text := field(c[0], c[1])
			require.Equal(t, c[2:], []string{kind, text})
		}
		for value, is := range map[string]error{strings.Repeat("x", 2000): adapter.ErrTooLong, "": adapter.ErrInvalid} {
			name := "n"
			if value == "" {
				name = ""
			}
			_, err := a.Render(&adapter.Message{To: to("C1"), Fields: []adapter.Field{{Name: name, Value: value}}})
			require.ErrorIs(t, err, is)
		}
		_, err := a.Render(&adapter.Message{To: to("C1"), Text: "x", Fields: slices.Repeat([]adapter.Field{{Name: "n", Value: "v"}}, 500)})
		require.ErrorIs(t, err, adapter.ErrTooLong)
		_, err = a.Render(&adapter.Message{To: to("C1"), Text: "x", Buttons: []adapter.Button{{Label: " "}}})
		require.ErrorIs(t, err, adapter.ErrInvalid)
	})
}

// TestPictures: a picture has a name that Slack knows one by, whatever the bot calls it, and comes after the text, in a
// message of its own.
func TestPictures(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		a := idle(t, f, configFor(f))
		open := func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("picture")), nil }
		for in, want := range map[[2]string][2]string{
			{"load.png", "image/png"}:   {"load.png", "load"},
			{"load", "image/png"}:       {"load.png", "load"},
			{"load.JPEG", "image/jpeg"}: {"load.JPEG", "load"},
			{"v1.2", "image/gif"}:       {"v1.2.gif", "v1"},
			{"", "image/webp"}:          {"file.webp", "file"},
			{"log", "text/plain"}:       {"log", ""},
			{"x", ""}:                   {"x", ""},
		} {
			file := adapter.File{Name: in[0], Type: in[1], Open: open}
			parts, err := a.Render(&adapter.Message{To: to("C1"), Text: "see", Key: "k", Notify: adapter.NotifyHere, Files: []adapter.File{file}})
			require.NoError(t, err)
			require.Len(t, parts, 2)
			require.Equal(t, [2]string{"k", "k/2"}, [2]string{parts[0].Key, parts[1].Key})
			require.Empty(t, parts[0].Files)
			require.Empty(t, parts[1].Notify)
			for _, p := range parts {
				wait(2 * time.Second)
				_, err := a.Send(t.Context(), p)
				require.NoError(t, err)
			}
			posts := f.Posts()
			got := posts[len(posts)-1].Files[0]
			require.Equal(t, want, [2]string{got.Name, got.Alt})
			require.Equal(t, "picture", got.Content)
			require.Equal(t, strings.HasPrefix(in[1], "image/"), strings.HasPrefix(got.Type, "image/"))
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// endless gives bytes without an end and counts them.
type endless struct{ n atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	e.n.Add(int64(len(p)))
	return len(p), nil
}

func (*endless) Close() error { return nil }

// TestFilesStream: a file of a gigabyte goes out, and comes in, without being held in memory.
func TestFilesStream(t *testing.T) {
	t.Parallel()
	const size = 1 << 30
	out, in := &endless{}, &endless{}
	errStop := errors.New("that is enough")
	answer := func(body string) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
	cfg := slack.Config{BotToken: "xoxb-cnrymark", AppToken: "xapp-cnrymark", APIURL: "https://slack.example/api/", Logger: quiet(), HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		switch r.URL.Path {
		case "/api/files.getUploadURLExternal":
			return answer(`{"ok":true,"upload_url":"https://slack.example/upload/1","file_id":"F1"}`)
		case "/upload/1":
			require.EqualValues(t, size, r.ContentLength)
			first, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
			require.NoError(t, err)
			require.Len(t, first, 1<<20)
			require.Less(t, out.n.Load(), int64(4<<20), "what was not sent yet was not read either")
			return nil, errStop
		case "/api/files.info":
			return answer(`{"ok":true,"file":{"url_private_download":"https://slack.example/files/1"}}`)
		case "/files/1":
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: in}, nil
		}
		return nil, fmt.Errorf("no such place: %s", r.URL)
	})}}
	a, err := slack.New(cfg)
	require.NoError(t, err)
	defer func() { require.NoError(t, a.Close()) }()
	_, err = a.Upload(t.Context(), to("C1"), adapter.File{Name: "big", Size: size, Open: func(context.Context) (io.ReadCloser, error) { return out, nil }})
	require.ErrorIs(t, err, errStop)
	require.Equal(t, adapter.NotYet, adapter.OutcomeOf(err))
	body, err := a.Open(t.Context(), adapter.File{ID: "F1"})
	require.NoError(t, err)
	require.Zero(t, in.n.Load())
	var b bytes.Buffer
	_, err = io.CopyN(&b, body, 100)
	require.NoError(t, err)
	require.Less(t, in.n.Load(), int64(1<<20))
	require.NoError(t, body.Close())
	_, err = a.Upload(t.Context(), to("C1"), adapter.File{Name: "unknown", Open: func(context.Context) (io.ReadCloser, error) { return &endless{}, nil }})
	require.ErrorIs(t, err, adapter.ErrTooLong, "a size that is not known has a bound")
}

// TestSplitCases are S9 to S14 with the limit of this platform.
func TestSplitCases(t *testing.T) {
	t.Parallel()
	a, err := slack.New(slack.Config{BotToken: "xoxb-cnrymark", AppToken: "xapp-cnrymark", Logger: quiet()})
	require.NoError(t, err)
	defer func() { require.NoError(t, a.Close()) }()
	split := func(text string) (wire []string) {
		t.Helper()
		parts, err := a.Render(&adapter.Message{To: to("C1"), Text: text})
		require.NoError(t, err)
		for _, p := range parts {
			text := p.Text
			if forms(t, p) == "markdown" {
				var blocks []struct{ Text string }
				require.NoError(t, json.Unmarshal(p.Native["slack"], &blocks))
				text = blocks[0].Text
			}
			require.LessOrEqual(t, utf8.RuneCountInString(text), 4000)
			require.NotEmpty(t, text)
			wire = append(wire, text)
		}
		return wire
	}
	for n, want := range map[int]int{3999: 1, 4000: 1, 4001: 2} { // S9
		text := strings.Repeat("é", n)
		parts := split(text)
		require.Len(t, parts, want)
		require.Equal(t, text, strings.Join(parts, ""))
	}
	line := strings.Repeat("x", 4000)
	require.Equal(t, []string{line, line, line}, split(line+"\n"+line+"\n"+line+"\n"), "S10")
	require.Empty(t, split(" \n\n "), "S11")
	code := strings.Repeat("one two three four\n", 550)
	for _, info := range []string{"", "go"} { // S12, S13
		parts := split("Look:\n\n```" + info + "\n" + code + "```\n\nDone.")
		require.Greater(t, len(parts), 2)
		got := ""
		for i, p := range parts {
			require.Zero(t, strings.Count(p, "```")%2, "%q", p)
			if i > 0 && i < len(parts)-1 {
				require.True(t, strings.HasPrefix(p, "```"+info+"\n"), "%q", p)
			}
			got += strings.NewReplacer("```"+info+"\n", "", "\n```", "", "```", "").Replace(p) + "\n"
		}
		require.Equal(t, strings.Fields("Look:\n"+code+"Done."), strings.Fields(got))
	}
	a1, a2 := strings.Repeat("a", 1900), strings.Repeat("b ", 950)
	require.Equal(t, []string{a1 + "\n" + a1, a1}, split(a1+"\n"+a1+"\n\n"+a1), "S14: a paragraph")
	require.Equal(t, []string{a1 + "\n" + strings.TrimSpace(a2), strings.TrimSpace(a2)}, split(a1+"\n"+a2+"\n"+a2), "S14: a line")
	require.Equal(t, []string{strings.TrimSpace(strings.Repeat("b ", 2000)), "b b"}, split(strings.TrimSpace(strings.Repeat("b ", 2002))), "S14: a word")
}
