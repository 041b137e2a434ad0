package retry_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/retry"
)

var errAway = errors.New("away")

func never(error) bool { return false }

func isAuth(err error) bool { return errors.Is(err, adapter.ErrAuth) }

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		require.NoError(t, retry.Pause(t.Context(), time.Minute))
		require.Equal(t, time.Minute, time.Since(begin))
		require.NoError(t, retry.Pause(t.Context(), -time.Second), "that time is over")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(adapter.ErrClosed) })
		require.ErrorIs(t, retry.Pause(ctx, time.Hour), adapter.ErrClosed, "the cause")
		require.Equal(t, time.Minute+time.Second, time.Since(begin))
	})
}

func TestJitter(t *testing.T) {
	t.Parallel()
	least, most := time.Hour, time.Duration(0)
	for range 10_000 {
		d := retry.Jitter(4 * time.Second)
		least, most = min(least, d), max(most, d)
	}
	require.GreaterOrEqual(t, least, 3*time.Second)
	require.LessOrEqual(t, most, 5*time.Second)
	require.Greater(t, most-least, 1900*time.Millisecond, "it is spread")
	require.Zero(t, retry.Jitter(0))
}

// about wants pauses to be as long as wanted, but for the jitter.
func about(t *testing.T, want, got []time.Duration) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		require.InDelta(t, want[i].Seconds(), got[i].Seconds(), want[i].Seconds()/4+1e-6, "pause %d of %v", i, got)
	}
}

// attempts gives an f that fails with errs, one after the other, and the pauses between its calls.
func attempts(errs ...error) (f func() error, pauses func() []time.Duration) {
	var at []time.Time
	f = func() error {
		at = append(at, time.Now())
		return errs[min(len(at), len(errs))-1]
	}
	pauses = func() (list []time.Duration) {
		for i := 1; i < len(at); i++ {
			list = append(list, at[i].Sub(at[i-1]))
		}
		return list
	}
	return f, pauses
}

func TestFew(t *testing.T) {
	const s = time.Second
	limit := func(d time.Duration) error { return fmt.Errorf("x: %w", &adapter.RateLimitError{RetryAfter: d}) }
	for _, c := range []struct {
		name   string
		errs   []error
		want   error
		pauses []time.Duration
	}{
		{"it works", []error{nil}, nil, nil},
		{"it works the third time", []error{errAway, errAway, nil}, nil, []time.Duration{s, 2 * s}},
		{"it never works", []error{errAway}, errAway, []time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 30 * s, 30 * s, 30 * s}},
		{"fatal", []error{errAway, adapter.ErrAuth}, adapter.ErrAuth, []time.Duration{s}},
		{"refused", []error{adapter.ErrNotFound}, adapter.ErrNotFound, nil},
		{"patience does not double the next pause", []error{limit(90 * s), limit(3 * s), errAway, nil}, nil, []time.Duration{90 * s, 3 * s, s}},
		{"patience for no time", []error{limit(0), nil}, nil, []time.Duration{s}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, pauses := attempts(c.errs...)
				require.ErrorIs(t, retry.Few(t.Context(), isAuth, f), c.want)
				about(t, c.pauses, pauses())
			})
		})
	}
	t.Run("the end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*s)
			defer cancel()
			begin := time.Now()
			f, pauses := attempts(errAway)
			require.ErrorIs(t, retry.Few(ctx, never, f), errAway, "what was wrong, not that the time is over")
			require.Equal(t, 5*s, time.Since(begin))
			about(t, []time.Duration{s, 2 * s}, pauses())
		})
	})
}

func TestUntil(t *testing.T) {
	const s = time.Second
	t.Run("doubling", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			errs := []error{errAway, errAway, errAway, errAway, errAway, errAway, errAway, errAway, errAway, errAway, nil}
			f, pauses := attempts(errs...)
			var told []time.Duration
			require.NoError(t, retry.Until(t.Context(), never, func(err error, after time.Duration) {
				require.Equal(t, errAway, err)
				told = append(told, after)
			}, f))
			want := []time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 30 * s, 30 * s, 30 * s, 30 * s, 30 * s}
			about(t, want, pauses())
			require.Equal(t, want, told)
		})
	})
	t.Run("patience", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f, pauses := attempts(&adapter.RateLimitError{RetryAfter: time.Minute}, &adapter.RateLimitError{RetryAfter: time.Millisecond}, nil)
			require.NoError(t, retry.Until(t.Context(), never, func(error, time.Duration) {}, f))
			about(t, []time.Duration{time.Minute, 2 * s}, pauses())
			require.Equal(t, time.Minute, pauses()[0], "what the platform says is not shortened")
		})
	})
	t.Run("fatal", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f, pauses := attempts(errAway, adapter.ErrAuth)
			n := 0
			require.ErrorIs(t, retry.Until(t.Context(), isAuth, func(error, time.Duration) { n++ }, f), adapter.ErrAuth)
			about(t, []time.Duration{s}, pauses())
			require.Equal(t, 1, n, "the last one is for the caller alone")
		})
	})
	t.Run("the end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*s)
			defer cancel()
			begin := time.Now()
			f, _ := attempts(errAway)
			require.ErrorIs(t, retry.Until(ctx, never, func(error, time.Duration) {}, f), errAway)
			require.Equal(t, 2*s, time.Since(begin))
			f, _ = attempts(errAway)
			require.ErrorIs(t, retry.Until(ctx, never, func(error, time.Duration) { t.Error("nobody tries again") }, f), errAway)
		})
	})
}
