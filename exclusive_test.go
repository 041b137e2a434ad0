package starling_test

import (
	"context"
	"fmt"
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
	"github.com/starlingbot/starling/testutil"
)

type change struct {
	What string `arg:"what"`
	How  string `arg:"how" default:"now"`
}

// changer is a bot whose command change takes a thing alone; run is what it does.
func changer(onCrash handler.OnCrash, run func(ctx context.Context, r *handler.Request, a change) error) *handler.Router {
	rt := handler.NewRouter()
	rt.Add(handler.Command[change]{
		Name: "change", Summary: "Change something.", OnCrash: onCrash, Run: run, Timeout: time.Hour,
		Exclusive: func(a change) string {
			if a.What == "nothing" {
				return ""
			}
			return a.What
		},
	})
	return rt
}

// exclusives gives what is held in a store.
func exclusives(t *testing.T, s brain.Store) (names []string) {
	t.Helper()
	for e, err := range s.List(context.Background(), "_/exclusive/") {
		require.NoError(t, err)
		names = append(names, strings.TrimPrefix(e.Key, "_/exclusive/"))
	}
	return names
}

// One at a time, whatever the room; the others are told who and since when. What is not named is not held.
func TestExclusive(t *testing.T) {
	for _, durable := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			end := make(chan struct{})
			store := memory.New()
			b := testutil.Start(t, starling.Config{Volatile: !durable, Brain: brain.New(store), Router: changer("", func(ctx context.Context, r *handler.Request, a change) error {
				if a.What != "nothing" {
					<-end
				}
				return r.Reply(ctx, "changed %s", a.What)
			})})
			b.User("alice").Say("#ops", "starling change api")
			synctest.Wait()
			require.Equal(t, []string{"api"}, exclusives(t, store))
			time.Sleep(5 * time.Minute)
			busy := "@bob: api is being changed by alice since 2000-01-01 00:00 UTC. Say it again when that has ended.\n```\nchange api now\n```"
			b.User("bob").Say("#dev", "starling change api later")
			b.Expect("#dev", busy)
			b.User("bob").Say("#ops", "starling change api")
			b.Expect("#ops", busy)
			b.User("bob").Say("#dev", "starling change nothing")
			b.Expect("#dev", "changed nothing")
			b.User("bob").Say("#dev", "starling change web")
			synctest.Wait()
			require.Equal(t, []string{"api", "web"}, exclusives(t, store))
			close(end)
			b.Expect("#ops", "changed api")
			b.Expect("#dev", "changed web")
			b.Idle()
			require.Empty(t, exclusives(t, store))
			b.User("bob").Say("#ops", "starling change api")
			b.Expect("#ops", "changed api")
		})
	}
}

