package middleware

import (
	"container/list"
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/starlingbot/starling/handler"
)

// maxUsers is how many users a route's limit remembers.
const maxUsers = 10_000

// RateLimit lets a user run a route burst times at once and then once every period. A user is User.Key; events without a
// user share one limit. A burst below 1 is 1; a period of zero or less is no limit.
//
// Over the limit the route does not run: the result is handler.Refused("rate limit"). The user is told once per period, by
// Request.Whisper or, in a direct room, by Request.Reply; others never see it. That it could not be told is logged. A run
// that comes again (Request.Attempt above 1) and one that goes on with an answer or a consent (Request.Grant) were counted the first
// time: they pass, or are refused again.
//
// The limit is that of one route in one process. It remembers 10,000 users. When there are more it forgets one, of the
// eight that were seen the longest ago the first that has its whole burst again, for whom nothing changes, else the very
// first: that user may run the route burst times again.
func RateLimit(every time.Duration, burst int) handler.Middleware {
	return func(next handler.Handler) handler.Handler {
		if every <= 0 {
			return next
		}
		l := &limits{every: every, burst: max(burst, 1), users: map[string]*list.Element{}}
		return handler.Func(func(ctx context.Context, r *handler.Request) error {
			if r.Attempt > 1 {
				f, err := again(ctx, r, "rate limit")
				switch {
				case err != nil:
					return err
				case f != nil:
					return f.refuse(ctx, r, "rate limit")
				}
			}
			if r.Attempt > 1 || r.Grant != nil {
				return next.Handle(ctx, r)
			}
			ok, tell, wait := l.take(r.Event.User.Key(), time.Now())
			if ok {
				return next.Handle(ctx, r)
			}
			return refusal{"rate limit", tell, wait}.refuse(ctx, r, "rate limit")
		})
	}
}

// limits are the buckets of a route's users.
type limits struct {
	every time.Duration
	burst int

	mu    sync.Mutex
	users map[string]*list.Element // of *bucket, by key
	seen  list.List                // the same; who was seen last is in front
}

type bucket struct {
	key   string
	limit *rate.Limiter
	told  time.Time
}

// take takes a token of the user's. Without one, it says whether to tell the user and when there will be one again.
func (l *limits) take(key string, now time.Time) (ok, tell bool, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.bucket(key, now)
	if b.limit.AllowN(now, 1) {
		return true, false, 0
	}
	if tell = b.told.IsZero() || now.Sub(b.told) >= l.every; tell {
		b.told = now
	}
	wait = time.Duration((1 - b.limit.TokensAt(now)) * float64(l.every))
	return false, tell, (wait + time.Second - 1).Truncate(time.Second)
}

func (l *limits) bucket(key string, now time.Time) *bucket {
	if e := l.users[key]; e != nil {
		l.seen.MoveToFront(e)
		return e.Value.(*bucket)
	}
	if len(l.users) >= maxUsers {
		l.forget(now)
	}
	b := &bucket{key: key, limit: rate.NewLimiter(rate.Every(l.every), l.burst)}
	l.users[key] = l.seen.PushFront(b)
	return b
}

// forget makes room for one where there are more than eight.
func (l *limits) forget(now time.Time) {
	oldest := l.seen.Back()
	e := oldest
	for range 8 {
		if e.Value.(*bucket).limit.TokensAt(now) >= float64(l.burst) {
			oldest = e
			break
		}
		e = e.Prev()
	}
	delete(l.users, oldest.Value.(*bucket).key)
	l.seen.Remove(oldest)
}
