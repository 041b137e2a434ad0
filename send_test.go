package starling_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/bolt"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
)

// A message of Bot.Send is posted while the store fails for a second. It must not be posted again at the next clean start.
func TestSendIsNotRepeatedByTheNextStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		s := play(t, starling.Config{Brain: brain.New(r)}, func(rt *handler.Router) { rt.Command("ping", "", ok) })
		s.setFail(func(int, *adapter.Message) error { // the platform takes it, and the store goes away for a second
			r.setFail(func([]brain.Op) error { return errLost })
			return nil
		})
		refs, err := s.bot.Send(context.Background(), c1("the disk is full"))
		require.NoError(t, err)
		require.Len(t, refs, 1)
		time.Sleep(time.Second)
		r.setFail(nil)
		time.Sleep(time.Hour) // the store works again; there is all the time of the world
		synctest.Wait()
		require.NoError(t, s.stop())
		s2 := play(t, starling.Config{Brain: brain.New(newRig(r.Store))}, func(rt *handler.Router) { rt.Command("ping", "", ok) })
		time.Sleep(5 * time.Second)
		synctest.Wait()
		require.Empty(t, s2.said(), "posted again, after a clean stop")
	})
}

// The answer to the write of a message of Bot.Send is lost, the write has landed: the message must be posted by this process.
func TestSendOfUnknownOutcomeIsTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		s := play(t, starling.Config{Brain: brain.New(r)}, func(rt *handler.Router) { rt.Command("ping", "", ok) })
		var n atomic.Int32
		r.setAfter(func(ops []brain.Op) error {
			if strings.HasPrefix(ops[0].Key, "_/out/") && n.Add(1) == 1 {
				return errLost
			}
			return nil
		})
		m := c1("deploy of api failed")
		m.Key = "deploy-7"
		for range 2 { // as a caller does that wants it posted
			refs, err := s.bot.Send(context.Background(), m)
			require.NoError(t, err)
			require.Len(t, refs, 1)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, []string{"C1> deploy of api failed"}, s.said())
	})
}

// The same for what is to be said later: it is not said at all before the next start.
func TestSendLaterOfUnknownOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		s := play(t, starling.Config{Brain: brain.New(r)}, func(rt *handler.Router) {
			rt.Hear("remind", func(ctx context.Context, q *handler.Request) error {
				return q.SendLater(ctx, time.Now().Add(time.Minute), &adapter.Message{Text: "stand-up"})
			})
		})
		var n atomic.Int32
		r.setAfter(func(ops []brain.Op) error {
			if strings.HasPrefix(ops[0].Key, "_/out/") && n.Add(1) == 1 {
				return errLost
			}
			return nil
		})
		require.NoError(t, s.say("alice", "C1", "remind"))
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, []string{"C1> stand-up"}, s.said())
	})
}

// What is due and the outgoing chain does not let pass is tried again for an hour, is a dead letter then, and can be replayed.
func TestSendLaterBlocked(t *testing.T) {
	for name, blocks := range map[string]time.Duration{"for a while": 30 * time.Minute, "for long": 2 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := memory.New()
				open := time.Now().Add(time.Minute + blocks)
				s := play(t, starling.Config{Brain: brain.New(newRig(store))}, func(rt *handler.Router) {
					rt.Outgoing(func(next handler.Send) handler.Send {
						return func(ctx context.Context, m *adapter.Message) ([]adapter.Ref, error) {
							if time.Now().Before(open) {
								return nil, errors.New("quiet hours")
							}
							return next(ctx, m)
						}
					})
					rt.Hear("remind", func(ctx context.Context, q *handler.Request) error {
						return q.SendLater(ctx, time.Now().Add(time.Minute), &adapter.Message{Text: "stand-up"})
					})
				})
				require.NoError(t, s.say("alice", "C1", "remind"))
				time.Sleep(3 * time.Hour)
				synctest.Wait()
				if blocks > time.Hour {
					require.Empty(t, s.said())
					letters, err := s.bot.DeadLetters(context.Background())
					require.NoError(t, err)
					require.Len(t, letters, 1)
					require.Contains(t, letters[0].Reason, "quiet hours")
					require.NoError(t, s.bot.Replay(context.Background(), letters[0].ID))
					time.Sleep(5 * time.Second)
					synctest.Wait()
				}
				require.Equal(t, []string{"C1> stand-up"}, s.said())
				require.Empty(t, keys(t, store, "_/due/"))
				require.Empty(t, keys(t, store, "_/dead/"))
			})
		})
	}
}

