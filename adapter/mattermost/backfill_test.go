package mattermost_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/mattermost"
	"github.com/starlingbot/starling/internal/adapterstage"
	fake "github.com/starlingbot/starling/internal/mattermostfake"
)

// TestBackfillGap: what was said while the server gave the connection up comes from the histories, once, in order, marked, with
// what was changed and taken back; and what cannot be given back is reported.
func TestBackfillGap(t *testing.T) {
	for name, lose := range map[string]func(f *fake.Server){
		"more than the queue": func(*fake.Server) {},
		"five minutes":        func(*fake.Server) { wait(6 * time.Minute) },
		"the server restarts": func(f *fake.Server) { f.Restart() },
	} {
		for _, sameMilli := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " same millisecond ", sameMilli), func(t *testing.T) {
				bubble(t, fake.Options{SameMilli: sameMilli}, func(t *testing.T, f *fake.Server) {
					e := newEar()
					a := start(t, f, configFor(f), e.Sink)
					say := func(user, room, root, text string) string {
						id, err := f.SayIn(user, room, root, text)
						require.NoError(t, err)
						return id
					}
					root := say(alice, ops, "", "before")
					changed, gone, left := say(alice, ops, "", "to change"), say(bob, ops, "", "to delete"), say(bob, ops, "", "stays")
					say(alice, dev, "", "quiet since")
					wait(time.Minute)
					n := len(e.Heard())
					f.SetDown(true)
					f.Cut()
					var want []string
					for i := range 300 { // more than a page, and than the server keeps
						text := fmt.Sprint("missed ", i)
						say(alice, ops, "", text)
						want = append(want, text)
					}
					say(bob, ops, root, "reply")
					say(bob, ops, "", "said and taken back")
					require.NoError(t, f.Delete(f.Said()[len(f.Said())-1]))
					wait(time.Second)
					require.NoError(t, f.Edit(changed, "changed"))
					require.NoError(t, f.Delete(gone))
					require.NoError(t, f.Pin(left))
					lose(f)
					f.SetDown(false)
					require.NoError(t, f.Await(t.Context(), f.Connected))
					wait(time.Minute)
					say(alice, ops, "", "after")
					wait(time.Second)
					var got []string
					for _, ev := range e.Heard()[n:] {
						require.Equal(t, ev.Text != "after", ev.Backfilled, ev.Text)
						switch ev.Kind {
						case adapter.KindMessage:
							if ev.Thread == "" && ev.Text != "after" {
								got = append(got, ev.Text)
							}
						case adapter.KindEdit:
							require.Equal(t, changed, ev.MessageID)
						case adapter.KindDelete:
							require.Equal(t, gone, ev.MessageID)
						}
					}
					require.ElementsMatch(t, want, got)
					if !sameMilli { // two of one moment have no order
						require.Equal(t, want, got)
					}
					require.Len(t, e.Heard()[n:], len(want)+4, "reply, edit, deletion and what came after")
					gaps := a.Status().Gaps
					require.Len(t, gaps, 1)
					require.Contains(t, gaps[0].What, "reactions")
					require.Equal(t, 1, f.Calls("GET /channels/{}/posts"), "a room where nothing was said is not read")
					wait(10 * time.Minute)
					require.Len(t, e.Heard()[n:], len(want)+4, "nothing comes twice")
					spaced(t, f)
				})
			})
		}
	}
}

