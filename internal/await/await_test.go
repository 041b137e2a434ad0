package await_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starlingbot/starling/internal/await"
	"github.com/stretchr/testify/require"
)

func TestWhatIsTrueAlreadyNeedsNoWakeAndNoTime(t *testing.T) {
	var s await.Signal
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, s.Until(ctx, func() bool { return true }))
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s await.Signal
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		begin, asked := time.Now(), 0
		require.ErrorIs(t, s.Until(ctx, func() bool { asked++; return false }), context.DeadlineExceeded)
		require.Equal(t, time.Hour, time.Since(begin))
		require.Equal(t, 1, asked, "asked without a wake")
	})
}

func TestAWakeAsksAllWhoWaitAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s await.Signal
		var now atomic.Int64
		var asked, over atomic.Int64
		for range 3 {
			go func() {
				if s.Until(t.Context(), func() bool { asked.Add(1); return now.Load() >= 2 }) == nil {
					over.Add(1)
				}
			}()
		}
		for i := range int64(2) {
			synctest.Wait()
			require.Zero(t, over.Load())
			require.Equal(t, 3*(i+1), asked.Load())
			now.Add(1)
			synctest.Wait()
			require.Zero(t, over.Load(), "seen without a wake")
			s.Wake()
		}
		synctest.Wait()
		require.EqualValues(t, 3, over.Load())
	})
}

// A change that comes while a condition is being asked, after it has looked, is seen.
func TestNoChangeIsMissedWhileAConditionIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s await.Signal
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		there := false
		require.NoError(t, s.Until(ctx, func() bool {
			seen := there
			if !there {
				there = true
				s.Wake()
			}
			return seen
		}))
	})
}

// The fakes wake before the end of a change, with the lock held that the condition takes.
func TestAWakeMayComeBeforeTheChangeUnderTheLockOfTheCondition(t *testing.T) {
	const n = 2000
	var s await.Signal
	var mu sync.Mutex
	count := 0
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		for range n {
			mu.Lock()
			s.Wake()
			count++
			mu.Unlock()
		}
	})
	for want := range n + 1 {
		require.NoError(t, s.Until(ctx, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return count >= want
		}))
	}
}

func TestChangedIsOfTheNextWakeAlone(t *testing.T) {
	var s await.Signal
	s.Wake() // nobody waits
	first := s.Changed()
	require.Equal(t, first, s.Changed())
	select {
	case <-first:
		t.Fatal("closed by a wake before it was taken")
	default:
	}
	s.Wake()
	<-first
	select {
	case <-s.Changed():
		t.Fatal("closed by the wake before it was taken")
	default:
	}
}