// Messages of Bot.Send to one room that wait at a stop are posted in their order by the next start.
func TestSendKeepsOrderOverARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		s := play(t, starling.Config{Brain: brain.New(r)}, func(rt *handler.Router) { rt.Command("ping", "", ok) })
		s.setFail(func(int, *adapter.Message) error { return adapter.ErrUnavailable })
		var want []string
		for i := range 6 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			_, err := s.bot.Send(ctx, c1(fmt.Sprint("line ", i)))
			require.ErrorIs(t, err, context.DeadlineExceeded)
			cancel()
			want = append(want, fmt.Sprint("C1> line ", i))
		}
		require.NoError(t, s.stop())
		s2 := play(t, starling.Config{Brain: brain.New(newRig(r.Store))}, func(rt *handler.Router) { rt.Command("ping", "", ok) })
		time.Sleep(5 * time.Second)
		synctest.Wait()
		require.Equal(t, want, s2.said())
	})
}

// A bot with Volatile events and a brain: what it was to say later, and could not while the platform was out, is said by the next start.
func TestVolatileBotSendLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		add := func(rt *handler.Router) {
			rt.Hear("remind", func(ctx context.Context, q *handler.Request) error {
				return q.SendLater(ctx, time.Now().Add(time.Minute), &adapter.Message{Text: "stand-up"})
			})
		}
		s := play(t, starling.Config{Brain: brain.New(r), Volatile: true}, add)
		require.NoError(t, s.say("alice", "C1", "remind"))
		synctest.Wait()
		s.setFail(func(int, *adapter.Message) error { return adapter.ErrUnavailable })
		time.Sleep(2 * time.Minute)
		require.NoError(t, s.stop())
		s2 := play(t, starling.Config{Brain: brain.New(newRig(r.Store)), Volatile: true}, add)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, []string{"C1> stand-up"}, s2.said())
	})
}

// What is due and may be posted at most once is posted at most once.
func TestSendLaterAtMostOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		s := play(t, starling.Config{Brain: brain.New(r)}, func(rt *handler.Router) {
			rt.Hear("remind", func(ctx context.Context, q *handler.Request) error {
				return q.SendLater(ctx, time.Now().Add(time.Minute), &adapter.Message{Text: "pay the bill", AtMostOnce: true})
			})
		})
		var sends atomic.Int32
		s.setFail(func(int, *adapter.Message) error { sends.Add(1); return errLost }) // an unknown outcome
		works := time.Now().Add(3 * time.Minute)
		r.setFail(func(ops []brain.Op) error { // and nobody can write down that it is over
			if strings.HasPrefix(ops[0].Key, "_/due/") && ops[0].Delete && time.Now().Before(works) {
				return errLost
			}
			return nil
		})
		require.NoError(t, s.say("alice", "C1", "remind"))
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		require.EqualValues(t, 1, sends.Load())
		require.Empty(t, keys(t, r, "_/due/"))
	})
}

