package mattermost_test

import (
	"context"
	"fmt"
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
	"github.com/starlingbot/starling/internal/adapterstage"
	fake "github.com/starlingbot/starling/internal/mattermostfake"
)

// tenant is that of everybody on a fake.
const tenant = "mattermost.test"

// TestEvents: what happens in Mattermost, as the bot hears it.
func TestEvents(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		e := newEar()
		start(t, f, configFor(f), e.Sink)
		n := 0
		next := func() *adapter.Event { ev := e.Last(t, n); n++; return ev }
		none := func() { synctest.Wait(); require.Len(t, e.Heard(), n) }

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
		start(t, f, configFor(f), e.Sink)
		_, err := f.Webhook(alice, ops, "bob", "@starling deploy prod")
		require.NoError(t, err)
		ev := e.Last(t, 0)
		require.Equal(t, adapter.KindBot, ev.User.Kind)
		require.NotContains(t, []string{"mattermost/" + tenant + "/" + alice, "mattermost/" + tenant + "/" + bob}, ev.User.Key())
		require.False(t, ev.Self)
		for i, props := range []map[string]any{{"from_webhook": true}, {"from_plugin": "true"}, {"from_oauth_app": "true"}, {"from_webhook": map[string]any{"odd": 1}}} {
			_, err = f.SayPost(ops, fake.Post{UserID: alice, Message: "x", Props: props})
			require.NoError(t, err)
			ev = e.Last(t, i+1)
			require.NotEqual(t, alice, ev.User.ID, props)
			require.Equal(t, adapter.KindBot, ev.User.Kind, props)
		}
		_, err = f.SayPost(ops, fake.Post{UserID: alice, Message: "x", Props: map[string]any{"from_bot": "true"}}) // she takes herself down
		require.NoError(t, err)
		require.Equal(t, adapter.KindBot, e.Last(t, 5).User.Kind)
		_, err = f.SayPost(ops, fake.Post{UserID: alice, Message: "x", Props: map[string]any{"from_webhook": "false", "override_username": "bob"}})
		require.NoError(t, err)
		require.Equal(t, "mattermost/"+tenant+"/"+alice, e.Last(t, 6).User.Key())
		require.Equal(t, "alice", e.Last(t, 6).User.Name)
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
		start(t, f, configFor(f), e.Sink)
		for id := range want {
			_, err := f.Say(id, ops, "hello")
			require.NoError(t, err)
		}
		synctest.Wait()
		require.Len(t, e.Heard(), len(want))
		for _, ev := range e.Heard() {
			require.Equal(t, want[ev.User.ID], ev.User.Kind, ev.User.ID)
			require.Equal(t, "mattermost/"+tenant+"/"+ev.User.ID, ev.User.Key())
		}
		n := len(e.Heard())
		f.AddUser(fake.User{ID: carol, Name: "carol"})
		for _, k := range []fake.FaultKind{fake.FaultStatus, fake.FaultHTML, fake.FaultHang} {
			f.Fail(fake.Fault{Route: "GET /users/{}", Kind: k, Status: 500})
			_, err := f.Say(carol, ops, "nobody knows me")
			require.NoError(t, err)
			wait(5 * time.Second)
			ev := e.Last(t, n)
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
		a := start(t, f, configFor(f), e.Sink)
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
		n := len(e.Heard())
		_, err = f.Say(alice, ops, "x")
		require.NoError(t, err)
		ev := e.Last(t, n)
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
		log := new(adapterstage.Log)
		cfg := configFor(f)
		cfg.Logger = log.Logger()
		e := newEar()
		a := start(t, f, cfg, e.Sink)
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
		require.Equal(t, []string{"readable"}, e.Texts(), "a field that is not used may be broken")
		status := a.Status()
		require.Equal(t, 3, status.Unknown["from_tomorrow"])
		require.Equal(t, 2, status.Unknown["posted (malformed)"])
		require.Equal(t, 1, status.Unknown["reaction_added (malformed)"])
		require.Zero(t, status.Unknown["typing"])
		require.Zero(t, status.Reconnects)
		require.Contains(t, log.String(), "level=DEBUG")
		require.NotContains(t, log.String(), "level=ERROR")
	})
}

// TestBrokenSequence: where events are missing, or come from elsewhere, the histories are read; nothing is lost or said twice.
func TestBrokenSequence(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		e := newEar()
		a := start(t, f, configFor(f), e.Sink)
		wait(time.Second)
		for i := range 3 {
			f.DeliverRaw(`{"event":"posted","data":7,"seq":99}`) // its place counts though it cannot be read
			_, err := f.Say(alice, ops, fmt.Sprint("first ", i))
			require.NoError(t, err)
			_, err = f.Say(alice, dev, fmt.Sprint("second ", i))
			require.NoError(t, err)
			wait(time.Minute)
		}
		texts := e.Texts()
		slices.Sort(texts)
		require.Equal(t, []string{"first 0", "first 1", "first 2", "second 0", "second 1", "second 2"}, texts)
		require.Equal(t, 3, a.Status().Reconnects)
		require.Contains(t, a.Status().Unknown, "frame posted (malformed)")
	})
}
