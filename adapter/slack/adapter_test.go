package slack_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/slack"
	"github.com/starlingbot/starling/internal/adapterstage"
	"github.com/starlingbot/starling/internal/slackfake"
)

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
				err = a.Run(t.Context(), new(ear).Sink)
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
		go func() { over <- a.Run(t.Context(), new(ear).Sink) }()
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
		go func() { over <- a.Run(ctx, new(ear).Sink) }()
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
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
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
		require.Equal(t, "still there?", e.Last(t, 0).Text)
	})
}

// TestHangs: a platform that takes connections and says nothing holds nothing up for ever.
func TestHangs(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
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
		require.Equal(t, "there you are", e.Last(t, 0).Text)
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
		adapterstage.SlowBot(t, "C1", "C2", func(e *ear) func() int {
			a := start(t, f, configFor(f), e.Sink)
			return func() int { return a.Status().Reconnects }
		}, func(room, text string) error {
			_, err := f.Say("U1", room, text)
			return err
		})
		wait(10 * time.Minute)
		require.Zero(t, f.Unacknowledged())
	})
}

// TestBounds: more than the bounds hold is left to Slack, which delivers it again.
func TestBounds(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		e := new(ear)
		free := make(chan struct{})
		e.Set(func(context.Context, *adapter.Event) error { <-free; return nil })
		a := start(t, f, configFor(f), e.Sink)
		const n = 700
		for i := range n {
			_, err := f.Say("U1", "C1", fmt.Sprint("line ", i))
			require.NoError(t, err)
		}
		wait(10 * time.Second)
		require.Positive(t, a.Status().Busy)
		close(free)
		wait(10 * time.Minute)
		texts := e.Texts()
		slices.Sort(texts)
		require.Len(t, slices.Compact(texts), n)
		require.Len(t, e.Texts(), n)
		require.Zero(t, f.Unacknowledged())
		require.Empty(t, f.Lost())
	})
}

// TestSecrets: neither logs nor errors show a token, a signing secret or an address that is one.
func TestSecrets(t *testing.T) {
	bubble(t, slackfake.Options{BotToken: "xoxb-cnrymark", AppToken: "xapp-cnrymark", SigningSecret: "cnrymark"}, func(t *testing.T, f *slackfake.Server) {
		log := new(adapterstage.Log)
		cfg := configFor(f)
		cfg.BotToken, cfg.AppToken, cfg.SigningSecrets = "xoxb-cnrymark", "xapp-cnrymark", []string{"cnrymark"}
		cfg.Logger = log.Logger()
		e := new(ear)
		a := start(t, f, cfg, e.Sink)
		require.NoError(t, f.Invoke("U1", "C1", "deploy", "api"))
		synctest.Wait()
		origin := e.Heard()[0].Origin
		require.Contains(t, origin, "/response/")
		require.NotContains(t, string(e.Heard()[0].Raw), "verification-token")
		for _, kind := range []slackfake.FaultKind{slackfake.FaultRefused, slackfake.FaultLost, slackfake.FaultHTML, slackfake.FaultTruncated, slackfake.FaultScope} {
			for _, method := range []string{"chat.postMessage", "users.info", "files.getUploadURLExternal", "conversations.history"} {
				f.Fail(slackfake.Fault{Method: method, Kind: kind, Error: "x:y"})
			}
			_, err := a.Send(t.Context(), &adapter.Message{To: adapter.Address{Room: "C1"}, Text: "x", Origin: origin})
			log.Note(err)
			_, err = a.User(t.Context(), "U2")
			log.Note(err)
			wait(time.Minute)
		}
		f.SetDown(true)
		_, err := a.Send(t.Context(), &adapter.Message{To: adapter.Address{Room: "C0"}, Text: "x", Origin: origin})
		log.Note(err)
		f.Cut()
		wait(time.Minute)
		f.SetDown(false)
		wait(time.Minute)
		log.Note(fmt.Errorf("%+v %v %#v", a, cfg, cfg))
		require.Greater(t, len(log.String()), 2000)
		for _, secret := range []string{"cnrymark", "ticket", "/response/", "secret0"} {
			require.NotContains(t, log.String(), secret)
		}
	})
}
