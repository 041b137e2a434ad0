package mattermost_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mattermost/mattermost-server/v6/model"
	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/mattermost"
	"github.com/starlingbot/starling/internal/canary"
	fake "github.com/starlingbot/starling/internal/mattermostfake"
)

// tenant is that of everybody on a fake.
const tenant = "mattermost.test"

// TestEvents: what happens in Mattermost, as the bot hears it.
func TestEvents(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		e := newEar()
		start(t, f, configFor(f), e.sink)
		n := 0
		next := func() *adapter.Event { ev := e.last(t, n); n++; return ev }
		none := func() { synctest.Wait(); require.Len(t, e.heard(), n) }

		said, err := f.Say(alice, ops, "@Starling tell @bob. and @nobody in ~dev & `@bob` a@bob")
		require.NoError(t, err)
		ev := next()
		require.Equal(t, adapter.KindMessage, ev.Kind)
		require.Equal(t, "@Starling tell @bob. and @nobody in ~dev & `@bob` a@bob", ev.Text, "it is what was typed")
		require.True(t, ev.Mentioned)
		require.Equal(t, "starling", ev.BotName)
		require.Equal(t, adapter.User{Adapter: "mattermost", Tenant: tenant, ID: alice, Name: "alice", Email: "alice@example.com", Kind: adapter.KindMember}, ev.User)
		require.Equal(t, "mattermost/"+tenant+"/"+alice, ev.User.Key())
		require.Equal(t, adapter.Room{ID: ops, Name: "ops", Kind: adapter.RoomChannel}, ev.Room)
		require.Len(t, ev.Mentions, 2)
		require.Equal(t, []string{fake.Bot, bob}, []string{ev.Mentions[0].ID, ev.Mentions[1].ID})
		require.Equal(t, "message/"+said, ev.ID)
		require.WithinDuration(t, time.Now(), ev.Time, time.Second)
		v, err := mattermost.Decode(ev)
		require.NoError(t, err)
		require.Equal(t, said, v.(*model.Post).Id)

		_, err = f.Say(alice, ops, "`@starling` in code, and @starlings, @all and @here mention others")
		require.NoError(t, err)
		require.False(t, next().Mentioned)

		said, err = f.Say(alice, dev, "first")
		require.NoError(t, err)
		require.Equal(t, adapter.RoomPrivate, next().Room.Kind)
		for _, text := range []string{"@starling deploy", "@starling deploy it", "changed"} { // T27
			wait(time.Second)
			require.NoError(t, f.Edit(said, text))
			ev = next()
			require.Equal(t, adapter.KindEdit, ev.Kind)
			require.Equal(t, text, ev.Text)
			require.Equal(t, said, ev.MessageID)
		}
		wait(time.Second)
		require.NoError(t, f.Pin(said)) // nobody changed what was said
		none()
		wait(time.Second)
		require.NoError(t, f.Attach(said)) // the server says that it was edited
		none()
		require.NoError(t, f.Delete(said))
		ev = next()
		require.Equal(t, adapter.KindDelete, ev.Kind)
		require.Empty(t, ev.User.ID, "nobody is told who did it")

		root, err := f.Say(alice, ops, "root")
		require.NoError(t, err)
		require.Empty(t, next().Thread)
		_, err = f.SayIn(bob, ops, root, "below")
		require.NoError(t, err)
		require.Equal(t, root, next().Thread)

		require.NoError(t, f.React(bob, root, "+1_medium_dark_skin_tone", true))
		ev = next()
		require.Equal(t, &adapter.Reaction{Emoji: "+1", Message: adapter.Ref{Address: to(ops), ID: root}}, ev.Reaction)
		v, err = mattermost.Decode(ev)
		require.NoError(t, err)
		require.Equal(t, root, v.(*model.Reaction).PostId)
		require.NoError(t, f.React(bob, root, "+1", false))
		first := ev.ID
		ev = next()
		require.True(t, ev.Reaction.Removed)
		require.NotEqual(t, first, ev.ID)
		require.NoError(t, f.React(fake.Bot, root, "eyes", true))
		none()

		f.AddUser(fake.User{ID: carol, Name: "carol"})
		f.Join(carol, ops) // and a message that says so
		ev = next()
		require.Equal(t, adapter.KindJoin, ev.Kind)
		require.Equal(t, carol, ev.User.ID)
		require.Equal(t, "ops", ev.Room.Name)
		f.Leave(carol, ops)
		require.Equal(t, adapter.KindLeave, next().Kind)
		f.ChangeHeader(bob, ops, "ship & *sleep*")
		ev = next()
		require.Equal(t, adapter.KindTopic, ev.Kind)
		require.Equal(t, "ship & *sleep*", ev.Text)
		require.Equal(t, bob, ev.User.ID)

		require.NoError(t, f.Direct(alice, "psst"))
		ev = next()
		require.Equal(t, adapter.RoomDirect, ev.Room.Kind)
		require.Empty(t, ev.Room.Name)
		f.AddRoom(fake.Room{ID: fake.ID("group"), Name: "alice, bob, starling", Type: "G", Members: []string{alice, bob}})
		_, err = f.Say(alice, fake.ID("group"), "all of us")
		require.NoError(t, err)
		require.Equal(t, adapter.Room{ID: fake.ID("group"), Name: "alice, bob, starling", Kind: adapter.RoomGroup}, next().Room)

		_, err = f.SayPost(ops, fake.Post{UserID: alice, Type: "me", Message: "*waves*", Props: map[string]any{"message": "waves"}})
		require.NoError(t, err)
		require.Equal(t, "waves", next().Text)
		require.NoError(t, f.Share(alice, ops, "a picture", "cat.png", "PNG"))
		ev = next()
		require.Equal(t, []any{"cat.png", "image/png", int64(3)}, []any{ev.Files[0].Name, ev.Files[0].Type, ev.Files[0].Size})

		f.Leave(fake.Bot, dev)
		ev = next()
		require.Equal(t, adapter.KindLeave, ev.Kind)
		require.True(t, ev.Self)
		require.Equal(t, dev, ev.Room.ID)
	})
}

