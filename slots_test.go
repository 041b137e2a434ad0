package starling_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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
	"github.com/starlingbot/starling/middleware"
)

// twice runs an event in a bot that dies where the handlers call crash, then in a second bot on the same store, and gives
// what each posted.
func twice(t *testing.T, text string, add func(rt *handler.Router, crash func())) (first, second []string) {
	t.Helper()
	store := memory.New()
	r1 := newRig(store)
	hang := make(chan struct{})
	var once sync.Once
	var s1 *stage
	s1 = play(t, starling.Config{Brain: brain.New(r1)}, func(rt *handler.Router) {
		add(rt, func() {
			time.Sleep(100 * time.Millisecond) // what was posted is recorded
			once.Do(func() { first = s1.crash(r1) })
			<-hang
		})
	})
	require.NoError(t, s1.say("alice", "C1", text))
	time.Sleep(time.Second)
	synctest.Wait()
	require.NotNil(t, first, "the first bot has not crashed")
	s2 := play(t, starling.Config{Brain: brain.New(newRig(store))}, func(rt *handler.Router) { add(rt, func() {}) })
	time.Sleep(5 * time.Second)
	synctest.Wait()
	close(hang)
	require.Empty(t, keys(t, store, "_/inbox/"))
	require.Empty(t, keys(t, store, "_/run/"))
	return first, s2.said()
}

func TestSlots(t *testing.T) {
	cases := map[string]struct {
		text          string
		add           func(rt *handler.Router, crash func())
		first, second []string
		unordered     bool // several goroutines post in any order
	}{
		"two Hears of which the first failed": {"x", func(rt *handler.Router, crash func()) {
			rt.Hear("x", func(ctx context.Context, r *handler.Request) error { return handler.UserErrorf("no") })
			rt.Hear("x", func(ctx context.Context, r *handler.Request) error {
				if err := r.Reply(ctx, "no"); err != nil { // the same text as the failure of the other
					return err
				}
				crash()
				return r.Reply(ctx, "end")
			})
		}, []string{"C1> no", "C1> no"}, []string{"C1> end"}, false},
		"another answer on the second attempt": {"x", func(rt *handler.Router, crash func()) {
			rt.Hear("x", func(ctx context.Context, r *handler.Request) error {
				if err := r.Reply(ctx, "same"); err != nil {
					return err
				}
				if err := r.Reply(ctx, "attempt %d", r.Attempt); err != nil {
					return err
				}
				crash()
				return nil
			})
		}, []string{"C1> same", "C1> attempt 1"}, []string{"C1> attempt 2"}, false},
		"the same text three times": {"x", func(rt *handler.Router, crash func()) {
			rt.Hear("x", func(ctx context.Context, r *handler.Request) error {
				for i := range 3 {
					if i == 2 {
						crash()
					}
					if err := r.Reply(ctx, "tick"); err != nil {
						return err
					}
				}
				return nil
			})
		}, []string{"C1> tick", "C1> tick"}, []string{"C1> tick"}, false},
		"several goroutines": {"x", func(rt *handler.Router, crash func()) {
			rt.Hear("x", func(ctx context.Context, r *handler.Request) error {
				var wg sync.WaitGroup
				for i := range 8 {
					wg.Go(func() { _ = r.Reply(ctx, "from %d", i) })
				}
				wg.Wait()
				crash()
				return r.Reply(ctx, "end")
			})
		}, []string{"C1> from 0", "C1> from 1", "C1> from 2", "C1> from 3", "C1> from 4", "C1> from 5", "C1> from 6", "C1> from 7"}, []string{"C1> end"}, true},
		"Post and Progress by name": {"x", func(rt *handler.Router, crash func()) {
			rt.Hear("x", func(ctx context.Context, r *handler.Request) error {
				p, err := r.Post(ctx, "post of attempt %d", r.Attempt)
				if err != nil {
					return err
				}
				if err := r.Progress(ctx, "progress of attempt %d", r.Attempt); err != nil {
					return err
				}
				crash()
				return p.Edit(ctx, "done")
			})
		}, []string{"C1> post of attempt 1", "C1> progress of attempt 1 · 0 s"}, []string{"edit 1: post of attempt 2", "edit 2: progress of attempt 2 · 0 s", "edit 1: done", "edit 2: progress of attempt 2 · done · 0 s"}, false},
		"what Recover and the bot say": {"x", func(rt *handler.Router, crash func()) {
			rt.Use(middleware.Recover())
			rt.Hear("x", func(ctx context.Context, r *handler.Request) error { panic("boom") })
			rt.Hear("x", func(ctx context.Context, r *handler.Request) error { crash(); return nil })
		}, []string{"C1> " + sorry}, []string{}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first, second := twice(t, c.text, c.add)
				if c.unordered {
					slices.Sort(first)
				}
				require.Equal(t, c.first, first)
				require.Equal(t, c.second, second)
			})
		})
	}
}

