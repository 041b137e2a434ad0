package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/starlingbot/starling/adapter"
)

// screen is the prompt while Run has it. Its mutex is held by whoever draws: the reading goroutine from one key to the
// wait for the next, and print. All that is drawn is collected and written at once.
type screen struct {
	mu        sync.Mutex
	t         *term.Terminal
	keys      keyReader
	ctx       context.Context // of readLine
	out       *os.File
	width     int // of Config
	buf       []byte
	prompting bool // a line is being edited
}

// Read gives golang.org/x/term one key; s.mu is held.
func (s *screen) Read(p []byte) (int, error) {
	_, _ = s.flush()
	s.prompting = true
	key, err := s.wait()
	s.resize()
	return copy(p, key), err
}

func (s *screen) wait() (string, error) {
	s.mu.Unlock()
	defer s.mu.Lock()
	return s.keys.next(s.ctx)
}

// Write collects what golang.org/x/term draws; s.mu is held.
func (s *screen) Write(p []byte) (int, error) {
	s.buf = append(s.buf, p...)
	return len(p), nil
}

func (s *screen) flush() (int, error) {
	if len(s.buf) == 0 {
		return 0, nil
	}
	n, err := s.out.Write(s.buf)
	if s.buf = s.buf[:0]; cap(s.buf) > 64<<10 {
		s.buf = nil
	}
	return n, err
}

// resize asks the terminal for its size; s.mu is held.
func (s *screen) resize() {
	w, h := screenSize(s.out, s.width)
	_ = s.t.SetSize(w, h)
}

// print writes text above the prompt, in one Write, and draws the prompt and what was typed again.
func (s *screen) print(text string) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resize()
	s.buf = append(s.buf, '\r') // golang.org/x/term counts columns, and wide characters wrong
	_, _ = s.t.Write([]byte(text))
	return s.flush()
}

// readLine gives a line that was typed, and whether something of it was discarded.
func (s *screen) readLine(ctx context.Context, prompt string) (line string, truncated bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ctx = ctx
	s.resize()
	s.t.SetPrompt(prompt)
	line, err = s.t.ReadLine()
	if err != nil {
		return "", false, err
	}
	_, _ = s.flush()
	s.prompting = false
	truncated, s.keys.over, s.keys.run = s.keys.over, false, 0
	return strings.Map(standsFor, line), truncated, nil
}

// leave ends the line that is being edited, so that what comes next begins a new one.
func (s *screen) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.prompting {
		s.buf = append(s.buf, "\r\n"...)
	}
	_, _ = s.flush()
}

// control calls f with the descriptor of a file and leaves the file's mode alone, as Fd may not.
func control(f *os.File, do func(fd int)) {
	if c, err := f.SyscallConn(); err == nil {
		_ = c.Control(func(fd uintptr) { do(int(fd)) })
	}
}

func isTerminal(v any) bool {
	f, ok := v.(*os.File)
	is := false
	if ok && f != nil {
		control(f, func(fd int) { is = term.IsTerminal(fd) })
	}
	return is
}

// makeRaw gives a function that puts the terminal back.
func makeRaw(f *os.File) (restore func(), err error) {
	var state *term.State
	err = errors.New("the terminal is closed")
	control(f, func(fd int) { state, err = term.MakeRaw(fd) })
	if err != nil {
		return nil, err
	}
	return func() { control(f, func(fd int) { _ = term.Restore(fd, state) }) }, nil
}

// runScreen reads at a prompt in one goroutine and delivers in this one, so that typing and Ctrl-C work whatever the sink
// does. The terminal is put back when reading ends, whatever is still to be delivered: Ctrl-C is then a signal again.
func (a *Adapter) runScreen(ctx context.Context, sink adapter.Sink) error {
	a.greet()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := a.newScreen()
	leave, err := a.enter(s)
	if err != nil {
		return fmt.Errorf("terminal: set up: %w", err)
	}

	var reading error
	var failure any
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { failure = recover() }()
		defer func() {
			leave()
			if errors.Is(reading, errInterrupt) {
				cancel()
				if a.cfg.Interrupt != nil {
					a.cfg.Interrupt()
				}
			}
		}()
		reading = a.readScreen(ctx, s)
	}()
	defer func() { // on a panic of the sink too
		cancel()
		<-done
		if failure != nil {
			panic(failure)
		}
	}()

	for {
		if a.drain(ctx, sink) != nil {
			return nil
		}
		select {
		case <-a.queue.pushed:
		case <-ctx.Done():
			return nil
		case <-done:
			if a.drain(ctx, sink) != nil || errors.Is(reading, errQuit) || errors.Is(reading, errInterrupt) {
				return nil
			}
			return ended(ctx, reading)
		}
	}
}