// TestWebhookIsNobody is T1 to T4 for webhooks: what comes over one carries the account of its maker and a name of anybody's choice,
// and is neither.
func TestWebhookIsNobody(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		e := newEar()
		start(t, f, configFor(f), e.sink)
		_, err := f.Webhook(alice, ops, "bob", "@starling deploy prod")
		require.NoError(t, err)
		ev := e.last(t, 0)
		require.Equal(t, adapter.KindBot, ev.User.Kind)
		require.NotContains(t, []string{"mattermost/" + tenant + "/" + alice, "mattermost/" + tenant + "/" + bob}, ev.User.Key())
		require.False(t, ev.Self)
		for i, props := range []map[string]any{{"from_webhook": true}, {"from_plugin": "true"}, {"from_oauth_app": "true"}, {"from_webhook": map[string]any{"odd": 1}}} {
			_, err = f.SayPost(ops, fake.Post{UserID: alice, Message: "x", Props: props})
			require.NoError(t, err)
			ev = e.last(t, i+1)
			require.NotEqual(t, alice, ev.User.ID, props)
			require.Equal(t, adapter.KindBot, ev.User.Kind, props)
		}
		_, err = f.SayPost(ops, fake.Post{UserID: alice, Message: "x", Props: map[string]any{"from_bot": "true"}}) // she takes herself down
		require.NoError(t, err)
		require.Equal(t, adapter.KindBot, e.last(t, 5).User.Kind)
		_, err = f.SayPost(ops, fake.Post{UserID: alice, Message: "x", Props: map[string]any{"from_webhook": "false", "override_username": "bob"}})
		require.NoError(t, err)
		require.Equal(t, "mattermost/"+tenant+"/"+alice, e.last(t, 6).User.Key())
		require.Equal(t, "alice", e.last(t, 6).User.Name)
	})
}

