package terminal

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/starlingbot/starling/adapter"
)

func TestScreenGreeting(t *testing.T) {
	for _, c := range []struct {
		name     string
		cfg      Config
		commands []string
		want     []string
	}{
		{"bare", Config{}, nil, []string{"I am starling, a chat bot.", "Type a line and press Enter.", "Leave with Ctrl-D or Ctrl-C.", "you> "}},
		{"commands", Config{BotName: "marvin"}, []string{"ping", "help"}, []string{"I am marvin, a chat bot.", "Type help to see what I can do; Tab completes commands.", "Leave with Ctrl-D or Ctrl-C.", "you> "}},
		{"playground", Config{Playground: true}, nil, []string{"I am starling, a chat bot.", "Type a line and press Enter; / and Tab lists how to play", "others.", "Leave with /quit, Ctrl-D or Ctrl-C.", "you> "}},
		{"narrow", Config{BotName: "marvin-the-paranoid-android", Width: 30}, nil, []string{"I am", "marvin-the-paranoid-android, a", "chat bot.", "Type a line and press Enter.", "Leave with Ctrl-D or Ctrl-C.", "you> "}},
		{"off", Config{NoGreeting: true}, nil, []string{"you> "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := openTTY(t, c.cfg, c.commands...)
			p.start(nil)
			greeting := strings.Split(p.output(), "you> ")[0]
			if !c.cfg.NoGreeting && c.cfg.Width == 0 && !c.cfg.Playground {
				require.Equal(t, 3, strings.Count(greeting, "\n"), "three lines")
			}
			require.Equal(t, c.want, p.rows())
			p.typed("\x04")
			require.NoError(t, p.ended())
			p.start(nil)
			require.LessOrEqual(t, strings.Count(p.output(), "I am"), 1, "greeted once")
			p.cancel()
			require.NoError(t, p.ended())
		})
	}
}

func TestScreenEditingAndHistory(t *testing.T) {
	p := openTTY(t, Config{NoGreeting: true})
	p.start(nil)
	for _, c := range []struct{ keys, want string }{
		{"helo\x1b[Dl\r", "hello"},                           // cursor left, insert
		{"\x1b[A!\r", "hello!"},                              // history
		{"\x1b[A\x1b[A\r", "hello"},                          // two back
		{"new\x1b[A\x1b[B!\r", "new!"},                       // up and down again
		{"world\x01hello \x05!\r", "hello world!"},           // begin and end of the line
		{"\r\x1b[A?\r", "hello world!?"},                     // an empty line is not in it
		{"one two three\x17\x7f\r", "one two"},               // word and character deleted
		{"abc\x01\x1b[3~\x04\r", "c"},                        // delete to the right
		{"abcd\x1b[D\x1b[D\x0b\r", "ab"},                     // delete to the end
		{"one two\x1b[1;5DX\r", "one Xtwo"},                  // word left
		{"\r\r  \rafter empty\r", "  "},                      // empty lines are ignored
		{"", "after empty"},                                  //
		{"zażółć 日本 👍\r", "zażółć 日本 👍"},                     //
		{"a\x00\x07\u009b2Jb\x1b[200~c\x1b[201~\r", "a2Jbc"}, // nothing of that acts
		{"a\xff\xe2\x82b\r", "a\uFFFD\uFFFDb"},               //
		{"a\u202eb\u200b\ufeffc\r", "a\u202eb\u200b\ufeffc"}, // the event keeps what was typed
		{"\x1b[A\x7f\r", "a\u202eb\u200b\ufeff"},             // and so does the history
		{"\x1bx\x1b\x1b[12\rlast\r", "x"},                    // a broken sequence does not eat the line's end
		{"", "last"},
	} {
		p.typed(c.keys)
		require.Equal(t, c.want, p.event().Text, "%q", c.keys)
	}
	require.NotContains(t, p.output(), "\u202e", "what rewrites a line is not echoed")
	require.NotContains(t, p.output(), "\u009b")
	require.NotContains(t, p.output(), "\x07")
	p.typed("\x04")
	require.NoError(t, p.ended())
}

