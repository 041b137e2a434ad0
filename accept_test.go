package starling_test

import (
	"context"
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

// An event that was accepted in time, and whose acknowledgement was lost, comes again after MaxAge: nobody is told to repeat it.
func TestRedeliveryIsNotLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		add := func(rt *handler.Router) { rt.Command("deploy", "", replies("deployed")) }
		r1 := newRig(store)
		s1 := play(t, starling.Config{Brain: brain.New(r1)}, add)
		ev := s1.message("alice", "C1", "starling deploy")
		ev.Time = time.Now()
		again := *ev
		require.NoError(t, s1.offer(ev))
		time.Sleep(time.Second)
		require.Equal(t, []string{"C1> deployed"}, s1.crash(r1)) // the acknowledgement got lost
		time.Sleep(11 * time.Minute)                             // the machine was down
		s2 := play(t, starling.Config{Brain: brain.New(newRig(store))}, add)
		require.NoError(t, s2.offer(&again))
		time.Sleep(5 * time.Second)
		synctest.Wait()
		require.Empty(t, s2.said())
	})
}

// A volatile event whose conversation goes through the store: what the sink answered with an error is taken when it comes again.
func TestVolatileBehindIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		open := make(chan struct{})
		var got atomic.Int32
		s := play(t, starling.Config{Brain: brain.New(r), Limits: unlimited()}, func(rt *handler.Router) {
			rt.Hear("^work$", func(context.Context, *handler.Request) error { <-open; return nil }).Ordered = true
			rt.Hear("^quick$", func(context.Context, *handler.Request) error { got.Add(1); return nil }).Volatile = true
		})
		for range 80 {
			require.NoError(t, s.say("alice", "C1", "work"))
		}
		r.setFail(func([]brain.Op) error { return errLost })
		ev := s.message("bob", "C1", "quick")
		again := *ev
		require.Error(t, s.offer(ev))
		r.setFail(nil)
		require.NoError(t, s.offer(&again), "the platform delivers it again, and is told that we have it")
		close(open)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.EqualValues(t, 1, got.Load())
	})
}

// A question of an earlier version is open, and this version asks none: what its user says is heard all the same.
func TestQuestionOfAnEarlierVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type deploy struct {
			Service string `arg:"service"`
		}
		store := memory.New()
		s1 := play(t, starling.Config{Brain: brain.New(store)}, func(rt *handler.Router) {
			rt.Add(handler.Command[deploy]{Name: "deploy", Summary: "Ship.", Run: func(context.Context, *handler.Request, deploy) error { return nil }})
		})
		require.NoError(t, s1.say("alice", "C1", "starling deploy"))
		time.Sleep(time.Second)
		require.Len(t, s1.said(), 1)
		require.NoError(t, s1.stop())
		s2 := play(t, starling.Config{Brain: brain.New(store)}, func(rt *handler.Router) { rt.Hear("badger", replies("mushroom")) })
		s2.next = 100 // another message than the first
		err := s2.say("alice", "C1", "badger")
		time.Sleep(time.Second)
		synctest.Wait()
		require.NoError(t, err)
		require.Equal(t, []string{"C1> mushroom"}, s2.said())
	})
}

// What a handler delivers again is delivered once, also if its process dies in it.
func TestAgainOverACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := twice(t, "starling twice", func(rt *handler.Router, crash func()) {
			rt.Command("count", "", func(ctx context.Context, r *handler.Request) error {
				n, err := handler.Change(ctx, r, "n", func(n *int) error { *n++; return nil })
				if err != nil {
					return err
				}
				return r.Reply(ctx, "%s: %d", r.Delivery, n)
			})
			rt.Command("twice", "", func(ctx context.Context, r *handler.Request) error {
				if err := r.Again(ctx, "count"); err != nil {
					return err
				}
				crash()
				return nil
			})
		})
		require.Equal(t, []string{"C1> stage/m1#again1: 1"}, append(first, second...), "one delivery has changed the state twice")
	})
}

// mute is a stage that cannot edit.
type mute struct{ s *stage }

func (mute) Name() string { return "mute" }

func (mute) Features() adapter.Features { return adapter.Features{Local: true} }

func (m mute) Run(ctx context.Context, sink adapter.Sink) error { return m.s.Run(ctx, sink) }

func (m mute) Send(ctx context.Context, p *adapter.Message) (adapter.Ref, error) {
	return m.s.Send(ctx, p)
}

// A handler that posts another text on its second attempt, on a platform that cannot edit: another text is another message.
func TestPostAgainWithoutEditing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		r1 := newRig(store)
		hang := make(chan struct{})
		defer close(hang)
		add := func(crash bool) func(rt *handler.Router) {
			return func(rt *handler.Router) {
				rt.Hear("x", func(ctx context.Context, r *handler.Request) error {
					if _, err := r.Post(ctx, "attempt %d", r.Attempt); err != nil {
						return err
					}
					if crash {
						<-hang
					}
					return nil
				})
			}
		}
		far := &stage{ready: make(chan struct{}), end: make(chan struct{})}
		play(t, starling.Config{Brain: brain.New(r1), Adapters: []adapter.Adapter{mute{far}}}, add(true))
		ev := (&stage{}).message("alice", "C1", "x")
		<-far.ready
		require.NoError(t, far.sink(context.Background(), ev))
		time.Sleep(time.Second)
		require.Equal(t, []string{"C1> attempt 1"}, far.said())
		close(r1.severed)
		far2 := &stage{ready: make(chan struct{}), end: make(chan struct{})}
		play(t, starling.Config{Brain: brain.New(newRig(store)), Adapters: []adapter.Adapter{mute{far2}}}, add(false))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"C1> attempt 2"}, far2.said())
	})
}

