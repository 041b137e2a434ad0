package discord_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/discord"
	"github.com/starlingbot/starling/internal/adapterstage"
	"github.com/starlingbot/starling/internal/discordfake"
)

func TestNew(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("ab", 32)
	for want, cfg := range map[string]discord.Config{
		"Token is empty":                      {},
		"Token: there is white space":         {Token: "cnrymark.x.y\n"},
		"Token: this is a public key":         {Token: key},
		"perhaps the client secret":           {Token: "cnrymark"},
		"PublicKeys[0] is not 64 hexadecimal": {Token: "cnrymark.x.y", PublicKeys: []string{"cnrymark"}},
		"PublicKeys[1] is not 64 hexadecimal": {Token: "cnrymark.x.y", PublicKeys: []string{key, ""}},
		"NoGateway without":                   {Token: "cnrymark.x.y", NoGateway: true},
		"Guilds[0] is not the id":             {Token: "cnrymark.x.y", Guilds: []string{"my server"}},
		"CommandGuild is not the id":          {Token: "cnrymark.x.y", CommandGuild: "my server"},
		"Config.Name \"No!\"":                 {Name: "No!", Token: "cnrymark.x.y"},
		"Config.APIURL":                       {Token: "cnrymark.x.y", APIURL: "ftp://x"},
	} {
		a, err := discord.New(cfg)
		require.Nil(t, a)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "cnrymark", "an error shows no secret")
	}
	cfg := discord.Config{Token: "Bot cnrymark.x.y", PublicKeys: []string{key}}
	a, err := discord.New(cfg)
	require.NoError(t, err)
	require.Equal(t, "discord", a.Name())
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
		opt        discordfake.Options
		change     func(f *discordfake.Server, cfg *discord.Config)
		dials      int
	}{
		{"token", "copy the new one", adapter.ErrAuth, discordfake.Options{}, func(_ *discordfake.Server, c *discord.Config) { c.Token = "cnrymark-wrong.token.x" }, 0},
		{"revoked", "copy the new one", adapter.ErrAuth, discordfake.Options{}, func(f *discordfake.Server, _ *discord.Config) { f.Revoke() }, 0},
		{"intents", "turn on Server Members Intent and Message Content Intent", adapter.ErrForbidden, discordfake.Options{Flags: -1}, nil, 0},
		{"one intent", "turn on Message Content Intent on", adapter.ErrForbidden, discordfake.Options{Flags: discordfake.FlagMembers}, nil, 0},
		{"4004", "Config.Token is wrong", adapter.ErrAuth, discordfake.Options{}, func(f *discordfake.Server, _ *discord.Config) { f.CloseIdentify(4004) }, 1},
		{"4010", "does not shard", adapter.ErrForbidden, discordfake.Options{}, func(f *discordfake.Server, _ *discord.Config) { f.CloseIdentify(4010) }, 1},
		{"4011", "does not shard", adapter.ErrForbidden, discordfake.Options{}, func(f *discordfake.Server, _ *discord.Config) { f.CloseIdentify(4011) }, 1},
		{"4012", "update this library", adapter.ErrForbidden, discordfake.Options{}, func(f *discordfake.Server, _ *discord.Config) { f.CloseIdentify(4012) }, 1},
		{"4013", "discord.DefaultIntents", adapter.ErrForbidden, discordfake.Options{}, func(_ *discordfake.Server, c *discord.Config) { c.Intents |= 1 << 30 }, 1},
		{"4014", "Privileged Gateway Intents", adapter.ErrForbidden, discordfake.Options{}, func(f *discordfake.Server, _ *discord.Config) { f.CloseIdentify(4014) }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, c.opt, func(t *testing.T, f *discordfake.Server) {
				cfg := configFor(f)
				if c.change != nil {
					c.change(f, &cfg)
				}
				a, err := discord.New(cfg)
				require.NoError(t, err)
				defer cfg.HTTPClient.CloseIdleConnections()
				err = a.Run(t.Context(), new(ear).Sink)
				require.ErrorIs(t, err, c.is)
				require.ErrorContains(t, err, c.want)
				require.Len(t, f.Dials(), c.dials, "a token that does not work never gets as far as the gateway")
				require.LessOrEqual(t, f.Calls("me"), 1)
				require.NoError(t, a.Close())
			})
		})
	}
}