func TestScreenCompletion(t *testing.T) {
	p := openTTY(t, Config{NoGreeting: true, Playground: true}, "ping", "deploy", "deps")
	p.start(nil)
	p.typed("pi\t")
	p.waitRow("you> ping ")
	p.typed("5\r")
	require.Equal(t, "ping 5", p.event().Text)
	p.typed("de\t")
	p.waitRows("deploy  deps", "you> dep")
	p.typed("l\tapi\r")
	require.Equal(t, "deploy api", p.event().Text)
	p.typed("starling: pin\t\r")
	require.Equal(t, "starling: ping ", p.event().Text)
	p.typed("/\t")
	p.waitRows("/as  /dm  /edit  /press  /quit  /react  /room  /thread", "you> /")
	p.typed("ro\tops\rtab\tbed\r")
	ev := p.event()
	require.Equal(t, "tab bed", ev.Text, "with nothing to complete Tab is a space")
	require.Equal(t, "ops", ev.Room.ID)
	p.waitRow("#ops you> ")
	p.typed("/quit\r")
	require.NoError(t, p.ended())
	require.Equal(t, p.before, p.mode())
}

func TestScreenOutputWhileTyping(t *testing.T) {
	p := openTTY(t, Config{NoGreeting: true})
	p.start(nil)
	log := slog.New(slog.NewTextHandler(p.a.LogWriter(), &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: func(_ []string, attr slog.Attr) slog.Attr {
		if attr.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return attr
	}}))
	p.typed("half a li")
	p.waitRow("you> half a li")
	log.Warn("the store is slow")
	p.waitRows("level=WARN msg=\"the store is slow\"", "you> half a li")
	require.Len(t, p.rows(), 2, "the old prompt is gone")
	p.send("hi\nthere")
	p.waitRows("level=WARN msg=\"the store is slow\"", "[1] starling> hi", "  there", "you> half a li")
	p.typed("\x1b[D\x1b[D")
	_, err := p.a.LogWriter().Write([]byte("\x1b[31mred\x1b[0m \x1b[2Jno newline\x1b]0;t\a"))
	require.NoError(t, err)
	p.waitRows("red no newline", "you> half a li")
	p.typed("Xne\x1b[F!\r")
	require.Equal(t, "half a Xneli!", p.event().Text)
	p.waitRow("you> ")
	require.Contains(t, p.output(), "\x1b[31mred\x1b[0m", "colours of a log are left")
	require.Contains(t, p.output(), "\x1b[2m[1]\x1b[0m \x1b[1;36mstarling>\x1b[0m hi", "dim number, name in colour")

	// a line over several rows
	long := ""
	for i := range 34 {
		long += fmt.Sprintf("%04d.", i)
	}
	p.typed(long)
	p.waitRow(long[115:])
	before := len(p.rows())
	p.send("above")
	p.waitRows("[2] starling> above", "you> "+long[:55], long[55:115], long[115:])
	require.Len(t, p.rows(), before+1)
	p.typed("\r")
	require.Equal(t, long, p.event().Text)

	// wide characters, which golang.org/x/term counts wrong
	p.typed("日本語 👍👍")
	p.waitRow("you> 日本語 👍👍")
	before = len(p.rows())
	p.send("above")
	p.waitRows("[3] starling> above", "you> 日本語 👍👍")
	require.Len(t, p.rows(), before+1)
	p.typed("\r")
	require.Equal(t, "日本語 👍👍", p.event().Text)

	// long output
	p.typed("typing")
	p.waitRow("you> typing")
	p.send(strings.Repeat("line\n", 500) + "end\x1b[1A\x1b[2K")
	p.waitRows("  line", "  end", "you> typing")
	p.typed("\x15\x04")
	require.NoError(t, p.ended())
	require.NoError(t, p.a.React(t.Context(), p.send("after Run"), "👍"))
	p.waitRows("you>", "[5] starling> after Run", "starling reacted 👍 to 5", "")
}