// TestKinds is T4: what kind of account somebody has, and that one who cannot be looked up has none.
func TestKinds(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		want := map[string]adapter.UserKind{}
		add := func(kind adapter.UserKind, u fake.User) {
			u.ID = fake.ID(u.Name)
			f.AddUser(u)
			want[u.ID] = kind
		}
		add(adapter.KindMember, fake.User{Name: "member"})
		add(adapter.KindGuest, fake.User{Name: "guest", Guest: true})
		add(adapter.KindExternal, fake.User{Name: "remote", Remote: fake.ID("elsewhere")})
		add(adapter.KindExternal, fake.User{Name: "remoteguest", Remote: fake.ID("elsewhere"), Guest: true})
		add(adapter.KindBot, fake.User{Name: "robot", Bot: true})
		add(adapter.KindDeactivated, fake.User{Name: "gone", Deactivated: true})
		add(adapter.KindDeactivated, fake.User{Name: "gonebot", Deactivated: true, Bot: false, Guest: true})
		e := newEar()
		start(t, f, configFor(f), e.sink)
		for id := range want {
			_, err := f.Say(id, ops, "hello")
			require.NoError(t, err)
		}
		synctest.Wait()
		require.Len(t, e.heard(), len(want))
		for _, ev := range e.heard() {
			require.Equal(t, want[ev.User.ID], ev.User.Kind, ev.User.ID)
			require.Equal(t, "mattermost/"+tenant+"/"+ev.User.ID, ev.User.Key())
		}
		n := len(e.heard())
		f.AddUser(fake.User{ID: carol, Name: "carol"})
		for _, k := range []fake.FaultKind{fake.FaultStatus, fake.FaultHTML, fake.FaultHang} {
			f.Fail(fake.Fault{Route: "GET /users/{}", Kind: k, Status: 500})
			_, err := f.Say(carol, ops, "nobody knows me")
			require.NoError(t, err)
			wait(5 * time.Second)
			ev := e.last(t, n)
			n++
			require.Equal(t, adapter.KindUnknown, ev.User.Kind, "a failed look-up drops nothing and grants nothing")
			require.Equal(t, "nobody knows me", ev.Text)
			wait(time.Minute)
		}
	})
}

// TestDirectory: names are asked for once, shared, believed for a while, and dropped when they change.
func TestDirectory(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		e := newEar()
		a := start(t, f, configFor(f), e.sink)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				u, err := a.User(t.Context(), alice)
				if err != nil || u.Name != "alice" {
					t.Error(u, err)
				}
			})
		}
		wg.Wait()
		require.Equal(t, 1, f.Calls("GET /users/{}"), "single flight")
		for range 100 {
			_, err := f.Say(alice, ops, "x")
			require.NoError(t, err)
		}
		synctest.Wait()
		require.Equal(t, 1, f.Calls("GET /users/{}"))
		require.Zero(t, f.Calls("GET /channels/{}"), "the event has the room's name")
		_, err := a.User(t.Context(), "@alice")
		require.NoError(t, err)
		_, err = a.Room(t.Context(), "#ops")
		require.NoError(t, err)
		f.Rename(alice, "anna")
		f.RenameRoom(ops, "operations")
		synctest.Wait()
		n := len(e.heard())
		_, err = f.Say(alice, ops, "x")
		require.NoError(t, err)
		ev := e.last(t, n)
		require.Equal(t, "anna", ev.User.Name)
		require.Equal(t, "operations", ev.Room.Name)
		_, err = a.User(t.Context(), "@alice")
		require.ErrorIs(t, err, adapter.ErrNotFound)
		wait(21 * time.Minute)
		before := f.Calls("GET /users/{}")
		_, err = a.User(t.Context(), alice)
		require.NoError(t, err)
		require.Equal(t, before+1, f.Calls("GET /users/{}"), "asked again after 20 minutes")

		u, err := a.User(t.Context(), "@ANNA")
		require.NoError(t, err)
		require.Equal(t, alice, u.ID)
		for _, query := range []string{"", "@", "@nobody", "no-such-id", "../posts", "@../channels/" + ops, "@" + strings.Repeat("x", 100), "@.."} {
			_, err = a.User(t.Context(), query)
			require.ErrorIs(t, err, adapter.ErrNotFound, query)
		}
		for _, query := range []string{"#operations", "~operations"} {
			r, err := a.Room(t.Context(), query)
			require.NoError(t, err)
			require.Equal(t, ops, r.ID)
		}
		f.AddTeam(fake.Team{ID: fake.ID("second"), Name: "second"})
		f.AddRoom(fake.Room{ID: fake.ID("ops2"), Name: "both", Team: fake.ID("second")})
		f.AddRoom(fake.Room{ID: fake.ID("ops3"), Name: "both"})
		_, err = a.Room(t.Context(), "#both")
		require.ErrorIs(t, err, adapter.ErrAmbiguous)
		for _, id := range []string{"", alice + "," + bob, "../x"} {
			_, err = a.OpenDirect(t.Context(), id)
			require.ErrorIs(t, err, adapter.ErrNotFound)
		}
		require.Zero(t, f.Calls("GET /users/../posts"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		f.Fail(fake.Fault{Route: "GET /users/{}", Kind: fake.FaultHang})
		begun := time.Now()
		_, err = a.User(ctx, bob)
		require.ErrorIs(t, err, context.DeadlineExceeded, "the library takes no context, and it is kept")
		require.LessOrEqual(t, time.Since(begun), 2*time.Second)
	})
}

