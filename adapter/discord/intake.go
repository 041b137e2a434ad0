package discord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// The bounds of the intake. Messages that are over are read from the room's history later; what else is over is lost, and
// reported as a gap.
const (
	maxWaiting = 4_096 // events between the connection and the sink
	maxLane    = 512   // of them in one room or thread
	maxTaken   = 50_000
	keepTaken  = 15 * time.Minute
	lookupFor  = 1500 * time.Millisecond
	maxNames   = 20 // names of one text that are looked up
	sinkRetry  = 200 * time.Millisecond
)

var errBusy = errors.New("discord: too many events wait for the bot")

// intake stands between the connection and the sink. Whoever receives only hands over: the events of a room or thread wait
// in a lane of their own and go to the sink one after the other, each until the sink has taken it, because Discord never
// delivers it again; one that is delivered twice is not handed over twice.
type intake struct {
	a    *Adapter
	ctx  context.Context // of the sink; ends with Run
	sink adapter.Sink

	mu         sync.Mutex
	lanes      map[string]*lane // by channel
	flying     map[string]*job  // by event id: waiting or with the sink
	taken      recent
	waiting    int
	ended      bool
	fills      int // gaps that are being filled
	wg         sync.WaitGroup
	completing chan struct{} // cap maxCompleting
	filler     chan struct{} // cap 1: gaps are filled one after the other, they share Discord's limits
}

type lane struct{ jobs []*job }

// job is an event on its way.
type job struct {
	r    *received
	done []func(error) // are told what became of it
}

func newIntake(ctx context.Context, a *Adapter, sink adapter.Sink) *intake {
	return &intake{a: a, ctx: ctx, sink: sink, lanes: map[string]*lane{}, flying: map[string]*job{}, taken: newRecent(maxTaken, keepTaken), filler: make(chan struct{}, 1),
		completing: make(chan struct{}, maxCompleting)}
}

// offer takes an event without blocking. done is called once, from any goroutine: nil when the event is safe, or was before.
func (in *intake) offer(r *received, done func(error)) {
	id := r.ev.ID
	message := r.ev.Kind == adapter.KindMessage
	in.mu.Lock()
	if in.taken.has(id, time.Now()) {
		in.mu.Unlock()
		done(nil)
		return
	}
	if j := in.flying[id]; j != nil {
		if len(j.done) < 16 {
			j.done = append(j.done, done)
			in.mu.Unlock()
			return
		}
		in.mu.Unlock()
		done(errBusy)
		return
	}
	l := in.lanes[r.channel]
	full := in.ended || in.waiting >= maxWaiting || l != nil && len(l.jobs) >= maxLane
	// A live message behind one that was left out waits for the reading of the history too, so that the order stays.
	left := message && !r.ev.Backfilled && in.a.places.leave(r.channel, full)
	if full || left {
		in.mu.Unlock()
		in.a.health.set(func(h *Status) { h.Busy++ })
		done(errBusy)
		return
	}
	j := &job{r: r, done: []func(error){done}}
	in.flying[id] = j
	in.waiting++
	if l != nil {
		l.jobs = append(l.jobs, j)
		in.mu.Unlock()
		return
	}
	l = &lane{jobs: []*job{j}}
	in.lanes[r.channel] = l
	in.wg.Go(func() { in.drive(r.channel, l) })
	in.mu.Unlock()
}

// live offers what came over the gateway.
func (in *intake) live(r *received) {
	kind, room := r.ev.Kind, r.channel
	in.offer(r, func(err error) {
		if errors.Is(err, errBusy) && kind != adapter.KindMessage {
			now := in.a.now().UTC()
			in.a.gap(Gap{Room: room, From: now, To: now, What: string(kind) + ": too many events waited for the bot"})
		}
	})
}

// idle tells whether nothing of a channel waits.
func (in *intake) idle(channel string) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.lanes[channel] == nil
}

// quiet tells whether nothing at all waits.
func (in *intake) quiet() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.waiting == 0
}