// Who was told "too often" does not see it run when the process dies as it says so.
func TestRefusedOverACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const often = "D1> That is too often. Please try again in 1h."
		store := memory.New()
		r1 := newRig(store)
		add := func(rt *handler.Router) {
			rt.With(middleware.RateLimit(time.Hour, 1)).Hear("x", replies("let through"))
		}
		s1 := play(t, starling.Config{Brain: brain.New(r1)}, add)
		s1.fail = func(_ int, m *adapter.Message) error { // taken by the platform, and the process dies before it is recorded
			if strings.Contains(m.Text, "too often") {
				close(r1.severed)
			}
			return nil
		}
		require.NoError(t, s1.say("alice", "D1", "x"))
		require.NoError(t, s1.say("alice", "D1", "x"))
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, []string{"D1> let through", often}, s1.said())
		s2 := play(t, starling.Config{Brain: brain.New(newRig(store))}, add)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{often}, s2.said())
		require.Empty(t, keys(t, store, "_/run/"))
	})
}

var sorry = "Sorry, that went wrong. My log has it under " + handler.CorrelationID("stage/m1") + "."

// A reply that was attempted and not recorded is sent again: a silent loss is worse than a visible repeat. AtMostOnce turns
// that around.
func TestUnknownSend(t *testing.T) {
	for name, atMostOnce := range map[string]bool{"repeated": false, "at most once": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := memory.New()
				r1 := newRig(store)
				var got error
				add := func(rt *handler.Router) {
					rt.Hear("x", func(ctx context.Context, r *handler.Request) error {
						_, got = r.Send(ctx, &adapter.Message{Text: "hello", AtMostOnce: atMostOnce})
						return nil
					})
				}
				s1 := play(t, starling.Config{Brain: brain.New(r1)}, add)
				s1.fail = func(int, *adapter.Message) error { // taken by the platform, and the process dies before it is recorded
					close(r1.severed)
					return nil
				}
				require.NoError(t, s1.say("alice", "C1", "x"))
				time.Sleep(time.Second)
				synctest.Wait()
				require.Len(t, s1.said(), 1)
				s2 := play(t, starling.Config{Brain: brain.New(newRig(store))}, add)
				time.Sleep(5 * time.Second)
				synctest.Wait()
				if atMostOnce {
					require.ErrorIs(t, got, handler.ErrUnknown)
					require.Empty(t, s2.said())
				} else {
					require.NoError(t, got)
					require.Equal(t, []string{"C1> hello"}, s2.said())
				}
				require.Empty(t, keys(t, store, "_/inbox/"))
			})
		})
	}
}

// Change counts once per delivery, a rerun gets the recorded value, and two changes of one key both count.
func TestChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var values []string
		var calls atomic.Int32
		first, second := twice(t, "x", func(rt *handler.Router, crash func()) {
			rt.Hear("x", func(ctx context.Context, r *handler.Request) error {
				add := func(n *int) error { calls.Add(1); *n += 10; return nil }
				a, err := handler.Change(ctx, r, "n", add)
				if err != nil {
					return err
				}
				b, err := handler.Change(ctx, r, "n", add)
				if err != nil {
					return err
				}
				values = append(values, fmt.Sprint(a, " ", b))
				crash()
				stored, err := brain.Get[int](ctx, r.Brain, "n")
				if err != nil {
					return err
				}
				return r.Reply(ctx, "%d", stored)
			})
		})
		require.Empty(t, first)
		require.Equal(t, []string{"C1> 20"}, second)
		require.Equal(t, []string{"10 20", "10 20"}, values)
		require.EqualValues(t, 2, calls.Load())
	})
}

