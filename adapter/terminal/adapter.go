package terminal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// Config is the configuration of an [Adapter]. The zero value works.
type Config struct {
	// Name is the adapter's name; default "terminal".
	Name string
	// BotName is what the bot is called on the screen; default "starling".
	BotName string
	// User is the id and the name of who types; default "you".
	User string

	In  io.Reader // default os.Stdin
	Out io.Writer // default os.Stdout
	Err io.Writer // for notices and logs; default os.Stderr

	// Playground lets lines that begin with / act as other people in other rooms; default off. Never put it beside an
	// adapter for real people: whoever types can be anyone.
	Playground bool
	// Plain turns the prompt, editing and colour off in a terminal too, for those that cannot move the cursor; default
	// off. It makes no difference to a pipe.
	Plain bool
	// NoGreeting leaves out what greets in a terminal; default off.
	NoGreeting bool
	// Width is the width of the terminal in columns; default 0: the terminal is asked, and 80 where it does not say.
	Width int
	// Interrupt is called when Ctrl-C is typed at the prompt, after the terminal is put back and just before Run returns;
	// default nil: Run just ends. A bot with further adapters gives the stop function of signal.NotifyContext, so that
	// Ctrl-C does what SIGINT does.
	Interrupt func()
}

// The bounds, see doc.go.
const (
	maxLine  = 1 << 20 // bytes of one line
	maxTyped = 4096    // runes of one line at the prompt; what golang.org/x/term takes
	maxKept  = 1000    // messages, lines, users, rooms
	maxHeld  = 100     // messages that wait for their Only user
	maxQueue = 1024    // lines typed ahead
)

// Adapter is the terminal adapter. Make one with [New].
type Adapter struct {
	cfg     Config
	tty     bool // In and Out are a terminal and Plain is off
	errTTY  bool // Err is a terminal too
	colours bool // tty, and neither NO_COLOR nor TERM=dumb
	boot    string
	count   atomic.Uint64 // of ids
	bot     adapter.User
	closed  chan struct{}
	closing sync.Once
	turns   chan struct{} // cap maxTurns
	running atomic.Bool
	logging sync.Mutex // of Err where it is no terminal: a log waits for no Out

	in    source       // used by the goroutine that reads alone
	line  lineReader   // the same
	past  history      // the same
	heard bool         // a line was read once; the same
	later *input       // a line that waited when ctx ended; the same
	names atomic.Value // []string: commands for completion
	specs atomic.Value // []adapter.CommandSpec

	queue queue

	mu      sync.Mutex // guards what follows and makes the order of output; taken before screen.mu
	screen  *screen    // set while Run has the prompt
	greeted bool
	user    adapter.User // who types
	room    adapter.Room // where
	thread  string
	users   kept[adapter.User]
	rooms   kept[adapter.Room]
	said    kept[*utterance]
	lines   kept[int] // how many lines a user said
	posts   kept[*post]
	held    []*post
	last    int           // number of the last post that was shown
	news    chan struct{} // closed and replaced when last grows
}

// Guards for what the adapter claims.
var (
	_ adapter.Adapter          = (*Adapter)(nil)
	_ adapter.Editor           = (*Adapter)(nil)
	_ adapter.Deleter          = (*Adapter)(nil)
	_ adapter.Reactor          = (*Adapter)(nil)
	_ adapter.TopicSetter      = (*Adapter)(nil)
	_ adapter.DirectOpener     = (*Adapter)(nil)
	_ adapter.Directory        = (*Adapter)(nil)
	_ adapter.CommandRegistrar = (*Adapter)(nil)
	_ adapter.Closer           = (*Adapter)(nil)
)

// New makes a terminal adapter. It looks whether In, Out and Err are a terminal, and neither reads nor writes. Of the
// environment it reads what says of what kind a terminal is: NO_COLOR (https://no-color.org) and TERM.
func New(cfg Config) *Adapter {
	def := func(s *string, d string) {
		if *s = word(*s); *s == "" {
			*s = d
		}
	}
	def(&cfg.Name, "terminal")
	def(&cfg.BotName, "starling")
	def(&cfg.User, "you")
	if cfg.In == nil {
		cfg.In = os.Stdin
	}
	if cfg.Out == nil {
		cfg.Out = os.Stdout
	}
	if cfg.Err == nil {
		cfg.Err = os.Stderr
	}
	a := &Adapter{
		cfg:    cfg,
		tty:    !cfg.Plain && isTerminal(cfg.In) && isTerminal(cfg.Out),
		boot:   strings.ToLower(rand.Text()[:12]),
		closed: make(chan struct{}),
		turns:  make(chan struct{}, maxTurns),
		news:   make(chan struct{}),
		in:     source{r: cfg.In},
	}
	a.errTTY = a.tty && isTerminal(cfg.Err)
	a.colours = a.tty && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	a.bot = adapter.User{Adapter: cfg.Name, ID: "bot:" + cfg.BotName, Name: cfg.BotName, Kind: adapter.KindBot}
	a.queue.init()
	a.user = a.person(cfg.User)
	a.room = a.direct(cfg.User)
	a.users.put(a.user.ID, a.user)
	a.rooms.put(a.room.ID, a.room)
	return a
}

