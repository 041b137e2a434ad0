package starling_test

import (
	"context"
	"errors"
	"iter"
	"strings"
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

// A reply that could not be posted within SendFor, after its handler had ended, is not dropped silently.
func TestGivenUpReplyIsNotSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		s := play(t, starling.Config{Brain: brain.New(r), SendFor: 10 * time.Second}, func(rt *handler.Router) {
			rt.Hear("x", func(ctx context.Context, q *handler.Request) error {
				ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
				defer cancel()
				_ = q.Reply(ctx, "the answer")
				return nil
			})
		})
		s.setFail(func(int, *adapter.Message) error { return adapter.ErrUnavailable })
		require.NoError(t, s.say("alice", "C1", "x"))
		time.Sleep(time.Minute)
		synctest.Wait()
		s.setFail(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Empty(t, s.said())
		require.Contains(t, s.log.String(), `level=ERROR msg="a message will not be posted"`)
		letters, err := s.bot.DeadLetters(context.Background())
		require.NoError(t, err)
		require.Len(t, letters, 1)
		require.Contains(t, letters[0].Reason, "given up after 10s")
		require.NoError(t, s.bot.Replay(context.Background(), letters[0].ID))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"C1> the answer"}, s.said())
	})
}

// The same where the platform refuses it at last.
func TestLateRefusalIsNotSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		s := play(t, starling.Config{Brain: brain.New(r), Timeout: 2 * time.Second}, func(rt *handler.Router) {
			rt.Hear("x", func(ctx context.Context, q *handler.Request) error {
				ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
				defer cancel()
				_ = q.Reply(ctx, "the answer")
				return nil
			})
		})
		s.setFail(func(n int, _ *adapter.Message) error {
			if n < 3 {
				return adapter.ErrUnavailable
			}
			return adapter.ErrForbidden
		})
		require.NoError(t, s.say("alice", "C1", "x"))
		time.Sleep(time.Minute)
		synctest.Wait()
		letters, err := s.bot.DeadLetters(context.Background())
		require.NoError(t, err)
		require.Len(t, letters, 1)
		require.Contains(t, letters[0].Reason, "forbidden")
		require.Contains(t, s.log.String(), `level=ERROR msg="a message will not be posted"`)
	})
}

// A handler whose reply waits for a platform that is out asks for a retry: the reply is posted once.
func TestRetryWhileTheReplyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		s := play(t, starling.Config{Brain: brain.New(r), Timeout: time.Second}, func(rt *handler.Router) {
			rt.Hear("x", func(ctx context.Context, q *handler.Request) error {
				return handler.Retry(q.Reply(ctx, "the answer"))
			})
		})
		s.setFail(func(int, *adapter.Message) error { return adapter.ErrUnavailable })
		require.NoError(t, s.say("alice", "C1", "x"))
		time.Sleep(5 * time.Second)
		s.setFail(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		n := 0
		for _, p := range s.said() {
			if p == "C1> the answer" {
				n++
			}
		}
		require.Equal(t, 1, n, s.said())
	})
}

// What a handler said one after the other, and what waited for the platform at a stop, is posted in order by the next start.
func TestPendingRepliesKeepOrderOverARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		add := func(rt *handler.Router) {
			rt.Hear("x", func(ctx context.Context, q *handler.Request) error {
				for i := range 6 {
					ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
					_ = q.Reply(ctx, "line %d", i)
					cancel()
				}
				return nil
			})
		}
		s := play(t, starling.Config{Brain: brain.New(r)}, add)
		s.setFail(func(int, *adapter.Message) error { return adapter.ErrUnavailable })
		require.NoError(t, s.say("alice", "C1", "x"))
		time.Sleep(5 * time.Second)
		require.NoError(t, s.stop())
		s2 := play(t, starling.Config{Brain: brain.New(newRig(r.Store))}, add)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"C1> line 0", "C1> line 1", "C1> line 2", "C1> line 3", "C1> line 4", "C1> line 5"}, s2.said())
	})
}