// Many deliveries that change one key lose no change; an error of the function changes nothing.
func TestChangeUnderContention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		s := play(t, starling.Config{Brain: brain.New(store), Limits: unlimited()}, func(rt *handler.Router) {
			rt.Hear(`^\+$`, func(ctx context.Context, r *handler.Request) error {
				_, err := handler.Change(ctx, r, "n", func(n *int) error { *n++; return nil })
				return err
			})
			rt.Hear(`^no$`, func(ctx context.Context, r *handler.Request) error {
				_, err := handler.Change(ctx, r, "n", func(n *int) error { *n = -1; return handler.UserErrorf("no") })
				return err
			})
		})
		for i := range 500 {
			require.NoError(t, s.say("alice", fmt.Sprintf("C%d", i%50), "+"))
		}
		require.NoError(t, s.say("alice", "C99", "no"))
		time.Sleep(5 * time.Second)
		synctest.Wait()
		n, err := brain.Get[int](context.Background(), brain.New(store), "n")
		require.NoError(t, err)
		require.Equal(t, 500, n)
		require.Equal(t, []string{"C99> no"}, s.said())
	})
}

// Once starts an effect at most once: its result is known again, and where the process died in it the outcome is unknown.
func TestOnce(t *testing.T) {
	t.Run("recorded", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var runs atomic.Int32
			_, second := twice(t, "x", func(rt *handler.Router, crash func()) {
				rt.Hear("x", func(ctx context.Context, r *handler.Request) error {
					id, err := handler.Once(ctx, r, "page", func(context.Context) (string, error) {
						return fmt.Sprintf("page %d", runs.Add(1)), nil
					})
					if err != nil {
						return err
					}
					_, failed := handler.Once(ctx, r, "fails", func(context.Context) (string, error) { runs.Add(1); return "", errors.New("out of paper") })
					crash()
					return r.Reply(ctx, "%s, %s", id, failed.Error())
				})
			})
			require.Equal(t, []string{"C1> page 1, out of paper"}, second)
			require.EqualValues(t, 2, runs.Load())
		})
	})
	t.Run("unknown", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var runs atomic.Int32
			_, second := twice(t, "x", func(rt *handler.Router, crash func()) {
				rt.Hear("x", func(ctx context.Context, r *handler.Request) error {
					_, err := handler.Once(ctx, r, "page", func(context.Context) (string, error) {
						runs.Add(1)
						crash()
						return "", nil
					})
					if errors.Is(err, handler.ErrUnknown) {
						return r.Reply(ctx, "I cannot know whether the page went out")
					}
					return err
				})
			})
			require.Equal(t, []string{"C1> I cannot know whether the page went out"}, second)
			require.EqualValues(t, 1, runs.Load())
		})
	})
}

// A frozen process that comes back after another one took its event has no effect any more.
func TestFence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		frozen := make(chan struct{})
		var late []error
		n := 0
		add := func(rt *handler.Router) {
			rt.Hear("x", func(ctx context.Context, r *handler.Request) error {
				add := func(v *int) error { *v++; return nil }
				if _, err := handler.Change(ctx, r, "a", add); err != nil {
					return err
				}
				if n++; n == 1 {
					<-frozen
					_, err := handler.Change(ctx, r, "b", add)
					late = append(late, err, r.Reply(ctx, "late"))
					return err
				}
				_, err := handler.Change(ctx, r, "b", add)
				return err
			})
		}
		s1 := play(t, starling.Config{Brain: brain.New(store), Timeout: time.Hour}, add)
		require.NoError(t, s1.say("alice", "C1", "x"))
		synctest.Wait()
		s2 := play(t, starling.Config{Brain: brain.New(store)}, add) // as if the first were dead
		time.Sleep(5 * time.Second)
		synctest.Wait()
		close(frozen)
		synctest.Wait()
		require.Len(t, late, 2)
		require.ErrorIs(t, late[0], handler.ErrEnded)
		require.ErrorIs(t, late[1], handler.ErrEnded)
		require.Empty(t, s1.said())
		require.Empty(t, s2.said())
		root := brain.New(store)
		for _, key := range []string{"a", "b"} {
			v, err := brain.Get[int](context.Background(), root, key)
			require.NoError(t, err)
			require.Equal(t, 1, v, key)
		}
		require.Contains(t, s1.log.String(), "another process has taken the event")
	})
}

