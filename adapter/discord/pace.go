package discord

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/starlingbot/starling/adapter"
)

const (
	paceEvery = time.Second // five messages in five seconds are what a room takes; the headers of the answers say when it is less
	paceBurst = 4
	paceWait  = 5 * time.Second // a longer wait is left to the caller
	maxPaced  = 10_000          // rooms; past it the ones that nobody waits in are forgotten
)

// pacer keeps the messages of a room apart, so that many at once do not all meet the limit before its first answer.
type pacer struct {
	mu    sync.Mutex
	rooms map[string]*roomPace
}

// roomPace is the clock of a room: next is when a message may go after which the room is as if never used paceBurst
// seconds later. What Discord refuses is kept back by its route: see limits.
type roomPace struct{ next time.Time }

func (p *pacer) init() { p.rooms = map[string]*roomPace{} }

// take reserves the next turn in a room and gives how long it is until then. Too long a wait reserves nothing.
func (p *pacer) take(room string, now time.Time) (wait time.Duration, held bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.rooms[room]
	if r == nil {
		if len(p.rooms) >= maxPaced {
			for k, v := range p.rooms {
				if v.next.Before(now) {
					delete(p.rooms, k)
				}
			}
		}
		r = &roomPace{}
		p.rooms[room] = r
	}
	if floor := now.Add(-(paceBurst - 1) * paceEvery); r.next.Before(floor) {
		r.next = floor
	}
	if wait = r.next.Sub(now); wait > paceWait {
		return wait, true
	}
	r.next = r.next.Add(paceEvery)
	return max(wait, 0), false
}

// turn waits for the turn of a message.
func (a *Adapter) turn(ctx context.Context, room string) error {
	wait, no := a.pace.take(room, time.Now())
	if no {
		return fmt.Errorf("discord: send: %w", &adapter.RateLimitError{RetryAfter: wait})
	}
	if wait == 0 {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(a.base, func() { cancel(adapter.ErrClosed) })()
	if err := pause(ctx, wait); err != nil {
		if errors.Is(err, adapter.ErrClosed) {
			return fmt.Errorf("discord: send: %w", adapter.ErrClosed)
		}
		return fmt.Errorf("discord: send: %w: %w", adapter.ErrUnavailable, err)
	}
	return nil
}