// drive hands the events of a lane to the sink until none is left.
func (in *intake) drive(name string, l *lane) {
	for {
		in.mu.Lock()
		if len(l.jobs) == 0 {
			delete(in.lanes, name)
			in.mu.Unlock()
			return
		}
		j := l.jobs[0]
		l.jobs[0] = nil
		l.jobs = l.jobs[1:]
		in.mu.Unlock()

		id, message := j.r.ev.ID, ""
		if j.r.ev.Kind == adapter.KindMessage {
			message = j.r.ev.MessageID
		}
		direct := j.r.ev.Room.Kind == adapter.RoomDirect
		err := in.ctx.Err()
		if err == nil {
			err = in.hand(j)
		}
		safe := err == nil || errors.Is(err, adapter.ErrRejected)

		in.mu.Lock()
		delete(in.flying, id)
		in.waiting--
		if safe {
			in.taken.add(id, time.Now())
		}
		done := j.done
		in.mu.Unlock()
		if message != "" && safe {
			in.a.places.heard(name, message, direct)
		}
		if safe && j.r.answer == nil {
			err = nil
		}
		for _, f := range done {
			f(err)
		}
	}
}

// hand looks names up and calls the sink until it has taken the event. An interaction is tried for as long as its user
// waits.
func (in *intake) hand(j *job) error {
	in.a.complete(in.ctx, j.r)
	keep, err := json.Marshal(j.r.ev) // the event is the sink's after the call
	if err != nil {
		return fmt.Errorf("%w: %w", adapter.ErrRejected, err)
	}
	id, ev := j.r.ev.ID, j.r.ev
	for wait, told := sinkRetry, false; ; wait = min(2*wait, maxRetry) {
		if j.r.answer != nil && !j.r.answer.waits() {
			return errLate
		}
		err := in.sink(in.ctx, ev)
		if err == nil || errors.Is(err, adapter.ErrRejected) || in.ctx.Err() != nil {
			return err
		}
		if !told {
			told = true
			in.a.log.Warn("the bot did not take an event; it is offered again until it does", "event", id, "error", err)
		}
		if pause(in.ctx, jitter(wait)) != nil {
			return err
		}
		var again adapter.Event // the one before belongs to the sink
		if json.Unmarshal(keep, &again) != nil {
			return err
		}
		for i := range again.Files {
			again.Files[i].Open = in.a.opener(again.Files[i])
		}
		ev = &again
	}
}

// hear hands an event over and waits until it is taken, also for a place in the queue.
func (in *intake) hear(ctx context.Context, r *received) error {
	for {
		done := make(chan error, 1)
		in.offer(r, func(err error) { done <- err })
		var err error
		select {
		case err = <-done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if !errors.Is(err, errBusy) {
			return err
		}
		if pause(ctx, time.Second) != nil {
			return err
		}
	}
}

// begin lets somebody else begin goroutines here, until it calls wg.Done; false when Run is over.
func (in *intake) begin() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.ended {
		return false
	}
	in.wg.Add(1)
	return true
}

// wait waits until no sink is called any more. The context of Run has ended.
func (in *intake) wait() {
	in.mu.Lock()
	in.ended = true
	in.mu.Unlock()
	in.wg.Wait()
}

// recent remembers ids for a time, at least; at the bound the older half goes.
type recent struct {
	now, old map[string]struct{}
	since    time.Time
	max      int
	keep     time.Duration
}

func newRecent(limit int, keep time.Duration) recent {
	return recent{now: map[string]struct{}{}, old: map[string]struct{}{}, since: time.Now(), max: limit / 2, keep: keep}
}

func (r *recent) turn(now time.Time) {
	if now.Sub(r.since) > r.keep || len(r.now) >= r.max {
		r.old, r.now, r.since = r.now, map[string]struct{}{}, now
	}
}

func (r *recent) add(id string, now time.Time) {
	r.turn(now)
	r.now[id] = struct{}{}
}

func (r *recent) has(id string, now time.Time) bool {
	r.turn(now)
	if _, ok := r.now[id]; ok {
		return true
	}
	_, ok := r.old[id]
	return ok
}