// The store fails at run time: the sink returns an error, so the platform keeps the event; it recovers by itself.
func TestStoreOutage(t *testing.T) {
	for name, certain := range map[string]bool{"unknown outcome": false, "certain": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(memory.New())
				s := play(t, starling.Config{Brain: brain.New(r)}, func(rt *handler.Router) { rt.Hear("x", replies("y")) })
				down := errors.New("disk full")
				if certain {
					down = brain.ErrClosed
				}
				r.mu.Lock()
				r.fail = func([]brain.Op) error { return down }
				r.mu.Unlock()
				ev := s.message("alice", "C1", "x")
				again := *ev
				require.ErrorIs(t, s.offer(ev), down)
				require.Contains(t, s.log.String(), "the store fails")
				r.mu.Lock()
				r.fail = nil
				r.mu.Unlock()
				require.NoError(t, s.offer(&again))
				time.Sleep(5 * time.Second)
				synctest.Wait()
				require.Equal(t, []string{"C1> y"}, s.said())
				require.Contains(t, s.log.String(), "the store works again")
			})
		})
	}
}

// A write that happened although its answer was lost is found out: nothing is lost or done twice.
func TestLostAnswersOfTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		var n atomic.Int32
		r.after = func([]brain.Op) error {
			if n.Add(1)%2 == 1 {
				return errors.New("connection lost")
			}
			return nil
		}
		s := play(t, starling.Config{Brain: brain.New(r), Limits: unlimited()}, func(rt *handler.Router) {
			rt.Hear("x", func(ctx context.Context, r *handler.Request) error {
				v, err := handler.Change(ctx, r, "n", func(n *int) error { *n++; return nil })
				if err != nil {
					return err
				}
				return r.Reply(ctx, "%d", v)
			})
		})
		for range 20 {
			require.NoError(t, s.say("alice", "C1", "x"))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		var want []string
		for i := range 20 {
			want = append(want, fmt.Sprintf("C1> %d", i+1))
		}
		require.Equal(t, want, s.said())
		require.Empty(t, keys(t, r.Store, "_/inbox/"))
		require.Empty(t, keys(t, r.Store, "_/run/"))
	})
}

// Nothing that waits is begun while the bot drains; the next start handles it. What runs finishes.
func TestDrainLeavesStoredEventsForTheNextStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		add := func(rt *handler.Router) {
			rt.Hear(`\d`, func(ctx context.Context, r *handler.Request) error {
				time.Sleep(time.Second)
				return r.Reply(ctx, "%s", r.Event.Text)
			})
		}
		s1 := play(t, starling.Config{Brain: brain.New(store)}, add)
		for i := range 5 {
			require.NoError(t, s1.say("alice", "C1", fmt.Sprint(i)))
		}
		time.Sleep(1500 * time.Millisecond)
		require.NoError(t, s1.stop())
		require.Equal(t, []string{"C1> 0", "C1> 1"}, s1.said())
		s2 := play(t, starling.Config{Brain: brain.New(store)}, add)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"C1> 2", "C1> 3", "C1> 4"}, s2.said())
	})
}

// A durable handler that does not finish in the drain is run again by the next start, whatever it said is not repeated.
func TestDrainCutsAndTheNextStartRunsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		add := func(d time.Duration) func(rt *handler.Router) {
			return func(rt *handler.Router) {
				rt.Hear("x", func(ctx context.Context, r *handler.Request) error {
					if err := r.Reply(ctx, "begin"); err != nil {
						return err
					}
					select {
					case <-time.After(d):
						return r.Reply(ctx, "end")
					case <-ctx.Done():
						return ctx.Err()
					}
				})
			}
		}
		s1 := play(t, starling.Config{Brain: brain.New(store), DrainTimeout: 5 * time.Second}, add(20*time.Second))
		require.NoError(t, s1.say("alice", "C1", "x"))
		time.Sleep(time.Second)
		require.NoError(t, s1.stop())
		require.Equal(t, []string{"C1> begin"}, s1.said())
		s2 := play(t, starling.Config{Brain: brain.New(store)}, add(0))
		time.Sleep(5 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"C1> end"}, s2.said())
	})
}

