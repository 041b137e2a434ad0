package starling_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
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
)

// rig is a store that counts, fails on demand, and can be cut off as if its process had died.
type rig struct {
	brain.Store
	mu      sync.Mutex
	calls   []string                   // what each Apply wrote
	fail    func(ops []brain.Op) error // before the write
	after   func(ops []brain.Op) error // after it: the write has happened
	severed chan struct{}
}

func newRig(s brain.Store) *rig { return &rig{Store: s, severed: make(chan struct{})} }

var (
	errSevered = errors.New("the process is dead")
	errLost    = errors.New("connection lost")
)

func (r *rig) dead() bool {
	select {
	case <-r.severed:
		return true
	default:
		return false
	}
}

func (r *rig) Get(ctx context.Context, key string) (brain.Entry, error) {
	if r.dead() {
		return brain.Entry{}, errSevered
	}
	return r.Store.Get(ctx, key)
}

func (r *rig) List(ctx context.Context, prefix string) iter.Seq2[brain.Entry, error] {
	if r.dead() {
		return func(yield func(brain.Entry, error) bool) { yield(brain.Entry{}, errSevered) }
	}
	return r.Store.List(ctx, prefix)
}

func (r *rig) Apply(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
	if r.dead() {
		return nil, errSevered
	}
	r.mu.Lock()
	var keys []string
	for _, op := range ops {
		key := op.Key
		if op.Delete {
			key = "-" + key
		}
		keys = append(keys, key)
	}
	r.calls = append(r.calls, strings.Join(keys, " "))
	fail, after := r.fail, r.after
	r.mu.Unlock()
	if fail != nil {
		if err := fail(ops); err != nil {
			return nil, err
		}
	}
	revs, err := r.Store.Apply(ctx, ops...)
	if err == nil && after != nil {
		if err := after(ops); err != nil {
			return nil, err
		}
	}
	return revs, err
}

func (r *rig) setFail(f func(ops []brain.Op) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = f
}

func (r *rig) setAfter(f func(ops []brain.Op) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.after = f
}

func (r *rig) applied() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.calls...)
}

func keys(t *testing.T, s brain.Store, prefix string) []string {
	t.Helper()
	out := []string{}
	for e, err := range s.List(context.Background(), prefix) {
		require.NoError(t, err)
		out = append(out, e.Key)
	}
	return out
}

// crash cuts the bot off from store and platform at once, as SIGKILL would, and returns what it had posted.
func (s *stage) crash(r *rig) []string {
	close(r.severed)
	s.mu.Lock()
	s.fail = func(int, *adapter.Message) error { return errSevered }
	s.mu.Unlock()
	return s.said()
}

// An event with one reply costs three Apply calls: inbox, attempt, completion. What nothing matches costs none.
func TestApplyCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		s := play(t, starling.Config{Brain: brain.New(r)}, func(rt *handler.Router) {
			rt.Command("ping", "", replies("PONG"))
			rt.Command("quick", "", replies("volatile")).Volatile = true
		})
		require.NoError(t, s.say("alice", "C1", "chatter"))
		require.NoError(t, s.say("alice", "C1", "starling quick"))
		synctest.Wait()
		require.Empty(t, r.applied())
		require.NoError(t, s.say("alice", "C1", "starling ping"))
		time.Sleep(time.Second)
		synctest.Wait()
		calls := r.applied()
		require.Len(t, calls, 3, strings.Join(calls, "\n"))
		require.Contains(t, calls[0], "_/inbox/stage/C1/")
		require.Contains(t, calls[0], "_/seen/stage/m3")
		require.Contains(t, calls[1], "_/run/")
		require.Contains(t, calls[2], "-_/inbox/")
		require.Contains(t, calls[2], "-_/run/")
		require.Equal(t, []string{"_/seen/stage/m3"}, keys(t, r, "_/"))
	})
}

// What is accepted and not handled when the process dies is handled by the next one, in order, and what was said is not
// said again.
func TestCrashAndRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		block := make(chan struct{})
		add := func(wait bool) func(rt *handler.Router) {
			return func(rt *handler.Router) {
				rt.Hear(`^\d+$`, func(ctx context.Context, r *handler.Request) error {
					if err := r.Reply(ctx, "begin %s", r.Event.Text); err != nil {
						return err
					}
					n, err := handler.Change(ctx, r, "count", func(n *int) error { *n++; return nil })
					if err != nil {
						return err
					}
					if wait {
						<-block
					}
					return r.Reply(ctx, "end %s (%d)", r.Event.Text, n)
				}).Ordered = true
			}
		}
		r1 := newRig(store)
		s1 := play(t, starling.Config{Brain: brain.New(r1)}, add(true))
		for _, text := range []string{"1", "2", "3"} {
			require.NoError(t, s1.say("alice", "C1", text))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, []string{"C1> begin 1"}, s1.crash(r1))
		close(block)
		s2 := play(t, starling.Config{Brain: brain.New(newRig(store))}, add(false))
		time.Sleep(3 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"C1> end 1 (1)", "C1> begin 2", "C1> end 2 (2)", "C1> begin 3", "C1> end 3 (3)"}, s2.said())
		require.Empty(t, keys(t, store, "_/inbox/"))
		require.Empty(t, keys(t, store, "_/run/"))
		ev := s1.message("alice", "C1", "1")
		ev.ID = "m1"
		require.NoError(t, s2.offer(ev), "the platform delivers again what was acknowledged late")
		synctest.Wait()
		require.Len(t, s2.said(), 5)
		require.Contains(t, strings.Join(s1.said(), "\n"), "begin 1")
	})
}

