package lookup_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/lookup"
)

// desk counts what is asked of a platform.
type desk struct {
	work  sync.WaitGroup
	asked int
	hold  chan struct{} // nil: it answers at once
	err   error
}

func (d *desk) start(f func()) bool { d.work.Go(f); return true }

func (d *desk) load(ctx context.Context) (string, error) {
	d.asked++
	n := d.asked
	if d.hold != nil {
		select {
		case <-d.hold:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	return fmt.Sprint("answer ", n), d.err
}

func newCache(t *testing.T, d *desk, limit int) *lookup.Cache[string] {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); d.work.Wait() })
	return lookup.New[string](ctx, d.start, limit, time.Minute)
}

func TestValuesAreBelievedForTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{}
		c := newCache(t, d, 10)
		get := func(key string) string {
			v, err := c.Get(t.Context(), key, d.load)
			require.NoError(t, err)
			return v
		}
		require.Equal(t, "answer 1", get("a"))
		time.Sleep(59 * time.Second)
		require.Equal(t, "answer 1", get("a"))
		time.Sleep(2 * time.Second)
		require.Equal(t, "answer 2", get("a"), "it is too old")
		c.Put("a", "told")
		require.Equal(t, "told", get("a"))
		v, ok := c.Peek("a")
		require.True(t, ok)
		require.Equal(t, "told", v)
		_, ok = c.Peek("b")
		require.False(t, ok)
		time.Sleep(61 * time.Second)
		_, ok = c.Peek("a")
		require.False(t, ok, "what was told grows old, too")
		c.Put("a", "told")
		c.Forget("a")
		require.Equal(t, "answer 3", get("a"))
		seen := map[string]string{}
		c.Each(func(key string, v string) { seen[key] = v })
		require.Equal(t, map[string]string{"a": "answer 3"}, seen)
		c.Clear()
		require.Zero(t, c.Len())
	})
}

func TestManyShareOneLookUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{hold: make(chan struct{})}
		c := newCache(t, d, 10)
		impatient, leave := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		go func() { _, err := c.Get(impatient, "a", d.load); gone <- err }()
		got := make(chan string, 20)
		for range 20 {
			go func() { v, _ := c.Get(t.Context(), "a", d.load); got <- v }()
		}
		synctest.Wait()
		leave()
		require.ErrorIs(t, <-gone, context.Canceled, "who goes away leaves the look-up to the others")
		close(d.hold)
		for range 20 {
			require.Equal(t, "answer 1", <-got)
		}
		require.Equal(t, 1, d.asked)
	})
}

// What is forgotten while it is looked up is not what the look-up brings, and the next who asks looks again.
func TestForgottenMeanwhile(t *testing.T) {
	for name, forget := range map[string]func(c *lookup.Cache[string]){"one": func(c *lookup.Cache[string]) { c.Forget("a") }, "all": (*lookup.Cache[string]).Clear} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &desk{hold: make(chan struct{})}
				c := newCache(t, d, 10)
				done := make(chan struct{})
				go func() { defer close(done); _, _ = c.Get(t.Context(), "a", d.load) }()
				synctest.Wait()
				forget(c)
				close(d.hold)
				<-done
				_, ok := c.Peek("a")
				require.False(t, ok)
				v, err := c.Get(t.Context(), "a", d.load)
				require.NoError(t, err)
				require.Equal(t, "answer 2", v)
			})
		})
	}
}

// An error is believed for a while too: longest that there is no such thing, as long as the platform says for a limit.
func TestErrorsAreBelieved(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		long time.Duration
	}{
		"not found": {adapter.ErrNotFound, 30 * time.Second}, "a limit": {&adapter.RateLimitError{RetryAfter: 12 * time.Second}, 12 * time.Second}, "anything": {errors.New("down"), 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &desk{err: c.err}
				cache := newCache(t, d, 10)
				ask := func() {
					_, err := cache.Get(t.Context(), "a", d.load)
					require.ErrorIs(t, err, c.err)
				}
				ask()
				time.Sleep(c.long - time.Millisecond)
				ask()
				require.Equal(t, 1, d.asked)
				time.Sleep(2 * time.Millisecond)
				ask()
				require.Equal(t, 2, d.asked)
			})
		})
	}
}

func TestBound(t *testing.T) {
	d := &desk{}
	c := newCache(t, d, 3)
	for i := range 10 {
		c.Put(fmt.Sprint(i), "x")
		_, err := c.Get(t.Context(), "0", d.load) // in use
		require.NoError(t, err)
		require.LessOrEqual(t, c.Len(), 3)
	}
	_, ok := c.Peek("0")
	require.True(t, ok, "what is in use stays")
	require.Zero(t, d.asked)
	_, ok = c.Peek("7")
	require.False(t, ok, "what is unused for longest goes")
}

// A look-up ends by itself, and with whom it is for.
func TestEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{hold: make(chan struct{})}
		c := newCache(t, d, 3)
		begun := time.Now()
		_, err := c.Get(t.Context(), "a", d.load)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 10*time.Second, time.Since(begun))
	})
	c := lookup.New[string](context.Background(), func(func()) bool { return false }, 3, time.Minute)
	_, err := c.Get(t.Context(), "a", func(context.Context) (string, error) { return "", nil })
	require.ErrorIs(t, err, adapter.ErrClosed)
}
