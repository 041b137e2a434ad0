package slack_test

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

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/slack"
	"github.com/starlingbot/starling/internal/canary"
	"github.com/starlingbot/starling/internal/slackfake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ear is a sink that remembers.
type ear struct {
	mu     sync.Mutex
	events []*adapter.Event
	answer func(ctx context.Context, ev *adapter.Event) error
	woken  chan struct{}
}

func newEar() *ear { return &ear{woken: make(chan struct{}, 1)} }

func (e *ear) sink(ctx context.Context, ev *adapter.Event) error {
	e.mu.Lock()
	e.events = append(e.events, ev)
	answer := e.answer
	e.mu.Unlock()
	if answer != nil {
		return answer(ctx, ev)
	}
	return nil
}

func (e *ear) set(answer func(ctx context.Context, ev *adapter.Event) error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = answer
}

// heard gives the events of others, as they came.
func (e *ear) heard() []*adapter.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []*adapter.Event
	for _, ev := range e.events {
		if !ev.Self {
			out = append(out, ev)
		}
	}
	return out
}

func (e *ear) texts() []string {
	var out []string
	for _, ev := range e.heard() {
		out = append(out, ev.Text)
	}
	return out
}

// last gives the only new event since n, once everything is quiet.
func (e *ear) last(t *testing.T, n int) *adapter.Event {
	t.Helper()
	synctest.Wait()
	all := e.heard()
	require.Len(t, all, n+1)
	return all[n]
}

// bubble runs a test against a fake on the fake clock.
func bubble(t *testing.T, opt slackfake.Options, test func(t *testing.T, f *slackfake.Server)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := slackfake.New(opt)
		people(f)
		t.Cleanup(func() {
			require.NoError(t, f.Close())
			require.Empty(t, f.Mistakes())
			synctest.Wait()
		})
		test(t, f)
	})
}

func wait(d time.Duration) { <-time.After(d) }

func TestNew(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]slack.Config{
		"BotToken is empty":                {AppToken: "xapp-1-cnrymark"},
		"this is an app token":             {BotToken: "xapp-cnrymark", AppToken: "xapp-1-cnrymark"},
		"this is a user token":             {BotToken: "xoxp-cnrymark", AppToken: "xapp-1-cnrymark"},
		"a bot token starts with xoxb-":    {BotToken: "cnrymark", AppToken: "xapp-1-cnrymark"},
		"BotToken: there is white space":   {BotToken: "xoxb-cnrymark\n", AppToken: "xapp-1-cnrymark"},
		"AppToken and Config.SigningSecre": {BotToken: "xoxb-cnrymark"},
		"AppToken: this is a bot token":    {BotToken: "xoxb-cnrymark", AppToken: "xoxb-cnrymark"},
		"an app token starts with xapp-":   {BotToken: "xoxb-cnrymark", AppToken: "cnrymark"},
		"AppToken: there is white space":   {BotToken: "xoxb-cnrymark", AppToken: "xapp-cnrymark "},
		"SigningSecrets[1] is empty":       {BotToken: "xoxb-cnrymark", SigningSecrets: []string{"cnrymark", ""}},
		"SigningSecrets[0]: this is a tok": {BotToken: "xoxb-cnrymark", SigningSecrets: []string{"xapp-cnrymark"}},
		"Config.Name \"No!\"":              {Name: "No!", BotToken: "xoxb-cnrymark", AppToken: "xapp-cnrymark"},
		"Config.APIURL":                    {BotToken: "xoxb-cnrymark", AppToken: "xapp-cnrymark", APIURL: "ftp://x"},
	} {
		a, err := slack.New(cfg)
		require.Nil(t, a)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "cnrymark", "an error shows no secret")
	}
	cfg := slack.Config{BotToken: "xoxb-cnrymark", AppToken: "xapp-cnrymark", SigningSecrets: []string{"cnrymark"}}
	a, err := slack.New(cfg)
	require.NoError(t, err)
	require.Equal(t, "slack", a.Name())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		require.NotContains(t, fmt.Sprintf(verb+" "+verb, cfg, a), "cnrymark")
	}
	require.NoError(t, a.Close())
	require.NoError(t, a.Close())
}