// TestUnknownEvents: what nobody knows is counted and logged at Debug, and costs nothing else.
func TestUnknownEvents(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		var log bytes.Buffer
		var mu sync.Mutex
		cfg := configFor(f)
		cfg.Logger = slog.New(slog.NewTextHandler(canary.Also(canary.Logs, lockedWriter{&mu, &log}), &slog.HandlerOptions{Level: slog.LevelDebug}))
		e := newEar()
		a := start(t, f, cfg, e.sink)
		for range 3 {
			f.Deliver("from_tomorrow", map[string]any{"x": []int{1}}, ops)
		}
		f.Deliver("posted", map[string]any{"post": "{"}, ops)
		f.Deliver("posted", nil, ops)
		f.Deliver("reaction_added", map[string]any{"reaction": `{"user_id":"x"}`}, ops)
		f.Deliver("typing", map[string]any{"user_id": alice}, ops)
		f.DeliverRaw(`[]`)
		_, err := f.SayPost(ops, fake.Post{UserID: alice, Message: "readable", Props: map[string]any{"attachments": 7, "from_webhook": nil}})
		require.NoError(t, err)
		wait(time.Minute)
		require.Equal(t, []string{"readable"}, e.texts(), "a field that is not used may be broken")
		status := a.Status()
		require.Equal(t, 3, status.Unknown["from_tomorrow"])
		require.Equal(t, 2, status.Unknown["posted (malformed)"])
		require.Equal(t, 1, status.Unknown["reaction_added (malformed)"])
		require.Zero(t, status.Unknown["typing"])
		require.Zero(t, status.Reconnects)
		mu.Lock()
		defer mu.Unlock()
		require.Contains(t, log.String(), "level=DEBUG")
		require.NotContains(t, log.String(), "level=ERROR")
	})
}