func TestScreenConcurrentOutput(t *testing.T) {
	p := openTTY(t, Config{NoGreeting: true})
	p.start(nil)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 25 {
				if _, err := p.a.Send(t.Context(), &adapter.Message{To: to("dm-you"), Text: fmt.Sprintf("g%d %d", g, i)}); err != nil {
					t.Error(err)
				}
				_, _ = fmt.Fprintf(p.a.LogWriter(), "log g%d %d\n", g, i)
			}
		})
	}
	want := ""
	for i := range 20 {
		line := fmt.Sprintf("typed line %d", i)
		p.typed(line + "\r")
		want += line + "\n"
	}
	p.typed("rest")
	wg.Wait()
	for range 20 {
		p.event()
	}
	require.Equal(t, want, strings.Join(p.texts(), "\n")+"\n")
	p.send("the end")
	p.waitRows("[101] starling> the end", "you> rest")
	rows := p.rows()
	rows = rows[:len(rows)-1]
	count := map[string]int{}
	for _, row := range rows[:len(rows)-1] {
		switch {
		case strings.HasPrefix(row, "["):
			count["message"]++
			require.Regexp(t, `^\[\d+\] starling> g\d \d+$`, row)
		case strings.HasPrefix(row, "log "):
			count["log"]++
			require.Regexp(t, `^log g\d \d+$`, row)
		default:
			count["line"]++
			require.Regexp(t, `^you> typed line \d+$`, row)
		}
	}
	require.Equal(t, map[string]int{"message": 100, "log": 100, "line": 20}, count)
	p.cancel()
	require.NoError(t, p.ended())
}

func TestScreenEnds(t *testing.T) { // however Run ends, the terminal is as it was

	for name, c := range map[string]struct {
		keys      string
		sink      adapter.Sink
		end       func(p *tty)
		want      string
		interrupt bool
	}{
		"Ctrl-C":              {keys: "half\x03", interrupt: true},
		"Ctrl-D":              {keys: "\x04"},
		"quit":                {keys: "/quit\r"},
		"context":             {keys: "half", end: func(p *tty) { p.waitRow("you> half"); p.cancel() }},
		"close":               {keys: "half", end: func(p *tty) { p.waitRow("you> half"); _ = p.a.Close() }},
		"panic":               {keys: "x\r", sink: func(context.Context, *adapter.Event) error { panic("boom") }, want: "panic: boom"},
		"Ctrl-C, sink fails":  {keys: "x\rhalf\x03", sink: func(context.Context, *adapter.Event) error { return errDown }, interrupt: true},
		"Ctrl-C, sink blocks": {keys: "x\rhalf\x03", sink: func(ctx context.Context, _ *adapter.Event) error { <-ctx.Done(); return ctx.Err() }, interrupt: true},
	} {
		t.Run(name, func(t *testing.T) {
			var p *tty
			interrupted := make(chan bool, 1)
			var modeThen unix.Termios
			p = openTTY(t, Config{NoGreeting: true, Playground: true, Interrupt: func() { modeThen = p.mode(); interrupted <- true }})
			p.start(c.sink)
			require.NotEqual(t, p.before, p.mode(), "raw")
			p.typed(c.keys)
			if c.end != nil {
				c.end(p)
			}
			err := p.ended()
			if c.want == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, c.want)
			}
			require.Equal(t, p.before, p.mode())
			p.wait("a new line", func(rows []string) bool { return rows[len(rows)-1] == "" })
			require.Equal(t, c.interrupt, len(interrupted) == 1)
			if c.interrupt {
				require.Equal(t, p.before, modeThen, "it is called when the terminal is back")
			}
		})
	}
}

func TestScreenCtrlDDeliversWhatWasTyped(t *testing.T) {
	p := openTTY(t, Config{NoGreeting: true})
	free := make(chan struct{})
	p.start(func(ctx context.Context, ev *adapter.Event) error {
		<-free
		return p.sink(ctx, ev)
	})
	p.typed("one\rtwo\rthree\r\x04")
	p.wait("the end", func(rows []string) bool { return rows[len(rows)-1] == "" })
	require.Eventually(t, func() bool { return p.mode() == p.before }, 10*time.Second, time.Millisecond,
		"the terminal is back although there is more to deliver")
	close(free)
	require.NoError(t, p.ended())
	require.Equal(t, []string{"one", "two", "three"}, p.texts())
}

