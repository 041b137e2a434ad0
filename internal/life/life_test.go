package life_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/life"
)

// TestEnd: what was begun is waited for, and nothing begins after the end.
func TestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := life.New("chat")
		begin := time.Now()
		require.True(t, l.Begin(func() {
			<-l.Context().Done()
			time.Sleep(time.Second)
		}))
		require.NoError(t, l.Context().Err())
		l.End()
		require.Equal(t, time.Second, time.Since(begin))
		require.Error(t, l.Context().Err())
		require.False(t, l.Begin(func() { t.Error("it runs after the end") }))
		l.End()
	})
}

func TestUsable(t *testing.T) {
	t.Parallel()
	l := life.New("chat")
	require.NoError(t, l.Usable(t.Context(), "send"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := l.Usable(ctx, "send")
	require.ErrorIs(t, err, adapter.ErrUnavailable)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, adapter.NotYet, adapter.OutcomeOf(l.Usable(ctx, "send")), "nothing was done")
	require.EqualError(t, err, "chat: send: adapter: unavailable: context canceled")
	l.End()
	require.ErrorIs(t, l.Usable(ctx, "edit"), adapter.ErrClosed, "that comes first")
	require.EqualError(t, l.Usable(t.Context(), "edit"), "chat: edit: "+adapter.ErrClosed.Error())
}

// TestRun: one at a time, until its context, the life, or somebody beside it ends it.
func TestRun(t *testing.T) {
	failed, other := errors.New("failed"), errors.New("other")
	wait := func(ctx context.Context, _ func(error)) error { <-ctx.Done(); return nil }
	for _, c := range []struct {
		name string
		f    func(ctx context.Context, end func(error)) error
		want error
	}{
		{"f ends", func(context.Context, func(error)) error { return nil }, nil},
		{"f fails", func(context.Context, func(error)) error { return failed }, failed},
		{"somebody ends it", func(ctx context.Context, end func(error)) error {
			go end(failed)
			<-ctx.Done()
			end(other) // too late
			return nil
		}, failed},
		{"f tells more", func(ctx context.Context, end func(error)) error { end(failed); return other }, other},
		{"it ends by itself", func(ctx context.Context, end func(error)) error {
			end(nil)
			end(failed)
			return ctx.Err()
		}, context.Canceled},
		{"nobody is to blame", func(ctx context.Context, end func(error)) error { end(nil); end(failed); return nil }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, life.New("chat").Run(t.Context(), c.f))
		})
	}
	t.Run("with its context", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := life.New("chat")
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			begin := time.Now()
			over := make(chan error)
			go func() { over <- l.Run(ctx, wait) }()
			synctest.Wait()
			require.EqualError(t, l.Run(t.Context(), wait), "chat: run: already running")
			require.NoError(t, <-over)
			require.Equal(t, time.Second, time.Since(begin))
			require.NoError(t, l.Run(ctx, func(context.Context, func(error)) error { t.Error("ctx is over"); return nil }))
			require.ErrorIs(t, l.Run(t.Context(), func(context.Context, func(error)) error { return failed }), failed, "it runs again")
		})
	})
	t.Run("with the life", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := life.New("chat")
			over := make(chan error)
			go func() { over <- l.Run(t.Context(), wait) }()
			synctest.Wait()
			l.End()
			require.NoError(t, <-over)
			require.NoError(t, l.Run(t.Context(), func(context.Context, func(error)) error { t.Error("it runs after the end"); return nil }))
		})
	})
}
