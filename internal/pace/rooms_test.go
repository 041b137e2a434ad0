package pace

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
)

// limited wants err to be a rate limit, and gives its time.
func limited(t *testing.T, err error) time.Duration {
	t.Helper()
	var limit *adapter.RateLimitError
	require.ErrorAs(t, err, &limit)
	return limit.RetryAfter
}

// TestTurns: some go at once, then one in each span; a longer wait than five seconds is an error and reserves nothing; another
// room is as if nothing were.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(t.Context(), time.Second, 3)
		begin := time.Now()
		for i := range 6 {
			require.NoError(t, r.Turn(t.Context(), "a"))
			require.Equal(t, max(0, time.Duration(i-2)*time.Second), time.Since(begin), i)
		}
		require.NoError(t, r.Turn(t.Context(), "b"))
		require.Equal(t, 3*time.Second, time.Since(begin))

		time.Sleep(time.Hour)
		begin = time.Now()
		over := make(chan time.Duration, 8)
		for range 8 {
			go func() {
				if r.Turn(t.Context(), "a") == nil {
					over <- time.Since(begin)
				}
			}()
		}
		synctest.Wait()
		require.Equal(t, 6*time.Second, limited(t, r.Turn(t.Context(), "a")), "three, and five that wait")
		require.Equal(t, 6*time.Second, limited(t, r.Turn(t.Context(), "a")), "nothing was reserved")
		for _, want := range []int{0, 0, 0, 1, 2, 3, 4, 5} {
			require.Equal(t, time.Duration(want)*time.Second, <-over)
		}
		time.Sleep(time.Second) // the room has not rested
		begin = time.Now()
		require.NoError(t, r.Turn(t.Context(), "a"))
		require.NoError(t, r.Turn(t.Context(), "a"))
		require.Equal(t, time.Second, time.Since(begin))
	})
}

// TestEnds: a wait ends with its context and with the base, and says which.
func TestEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base, end := context.WithCancel(t.Context())
		r := New(base, time.Second, 1)
		require.NoError(t, r.Turn(t.Context(), "a"))
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		err := r.Turn(ctx, "a")
		require.ErrorIs(t, err, adapter.ErrUnavailable)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 300*time.Millisecond, time.Since(begin))
		time.AfterFunc(100*time.Millisecond, end)
		require.Equal(t, adapter.ErrClosed, r.Turn(t.Context(), "a"))
		require.Equal(t, 400*time.Millisecond, time.Since(begin))
	})
}

// TestRefused: what a platform refuses holds its room, and that room alone.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(t.Context(), time.Second, 3)
		require.NoError(t, r.Turn(t.Context(), "a"))
		require.NoError(t, r.Turn(t.Context(), "b"))
		r.Refused("a", nil)
		r.Refused("a", errors.New("another"))
		require.NoError(t, r.Turn(t.Context(), "a"))

		refused := fmt.Errorf("x: %w", &adapter.RateLimitError{RetryAfter: time.Minute})
		r.Refused("a", refused)
		r.Refused("a", &adapter.RateLimitError{RetryAfter: time.Second}) // the longer one counts
		r.Refused("unknown", refused)
		require.Equal(t, time.Minute, limited(t, r.Turn(t.Context(), "a")))
		require.NoError(t, r.Turn(t.Context(), "b"))
		require.NoError(t, r.Turn(t.Context(), "unknown"))
		time.Sleep(time.Minute - time.Millisecond)
		require.Equal(t, time.Millisecond, limited(t, r.Turn(t.Context(), "a")), "to its end, however short")
		time.Sleep(time.Millisecond)
		begin := time.Now()
		for range 3 {
			require.NoError(t, r.Turn(t.Context(), "a"))
		}
		require.Equal(t, 2*time.Second, time.Since(begin), "not all at once")

		r.Refused("b", &adapter.RateLimitError{})
		require.Equal(t, time.Second, limited(t, r.Turn(t.Context(), "b")), "one span at least")
	})
}

// TestRoomsBound: rooms that nobody waits in are forgotten, the others are not.
func TestRoomsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(t.Context(), time.Second, 1)
		for i := range maxRooms - 1 {
			require.NoError(t, r.Turn(t.Context(), fmt.Sprint(i)))
		}
		require.NoError(t, r.Turn(t.Context(), "held"))
		r.Refused("held", &adapter.RateLimitError{RetryAfter: time.Minute})
		time.Sleep(2 * time.Second)
		require.NoError(t, r.Turn(t.Context(), "new"))
		require.Len(t, r.rooms, 2)
		require.Equal(t, 58*time.Second, limited(t, r.Turn(t.Context(), "held")))
	})
}
