package starling

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
)

// Bot is a bot ready to run. Its methods may be called concurrently.
type Bot struct {
	cfg     Config
	log     *slog.Logger
	table   *handler.Table
	store   brain.Store
	durable bool // events are stored
	brains  map[*handler.Route]*brain.Brain
	sources map[string]*source
	order   []*source // as in Config

	limiter   *limiter
	loops     *loopBreaker
	seen      *seenSet
	mailboxes *mailboxes
	watchdog  watchdog
	outbox    *outbox
	questions *questions
	buttons   buttons
	sealed    sealedArgs
	posting   posting
	cancels   bool // there is a command that cancels a job
	history   history
	stats     stats

	handling     context.Context // of handlers; ends when they have to stop
	stopHandling context.CancelCauseFunc
	closing      context.Context // of sends; ends when the bot closes
	close        context.CancelFunc
	storing      context.Context // of the core's writes; ends last
	stopStoring  context.CancelFunc
	background   tasks // goroutines that go on with a delivery

	id         string // of this process
	ran        atomic.Bool
	running    atomic.Bool
	draining   atomic.Bool
	httpAddr   atomic.Value // net.Addr
	mux        *http.ServeMux
	storeState atomic.Pointer[error] // the store's last failure; nil: it works
}

// New makes a bot. It checks everything that can be checked without a network and returns all mistakes in one error, those
// of the router with file and line.
func New(cfg Config) (*Bot, error) {
	cfg, err := cfg.withDefaults()
	var table *handler.Table
	if cfg.Router != nil {
		var terr error
		table, terr = cfg.Router.Build(cfg.Name, cfg.Aliases)
		err = errors.Join(err, terr)
	}
	if err != nil {
		return nil, fmt.Errorf("starling: %w", err)
	}
	b := &Bot{
		id: nonce(), cfg: cfg, log: cfg.Logger, table: table, brains: map[*handler.Route]*brain.Brain{}, sources: map[string]*source{},
		limiter: newLimiter(cfg.Limits), loops: newLoopBreaker(), seen: newSeenSet(), questions: newQuestions(), mailboxes: newMailboxes(cfg.Workers, cfg.Limits.Waiting),
	}
	root := cfg.Brain
	if root == nil {
		root = brain.New(memory.New())
	}
	b.store = patient{root.Store(), b.storeFailed}
	b.durable = cfg.Brain != nil && !cfg.Volatile
	for _, r := range table.Routes() {
		b.brains[r] = root
		if r.Mount() != "" {
			b.brains[r] = root.Namespace(r.Mount())
		}
	}
	b.handling, b.stopHandling = context.WithCancelCause(context.Background())
	b.closing, b.close = context.WithCancel(context.Background())
	b.storing, b.stopStoring = context.WithCancel(context.Background())
	for _, a := range cfg.Adapters {
		src := newSource(a, b.log)
		b.sources[src.name] = src
		b.order = append(b.order, src)
	}
	if err := b.SetPolicies(cfg.Policies); err != nil {
		return nil, err
	}
	specs := table.Specs()
	for _, src := range b.order {
		if c, ok := adapter.As[adapter.CommandChecker](src.adapter); ok {
			if err := c.CheckCommands(specs); err != nil {
				b.log.Warn("these commands work when they are typed, and cannot be native commands", "adapter", src.name, "error", err)
			}
		}
	}
	b.outbox = &outbox{sources: b.sources, sendFor: cfg.SendFor, log: b.log, ctx: b.closing, lanes: map[adapter.Address]*lane{}}
	b.mailboxes.run = func(d *delivery) { d.begin() }
	b.mailboxes.log = func(msg string, err error, a adapter.Address) {
		b.log.Error(msg, "room", a.String(), "error", err)
		b.storeFailed(err)
	}
	if cfg.Brain != nil {
		b.mailboxes.refill = b.refill
	}
	b.cancels = len(table.Match(&adapter.Event{Kind: adapter.KindClick, Click: &adapter.Click{Command: cancelCommand + "x"}}).Routes) > 0 &&
		table.Route("cancel") != nil
	b.mux = b.newMux()
	return b, nil
}

// Routes gives the bot's routes in order of registration, help last. They must not be changed.
func (b *Bot) Routes() []*handler.Route { return b.table.Routes() }

// Run connects the adapters and handles events until ctx ends or every adapter has come to its end; then it drains and
// closes the adapters. It blocks, and can be called once. It returns nil after a clean stop, and else what went wrong with
// the adapters, joined.
//
// When ctx ends no further event is taken, handlers that run have Config.DrainTimeout to finish, and what they say is
// posted. Stored events that wait are handled at the next start.
func (b *Bot) Run(ctx context.Context) error {
	if b.ran.Swap(true) {
		return errors.New("starling: Run was called before: make a new bot with New")
	}
	defer b.stopStoring()
	if b.cfg.Brain == nil {
		b.log.Warn("the bot has no brain that keeps: what it knows and what it has not yet handled is lost when it stops; set Config.Brain")
	}
	stopServer, err := b.serve(ctx)
	if err != nil {
		return errors.Join(err, b.shut())
	}
	defer stopServer()
	b.running.Store(true)
	defer b.running.Store(false)
	sweeping, stopSweeping := context.WithCancel(b.storing)
	defer stopSweeping()
	if err := errors.Join(b.loadQuestions(ctx), b.loadChoices(ctx)); err != nil {
		return errors.Join(err, b.shut())
	}
	if err := errors.Join(b.recover(ctx), b.recoverSends(ctx)); err != nil { // of a bot that is Volatile now, too
		return errors.Join(err, b.shut())
	}
	b.background.Go(func() { b.sweep(sweeping) })
	b.background.Go(func() { b.dues(sweeping) })
	err = b.runAdapters(ctx)
	b.drain(ctx)
	stopSweeping()
	return errors.Join(err, b.shut())
}