// Background, SlowAfter and Ordered hold over a restart: what is begun again takes the same line.
func TestLinesOverRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		add := func(rt *handler.Router) {
			slow := func(ctx context.Context, r *handler.Request) error {
				time.Sleep(10 * time.Second)
				return r.Reply(ctx, "%s done", r.Event.Text)
			}
			rt.Hear("^ordered$", slow).Ordered = true
			rt.Hear("^slow$", slow)
			rt.Hear("^background$", slow).Background = true
			rt.Hear("^ping$", replies("PONG"))
		}
		r1 := newRig(store)
		s1 := play(t, starling.Config{Brain: brain.New(r1), Limits: unlimited()}, add)
		for _, room := range []string{"ordered", "slow", "background"} {
			require.NoError(t, s1.say("alice", room, room))
			require.NoError(t, s1.say("alice", room, "ping"))
		}
		time.Sleep(time.Second)
		require.Equal(t, []string{"background> PONG"}, s1.crash(r1))
		s2 := play(t, starling.Config{Brain: brain.New(newRig(store))}, add)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"slow> PONG"}, s2.said(), "the slow one has left its line, the ordered one has not")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.ElementsMatch(t, []string{"slow> PONG", "slow> slow done", "background> background done", "ordered> ordered done", "ordered> PONG"}, s2.said())
	})
}

// An event that kills its process every time is put aside after Attempts, told, and can be replayed.
func TestPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		var begun atomic.Int32
		var healed atomic.Bool
		hang := make(chan struct{})
		defer close(hang)
		var last *stage
		var all []string
		var bots []*stage // those after the last crash all live, and any of them takes what is replayed
		for range 6 {
			r := newRig(store)
			last = play(t, starling.Config{Brain: brain.New(r)}, func(rt *handler.Router) {
				rt.Hear("poison", func(ctx context.Context, q *handler.Request) error {
					if healed.Load() {
						return q.Reply(ctx, "at last")
					}
					begun.Add(1)
					close(r.severed) // the process dies in it
					<-hang
					return nil
				})
			})
			if begun.Load() == 0 {
				require.NoError(t, last.say("alice", "C1", "poison"))
			}
			time.Sleep(2 * time.Second)
			synctest.Wait()
			all = append(all, last.said()...)
			bots = append(bots, last)
		}
		t.Logf("begun %d times", begun.Load())
		require.LessOrEqual(t, begun.Load(), int32(4))
		require.Equal(t, []string{"C1> " + sorry}, all)
		letters, err := last.bot.DeadLetters(context.Background())
		require.NoError(t, err)
		require.Len(t, letters, 1)
		require.Contains(t, letters[0].Reason, "never ended")
		require.Equal(t, "poison", letters[0].Event.Text)
		healed.Store(true)
		require.NoError(t, last.bot.Replay(context.Background(), letters[0].ID))
		time.Sleep(6 * time.Second)
		synctest.Wait()
		all = nil
		for _, b := range bots {
			all = append(all, b.said()...)
		}
		require.Contains(t, all, "C1> at last")
		letters, err = last.bot.DeadLetters(context.Background())
		require.NoError(t, err)
		require.Empty(t, letters)
		require.ErrorIs(t, last.bot.Replay(context.Background(), "gone"), brain.ErrNotFound)
	})
}

// Send keeps its message over a crash: it is posted by the next process, once.
func TestSendSurvivesACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		r1 := newRig(store)
		add := func(rt *handler.Router) { rt.Command("ping", "", ok) }
		s1 := play(t, starling.Config{Brain: brain.New(r1)}, add)
		s1.fail = func(int, *adapter.Message) error { return adapter.ErrUnavailable }
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		to := adapter.Address{Adapter: "stage", Room: "C1"}
		_, err := s1.bot.Send(ctx, &adapter.Message{To: to, Text: "disk is full", Key: "disk"})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Empty(t, s1.crash(r1))
		s2 := play(t, starling.Config{Brain: brain.New(newRig(store))}, add)
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, []string{"C1> disk is full"}, s2.said())
		refs, err := s2.bot.Send(context.Background(), &adapter.Message{To: to, Text: "disk is full", Key: "disk"})
		require.NoError(t, err)
		require.Len(t, refs, 1)
		require.Len(t, s2.said(), 1)
	})
}