// TestRevokedLater: a token that is reset while the connection is open ends Run when a verb meets it, and when the connection
// is made again.
func TestRevokedLater(t *testing.T) {
	t.Parallel()
	for _, met := range []string{"verb", "connection"} {
		t.Run(met, func(t *testing.T) {
			bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
				cfg := configFor(f)
				a, err := discord.New(cfg)
				require.NoError(t, err)
				over := make(chan error, 1)
				go func() { over <- a.Run(t.Context(), new(ear).Sink) }()
				require.NoError(t, f.Await(t.Context(), f.Connected))
				f.Revoke()
				if met == "verb" {
					_, err = a.Send(t.Context(), &adapter.Message{To: adapter.Address{Room: ops}, Text: "x"})
					require.ErrorIs(t, err, adapter.ErrAuth)
				} else {
					f.Cut()
				}
				require.ErrorIs(t, <-over, adapter.ErrAuth)
				require.NoError(t, a.Close())
				cfg.HTTPClient.CloseIdleConnections()
			})
		})
	}
}

// TestAwayAtStart: a platform that is away is waited for, and one that answers with 5xx, HTML and 429.
func TestAwayAtStart(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		f.SetDown(true)
		for _, route := range []string{"me", "gateway"} {
			f.Fail(discordfake.Fault{Route: route, Kind: discordfake.FaultStatus, Status: 502})
			f.Fail(discordfake.Fault{Route: route, Kind: discordfake.FaultHTML})
			f.Fail(discordfake.Fault{Route: route, Kind: discordfake.FaultTruncated})
			f.Fail(discordfake.Fault{Route: route, Kind: discordfake.FaultLimit, After: 40})
			f.Fail(discordfake.Fault{Route: route, Kind: discordfake.FaultLost})
			f.Fail(discordfake.Fault{Route: route, Kind: discordfake.FaultStatus, Status: 403}) // not of the API: its guard
			f.Fail(discordfake.Fault{Route: route, Kind: discordfake.FaultError, Status: 403, Code: 40333})
		}
		time.AfterFunc(time.Minute, func() { f.SetDown(false) })
		cfg := configFor(f)
		a, err := discord.New(cfg)
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
		cfg.HTTPClient.CloseIdleConnections()
	})
}

// TestSlowBot: a bot that hangs in one room holds up neither the heartbeats nor other rooms.
func TestSlowBot(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		adapterstage.SlowBot(t, ops, dev, func(e *ear) func() int {
			a := start(t, f, configFor(f), e.Sink)
			return func() int { return a.Status().Reconnects }
		}, func(room, text string) error {
			_, err := f.Say(alice, room, text)
			return err
		})
	})
}

// TestSinkRetry: what the bot does not take is offered until it does, and what follows in the room waits.
func TestSinkRetry(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		begun := time.Now()
		var taken []string
		e.Set(func(_ context.Context, ev *adapter.Event) error {
			if time.Since(begun) < 10*time.Minute {
				ev.Text = "spoiled" // the event is the sink's
				return errors.New("the store is away")
			}
			taken = append(taken, ev.Text)
			return nil
		})
		start(t, f, configFor(f), e.Sink)
		for i := range 5 {
			_, err := f.Say(alice, ops, fmt.Sprint("line ", i))
			require.NoError(t, err)
		}
		wait(11 * time.Minute)
		require.Equal(t, []string{"line 0", "line 1", "line 2", "line 3", "line 4"}, taken)
		require.Less(t, len(e.Heard()), 60, "with growing pauses")
	})
}

// TestBounds: messages over the bounds are read from the history when the bot has caught up, in order and once; what cannot be
// read again is a gap.
func TestBounds(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		free := make(chan struct{})
		e.Set(func(context.Context, *adapter.Event) error { <-free; return nil })
		a := start(t, f, configFor(f), e.Sink)
		const n = 1500
		last := ""
		for i := range n {
			var err error
			last, err = f.Say(alice, ops, fmt.Sprint("line ", i))
			require.NoError(t, err)
		}
		synctest.Wait()
		require.Equal(t, n-513, a.Status().Busy)
		require.NoError(t, f.React(bob, last, "👍", true))
		synctest.Wait()
		require.Len(t, a.Status().Gaps, 1)
		require.Equal(t, "reaction: too many events waited for the bot", a.Status().Gaps[0].What)
		require.Equal(t, 1, a.Health().Gaps)
		f.Fail(discordfake.Fault{Route: "history", Kind: discordfake.FaultSlow, After: 7, Times: 12}) // so that people speak on while a page is read
		close(free)
		for i := range 200 {
			wait(time.Second)
			_, err := f.Say(alice, ops, fmt.Sprint("line ", n+i))
			require.NoError(t, err)
		}
		wait(3 * time.Minute)
		texts := e.Texts()
		require.Len(t, texts, n+200, "each once")
		for i, text := range texts {
			require.Equal(t, fmt.Sprint("line ", i), text, "in order")
		}
	})
}