// More events than fit into memory wait in the store and keep their order, over a restart too.
func TestBacklogKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		gate := make(chan struct{})
		var mu sync.Mutex
		var got []string
		add := func(rt *handler.Router) {
			rt.Hear(`^\d+$`, func(ctx context.Context, r *handler.Request) error {
				<-gate
				mu.Lock()
				defer mu.Unlock()
				got = append(got, r.Event.Text)
				return nil
			}).Ordered = true
		}
		r1 := newRig(store)
		s := play(t, starling.Config{Brain: brain.New(r1), Limits: unlimited()}, add)
		var want []string
		for i := range 1000 {
			text := string(rune('0'+i/1000)) + string(rune('0'+i/100%10)) + string(rune('0'+i/10%10)) + string(rune('0'+i%10))
			want = append(want, text)
			require.NoError(t, s.say("alice", "C1", text))
			if i == 500 {
				close(gate)
			}
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, want, got)
		require.Empty(t, keys(t, store, "_/inbox/"))
		require.LessOrEqual(t, s.bot.Stats().Waiting, 0)
	})
}

// A record that cannot be read is put aside with its key and the rest goes on.
func TestForeignRecordsArePutAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		put := func(key, value string) {
			_, err := store.Apply(context.Background(), brain.Op{Key: key, Value: []byte(value)})
			require.NoError(t, err)
		}
		put("_/inbox/stage/C1/%/0000000000000001", `{"v":1,"delivery":"stage/x","event":{"id":"x","kind":"mess`)
		put("_/inbox/stage/C2/%/0000000000000002", `{"v":99}`)
		put("_/inbox/stage/C3/%/0000000000000003", `{"v":1,"delivery":"stage/y","routes":["gone"],"event":{"id":"y","kind":"message","adapter":"stage","room":{"id":"C3"},"text":"x"}}`)
		put("_/inbox/stage/C4/%/0000000000000004", `{"v":1,"delivery":"stage/z","routes":["hear-x"],"event":{"id":"z","kind":"message","adapter":"stage","room":{"id":"C4"},"text":"x"}}`)
		put("_/run/stage%2Fz", `{"v":1,"slots":`)
		put("_/out/k", `nonsense`)
		s := play(t, starling.Config{Brain: brain.New(store)}, func(rt *handler.Router) { rt.Hear("x", replies("y")) })
		require.NoError(t, s.say("alice", "C1", "x"))
		time.Sleep(5 * time.Second)
		synctest.Wait()
		require.Contains(t, s.said(), "C1> y")
		letters, err := s.bot.DeadLetters(context.Background())
		require.NoError(t, err)
		reasons := map[string]string{}
		for _, l := range letters {
			reasons[l.Key] = l.Reason
		}
		t.Log(reasons)
		require.Len(t, letters, 5)
		require.Contains(t, reasons["_/inbox/stage/C1/%/0000000000000001"], "cannot be read")
		require.Contains(t, reasons["_/inbox/stage/C2/%/0000000000000002"], "version 99")
		require.Contains(t, reasons["_/inbox/stage/C3/%/0000000000000003"], "gone")
		require.Contains(t, reasons["_/out/k"], "cannot be read")
		require.Empty(t, keys(t, store, "_/inbox/"))
	})
}

// A record that cannot be read, while the store takes no writes: it is put aside once, and counted once.
func TestAsideIsCountedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(memory.New())
		s := play(t, starling.Config{Brain: brain.New(r)}, func(rt *handler.Router) { rt.Hear("x", replies("y")) })
		r.setFail(func([]brain.Op) error { return errLost })
		for key, value := range map[string]string{
			"_/inbox/stage/C1/%/0000000000000001": "nonsense",
			"_/inbox/stage/C2/%/0000000000000002": `{"v":1,"delivery":"stage/z","routes":["hear-x"],"event":{"id":"z","kind":"message","adapter":"stage","room":{"id":"C2"},"text":"x"}}`,
			"_/run/stage%2Fz":                     "nonsense",
		} {
			_, err := r.Store.Apply(context.Background(), brain.Op{Key: key, Value: []byte(value)})
			require.NoError(t, err)
		}
		time.Sleep(20 * time.Second)
		r.setFail(nil)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Len(t, keys(t, r, "_/dead/"), 2)
		require.EqualValues(t, 2, s.bot.Stats().Dead)
	})
}

// An event that runs beside its line is not read back from the store and run a second time.
func TestRefillLeavesWhatRunsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int64
		s := play(t, starling.Config{Brain: brain.New(memory.New()), Limits: starling.Limits{UserRate: -1, RoomRate: -1, Waiting: 2}}, func(rt *handler.Router) {
			rt.Hear(`^bg$`, func(ctx context.Context, r *handler.Request) error {
				runs.Add(1)
				time.Sleep(10 * time.Second)
				return nil
			}).Background = true
			rt.Hear(`^slow`, func(ctx context.Context, r *handler.Request) error { time.Sleep(time.Second); return nil })
			rt.Hear(`^n\d+$`, func(ctx context.Context, r *handler.Request) error { time.Sleep(5 * time.Millisecond); return nil })
		})
		require.NoError(t, s.say("alice", "C1", "bg"))
		time.Sleep(time.Second)
		for i := range 4 {
			require.NoError(t, s.say("alice", "C2", fmt.Sprintf("slow%d", i)))
		}
		for i := range 3 {
			require.NoError(t, s.say("alice", "C1", fmt.Sprintf("n%d", i)))
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		require.EqualValues(t, 1, runs.Load())
	})
}