// What the holder said where others cannot read it is not shown to them: they are told who and since when.
func TestAttackExclusiveShowsWhatWasSaidInPrivate(t *testing.T) {
	const who, line = "@bob: api is being changed by alice since 2000-01-01 00:00 UTC. Say it again when that has ended.", "\n```\nchange api hush\n```"
	cases := map[string]struct {
		said, asked string
		kind        adapter.RoomKind // of said
		bob         adapter.UserKind
		shown       bool
	}{
		"in private, asked in a room":            {"@alice", "#dev", adapter.RoomDirect, adapter.KindMember, false},
		"in a private room, asked in an open":    {"#secret", "#dev", adapter.RoomPrivate, adapter.KindMember, false},
		"in a group, asked in an open":           {"#secret", "#dev", adapter.RoomGroup, adapter.KindMember, false},
		"in a room of unknown kind":              {"#secret", "#dev", adapter.RoomUnknown, adapter.KindMember, false},
		"in a private room, asked there":         {"#secret", "#secret", adapter.RoomPrivate, adapter.KindMember, true},
		"in an open room, asked in another":      {"#ops", "#dev", adapter.RoomChannel, adapter.KindMember, true},
		"in an open room, asked by a guest":      {"#ops", "#dev", adapter.RoomChannel, adapter.KindGuest, false},
		"in an open room, asked by an outsider":  {"#ops", "#dev", adapter.RoomChannel, adapter.KindExternal, false},
		"in an open room, asked on another chat": {"#ops", "other", adapter.RoomChannel, adapter.KindMember, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				end := make(chan struct{})
				defer close(end)
				chat, other := testutil.NewChat(testutil.ChatConfig{}), testutil.NewChat(testutil.ChatConfig{Name: "other"})
				b := testutil.Start(t, starling.Config{Brain: brain.New(memory.New()), Adapters: []adapter.Adapter{chat, other}, Router: changer("", func(ctx context.Context, r *handler.Request, a change) error {
					<-end
					return nil
				})})
				if c.kind != adapter.RoomDirect {
					chat.AddRoom(adapter.Room{ID: "c-" + c.said[1:], Name: c.said[1:], Kind: c.kind})
				}
				room := b.Room(c.said)
				room.Kind = c.kind
				chat.Deliver(&adapter.Event{Kind: adapter.KindMessage, Room: room, User: b.User("alice").User, Text: "starling change api hush"})
				synctest.Wait()
				bob, on := b.User("bob"), chat
				if c.asked == "other" {
					bob, on, c.asked = other.As(t, "bob"), other, "#dev"
				}
				bob.Kind = c.bob
				bob.Say(c.asked, "starling change api")
				time.Sleep(5 * time.Second) // in the same room it waits until the first one leaves the line
				posts := on.Posts(c.asked)
				require.NotEmpty(t, posts, chat.Transcript())
				want := who
				if c.shown {
					want += line
				}
				require.Equal(t, want, posts[len(posts)-1].Text)
			})
		})
	}
}

// Many at once, in as many rooms and two processes: never two.
func TestExclusiveUnderLoad(t *testing.T) { synctest.Test(t, exclusiveUnderLoad) }

func exclusiveUnderLoad(t *testing.T) {
	const n, waves = 400, 8
	store := memory.New()
	var inside, most, ran atomic.Int32
	router := func() *handler.Router {
		return changer("", func(ctx context.Context, r *handler.Request, a change) error {
			now := inside.Add(1)
			for {
				m := most.Load()
				if now <= m || most.CompareAndSwap(m, now) {
					break
				}
			}
			time.Sleep(time.Millisecond)
			ran.Add(1)
			inside.Add(-1)
			return nil
		})
	}
	chat := testutil.NewChat(testutil.ChatConfig{})
	cfg := starling.Config{Router: router(), Brain: brain.New(store), Limits: starling.Limits{UserRate: -1, RoomRate: -1}}
	cfg.Adapters = append(cfg.Adapters, chat)
	a := testutil.Start(t, cfg)
	cfg.Router = router()
	b := testutil.Start(t, cfg)
	for wave := range waves {
		var wg sync.WaitGroup
		for i := range n / waves {
			u := chat.As(t, fmt.Sprint("u", i))
			wg.Go(func() { u.Say(fmt.Sprint("#r", wave, "-", i), "starling change api") })
		}
		wg.Wait()
		a.Idle()
		b.Idle()
		require.GreaterOrEqual(t, int(ran.Load()), wave+1)
	}
	require.Empty(t, exclusives(t, store))
	refused := len(chat.Posts())
	require.EqualValues(t, n, int(ran.Load())+refused)
	require.EqualValues(t, 1, most.Load())
	t.Logf("%d at once in two processes: %d ran, one at a time, %d were told to wait", n, ran.Load(), refused)
}

