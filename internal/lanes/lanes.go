// Package lanes keeps events in order between a platform's connection and the bot: those of a conversation are in one lane and
// go to the sink one after the other, other lanes go on beside it, and what a platform delivers again goes there once.
package lanes

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/starlingbot/starling/adapter"
)

const (
	maxAlike  = 16 // who offer an event while it is on its way, and are told
	maxTaken  = 50_000
	keepTaken = 15 * time.Minute // Slack's last retry comes 6 minutes after the first delivery
)

// Rules are what differs between platforms. Key, Hand, Settled and Busy are required.
type Rules[K comparable, E any] struct {
	Waiting int   // events on their way, at most; one that is over is refused
	Lane    int   // events that wait in one lane, at most
	Busy    error // is told where too many wait

	// Key names an event, the same one when it comes again, and its lane.
	Key func(e E) (id string, lane K)
	// Admit is asked about each new event, in the order in which they are offered: full tells that there is no room for it. What
	// it refuses is refused; it cannot take what there is no room for. It must not wait, nor use the Lanes. Default: all that there is room for.
	Admit func(e E, full bool) bool
	// Refused is told of an event that was not taken because of a bound, of Admit, or because it is over (ended). Default: nothing.
	Refused func(e E, ended bool)
	// Hand gives an event to the sink; nil and [adapter.ErrRejected] are safe. It is called by one goroutine for each lane, and not
	// any more when the context has ended.
	Hand func(e E) error
	// Settled is told what became of an event after it was handed over, or was not because the context has ended, and before those
	// who offered it are. It gives what these are told.
	Settled func(e E, safe bool, err error) error
}

// Lanes is what is on its way to the sink. It is for several goroutines. Make one with [New].
type Lanes[K comparable, E any] struct {
	ctx   context.Context
	rules Rules[K, E]

	mu      sync.Mutex
	lanes   map[K]*lane[E]
	flying  map[string]*job[E] // by id: waiting or with the sink
	taken   recent
	waiting int
	ended   bool
	wg      sync.WaitGroup
}

type lane[E any] struct{ jobs []*job[E] }

// job is an event on its way.
type job[E any] struct {
	id   string
	e    E
	done []func(error) // are told what became of it
}

// New makes lanes whose events are handed over until ctx ends.
func New[K comparable, E any](ctx context.Context, rules Rules[K, E]) *Lanes[K, E] {
	return &Lanes[K, E]{ctx: ctx, rules: rules, lanes: map[K]*lane[E]{}, flying: map[string]*job[E]{}, taken: newRecent(maxTaken, keepTaken)}
}

// Offer takes an event without blocking. done, if any, is called once, from any goroutine: nil when the event is safe, or was
// before; Rules.Busy where too many wait.
func (l *Lanes[K, E]) Offer(e E, done func(error)) {
	if done == nil {
		done = func(error) {}
	}
	id, key := l.rules.Key(e)
	l.mu.Lock()
	if l.taken.has(id, time.Now()) {
		l.mu.Unlock()
		done(nil)
		return
	}
	if j := l.flying[id]; j != nil {
		if len(j.done) < maxAlike {
			j.done = append(j.done, done)
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		done(l.rules.Busy)
		return
	}
	ln := l.lanes[key]
	full := l.ended || l.waiting >= l.rules.Waiting || ln != nil && len(ln.jobs) >= l.rules.Lane
	admitted := l.rules.Admit == nil || l.rules.Admit(e, full)
	if full || !admitted {
		ended := l.ended
		l.mu.Unlock()
		if l.rules.Refused != nil {
			l.rules.Refused(e, ended)
		}
		done(l.rules.Busy)
		return
	}
	j := &job[E]{id: id, e: e, done: []func(error){done}}
	l.flying[id] = j
	l.waiting++
	if ln != nil {
		ln.jobs = append(ln.jobs, j)
		l.mu.Unlock()
		return
	}
	ln = &lane[E]{jobs: []*job[E]{j}}
	l.lanes[key] = ln
	l.wg.Go(func() { l.drive(key, ln) })
	l.mu.Unlock()
}

// drive hands the events of a lane over until none is left.
func (l *Lanes[K, E]) drive(key K, ln *lane[E]) {
	for {
		l.mu.Lock()
		if len(ln.jobs) == 0 {
			delete(l.lanes, key)
			l.mu.Unlock()
			return
		}
		j := ln.jobs[0]
		ln.jobs[0] = nil
		ln.jobs = ln.jobs[1:]
		l.mu.Unlock()

		err := l.ctx.Err()
		if err == nil {
			err = l.rules.Hand(j.e)
		}
		safe := err == nil || errors.Is(err, adapter.ErrRejected)

		l.mu.Lock()
		delete(l.flying, j.id)
		l.waiting--
		if safe {
			l.taken.add(j.id, time.Now())
		}
		done := j.done
		l.mu.Unlock()
		err = l.rules.Settled(j.e, safe, err)
		for _, f := range done {
			f(err)
		}
	}
}

// Hear offers an event and waits for what becomes of it, or until ctx ends: then the event goes on.
func (l *Lanes[K, E]) Hear(ctx context.Context, e E) error {
	done := make(chan error, 1)
	l.Offer(e, func(err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Had tells whether an event was taken, or is on its way.
func (l *Lanes[K, E]) Had(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.flying[id] != nil || l.taken.has(id, time.Now())
}

// Idle tells whether nothing of a lane waits or is with the sink.
func (l *Lanes[K, E]) Idle(lane K) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lanes[lane] == nil
}

// Len is how many events are on their way, those with the sink included.
func (l *Lanes[K, E]) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting
}

// Go runs f in a goroutine that [Lanes.Wait] waits for. It is for those whom Wait waits for already, and for those who have ended
// before it is called; others use [Lanes.Hold].
func (l *Lanes[K, E]) Go(f func()) { l.wg.Go(f) }

// Hold keeps [Lanes.Wait] waiting until release is called, once; ok is false, and release nil, when Wait was called.
func (l *Lanes[K, E]) Hold() (release func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return nil, false
	}
	l.wg.Add(1)
	return l.wg.Done, true
}

// Wait refuses events from now on and waits until the sink is called no more. The context has ended, or it may take long.
func (l *Lanes[K, E]) Wait() {
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
	l.wg.Wait()
}
