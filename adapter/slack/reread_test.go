package slack_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/slack"
	"github.com/starlingbot/starling/internal/slackfake"
)

// TestNotTakenAnywhere: what the bot did not take while Slack tried is read again: in a room that was never heard before, in a
// thread that was never heard before and whose root is old, and both after a restart too.
func TestNotTakenAnywhere(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprint("restart ", restart), func(t *testing.T) {
			bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
				kept := &shelf{}
				e := new(ear)
				var away atomic.Bool
				var mu sync.Mutex
				taken := map[string]int{}
				e.Set(func(_ context.Context, ev *adapter.Event) error {
					if away.Load() {
						return errors.New("the store is away")
					}
					mu.Lock()
					defer mu.Unlock()
					taken[ev.Text]++
					return nil
				})
				root, err := f.Say("U1", "C1", "an old root")
				require.NoError(t, err)
				wait(time.Hour)
				run := func(test func()) { process(t, f, kept, e.Sink, func(*slack.Adapter) { test() }) }
				outage := func() {
					wait(time.Minute)
					_, err := f.Say("U1", "C1", "before")
					require.NoError(t, err)
					wait(time.Minute)
					away.Store(true)
					f.AddRoom(slackfake.Room{ID: "C9", Name: "new", Members: []string{"U1"}})
					_, err = f.Say("U1", "C9", "the first word in a new room")
					require.NoError(t, err)
					_, err = f.SayRaw("U1", "C1", root, "the first reply heard in an old thread")
					require.NoError(t, err)
					wait(9 * time.Minute) // slack has given up
				}
				if restart {
					run(outage)
					away.Store(false)
					run(func() { wait(5 * time.Minute) })
				} else {
					run(func() {
						outage()
						away.Store(false)
						wait(10 * time.Minute)
					})
				}
				require.Equal(t, map[string]int{"before": 1, "the first word in a new room": 1, "the first reply heard in an old thread": 1}, taken)
			})
		})
	}
}

// TestNotTakenWhileFilling: a live message that is not taken after the history of its room was read, while what it gave is still
// being handed over, is not forgotten when that ends.
func TestNotTakenWhileFilling(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		kept := &shelf{}
		e := new(ear)
		var phase atomic.Int32 // 1: the missed one is with the sink; 2: that took it
		missed, root := make(chan struct{}), ""
		var mu sync.Mutex
		taken := map[string]string{}
		e.Set(func(_ context.Context, ev *adapter.Event) error {
			switch {
			case ev.Text == "missed":
				phase.Store(1)
				<-missed
				phase.Store(2)
			case ev.Text == "unlucky" && phase.Load() < 3:
				return errors.New("the store is away")
			}
			mu.Lock()
			defer mu.Unlock()
			taken[ev.ID] = ev.Text // a new process may hand over again what the bot knows by its id
			return nil
		})
		process(t, f, kept, e.Sink, func(*slack.Adapter) {
			wait(time.Minute)
			var err error
			root, err = f.Say("U1", "C1", "before")
			require.NoError(t, err)
			wait(time.Minute)
		})
		_, err := f.Say("U1", "C1", "missed")
		require.NoError(t, err)
		wait(10 * time.Minute)
		process(t, f, kept, e.Sink, func(*slack.Adapter) {
			wait(10 * time.Second)
			require.EqualValues(t, 1, phase.Load())
			_, err := f.SayRaw("U1", "C1", root, "unlucky") // another conversation: it does not wait for the first
			require.NoError(t, err)
			wait(time.Second)
			_, err = f.Say("U1", "C1", "newer")
			require.NoError(t, err)
			close(missed)
			wait(30 * time.Second)
			require.EqualValues(t, 2, phase.Load())
		})
		phase.Store(3)
		wait(10 * time.Minute) // slack has given up
		process(t, f, kept, e.Sink, func(*slack.Adapter) { wait(5 * time.Minute) })
		require.ElementsMatch(t, []string{"before", "missed", "unlucky", "newer"}, slices.Collect(maps.Values(taken)))
	})
}

// TestTooManyReplies: replies that are over the bound of what a gap brings back are a gap that is told.
func TestTooManyReplies(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		wait(time.Minute)
		var roots []string
		for i := range 2 {
			root, err := f.Say("U1", "C1", fmt.Sprint("root ", i))
			require.NoError(t, err)
			wait(time.Second)
			_, err = f.SayRaw("U1", "C1", root, fmt.Sprint("begins ", i))
			require.NoError(t, err)
			roots = append(roots, root)
		}
		wait(time.Minute)
		f.SetDown(true)
		f.Cut()
		for i := range 2 {
			for n := range 1500 {
				_, err := f.SayRaw("U1", "C1", roots[i], fmt.Sprint("reply ", i, " ", n))
				require.NoError(t, err)
				wait(10 * time.Millisecond)
			}
		}
		wait(10 * time.Minute)
		f.SetDown(false)
		wait(30 * time.Minute)
		require.Less(t, len(e.Heard()), 3000)
		var said []string
		for _, gap := range a.Status().Gaps {
			said = append(said, gap.What)
		}
		require.Contains(t, said, "messages: there were more than 2000")
	})
}