// TestFatal: what no retry cures ends Run, with the cure, and nothing is tried again.
func TestFatal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, want string
		is         error
		opt        slackfake.Options
		change     func(f *slackfake.Server, cfg *slack.Config)
	}{
		{"bot token", "invalid_auth", adapter.ErrAuth, slackfake.Options{}, func(_ *slackfake.Server, c *slack.Config) { c.BotToken = "xoxb-cnrymark-wrong" }},
		{"app token", "Config.AppToken is wrong or revoked", adapter.ErrAuth, slackfake.Options{}, func(_ *slackfake.Server, c *slack.Config) { c.AppToken = "xapp-cnrymark-wrong" }},
		{"revoked", "token_revoked", adapter.ErrAuth, slackfake.Options{}, func(f *slackfake.Server, _ *slack.Config) { f.Revoke() }},
		{"scope", "reactions:write", adapter.ErrForbidden, slackfake.Options{Scopes: slices.DeleteFunc(slackfake.AllScopes(), func(s string) bool { return s == "reactions:write" })}, nil},
		{"app scope", "connections:write", adapter.ErrForbidden, slackfake.Options{}, func(f *slackfake.Server, _ *slack.Config) {
			f.Fail(slackfake.Fault{Method: "apps.connections.open", Kind: slackfake.FaultError, Error: "missing_scope"})
		}},
		{"expired", "token_expired", adapter.ErrAuth, slackfake.Options{}, func(f *slackfake.Server, _ *slack.Config) {
			f.Fail(slackfake.Fault{Method: "apps.connections.open", Kind: slackfake.FaultError, Error: "token_expired"})
		}},
		{"no permission", "turn Socket Mode on", adapter.ErrForbidden, slackfake.Options{}, func(f *slackfake.Server, _ *slack.Config) {
			f.Fail(slackfake.Fault{Method: "apps.connections.open", Kind: slackfake.FaultError, Error: "no_permission"})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, c.opt, func(t *testing.T, f *slackfake.Server) {
				cfg := configFor(f)
				if c.change != nil {
					c.change(f, &cfg)
				}
				a, err := slack.New(cfg)
				require.NoError(t, err)
				if c.name != "app scope" && c.name != "expired" && c.name != "no permission" { // those fail once
					err = a.Check(t.Context())
					require.ErrorIs(t, err, c.is)
					require.ErrorContains(t, err, c.want)
				}
				opens, tests := len(f.Opens()), f.Calls("auth.test")
				err = a.Run(t.Context(), newEar().sink)
				require.ErrorIs(t, err, c.is)
				require.ErrorContains(t, err, c.want)
				require.LessOrEqual(t, len(f.Opens()), opens+1)
				require.LessOrEqual(t, f.Calls("auth.test"), tests+2)
				require.NoError(t, a.Close())
			})
		})
	}
}

func TestCheck(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		a := idle(t, f, configFor(f))
		require.NoError(t, a.Check(t.Context()))
		require.Zero(t, f.Sockets())
		f.Revoke()
		err := a.Check(t.Context())
		require.ErrorIs(t, err, adapter.ErrAuth)
		require.ErrorContains(t, err, "check the bot token")
		require.ErrorContains(t, err, "Config.AppToken")
		f.SetDown(true)
		require.ErrorIs(t, a.Check(t.Context()), adapter.ErrUnavailable)
	})
}

// TestRevokedLater: a token that is revoked while the socket is open ends Run when a verb meets it.
func TestRevokedLater(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		cfg := configFor(f)
		a, err := slack.New(cfg)
		require.NoError(t, err)
		over := make(chan error, 1)
		go func() { over <- a.Run(t.Context(), newEar().sink) }()
		require.NoError(t, f.Await(t.Context(), f.Connected))
		f.Revoke()
		_, err = a.Send(t.Context(), &adapter.Message{To: adapter.Address{Room: "C1"}, Text: "x"})
		require.ErrorIs(t, err, adapter.ErrAuth)
		require.ErrorIs(t, <-over, adapter.ErrAuth)
		require.NoError(t, a.Close())
	})
}

