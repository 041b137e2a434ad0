package starling

import (
	"container/list"
	"sync"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// limiter holds a token bucket for each user and room, and forgets the one unused for longest at its bound.
type limiter struct {
	cfg  Limits
	mu   sync.Mutex
	by   map[bucketKey]*list.Element
	used *list.List // of *bucket, most recently used first
}

// bucketKey names a user (adapter, tenant, id) or a room (adapter, "", id); it is a struct so that a look-up allocates
// nothing.
type bucketKey struct {
	room                bool
	adapter, tenant, id string
}

type bucket struct {
	key    bucketKey
	tokens float64
	at     time.Time
	told   bool // since it was last full
	shed   int
}

func newLimiter(cfg Limits) *limiter {
	return &limiter{cfg: cfg, by: map[bucketKey]*list.Element{}, used: list.New()}
}

// allow takes a token for ev. tell: ev is refused and its sender is to be told, which happens once until the bucket is full
// again. A user's bucket is asked first, so that who floods does not use up the room's.
func (l *limiter) allow(ev *adapter.Event, now time.Time) (ok, tell bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ev.User.ID != "" && l.cfg.UserRate >= 0 {
		if ok, tell := l.take(bucketKey{false, ev.User.Adapter, ev.User.Tenant, ev.User.ID}, l.cfg.UserRate, l.cfg.UserBurst, now); !ok {
			return false, tell
		}
	}
	if l.cfg.RoomRate >= 0 {
		return l.take(bucketKey{true, ev.Adapter, "", ev.Room.ID}, l.cfg.RoomRate, l.cfg.RoomBurst, now)
	}
	return true, false
}

// refund gives back what allow took: the event is not refused and not taken, and comes again.
func (l *limiter) refund(ev *adapter.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	give := func(key bucketKey, burst int) {
		if el := l.by[key]; el != nil {
			b := el.Value.(*bucket)
			b.tokens = min(float64(burst), b.tokens+1)
		}
	}
	if ev.User.ID != "" && l.cfg.UserRate >= 0 {
		give(bucketKey{false, ev.User.Adapter, ev.User.Tenant, ev.User.ID}, l.cfg.UserBurst)
	}
	if l.cfg.RoomRate >= 0 {
		give(bucketKey{true, ev.Adapter, "", ev.Room.ID}, l.cfg.RoomBurst)
	}
}

func (l *limiter) take(key bucketKey, rate float64, burst int, now time.Time) (ok, tell bool) {
	el := l.by[key]
	if el == nil {
		if len(l.by) >= l.cfg.Buckets {
			last := l.used.Back()
			delete(l.by, last.Value.(*bucket).key)
			l.used.Remove(last)
		}
		el = l.used.PushFront(&bucket{key: key, tokens: float64(burst), at: now})
		l.by[key] = el
	} else {
		l.used.MoveToFront(el)
	}
	b := el.Value.(*bucket)
	b.tokens = min(float64(burst), b.tokens+rate*now.Sub(b.at).Seconds())
	b.at = now
	if b.tokens >= float64(burst) {
		b.told, b.shed = false, 0
	}
	if b.tokens >= 1 {
		b.tokens--
		return true, false
	}
	b.shed++
	tell = !b.told
	b.told = true
	return false, tell
}