// readScreen queues what is typed until the input ends; its error says why.
func (a *Adapter) readScreen(ctx context.Context, s *screen) error {
	for {
		line, truncated, err := s.readLine(ctx, a.prompt())
		if err == nil {
			err = a.take(ctx, line, truncated)
		} else if s.keys.interrupted {
			err = errInterrupt
		}
		if err != nil {
			return err
		}
	}
}

func (a *Adapter) newScreen() *screen {
	s := &screen{out: a.cfg.Out.(*os.File), width: a.cfg.Width, keys: keyReader{src: &a.in}}
	s.t = term.NewTerminal(s, "")
	s.t.History = &a.past
	s.t.AutoCompleteCallback = func(line string, pos int, key rune) (string, int, bool) { // s.mu is held
		if key != keyTab {
			if len(line) >= maxTyped && utf8.RuneCountInString(line) >= maxTyped {
				s.keys.over = true
			}
			return "", 0, false
		}
		done, at, names := a.complete(line, pos)
		if utf8.RuneCountInString(done) > maxTyped {
			return line, pos, true
		}
		if len(names) > 1 {
			columns, _ := screenSize(s.out, s.width)
			_, _ = s.t.Write([]byte(listing(names, columns)))
		}
		return done, at, true
	}
	return s
}

// enter takes the terminal for s; what it gives puts it back.
func (a *Adapter) enter(s *screen) (leave func(), err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	restore, err := makeRaw(a.cfg.In.(*os.File))
	if err != nil {
		return nil, err
	}
	a.screen = s
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		defer restore()
		s.leave()
		a.screen = nil
	}, nil
}

const maxListed = 50 // names that Tab lists

func listing(names []string, columns int) string {
	if n := len(names); n > maxListed {
		names = append(slices.Clone(names[:maxListed]), "and "+strconv.Itoa(n-maxListed)+" more")
	}
	return flow(names, columns) + "\n"
}

// greet says once who this is, what to type and how to leave.
func (a *Adapter) greet() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.greeted || a.cfg.NoGreeting {
		return
	}
	a.greeted = true
	names, _ := a.names.Load().([]string)
	what := "Type a line and press Enter"
	if slices.Contains(names, "help") {
		what = "Type help to see what I can do"
	}
	leave := "Leave with Ctrl-D or Ctrl-C."
	if a.cfg.Playground {
		what += "; / and Tab lists how to play others"
		leave = "Leave with /quit, Ctrl-D or Ctrl-C."
	} else if len(names) > 0 {
		what += "; Tab completes commands"
	}
	_, _ = io.WriteString(a.cfg.Out, a.fold("I am "+a.colour(adapter.ColorNone, a.cfg.BotName)+", a chat bot.\n"+what+".\n"+leave+"\n", 0))
}

// prompt shows who types and where.
func (a *Adapter) prompt() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := ""
	if a.room.Kind != adapter.RoomDirect {
		s = "#" + word(a.room.Name)
	}
	if a.thread != "" {
		s += "/" + a.threadName(a.thread)
	}
	if s != "" {
		s += " "
	}
	return s + word(a.user.Name) + "> "
}

// dim shows s dim, where there is colour.
func (a *Adapter) dim(s string) string {
	if !a.colours {
		return s
	}
	return "\x1b[2m" + s + "\x1b[0m"
}

// colour shows the bot's name in colour, where there is colour.
func (a *Adapter) colour(c adapter.Color, s string) string {
	if !a.colours {
		return s
	}
	code := "36" // cyan
	switch c {
	case adapter.ColorGood:
		code = "32"
	case adapter.ColorWarn:
		code = "33"
	case adapter.ColorBad:
		code = "31"
	}
	return "\x1b[1;" + code + "m" + s + "\x1b[0m"
}

// history is what was typed, the newest last; it stays over the end of a Run.
type history struct{ lines []string }

const maxHistory = 500

// Add implements term.History: an empty line and a repeated one are left out.
func (h *history) Add(line string) {
	if line == "" || len(h.lines) > 0 && h.lines[len(h.lines)-1] == line {
		return
	}
	if len(h.lines) == maxHistory {
		h.lines = append(h.lines[:0], h.lines[1:]...)
	}
	h.lines = append(h.lines, line)
}

// Len implements term.History.
func (h *history) Len() int { return len(h.lines) }

// At implements term.History: 0 is the newest.
func (h *history) At(i int) string { return h.lines[len(h.lines)-1-i] }