// TestBackfillRestart: positions are stored, and a new process goes on from there; the bot hears nothing that was said before it
// ever came.
func TestBackfillRestart(t *testing.T) {
	for _, sameMilli := range []bool{false, true} {
		t.Run(fmt.Sprint("same millisecond ", sameMilli), func(t *testing.T) {
			bubble(t, fake.Options{SameMilli: sameMilli}, func(t *testing.T, f *fake.Server) {
				kept := &shelf{}
				e := newEar()
				run := func(test func(a *mattermost.Adapter)) {
					process(t, f, kept, e.Sink, func(a *mattermost.Adapter) { wait(time.Second); test(a) })
				}
				say := func(room, text string) {
					_, err := f.Say(alice, room, text)
					require.NoError(t, err)
				}
				say(ops, "from before the bot was born")
				run(func(*mattermost.Adapter) {
					say(ops, "heard")
					say(ops, "heard too, at once")
					synctest.Wait()
				})
				require.Equal(t, []string{"heard", "heard too, at once"}, e.Texts())
				say(ops, "missed") // at once
				say(dev, "missed in a quiet room")
				wait(time.Hour)
				run(func(*mattermost.Adapter) { wait(time.Minute) })
				require.ElementsMatch(t, []string{"heard", "heard too, at once", "missed", "missed in a quiet room"}, e.Texts())
				for range 3 {
					run(func(*mattermost.Adapter) {})
				}
				require.Len(t, e.Texts(), 4, "nothing comes again")
				say(ops, "missed while the store was away")
				wait(time.Hour)
				kept.Fail(errors.New("the store is away"))
				run(func(a *mattermost.Adapter) {
					wait(30 * time.Second)
					kept.Fail(nil)
					wait(2 * time.Minute)
					require.Equal(t, "missed while the store was away", e.Texts()[4])
					require.Empty(t, a.Status().Gaps)
				})
				kept.Fail(errors.New("the store is away"))
				run(func(a *mattermost.Adapter) {
					wait(10 * time.Minute)
					require.NotEmpty(t, a.Status().Gaps)
					say(ops, "live all the same")
					wait(time.Second)
				})
				require.Equal(t, "live all the same", e.Texts()[5])
				t.Logf("%d writes of positions", kept.Sets())
				require.Less(t, kept.Sets(), 60)
			})
		})
	}
}

// TestBackfillTooMuch: what is over the bound, and what cannot be read, is a gap in the log and in Health.
func TestBackfillTooMuch(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		e := newEar()
		a := start(t, f, configFor(f), e.Sink)
		_, err := f.Say(alice, ops, "before")
		require.NoError(t, err)
		wait(time.Minute)
		f.SetDown(true)
		f.Cut()
		for i := range 2500 {
			_, err := f.Say(alice, ops, fmt.Sprint("missed ", i))
			require.NoError(t, err)
		}
		_, err = f.Say(alice, dev, "in a room")
		require.NoError(t, err)
		wait(10 * time.Minute)
		f.SetDown(false)
		f.Fail(fake.Fault{Route: "GET /channels/{}/posts", Kind: fake.FaultLimit, After: 30})
		wait(10 * time.Minute)
		texts := e.Texts()[1:]
		t.Logf("%d of 2501 came back", len(texts))
		require.GreaterOrEqual(t, len(texts), 2000)
		require.Contains(t, texts, "missed 2499")
		require.Contains(t, texts, "in a room")
		gaps := a.Status().Gaps
		require.Len(t, gaps, 2)
		require.Equal(t, ops, gaps[1].Room)
		require.Contains(t, gaps[1].What, "more than 2000")
		require.Equal(t, 2, a.Health().Gaps)
		seen := map[string]bool{}
		for _, text := range texts {
			require.False(t, seen[text], text)
			seen[text] = true
		}
	})
}

// TestBackfillPages: posts of one millisecond on both sides of a page's end are all read.
func TestBackfillPages(t *testing.T) {
	bubble(t, fake.Options{SameMilli: true}, func(t *testing.T, f *fake.Server) {
		e := newEar()
		a := start(t, f, configFor(f), e.Sink)
		wait(time.Minute)
		f.SetDown(true)
		f.Cut()
		want := map[string]bool{}
		for i := range 1400 {
			text := fmt.Sprint("missed ", i)
			want[text] = true
			_, err := f.Say(alice, ops, text)
			require.NoError(t, err)
			if i%3 == 2 { // 200 is no multiple of it
				wait(time.Millisecond)
			}
		}
		wait(10 * time.Minute)
		f.SetDown(false)
		wait(10 * time.Minute)
		for _, text := range e.Texts() {
			require.True(t, want[text], text)
			delete(want, text)
		}
		require.Empty(t, want)
		require.Len(t, a.Status().Gaps, 1)
	})
}

// TestTwoGaps: a second gap while the first is being filled is filled too, and nothing that was said live in between hides it.
func TestTwoGaps(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		kept := &shelf{}
		cfg := configFor(f)
		cfg.Positions = kept
		e := newEar()
		start(t, f, cfg, e.Sink)
		var want []string
		say := func(text string) {
			for _, room := range []string{ops, dev} {
				_, err := f.Say(alice, room, text+" "+room)
				require.NoError(t, err)
				want = append(want, text+" "+room)
			}
			wait(time.Second)
		}
		say("before")
		for gap := range 2 {
			f.SetDown(true)
			f.Cut()
			say(fmt.Sprint("in gap ", gap))
			f.Forget()
			f.Fail(fake.Fault{Route: "GET /channels/{}/posts", Kind: fake.FaultStatus, Status: 503, Times: 3}) // it takes its time
			f.SetDown(false)
			require.NoError(t, f.Await(t.Context(), f.Connected))
			wait(time.Second)
			say(fmt.Sprint("live after gap ", gap))
		}
		wait(10 * time.Minute)
		require.ElementsMatch(t, want, e.Texts())
	})
}

