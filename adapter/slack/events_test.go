package slack_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/adapterstage"
	"github.com/starlingbot/starling/internal/slackfake"
)

// TestEvents: what happens in Slack, as the bot hears it.
func TestEvents(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		e := new(ear)
		start(t, f, configFor(f), e.Sink)
		n := 0
		next := func() *adapter.Event { ev := e.Last(t, n); n++; return ev }

		_, err := f.SayRaw("U1", "C1", "", "<@U0BOT> tell <@U2> &amp; <#C2>")
		require.NoError(t, err)
		ev := next() // Slack sends two events
		require.Equal(t, adapter.KindMessage, ev.Kind)
		require.Equal(t, "@starling tell @Bob & #dev", ev.Text)
		require.True(t, ev.Mentioned)
		require.Equal(t, "starling", ev.BotName)
		require.Equal(t, "Ann", ev.User.Name)
		require.Equal(t, "ann@example.com", ev.User.Email)
		require.Equal(t, adapter.KindMember, ev.User.Kind)
		require.Equal(t, "slack/T01/U1", ev.User.Key())
		require.Equal(t, adapter.Room{ID: "C1", Name: "ops", Kind: adapter.RoomChannel}, ev.Room)
		require.Equal(t, []string{"slack/T01/U0BOT", "slack/T01/U2"}, []string{ev.Mentions[0].Key(), ev.Mentions[1].Key()})

		said, err := f.Say("U1", "C2", "first")
		require.NoError(t, err)
		ev = next()
		require.Equal(t, adapter.RoomPrivate, ev.Room.Kind)
		require.Equal(t, said, ev.Order)
		require.WithinDuration(t, time.Now(), ev.Time, time.Second)
		for _, text := range []string{"@starling deploy", "@starling deploy it", "changed"} { // T27
			wait(time.Second)
			require.NoError(t, f.Edit("C2", said, text))
			ev = next()
			require.Equal(t, adapter.KindEdit, ev.Kind)
			require.Equal(t, text, ev.Text)
			require.Equal(t, said, ev.MessageID)
		}
		require.NoError(t, f.Unfurl("C2", said)) // nobody changed it
		require.NoError(t, f.Delete("C2", said))
		ev = next()
		require.Equal(t, adapter.KindDelete, ev.Kind)
		require.Empty(t, ev.User.ID)

		f.Join("U2", "C1") // and a message that says so
		ev = next()
		require.Equal(t, adapter.KindJoin, ev.Kind)
		require.Equal(t, "ops", ev.Room.Name)
		require.Equal(t, adapter.RoomChannel, ev.Room.Kind)
		f.Leave("U2", "C1")
		require.Equal(t, adapter.KindLeave, next().Kind)
		f.ChangeTopic("U2", "C1", "ship & sleep")
		ev = next()
		require.Equal(t, adapter.KindTopic, ev.Kind)
		require.Equal(t, "ship & sleep", ev.Text)

		require.NoError(t, f.Direct("U1", "psst"))
		ev = next()
		require.Equal(t, adapter.RoomDirect, ev.Room.Kind)
		f.AddRoom(slackfake.Room{ID: "G1", Name: "mpdm-ann--bob--starling-1", Type: "mpim", Members: []string{"U1", "U2"}})
		_, err = f.Say("U1", "G1", "all of us")
		require.NoError(t, err)
		require.Equal(t, adapter.RoomGroup, next().Room.Kind)

		require.NoError(t, f.Invoke("U1", "C1", "deploy", "api to <prod> & back"))
		ev = next()
		require.Equal(t, &adapter.Invocation{Command: "deploy", Text: "api to <prod> & back"}, ev.Invocation)
		require.NotEmpty(t, ev.Origin)
	})
}

