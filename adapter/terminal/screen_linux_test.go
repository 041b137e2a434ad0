package terminal

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/starlingbot/starling/adapter"
)

// tty is a pseudo-terminal: the adapter has one side, the test the other, as a person at a screen.
type tty struct {
	t      *testing.T
	a      *Adapter
	master *os.File
	slave  *os.File
	before unix.Termios
	width  int

	mu   sync.Mutex
	raw  []byte
	news chan struct{}

	recorder
	arrived chan *adapter.Event
	cancel  context.CancelFunc
	done    chan error
}

const ttyWidth = 60

// openTTY starts an adapter on a new pseudo-terminal.
func openTTY(t *testing.T, cfg Config, commands ...string) *tty {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	n := 0
	control(master, func(fd int) { // not Fd: it would make Close wait for Read
		require.NoError(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
		n, err = unix.IoctlGetInt(fd, unix.TIOCGPTN)
		require.NoError(t, err)
	})
	slave, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	p := &tty{t: t, master: master, slave: slave, news: make(chan struct{}), arrived: make(chan *adapter.Event, 100)}
	p.resize(ttyWidth)
	p.before = p.mode()
	cfg.In, cfg.Out = slave, slave
	if cfg.Err == nil {
		cfg.Err = slave
	}
	p.a = New(cfg)
	require.True(t, p.a.tty)
	var specs []adapter.CommandSpec
	for _, c := range commands {
		specs = append(specs, adapter.CommandSpec{Name: c})
	}
	require.NoError(t, p.a.RegisterCommands(t.Context(), specs))
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			if err != nil {
				return
			}
			p.mu.Lock()
			p.raw = append(p.raw, buf[:n]...)
			close(p.news)
			p.news = make(chan struct{})
			p.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		require.NoError(t, p.a.Close())
		_ = slave.Close()
		<-watched // the slave's end ends the master's Read
		_ = master.Close()
	})
	return p
}

// start runs the adapter until it shows its prompt.
func (p *tty) start(sink adapter.Sink) {
	p.t.Helper()
	if sink == nil {
		sink = func(ctx context.Context, ev *adapter.Event) error {
			_ = p.sink(ctx, ev)
			p.arrived <- ev
			return nil
		}
	}
	ctx, cancel := context.WithCancel(p.t.Context())
	p.cancel, p.done = cancel, make(chan error, 1)
	p.t.Cleanup(cancel)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				p.done <- fmt.Errorf("panic: %v", v)
			}
		}()
		p.done <- p.a.Run(ctx, sink)
	}()
	p.waitRow("you> ")
}

func (p *tty) mode() unix.Termios {
	var m *unix.Termios
	var err error
	control(p.slave, func(fd int) { m, err = unix.IoctlGetTermios(fd, unix.TCGETS) })
	require.NoError(p.t, err)
	return *m
}

func (p *tty) resize(width int) {
	p.width = width
	control(p.slave, func(fd int) {
		require.NoError(p.t, unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: uint16(width)}))
	})
}

func (p *tty) typed(s string) {
	p.t.Helper()
	_, err := io.WriteString(p.master, s)
	require.NoError(p.t, err)
}

// event gives the next event that arrived.
func (p *tty) event() *adapter.Event {
	p.t.Helper()
	select {
	case ev := <-p.arrived:
		return ev
	case <-time.After(10 * time.Second):
		require.Fail(p.t, "no event", "screen:\n%s", strings.Join(p.rows(), "\n"))
		return nil
	}
}

// ended waits for the end of Run.
func (p *tty) ended() error {
	p.t.Helper()
	select {
	case err := <-p.done:
		return err
	case <-time.After(10 * time.Second):
		require.Fail(p.t, "Run goes on", "screen:\n%s", strings.Join(p.rows(), "\n"))
		return nil
	}
}

// wait waits until the screen is as it should be.
func (p *tty) wait(what string, ok func(rows []string) bool) []string {
	p.t.Helper()
	late := time.After(10 * time.Second)
	for {
		p.mu.Lock()
		news := p.news
		p.mu.Unlock()
		rows := p.rows()
		if ok(rows) {
			return rows
		}
		select {
		case <-news:
		case <-late:
			require.Fail(p.t, "never shown: "+what, "screen:\n%s", strings.Join(rows[max(0, len(rows)-30):], "\n"))
		}
	}
}

// waitRow waits until the last row is that.
func (p *tty) waitRow(last string) []string {
	p.t.Helper()
	return p.wait(last, func(rows []string) bool { return rows[len(rows)-1] == last })
}

// waitRows waits until the last rows are these.
func (p *tty) waitRows(last ...string) {
	p.t.Helper()
	want := strings.Join(last, "\n")
	p.wait(want, func(rows []string) bool {
		return strings.HasSuffix("\n"+strings.Join(rows, "\n"), "\n"+want)
	})
}

func (p *tty) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.raw)
}

// rows gives what stands on the screen, drawn as a VT100 does (no scrolling; wide characters have two columns).
func (p *tty) rows() []string {
	screen := [][]rune{{}}
	x, y := 0, 0
	out := []rune(p.output())
	put := func(r rune) {
		for len(screen[y]) <= x {
			screen[y] = append(screen[y], ' ')
		}
		screen[y][x] = r
		x++
	}
	for i := 0; i < len(out); i++ {
		switch r := out[i]; {
		case r == '\r':
			x = 0
		case r == '\n':
			if y++; y == len(screen) {
				screen = append(screen, []rune{})
			}
		case r == esc:
			j := i + 2
			for j < len(out) && (out[j] == ';' || out[j] == '?' || out[j] >= '0' && out[j] <= '9') {
				j++
			}
			if j >= len(out) || out[i+1] != '[' {
				i = len(out) // not all of it is here yet
				break
			}
			n, _ := strconv.Atoi(string(out[i+2 : j]))
			n = max(n, 1)
			switch out[j] {
			case 'A':
				y = max(y-n, 0)
			case 'B':
				for y += n; y >= len(screen); {
					screen = append(screen, []rune{})
				}
			case 'C':
				x = min(x+n, p.width-1)
			case 'D':
				x = max(x-n, 0)
			case 'K':
				screen[y] = screen[y][:min(x, len(screen[y]))]
			case 'm':
			default:
				require.Fail(p.t, "an escape sequence that this screen does not know", "%q", string(out[i:j+1]))
			}
			i = j
		case r < ' ':
			require.Fail(p.t, "a control character", "%q", r)
		default:
			wide := r >= 0x1100 && r <= 0x115f || r >= 0x2e80 && r <= 0xffe6 || r >= 0x1f300 && r <= 0x1faff
			if x >= p.width || wide && x == p.width-1 {
				if x, y = 0, y+1; y == len(screen) {
					screen = append(screen, []rune{})
				}
			}
			if put(r); wide {
				put(0)
			}
		}
	}
	rows := make([]string, len(screen))
	for i, row := range screen {
		n := len(row)
		for n > 0 && row[n-1] == ' ' && (i != y || n > x) { // what the cursor passed stays
			n--
		}
		rows[i] = strings.ReplaceAll(string(row[:n]), "\x00", "")
	}
	return rows[:max(y+1, 1)]
}

func (p *tty) send(text string) adapter.Ref {
	p.t.Helper()
	ref, err := p.a.Send(p.t.Context(), &adapter.Message{To: to("dm-you"), Text: text})
	require.NoError(p.t, err)
	return ref
}

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