// The same without a trick in the handler: the reply waits until its handler's time is up, and the bot's own "Sorry" stands behind it.
func TestReplyAndSorryKeepOrderOverARestart(t *testing.T) {
	for i := range 8 {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(memory.New())
			add := func(rt *handler.Router) { rt.Hear("x", replies("the answer")) }
			s := play(t, starling.Config{Brain: brain.New(r)}, add)
			s.setFail(func(int, *adapter.Message) error { return adapter.ErrUnavailable })
			require.NoError(t, s.say("alice", "C1", "x"))
			time.Sleep(time.Minute)
			require.NoError(t, s.stop())
			s2 := play(t, starling.Config{Brain: brain.New(newRig(r.Store))}, add)
			time.Sleep(5 * time.Second)
			synctest.Wait()
			require.Equal(t, []string{"C1> the answer", "C1> " + sorry}, s2.said(), i)
		})
	}
}

// The platform is out and the store fails for a second while the handlers of the event end: the reply is posted once, and the
// handler runs once more at most.
func TestOutageWhileAReplyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		var runs atomic.Int32
		s := play(t, starling.Config{Brain: brain.New(r)}, func(rt *handler.Router) {
			rt.Hear("x", func(ctx context.Context, q *handler.Request) error {
				runs.Add(1)
				ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
				defer cancel()
				_ = q.Reply(ctx, "the answer")
				if runs.Load() == 1 {
					r.setFail(func([]brain.Op) error { return errLost })
				}
				return nil
			})
		})
		s.setFail(func(int, *adapter.Message) error { return adapter.ErrUnavailable })
		require.NoError(t, s.say("alice", "C1", "x"))
		time.Sleep(time.Second)
		r.setFail(nil)
		time.Sleep(20 * time.Second)
		s.setFail(nil)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.Equal(t, []string{"C1> the answer"}, s.said())
	})
}

// A reply that was posted, with its process alive, is not posted again because the store failed meanwhile.
func TestOutageAfterAReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		var first atomic.Bool
		s := play(t, starling.Config{Brain: brain.New(r)}, func(rt *handler.Router) {
			rt.Hear("x", func(ctx context.Context, q *handler.Request) error { return q.Reply(ctx, "the answer") })
		})
		s.setFail(func(int, *adapter.Message) error {
			if !first.Swap(true) {
				r.setFail(func([]brain.Op) error { return errLost })
			}
			return nil
		})
		require.NoError(t, s.say("alice", "C1", "x"))
		time.Sleep(time.Second)
		r.setFail(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, []string{"C1> the answer"}, s.said())
	})
}

// A handler that goes on after its reply, over a short outage: same promise. And a command that has ended is not "interrupted".
func TestOutageWhileAHandlerGoesOn(t *testing.T) {
	for _, text := range []string{"x", "starling deploy"} {
		t.Run(text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(memory.New())
				var first atomic.Bool
				s := play(t, starling.Config{Brain: brain.New(r)}, func(rt *handler.Router) {
					work := func(ctx context.Context, q *handler.Request) error {
						if err := q.Reply(ctx, "deployed"); err != nil {
							return err
						}
						time.Sleep(time.Second)
						return nil
					}
					rt.Hear("^x$", work)
					rt.Command("deploy", "", work).OnCrash = handler.OnCrashReport
				})
				s.setFail(func(int, *adapter.Message) error {
					if !first.Swap(true) {
						r.setFail(func([]brain.Op) error { return errLost })
					}
					return nil
				})
				require.NoError(t, s.say("alice", "C1", text))
				time.Sleep(500 * time.Millisecond)
				r.setFail(nil)
				time.Sleep(time.Minute)
				synctest.Wait()
				require.Equal(t, []string{"C1> deployed"}, s.said())
			})
		})
	}
}

// The store fails just when it is to be recorded what was posted, and the handler goes on for long and writes nothing: it is recorded
// when the store works again, so that the death of the process repeats nothing.
func TestRefsAreRecordedAfterAnOutage(t *testing.T) {
	for name, failure := range map[string]error{"no answer": errLost, "refused": brain.ErrClosed} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := memory.New()
				r1 := newRig(store)
				hang := make(chan struct{})
				defer close(hang)
				add := func(goesOn bool) func(rt *handler.Router) {
					return func(rt *handler.Router) {
						rt.Hear("x", func(ctx context.Context, r *handler.Request) error {
							err := r.Reply(ctx, "the answer")
							if goesOn {
								<-hang
							}
							return err
						})
					}
				}
				s1 := play(t, starling.Config{Brain: brain.New(r1), Timeout: time.Hour}, add(true))
				s1.setFail(func(int, *adapter.Message) error {
					r1.setFail(func([]brain.Op) error { return failure })
					return nil
				})
				require.NoError(t, s1.say("alice", "C1", "x"))
				time.Sleep(time.Minute)
				r1.setFail(nil)
				time.Sleep(10 * time.Second)
				require.Equal(t, 1, strings.Count(s1.log.String(), "could not be recorded"))
				require.Equal(t, []string{"C1> the answer"}, s1.crash(r1))
				s2 := play(t, starling.Config{Brain: brain.New(newRig(store))}, add(false))
				time.Sleep(10 * time.Second)
				synctest.Wait()
				require.Empty(t, s2.said())
				require.Empty(t, keys(t, store, "_/run/"))
			})
		})
	}
}