// What is due and is refused is asked of the platform once, also when the store does not take that it is over, and is a dead letter
// that can be replayed.
func TestSendLaterRefused(t *testing.T) {
	for name, fails := range map[string]time.Duration{"at once": 0, "and the store fails then": 2 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(memory.New())
				s := play(t, starling.Config{Brain: brain.New(r)}, func(rt *handler.Router) {
					rt.Hear("remind", func(ctx context.Context, q *handler.Request) error {
						return q.SendLater(ctx, time.Now().Add(time.Minute), &adapter.Message{Text: "stand-up"})
					})
				})
				require.NoError(t, s.say("alice", "C1", "remind"))
				time.Sleep(30 * time.Second)
				var sends atomic.Int32
				works := time.Now().Add(fails)
				s.setFail(func(int, *adapter.Message) error { sends.Add(1); return adapter.ErrForbidden })
				r.setFail(func(ops []brain.Op) error {
					for _, op := range ops {
						if strings.HasPrefix(op.Key, "_/due/") && time.Now().Before(works) {
							return errLost
						}
					}
					return nil
				})
				time.Sleep(3 * time.Hour)
				synctest.Wait()
				require.EqualValues(t, 1, sends.Load())
				require.Empty(t, keys(t, r, "_/due/"))
				s.setFail(nil)
				letters, err := s.bot.DeadLetters(context.Background())
				require.NoError(t, err)
				require.Len(t, letters, 1)
				require.Contains(t, letters[0].Reason, "forbidden")
				require.NoError(t, s.bot.Replay(context.Background(), letters[0].ID))
				time.Sleep(5 * time.Second)
				synctest.Wait()
				require.Equal(t, []string{"C1> stand-up"}, s.said())
				require.Empty(t, keys(t, r, "_/dead/"))
			})
		})
	}
}

// What is due and cannot even be rendered, since its adapter is gone, is a dead letter too.
func TestSendLaterWithoutItsAdapter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		s := play(t, starling.Config{Brain: brain.New(store)}, func(rt *handler.Router) {
			rt.Hear("remind", func(ctx context.Context, q *handler.Request) error {
				to := adapter.Address{Adapter: "gone", Room: "C1"}
				return q.SendLater(ctx, time.Now().Add(time.Minute), &adapter.Message{To: to, Text: "stand-up"})
			})
		})
		require.NoError(t, s.say("alice", "C1", "remind"))
		for range 2 {
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			require.Empty(t, keys(t, store, "_/due/"))
			letters, err := s.bot.DeadLetters(context.Background())
			require.NoError(t, err)
			require.Len(t, letters, 1)
			require.Contains(t, letters[0].Reason, `the bot has no adapter "gone"`)
			require.NoError(t, s.bot.Replay(context.Background(), letters[0].ID))
		}
		require.EqualValues(t, 2, s.bot.Stats().Dead)
	})
}

// What is due while a platform is out does not keep the sweeper from what the store holds for others.
func TestSweeperIsNotHeldUpByWhatIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		s := play(t, starling.Config{Brain: brain.New(r), Limits: unlimited()}, func(rt *handler.Router) {
			rt.Hear("^remind", func(ctx context.Context, q *handler.Request) error {
				return q.SendLater(ctx, time.Now().Add(time.Minute), &adapter.Message{Text: "stand-up"})
			})
			rt.Hear("^x$", replies("y"))
		})
		for i := range 100 {
			require.NoError(t, s.say("alice", fmt.Sprint("R", i), "remind"))
		}
		time.Sleep(30 * time.Second)
		s.setFail(func(_ int, m *adapter.Message) error {
			if m.To.Room[0] == 'R' {
				return adapter.ErrUnavailable
			}
			return nil
		})
		time.Sleep(35 * time.Second) // they are due
		ev := s.message("alice", "C1", "x")
		rec := `{"v":1,"delivery":"stage/orphan","by":"other","routes":["hear-x"],"event":{"id":"orphan","kind":"message","adapter":"stage","room":{"id":"C1"},"text":"x"}}`
		_ = ev
		_, err := r.Store.Apply(context.Background(), brain.Op{Key: "_/inbox/stage/C1/%/0000000000000004", Value: []byte(rec)})
		require.NoError(t, err)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		require.Contains(t, s.said(), "C1> y")
	})
}

