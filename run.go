package starling

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
)

// run is one route's handler at work on a delivery. It implements handler.Effects: everything the handler does passes here,
// and stops passing when the run is over.
type run struct {
	d     *delivery
	route *handler.Route // nil: the bot itself speaks
	index int
	req   handler.Request

	ctx      deadlineContext
	cancel   context.CancelCauseFunc
	watch    watched
	state    atomic.Int32   // runState
	counts   map[string]int // guarded by d.mu
	begun    time.Time
	progress progress
	used     atomic.Bool                  // the button that was pressed is marked
	own      atomic.Bool                  // the bot itself speaks
	canceled atomic.Pointer[adapter.User] // by whom
}

type runState = int32

const (
	runOpen     runState = iota
	runReturned          // the handler has returned
	runCut               // it was cut off
)

// errTimeout is the cause of a context that ended at its deadline.
var errTimeout = context.DeadlineExceeded

// deadlineContext is a context whose deadline the watchdog keeps.
type deadlineContext struct {
	context.Context
	at time.Time
}

func (c *deadlineContext) Deadline() (time.Time, bool) { return c.at, true }

func (c *deadlineContext) Err() error {
	err := c.Context.Err()
	if err != nil && context.Cause(c.Context) == errTimeout {
		return errTimeout
	}
	return err
}

// newRun makes the run of a route; nil for what the bot itself says.
func (d *delivery) newRun(route *handler.Route, attempt int) *run {
	x := &run{d: d, route: route}
	x.watch.by = x
	x.req.Event, x.req.Text, x.req.Route, x.req.Delivery, x.req.Attempt = d.ev, d.text, route, d.id, attempt
	x.req.Logger, x.req.Brain = d.bot.log, d.bot.brains[route]
	x.req.Grant = d.grant
	x.req.Bind(x)
	x.req.In(d.bot.table)
	return x
}

// slot names what the run says in the record.
func (x *run) slot(name string) string {
	if x.route == nil {
		return slotSep + name
	}
	return x.route.ID + slotSep + name
}

// slotSep parts a route's id from the name of a slot.
const slotSep = "\x00"

// execute runs the handler once, in all its middleware and inside a panic boundary. cut: the handler was cut off, and the
// watchdog's goroutine has gone on in its place.
func (x *run) execute() (err error, cut bool) {
	b := x.d.bot
	route := x.route
	now := time.Now()
	timeout := route.Timeout
	if timeout <= 0 {
		timeout = b.cfg.Timeout
	}
	ctx, cancel := context.WithCancelCause(b.handling)
	x.cancel, x.begun = cancel, now
	x.ctx = deadlineContext{Context: ctx, at: now.Add(timeout)}
	x.watch.endAt, x.watch.cutAt = x.ctx.at, x.ctx.at.Add(b.cfg.Grace)
	if route.Background && !route.Begins() {
		x.d.line.leave(false)
	} else if !route.Ordered {
		x.watch.slowAt = now.Add(b.cfg.SlowAfter)
	}
	b.watchdog.add(&x.watch)
	err = x.call()
	x.endProgress(err)
	b.watchdog.remove(&x.watch)
	cancel(nil)
	return err, !x.state.CompareAndSwap(runOpen, runReturned)
}

func (x *run) call() (err error) {
	defer func() {
		if v := recover(); v != nil {
			p, ok := v.(*handler.PanicError) // of a middleware that let it go on
			if !ok {
				p = &handler.PanicError{Value: v, Stack: debug.Stack()}
			}
			err = p
		}
	}()
	return x.req.Handle(&x.ctx)
}

// name says what runs, for the log.
func (x *run) name() string {
	return handler.CorrelationID(x.d.id) + " " + x.route.ID + " in " + x.d.address.String()
}

// Begin says that a declared command begins, or one that the guard has let through.
func (x *run) Begin(ctx context.Context, r *handler.Request) error {
	if err := x.open(); err != nil {
		return err
	}
	in := r.Intent()
	reports := x.d.reports(x.route, in)
	var err error
	if in != nil && in.Exclusive != "" {
		err = x.beginAlone(ctx, in, reports)
	} else {
		err = x.recordBegin(ctx, reports)
	}
	if errors.Is(err, brain.ErrConflict) {
		err = handler.UserErrorf("%s: somebody was faster.", x.d.ev.User)
	}
	if err != nil {
		return err
	}
	if x.route.Background {
		x.d.line.leave(false)
	}
	return nil
}

