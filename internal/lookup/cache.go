// Package lookup remembers what a platform was asked about people, rooms and messages.
package lookup

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// Cache remembers what was looked up: at most max values, the one unused for longest goes; for ttl; and an error for a
// while too, so that it is not asked for again and again. Several who want the same value share one call. It is for several goroutines.
type Cache[V any] struct {
	base  context.Context
	start func(f func()) bool
	max   int
	ttl   time.Duration

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

// New makes a cache of at most limit values. A look-up runs in start, which tells whether it could begin one, and ends with base.
func New[V any](base context.Context, start func(f func()) bool, limit int, ttl time.Duration) *Cache[V] {
	c := &Cache[V]{base: base, start: start, max: limit, ttl: ttl, values: map[string]*cached[V]{}, flights: map[string]*flight[V]{}}
	c.ring.prev, c.ring.next = &c.ring, &c.ring
	return c
}

const (
	keepMiss = 30 * time.Second // how long an error is believed
	patience = 10 * time.Second // how long a look-up may take, whoever waits for it
)

// Get gives the value of key, loading it if need be. The load goes on when ctx ends, for others and for the next time.
func (c *Cache[V]) Get(ctx context.Context, key string, load func(ctx context.Context) (V, error)) (V, error) {
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
		if !c.start(func() { c.fly(key, f, load) }) {
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

func (c *Cache[V]) fly(key string, f *flight[V], load func(ctx context.Context) (V, error)) {
	ctx, cancel := context.WithTimeout(c.base, patience)
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

// Put remembers a value that came by itself.
func (c *Cache[V]) Put(key string, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.store(key, v, nil, time.Now().Add(c.ttl))
}

func (c *Cache[V]) store(key string, v V, err error, until time.Time) {
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

// Forget drops what is remembered of key, and what a look-up under way brings.
func (c *Cache[V]) Forget(key string) {
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

func (c *Cache[V]) touch(e *cached[V]) {
	e.prev.next, e.next.prev = e.next, e.prev
	c.link(e)
}

func (c *Cache[V]) link(e *cached[V]) {
	e.prev, e.next = &c.ring, c.ring.next
	e.prev.next, e.next.prev = e, e
}

func (c *Cache[V]) drop(e *cached[V]) {
	e.prev.next, e.next.prev = e.next, e.prev
	delete(c.values, e.key)
}

// Peek gives what is remembered of key, without asking.
func (c *Cache[V]) Peek(key string) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.values[key]; e != nil && e.err == nil && time.Now().Before(e.until) {
		return e.v, true
	}
	return v, false
}

// Clear forgets everything, and what look-ups under way bring.
func (c *Cache[V]) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.values)
	c.ring.prev, c.ring.next = &c.ring, &c.ring
	for _, f := range c.flights {
		f.stale = true
	}
	clear(c.flights)
}

// Len is how many values and errors are remembered.
func (c *Cache[V]) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.values)
}

// Each calls f with every value that is still believed. f must not use the cache.
func (c *Cache[V]) Each(f func(key string, v V)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for key, e := range c.values {
		if e.err == nil && now.Before(e.until) {
			f(key, e.v)
		}
	}
}