func TestScreenSecondRun(t *testing.T) {
	p := openTTY(t, Config{NoGreeting: true})
	p.start(func(ctx context.Context, ev *adapter.Event) error { <-ctx.Done(); return errDown })
	p.typed("one\rtwo\r")
	p.waitRows("you> one", "you> two", "you> ")
	p.cancel()
	require.NoError(t, p.ended())
	require.Equal(t, p.before, p.mode())
	p.start(nil)
	p.typed("three\r")
	for _, want := range []string{"one", "two", "three"} {
		require.Equal(t, want, p.event().Text)
	}
	p.typed("\x1b[A\x1b[A\r")
	require.Equal(t, "two", p.event().Text, "the history stays")
	p.typed("\x03")
	require.NoError(t, p.ended())
}

func TestScreenHangUp(t *testing.T) {
	p := openTTY(t, Config{NoGreeting: true})
	p.start(nil)
	p.typed("a line\r")
	require.Equal(t, "a line", p.event().Text)
	p.waitRow("you> ")
	require.NoError(t, p.master.Close())
	require.NoError(t, p.ended())
}

func TestScreenLongLine(t *testing.T) {
	p := openTTY(t, Config{NoGreeting: true})
	p.start(nil)
	go func() { _, _ = io.WriteString(p.master, strings.Repeat("x", 1<<16)+"\rnext\r") }()
	ev := p.event()
	require.Equal(t, strings.Repeat("x", maxTyped), ev.Text)
	require.True(t, ev.Truncated)
	ev = p.event()
	require.Equal(t, "next", ev.Text)
	require.False(t, ev.Truncated)
	p.typed(strings.Repeat("x", maxTyped) + "\x01y\r") // full, then one more at the front
	ev = p.event()
	require.Equal(t, strings.Repeat("x", maxTyped), ev.Text)
	require.True(t, ev.Truncated)
	p.waitRows("terminal: your line was cut: the prompt takes 4096", "  characters of one, and the rest is lost. starling gets the",
		"  beginning and knows that the end is missing. For a longer", "  text give the bot its input through a pipe, which takes 64", "  KiB a line", "you> ")
	require.Equal(t, 2, strings.Count(strings.Join(p.rows(), "\n"), "your line was cut"), "for each line that was, and no other")
	p.typed("\x04")
	require.NoError(t, p.ended())
}

// What the adapter itself shows breaks between words too: logs, buttons, topics, what Tab lists. A pipe gets lines as they are.
func TestScreenWrapsAtSpaces(t *testing.T) {
	var names []string
	for _, n := range []string{"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota"} {
		names = append(names, "x"+n)
	}
	p := openTTY(t, Config{NoGreeting: true, Playground: true}, names...)
	p.start(nil)
	_, err := io.WriteString(p.a.LogWriter(), `time=2026-01-01T00:00:00Z level=WARN msg="something happened" where=somewhere`+"\n")
	require.NoError(t, err)
	p.waitRows(`time=2026-01-01T00:00:00Z level=WARN msg="something`, `  happened" where=somewhere`, "you> ")
	_, err = p.a.Send(t.Context(), &adapter.Message{To: to("ops"), Text: "sure?", Buttons: []adapter.Button{
		{Label: "Yes, do it now"}, {Label: "No, leave it as it is"}, {Label: "Ask me again later"},
	}})
	require.NoError(t, err)
	p.waitRows("[1] #ops starling> sure?", "  [1] Yes, do it now  [2] No, leave it as it is", "  [3] Ask me again later", "you> ")
	require.NoError(t, p.a.SetTopic(t.Context(), "ops", "what we all talk about when we do not talk about what we should"))
	p.waitRows("#ops topic: what we all talk about when we do not talk about", "  what we should", "you> ")
	p.typed("x\t")
	p.waitRows("xalpha  xbeta  xdelta  xepsilon  xeta  xgamma  xiota  xtheta", "xzeta", "you> x")
	p.typed("\x03")
	require.NoError(t, p.ended())

	long := "topic: " + strings.TrimSpace(strings.Repeat("lorem ", 40))
	a, out, _ := piped(t, "", Config{Playground: true})
	_, err = a.Send(t.Context(), &adapter.Message{To: to("ops"), Text: "x"})
	require.NoError(t, err)
	require.NoError(t, a.SetTopic(t.Context(), "ops", long[len("topic: "):]))
	require.Equal(t, "#ops starling> x\n#ops "+long+"\n", out.String())
}