// An event that is still open when its mark ends, and comes again, is not handled twice.
func TestMarkEndsWhileTheEventIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		var runs atomic.Int32
		s := play(t, starling.Config{Brain: brain.New(r), Timeout: 48 * time.Hour}, func(rt *handler.Router) {
			rt.Hear("x", func(ctx context.Context, q *handler.Request) error {
				runs.Add(1)
				if err := q.Reply(ctx, "begin"); err != nil {
					return err
				}
				time.Sleep(30 * time.Hour)
				return nil
			}).Background = true
		})
		ev := s.message("alice", "C1", "x")
		again := *ev
		require.NoError(t, s.offer(ev))
		time.Sleep(25 * time.Hour)
		require.NoError(t, s.offer(&again))
		time.Sleep(40 * time.Hour)
		synctest.Wait()
		require.EqualValues(t, 1, runs.Load())
		require.Empty(t, keys(t, r, "_/inbox/"))
	})
}

// Two replays of one dead letter at once are one run.
func TestReplayTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		_, err := store.Apply(context.Background(), brain.Op{Key: "_/inbox/stage/C3/%/0000000000000003", Value: []byte(`{"v":1,"delivery":"stage/y","routes":["gone"],"event":{"id":"y","kind":"message","adapter":"stage","room":{"id":"C3"},"text":"x"}}`)})
		require.NoError(t, err)
		add := func(id string) func(rt *handler.Router) {
			return func(rt *handler.Router) { rt.Hear("x", replies("y")).ID = id }
		}
		s := play(t, starling.Config{Brain: brain.New(store)}, add("other"))
		time.Sleep(5 * time.Second)
		require.NoError(t, s.stop())
		s = play(t, starling.Config{Brain: brain.New(store)}, add("gone"))
		letters, err := s.bot.DeadLetters(context.Background())
		require.NoError(t, err)
		require.Len(t, letters, 1)
		var good atomic.Int32
		for range 10 {
			go func() {
				if s.bot.Replay(context.Background(), letters[0].ID) == nil {
					good.Add(1)
				}
			}()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		require.EqualValues(t, 1, good.Load())
		require.Equal(t, []string{"C3> y"}, s.said())
	})
}

// A volatile handler delivers two commands again while its line goes through the store: both are run.
func TestAgainTwiceBehindTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var handled atomic.Int32
		open := make(chan struct{})
		s := play(t, starling.Config{Brain: brain.New(memory.New()), Limits: unlimited()}, func(rt *handler.Router) {
			rt.Command("work", "Work.", func(context.Context, *handler.Request) error { handled.Add(1); return nil })
			first := rt.Command("first", "Wait, and work twice.", func(ctx context.Context, r *handler.Request) error {
				<-open
				if err := r.Again(ctx, "work"); err != nil {
					return err
				}
				return r.Again(ctx, "work")
			})
			first.Volatile, first.Ordered = true, true
		})
		require.NoError(t, s.say("alice", "C1", "starling first"))
		for range 80 {
			require.NoError(t, s.say("alice", "C1", "starling work"))
		}
		time.Sleep(time.Second)
		close(open)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.EqualValues(t, 82, handled.Load())
	})
}

// aliased is a stage with another name.
type aliased struct {
	*stage
	name string
}

func (n aliased) Name() string { return n.name }

// A message was on its way to a platform that was out; the operator takes that adapter out of the configuration. The next start
// must put the message aside and go on, and not die in every start.
func TestAdapterOfAPendingReplyIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		r1 := newRig(store)
		far := &stage{ready: make(chan struct{}), end: make(chan struct{})}
		far.fail = func(int, *adapter.Message) error { return adapter.ErrUnavailable }
		add := func(rt *handler.Router) {
			rt.Hear("x", func(ctx context.Context, r *handler.Request) error {
				ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
				defer cancel()
				_, _ = r.Send(ctx, &adapter.Message{To: adapter.Address{Adapter: "far", Room: "F1"}, Text: "hello"})
				return nil
			})
			rt.Command("ping", "", replies("PONG"))
		}
		s1 := play(t, starling.Config{Brain: brain.New(r1), Adapters: []adapter.Adapter{aliased{far, "far"}}}, add)
		require.NoError(t, s1.say("alice", "C1", "x"))
		time.Sleep(time.Second)
		synctest.Wait()
		close(r1.severed)
		s2 := play(t, starling.Config{Brain: brain.New(newRig(store))}, add)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		s2.next = 100 // another message than the first
		require.NoError(t, s2.say("alice", "C1", "starling ping"))
		time.Sleep(time.Second)
		require.Equal(t, []string{"C1> PONG"}, s2.said())
		letters, err := s2.bot.DeadLetters(context.Background())
		require.NoError(t, err)
		require.Len(t, letters, 1)
		require.Contains(t, letters[0].Reason, "the bot has no adapter far")
	})
}