// TestAwayAtStart: a platform that is away is waited for, and one that answers with 5xx, HTML and 429.
func TestAwayAtStart(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		f.SetDown(true)
		for _, method := range []string{"auth.test", "apps.connections.open"} {
			f.Fail(slackfake.Fault{Method: method, Kind: slackfake.FaultStatus, Status: 502})
			f.Fail(slackfake.Fault{Method: method, Kind: slackfake.FaultHTML})
			f.Fail(slackfake.Fault{Method: method, Kind: slackfake.FaultTruncated})
			f.Fail(slackfake.Fault{Method: method, Kind: slackfake.FaultLimit, After: 40})
			f.Fail(slackfake.Fault{Method: method, Kind: slackfake.FaultLost})
		}
		time.AfterFunc(time.Minute, func() { f.SetDown(false) })
		cfg := configFor(f)
		a, err := slack.New(cfg)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan error, 1)
		begun := time.Now()
		go func() { over <- a.Run(ctx, newEar().sink) }()
		require.NoError(t, f.Await(ctx, f.Connected))
		t.Logf("connected after %v of 1 min away and 10 failures", time.Since(begun))
		require.Less(t, time.Since(begun), 8*time.Minute)
		synctest.Wait()
		require.True(t, a.Status().Connected)
		require.Empty(t, a.Status().LastError)
		cancel()
		require.NoError(t, <-over)
		require.NoError(t, a.Close())
	})
}

// TestDialRate: whatever Slack does, there is at most one attempt a second, and a refresh is quick.
func TestDialRate(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		e := newEar()
		a := start(t, f, configFor(f), e.sink)
		wait(time.Minute)
		f.RefuseSockets(8) // too_many_websockets, after the hello
		f.Cut()
		require.NoError(t, f.Await(t.Context(), f.Connected))
		wait(time.Minute)
		for _, reason := range []string{"warning", "refresh_requested", "refresh_requested"} {
			begun := time.Now()
			f.Disconnect(reason)
			require.NoError(t, f.Await(t.Context(), f.Connected))
			require.Less(t, time.Since(begun), 2*time.Second)
			wait(time.Minute)
		}
		f.SetDown(true)
		f.Cut()
		wait(10 * time.Minute)
		f.SetDown(false)
		begun := time.Now()
		require.NoError(t, f.Await(t.Context(), f.Connected))
		require.LessOrEqual(t, time.Since(begun), 40*time.Second)
		opens := f.Opens()
		for i := 1; i < len(opens); i++ {
			require.GreaterOrEqual(t, opens[i].Sub(opens[i-1]), time.Second)
		}
		t.Logf("%d attempts, the closest %v apart", len(opens), closest(opens))
		require.Positive(t, a.Status().Reconnects)
		_, err := f.Say("U1", "C1", "still there?")
		require.NoError(t, err)
		require.Equal(t, "still there?", e.last(t, 0).Text)
	})
}

// TestHangs: a platform that takes connections and says nothing holds nothing up for ever.
func TestHangs(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		e := newEar()
		a := start(t, f, configFor(f), e.sink)
		wait(time.Minute)
		f.Fail(slackfake.Fault{Method: "apps.connections.open", Kind: slackfake.FaultHang})
		f.Mute(1)
		f.Cut()
		begun := time.Now()
		require.NoError(t, f.Await(t.Context(), f.Connected))
		t.Logf("connected %v after a call and a socket that said nothing", time.Since(begun).Round(time.Second))
		require.Less(t, time.Since(begun), 4*time.Minute)
		_, err := f.Say("U1", "C1", "there you are")
		require.NoError(t, err)
		require.Equal(t, "there you are", e.last(t, 0).Text)
		wait(10 * time.Minute) // the deadman of the library is content with pings
		require.Equal(t, 2, a.Status().Reconnects-1)
	})
}

func closest(at []time.Time) time.Duration {
	least := time.Hour
	for i := 1; i < len(at); i++ {
		least = min(least, at[i].Sub(at[i-1]))
	}
	return least
}

