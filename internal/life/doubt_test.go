package life_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/internal/life"
)

// TestDoubt: the token is asked about when it is doubted, and every so often; what is no answer ends nothing.
func TestDoubt(t *testing.T) {
	for _, every := range []time.Duration{0, 5 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			d := life.NewDoubt()
			away, revoked := errors.New("away"), errors.New("revoked")
			var mu sync.Mutex
			var answer error
			var list []time.Duration
			say := func(err error) {
				mu.Lock()
				defer mu.Unlock()
				answer = err
			}
			asked := func() []time.Duration {
				mu.Lock()
				defer mu.Unlock()
				return slices.Clone(list)
			}
			begun := time.Now()
			over := make(chan error, 1)
			go d.Watch(t.Context(), every, func(context.Context) error {
				mu.Lock()
				defer mu.Unlock()
				list = append(list, time.Since(begun))
				return answer
			}, func(err error) bool { return errors.Is(err, revoked) }, func(err error) { over <- err })
			for range 3 {
				d.Raise()
			}
			synctest.Wait()
			require.Equal(t, []time.Duration{0}, asked())
			say(away)
			d.Raise()
			time.Sleep(4 * time.Minute)
			require.Equal(t, []time.Duration{0, 10 * time.Second}, asked(), "not at once, and an error that is not fatal ends nothing")
			say(revoked)
			if every == 0 {
				time.Sleep(time.Hour)
				require.Len(t, asked(), 2, "nobody doubts")
				d.Raise()
			}
			require.ErrorIs(t, <-over, revoked)
			require.Len(t, asked(), 3)
			if every > 0 {
				require.Equal(t, every, asked()[2])
			}
		})
	}
}

// TestDoubtEnds: nothing is asked, and nobody is told, after the context has ended.
func TestDoubtEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := life.NewDoubt()
		ctx, cancel := context.WithCancel(t.Context())
		d.Raise()
		d.Watch(ctx, 0, func(context.Context) error { cancel(); return context.Canceled }, func(error) bool { return true }, func(err error) { t.Error(err) })
	})
}
