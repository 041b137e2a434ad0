package testutil

import (
	"cmp"
	"context"
	"errors"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
)

const (
	defaultPatience = 5 * time.Second
	defaultDrain    = 2 * time.Second        // Config.DrainTimeout of a bot in a test
	corpseTimeout   = 100 * time.Millisecond // for a killed bot to end at cleanup, outside synctest
	lastCalls       = 20 * time.Millisecond  // for the sink calls of a killed bot to return
)

// Bot drives a bot in a test. Make one with [Start]. Its methods are for one goroutine, that of the test.
type Bot struct {
	// Chat is the first chat among the bot's adapters.
	Chat *Chat
	// Patience bounds every wait: for an answer, for the bot to be idle, for it to stop. Default 5 s, of fake time inside
	// testing/synctest.
	Patience time.Duration
	// Directions are lines "-- TEXT --" of transcripts, by TEXT, beside those that there are or in place of them.
	Directions map[string]func()
	// Random finds what the bot makes up and says, such as ids, by a name: transcripts show "NAME-1" for the first that it
	// finds, "NAME-2" for the next one that is another, and what people type as "NAME-1" is said as it was shown. Its
	// expressions match no such name.
	Random map[string]*regexp.Regexp

	t       testing.TB
	cfg     starling.Config
	users   map[string]*User
	random  map[string][]string // what Random found, by name
	seen    map[string]int      // how many acts of a place and kind were expected, by "kind place"
	logs    *logs
	life    *life   // nil while no bot runs
	corpses []*life // killed
}

// life is one bot from start to stop.
type life struct {
	bot    *starling.Bot
	conns  []*Conn
	store  *cutStore // nil without Config.Brain
	log    *logOf
	cancel context.CancelFunc
	done   chan struct{} // Run has returned
	err    error         // of Run
	before int           // stored events when it started
	drain  time.Duration
}

// Start makes a bot of cfg and runs it until the test ends; it returns when the bot is connected. Where cfg has no adapters
// the bot gets a [Chat] of its own. A cfg.DrainTimeout of 0 is 2 s here, and what the bot logs goes into the test's output
// and [Bot.Log].
//
// The test fails if the bot cannot be made, if its Run returns an error, or if it does not stop in time.
func Start(t testing.TB, cfg starling.Config) *Bot {
	t.Helper()
	b := &Bot{Patience: defaultPatience, t: t, cfg: cfg, users: map[string]*User{}, random: map[string][]string{}, seen: map[string]int{}, logs: &logs{out: t.Output()}}
	if len(cfg.Adapters) == 0 {
		b.cfg.Adapters = []adapter.Adapter{NewChat(ChatConfig{BotName: cfg.Name})}
	}
	for _, a := range b.cfg.Adapters {
		if c, ok := a.(*Chat); ok && b.Chat == nil {
			b.Chat = c
		}
	}
	if b.Chat == nil {
		t.Fatal("testutil: the bot has adapters, and none of them is a *testutil.Chat to drive it with")
	}
	t.Cleanup(b.end)
	b.Start()
	return b
}

// Bot gives the bot that runs, for Stats, Send and the like; nil between Stop or Kill and Start.
func (b *Bot) Bot() *starling.Bot {
	if b.life == nil {
		return nil
	}
	return b.life.bot
}

// Log gives what the bot has logged so far, over all its lives: text records of log/slog without the time.
func (b *Bot) Log() string { return b.logs.String() }

// User gives the handle of a user of the chat, who is made a member where there is none of that name. The same name gives
// the same handle.
func (b *Bot) User(name string) *User {
	if b.users[name] == nil {
		b.users[name] = b.Chat.As(b.t, name)
	}
	return b.users[name]
}

// Room gives the room of a place such as "#ops" or "@alice".
func (b *Bot) Room(where string) adapter.Room {
	b.t.Helper()
	p, err := b.place(where)
	if err != nil {
		b.t.Fatal(err)
	}
	return p.room.Room
}

func (b *Bot) place(where string) (place, error) {
	b.Chat.mu.Lock()
	defer b.Chat.mu.Unlock()
	return b.Chat.parsePlace(where)
}

