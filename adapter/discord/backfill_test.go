package discord_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/discord"
	"github.com/starlingbot/starling/internal/discordfake"
)

// TestRestartFills: what was said while the bot was down is read, oldest first and once: in rooms that were heard, in rooms
// that never were, in threads, in direct rooms; what was not taken before comes again.
func TestRestartFills(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		kept := &shelf{}
		e := new(ear)
		root := ""
		_, err := f.Say(alice, ops, "before the bot was there")
		require.NoError(t, err)
		process(t, f, kept, e.Sink, func(a *discord.Adapter) {
			wait(time.Minute)
			require.Empty(t, e.Heard(), "a first start reads nothing")
			root, err = f.Say(alice, ops, "one")
			require.NoError(t, err)
			require.NoError(t, f.Direct(bob, "psst one"))
			wait(time.Minute)
			e.Set(func(_ context.Context, ev *adapter.Event) error {
				if ev.Text == "not taken" {
					return errors.New("the store is away")
				}
				return nil
			})
			_, err = f.Say(alice, ops, "not taken")
			require.NoError(t, err)
			wait(time.Minute)
		})
		n := len(e.Heard())
		e.Set(nil)
		wait(time.Hour)
		for i := range 250 { // more than a page
			_, err := f.Say(alice, ops, fmt.Sprint("missed ", i))
			require.NoError(t, err)
			wait(10 * time.Millisecond)
		}
		_, err = f.Say(alice, dev, "never heard before")
		require.NoError(t, err)
		_, err = f.Below(bob, root, "in a thread")
		require.NoError(t, err)
		require.NoError(t, f.Direct(bob, "psst two"))
		_, err = f.Say(discordfake.BotUser, ops, "mine")
		require.NoError(t, err)
		process(t, f, kept, e.Sink, func(a *discord.Adapter) {
			_, err := f.Say(alice, ops, "live")
			require.NoError(t, err)
			wait(time.Minute)
			require.Empty(t, a.Status().Gaps)
		})
		var inOps, elsewhere []string
		for _, ev := range e.Heard()[n:] {
			require.Equal(t, ev.Text != "live", ev.Backfilled, ev.Text)
			if ev.Address() == to(ops) {
				if ev.Backfilled {
					inOps = append(inOps, ev.Text)
				}
			} else {
				elsewhere = append(elsewhere, ev.Text)
			}
			if ev.Text == "in a thread" {
				require.Equal(t, adapter.Address{Adapter: "discord", Room: ops, Thread: root}, ev.Address())
			}
		}
		require.Equal(t, "not taken", inOps[0])
		require.Len(t, inOps, 251)
		for i := range 250 {
			require.Equal(t, fmt.Sprint("missed ", i), inOps[i+1])
		}
		slices.Sort(elsewhere)
		require.Equal(t, []string{"in a thread", "never heard before", "psst two"}, elsewhere)

		n = len(e.Heard())
		process(t, f, kept, e.Sink, func(a *discord.Adapter) { wait(time.Minute) })
		require.Len(t, e.Heard(), n, "and not once more")
		require.NotEmpty(t, kept.Stored())
	})
}

// TestLongGap: of very many messages the newest come, and the others are a gap; live ones meanwhile come too, once.
func TestLongGap(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		_, err := f.Say(alice, ops, "one")
		require.NoError(t, err)
		wait(time.Minute)
		f.SetDown(true)
		f.DropSessions()
		f.Cut()
		for i := range 2500 {
			_, err := f.Say(alice, ops, fmt.Sprint("missed ", i))
			require.NoError(t, err)
			wait(10 * time.Millisecond)
		}
		f.SetDown(false)
		require.NoError(t, f.Await(t.Context(), f.Connected))
		for i := range 10 {
			_, err := f.Say(alice, ops, fmt.Sprint("live ", i))
			require.NoError(t, err)
		}
		wait(5 * time.Minute)
		texts := e.Texts()
		seen := map[string]int{}
		for _, text := range texts {
			seen[text]++
			require.Equal(t, 1, seen[text], text)
		}
		require.GreaterOrEqual(t, len(texts), 2000)
		require.Contains(t, seen, "missed 2499")
		require.NotContains(t, seen, "missed 0")
		require.Contains(t, seen, "live 9")
		gaps := a.Status().Gaps
		require.Len(t, gaps, 2)
		require.Equal(t, "messages: there were more than 2000", gaps[1].What)
		require.Equal(t, ops, gaps[1].Room)
	})
}

