package lanes

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
)

// event is one of a lane; its id is both.
type event struct {
	lane string
	n    int
}

func (e event) id() string { return fmt.Sprint(e.lane, e.n) }

var errBusy = errors.New("busy")

// world is what the lanes of a test are between.
type world struct {
	*Lanes[string, event]
	cancel context.CancelFunc

	mu       sync.Mutex
	handed   []string
	settled  []string
	refused  []string
	answers  map[string]error         // by id: what the sink says; nil
	held     map[string]chan struct{} // by id: the sink waits
	admit    func(e event, full bool) bool
	together int // calls of the sink at a time, now and at most
	most     int
}

func newWorld(t *testing.T) *world {
	ctx, cancel := context.WithCancel(t.Context())
	w := &world{cancel: cancel, answers: map[string]error{}, held: map[string]chan struct{}{}}
	w.Lanes = New(ctx, Rules[string, event]{
		Waiting: 10, Lane: 4, Busy: errBusy,
		Key:   func(e event) (string, string) { return e.id(), e.lane },
		Admit: func(e event, full bool) bool { return w.admit == nil || w.admit(e, full) },
		Refused: func(e event, ended bool) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.refused = append(w.refused, fmt.Sprint(e.id(), " ", ended))
		},
		Hand: func(e event) error {
			w.mu.Lock()
			w.handed = append(w.handed, e.id())
			w.together++
			w.most = max(w.most, w.together)
			hold, answer := w.held[e.id()], w.answers[e.id()]
			w.mu.Unlock()
			if hold != nil {
				<-hold
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			w.together--
			return answer
		},
		Settled: func(e event, safe bool, err error) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.settled = append(w.settled, fmt.Sprint(e.id(), " ", safe, " ", err))
			if safe {
				return nil
			}
			return fmt.Errorf("told: %w", err)
		},
	})
	return w
}

// hold makes the sink wait with an event until what it gives is called.
func (w *world) hold(e event) (release func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := make(chan struct{})
	w.held[e.id()] = c
	return sync.OnceFunc(func() { close(c) })
}

func (w *world) list(from *[]string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string{}, *from...)
}

// offer gives what is told, once it is.
func (w *world) offer(e event) chan error {
	told := make(chan error, 2)
	w.Offer(e, func(err error) { told <- err })
	return told
}

// TestLanesOrder: one lane is in order, others go on beside it.
func TestLanesOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		release := w.hold(event{"a", 1})
		for n := 1; n <= 3; n++ {
			w.offer(event{"a", n})
		}
		synctest.Wait()
		require.Equal(t, []string{"a1"}, w.list(&w.handed), "the lane waits for its first")
		require.NoError(t, <-w.offer(event{"b", 1}), "another lane does not")
		require.False(t, w.Idle("a"))
		require.Equal(t, 3, w.Len())
		release()
		synctest.Wait()
		require.Equal(t, []string{"a1", "b1", "a2", "a3"}, w.list(&w.handed))
		require.Equal(t, []string{"b1 true <nil>", "a1 true <nil>", "a2 true <nil>", "a3 true <nil>"}, w.list(&w.settled))
		require.Equal(t, 2, w.most)
		require.True(t, w.Idle("a"))
		require.Zero(t, w.Len())
		w.cancel()
		w.Wait()
	})
}

// TestLanesRepetition: what comes again while it is on its way, or soon after it was taken, is not handed over again; what was
// not taken is.
func TestLanesRepetition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		e := event{"a", 1}
		release := w.hold(e)
		w.answers["a1"] = errors.New("no")
		var told []chan error
		for range maxAlike {
			told = append(told, w.offer(e))
		}
		require.ErrorIs(t, <-w.offer(e), errBusy, "so many are not remembered")
		require.Empty(t, w.list(&w.refused), "it is on its way")
		require.True(t, w.Had("a1"), "it is on its way")
		release()
		for _, c := range told {
			require.EqualError(t, <-c, "told: no")
		}
		require.False(t, w.Had("a1"), "it was not taken")

		w.answers["a1"] = nil
		require.NoError(t, <-w.offer(e))
		require.Equal(t, []string{"a1", "a1"}, w.list(&w.handed), "it comes again because it was not taken")
		w.Offer(e, nil)
		require.NoError(t, <-w.offer(e))
		time.Sleep(keepTaken)
		require.NoError(t, <-w.offer(e))
		synctest.Wait()
		require.Len(t, w.list(&w.handed), 2, "it was taken")
		require.True(t, w.Had("a1"))
		time.Sleep(2*keepTaken + time.Second)
		w.offer(event{"b", 1})
		synctest.Wait()
		time.Sleep(keepTaken + time.Second)
		require.False(t, w.Had("a1"), "it is forgotten in the end")

		w.answers["c1"] = fmt.Errorf("%w: too large", adapter.ErrRejected)
		require.NoError(t, <-w.offer(event{"c", 1}), "what can never be taken is done with")
		require.True(t, w.Had("c1"))
		w.cancel()
		w.Wait()
	})
}

