package mattermost_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/mattermost"
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
			ctx, cancel := context.WithCancel(t.Context())
			over := make(chan error, 1)
			go func() { over <- a.Run(ctx, e.Sink) }()
			require.NoError(t, f.Await(ctx, f.Connected))
			test()
			cancel()
			require.NoError(t, <-over)
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