func TestScreenResize(t *testing.T) {
	p := openTTY(t, Config{NoGreeting: true})
	p.start(nil)
	p.typed("abc")
	p.waitRow("you> abc")
	p.resize(20)
	p.typed("d")
	p.waitRow("you> abcd")
	p.typed("efghijklmnopqrstuvwxyz")
	p.waitRow("pqrstuvwxyz")
	p.send("x")
	p.waitRows("[1] starling> x", "you> abcdefghijklmno", "pqrstuvwxyz")
	p.typed("\r")
	require.Equal(t, "abcdefghijklmnopqrstuvwxyz", p.event().Text)
	p.waitRow("you> ")
	p.typed("0123456789012345678")
	p.waitRow("5678")
	p.resize(12) // while a line is edited, which only the next key can notice
	p.typed("9")
	p.waitRows("you> 0123456", "789012345678", "9")
	p.typed("\x01>\x05")
	p.waitRows("you> >012345", "678901234567", "89")
	p.typed("\r")
	require.Equal(t, ">01234567890123456789", p.event().Text)
	p.resize(0) // a terminal that does not know
	p.width = 80
	p.typed("\x15\r")
	p.waitRow("you> ")
	p.typed("not wrapped, for it is taken for 80 columns")
	p.waitRow("you> not wrapped, for it is taken for 80 columns")
	p.typed("\x01X\r")
	require.Equal(t, "Xnot wrapped, for it is taken for 80 columns", p.event().Text)
	require.NotContains(t, p.output(), "X\r\nn")
	p.typed("\x04")
	require.NoError(t, p.ended())
}

func TestScreenWidth(t *testing.T) {
	p := openTTY(t, Config{NoGreeting: true, Width: 10})
	p.start(nil)
	p.typed("abcdefgh")
	p.waitRows("you> abcde", "fgh")
	p.typed("\x03")
	require.NoError(t, p.ended())
}

func TestScreenPlayground(t *testing.T) {
	p := openTTY(t, Config{NoGreeting: true, Playground: true})
	p.start(nil)
	ref, err := p.a.Send(t.Context(), &adapter.Message{To: to("ops"), Text: "sure?", Color: adapter.ColorWarn, Buttons: []adapter.Button{{Label: "Yes", Command: "y"}}})
	require.NoError(t, err)
	p.typed("/press 2 yes\r/press 1 yes\r/room ops\r/as bob\r/thread 1\rhi\r")
	require.Equal(t, ref, p.event().Click.Message)
	ev := p.event()
	require.Equal(t, "bob@ops/1 hi", strings.TrimPrefix(show(ev), "message ")[:len("bob@ops/1 hi")])
	p.waitRows("[1] #ops starling> sure?", "  [1] Yes", "you> /press 2 yes",
		"there is no message 2; usage: /press N BUTTON (its number or", "  label)", "you> /press 1 yes", "you> /room ops", "#ops you> /as bob", "#ops bob> /thread 1", "#ops/1 bob> hi", "#ops/1 bob> ")
	require.Contains(t, p.output(), "\x1b[1;33mstarling>")
	p.typed("\x04")
	require.NoError(t, p.ended())
}

func TestScreenLogsElsewhere(t *testing.T) { // bot 2>log

	errs := &output{}
	p := openTTY(t, Config{NoGreeting: true, Err: errs})
	p.start(nil)
	p.typed("abc")
	p.waitRow("you> abc")
	_, err := io.WriteString(p.a.LogWriter(), "log\n")
	require.NoError(t, err)
	require.Equal(t, "log\n", errs.String())
	p.typed("\x15\x04")
	require.NoError(t, p.ended())
	require.NotContains(t, p.output(), "log")
}

func TestScreenPlain(t *testing.T) {
	p := openTTY(t, Config{})
	out := &output{}
	a := New(Config{In: p.slave, Out: p.slave, Plain: true, Err: out})
	require.False(t, a.tty)
	require.NoError(t, a.Close())
	a = New(Config{In: p.slave, Out: out, Err: out})
	require.False(t, a.tty, "the output goes elsewhere")
	require.NoError(t, a.Close())
}
