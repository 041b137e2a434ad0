package starling_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
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

// A handler has filled its run record to the last byte and asks for a retry: its conversation goes on.
func TestFullRunRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		size := 0
		var more int
		add := func(rt *handler.Router) {
			rt.Hear("^fill$", func(ctx context.Context, q *handler.Request) error {
				for i, n := range []int{268_000, 250_000 + more} {
					if _, err := handler.Change(ctx, q, fmt.Sprint("k", i), func(v *string) error { *v = strings.Repeat("a", n); return nil }); err != nil {
						return err
					}
				}
				return handler.Retry(errors.New("once more"))
			})
			rt.Hear("^ping$", replies("PONG"))
		}
		r := newRig(memory.New())
		r.setFail(func(ops []brain.Op) error {
			if strings.HasPrefix(ops[0].Key, "_/run/") && len(ops) == 2 {
				size = len(ops[0].Value)
			}
			return nil
		})
		s := play(t, starling.Config{Brain: brain.New(r)}, add)
		require.NoError(t, s.say("alice", "C1", "fill"))
		time.Sleep(10 * time.Second)
		require.NoError(t, s.stop())
		require.NotZero(t, size)
		more = brain.MaxValue - size

		s = play(t, starling.Config{Brain: brain.New(newRig(memory.New()))}, add)
		require.NoError(t, s.say("alice", "C2", "fill"))
		time.Sleep(20 * time.Second)
		require.NoError(t, s.say("alice", "C2", "ping"))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		require.Contains(t, s.said(), "C2> PONG", "the conversation stands still")
	})
}

// A handler says more than its record has room for: it is told so, and who asked is told that something went wrong.
func TestFullOfReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		var failed error
		s := play(t, starling.Config{Brain: brain.New(r), Timeout: time.Hour}, func(rt *handler.Router) {
			rt.Hear("^x$", func(ctx context.Context, q *handler.Request) error {
				for i := range 2 {
					if _, err := handler.Change(ctx, q, fmt.Sprint("k", i), func(v *string) error { *v = strings.Repeat("a", 230_000); return nil }); err != nil {
						return err
					}
				}
				for i := range 10_000 {
					if failed = q.Reply(ctx, "line %d", i); failed != nil {
						return failed
					}
				}
				return nil
			})
		})
		require.NoError(t, s.say("alice", "C1", "x"))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		said := s.said()
		require.ErrorIs(t, failed, brain.ErrTooLarge)
		require.ErrorContains(t, failed, "say and change less in one handler")
		require.Greater(t, len(said), 10)
		require.Contains(t, said[len(said)-1], "Sorry", "cut off without a word")
		require.Empty(t, keys(t, r, "_/inbox/"))
	})
}

// A reply of a goroutine that is late has no effect, and leaves nothing behind.
func TestLateReplyLeavesNoRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		var late error
		s := play(t, starling.Config{Brain: brain.New(r)}, func(rt *handler.Router) {
			rt.Outgoing(func(next handler.Send) handler.Send {
				return func(ctx context.Context, m *adapter.Message) ([]adapter.Ref, error) {
					time.Sleep(10 * time.Millisecond) // it asks somebody whether that may be said
					return next(ctx, m)
				}
			})
			rt.Hear("^x$", func(ctx context.Context, q *handler.Request) error {
				go func() { late = q.Reply(context.WithoutCancel(ctx), "late") }()
				time.Sleep(time.Millisecond)
				return nil
			})
		})
		require.NoError(t, s.say("alice", "C1", "x"))
		time.Sleep(time.Minute)
		synctest.Wait()
		require.ErrorIs(t, late, handler.ErrEnded)
		require.Empty(t, s.said())
		require.Empty(t, keys(t, r, "_/inbox/"))
		require.Empty(t, keys(t, r, "_/run/"), "a record that nobody will ever delete")
	})
}

// A message of 64 KiB that could not be handled is a dead letter that can be replayed.
func TestLargeDeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		r1 := newRig(store)
		hang := make(chan struct{})
		defer close(hang)
		s1 := play(t, starling.Config{Brain: brain.New(r1)}, func(rt *handler.Router) {
			rt.Hear("^paste", func(context.Context, *handler.Request) error { <-hang; return nil })
		})
		ev := s1.message("alice", "C1", "paste "+strings.Repeat("<", 64<<10-6))
		require.NoError(t, s1.offer(ev), "it is accepted")
		synctest.Wait()
		s1.crash(r1)
		s2 := play(t, starling.Config{Brain: brain.New(newRig(store))}, func(rt *handler.Router) { rt.Hear("x", replies("y")) })
		time.Sleep(5 * time.Second)
		synctest.Wait()
		letters, err := s2.bot.DeadLetters(context.Background())
		require.NoError(t, err)
		require.Len(t, letters, 1)
		require.NotNil(t, letters[0].Event, "its content is gone")
	})
}

// What waits for a platform that is out has a bound in memory.
func TestWaitingMessagesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, starling.Config{Brain: brain.New(newRig(memory.New())), Limits: unlimited()}, func(rt *handler.Router) {
			rt.Hear("x", func(ctx context.Context, r *handler.Request) error {
				ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
				defer cancel()
				_ = r.Reply(ctx, "y")
				return nil
			})
		})
		s.setFail(func(int, *adapter.Message) error { return adapter.ErrUnavailable })
		before := runtime.NumGoroutine()
		for i := range 20_000 {
			require.NoError(t, s.say("alice", fmt.Sprint("C", i%100), "x"))
			if i%100 == 99 {
				time.Sleep(100 * time.Millisecond)
			}
		}
		time.Sleep(time.Second)
		synctest.Wait()
		after := runtime.NumGoroutine()
		s.setFail(nil)
		require.Less(t, after-before, 2000)
	})
}