// TestBrokenSequence: where events are missing, or come from elsewhere, the histories are read; nothing is lost or said twice.
func TestBrokenSequence(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		e := newEar()
		a := start(t, f, configFor(f), e.sink)
		wait(time.Second)
		for i := range 3 {
			f.DeliverRaw(`{"event":"posted","data":7,"seq":99}`) // its place counts though it cannot be read
			_, err := f.Say(alice, ops, fmt.Sprint("first ", i))
			require.NoError(t, err)
			_, err = f.Say(alice, dev, fmt.Sprint("second ", i))
			require.NoError(t, err)
			wait(time.Minute)
		}
		texts := e.texts()
		slices.Sort(texts)
		require.Equal(t, []string{"first 0", "first 1", "first 2", "second 0", "second 1", "second 2"}, texts)
		require.Equal(t, 3, a.Status().Reconnects)
		require.Contains(t, a.Status().Unknown, "frame posted (malformed)")
	})
}

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
					a := start(t, f, configFor(f), e.sink)
					say := func(user, room, root, text string) string {
						id, err := f.SayIn(user, room, root, text)
						require.NoError(t, err)
						return id
					}
					root := say(alice, ops, "", "before")
					changed, gone, left := say(alice, ops, "", "to change"), say(bob, ops, "", "to delete"), say(bob, ops, "", "stays")
					say(alice, dev, "", "quiet since")
					wait(time.Minute)
					n := len(e.heard())
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
					for _, ev := range e.heard()[n:] {
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
					require.Len(t, e.heard()[n:], len(want)+4, "reply, edit, deletion and what came after")
					gaps := a.Status().Gaps
					require.Len(t, gaps, 1)
					require.Contains(t, gaps[0].What, "reactions")
					require.Equal(t, 1, f.Calls("GET /channels/{}/posts"), "a room where nothing was said is not read")
					wait(10 * time.Minute)
					require.Len(t, e.heard()[n:], len(want)+4, "nothing comes twice")
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
					cfg := configFor(f)
					cfg.Positions = kept
					a, err := mattermost.New(cfg)
					require.NoError(t, err)
					ctx, cancel := context.WithCancel(t.Context())
					over := make(chan error, 1)
					go func() { over <- a.Run(ctx, e.sink) }()
					require.NoError(t, f.Await(ctx, f.Connected))
					wait(time.Second)
					test(a)
					cancel()
					require.NoError(t, <-over)
					require.NoError(t, a.Close())
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
				require.Equal(t, []string{"heard", "heard too, at once"}, e.texts())
				say(ops, "missed") // at once
				say(dev, "missed in a quiet room")
				wait(time.Hour)
				run(func(*mattermost.Adapter) { wait(time.Minute) })
				require.ElementsMatch(t, []string{"heard", "heard too, at once", "missed", "missed in a quiet room"}, e.texts())
				for range 3 {
					run(func(*mattermost.Adapter) {})
				}
				require.Len(t, e.texts(), 4, "nothing comes again")
				kept.mu.Lock()
				kept.err = errors.New("the store is away")
				kept.mu.Unlock()
				run(func(a *mattermost.Adapter) {
					wait(time.Minute)
					require.NotEmpty(t, a.Status().Gaps)
					say(ops, "live all the same")
					wait(time.Second)
				})
				require.Equal(t, "live all the same", e.texts()[4])
				t.Logf("%d writes of positions", kept.sets)
				require.Less(t, kept.sets, 60)
			})
		})
	}
}

// TestBackfillTooMuch: what is over the bound, and what cannot be read, is a gap in the log and in Health.
func TestBackfillTooMuch(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		e := newEar()
		a := start(t, f, configFor(f), e.sink)
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
		texts := e.texts()[1:]
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
		a := start(t, f, configFor(f), e.sink)
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
		for _, text := range e.texts() {
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
		start(t, f, cfg, e.sink)
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
		require.ElementsMatch(t, want, e.texts())
	})
}

// TestNewRoomInGap: a room to which the bot was invited while it was away is heard from the beginning of the gap.
func TestNewRoomInGap(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		e := newEar()
		start(t, f, configFor(f), e.sink)
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
		require.ElementsMatch(t, []string{"welcome @starling", "and hello"}, e.texts())
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
					cfg := configFor(f)
					cfg.Positions = kept
					a, err := mattermost.New(cfg)
					require.NoError(t, err)
					ctx, cancel := context.WithCancel(t.Context())
					over := make(chan error, 1)
					go func() { over <- a.Run(ctx, e.sink) }()
					require.NoError(t, f.Await(ctx, f.Connected))
					wait(time.Second)
					test()
					cancel()
					require.NoError(t, <-over)
					require.NoError(t, a.Close())
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
				require.Equal(t, []string{"live"}, e.texts())
				run(func() { wait(time.Minute) })
				ids := map[string]string{} // what was live then may come again, as the same event: the bot's inbox knows it
				for _, ev := range e.heard() {
					ids[ev.Text] = ev.ID
				}
				require.Len(t, ids, 2)
				for _, ev := range e.heard() {
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
						ctx, cancel := context.WithCancel(t.Context())
						over := make(chan error, 1)
						go func() { over <- a.Run(ctx, e.sink) }()
						require.NoError(t, f.Await(ctx, f.Connected))
						test()
						cancel()
						require.NoError(t, <-over)
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
					e.set(func(ctx context.Context, _ *adapter.Event) error { <-ctx.Done(); return ctx.Err() })
					before := len(e.heard())
					run(func() { wait(time.Second); say("not taken"); wait(time.Second) })
					require.Len(t, e.heard(), before+1)
					e.set(nil)
					run(func() { wait(time.Minute) })
					require.ElementsMatch(t, want, append(e.texts()[:before:before], e.texts()[before+1:]...))
					if a != nil {
						require.NoError(t, a.Close())
					}
				})
			})
		}
	}
}