// recordBegin records that a handler begins: one that is not to begin twice, and that the button it was asked with is used.
// alone is done in the same step: it takes what the handler changes. brain.ErrConflict: somebody was faster, and nothing is
// recorded.
func (x *run) recordBegin(ctx context.Context, reports bool, alone ...brain.Op) error {
	op, rec, err := x.use(ctx)
	if err != nil || op == nil && !reports && len(alone) == 0 {
		return err
	}
	ops := alone
	if op != nil {
		ops = append(ops[:len(ops):len(ops)], *op)
	}
	err = x.commit(ctx, func(r *runRecord) {
		if reports {
			r.Begun = append(r.Begun, x.route.ID)
		}
		for _, op := range alone {
			if !slices.Contains(r.Exclusive, op.Key) {
				r.Exclusive = append(r.Exclusive, op.Key)
			}
		}
	}, nil, ops...)
	if err == nil && op != nil {
		x.retired(rec)
	}
	return err
}

// slow lets the next event of the conversation begin.
func (x *run) slow() { x.d.line.leave(false) }

// timeout ends the handler's context.
func (x *run) timeout() { x.cancel(errTimeout) }

// cut ends a handler that does not return: nothing it does from now on has an effect, and its event goes on without it.
func (x *run) cut() {
	if !x.state.CompareAndSwap(runOpen, runCut) {
		return
	}
	d, b := x.d, x.d.bot
	x.cancel(errTimeout)
	b.stats.cut.Add(1)
	turn := d.line.cut()
	b.log.Error("a handler did not return after its time and is cut off", "id", handler.CorrelationID(d.id), "route", x.route.ID, "room", d.address.String())
	b.background.Go(func() {
		defer d.line.done(turn)
		if b.handling.Err() != nil {
			return // the bot stops: a stored event is for the next start, a volatile one was logged as unfinished
		}
		if err := d.clear(b.handling); err != nil {
			d.leave("find out what was written", err)
			return
		}
		d.wasTold() // it is over, whatever it was told
		y := d.newRun(x.route, x.req.Attempt)
		y.settle(fmt.Errorf("the handler did not return: %w", errTimeout), false)
		d.markDone(x.route.ID)
		d.runFrom(x.index + 1)
	})
}

// EndsAt is told of a middleware's deadline.
func (x *run) EndsAt(_ *handler.Request, at time.Time) {
	x.d.bot.watchdog.endsAt(&x.watch, at, x.d.bot.cfg.Grace)
}

// Jobs lists the handlers that run.
func (x *run) Jobs() []handler.Job { return x.d.bot.Jobs() }

// Cancel ends the context of the handlers of a delivery.
func (x *run) Cancel(id string, by adapter.User) bool { return x.d.bot.cancel(id, by) }

// open gives ErrEnded once the run is over or another process has the delivery.
func (x *run) open() error {
	if x.state.Load() != runOpen || x.d.lostFence() {
		return handler.ErrEnded
	}
	return nil
}

// Features says what an adapter can do.
func (x *run) Features(name string) adapter.Features {
	if src := x.d.bot.sources[name]; src != nil {
		return src.features
	}
	return adapter.Features{}
}

// Send passes m through the outgoing chain and the outbox.
func (x *run) Send(ctx context.Context, _ *handler.Request, slot string, m *adapter.Message) ([]adapter.Ref, error) {
	if err := x.open(); err != nil {
		return nil, err
	}
	return x.send(ctx, slot, m)
}

func (x *run) send(ctx context.Context, slot string, m *adapter.Message) ([]adapter.Ref, error) {
	return x.d.bot.outgoing(ctx, m, func(ctx context.Context, m *adapter.Message) ([]adapter.Ref, error) {
		return x.enqueue(ctx, slot, m)
	})
}

