package starling

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
)

// delivery is one accepted event on its way through its handlers.
type delivery struct {
	bot     *Bot
	ev      *adapter.Event
	address adapter.Address
	id      string
	text    string // without the address
	routes  []*handler.Route
	grant   *handler.Grant // what was completed or confirmed
	notice  string         // said instead of running routes: what the bot itself has to say

	line  line
	state deliveryState // guarded by mailboxes.mu
	seq   uint64

	durable   bool
	recovered bool // read back from the store by a process that did not accept it
	entryRev  uint64

	ledger
}

type deliveryState int

const (
	stateReady   deliveryState = iota // in a mailbox: may run
	statePlaced                       // has its place, and is being stored
	stateDropped                      // could not be stored
)

// begin runs the delivery on a worker that holds its line.
func (d *delivery) begin() {
	b := d.bot
	if d.notice != "" {
		only := ""
		if d.ev.Kind == adapter.KindClick { // nobody else saw the press
			only = d.ev.User.ID
		}
		d.tell(d.newRun(nil, 1), "notice", &adapter.Message{To: d.address, Text: d.notice, Origin: d.ev.Origin, Only: only})
		d.finish()
		return
	}
	if d.recovered && !d.again() {
		return
	}
	if d.grant == nil && d.routes[0].Kind() == "fallback" { // a question may have been asked since it was accepted
		sel := handler.Selection{Routes: d.routes}
		b.answers(d.ev, &sel)
		d.routes = sel.Routes
	}
	d.talks()
	b.stats.handled.Add(1)
	if d.stale() {
		d.finish()
		return
	}
	d.runFrom(0)
}

// again takes over an event that a dead process may have begun, and counts one more attempt. false: there is nothing to run.
// It holds its line while the store fails: nothing that was accepted later may begin before it.
func (d *delivery) again() bool {
	for {
		run, err := d.takeOver()
		if err == nil {
			return run
		}
		if errors.Is(err, brain.ErrTooLarge) { // it never gets smaller
			d.dead("its record cannot be written: " + err.Error())
			return false
		}
		if errors.Is(err, handler.ErrEnded) || pause(d.bot.handling, refetch) != nil {
			d.leave("take it over", err)
			return false
		}
	}
}

func (d *delivery) takeOver() (run bool, err error) {
	b := d.bot
	d.mu.Lock()
	d.rec, d.rev, d.unsure = runRecord{}, 0, nil // nothing of it has begun here: the stored record counts
	d.mu.Unlock()
	if err := d.load(b.storing); err != nil {
		var bad *badRecord
		if errors.As(err, &bad) {
			d.dead(bad.Error())
			return false, nil
		}
		return false, err
	}
	if d.allDone() { // only messages are left to post
		d.resume()
		d.finish()
		return false, nil
	}
	if n := d.attempts(); n >= b.cfg.Attempts {
		d.dead(fmt.Sprintf("it was begun %d times and never ended", n))
		return false, nil
	}
	begun := d.rev != 0 // else it has only waited, as far as anybody knows
	err = d.commit(b.storing, nil, func(r *runRecord) {
		if begun {
			r.Attempt = max(1, r.Attempt)
		}
		r.Attempt++
	})
	if err != nil {
		return false, err
	}
	d.resume()
	return true, nil
}

// runFrom runs the routes from the i-th on.
func (d *delivery) runFrom(i int) {
	for ; i < len(d.routes); i++ {
		if d.isDone(d.routes[i].ID) {
			continue
		}
		switch d.runRoute(i) {
		case gone:
			return
		case stopped:
			d.finish()
			return
		}
	}
	d.finish()
}

// outcome is how the run of a route ended.
type outcome int

const (
	ended   outcome = iota // go on with the next route
	stopped                // no further route
	gone                   // the delivery is no longer this goroutine's
)

// runRoute runs one route until its handler has ended, retries included.
func (d *delivery) runRoute(i int) outcome {
	b, route := d.bot, d.routes[i]
	log := func() *slog.Logger {
		return b.log.With("id", handler.CorrelationID(d.id), "route", route.ID, "room", d.address.String())
	}
	if d.reports(route, nil) || d.hasBegun(route.ID) {
		x := d.newRun(route, 1)
		if d.interrupted(x) {
			return ended
		}
		if !route.Begins() {
			if !d.surely("record that the handler begins", func() error {
				if d.hasBegun(route.ID) { // an earlier try landed
					return nil
				}
				return x.recordBegin(b.storing, true)
			}) {
				return gone
			}
		}
	}
	for attempt := max(1, d.attempts()); ; attempt++ {
		x := d.newRun(route, attempt)
		x.index = i
		err, cut := x.execute()
		if cut {
			return gone
		}
		if d.uncertain() && !route.Ordered {
			d.line.leave(false)
		}
		if err := d.clear(b.handling); err != nil { // the bot stops
			d.leave("find out what was written", err)
			return gone
		}
		if d.lostFence() {
			log().Warn("another process has taken the event")
			b.mailboxes.release(d)
			return gone
		}
		if d.durable && err != nil && b.handling.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, handler.ErrStopping)) {
			log().Warn("the bot stops before the handler ended; the event is for the next start")
			d.stoppedInOrder()
			return gone
		}
		told := d.wasTold()
		if told && d.hasBegun(route.ID) { // it is not begun a second time
			d.interrupted(d.newRun(route, 1))
			return ended
		}
		if err == nil {
			x.useAfter()
		}
		again, wait := x.settle(err, told)
		if !again {
			d.yield(b.storing)
			d.markDone(route.ID)
			if x.req.Stopped() {
				return stopped
			}
			return ended
		}
		if !route.Ordered {
			d.line.leave(false)
		}
		if pause(b.handling, wait) != nil {
			if d.durable {
				return gone
			}
			log().Error("the bot stops, and an event that was to be run again is lost")
			return ended
		}
		if !d.surely("count the attempt", func() error {
			return d.commit(b.storing, nil, func(r *runRecord) { r.Attempt = attempt + 1 })
		}) {
			return gone
		}
	}
}

