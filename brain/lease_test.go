package brain_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
)

func op(key, value string) brain.Op {
	return brain.Op{Key: key, Value: []byte(value), If: brain.Any}
}

func value(t *testing.T, s brain.Store, key string) string {
	t.Helper()
	e, err := s.Get(context.Background(), key)
	if err != nil {
		require.ErrorIs(t, err, brain.ErrNotFound)
		return ""
	}
	return string(e.Value)
}

func TestLeaseLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ctx := newBrain(), context.Background()
		l, err := b.Acquire(ctx, "conv/1", 1500*time.Millisecond)
		require.NoError(t, err)
		require.Equal(t, 2*time.Second, time.Until(l.Until()))
		other, err := b.Namespace("x").Acquire(ctx, "conv/1", time.Second)
		require.NoError(t, err, "another namespace is another lease")
		require.NoError(t, other.Release(ctx))
		for range 5 {
			time.Sleep(time.Second)
			before := l.Token()
			require.NoError(t, l.Renew(ctx))
			require.Greater(t, l.Token(), before)
			_, err = b.Acquire(ctx, "conv/1", time.Second)
			require.ErrorIs(t, err, brain.ErrConflict)
		}
		time.Sleep(2 * time.Second) // not renewed in time
		next, err := b.Acquire(ctx, "conv/1", time.Minute)
		require.NoError(t, err)
		require.Greater(t, next.Token(), l.Token())
		require.False(t, l.Lost(), "it does not know yet")
		require.ErrorIs(t, l.Renew(ctx), brain.ErrConflict)
		require.True(t, l.Lost())
		require.ErrorIs(t, l.Renew(ctx), brain.ErrConflict)
		require.ErrorIs(t, l.Release(ctx), brain.ErrConflict, "it must not release the other's")
		require.NoError(t, next.Renew(ctx))
		require.NoError(t, next.Release(ctx))
		require.ErrorIs(t, next.Renew(ctx), brain.ErrConflict, "released")

		_, err = b.Acquire(ctx, "conv/1", 0)
		require.ErrorIs(t, err, brain.ErrInvalidOp)
		_, err = b.Acquire(ctx, strings.Repeat("n", brain.MaxKey), time.Second)
		require.NoError(t, err, "a valid key is a valid name")
	})
}

func TestLeaseApply(t *testing.T) {
	b, ctx := newBrain(), context.Background()
	s := b.Store()
	l, err := b.Acquire(ctx, "job", time.Minute)
	require.NoError(t, err)
	before := l.Token()
	require.NoError(t, l.Apply(ctx, op("a", "1"), op("b", "1")))
	require.Greater(t, l.Token(), before)
	require.Equal(t, "1", value(t, s, "b"))

	err = l.Apply(ctx, op("a", "2"), brain.Op{Key: "b", Value: []byte("2")})
	require.ErrorIs(t, err, brain.ErrConflict, "a condition of the caller")
	require.False(t, l.Lost(), "the lease is not lost by that")
	require.Equal(t, "1", value(t, s, "a"))
	require.ErrorIs(t, l.Apply(ctx, make([]brain.Op, brain.MaxOps)...), brain.ErrTooLarge)

	revs, err := s.Apply(ctx, l.Guard(), op("a", "3")) // by hand
	require.NoError(t, err)
	l.Renewed(revs[0])
	require.Equal(t, revs[0], l.Token())
	l.Renewed(1)
	require.Equal(t, revs[0], l.Token(), "never back")
	require.NoError(t, l.Renew(ctx))

	_, err = s.Apply(ctx, l.Guard()) // by hand, and the lease is not told
	require.NoError(t, err)
	require.ErrorIs(t, l.Apply(ctx, op("a", "4")), brain.ErrConflict)
	require.Equal(t, "3", value(t, s, "a"))
	require.NoError(t, l.Apply(ctx, op("a", "4")), "it has found its token again")
	require.Equal(t, "4", value(t, s, "a"))
}

// Methods called at once take turns and keep the token in step.
func TestLeaseConcurrent(t *testing.T) {
	b, ctx := newBrain(), context.Background()
	l, err := b.Acquire(ctx, "job", time.Minute)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 50 {
				if err := l.Apply(ctx, op("k", "v")); err != nil {
					t.Error(err)
				}
				_ = l.Token()
			}
		})
	}
	wg.Wait()
	require.NoError(t, l.Release(ctx))
}

