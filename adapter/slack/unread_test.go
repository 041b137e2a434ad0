package slack_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/slack"
	"github.com/starlingbot/starling/internal/slackfake"
)

// TestPositionsKept: where the rooms cannot be listed, or a position not be read, for longer than is waited for, what is stored is
// not written over: what was missed is read when it can be, by this process in rooms where something is said, else by the next.
func TestPositionsKept(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		fail func(f *slackfake.Server, kept *shelf)
		cure func(f *slackfake.Server, kept *shelf)
		live bool // something is said in the room meanwhile
		same bool // it is cured while the process runs
	}{
		{"no list, live, next process", noList, listed, true, false},
		{"no list, live, same process", noList, listed, true, true},
		{"no list, quiet, next process", noList, listed, false, false},
		{"no store, live, next process", noStore, stored, true, false},
		{"no store, live, same process", noStore, stored, true, true},
		{"no store, quiet, next process", noStore, stored, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
				kept := &shelf{}
				var mu sync.Mutex
				taken := map[string]string{} // id by text: a new process may hand over again what the bot knows by its id
				has := func(text string) bool {
					mu.Lock()
					defer mu.Unlock()
					return taken[text] != ""
				}
				e := new(ear)
				e.Set(func(_ context.Context, ev *adapter.Event) error {
					mu.Lock()
					defer mu.Unlock()
					if was := taken[ev.Text]; was != "" && was != ev.ID {
						t.Errorf("%q came as two events", ev.Text)
					}
					taken[ev.Text] = ev.ID
					return nil
				})
				process(t, f, kept, e.Sink, func(*slack.Adapter) {
					wait(time.Minute)
					_, err := f.Say("U1", "C1", "one")
					require.NoError(t, err)
					wait(time.Minute)
				})
				_, err := f.Say("U1", "C1", "missed")
				require.NoError(t, err)
				wait(10 * time.Minute) // slack has given up
				c.fail(f, kept)
				process(t, f, kept, e.Sink, func(*slack.Adapter) {
					wait(10 * time.Minute)
					if c.live {
						_, err := f.Say("U1", "C1", "live")
						require.NoError(t, err)
						wait(time.Minute)
						require.True(t, has("live"))
					}
					require.False(t, has("missed"))
					if c.same {
						c.cure(f, kept)
						wait(3 * time.Minute)
						require.True(t, has("missed"))
					}
				})
				c.cure(f, kept)
				process(t, f, kept, e.Sink, func(*slack.Adapter) { wait(3 * time.Minute) })
				require.True(t, has("missed"))
				n := len(e.Heard())
				process(t, f, kept, e.Sink, func(*slack.Adapter) { wait(3 * time.Minute) })
				require.Len(t, e.Heard(), n, "and not once more")
			})
		})
	}
}

func noList(f *slackfake.Server, _ *shelf) {
	f.Fail(slackfake.Fault{Method: "users.conversations", Kind: slackfake.FaultStatus, Status: 500, Times: 1000})
}
func listed(f *slackfake.Server, _ *shelf) { f.ClearFaults() }

func noStore(_ *slackfake.Server, kept *shelf) { kept.Fail(errors.New("away")) }
func stored(_ *slackfake.Server, kept *shelf)  { kept.Fail(nil) }

// TestNoListInGap: where the rooms cannot be listed after a connection was away, those that were heard before are read all the same.
func TestNoListInGap(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		e := new(ear)
		start(t, f, configFor(f), e.Sink)
		wait(time.Minute)
		_, err := f.Say("U1", "C1", "one")
		require.NoError(t, err)
		wait(time.Minute)
		f.SetDown(true)
		f.Cut()
		_, err = f.Say("U1", "C1", "missed")
		require.NoError(t, err)
		wait(10 * time.Minute)
		noList(f, nil)
		f.SetDown(false)
		require.NoError(t, f.Await(t.Context(), f.Connected))
		wait(10 * time.Minute)
		require.Equal(t, []string{"one", "missed"}, e.Texts())
	})
}