// TestLanesBounds: what is over a bound is refused, and does not grow anything.
func TestLanesBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		release := w.hold(event{"a", 0})
		defer release()
		for n := range 5 { // one with the sink, four that wait
			w.offer(event{"a", n})
			synctest.Wait()
		}
		require.ErrorIs(t, <-w.offer(event{"a", 5}), errBusy, "the lane is full")
		require.Equal(t, []string{"a5 false"}, w.list(&w.refused))
		require.False(t, w.Had("a5"))
		for n := range 5 {
			key := event{fmt.Sprint("other", n), 0}
			defer w.hold(key)()
			w.offer(key)
		}
		synctest.Wait()
		require.ErrorIs(t, <-w.offer(event{"b", 1}), errBusy, "ten are on their way")
		require.Equal(t, 10, w.Len())
		require.Equal(t, []string{"a5 false", "b1 false"}, w.list(&w.refused))
	})
}

// TestLanesAdmit: a platform refuses what it wants to, is asked in order and once for each event, and cannot go over a bound.
func TestLanesAdmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var asked []string
		w.admit = func(e event, full bool) bool {
			asked = append(asked, fmt.Sprint(e.id(), " ", full))
			return e.n != 1
		}
		release := w.hold(event{"a", 0})
		w.offer(event{"a", 0})
		w.offer(event{"a", 0})
		synctest.Wait()
		require.ErrorIs(t, <-w.offer(event{"a", 1}), errBusy)
		for n := 2; n <= 5; n++ {
			w.offer(event{"a", n})
		}
		require.ErrorIs(t, <-w.offer(event{"a", 6}), errBusy, "there is no room, whatever Admit says")
		require.Equal(t, []string{"a0 false", "a1 false", "a2 false", "a3 false", "a4 false", "a5 false", "a6 true"}, asked)
		require.Equal(t, []string{"a1 false", "a6 false"}, w.list(&w.refused))
		release()
		synctest.Wait()
		require.Equal(t, []string{"a0", "a2", "a3", "a4", "a5"}, w.list(&w.handed))
		w.cancel()
		w.Wait()
	})
}

// TestLanesEnd: when the context ends what waits is not handed over and was not taken, and Wait waits for all.
func TestLanesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		release := w.hold(event{"a", 1})
		first, second := w.offer(event{"a", 1}), w.offer(event{"a", 2})
		synctest.Wait()
		beside := make(chan struct{})
		w.Go(func() { <-beside })
		letGo, ok := w.Hold()
		require.True(t, ok)
		w.cancel()
		over := make(chan struct{})
		go func() { w.Wait(); close(over) }()
		synctest.Wait()
		require.ErrorIs(t, <-w.offer(event{"b", 1}), errBusy)
		require.Equal(t, []string{"b1 true"}, w.list(&w.refused), "it is over")
		_, ok = w.Hold()
		require.False(t, ok)
		for _, end := range []func(){release, func() { close(beside) }, letGo} {
			synctest.Wait()
			select {
			case <-over:
				t.Fatal("Wait waits for all of them")
			default:
			}
			end()
		}
		<-over
		require.NoError(t, <-first)
		require.ErrorIs(t, <-second, context.Canceled)
		require.Equal(t, []string{"a1"}, w.list(&w.handed))
		require.Equal(t, []string{"a1 true <nil>", "a2 false context canceled"}, w.list(&w.settled))
	})
}

// TestLanesHear: whoever waits hears what becomes of an event, or goes; the event goes on.
func TestLanesHear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.answers["a2"] = errors.New("no")
		require.NoError(t, w.Hear(t.Context(), event{"a", 1}))
		require.EqualError(t, w.Hear(t.Context(), event{"a", 2}), "told: no")
		release := w.hold(event{"a", 3})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, w.Hear(ctx, event{"a", 3}), context.DeadlineExceeded)
		require.True(t, w.Had("a3"))
		release()
		synctest.Wait()
		require.Contains(t, w.list(&w.settled), "a3 true <nil>")
		w.cancel()
		w.Wait()
	})
}

// TestRecent: ids are known for the whole time at least, and there are never more than the bound.
func TestRecent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecent(1000, time.Minute)
		for i := range 10_000 {
			r.add(fmt.Sprint(i), time.Now())
			require.LessOrEqual(t, len(r.now)+len(r.old), 1000)
			require.True(t, r.has(fmt.Sprint(max(i-499, 0)), time.Now()), "half of the bound is always known")
		}
		require.False(t, r.has("1", time.Now()))
		r.add("x", time.Now())
		time.Sleep(time.Minute)
		require.True(t, r.has("x", time.Now()))
		time.Sleep(time.Second)
		require.True(t, r.has("x", time.Now()), "it is in the older half")
		time.Sleep(time.Minute + time.Second)
		require.False(t, r.has("x", time.Now()))
	})
}