// TestKinds is T4: what kind of account somebody has, from the look-up and without it.
func TestKinds(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		want := map[string]adapter.UserKind{}
		add := func(kind adapter.UserKind, u slackfake.User) {
			u.Name = strings.ToLower(u.ID)
			f.AddUser(u)
			want[u.ID] = kind
		}
		add(adapter.KindMember, slackfake.User{ID: "U10"})
		add(adapter.KindGuest, slackfake.User{ID: "U11", Guest: true})
		add(adapter.KindGuest, slackfake.User{ID: "U12", SingleChannelGuest: true})
		add(adapter.KindExternal, slackfake.User{ID: "U13", Team: "T77"})
		add(adapter.KindExternal, slackfake.User{ID: "U14", Stranger: true})
		add(adapter.KindExternal, slackfake.User{ID: "U15", Team: "T77", Guest: true})
		add(adapter.KindBot, slackfake.User{ID: "U16", Bot: true})
		add(adapter.KindDeactivated, slackfake.User{ID: "U17", Deactivated: true})
		add(adapter.KindDeactivated, slackfake.User{ID: "U18", Deactivated: true, Team: "T77"})
		add(adapter.KindBot, slackfake.User{ID: "USLACKBOT"})
		e := new(ear)
		start(t, f, configFor(f), e.Sink)
		for id := range want {
			_, err := f.Say(id, "C1", "hello")
			require.NoError(t, err)
		}
		synctest.Wait()
		require.Len(t, e.Heard(), len(want))
		for _, ev := range e.Heard() {
			require.Equal(t, want[ev.User.ID], ev.User.Kind, ev.User.ID)
			require.Equal(t, "slack/T01/"+ev.User.ID, ev.User.Key())
		}
		n := len(e.Heard())
		f.AddUser(slackfake.User{ID: "U20", Name: "new"})
		f.Fail(slackfake.Fault{Method: "users.info", Kind: slackfake.FaultStatus, Status: 500, Times: 9})
		_, err := f.Say("U20", "C1", "nobody knows me")
		require.NoError(t, err)
		ev := e.Last(t, n)
		require.Equal(t, adapter.KindUnknown, ev.User.Kind, "a failed look-up drops nothing and grants nothing")
		require.Equal(t, "nobody knows me", ev.Text)
		f.AddUser(slackfake.User{ID: "U21", Name: "eve", Team: "T77"})
		_, err = f.Say("U21", "C1", "and me?")
		require.NoError(t, err)
		require.Equal(t, adapter.KindExternal, e.Last(t, n+1).User.Kind, "the event itself says so")
	})
}

// TestDirectory: names are asked for once, shared, believed for a while, and dropped when they change.
func TestDirectory(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				u, err := a.User(t.Context(), "U1")
				require.NoError(t, err)
				require.Equal(t, "Ann", u.Name)
			})
		}
		wg.Wait()
		require.Equal(t, 1, f.Calls("users.info"), "single flight")
		for range 100 {
			_, err := f.Say("U1", "C1", "x")
			require.NoError(t, err)
		}
		synctest.Wait()
		require.Equal(t, 1, f.Calls("users.info"))
		require.LessOrEqual(t, f.Calls("conversations.info"), 1)
		f.Rename("U1", "Anna")
		f.RenameRoom("C1", "operations")
		synctest.Wait()
		n := len(e.Heard())
		_, err := f.Say("U1", "C1", "x")
		require.NoError(t, err)
		ev := e.Last(t, n)
		require.Equal(t, "Anna", ev.User.Name)
		require.Equal(t, "operations", ev.Room.Name)
		wait(21 * time.Minute)
		before := f.Calls("users.info")
		_, err = a.User(t.Context(), "U1")
		require.NoError(t, err)
		require.Equal(t, before+1, f.Calls("users.info"), "asked again after 20 minutes")

		f.AddUser(slackfake.User{ID: "U3", Name: "ann2", Display: "bob"})
		wait(21 * time.Minute)
		u, err := a.User(t.Context(), "@ANNA")
		require.NoError(t, err)
		require.Equal(t, "U1", u.ID)
		_, err = a.User(t.Context(), "@bob")
		require.ErrorIs(t, err, adapter.ErrAmbiguous)
		_, err = a.User(t.Context(), "@nobody")
		require.ErrorIs(t, err, adapter.ErrNotFound)
		_, err = a.User(t.Context(), "")
		require.ErrorIs(t, err, adapter.ErrNotFound)
		r, err := a.Room(t.Context(), "#operations")
		require.NoError(t, err)
		require.Equal(t, "C1", r.ID)
		_, err = a.OpenDirect(t.Context(), "U1,U2")
		require.ErrorIs(t, err, adapter.ErrNotFound)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		f.Fail(slackfake.Fault{Method: "users.info", Kind: slackfake.FaultHang})
		begun := time.Now()
		_, err = a.User(ctx, "U2")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.LessOrEqual(t, time.Since(begun), 2*time.Second)
	})
}

