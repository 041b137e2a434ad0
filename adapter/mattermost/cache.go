package mattermost

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// cache remembers what was looked up: at most max values, the one unused for longest goes; for ttl; and an error for a
// while too, so that it is not asked for again and again. Several who want the same value share one call.
type cache[V any] struct {
	a   *Adapter
	max int
	ttl time.Duration

	mu      sync.Mutex
	values  map[string]*cached[V]
	ring    cached[V] // newest use first
	flights map[string]*flight[V]
}

type cached[V any] struct {
	key        string
	v          V
	err        error
	until      time.Time
	prev, next *cached[V]
}

type flight[V any] struct {
	done  chan struct{}
	v     V
	err   error
	stale bool // what it brings was changed meanwhile
}

func newCache[V any](a *Adapter, limit int, ttl time.Duration) *cache[V] {
	c := &cache[V]{a: a, max: limit, ttl: ttl, values: map[string]*cached[V]{}, flights: map[string]*flight[V]{}}
	c.ring.prev, c.ring.next = &c.ring, &c.ring
	return c
}

const (
	keepMiss = 30 * time.Second // how long an error is believed
	lookup   = 10 * time.Second // how long a look-up may take, whoever waits for it
)

// get gives the value of key, loading it if need be. The load goes on when ctx ends, for others and for the next time.
func (c *cache[V]) get(ctx context.Context, key string, load func(ctx context.Context) (V, error)) (V, error) {
	var zero V
	c.mu.Lock()
	if e := c.values[key]; e != nil {
		if time.Now().Before(e.until) {
			c.touch(e)
			c.mu.Unlock()
			return e.v, e.err
		}
		c.drop(e)
	}
	f := c.flights[key]
	if f == nil {
		f = &flight[V]{done: make(chan struct{})}
		if !c.a.begin(func() { c.fly(key, f, load) }) {
			c.mu.Unlock()
			return zero, adapter.ErrClosed
		}
		c.flights[key] = f
	}
	c.mu.Unlock()
	select {
	case <-f.done:
		return f.v, f.err
	case <-ctx.Done():
		return zero, ctx.Err()
	}
}

func (c *cache[V]) fly(key string, f *flight[V], load func(ctx context.Context) (V, error)) {
	ctx, cancel := context.WithTimeout(c.a.base, lookup)
	defer cancel()
	defer close(f.done)
	f.v, f.err = load(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flights[key] == f {
		delete(c.flights, key)
	}
	if f.stale {
		return
	}
	keep := c.ttl
	if f.err != nil {
		keep = keepMiss
		var limit *adapter.RateLimitError
		if errors.As(f.err, &limit) {
			keep = max(limit.RetryAfter, time.Second)
		} else if !errors.Is(f.err, adapter.ErrNotFound) {
			keep = 2 * time.Second
		}
	}
	c.store(key, f.v, f.err, time.Now().Add(keep))
}

// put remembers a value that came by itself.
func (c *cache[V]) put(key string, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.store(key, v, nil, time.Now().Add(c.ttl))
}

func (c *cache[V]) store(key string, v V, err error, until time.Time) {
	if e := c.values[key]; e != nil {
		c.drop(e)
	}
	if len(c.values) >= c.max {
		c.drop(c.ring.prev)
	}
	e := &cached[V]{key: key, v: v, err: err, until: until}
	c.values[key] = e
	c.link(e)
}

// forget drops what is remembered of key, and what a look-up under way brings.
func (c *cache[V]) forget(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.values[key]; e != nil {
		c.drop(e)
	}
	if f := c.flights[key]; f != nil {
		f.stale = true
		delete(c.flights, key)
	}
}

func (c *cache[V]) touch(e *cached[V]) {
	e.prev.next, e.next.prev = e.next, e.prev
	c.link(e)
}

func (c *cache[V]) link(e *cached[V]) {
	e.prev, e.next = &c.ring, c.ring.next
	e.prev.next, e.next.prev = e, e
}

func (c *cache[V]) drop(e *cached[V]) {
	e.prev.next, e.next.prev = e.next, e.prev
	delete(c.values, e.key)
}

// peek gives what is remembered of key, without asking.
func (c *cache[V]) peek(key string) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.values[key]; e != nil && e.err == nil && time.Now().Before(e.until) {
		return e.v, true
	}
	return v, false
}

// clear forgets everything, and what look-ups under way bring.
func (c *cache[V]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.values)
	c.ring.prev, c.ring.next = &c.ring, &c.ring
	for _, f := range c.flights {
		f.stale = true
	}
	clear(c.flights)
}

func (c *cache[V]) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.values)
}