// runAdapters runs all adapters until each has come to its end; they are told to when ctx ends, and waited for no longer
// than the drain.
func (b *Bot) runAdapters(ctx context.Context) error {
	specs := b.table.Specs()
	var wg sync.WaitGroup
	errs := make([]error, len(b.order))
	for i, src := range b.order {
		if reg, ok := adapter.As[adapter.CommandRegistrar](src.adapter); ok {
			if err := reg.RegisterCommands(ctx, specs); err != nil {
				b.log.Error("the adapter did not take the commands", "adapter", src.name, "error", err)
			}
		}
		wg.Go(func() {
			if errs[i] = src.run(ctx, b.sink(src)); errs[i] != nil {
				b.log.Error("an adapter has stopped for good", "adapter", src.name, "error", errs[i])
			}
		})
	}
	all := make(chan struct{})
	go func() { wg.Wait(); close(all) }()
	select {
	case <-all:
	case <-ctx.Done():
		b.draining.Store(true)
		b.mailboxes.pause()
		t := time.NewTimer(b.cfg.DrainTimeout / 2)
		defer t.Stop()
		select {
		case <-all:
		case <-t.C:
			return errors.New("starling: an adapter did not end when it was told to")
		}
	}
	return errors.Join(errs...)
}

// drain lets what runs finish. When ctx has ended, handlers are told to stop after four fifths of DrainTimeout and left
// after all of it.
func (b *Bot) drain(ctx context.Context) {
	begun := time.Now()
	if ctx.Err() == nil { // the sources are exhausted: everything is handled, however long it takes
		if b.quiet(ctx) {
			return
		}
		b.mailboxes.pause()
		begun = time.Now()
	}
	soft, cancel := context.WithDeadline(context.Background(), begun.Add(b.cfg.DrainTimeout*4/5))
	defer cancel()
	if b.quiet(soft) {
		return
	}
	b.stopHandling(handler.ErrStopping)
	hard, cancel := context.WithDeadline(context.Background(), begun.Add(b.cfg.DrainTimeout))
	defer cancel()
	if b.quiet(hard) {
		return
	}
	b.logUnfinished()
	b.watchdog.cutAll()
}

// logUnfinished says which handlers the bot leaves undone.
func (b *Bot) logUnfinished() {
	for _, w := range b.watchdog.all() {
		b.log.Error("unfinished when the bot stopped", "handler", w.name())
	}
}

// closeMailboxes takes no more events to handlers, and says what is lost by that.
func (b *Bot) closeMailboxes() {
	if volatile := b.mailboxes.close(); volatile > 0 {
		b.log.Error("volatile events are lost", "events", volatile)
	}
}

// quiet waits until nothing runs and nothing is being posted; false when ctx ends before.
func (b *Bot) quiet(ctx context.Context) bool {
	return b.mailboxes.idle(ctx) == nil && b.outbox.idle(ctx) == nil
}

// lastMoment is how long the bot waits for what ignores that it has been told to end.
const lastMoment = 2 * time.Second

// shut ends everything and closes the adapters.
func (b *Bot) shut() error {
	b.closeMailboxes()
	b.stopHandling(handler.ErrStopping)
	b.close()
	b.outbox.stop()
	var errs []error
	for _, src := range b.order {
		if c, ok := adapter.As[adapter.Closer](src.adapter); ok {
			if err := c.Close(); err != nil {
				errs = append(errs, fmt.Errorf("adapter %s: close: %w", src.name, err))
			}
		}
	}
	stored := make(chan struct{}) // what is being written has a moment to get there
	go func() { b.background.Wait(); close(stored) }()
	select {
	case <-stored:
	case <-time.After(time.Second):
	}
	b.stopStoring()
	select {
	case <-stored:
	case <-time.After(lastMoment):
		b.log.Error("something does not end although the bot has; it is left behind")
	}
	return errors.Join(errs...)
}

// storeFailed remembers that the store does not work, and says so once.
func (b *Bot) storeFailed(err error) {
	if b.storeState.Swap(&err) == nil {
		b.log.Error("the store fails; the platforms keep events until it works again", "error", err)
	}
}

// storeWorks remembers that the store works, and says so if it did not.
func (b *Bot) storeWorks() {
	if b.storeState.Load() != nil && b.storeState.Swap(nil) != nil {
		b.log.Info("the store works again")
	}
}