// surely writes until it is known what was written: what this process has posted and could not record it alone knows, so that
// the sweeper would post it again. false: the delivery was given up.
func (d *delivery) surely(what string, write func() error) bool {
	for {
		err := write()
		if err == nil {
			d.wasTold() // none was: they begin after this
			return true
		}
		switch {
		case d.uncertain():
			err = d.clear(d.bot.handling)
		case errors.Is(err, brain.ErrClosed):
			err = pause(d.bot.handling, refetch)
		}
		if err != nil || d.lostFence() {
			d.leave(what, orElse(err, handler.ErrEnded))
			return false
		}
	}
}

// stoppedInOrder takes the attempt back that an orderly stop has interrupted: it is no sign of an event that kills its process.
func (d *delivery) stoppedInOrder() {
	if d.attempts() == 0 {
		return
	}
	if err := d.commit(d.bot.storing, nil, func(r *runRecord) { r.Attempt-- }); err != nil {
		d.bot.log.Warn("an attempt that the stop has interrupted counts", "id", handler.CorrelationID(d.id), "error", err)
	}
}

// reports tells whether a route is not begun a second time after a crash. in is what it is about to do, nil where that is not
// known.
func (d *delivery) reports(route *handler.Route, in *handler.Intent) bool {
	return d.durable && route.Reports(in)
}

// interrupted tells asker and room about a handler that a dead process had begun; false where it had not.
func (d *delivery) interrupted(x *run) bool {
	if !d.hasBegun(x.route.ID) {
		return false
	}
	d.bot.log.Warn("a handler was interrupted and is not begun again", "id", handler.CorrelationID(d.id), "route", x.route.ID)
	x.interruptProgress()
	text := adapter.Format("%s: interrupted, outcome unknown. Look before you repeat it:\n%s", d.ev.User, d.bot.table.Said(d.ev, d.grant))
	d.say(x, "interrupted", text)
	if d.ev.Room.Kind != adapter.RoomDirect && d.ev.User.ID != "" {
		ctx, cancel := context.WithTimeout(d.bot.closing, d.bot.cfg.SlowAfter)
		room, err := x.OpenDirect(ctx, d.ev.Adapter, d.ev.User.ID)
		cancel()
		if err == nil {
			d.tell(x, "interrupted-direct", &adapter.Message{To: adapter.Address{Adapter: d.ev.Adapter, Room: room.ID}, Text: text})
		}
	}
	d.markDone(x.route.ID)
	return true
}

// say posts what the bot itself has to say where the event was.
func (d *delivery) say(x *run, slot, text string) {
	d.tell(x, slot, &adapter.Message{To: d.address, Text: text, Origin: d.ev.Origin})
}

// tell passes m through the outgoing chain into the outbox; what goes wrong is logged.
func (d *delivery) tell(x *run, slot string, m *adapter.Message) {
	x.own.Store(true)
	for d.tellOnce(x, slot, m); d.uncertain(); d.tellOnce(x, slot, m) { // the store does not say whether that is recorded
		if d.clear(d.bot.handling) != nil {
			return // the event is for the next start
		}
	}
	d.wasTold()
}

func (d *delivery) tellOnce(x *run, slot string, m *adapter.Message) {
	ctx, cancel := context.WithTimeout(d.bot.closing, d.bot.cfg.SlowAfter)
	defer cancel()
	if _, err := x.send(ctx, slot, m); err != nil && (ctx.Err() == nil || errors.Is(err, errFull)) {
		level := slog.LevelError
		if slot == progressSlot && errors.Is(err, adapter.ErrNotFound) { // the message is gone, with what it would say
			level = slog.LevelDebug
		}
		d.bot.log.Log(ctx, level, "the bot could not say what it had to", "id", handler.CorrelationID(d.id), "to", d.address.String(), "error", err)
	}
}