// TestUnknownEvents: what nobody knows is acknowledged, counted and logged at Debug.
func TestUnknownEvents(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		log := new(adapterstage.Log)
		cfg := configFor(f)
		cfg.Logger = log.Logger()
		e := new(ear)
		a := start(t, f, cfg, e.Sink)
		for range 3 {
			f.Deliver(map[string]any{"type": "from_tomorrow", "event_ts": "1.1"})
		}
		f.Deliver(map[string]any{"type": "message", "channel": "C1", "user": "U1", "ts": "1.2", "text": 7})
		f.Deliver(map[string]any{"type": "message", "channel": "C1", "channel_type": "channel", "user": "U1", "ts": "1700000000.000200", "text": "readable", "blocks": []any{map[string]any{"type": "section", "text": 7}}})
		wait(time.Second)
		require.Zero(t, f.Unacknowledged())
		require.Equal(t, map[string]int{"from_tomorrow": 3, "message (malformed)": 1}, a.Status().Unknown)
		require.Equal(t, []string{"readable"}, e.Texts(), "a field that is not used may be broken")
		require.Contains(t, log.String(), "level=DEBUG")
		require.NotContains(t, log.String(), "level=ERROR")
	})
}

// TestInteractionsAgain: Slack does not deliver a command or a click again, so the adapter tries while somebody waits.
func TestInteractionsAgain(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		e := new(ear)
		fails := 2
		var mu sync.Mutex
		var commands []string
		e.Set(func(_ context.Context, ev *adapter.Event) error {
			mu.Lock()
			defer mu.Unlock()
			commands = append(commands, ev.Invocation.Command)
			ev.Invocation.Command = "the event is the sink's"
			if fails--; fails >= 0 {
				return errors.New("the store is away")
			}
			return nil
		})
		start(t, f, configFor(f), e.Sink)
		require.NoError(t, f.Invoke("U1", "C1", "deploy", "api"))
		wait(3 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, []string{"deploy", "deploy", "deploy"}, commands)
		require.Equal(t, e.Heard()[0].ID, e.Heard()[2].ID)
		require.Zero(t, f.Unacknowledged())
		require.Empty(t, f.Lost())
	})
}

// TestInteractionGivenUp: one that the bot does not take is lost, and the log does not say otherwise.
func TestInteractionGivenUp(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		log := new(adapterstage.Log)
		cfg := configFor(f)
		cfg.Logger = log.Logger()
		e := new(ear)
		e.Set(func(context.Context, *adapter.Event) error { return errors.New("the store is away") })
		start(t, f, cfg, e.Sink)
		require.NoError(t, f.Invoke("U1", "C1", "deploy", "api"))
		wait(time.Minute)
		require.Contains(t, log.String(), "slack shows its user an error")
		require.NotContains(t, log.String(), "delivers it again")
		_, err := f.Say("U1", "C1", "hello")
		require.NoError(t, err)
		wait(time.Second)
		require.Contains(t, log.String(), "delivers it again")
	})
}