// TestSlowBot: a bot that hangs in one room holds up neither the connection nor other rooms, and what Slack delivers again
// meanwhile is not handed over twice.
func TestSlowBot(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		e := newEar()
		free := make(chan struct{})
		e.set(func(_ context.Context, ev *adapter.Event) error {
			if ev.Room.ID == "C1" {
				<-free
			}
			return nil
		})
		a := start(t, f, configFor(f), e.sink)
		for i := range 30 {
			_, err := f.Say("U1", "C1", fmt.Sprint("slow ", i))
			require.NoError(t, err)
		}
		for i := range 30 {
			wait(7 * time.Second)
			_, err := f.Say("U2", "C2", fmt.Sprint("quick ", i))
			require.NoError(t, err)
			synctest.Wait()
			require.Equal(t, fmt.Sprint("quick ", i), e.texts()[len(e.texts())-1])
		}
		require.Zero(t, a.Status().Reconnects, "the connection was never stalled")
		require.Len(t, e.heard(), 31, "one slow event and the quick ones")
		close(free)
		wait(time.Minute)
		var slow []string
		for _, text := range e.texts() {
			if strings.HasPrefix(text, "slow") {
				slow = append(slow, text)
			}
		}
		require.Len(t, slow, 30, "each once")
		for i, text := range slow {
			require.Equal(t, fmt.Sprint("slow ", i), text, "in order")
		}
		wait(10 * time.Minute)
		require.Zero(t, f.Unacknowledged())
	})
}

// TestBounds: more than the bounds hold is left to Slack, which delivers it again.
func TestBounds(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		e := newEar()
		free := make(chan struct{})
		e.set(func(context.Context, *adapter.Event) error { <-free; return nil })
		a := start(t, f, configFor(f), e.sink)
		const n = 700
		for i := range n {
			_, err := f.Say("U1", "C1", fmt.Sprint("line ", i))
			require.NoError(t, err)
		}
		wait(10 * time.Second)
		require.Positive(t, a.Status().Busy)
		close(free)
		wait(10 * time.Minute)
		texts := e.texts()
		slices.Sort(texts)
		require.Len(t, slices.Compact(texts), n)
		require.Len(t, e.texts(), n)
		require.Zero(t, f.Unacknowledged())
		require.Empty(t, f.Lost())
	})
}

// TestEvents: what happens in Slack, as the bot hears it.
func TestEvents(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		e := newEar()
		start(t, f, configFor(f), e.sink)
		n := 0
		next := func() *adapter.Event { ev := e.last(t, n); n++; return ev }

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
		e := newEar()
		start(t, f, configFor(f), e.sink)
		for id := range want {
			_, err := f.Say(id, "C1", "hello")
			require.NoError(t, err)
		}
		synctest.Wait()
		require.Len(t, e.heard(), len(want))
		for _, ev := range e.heard() {
			require.Equal(t, want[ev.User.ID], ev.User.Kind, ev.User.ID)
			require.Equal(t, "slack/T01/"+ev.User.ID, ev.User.Key())
		}
		n := len(e.heard())
		f.AddUser(slackfake.User{ID: "U20", Name: "new"})
		f.Fail(slackfake.Fault{Method: "users.info", Kind: slackfake.FaultStatus, Status: 500, Times: 9})
		_, err := f.Say("U20", "C1", "nobody knows me")
		require.NoError(t, err)
		ev := e.last(t, n)
		require.Equal(t, adapter.KindUnknown, ev.User.Kind, "a failed look-up drops nothing and grants nothing")
		require.Equal(t, "nobody knows me", ev.Text)
		f.AddUser(slackfake.User{ID: "U21", Name: "eve", Team: "T77"})
		_, err = f.Say("U21", "C1", "and me?")
		require.NoError(t, err)
		require.Equal(t, adapter.KindExternal, e.last(t, n+1).User.Kind, "the event itself says so")
	})
}

// TestDirectory: names are asked for once, shared, believed for a while, and dropped when they change.
func TestDirectory(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		e := newEar()
		a := start(t, f, configFor(f), e.sink)
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
		n := len(e.heard())
		_, err := f.Say("U1", "C1", "x")
		require.NoError(t, err)
		ev := e.last(t, n)
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
		var log bytes.Buffer
		var mu sync.Mutex
		cfg := configFor(f)
		cfg.Logger = slog.New(slog.NewTextHandler(canary.Also(canary.Logs, lockedWriter{&mu, &log}), &slog.HandlerOptions{Level: slog.LevelDebug}))
		e := newEar()
		a := start(t, f, cfg, e.sink)
		for range 3 {
			f.Deliver(map[string]any{"type": "from_tomorrow", "event_ts": "1.1"})
		}
		f.Deliver(map[string]any{"type": "message", "channel": "C1", "user": "U1", "ts": "1.2", "text": 7})
		f.Deliver(map[string]any{"type": "message", "channel": "C1", "channel_type": "channel", "user": "U1", "ts": "1700000000.000200", "text": "readable", "blocks": []any{map[string]any{"type": "section", "text": 7}}})
		wait(time.Second)
		require.Zero(t, f.Unacknowledged())
		require.Equal(t, map[string]int{"from_tomorrow": 3, "message (malformed)": 1}, a.Status().Unknown)
		require.Equal(t, []string{"readable"}, e.texts(), "a field that is not used may be broken")
		mu.Lock()
		defer mu.Unlock()
		require.Contains(t, log.String(), "level=DEBUG")
		require.NotContains(t, log.String(), "level=ERROR")
	})
}

