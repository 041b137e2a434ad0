package middleware_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/middleware"
)

// waits gives what ends its context.
var waits = handler.Func(func(ctx context.Context, _ *handler.Request) error {
	<-ctx.Done()
	return ctx.Err()
})

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &effects{}
		begin := time.Now()
		err := run(middleware.Timeout(3*time.Second)(waits), request(e, "U1"))
		require.ErrorIs(t, err, context.DeadlineExceeded, "an overrun stays an error")
		require.Equal(t, 3*time.Second, time.Since(begin))
		require.Equal(t, []time.Time{begin.Add(3 * time.Second)}, e.ends, "the bot knows when its grace time begins")
	})
}

func TestTimeoutLetsALateSuccessBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := middleware.Timeout(time.Second)(handler.Func(func(ctx context.Context, r *handler.Request) error {
			require.ErrorIs(t, waits(ctx, r), context.DeadlineExceeded)
			return nil
		}))
		require.NoError(t, run(h, request(&effects{}, "U1")))
	})
}

func TestTimeoutEarlierEndStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &effects{}
		begin := time.Now()
		h := middleware.Timeout(time.Second)(middleware.Timeout(time.Minute)(waits))
		require.ErrorIs(t, run(h, request(e, "U1")), context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(begin))
		require.Len(t, e.ends, 1)
	})
}

func TestTimeoutReleasesItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // a context that is not released leaves its timer, and the bubble waits for nobody
		var inside context.Context
		h := middleware.Timeout(time.Hour)(handler.Func(func(ctx context.Context, _ *handler.Request) error {
			inside = ctx
			return nil
		}))
		require.NoError(t, run(h, request(&effects{}, "U1")))
		require.ErrorIs(t, inside.Err(), context.Canceled)
	})
}

func TestTimeoutOfZeroIsNone(t *testing.T) {
	for _, d := range []time.Duration{0, -time.Second} {
		e := &effects{}
		h := middleware.Timeout(d)(handler.Func(func(ctx context.Context, _ *handler.Request) error {
			_, ok := ctx.Deadline()
			require.False(t, ok)
			return ctx.Err()
		}))
		require.NoError(t, run(h, request(e, "U1")))
		require.Empty(t, e.ends)
	}
}