// TestUnreadable: a history that cannot be read, or whose position cannot, is read when it can be, however long that takes, and
// live messages go on meanwhile; a room that the bot may not see is no gap, it would have heard nothing there; a store that gives
// no position at all is one.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		gaps int
		late bool // it is read after the live message
		fail func(f *discordfake.Server, kept *shelf)
	}{
		{"5xx for long", 0, true, func(f *discordfake.Server, _ *shelf) {
			f.Fail(discordfake.Fault{Route: "history", Kind: discordfake.FaultStatus, Status: 500, Times: 1000})
			time.AfterFunc(20*time.Minute, f.ClearFaults)
		}},
		{"5xx for a while", 0, false, func(f *discordfake.Server, _ *shelf) {
			f.Fail(discordfake.Fault{Route: "history", Kind: discordfake.FaultStatus, Status: 502, Times: 3})
		}},
		{"429", 0, false, func(f *discordfake.Server, _ *shelf) {
			f.Fail(discordfake.Fault{Route: "history", Kind: discordfake.FaultLimit, After: 20, Times: 2})
		}},
		{"forbidden", 0, false, func(f *discordfake.Server, _ *shelf) {
			f.Fail(discordfake.Fault{Route: "history", Kind: discordfake.FaultError, Status: 403, Code: 50001, Times: 100})
		}},
		{"store for a while", 0, false, func(_ *discordfake.Server, kept *shelf) {
			kept.Fail(errors.New("away"))
			time.AfterFunc(time.Minute, func() { kept.Fail(nil) })
		}},
		{"store for long", 1, true, func(_ *discordfake.Server, kept *shelf) {
			kept.Fail(errors.New("away"))
			time.AfterFunc(20*time.Minute, func() { kept.Fail(nil) })
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
				kept := &shelf{}
				e := new(ear)
				process(t, f, kept, e.Sink, func(*discord.Adapter) {
					_, err := f.Say(alice, ops, "one")
					require.NoError(t, err)
					wait(time.Minute)
				})
				_, err := f.Say(alice, ops, "missed")
				require.NoError(t, err)
				c.fail(f, kept)
				process(t, f, kept, e.Sink, func(a *discord.Adapter) {
					wait(10 * time.Minute)
					require.Len(t, a.Status().Gaps, c.gaps)
					_, err := f.Say(alice, ops, "live")
					require.NoError(t, err)
					wait(time.Minute)
					if c.late {
						require.Equal(t, []string{"one", "live"}, e.Texts())
						wait(20 * time.Minute)
					}
					reads := f.Calls("history")
					wait(10 * time.Minute)
					require.Equal(t, reads, f.Calls("history"), "what was read is not read again")
				})
				want := []string{"one", "missed", "live"}
				switch {
				case c.name == "forbidden":
					want = []string{"one", "live"}
				case c.late:
					want = []string{"one", "live", "missed"}
				}
				require.Equal(t, want, e.Texts())
			})
		})
	}
}

// TestOutage: a server that was not available for a while is read when it is back.
func TestOutage(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		start(t, f, configFor(f), e.Sink)
		_, err := f.Say(alice, ops, "one")
		require.NoError(t, err)
		wait(time.Minute)
		f.Outage(discordfake.Guild, true)
		f.SetDown(true) // nothing of it is delivered
		f.DropSessions()
		_, err = f.Say(alice, ops, "during the outage")
		require.NoError(t, err)
		f.SetDown(false)
		f.Cut()
		require.NoError(t, f.Await(t.Context(), f.Connected))
		wait(10 * time.Second)
		f.Outage(discordfake.Guild, false)
		wait(10 * time.Second)
		require.Equal(t, []string{"one", "during the outage"}, e.Texts())
	})
}

// TestLateServer: a server that is not available when the bot starts is read when it is, in rooms too that were never heard.
func TestLateServer(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		kept := &shelf{}
		e := new(ear)
		process(t, f, kept, e.Sink, func(*discord.Adapter) { wait(2 * time.Minute) })
		_, err := f.Say(alice, dev, "missed")
		require.NoError(t, err)
		f.Outage(discordfake.Guild, true)
		process(t, f, kept, e.Sink, func(*discord.Adapter) {
			wait(3 * time.Minute)
			require.Empty(t, e.Heard())
			f.Outage(discordfake.Guild, false)
			wait(10 * time.Second)
			require.Equal(t, []string{"missed"}, e.Texts())
		})
	})
}

// TestHistory: a room's history is read page by page, from where it is wanted.
func TestHistory(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		a := idle(t, configFor(f))
		ids := make([]string, 350)
		for i := range ids {
			var err error
			ids[i], err = f.Say(alice, ops, fmt.Sprint("line ", i))
			require.NoError(t, err)
		}
		read := func(room, after string) (texts []string, err error) {
			for ev, err := range a.History(t.Context(), room, after) {
				if err != nil {
					return nil, err
				}
				texts = append(texts, ev.Text)
			}
			return texts, nil
		}
		all, err := read(ops, "")
		require.NoError(t, err)
		require.Len(t, all, 350)
		require.Equal(t, "line 0", all[0])
		some, err := read(ops, "0"+ids[299])
		require.NoError(t, err)
		require.Len(t, some, 50)
		require.Equal(t, "line 300", some[0])
		thread, err := f.Below(bob, ids[3], "below")
		require.NoError(t, err)
		some, err = read(thread, "")
		require.NoError(t, err)
		require.Equal(t, []string{"below"}, some)
		_, err = read("ops", "")
		require.ErrorIs(t, err, adapter.ErrNotFound)
		_, err = read(none, "")
		require.ErrorIs(t, err, adapter.ErrNotFound)
	})
}

// TestStoppedWhileFilling: a process that ends while the histories are read forgets nothing of what it did not come to, though
// newer things were said in the same rooms meanwhile.
func TestStoppedWhileFilling(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		kept := &shelf{}
		e := new(ear)
		process(t, f, kept, e.Sink, func(*discord.Adapter) {
			for _, room := range []string{ops, dev} {
				_, err := f.Say(alice, room, "before in "+room)
				require.NoError(t, err)
			}
			wait(time.Minute)
		})
		for _, room := range []string{ops, dev} {
			_, err := f.Say(alice, room, "missed in "+room)
			require.NoError(t, err)
		}
		wait(10 * time.Minute)
		f.Fail(discordfake.Fault{Route: "history", Kind: discordfake.FaultLimit, After: 600})
		process(t, f, kept, e.Sink, func(*discord.Adapter) {
			for _, room := range []string{ops, dev} {
				_, err := f.Say(bob, room, "live in "+room)
				require.NoError(t, err)
			}
			wait(time.Minute)
			require.NotContains(t, e.Texts(), "missed in "+ops)
		})
		f.ClearFaults()
		process(t, f, kept, e.Sink, func(*discord.Adapter) { wait(15 * time.Minute) })
		for _, room := range []string{ops, dev} {
			require.Contains(t, e.Texts(), "missed in "+room)
		}
	})
}