// settle draws the conclusion from the error of a route's handler.
func (x *run) settle(err error, doubt bool) (again bool, wait time.Duration) {
	d, b := x.d, x.d.bot
	if err == nil && !doubt {
		return false, 0
	}
	var user *handler.UserError
	var retry *handler.RetryError
	var refused *handler.RefusedError
	var panicked *handler.PanicError
	log := b.log.With("id", handler.CorrelationID(d.id), "route", x.route.ID, "room", d.address.String(), "user", d.ev.User.Key())
	switch {
	case doubt:
		err = fmt.Errorf("the store is uncertain: %w", orElse(err, brain.ErrClosed))
		retry = &handler.RetryError{Err: err}
	case errors.As(err, &panicked): // whatever it was that was panicked with
	case x.canceled.Load() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, handler.ErrCanceled) || errors.Is(err, errTimeout)):
		log.Info("a handler was canceled", "by", x.canceled.Load().Key())
		d.say(x, "canceled", adapter.Format("Canceled by %s.", *x.canceled.Load()))
		return false, 0
	case errors.As(err, &refused):
		return false, 0
	case errors.As(err, &retry):
	case errors.As(err, &user):
		if user.Err != nil {
			log.Info("what a handler told its user had a cause", "error", user.Err)
		}
		d.say(x, "failure", user.Text)
		return false, 0
	}
	if retry != nil && x.req.Attempt < b.cfg.Attempts {
		log.Warn("the event is run again", "attempt", x.req.Attempt, "error", err)
		wait = retry.After
		if wait <= 0 {
			wait = time.Duration(float64(time.Second<<min(x.req.Attempt-1, 5)) * (0.75 + rand.Float64()/2))
		}
		return true, wait
	}
	b.stats.failed.Add(1)
	attrs := []any{"error", err}
	if panicked != nil {
		attrs = append(attrs, "stack", string(panicked.Stack))
	}
	log.Error("a handler failed", attrs...)
	d.say(x, "failure", failureText(d.id))
	return false, 0
}

// failureText is what people are told when a handler fails: never the cause.
func failureText(delivery string) string {
	return "Sorry, that went wrong. My log has it under " + handler.CorrelationID(delivery) + "."
}

func orElse(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// finish ends the delivery once all its messages are on their way to the end.
func (d *delivery) finish() {
	d.mu.Lock()
	d.over = true
	pending := d.pending
	d.mu.Unlock()
	if pending == 0 {
		d.complete()
		return
	}
	if d.durable { // a crash from here on posts what is missing and runs nothing again
		err := d.commit(d.bot.storing, nil, func(r *runRecord) {
			for _, route := range d.routes {
				if !slices.Contains(r.Done, route.ID) {
					r.Done = append(r.Done, route.ID)
				}
			}
		})
		if err != nil && !errors.Is(err, handler.ErrEnded) { // it is done with the end of the last message
			d.bot.log.Warn("it could not be recorded that the handlers have ended", "id", handler.CorrelationID(d.id), "error", err)
		}
	}
}

// complete removes the delivery from the store.
func (d *delivery) complete() {
	b := d.bot
	if d.completed.Swap(true) {
		return
	}
	if !d.durable {
		if d.notice == "" { // what the bot itself says is no event
			b.stats.completed.Add(1)
		}
		return
	}
	if err := d.remove(b.storing); err == nil || errors.Is(err, handler.ErrEnded) {
		d.removed(err)
		return
	}
	b.background.Go(func() { // the store is out: the event is done, and must not run again in this process
		for pause(b.storing, time.Second) == nil {
			if err := d.remove(b.storing); err == nil || errors.Is(err, handler.ErrEnded) {
				d.removed(err)
				return
			}
		}
	})
}

// removed ends a delivery that is out of the store, or another process's.
func (d *delivery) removed(err error) {
	b := d.bot
	if err != nil {
		b.log.Warn("another process has taken the event", "id", handler.CorrelationID(d.id))
	} else {
		b.stats.completed.Add(1)
	}
	b.mailboxes.release(d)
}

// leave gives the delivery up: to the sweeper, since the store failed, or to another process that has it.
func (d *delivery) leave(what string, err error) {
	if errors.Is(err, handler.ErrEnded) {
		d.bot.log.Warn("another process has taken the event", "id", handler.CorrelationID(d.id), "while", what)
	} else {
		d.bot.log.Error("the store failed; the event stays in it and is run again", "id", handler.CorrelationID(d.id), "while", what, "error", err)
	}
	d.mu.Lock()
	d.left = d.pending > 0 // what is being posted is not to be posted beside it
	left := d.left
	d.mu.Unlock()
	if !left {
		d.bot.mailboxes.release(d)
	}
}

// dead puts the delivery aside.
func (d *delivery) dead(reason string) {
	b := d.bot
	for _, r := range d.routes {
		d.newRun(r, 1).interruptProgress()
	}
	b.log.Error("an event is put aside as a dead letter", "id", handler.CorrelationID(d.id), "reason", reason)
	if d.durable {
		if err := d.remove(b.storing, d.deadOp(reason)); err != nil {
			d.leave("put it aside", err)
			return
		}
		b.mailboxes.release(d)
	}
	b.stats.dead.Add(1)
	d.completed.Store(true)
	b.notify(d.ev, failureText(d.id))
}