// After a crash whoever takes the delivery over gives the thing back, or goes on with it: OnCrash says which.
func TestExclusiveOverACrash(t *testing.T) {
	for _, onCrash := range []handler.OnCrash{handler.OnCrashDefault, handler.OnCrashRerun} {
		t.Run("on crash "+string(onCrash), func(t *testing.T) {
			store := memory.New()
			running, end := make(chan struct{}, 4), make(chan struct{})
			var ran atomic.Int32
			run := func(ctx context.Context, r *handler.Request, a change) error {
				ran.Add(1)
				if a.How == "slowly" && r.Attempt == 1 {
					running <- struct{}{}
					<-end
				}
				return r.Reply(ctx, "changed %s %s", a.What, a.How)
			}
			b := testutil.Start(t, starling.Config{Brain: brain.New(store), Router: changer(onCrash, run)})
			b.User("alice").Say("#ops", "starling change api slowly")
			<-running
			b.Kill()
			require.Equal(t, []string{"api"}, exclusives(t, store))
			b.Start(func(c *starling.Config) { c.Router = changer(onCrash, run) })
			if onCrash == handler.OnCrashRerun {
				b.Expect("#ops", "changed api slowly")
			} else {
				b.ExpectMatch("#ops", "interrupted, outcome unknown")
				b.ExpectMatch("@alice", "interrupted, outcome unknown")
			}
			b.Idle()
			require.Empty(t, exclusives(t, store))
			b.User("bob").Say("#ops", "starling change api")
			b.Expect("#ops", "changed api now")
			close(end) // the dead one wakes: it has no effect
			b.Idle()
			b.ExpectSilence()
			want := int32(2)
			if onCrash == handler.OnCrashRerun {
				want = 3
			}
			require.Equal(t, want, ran.Load())
		})
	}
}

// A holder whose event was put aside as one that nobody can run holds nothing for ever.
func TestExclusiveOfADeadLetter(t *testing.T) {
	store := memory.New()
	running, end := make(chan struct{}, 1), make(chan struct{})
	defer close(end)
	run := func(ctx context.Context, r *handler.Request, a change) error {
		if a.How == "slowly" {
			running <- struct{}{}
			<-end
		}
		return r.Reply(ctx, "changed %s", a.What)
	}
	b := testutil.Start(t, starling.Config{Brain: brain.New(store), Router: changer("", run)})
	b.User("alice").Say("#ops", "starling change api slowly")
	<-running
	b.Kill()
	other := handler.NewRouter() // of a program that no longer has the command
	other.Command("ping", "P.", func(context.Context, *handler.Request) error { return nil })
	b.Start(func(c *starling.Config) { c.Router = other })
	b.Idle()
	letters, err := b.Bot().DeadLetters(context.Background())
	require.NoError(t, err)
	require.Len(t, letters, 1)
	b.Restart(func(c *starling.Config) { c.Router = changer("", run) })
	b.User("bob").Say("#ops", "starling change api")
	b.Expect("#ops", "changed api")
}

// A handler that fails, panics or is cut off gives the thing back.
func TestExclusiveIsGivenBack(t *testing.T) {
	for _, how := range []string{"fails", "panics", "hangs"} {
		synctest.Test(t, func(t *testing.T) {
			store := memory.New()
			hang := make(chan struct{})
			b := testutil.Start(t, starling.Config{Brain: brain.New(store), Router: func() *handler.Router {
				rt := handler.NewRouter()
				rt.Add(handler.Command[change]{
					Name: "change", Summary: "C.", Timeout: time.Second, Exclusive: func(a change) string { return a.What },
					Run: func(context.Context, *handler.Request, change) error {
						switch how {
						case "panics":
							panic("boom")
						case "hangs":
							<-hang
						}
						return context.DeadlineExceeded
					},
				})
				return rt
			}()})
			b.User("alice").Say("#ops", "starling change api")
			time.Sleep(20 * time.Second)
			b.ExpectMatch("#ops", "Sorry, that went wrong")
			b.Idle()
			require.Empty(t, exclusives(t, store), how)
			close(hang)
		})
	}
}