// What is due on a platform that hangs does not hold up what is due elsewhere.
func TestDueIsNotHeldUpByAHangingPost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, starling.Config{Brain: brain.New(memory.New()), Limits: unlimited()}, func(rt *handler.Router) {
			rt.Hear("^remind", func(ctx context.Context, q *handler.Request) error {
				return q.SendLater(ctx, time.Now().Add(time.Minute), &adapter.Message{Text: "stand-up"})
			})
		})
		s.hang = func(m *adapter.Message) {
			if m.To.Room[0] == 'R' {
				time.Sleep(25 * time.Second)
			}
		}
		for i := range 20 {
			require.NoError(t, s.say("alice", fmt.Sprint("R", i), "remind"))
		}
		time.Sleep(time.Second) // it is due after the others
		require.NoError(t, s.say("alice", "C1", "remind"))
		time.Sleep(70 * time.Second)
		require.Equal(t, []string{"C1> stand-up"}, s.said())
		time.Sleep(20 * time.Second)
		require.Len(t, s.said(), 21)
	})
}

// On the real store: callers of Bot.Send with little patience. Whatever they were told, what is in the store is posted soon.
func TestBoltSendWithLittlePatience(t *testing.T) {
	store, err := bolt.Open(bolt.Config{Path: filepath.Join(t.TempDir(), "bot.db")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	s := play(t, starling.Config{Brain: brain.New(store)}, func(rt *handler.Router) { rt.Command("ping", "", ok) })
	t.Cleanup(func() { _ = s.stop() })
	for i := range 400 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i%40)*50*time.Microsecond)
		m := c1(fmt.Sprint("line ", i))
		m.Key = fmt.Sprint("k", i)
		_, _ = s.bot.Send(ctx, m)
		cancel()
	}
	left := func() (n int) {
		for e, err := range store.List(context.Background(), "_/out/") {
			require.NoError(t, err)
			if strings.Contains(string(e.Value), `"attempted"`) {
				n++
			}
		}
		return n
	}
	require.Eventually(t, func() bool { return left() == 0 }, 30*time.Second, 100*time.Millisecond, "messages are in the store, and nobody posts them before the next start")
}

// Control of TestSweeperIsNotHeldUpByWhatIsDue: with nothing due the orphan is taken in seconds.
func TestControlSweeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		s := play(t, starling.Config{Brain: brain.New(r)}, func(rt *handler.Router) { rt.Hear("^x$", replies("y")) })
		rec := `{"v":1,"delivery":"stage/orphan","by":"other","routes":["hear-x"],"event":{"id":"orphan","kind":"message","adapter":"stage","room":{"id":"C1"},"text":"x"}}`
		_, err := r.Store.Apply(context.Background(), brain.Op{Key: "_/inbox/stage/C1/%/0000000000000004", Value: []byte(rec)})
		require.NoError(t, err)
		time.Sleep(6 * time.Second)
		synctest.Wait()
		require.Contains(t, s.said(), "C1> y")
	})
}

// What was posted is out of the way: the sweeper and the next start read what is on its way alone, and the key still counts.
func TestSentIsOutOfTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		s := play(t, starling.Config{Brain: brain.New(r)}, func(rt *handler.Router) { rt.Command("ping", "", ok) })
		m := c1("deploy of api failed")
		m.Key = "deploy-7"
		first, err := s.bot.Send(context.Background(), m)
		require.NoError(t, err)
		synctest.Wait()
		require.Empty(t, keys(t, r, "_/out/"))
		require.Equal(t, []string{"_/sent/deploy-7"}, keys(t, r, "_/sent/"))
		require.NoError(t, s.stop())
		s = play(t, starling.Config{Brain: brain.New(newRig(r.Store))}, func(rt *handler.Router) { rt.Command("ping", "", ok) })
		again, err := s.bot.Send(context.Background(), m)
		require.NoError(t, err)
		require.Equal(t, first, again)
		require.Empty(t, s.said())
		time.Sleep(25 * time.Hour)
		require.Empty(t, keys(t, r, "_/sent/"))
	})
}