// Unknown outcomes: a claim or renewal whose answer is lost is found by its
// nonce, and ops under a lease are never reported wrongly.
func TestLeaseUnknown(t *testing.T) {
	takeOver := func(m *memory.Store) {
		_, _ = m.Apply(context.Background(), brain.Op{Key: "_/lease/job", Value: []byte("rival"), If: brain.Any, TTL: time.Hour})
	}
	bubble := func(name string, f func(t *testing.T, ctx context.Context, s *flaky, b *brain.Brain)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFlaky()
				s.rival = takeOver
				f(t, context.Background(), s, brain.New(s))
			})
		})
	}
	bubble("acquire", func(t *testing.T, ctx context.Context, s *flaky, b *brain.Brain) {
		for _, f := range []fate{unsent, unheard} {
			s.next(f)
			l, err := b.Acquire(ctx, "job", time.Minute)
			require.NoError(t, err)
			require.Equal(t, 2, s.applies)
			require.NoError(t, l.Renew(ctx), "the token is right")
			require.NoError(t, l.Release(ctx))
		}
		s.next(usurped)
		_, err := b.Acquire(ctx, "job", time.Minute)
		require.ErrorIs(t, err, brain.ErrConflict, "the nonce in it is another's")
		s.next(unsent, unsent, unsent, unsent)
		_, err = b.Acquire(ctx, "job", time.Minute)
		require.ErrorIs(t, err, errLost)
		require.False(t, brain.Certain(err))
		s.next(unheard)
		s.getErr = errLost
		_, err = b.Acquire(ctx, "other", time.Minute)
		require.False(t, brain.Certain(err), "%v", err)
		require.ErrorContains(t, err, "outcome unknown")
	})
	bubble("renew", func(t *testing.T, ctx context.Context, s *flaky, b *brain.Brain) {
		l, err := b.Acquire(ctx, "job", time.Minute)
		require.NoError(t, err)
		for _, fates := range [][]fate{{unsent}, {unheard}, {unheard, unsent}, {unsent, unheard}} {
			s.next(fates...)
			before := l.Token()
			require.NoError(t, l.Renew(ctx))
			require.Greater(t, l.Token(), before)
		}
		s.next(unheard, unsent, unsent, unsent)
		err = l.Renew(ctx)
		require.False(t, brain.Certain(err), "%v", err)
		require.False(t, l.Lost())
		require.NoError(t, l.Renew(ctx), "the next one finds out")
		s.next(usurped)
		require.ErrorIs(t, l.Renew(ctx), brain.ErrConflict)
		require.True(t, l.Lost())
	})
	bubble("apply", func(t *testing.T, ctx context.Context, s *flaky, b *brain.Brain) {
		l, err := b.Acquire(ctx, "job", time.Minute)
		require.NoError(t, err)
		s.next(unheard)
		require.NoError(t, l.Apply(ctx, brain.Op{Key: "k", Value: []byte("1")}), "it happened, and the lease's record proves it")
		require.Equal(t, "1", value(t, s.Store, "k"))

		s.next(unheard, unsent, unsent, unsent)
		err = l.Apply(ctx, op("k", "2"))
		require.False(t, brain.Certain(err), "%v", err)
		require.Equal(t, "2", value(t, s.Store, "k"))
		s.next(unsent, unsent, unsent, unsent)
		err = l.Apply(ctx, op("k", "3"))
		require.Error(t, err)
		require.False(t, brain.Certain(err), "%v", err)
		s.next()
		require.NoError(t, l.Apply(ctx, op("k", "4")))
		require.Equal(t, "4", value(t, s.Store, "k"))

		s.next(usurped)
		err = l.Apply(ctx, op("k", "5"))
		require.Error(t, err)
		require.False(t, brain.Certain(err), "the first may have landed before the lease was lost: %v", err)
		require.True(t, l.Lost())
		require.ErrorIs(t, l.Apply(ctx, op("k", "6")), brain.ErrConflict)
		require.Equal(t, "4", value(t, s.Store, "k"))
	})
	bubble("closed", func(t *testing.T, ctx context.Context, s *flaky, b *brain.Brain) {
		l, err := b.Acquire(ctx, "job", time.Minute)
		require.NoError(t, err)
		s.rival = func(m *memory.Store) { _ = m.Close() }
		s.next(usurped)
		err = l.Apply(ctx, op("k", "1"))
		require.ErrorContains(t, err, "outcome unknown")
		require.False(t, brain.Certain(err), "%v", err)
		require.ErrorIs(t, l.Apply(ctx, op("k", "1")), brain.ErrClosed)
	})
	bubble("release", func(t *testing.T, ctx context.Context, s *flaky, b *brain.Brain) {
		for _, fates := range [][]fate{{unsent}, {unheard}} {
			l, err := b.Acquire(ctx, "job", time.Minute)
			require.NoError(t, err)
			s.next(fates...)
			require.NoError(t, l.Release(ctx))
			require.Equal(t, "", value(t, s.Store, "_/lease/job"))
		}
		l, err := b.Acquire(ctx, "job", time.Minute)
		require.NoError(t, err)
		s.next(unsent, unsent, unsent, unsent)
		err = l.Release(ctx)
		require.ErrorIs(t, err, errLost)
		require.NotEqual(t, "", value(t, s.Store, "_/lease/job"))
		require.NoError(t, l.Release(ctx))
		require.Equal(t, "", value(t, s.Store, "_/lease/job"))
	})
}

// hanging is a store whose Apply waits for the gate.
type hanging struct {
	*memory.Store
	gate chan struct{}
}

func (s *hanging) Apply(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
	<-s.gate
	return s.Store.Apply(ctx, ops...)
}

// A method waits for its turn no longer than its context.
func TestLeaseTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ctx := &hanging{Store: memory.New(), gate: make(chan struct{}, 1)}, context.Background()
		s.gate <- struct{}{}
		l, err := brain.New(s).Acquire(ctx, "job", time.Minute)
		require.NoError(t, err)
		done := make(chan error)
		go func() { done <- l.Renew(ctx) }()
		synctest.Wait() // it hangs in the store
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		require.ErrorIs(t, l.Renew(short), context.DeadlineExceeded)
		close(s.gate)
		require.NoError(t, <-done)
	})
}
