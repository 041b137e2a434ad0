package terminal

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
)

// page uses every construct.
func page() string {
	return adapter.Format(`# Deploy of %s

Hello %s, build **4211** of *web* is ~~late~~ done, see [the log](https://ci.example.com/b/4211) and `+"`make %s`"+`.

- first item with some words in it, until it is longer than the line of the terminal is
  1. nested
- [x] done
- [ ] open

> A quote that goes on for a line or so, and then some more.

| service | state | errors |
|:--------|-------|-------:|
| %s | up | 0 |
| 日本 | **down** | 12 |

`+"```go\nfunc main() {\n\tprintln(%s)\n}\n```\n\n---\n\nBye.",
		"api_server", adapter.User{ID: "U1", Name: "alice"}, "test", "web | *x*", `"hi"`)
}

const pagePiped = `#ops starling> Deploy of api_server
  
  Hello @alice, build 4211 of web is late done, see the log (https://ci.example.com/b/4211) and make test.
  
  - first item with some words in it, until it is longer than the line of the terminal is
    1. nested
  [x] done
  [ ] open
  
  > A quote that goes on for a line or so, and then some more.
  
  service    state  errors
  ---------  -----  ------
  web | *x*  up          0
  日本       down       12
  
      func main() {
          println("hi")
      }
  
  ----------
  
  Bye.
`

// TestPagePiped: what a pipe gets is plain text, aligned.
func TestPagePiped(t *testing.T) {
	a, out, _ := piped(t, "", Config{Playground: true})
	_, err := a.Send(t.Context(), &adapter.Message{To: to("ops"), Text: page()})
	require.NoError(t, err)
	require.Equal(t, pagePiped, strings.ReplaceAll(out.String(), "\t", "    "))
}

// TestColumnsBeginBelow: code and tables that a message begins with stand below its head, so that their lines are aligned.
func TestColumnsBeginBelow(t *testing.T) {
	for in, want := range map[string]string{
		"```\na\n b\n```":                     "#ops starling>\n      a\n       b\n",
		"| a | b |\n|---|---|\n| 12345 | c |": "#ops starling>\n  a      b\n  -----  -\n  12345  c\n",
		"```\none line\n```":                  "#ops starling>     one line\n",
		"x\n\n```\na\n b\n```":                "#ops starling> x\n  \n      a\n       b\n",
	} {
		a, out, _ := piped(t, "", Config{Playground: true})
		_, err := a.Send(t.Context(), &adapter.Message{To: to("ops"), Text: in})
		require.NoError(t, err)
		require.Equal(t, want, out.String())
	}
}

// ours are the sequences that a renderer writes, and the head of a message.
var ours = regexp.MustCompile(`\x1b\[(0|1|2|3|4|9|22|23|24|29|33|36|39|1;3[1236])m`)

// FuzzShown: no text, markup or data, brings a control character, an escape sequence or an invisible character to the screen,
// and none but the first line begins at its edge.
func FuzzShown(f *testing.F) {
	f.Add("a\x1b[31mb **%** `%` [%](%)\n\n```\n%\n```", "\x1b]0;t\ax")
	f.Add("| % | b |\n|---|---|\n| c | % |\n\n- %\n> %", "\x1b[2J\u202e\u200b\u009b1m")
	f.Add("&#27;[31m &#x9b;1m &#8238; %&#155; `&#27;` [a&#27;b](http://x.example/&#27;)", "&#27;[1m")
	f.Add("**%***%*~~%~~\\``%`\\![%](http://x.example)", "x") // marks right beside marks
	f.Add("# %", "\x1bP\x1b\x1b[1m\n\x1b[")
	f.Add("\ufdd0\x1b[%", "1m\r\n\x7f\xff")
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	require.NoError(f, err)
	f.Cleanup(func() { _ = null.Close() })
	f.Fuzz(func(t *testing.T, text, data string) {
		if len(text) > 2000 || len(data) > 500 {
			return
		}
		text = strings.ReplaceAll(text, "%", adapter.Data(data)) + adapter.Mention(adapter.User{ID: "U" + data, Name: data})
		m := &adapter.Message{Text: text, Notify: adapter.Notify(data), Fields: []adapter.Field{{Name: data, Value: text}}, Buttons: []adapter.Button{{Label: data}}, Files: []adapter.File{{Name: data}}}
		for _, a := range []*Adapter{{}, {tty: true}, {tty: true, colours: true}} {
			a.cfg.Out, a.cfg.Width = null, 40
			shown := a.entry("x> ", m)
			if a.colours {
				shown = ours.ReplaceAllString(shown, "")
			}
			require.True(t, utf8.ValidString(shown))
			for _, r := range shown {
				control := r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r >= 0x80 && r <= 0x9f
				require.False(t, control || invisible(r) || r == '\u2028' || r == '\u2029', "%q has %q", shown, r)
			}
			for i, line := range strings.Split(strings.TrimSuffix(shown, "\n"), "\n") {
				require.True(t, i == 0 || strings.HasPrefix(line, "  "), "%q", shown)
			}
		}
	})
}