// The store fails while it is to be recorded what was posted, and the bot stops: it waits no longer than for anything else.
func TestStopWhileRefsCannotBeRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		s := play(t, starling.Config{Brain: brain.New(r), Timeout: time.Hour}, func(rt *handler.Router) {
			rt.Hear("x", func(ctx context.Context, r *handler.Request) error {
				if err := r.Reply(ctx, "the answer"); err != nil {
					return err
				}
				<-ctx.Done()
				return ctx.Err()
			})
		})
		s.setFail(func(int, *adapter.Message) error {
			r.setFail(func([]brain.Op) error { return errLost })
			return nil
		})
		require.NoError(t, s.say("alice", "C1", "x"))
		time.Sleep(5 * time.Second)
		begun := time.Now()
		require.NoError(t, s.stop())
		require.Less(t, time.Since(begun), 15*time.Second)
		require.NotContains(t, s.log.String(), "left behind")
	})
}

// The last write of an event has no answer for long: that it landed is no sign of another process.
func TestTheEndIsWrittenWithoutAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		s := play(t, starling.Config{Brain: brain.New(r)}, func(rt *handler.Router) { rt.Hear("x", replies("y")) })
		r.setAfter(func(ops []brain.Op) error {
			if ops[0].Delete && strings.HasPrefix(ops[0].Key, "_/inbox/") {
				r.setFail(func([]brain.Op) error { return errLost })
				return errLost
			}
			return nil
		})
		require.NoError(t, s.say("alice", "C1", "x"))
		time.Sleep(10 * time.Second)
		r.setFail(nil)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"C1> y"}, s.said())
		require.NotContains(t, s.log.String(), "another process")
		require.EqualValues(t, 1, s.bot.Stats().Completed)
	})
}

// Few events that the platform keeps because our store fails are all handled when it works again, if their sender is far below
// the limits: also where the store answers "nothing was written", which costs no time.
func TestOutageDoesNotShed(t *testing.T) {
	for name, failure := range map[string]error{"unknown outcome": errLost, "nothing written": brain.ErrClosed} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { outageDoesNotShed(t, failure) }) })
	}
}

func outageDoesNotShed(t *testing.T, failure error) {
	r := newRig(memory.New())
	var got atomic.Int32
	s := play(t, starling.Config{Brain: brain.New(r)}, func(rt *handler.Router) {
		rt.Hear("^x$", func(context.Context, *handler.Request) error { got.Add(1); return nil })
	})
	r.setFail(func([]brain.Op) error { return failure })
	var kept []*adapter.Event
	for range 25 {
		kept = append(kept, s.message("alice", "C1", "x"))
	}
	for second := 0; len(kept) > 0 && second < 120; second++ {
		if second == 30 {
			r.setFail(nil)
		}
		var still []*adapter.Event
		for _, ev := range kept {
			again := *ev
			if s.offer(&again) != nil {
				still = append(still, ev)
			}
		}
		kept = still
		time.Sleep(time.Second)
	}
	time.Sleep(time.Minute)
	synctest.Wait()
	require.EqualValues(t, 25, got.Load())
}

// A store that panics once: the platform keeps the event, and the conversation goes on.
func TestStorePanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		s := play(t, starling.Config{Brain: brain.New(r)}, func(rt *handler.Router) { rt.Hear("x", replies("y")) })
		var n atomic.Int32
		r.setFail(func([]brain.Op) error {
			if n.Add(1) == 1 {
				panic("a driver with a bug")
			}
			return nil
		})
		ev := s.message("alice", "C1", "x")
		again := *ev
		if err := s.offer(ev); err != nil { // it may have been written when we are asked
			require.NotErrorIs(t, err, adapter.ErrRejected, "acknowledged and dropped, and nothing was written")
		}
		require.NoError(t, s.offer(&again))
		require.NoError(t, s.say("alice", "C1", "x"))
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, []string{"C1> y", "C1> y"}, s.said())
	})
}

