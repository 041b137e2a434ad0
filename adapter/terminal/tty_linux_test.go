package terminal

import (
	"context"
	"fmt"
	"io"
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