// TestNewRoomInGap: a room to which the bot was invited while it was away is heard from the beginning of the gap.
func TestNewRoomInGap(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		e := newEar()
		start(t, f, configFor(f), e.Sink)
		wait(time.Minute)
		f.SetDown(true)
		f.Cut()
		wait(time.Minute)
		f.AddRoom(fake.Room{ID: fake.ID("fresh"), Name: "fresh", Members: []string{alice}})
		_, err := f.Say(alice, fake.ID("fresh"), "welcome @starling")
		require.NoError(t, err)
		require.NoError(t, f.Direct(bob, "and hello"))
		wait(10 * time.Minute)
		f.SetDown(false)
		wait(time.Minute)
		require.ElementsMatch(t, []string{"welcome @starling", "and hello"}, e.Texts())
	})
}

// TestStoppedWhileFilling: a process that ends while it fills a gap leaves the rest to the next one.
func TestStoppedWhileFilling(t *testing.T) {
	for _, route := range []string{"GET /users/{}/channels", "GET /channels/{}/posts"} {
		t.Run(route, func(t *testing.T) {
			bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
				kept := &shelf{}
				e := newEar()
				run := func(test func()) {
					process(t, f, kept, e.Sink, func(*mattermost.Adapter) { wait(time.Second); test() })
				}
				run(func() { wait(time.Minute) })
				_, err := f.Say(alice, ops, "missed")
				require.NoError(t, err)
				wait(10 * time.Minute)
				f.Fail(fake.Fault{Route: route, Kind: fake.FaultHang})
				run(func() {
					_, err := f.Say(alice, ops, "live")
					require.NoError(t, err)
					wait(5 * time.Second)
				})
				require.Equal(t, []string{"live"}, e.Texts())
				run(func() { wait(time.Minute) })
				ids := map[string]string{} // what was live then may come again, as the same event: the bot's inbox knows it
				for _, ev := range e.Heard() {
					ids[ev.Text] = ev.ID
				}
				require.Len(t, ids, 2)
				for _, ev := range e.Heard() {
					require.Equal(t, ids[ev.Text], ev.ID)
				}
				require.Contains(t, ids, "missed")
			})
		})
	}
}

// TestStoppedBeforeTheRooms: what came before the bot knew its rooms, and was not taken, is not lost: not for the next Run, nor for the
// next process, nor with an older position in the store.
func TestStoppedBeforeTheRooms(t *testing.T) {
	for _, again := range []bool{false, true} {
		for _, older := range []bool{false, true} {
			t.Run(fmt.Sprint("same process ", again, " older position ", older), func(t *testing.T) {
				bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
					kept := &shelf{}
					cfg := configFor(f)
					cfg.Positions = kept
					var a *mattermost.Adapter
					e := newEar()
					run := func(test func()) {
						if a == nil {
							var err error
							a, err = mattermost.New(cfg)
							require.NoError(t, err)
						}
						stop := adapterstage.Start(t, f, a, e.Sink, true)
						test()
						stop()
						if !again {
							require.NoError(t, a.Close())
							a = nil
						}
					}
					var want []string
					say := func(text string) {
						_, err := f.Say(alice, ops, text)
						require.NoError(t, err)
						want = append(want, text)
					}
					if older {
						run(func() { wait(time.Minute); say("heard"); wait(time.Minute) })
						say("missed")
						wait(time.Minute)
					}
					f.Fail(fake.Fault{Route: "GET /users/{}/channels", Kind: fake.FaultHang})
					e.Set(func(ctx context.Context, _ *adapter.Event) error { <-ctx.Done(); return ctx.Err() })
					before := len(e.Heard())
					run(func() { wait(time.Second); say("not taken"); wait(time.Second) })
					require.Len(t, e.Heard(), before+1)
					e.Set(nil)
					run(func() { wait(time.Minute) })
					require.ElementsMatch(t, want, append(e.Texts()[:before:before], e.Texts()[before+1:]...))
					if a != nil {
						require.NoError(t, a.Close())
					}
				})
			})
		}
	}
}