// Start starts a bot again after [Bot.Stop], [Bot.Kill] or [Bot.Wait]: with the same chats and the same store, and with the
// same configuration after change. Adapters other than chats are closed by then: change must replace them.
func (b *Bot) Start(change ...func(*starling.Config)) {
	b.t.Helper()
	if b.life != nil {
		b.t.Fatal("testutil: the bot runs already")
	}
	for _, f := range change {
		f(&b.cfg)
	}
	cfg := b.cfg
	l := &life{done: make(chan struct{}), log: &logOf{logs: b.logs}}
	cfg.Logger = logger(l.log, cfg.Logger)
	cfg.DrainTimeout = cmp.Or(cfg.DrainTimeout, defaultDrain)
	l.drain = cfg.DrainTimeout
	cfg.Adapters = slices.Clone(cfg.Adapters)
	for i, a := range cfg.Adapters {
		if c, ok := a.(*Chat); ok {
			conn := c.Connect()
			l.conns = append(l.conns, conn)
			cfg.Adapters[i] = conn
			if c.cfg.Bare {
				cfg.Adapters[i] = bare{conn, conn}
			}
		}
	}
	if cfg.Brain != nil {
		l.store = newCutStore(cfg.Brain.Store())
		var err error
		if cfg.Brain, err = through(cfg.Brain, l.store); err != nil {
			b.t.Fatal("testutil: ", err)
		}
	}
	if l.store != nil && !cfg.Volatile {
		l.before = b.stored(l.store, inboxPrefix, nil)
	}
	var err error
	if l.bot, err = starling.New(cfg); err != nil {
		b.t.Fatalf("starling.New: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	go func() {
		defer close(l.done)
		l.err = l.bot.Run(ctx)
	}()
	b.life = l
	connected := b.await(func() bool {
		for _, c := range l.conns {
			if !c.isRunning() {
				return isClosed(l.done)
			}
		}
		return true
	}, l.done)
	if !connected {
		b.t.Errorf("the bot did not connect within %v", b.Patience)
	}
}

// calling tells whether a sink is being called.
func (c *Conn) calling() bool {
	c.chat.mu.Lock()
	defer c.chat.mu.Unlock()
	return c.giving > 0
}

func (c *Conn) isRunning() bool {
	c.chat.mu.Lock()
	defer c.chat.mu.Unlock()
	return c.running
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// await waits until ok holds, which it looks at when something happens in the chat, when more is closed, and now and then;
// false when Patience is over.
func (b *Bot) await(ok func() bool, more <-chan struct{}) bool {
	return b.awaitFor(b.Patience, ok, more)
}

func (b *Bot) awaitFor(d time.Duration, ok func() bool, more <-chan struct{}) bool {
	over := time.NewTimer(d)
	defer over.Stop()
	pause := 50 * time.Microsecond
	look := time.NewTimer(pause)
	defer look.Stop()
	for {
		b.Chat.mu.Lock()
		news := b.Chat.news
		b.Chat.mu.Unlock()
		if ok() {
			return true
		}
		look.Reset(pause)
		select {
		case <-news:
		case <-more:
			more = nil
		case <-look.C:
			pause = min(2*pause, 5*time.Millisecond)
		case <-over.C:
			return ok()
		}
	}
}

// Stop ends the bot as SIGTERM does and waits for it. The test fails if Run returns an error or does not return in time.
func (b *Bot) Stop() {
	b.t.Helper()
	if b.life == nil {
		b.t.Fatal("testutil: stop: no bot runs")
	}
	b.stop()
}

func (b *Bot) stop() {
	b.t.Helper()
	l := b.life
	b.life = nil
	l.cancel()
	if !within(l.done, l.drain+b.Patience) {
		b.t.Errorf("the bot did not stop within %v", l.drain+b.Patience)
		return
	}
	if l.err != nil {
		b.t.Errorf("the bot stopped with an error: %v", l.err)
	}
}

// Wait waits until the bot has ended by itself, after [Chat.End] or an error of an adapter, and gives what Run returned.
func (b *Bot) Wait() error {
	b.t.Helper()
	if b.life == nil {
		b.t.Fatal("testutil: wait: no bot runs")
	}
	l := b.life
	if !within(l.done, b.Patience) {
		b.t.Fatalf("the bot has not ended within %v", b.Patience)
	}
	b.life = nil
	l.cancel()
	return l.err
}

// Restart stops the bot and starts it again, see [Bot.Stop] and [Bot.Start].
func (b *Bot) Restart(change ...func(*starling.Config)) {
	b.t.Helper()
	b.Stop()
	b.Start(change...)
}

// Kill ends the bot as near to SIGKILL as one process can: from this instant its calls to the store and to its chats have no
// effect and do not return, events under way are not acknowledged, and what it logs is dropped. Start another one on the
// same store with [Bot.Start].
//
// What it cannot show: a handler that waits for something else than the store or the chat (a channel of the test, an HTTP
// call) goes on, and what it does there happens; other adapters stay connected; an event that is just being stored is
// stored; and the store is not torn in the middle of a write, as the file of a killed process can be. Tests of those kill a
// child process. What stood still ends with the test.
//
// A handler that works through a Kill can race with Start, which makes a bot of the same Router: give the new bot a new
// Router then, by a change of Start.
func (b *Bot) Kill() {
	b.t.Helper()
	if b.life == nil {
		b.t.Fatal("testutil: kill: no bot runs")
	}
	l := b.life
	b.life = nil
	l.log.silence()
	for _, c := range l.conns {
		c.cut()
	}
	b.awaitFor(lastCalls, func() bool { // so that none of them still looks at routes that the next bot may share
		for _, c := range l.conns {
			if c.calling() {
				return false
			}
		}
		return true
	}, nil)
	if l.store != nil {
		l.store.cut()
	}
	b.corpses = append(b.corpses, l)
}

// end stops everything at the end of the test.
func (b *Bot) end() {
	b.t.Helper()
	defer b.logs.end()
	if b.life != nil {
		b.stop()
	}
	for _, l := range b.corpses {
		for _, c := range l.conns {
			c.release()
		}
		if l.store != nil {
			l.store.release()
		}
		l.cancel()
	}
	defer b.recordKept()
	for _, l := range b.corpses {
		if inBubble() {
			<-l.done
		} else {
			within(l.done, corpseTimeout) // a handler of it may wait for its context, which ends with the drain
		}
	}
}

// within waits for c to be closed.
func within(c <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-c:
		return true
	case <-t.C:
		return isClosed(c)
	}
}

// errNotRunning is why nothing can be expected of a bot that was stopped.
var errNotRunning = errors.New("no bot runs: it was stopped or killed; call Start")

// Brain gives the brain of the bot's configuration, for tests that look into it; nil where it has none.
func (b *Bot) Brain() *brain.Brain { return b.cfg.Brain }
