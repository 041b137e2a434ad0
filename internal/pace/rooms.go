// Package pace keeps the messages of a room apart, so that many at once do not all meet the platform's limit.
package pace

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/retry"
)

const (
	maxWait  = 5 * time.Second // a longer wait is left to the caller
	maxRooms = 10_000          // past it the ones that nobody waits in are forgotten
)

// Rooms are the turns of messages in each room: one in a span of time, and some at once where nobody spoke for a while. It is for
// several goroutines. Make one with [New].
type Rooms struct {
	base  context.Context
	every time.Duration
	burst int

	mu    sync.Mutex
	rooms map[string]*room
}

// room is the clock of a room: next is when a message may go after which the room is as if never used burst spans later. held
// is when the platform takes messages again.
type room struct{ next, held time.Time }

// New lets one message go in every span, burst at once. Whoever waits is told [adapter.ErrClosed] when base ends.
func New(base context.Context, every time.Duration, burst int) *Rooms {
	return &Rooms{base: base, every: every, burst: burst, rooms: map[string]*room{}}
}

// take reserves the next turn in a room and gives how long it is until then. Too long a wait reserves nothing.
func (r *Rooms) take(name string, now time.Time) (wait time.Duration, held bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.rooms[name]
	if m == nil {
		if len(r.rooms) >= maxRooms {
			for k, v := range r.rooms {
				if v.next.Before(now) && v.held.Before(now) {
					delete(r.rooms, k)
				}
			}
		}
		m = &room{}
		r.rooms[name] = m
	}
	if d := m.held.Sub(now); d > 0 {
		return d, true
	}
	if floor := now.Add(-time.Duration(r.burst-1) * r.every); m.next.Before(floor) {
		m.next = floor
	}
	if wait = m.next.Sub(now); wait > maxWait {
		return wait, true
	}
	m.next = m.next.Add(r.every)
	return max(wait, 0), false
}

// Turn waits for the turn of a message in a room. Errors: [*adapter.RateLimitError] at once where the wait would be over five
// seconds, or the room is held; [adapter.ErrClosed]; [adapter.ErrUnavailable] where ctx ended. None of them used the turn up but
// the last two.
func (r *Rooms) Turn(ctx context.Context, room string) error {
	wait, held := r.take(room, time.Now())
	if held {
		return &adapter.RateLimitError{RetryAfter: wait}
	}
	if wait == 0 {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(r.base, func() { cancel(adapter.ErrClosed) })()
	if err := retry.Pause(ctx, wait); err != nil {
		if errors.Is(err, adapter.ErrClosed) {
			return adapter.ErrClosed
		}
		return fmt.Errorf("%w: %w", adapter.ErrUnavailable, err)
	}
	return nil
}

// Refused notes what a platform said to a message: after an [*adapter.RateLimitError] nothing goes to the room for as long as it
// says, one span at least, and not many at once afterwards. Other errors change nothing.
func (r *Rooms) Refused(room string, err error) {
	var limit *adapter.RateLimitError
	if !errors.As(err, &limit) {
		return
	}
	until := time.Now().Add(max(limit.RetryAfter, r.every))
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.rooms[room]; m != nil && until.After(m.held) {
		m.held = until
		if m.next.Before(until) {
			m.next = until
		}
	}
}