// commit is that of the delivery, for an effect of the handler: where its outcome is unknown the handler is told, and run again.
func (x *run) commit(ctx context.Context, change func(*runRecord), done func(revs []uint64), ops ...brain.Op) error {
	most := brain.MaxValue - roomForEnd
	if x.own.Load() || x.state.Load() != runOpen {
		most = brain.MaxValue
	}
	err := x.d.commitUpTo(ctx, most, change, done, ops...)
	if err != nil && x.d.uncertain() {
		x.d.mu.Lock()
		x.d.told = true
		x.d.mu.Unlock()
	}
	return err
}

// enqueue renders m, records it as attempted and posts it; a message that the record knows is not posted again.
func (x *run) enqueue(ctx context.Context, slot string, m *adapter.Message) ([]adapter.Ref, error) {
	d := x.d
	m, err := d.bot.privately(ctx, m)
	if err != nil {
		return nil, err
	}
	parts, err := d.bot.render(m)
	if err != nil || len(parts) == 0 {
		return nil, err
	}
	sum, err := digest(parts)
	if err != nil {
		return nil, err
	}
	named := slot != ""
	if !named {
		slot = x.nth(sum)
	}
	key := x.slot(slot)
	for i, p := range parts {
		if p.Key == "" {
			p.Key = partKey(d.id, key, i)
		}
	}
	for c := d.flies(key); c != nil; c = d.flies(key) { // an earlier attempt of this handler said it, and it is not yet posted
		select {
		case <-c:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", errQueued, context.Cause(ctx))
		}
	}
	refs, before, known, err := d.recall(key)
	switch {
	case err != nil:
		return nil, err
	case known == slotSent:
		if !named || before == sum {
			return refs, nil
		}
		if slot == progressSlot || len(refs) > 0 && x.Can(refs[0].Adapter, handler.VerbEdit) {
			return x.editSlot(ctx, key, sum, refs, m)
		}
		key = x.slot(slot + " " + x.nth(sum)) // what cannot be edited is another message
		for i, p := range parts {
			p.Key = partKey(d.id, key, i)
		}
		if refs, _, known, err = d.recall(key); err != nil || known == slotSent {
			return refs, err
		}
	}
	if err := d.bot.outbox.admit(ctx, parts[0].To.Adapter); err != nil {
		return nil, err
	}
	ops, err := d.bot.arm(ctx, d.id+slotSep+key, m, parts)
	switch {
	case err != nil:
		return nil, err
	case known == slotAttempted:
		return d.post(ctx, key, parts, refs, true)
	}
	err = x.commit(ctx, func(r *runRecord) {
		put(&r.Slots, key, slotRecord{State: slotAttempted, Parts: parts, Digest: sum, Turn: len(r.Slots) + 1})
	}, nil, ops...)
	if err != nil {
		return nil, err
	}
	return d.post(ctx, key, parts, nil, false)
}

// nth names the slot of the next message with this content.
func (x *run) nth(sum string) string {
	x.d.mu.Lock()
	defer x.d.mu.Unlock()
	n := x.counts[sum] + 1
	put(&x.counts, sum, n)
	return sum + "-" + strconv.Itoa(n)
}

// Edit replaces the content of all parts of a message: the text that is rendered now is laid over the parts that there are.
func (x *run) Edit(ctx context.Context, _ *handler.Request, refs []adapter.Ref, m *adapter.Message) ([]adapter.Ref, error) {
	if err := x.open(); err != nil {
		return nil, err
	}
	return x.d.bot.outgoing(ctx, m, func(ctx context.Context, m *adapter.Message) ([]adapter.Ref, error) {
		return x.d.bot.edit(ctx, fmt.Sprint("edit", refs), refs, m)
	})
}

