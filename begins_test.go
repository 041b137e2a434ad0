package starling_test

import (
	"bytes"
	"context"
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

// reporting adds a handler that says something, and then one that is not to begin twice.
func reporting(ran *atomic.Int32) func(rt *handler.Router) {
	return func(rt *handler.Router) {
		rt.Hear("deploy", replies("heard"))
		rt.Respond("deploy", func(ctx context.Context, r *handler.Request) error {
			ran.Add(1)
			return r.Reply(ctx, "deployed")
		}).OnCrash = handler.OnCrashReport
	}
}

// begins tells whether ops record that a handler begins.
func begins(ops []brain.Op) bool {
	return strings.HasPrefix(ops[0].Key, "_/run/") && bytes.Contains(ops[0].Value, []byte(`"begun"`)) && !ops[0].Delete
}

const wasInterrupted = "interrupted, outcome unknown. Look before you repeat it:\nstarling deploy"

// The record that a handler begins, which is not to begin twice, fails in every way: it begins once, when that is known to be
// recorded, and nothing that was said before is said again.
func TestBeginIsRecorded(t *testing.T) {
	const out = 3 * time.Second
	cases := map[string]func(r *rig, started time.Time){
		"no answer, and it is written": func(r *rig, started time.Time) {
			var written atomic.Bool
			r.setFail(func(ops []brain.Op) error {
				if written.Load() && time.Since(started) < out {
					return errLost
				}
				return nil
			})
			r.setAfter(func(ops []brain.Op) error {
				if begins(ops) && time.Since(started) < out {
					written.Store(true)
					return errLost
				}
				return nil
			})
		},
		"no answer, and it is not written": func(r *rig, started time.Time) {
			r.setFail(func(ops []brain.Op) error {
				if time.Since(started) < out {
					return errLost
				}
				return nil
			})
		},
		"refused": func(r *rig, started time.Time) {
			r.setFail(func(ops []brain.Op) error {
				if time.Since(started) < 10*out+500*time.Millisecond { // and who takes it over is faster than who records what was said
					return brain.ErrClosed
				}
				return nil
			})
		},
		"written late": func(r *rig, started time.Time) {
			r.setFail(func(ops []brain.Op) error {
				if !begins(ops) || time.Since(started) >= out {
					return nil
				}
				late := append([]brain.Op(nil), ops...)
				time.AfterFunc(time.Second, func() { _, _ = r.Store.Apply(context.Background(), late...) })
				return errLost
			})
		},
	}
	for name, fails := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ran atomic.Int32
				r := newRig(memory.New())
				s := play(t, starling.Config{Brain: brain.New(r)}, reporting(&ran))
				var once atomic.Bool
				s.setFail(func(int, *adapter.Message) error {
					if once.CompareAndSwap(false, true) { // the reply before: it is posted, and not yet on record
						fails(r, time.Now())
					}
					return nil
				})
				require.NoError(t, s.say("alice", "C1", "starling deploy"))
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				require.EqualValues(t, 1, ran.Load())
				require.Equal(t, []string{"C1> heard", "C1> deployed"}, s.said())
				require.Empty(t, keys(t, r, "_/inbox/"))
				time.Sleep(2 * time.Hour)
				require.Empty(t, keys(t, r, "_/run/"))
			})
		})
	}
}

// The bot stops while nobody knows whether it is recorded that a handler begins: the next process runs it where it is not, and
// says that it was interrupted where it is.
func TestStopWhileABeginIsUnknown(t *testing.T) {
	for name, written := range map[string]bool{"written": true, "not written": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ran atomic.Int32
				store := memory.New()
				r := newRig(store)
				s := play(t, starling.Config{Brain: brain.New(r)}, reporting(&ran))
				lost := func(ops []brain.Op) error {
					if begins(ops) {
						return errLost
					}
					return nil
				}
				r.setFail(lost)
				if written {
					r.setFail(nil)
					r.setAfter(func(ops []brain.Op) error {
						if begins(ops) {
							r.setFail(lost)
						}
						return lost(ops)
					})
				}
				require.NoError(t, s.say("alice", "C1", "starling deploy"))
				time.Sleep(5 * time.Second)
				synctest.Wait()
				require.EqualValues(t, 0, ran.Load(), "it has begun, and nobody knows that it is recorded")
				require.NoError(t, s.stop())
				require.EqualValues(t, 0, ran.Load())
				s2 := play(t, starling.Config{Brain: brain.New(newRig(store))}, reporting(&ran))
				time.Sleep(5 * time.Second)
				synctest.Wait()
				if written {
					require.Equal(t, []string{"C1> @alice: " + wasInterrupted, "Dalice> @alice: " + wasInterrupted}, s2.said())
					require.EqualValues(t, 0, ran.Load())
				} else { // nor is it where "heard" was posted
					require.Equal(t, []string{"C1> heard", "C1> deployed"}, s2.said())
					require.EqualValues(t, 1, ran.Load())
				}
				require.Empty(t, keys(t, store, "_/inbox/"))
				require.Empty(t, keys(t, store, "_/run/"))
			})
		})
	}
}

// Another process takes the event while nobody knows whether it is recorded that its handler begins: it does not begin here.
func TestBeginAfterTheFenceIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran atomic.Int32
		store := memory.New()
		r := newRig(store)
		s := play(t, starling.Config{Brain: brain.New(r)}, reporting(&ran))
		r.setFail(func(ops []brain.Op) error {
			if begins(ops) {
				return errLost
			}
			return nil
		})
		require.NoError(t, s.say("alice", "C1", "starling deploy"))
		time.Sleep(time.Second)
		synctest.Wait()
		var other atomic.Int32
		s2 := play(t, starling.Config{Brain: brain.New(newRig(store))}, reporting(&other))
		time.Sleep(5 * time.Second)
		require.EqualValues(t, 1, other.Load())
		r.setFail(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.EqualValues(t, 0, ran.Load())
		require.Equal(t, []string{"C1> heard"}, s.said())
		require.Contains(t, s.log.String(), "another process has taken the event")
		require.NotContains(t, s.log.String(), "the store failed")
		require.Equal(t, []string{"C1> heard", "C1> deployed"}, s2.said())
		require.Empty(t, keys(t, store, "_/inbox/"))
	})
}

// A platform that does not open a direct room does not hold the conversation up while who asked is to be told of an interruption.
func TestInterruptedWithoutADirectRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		s := play(t, starling.Config{Brain: brain.New(r)}, func(rt *handler.Router) {
			rt.Hear("^x$", replies("y"))
			deploy := rt.Respond("deploy", func(ctx context.Context, q *handler.Request) error {
				time.Sleep(time.Second)
				r.setFail(func([]brain.Op) error { return errLost })
				time.AfterFunc(time.Second, func() { r.setFail(nil) })
				return q.Reply(ctx, "deployed")
			})
			deploy.OnCrash, deploy.Ordered = handler.OnCrashReport, true
		})
		s.open = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		require.NoError(t, s.say("alice", "C1", "starling deploy"))
		require.NoError(t, s.say("alice", "C1", "x"))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"C1> @alice: " + wasInterrupted, "C1> y"}, s.said())
		require.Empty(t, keys(t, r, "_/inbox/"))
	})
}