// An event that was given up to the sweeper is read back by a conversation that goes through the store: it is run again, not left.
func TestLeftEventIsReadBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		var done atomic.Int32
		s := play(t, starling.Config{Brain: brain.New(r), Limits: starling.Limits{UserRate: -1, RoomRate: -1, Waiting: 2}}, func(rt *handler.Router) {
			rt.Hear("^count$", func(ctx context.Context, q *handler.Request) error {
				if _, err := handler.Change(ctx, q, "a", func(n *int) error { *n++; return nil }); err != nil {
					return err
				}
				if _, err := handler.Change(ctx, q, "b", func(n *int) error { *n++; return nil }); err != nil {
					return err
				}
				done.Add(1)
				return nil
			})
			rt.Hear("^slow$", func(context.Context, *handler.Request) error { time.Sleep(time.Second); return nil }).Ordered = true
		})
		for range 4 { // the bot is busy: two wait
			require.NoError(t, s.say("bob", "C2", "slow"))
		}
		for range 4 {
			require.NoError(t, s.say("bob", "C3", "slow"))
		}
		// first let C1's event run while there is room
		time.Sleep(20 * time.Second)
		r.setFail(func(ops []brain.Op) error { // the store goes away at the second change
			for _, op := range ops {
				if op.Key == "b" {
					return errLost
				}
			}
			return nil
		})
		require.NoError(t, s.say("alice", "C1", "count"))
		time.Sleep(1500 * time.Millisecond) // doubt, a retry, given up
		r.setFail(nil)
		for range 4 {
			require.NoError(t, s.say("bob", "C2", "slow"))
		}
		require.NoError(t, s.say("alice", "C1", "count"))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		left := keys(t, r, "_/inbox/")
		require.Empty(t, left, "stands still until the next start")
		n, err := brain.Get[int](context.Background(), brain.New(r), "b")
		require.NoError(t, err)
		require.Equal(t, 2, n)
	})
}

// A bot with volatile events says that the store fails, and that it works again.
func TestHealthOfAVolatileBot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &listRig{rig: newRig(memory.New())}
		s := play(t, starling.Config{Brain: brain.New(r), Volatile: true}, func(rt *handler.Router) { rt.Hear("x", replies("y")) })
		time.Sleep(time.Second)
		r.bad.Store(true)
		time.Sleep(10 * time.Second)
		require.Equal(t, "failing", s.bot.Health().Store)
		r.bad.Store(false)
		require.NoError(t, s.say("alice", "C1", "x"))
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, "ok", s.bot.Health().Store)
	})
}

type listRig struct {
	*rig
	bad atomic.Bool
}

func (r *listRig) List(ctx context.Context, prefix string) iter.Seq2[brain.Entry, error] {
	if r.bad.Load() {
		return func(yield func(brain.Entry, error) bool) { yield(brain.Entry{}, errLost) }
	}
	return r.rig.List(ctx, prefix)
}

// What was posted is recorded, also if a change of the handler met another one and was given up in between.
func TestRefsAreRecordedAfterAConflict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		r1 := newRig(store)
		hang := make(chan struct{})
		defer close(hang)
		add := func(crash bool) func(rt *handler.Router) {
			return func(rt *handler.Router) {
				rt.Hear("x", func(ctx context.Context, r *handler.Request) error {
					if err := r.Reply(ctx, "the answer"); err != nil {
						return err
					}
					tries := 0
					_, _ = handler.Change(ctx, r, "n", func(n *int) error {
						if tries++; tries == 1 { // somebody else changes it now
							_, err := store.Apply(ctx, brain.Op{Key: "n", Value: []byte("9"), If: brain.Any})
							return err
						}
						return errors.New("it is no longer what it was")
					})
					if crash {
						<-hang
					}
					return nil
				})
			}
		}
		s1 := play(t, starling.Config{Brain: brain.New(r1)}, add(true))
		require.NoError(t, s1.say("alice", "C1", "x"))
		time.Sleep(10 * time.Second) // long enough to record what was posted
		require.Len(t, s1.crash(r1), 1)
		s2 := play(t, starling.Config{Brain: brain.New(newRig(store))}, add(false))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Empty(t, s2.said())
	})
}
