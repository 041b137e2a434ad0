package starling_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
)

// requireStops fails unless Run returns within ten minutes of being told to stop; release lets go what hangs.
func (s *stage) requireStops(release func()) {
	s.t.Helper()
	ended := make(chan struct{})
	go func() { _ = s.stop(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(10 * time.Minute):
		s.t.Error("Run has not returned ten minutes after it was told to stop")
		release()
		<-ended
	}
}

// SIGTERM ends the bot also where two handlers of one event ignore their contexts.
func TestStopWithTwoStuckHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := make(chan struct{})
		s := play(t, starling.Config{Brain: brain.New(newRig(memory.New())), Timeout: time.Second, Grace: time.Second}, func(rt *handler.Router) {
			rt.Hear("x", func(context.Context, *handler.Request) error { <-never; return nil })
			rt.Hear("x", func(context.Context, *handler.Request) error { <-never; return nil })
		})
		release := sync.OnceFunc(func() { close(never) })
		t.Cleanup(release)
		require.NoError(t, s.say("alice", "C1", "x"))
		time.Sleep(10 * time.Second) // both are cut off
		s.requireStops(release)
	})
}

// An adapter whose Send never returns does not keep the bot from stopping.
func TestStopWithAHungSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := make(chan struct{})
		s := play(t, starling.Config{Brain: brain.New(newRig(memory.New()))}, func(rt *handler.Router) { rt.Hear("x", replies("y")) })
		s.hang = func(*adapter.Message) { <-never }
		release := sync.OnceFunc(func() { close(never) })
		t.Cleanup(release)
		require.NoError(t, s.say("alice", "C1", "x"))
		require.NoError(t, s.say("alice", "C1", "x"))
		time.Sleep(10 * time.Second)
		s.requireStops(release)
	})
}

// The source is exhausted, and one handler is stuck: it is cut off, its event is over, and the bot ends.
func TestExhaustedWithAStuckHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := make(chan struct{})
		s := play(t, starling.Config{Brain: brain.New(newRig(memory.New())), Timeout: time.Second, Grace: time.Second}, func(rt *handler.Router) {
			rt.Hear("x", func(context.Context, *handler.Request) error { <-never; return nil })
		})
		release := sync.OnceFunc(func() { close(never) })
		t.Cleanup(release)
		require.NoError(t, s.say("alice", "C1", "x"))
		close(s.end)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		require.Equal(t, []string{"C1> " + sorry}, s.said())
		require.False(t, s.bot.Health().Running, "the bot still runs, ten minutes after all is handled")
	})
}

// A clean stop loses no accepted event without a word.
func TestStopWithVolatileEventsThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		var got atomic.Int32
		s := play(t, starling.Config{Brain: brain.New(r)}, func(rt *handler.Router) {
			rt.Hear("^work$", func(context.Context, *handler.Request) error { time.Sleep(time.Second); return nil }).Ordered = true
			rt.Hear("^quick$", func(context.Context, *handler.Request) error { got.Add(1); return nil }).Volatile = true
		})
		require.NoError(t, s.say("alice", "C1", "work"))
		require.NoError(t, s.say("alice", "C1", "work"))
		require.NoError(t, s.say("alice", "C1", "quick"))
		time.Sleep(100 * time.Millisecond)
		require.NoError(t, s.stop())
		require.Zero(t, got.Load())
		require.Contains(t, s.log.String(), `level=ERROR msg="volatile events are lost" events=1`)
	})
}

// A handler that ends its goroutine (as testing's FailNow does) does not keep an exhausted bot from ending.
func TestGoexit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, starling.Config{Brain: brain.New(newRig(memory.New()))}, func(rt *handler.Router) {
			rt.Hear("x", func(context.Context, *handler.Request) error { runtime.Goexit(); return nil })
			rt.Hear("y", replies("z"))
		})
		require.NoError(t, s.say("alice", "C1", "x"))
		require.NoError(t, s.say("alice", "C1", "y"))
		time.Sleep(5 * time.Minute)
		require.Contains(t, s.said(), "C1> z")
		close(s.end)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		require.False(t, s.bot.Health().Running)
	})
}

// A long handler that is interrupted by orderly stops is run to its end by the process that lives long enough.
func TestOrderlyStopsAreNoCrashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		add := func(rt *handler.Router) {
			rt.Hear("x", func(ctx context.Context, r *handler.Request) error {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(5 * time.Minute):
					return r.Reply(ctx, "built")
				}
			}).Background = true
		}
		cfg := func() starling.Config { return starling.Config{Brain: brain.New(store), Timeout: time.Hour} }
		s := play(t, cfg(), add)
		require.NoError(t, s.say("alice", "C1", "x"))
		for range 4 { // four rolling restarts
			time.Sleep(time.Minute)
			require.NoError(t, s.stop())
			s = play(t, cfg(), add)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		letters, err := s.bot.DeadLetters(context.Background())
		require.NoError(t, err)
		require.Empty(t, letters)
		require.Equal(t, []string{"C1> built"}, s.said())
	})
}