// Name implements [adapter.Adapter].
func (a *Adapter) Name() string { return a.cfg.Name }

// Features implements [adapter.Adapter].
func (a *Adapter) Features() adapter.Features {
	return adapter.Features{
		Threads: true, Buttons: true, Ephemeral: true, Fields: true,
		Local: true, Playground: a.cfg.Playground,
	}
}

// Close implements [adapter.Closer]: Send and the other verbs give [adapter.ErrClosed] from now on, and a Run that still
// goes ends. In, Out and Err are left open. Further calls do nothing.
func (a *Adapter) Close() error {
	a.closing.Do(func() { close(a.closed) })
	return nil
}

func (a *Adapter) isClosed() bool {
	select {
	case <-a.closed:
		return true
	default:
		return false
	}
}

// LogWriter gives a writer for logs, one record a Write, as the handlers of log/slog do:
//
//	slog.New(slog.NewTextHandler(a.LogWriter(), &slog.HandlerOptions{Level: slog.LevelWarn}))
//
// On a terminal long records are wrapped at spaces, and while there is a prompt it clears the line, writes the record and draws
// the prompt again with what was typed so far. Where Err is no terminal it writes to Err as it is. It may be used concurrently.
func (a *Adapter) LogWriter() io.Writer { return logWriter{a} }

type logWriter struct{ a *Adapter }

func (w logWriter) Write(p []byte) (int, error) {
	a := w.a
	if !a.errTTY {
		a.logging.Lock()
		defer a.logging.Unlock()
		return a.cfg.Err.Write(p)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	var err error
	switch {
	case a.screen == nil:
		_, err = io.WriteString(a.cfg.Err, a.fold(string(p), hang))
	default:
		_, err = a.screen.print(a.fold(strings.TrimSuffix(cleanLog(string(p)), "\n"), hang) + "\n")
	}
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// notice says one line on Err. It must not be called with a.mu held.
func (a *Adapter) notice(format string, args ...any) {
	_, _ = io.WriteString(a.LogWriter(), word(fmt.Sprintf(format, args...))+"\n")
}

// id makes an id that no other process makes.
func (a *Adapter) id(kind string) string {
	return a.boot + "-" + kind + strconv.FormatUint(a.count.Add(1), 10)
}

// usable checks what every verb begins with.
func (a *Adapter) usable(ctx context.Context, verb string) error {
	if a.isClosed() {
		return fmt.Errorf("terminal: %s: %w", verb, adapter.ErrClosed)
	}
	if err := ctx.Err(); err != nil { // nothing was shown yet, that is certain
		return fmt.Errorf("terminal: %s: %w: %w", verb, adapter.ErrUnavailable, err)
	}
	return nil
}

// Run implements [adapter.Adapter]: it delivers what is typed until the input ends, /quit, Ctrl-D, Ctrl-C, or ctx ends.
// Its error is one of reading In or of setting up the terminal. See doc.go for what happens when ctx ends inside a Read.
func (a *Adapter) Run(ctx context.Context, sink adapter.Sink) error {
	if !a.running.CompareAndSwap(false, true) {
		return errors.New("terminal: run: already running")
	}
	defer a.running.Store(false)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watched := make(chan struct{})
	go func() { // Close ends a Run
		defer close(watched)
		select {
		case <-a.closed:
			cancel()
		case <-ctx.Done():
		}
	}()
	defer func() { cancel(); <-watched }()
	if a.tty {
		return a.runScreen(ctx, sink)
	}
	return a.runPiped(ctx, sink)
}

// Errors that end reading and are no failure.
var (
	errQuit      = errors.New("quit")
	errInterrupt = errors.New("interrupt")
)

// now is the time of an event.
func now() time.Time { return time.Now().UTC().Round(0) }
