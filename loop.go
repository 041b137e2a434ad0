package starling

import (
	"container/list"
	"sync"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// The loop breaker: a bot that hears other bots stops answering them in a conversation after loopMax of their messages
// within loopWindow, for loopMute.
const (
	loopMax    = 5
	loopWindow = 10 * time.Second
	loopMute   = time.Minute
	loopRooms  = 10_000 // conversations remembered; the one unused for longest is forgotten
)

type loopBreaker struct {
	mu   sync.Mutex
	by   map[adapter.Address]*list.Element
	used *list.List // of *loopState
}

type loopState struct {
	address adapter.Address
	times   [loopMax]time.Time // ring
	next    int
	muted   time.Time
}

func newLoopBreaker() *loopBreaker {
	return &loopBreaker{by: map[adapter.Address]*list.Element{}, used: list.New()}
}

// allow tells whether a message of another bot may be heard; broke is true once, when the conversation is muted.
func (l *loopBreaker) allow(a adapter.Address, now time.Time) (ok, broke bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	el := l.by[a]
	if el == nil {
		if len(l.by) >= loopRooms {
			last := l.used.Back()
			delete(l.by, last.Value.(*loopState).address)
			l.used.Remove(last)
		}
		el = l.used.PushFront(&loopState{address: a})
		l.by[a] = el
	} else {
		l.used.MoveToFront(el)
	}
	s := el.Value.(*loopState)
	if now.Before(s.muted) {
		return false, false
	}
	oldest := s.times[s.next]
	if !oldest.IsZero() && now.Sub(oldest) < loopWindow {
		s.muted = now.Add(loopMute)
		return false, true
	}
	s.times[s.next] = now
	s.next = (s.next + 1) % loopMax
	return true, false
}