// TestSecrets: no token of any kind is in the log, in errors, or in what an adapter prints of itself.
func TestSecrets(t *testing.T) {
	bubble(t, discordfake.Options{Token: "cnrymark.token.x"}, func(t *testing.T, f *discordfake.Server) {
		log := new(adapterstage.Log)
		cfg := configFor(f)
		cfg.Token = "cnrymark.token.x"
		cfg.Logger = log.Logger()
		e := new(ear)
		a := start(t, f, cfg, e.Sink)
		require.NoError(t, f.Invoke(alice, ops, "deploy", "api"))
		ev := e.Last(t, 0)
		require.NotContains(t, string(ev.Raw), "token-")
		require.Contains(t, ev.Origin, "token-")
		n := 1
		for _, fault := range []discordfake.Fault{{Kind: discordfake.FaultStatus, Status: 500}, {Kind: discordfake.FaultHTML}, {Kind: discordfake.FaultTruncated}, {Kind: discordfake.FaultLost},
			{Kind: discordfake.FaultHang}, {Kind: discordfake.FaultLimit, After: 1}, {Kind: discordfake.FaultLimitHTML}, {Kind: discordfake.FaultError, Status: 400, Code: 50035}, {Kind: discordfake.FaultRefused}} {
			for _, route := range []string{"callback", "followup", "original", "edit original", "delete original", "send", "message", "user"} {
				f.ClearFaults()
				require.NoError(t, f.Invoke(alice, ops, "deploy", "api"))
				ev := e.Last(t, n)
				n++
				fault.Route = route
				f.Fail(fault)
				if strings.Contains(route, "original") {
					wait(3 * time.Second) // it is put off
				}
				for _, only := range []string{"", alice, ""} {
					_, err := a.Send(t.Context(), &adapter.Message{To: ev.Address(), Text: "x", Origin: ev.Origin, Only: only})
					log.Note(err)
				}
				log.Note(a.Edit(t.Context(), adapter.Ref{Address: ev.Address(), ID: none}, &adapter.Message{To: ev.Address(), Text: "y"}))
				_, err := a.User(t.Context(), none)
				log.Note(err)
				wait(2 * time.Minute)
			}
		}
		f.ClearFaults()
		f.SetDown(true)
		f.Cut()
		wait(time.Minute)
		f.SetDown(false)
		wait(time.Minute)
		log.Note(fmt.Errorf("%+v %v %#v", a, cfg, cfg))
		require.Greater(t, len(log.String()), 5000)
		for _, secret := range []string{"cnrymark", "token-", "/webhooks/", "callback", "session1"} {
			require.NotContains(t, log.String(), secret)
		}
	})
}

func TestCheck(t *testing.T) {
	t.Parallel()
	t.Run("good", func(t *testing.T) {
		bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
			a := idle(t, configFor(f))
			require.NoError(t, a.Check(t.Context()))
			require.Empty(t, f.Dials())
			f.Revoke()
			require.ErrorIs(t, a.Check(t.Context()), adapter.ErrAuth)
			f.SetDown(true)
			require.ErrorIs(t, a.Check(t.Context()), adapter.ErrUnavailable)
		})
	})
	t.Run("bad", func(t *testing.T) {
		bubble(t, discordfake.Options{Flags: -1, Permissions: 1<<10 | 1<<11 | 1<<14}, func(t *testing.T, f *discordfake.Server) {
			cfg := configFor(f)
			cfg.PublicKeys = []string{hex.EncodeToString(make([]byte, 32))}
			cfg.Guilds = []string{none}
			a := idle(t, cfg)
			f.SetSessions(0)
			err := a.Check(t.Context())
			for _, want := range []string{"Server Members Intent and Message Content Intent", "Send Messages in Threads, Create Public Threads, Attach Files, Read Message History, Add Reactions",
				"none of Config.PublicKeys is that of this application", "all 1000 sessions of today are used up", "not in the server " + none, "https://discord.com/oauth2/authorize?client_id=" + discordfake.AppID} {
				require.ErrorContains(t, err, want)
			}
		})
	})
}

// idle makes an adapter that does not run.
func idle(t *testing.T, cfg discord.Config) *discord.Adapter {
	t.Helper()
	a, err := discord.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, a.Close())
		cfg.HTTPClient.CloseIdleConnections()
	})
	return a
}