// editSlot replaces the content of a message of this delivery, which has been through the outgoing chain, and notes what
// it now is.
func (x *run) editSlot(ctx context.Context, key, sum string, refs []adapter.Ref, m *adapter.Message) ([]adapter.Ref, error) {
	d := x.d
	refs, err := d.bot.edit(ctx, d.id+slotSep+key, refs, m)
	if err != nil {
		return refs, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	longer := len(refs) != len(d.rec.Slots[key].Refs)
	put(&d.rec.Slots, key, slotRecord{State: slotSent, Refs: refs, Digest: sum})
	if d.durable && longer { // else a run again edits once more, which changes nothing
		d.changedAside(flushAfter)
	}
	return refs, nil
}

// Delete removes all parts of a message.
func (x *run) Delete(ctx context.Context, _ *handler.Request, refs []adapter.Ref) error {
	if err := x.open(); err != nil {
		return err
	}
	return x.d.bot.delete(ctx, refs)
}

// React puts an emoji on a message.
func (x *run) React(ctx context.Context, _ *handler.Request, ref adapter.Ref, emoji string) error {
	if err := x.open(); err != nil {
		return err
	}
	r, err := verb[adapter.Reactor](x.d.bot, ref.Adapter, "react")
	if err != nil {
		return err
	}
	return r.React(ctx, ref, emoji)
}

// OpenDirect gives the direct room of the bot and a user.
func (x *run) OpenDirect(ctx context.Context, name, userID string) (adapter.Room, error) {
	o, err := verb[adapter.DirectOpener](x.d.bot, name, "open a direct room")
	if err != nil {
		return adapter.Room{}, err
	}
	return o.OpenDirect(ctx, userID)
}

// changeTries bounds how often a change meets another change of the same key.
const changeTries = 256

// Change stores a new value of a key together with the mark that this delivery made it.
func (x *run) Change(ctx context.Context, r *handler.Request, key string, f func(old []byte) ([]byte, error)) ([]byte, error) {
	d := x.d
	mark := x.slot(key + "#" + strconv.Itoa(x.count("change "+key)))
	if value, ok := d.changed(mark); ok {
		return value, nil
	}
	for range changeTries {
		if err := x.open(); err != nil {
			return nil, err
		}
		op := brain.Op{Key: key}
		entry, err := d.bot.store.Get(ctx, key)
		switch {
		case err == nil:
			op.If = brain.At(entry.Rev)
		case !errors.Is(err, brain.ErrNotFound):
			return nil, fmt.Errorf("change %q: %w", key, err)
		}
		if op.Value, err = f(entry.Value); err != nil {
			return nil, err
		}
		err = x.commit(ctx, func(rec *runRecord) { put(&rec.Changes, mark, json.RawMessage(op.Value)) }, nil, op)
		if err == nil {
			return op.Value, nil
		}
		if !errors.Is(err, brain.ErrConflict) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("change %q: %w: it was changed by others %d times in a row", key, brain.ErrConflict, changeTries)
}

// count numbers the changes of one key in the order of their calls.
func (x *run) count(what string) int {
	x.d.mu.Lock()
	defer x.d.mu.Unlock()
	n := x.counts[what] + 1
	put(&x.counts, what, n)
	return n
}

// Once starts an outside effect at most once.
func (x *run) Once(ctx context.Context, r *handler.Request, key string, f func(context.Context) ([]byte, error)) ([]byte, error) {
	d := x.d
	mark := x.slot(key)
	if err := x.open(); err != nil {
		return nil, err
	}
	if once, ok := d.started(mark); ok {
		switch {
		case !once.Done:
			return nil, fmt.Errorf("once %q: %w", key, handler.ErrUnknown)
		case once.Error != "":
			return nil, errors.New(once.Error)
		}
		return once.Value, nil
	}
	running := false
	err := x.commit(ctx, func(rec *runRecord) {
		if _, running = rec.Onces[mark]; !running {
			put(&rec.Onces, mark, onceRecord{})
		}
	}, nil)
	if err != nil {
		return nil, err
	}
	if running { // another goroutine of this handler was faster
		return nil, fmt.Errorf("once %q: it is under way: %w", key, handler.ErrUnknown)
	}
	value, ferr := f(ctx)
	if err := x.open(); err != nil {
		return nil, err
	}
	result := onceRecord{Done: true, Value: value}
	if ferr != nil {
		result = onceRecord{Done: true, Error: ferr.Error()}
	}
	err = x.commit(context.WithoutCancel(ctx), func(rec *runRecord) { put(&rec.Onces, mark, result) }, nil)
	if err != nil {
		return nil, errors.Join(ferr, fmt.Errorf("once %q: the result could not be recorded: %w", key, err))
	}
	return value, ferr
}
