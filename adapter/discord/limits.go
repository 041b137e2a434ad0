package discord

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/retry"
)

const (
	perSecond   = 45                                // requests; Discord takes 50 (https://discord.com/developers/docs/topics/rate-limits#global-rate-limit)
	second      = time.Second + 20*time.Millisecond // a little more: requests do not arrive as they leave
	maxBuckets  = 10_000                            // routes whose limits are remembered
	bucketWait  = 5 * time.Second                   // a longer wait is left to the caller
	invalidTime = 10 * time.Minute
	maxInvalid  = 8_000       // of 401, 403 and 429 in that time; at 10,000 Discord bans the address (see #invalid-request-limit-aka-cloudflare-bans)
	banned      = time.Minute // how long a 429 that Discord did not write itself is believed
)

// limits are how much Discord takes: in all, by route as the headers of its answers say, and of what it refuses.
type limits struct {
	mu      sync.Mutex
	buckets map[string]*bucket
	sent    [perSecond]time.Time // the last requests of the global limit, a ring
	next    int                  // the oldest of them
	held    time.Time            // nothing goes before
	invalid int
	since   time.Time // of invalid
}

type bucket struct {
	left  int
	reset time.Time
}

func (l *limits) init() { l.buckets = map[string]*bucket{} }

// routeOf names what shares a limit: method and route with its channel, server or webhook.
func routeOf(method, path string) string {
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(path, "/")
	for i, p := range parts {
		top := i == 1 || i == 2 && parts[0] == "webhooks"
		switch {
		case i > 0 && parts[i-1] == "reactions":
			return method + " " + strings.Join(parts[:i], "/")
		case parts[0] == "interactions" && i > 0:
			return "" // each is a route of its own, used once
		case !top && isID(p):
			parts[i] = "*"
		}
	}
	return method + " " + strings.Join(parts, "/")
}

// global tells whether a route counts for the global limit (https://discord.com/developers/docs/interactions/receiving-and-responding#endpoints).
func global(path string) bool {
	return !strings.HasPrefix(path, "interactions/") && !strings.HasPrefix(path, "webhooks/")
}

// enter waits until a request may go. The error says how long it would be where that is over five seconds; nothing was
// sent then.
func (l *limits) enter(ctx context.Context, method, path string) error {
	route := routeOf(method, path)
	for begun := time.Now(); ; {
		now := time.Now()
		wait := l.take(route, global(path), now)
		if wait <= 0 {
			return nil
		}
		if now.Sub(begun)+wait > bucketWait {
			return &adapter.RateLimitError{RetryAfter: wait}
		}
		if err := retry.Pause(ctx, wait); err != nil {
			return fmt.Errorf("%w: %w", adapter.ErrUnavailable, err)
		}
	}
}

// take takes a place, or tells how long there is none.
func (l *limits) take(route string, global bool, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d := l.held.Sub(now); d > 0 && global {
		return d
	}
	if l.invalid >= maxInvalid {
		if d := l.since.Add(invalidTime).Sub(now); d > 0 {
			return d
		}
	}
	b := l.buckets[route]
	if b != nil && b.left <= 0 {
		if d := b.reset.Sub(now); d > 0 {
			return d
		}
	}
	if global {
		if d := l.sent[l.next].Add(second).Sub(now); d > 0 {
			return d
		}
		l.sent[l.next] = now
		l.next = (l.next + 1) % perSecond
	}
	if b != nil {
		b.left--
	}
	return 0
}

// leave learns from the answer to a request.
func (l *limits) leave(method, path string, n *note, now time.Time) {
	if n.status == 0 {
		return
	}
	route := routeOf(method, path)
	l.mu.Lock()
	defer l.mu.Unlock()
	scope := n.header.Get("X-RateLimit-Scope")
	switch n.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests:
		if scope != "shared" {
			if now.Sub(l.since) > invalidTime {
				l.since, l.invalid = now, 0
			}
			l.invalid++
		}
	}
	after := retryAfter(n)
	if n.status == http.StatusTooManyRequests {
		if n.header.Get("X-RateLimit-Global") != "" || n.header.Get("X-RateLimit-Bucket") == "" && scope == "" {
			l.held = later(l.held, now.Add(after))
			return
		}
		l.learn(route, 0, now.Add(after), now)
		return
	}
	left, err := strconv.Atoi(n.header.Get("X-RateLimit-Remaining"))
	reset, errs := strconv.ParseFloat(n.header.Get("X-RateLimit-Reset-After"), 64)
	if err == nil && errs == nil && reset >= 0 && reset < 1e6 {
		l.learn(route, left, now.Add(time.Duration(reset*float64(time.Second))), now)
	}
}

func (l *limits) learn(route string, left int, reset, now time.Time) {
	if route == "" {
		return
	}
	b := l.buckets[route]
	if b == nil {
		if len(l.buckets) >= maxBuckets {
			for k, v := range l.buckets {
				if v.reset.Before(now) {
					delete(l.buckets, k)
				}
			}
			if len(l.buckets) >= maxBuckets {
				return
			}
		}
		b = &bucket{left: left}
		l.buckets[route] = b
	}
	if reset.Sub(b.reset) < 50*time.Millisecond && b.reset.After(now) { // an answer of the same span: requests under way are counted already
		left = min(left, b.left)
	}
	b.left, b.reset = left, later(b.reset, reset)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// retryAfter is how long a 429 wants to be left alone: by its header, else a minute, as for an address that was banned.
func retryAfter(n *note) time.Duration {
	if s, err := strconv.ParseFloat(n.header.Get("Retry-After"), 64); err == nil && s >= 0 && s < 1e6 {
		return max(time.Duration(s*float64(time.Second)), 50*time.Millisecond)
	}
	return banned
}
