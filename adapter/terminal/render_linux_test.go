package terminal

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
)

// TestScreenMarkdown: a page with every construct on a screen, and again after its width has changed.
func TestScreenMarkdown(t *testing.T) {
	p := openTTY(t, Config{NoGreeting: true})
	p.start(nil)
	p.typed("half")
	p.waitRow("you> half")
	p.send(page())
	p.waitRows(
		"[1] starling> Deploy of api_server",
		"",
		"  Hello @alice, build 4211 of web is late done, see",
		"  the log (https://ci.example.com/b/4211) and make test.",
		"",
		"  • first item with some words in it, until it is longer",
		"    than the line of the terminal is",
		"    1. nested",
		"  ☑ done",
		"  ☐ open",
		"",
		"  │ A quote that goes on for a line or so, and then some",
		"  │ more.",
		"",
		"  service    state  errors",
		"  ---------  -----  ------",
		"  web | *x*  up          0",
		"  日本       down       12",
		"",
		"      func main() {",
		"          println(\"hi\")",
		"      }",
		"",
		"  ────────────────────────────────────────",
		"",
		"  Bye.",
		"you> half",
	)
	out := p.output()
	for _, want := range []string{
		"\x1b[1m\x1b[4mDeploy of api_server\x1b[24m\x1b[22m", "\x1b[33m@alice\x1b[39m", "\x1b[1m4211\x1b[22m", "\x1b[3mweb\x1b[23m", "\x1b[9mlate\x1b[29m",
		"\x1b[4mthe log\x1b[24m", "\x1b[36mmake test\x1b[39m",
	} {
		require.Contains(t, out, want)
	}
	p.resize(40)
	p.send("one two three four five six seven eight nine ten")
	p.waitRows("[2] starling> one two three four five", "  six seven eight nine ten", "you> half")
	p.resize(200)
	p.send("one two three four five six seven eight nine ten")
	p.waitRows("[3] starling> one two three four five six seven eight nine ten", "you> half")
	_, err := p.a.Send(t.Context(), &adapter.Message{To: to("dm-you"), Text: "**up**", Fields: []adapter.Field{{Name: "Host", Value: "`db`"}}, Buttons: []adapter.Button{{Label: "Yes"}, {Label: "No"}}})
	require.NoError(t, err)
	p.waitRows("[4] starling> up", "  Host: db", "  [1] Yes  [2] No", "you> half")
	p.send("```\na\n b\n```")
	p.waitRows("[5] starling>", "      a", "       b", "you> half")
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	time.Local = time.FixedZone("CEST", 2*3600)
	defer func() { time.Local = time.UTC }()
	p.send(adapter.Format("at %v", at))
	p.waitRows("[6] starling> at 2026-07-01 14:00 CEST", "you> half")
	p.cancel()
	require.NoError(t, p.ended())
}

// TestScreenWithoutColour: NO_COLOR and a dumb terminal get no colour, in the head and the prompt neither.
func TestScreenWithoutColour(t *testing.T) {
	for _, env := range [][2]string{{"NO_COLOR", "1"}, {"TERM", "dumb"}} {
		t.Run(env[0], func(t *testing.T) {
			t.Setenv(env[0], env[1])
			p := openTTY(t, Config{})
			p.start(nil)
			_, err := p.a.Send(t.Context(), &adapter.Message{To: to("dm-you"), Text: page(), Color: adapter.ColorBad})
			require.NoError(t, err)
			p.waitRows("  Bye.", "you> ")
			require.NotRegexp(t, `\x1b\[[0-9;]*m`, p.output())
			p.cancel()
			require.NoError(t, p.ended())
		})
	}
}
