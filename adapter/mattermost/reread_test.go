package mattermost_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/mattermost"
	"github.com/starlingbot/starling/internal/adapterstage"
	fake "github.com/starlingbot/starling/internal/mattermostfake"
)

// edits gives the texts of the edits that an ear heard.
func edits(e *ear) (texts []string) {
	for _, ev := range e.Heard() {
		if ev.Kind == adapter.KindEdit {
			texts = append(texts, ev.Text)
		}
	}
	return texts
}

// TestEditAgain: an edit of a history that finds its lane full is read again, and it is no gap.
func TestEditAgain(t *testing.T) {
	const lane = 1_024 // events that wait in one conversation
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		e := newEar()
		a := start(t, f, configFor(f), e.Sink)
		id, err := f.Say(alice, ops, "old")
		require.NoError(t, err)
		wait(time.Minute)
		free := make(chan struct{})
		release := sync.OnceFunc(func() { close(free) })
		defer release()
		e.Set(func(context.Context, *adapter.Event) error { <-free; return nil })
		for i := range lane + 1 { // one is with the sink
			require.NoError(t, f.React(bob, id, "+1", i%2 == 0))
			synctest.Wait()
		}
		require.Zero(t, a.Status().Busy)
		wait(time.Minute)
		f.SetDown(true)
		f.Cut()
		require.NoError(t, f.Edit(id, "changed"))
		wait(time.Second)
		_, err = f.SayIn(bob, ops, id, "a reply") // a room where nothing was said is not read
		require.NoError(t, err)
		f.Restart()
		f.SetDown(false)
		require.NoError(t, f.Await(t.Context(), f.Connected))
		wait(10 * time.Second)
		require.Equal(t, 1, a.Status().Busy, "the edit found the lane full")
		release()
		wait(time.Minute)
		require.Equal(t, []string{"changed"}, edits(e))
		for _, gap := range a.Status().Gaps {
			require.NotContains(t, gap.What, "too many events")
		}
	})
}

// TestEditNextRun: an edit of a history that the sink does not take before Run ends is read again by the next Run.
func TestEditNextRun(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		cfg := configFor(f)
		cfg.Positions = &shelf{}
		a, err := mattermost.New(cfg)
		require.NoError(t, err)
		e := newEar()
		var taken atomic.Int32
		away := true
		e.Set(func(_ context.Context, ev *adapter.Event) error {
			if ev.Kind != adapter.KindEdit {
				return nil
			}
			if away {
				return errors.New("the store is away")
			}
			taken.Add(1)
			return nil
		})
		run := func(test func()) {
			stop := adapterstage.Start(t, f, a, e.Sink, true)
			test()
			stop()
		}
		id := ""
		run(func() {
			wait(time.Minute)
			id, err = f.Say(alice, ops, "old")
			require.NoError(t, err)
			wait(time.Second)
		})
		require.NoError(t, f.Edit(id, "changed"))
		run(func() { wait(10 * time.Second) })
		require.NotEmpty(t, edits(e), "it was offered")
		away = false
		run(func() { wait(time.Minute) })
		require.EqualValues(t, 1, taken.Load())
		require.NoError(t, a.Close())
	})
}

// TestChangeInFlight: an edit or a deletion that the sink has not taken when the process stops, or dies a while after it came, is not
// lost, though nothing else is said in its room: neither for the next process, or the one after that if it dies before it has read
// the room, nor for the next Run of this one.
func TestChangeInFlight(t *testing.T) {
	t.Parallel()
	for _, kind := range []adapter.Kind{adapter.KindEdit, adapter.KindDelete} {
		for _, end := range []string{"stops", "dies", "dies twice", "runs again"} {
			t.Run(fmt.Sprint(kind, ", the process ", end), func(t *testing.T) {
				bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
					kept := &shelf{}
					dead := func() *shelf { // what a process leaves that dies now
						left := &shelf{}
						for key, value := range kept.Stored() {
							require.NoError(t, left.Set(t.Context(), key, value))
						}
						return left
					}
					cfg := configFor(f)
					cfg.Positions = kept
					a, err := mattermost.New(cfg)
					require.NoError(t, err)
					e := newEar()
					away, taken := true, 0
					e.Set(func(ctx context.Context, ev *adapter.Event) error {
						if ev.Kind == kind && away {
							<-ctx.Done()
							return ctx.Err()
						}
						if ev.Kind == kind {
							taken++
						}
						return nil
					})
					stop := adapterstage.Start(t, f, a, e.Sink, true)
					wait(time.Minute)
					id, err := f.Say(alice, ops, "old")
					require.NoError(t, err)
					wait(time.Hour)
					newer, err := f.Say(alice, ops, "newer")
					require.NoError(t, err)
					wait(time.Minute)
					if kind == adapter.KindEdit {
						require.NoError(t, f.Edit(id, "changed"))
					} else {
						require.NoError(t, f.Delete(id))
					}
					wait(20 * time.Second)
					_, err = f.SayIn(bob, ops, newer, "taken meanwhile, in another conversation")
					require.NoError(t, err)
					wait(time.Minute)
					post, _ := f.Get(newer)
					require.GreaterOrEqual(t, kept.Stored()["position/"+ops][:13], fmt.Sprint(post.CreateAt), "an hour is not read again")
					died := dead()
					stop()
					require.Zero(t, taken)
					if end != "runs again" {
						require.NoError(t, a.Close())
						if end != "stops" {
							kept = died
						}
						cfg.Positions = kept
						a, err = mattermost.New(cfg)
						require.NoError(t, err)
					}
					if end == "dies twice" {
						f.Fail(fake.Fault{Route: "GET /channels/{}/posts", Kind: fake.FaultHang})
						stop = adapterstage.Start(t, f, a, e.Sink, true)
						wait(10 * time.Second)
						died = dead()
						stop()
						require.NoError(t, a.Close())
						kept = died
						cfg.Positions = kept
						a, err = mattermost.New(cfg)
						require.NoError(t, err)
					}
					away = false
					for range 2 { // and once is enough
						stop = adapterstage.Start(t, f, a, e.Sink, true)
						wait(time.Minute)
						stop()
						require.Equal(t, 1, taken)
					}
					require.NoError(t, a.Close())
				})
			})
		}
	}
}

// TestEditOverBounds: an edit that finds too many waiting is read again from the history, and is no gap.
func TestEditOverBounds(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		e := newEar()
		a := start(t, f, configFor(f), e.Sink)
		id, err := f.Say(alice, ops, "old")
		require.NoError(t, err)
		wait(time.Minute)
		free := make(chan struct{})
		e.Set(func(context.Context, *adapter.Event) error { <-free; return nil })
		for i := range 1_025 { // one is with the sink
			require.NoError(t, f.React(bob, id, "+1", i%2 == 0))
			synctest.Wait()
		}
		require.NoError(t, f.Edit(id, "changed"))
		synctest.Wait()
		require.Equal(t, 1, a.Status().Busy)
		close(free)
		wait(time.Minute)
		require.Equal(t, []string{"changed"}, edits(e))
		require.Empty(t, a.Status().Gaps)
	})
}