type lockedWriter struct {
	mu *sync.Mutex
	b  *bytes.Buffer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

// TestInteractionsAgain: Slack does not deliver a command or a click again, so the adapter tries while somebody waits.
func TestInteractionsAgain(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		e := newEar()
		fails := 2
		e.set(func(_ context.Context, ev *adapter.Event) error {
			ev.Text = "the event is the sink's"
			if fails--; fails >= 0 {
				return errors.New("the store is away")
			}
			return nil
		})
		start(t, f, configFor(f), e.sink)
		require.NoError(t, f.Invoke("U1", "C1", "deploy", "api"))
		wait(3 * time.Second)
		require.Len(t, e.heard(), 3)
		require.Equal(t, e.heard()[0].ID, e.heard()[2].ID)
		require.Zero(t, f.Unacknowledged())
		require.Empty(t, f.Lost())
	})
}

// TestSecrets: neither logs nor errors show a token, a signing secret or an address that is one.
func TestSecrets(t *testing.T) {
	bubble(t, slackfake.Options{BotToken: "xoxb-cnrymark", AppToken: "xapp-cnrymark", SigningSecret: "cnrymark"}, func(t *testing.T, f *slackfake.Server) {
		var log bytes.Buffer
		var mu sync.Mutex
		cfg := configFor(f)
		cfg.BotToken, cfg.AppToken, cfg.SigningSecrets = "xoxb-cnrymark", "xapp-cnrymark", []string{"cnrymark"}
		cfg.Logger = slog.New(slog.NewTextHandler(canary.Also(canary.Logs, lockedWriter{&mu, &log}), &slog.HandlerOptions{Level: slog.LevelDebug}))
		e := newEar()
		a := start(t, f, cfg, e.sink)
		note := func(err error) {
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintln(canary.Also(canary.Logs, &log), "returned:", err)
		}
		require.NoError(t, f.Invoke("U1", "C1", "deploy", "api"))
		synctest.Wait()
		origin := e.heard()[0].Origin
		require.Contains(t, origin, "/response/")
		require.NotContains(t, string(e.heard()[0].Raw), "verification-token")
		for _, kind := range []slackfake.FaultKind{slackfake.FaultRefused, slackfake.FaultLost, slackfake.FaultHTML, slackfake.FaultTruncated, slackfake.FaultScope} {
			for _, method := range []string{"chat.postMessage", "users.info", "files.getUploadURLExternal", "conversations.history"} {
				f.Fail(slackfake.Fault{Method: method, Kind: kind, Error: "x:y"})
			}
			_, err := a.Send(t.Context(), &adapter.Message{To: adapter.Address{Room: "C1"}, Text: "x", Origin: origin})
			note(err)
			_, err = a.User(t.Context(), "U2")
			note(err)
			wait(time.Minute)
		}
		f.SetDown(true)
		_, err := a.Send(t.Context(), &adapter.Message{To: adapter.Address{Room: "C0"}, Text: "x", Origin: origin})
		note(err)
		f.Cut()
		wait(time.Minute)
		f.SetDown(false)
		wait(time.Minute)
		note(fmt.Errorf("%+v %v %#v", a, cfg, cfg))
		mu.Lock()
		defer mu.Unlock()
		require.Greater(t, log.Len(), 2000)
		for _, secret := range []string{"cnrymark", "ticket", "/response/", "secret0"} {
			require.NotContains(t, log.String(), secret)
		}
	})
}
