package mattermost_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/mattermost"
	"github.com/starlingbot/starling/internal/adapterstage"
	fake "github.com/starlingbot/starling/internal/mattermostfake"
)

func TestNew(t *testing.T) {
	t.Parallel()
	const canary = "cnrymarkcnrymark"
	for want, cfg := range map[string]mattermost.Config{
		"Config.URL is empty":               {Token: canary},
		"Config.URL is not an http address": {URL: "ftp://chat.example.com", Token: canary},
		"without a user":                    {URL: "https://cnrymark:cnrymark@chat.example.com", Token: canary},
		"Config.Token is empty":             {URL: "https://chat.example.com"},
		"Config.Token: there is white":      {URL: "https://chat.example.com", Token: canary + "\n"},
		"Config.CallbackURL":                {URL: "https://chat.example.com", Token: canary, CallbackURL: "bot.example.com"},
		"Config.Secrets[1] has under 16":    {URL: "https://chat.example.com", Token: canary, Secrets: []string{canary, "cnrymark"}},
		"Config.CommandTokens[0] is empty":  {URL: "https://chat.example.com", Token: canary, CommandTokens: []string{""}},
		"Config.HookTokens[1] is empty":     {URL: "https://chat.example.com", Token: canary, HookTokens: []string{canary, " "}},
		"Config.Name \"No!\"":               {URL: "https://chat.example.com", Token: canary, Name: "No!"},
	} {
		a, err := mattermost.New(cfg)
		require.Nil(t, a, want)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "canary", "an error shows no secret")
	}
	cfg := mattermost.Config{URL: "https://Chat.Example.com/below/", Token: canary, Secrets: []string{canary}, CommandTokens: []string{canary}, AdminToken: canary}
	a, err := mattermost.New(cfg)
	require.NoError(t, err)
	require.Equal(t, "mattermost", a.Name())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		require.NotContains(t, fmt.Sprintf(verb+" "+verb, cfg, a), "cnrymark")
	}
	f := a.Features()
	require.False(t, f.Buttons, "there is no callback address")
	require.False(t, f.Ephemeral)
	require.False(t, f.Replay)
	require.Equal(t, 30*time.Second, f.IdempotentSend)
	require.NoError(t, a.Close())
	require.NoError(t, a.Close())
}

// TestFatal: a token that does not work ends Run, with the cure; the websocket, whose dial would not fail, is not even tried.
func TestFatal(t *testing.T) {
	for name, change := range map[string]func(f *fake.Server, cfg *mattermost.Config){
		"wrong":   func(_ *fake.Server, c *mattermost.Config) { c.Token = "cnrymark-wrong" },
		"revoked": func(f *fake.Server, _ *mattermost.Config) { f.Revoke() },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
				cfg := configFor(f)
				change(f, &cfg)
				a := idle(t, cfg)
				for _, err := range []error{a.Check(t.Context()), a.Run(t.Context(), newEar().Sink)} {
					require.ErrorIs(t, err, adapter.ErrAuth)
					require.ErrorContains(t, err, "make a new token there and set Config.Token")
				}
				require.Empty(t, f.Dials())
				require.LessOrEqual(t, f.Calls("GET /users/me"), 3)
			})
		})
	}
}

// TestRevokedLater: a token that is revoked while the websocket is open ends Run, when a verb meets it and also when none does:
// the server goes on sending events.
func TestRevokedLater(t *testing.T) {
	for _, speaks := range []bool{true, false} {
		t.Run(fmt.Sprint("speaks ", speaks), func(t *testing.T) {
			bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
				e := newEar()
				a := idle(t, configFor(f))
				over := make(chan error, 1)
				go func() { over <- a.Run(t.Context(), e.Sink) }()
				require.NoError(t, f.Await(t.Context(), f.Connected))
				_, err := f.Say(alice, ops, "who is she?")
				require.NoError(t, err)
				wait(time.Second) // the rooms are read, and nothing else asks for anything
				f.Revoke()
				_, err = f.Say(alice, ops, "the socket is open")
				require.NoError(t, err)
				synctest.Wait()
				require.Equal(t, []string{"who is she?", "the socket is open"}, e.Texts())
				begun := time.Now()
				if speaks {
					_, err := a.Send(t.Context(), &adapter.Message{To: to(ops), Text: "x"})
					require.ErrorIs(t, err, adapter.ErrAuth)
				}
				require.ErrorIs(t, <-over, adapter.ErrAuth)
				if speaks {
					require.Less(t, time.Since(begun), time.Second)
				} else {
					require.LessOrEqual(t, time.Since(begun), 5*time.Minute)
				}
			})
		})
	}
}

func TestCheck(t *testing.T) {
	bubble(t, fake.Options{MaxFile: 1000, MaxPost: 4000}, func(t *testing.T, f *fake.Server) {
		cfg := configFor(f)
		cfg.SystemAdmin = true
		err := idle(t, cfg).Check(t.Context())
		require.ErrorContains(t, err, "set it to 4000")
		require.ErrorContains(t, err, "set it to 1000")
		require.ErrorContains(t, err, "has not the role system_admin")
		cfg.MaxFile, cfg.MaxText, cfg.SystemAdmin = 1000, 4000, false
		a := idle(t, cfg)
		require.NoError(t, a.Check(t.Context()))
		require.Empty(t, f.Dials())
		f.SetDown(true)
		require.ErrorIs(t, a.Check(t.Context()), adapter.ErrUnavailable)
	})
}

// TestAwayAtStart: a server that is away is waited for, and one that answers with 5xx, HTML, half an answer and 429.
func TestAwayAtStart(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		f.SetDown(true)
		for _, route := range []string{"GET /users/me", "GET /config/client", "GET /websocket"} {
			f.Fail(fake.Fault{Route: route, Kind: fake.FaultStatus, Status: 502})
			f.Fail(fake.Fault{Route: route, Kind: fake.FaultHTML})
			f.Fail(fake.Fault{Route: route, Kind: fake.FaultTruncated})
			f.Fail(fake.Fault{Route: route, Kind: fake.FaultLimit, After: 40})
			f.Fail(fake.Fault{Route: route, Kind: fake.FaultStatus, Status: 302})
		}
		e := newEar()
		a := idle(t, configFor(f))
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan error, 1)
		go func() { over <- a.Run(ctx, e.Sink) }()
		wait(time.Minute)
		f.SetDown(false)
		require.NoError(t, f.Await(t.Context(), f.Connected))
		_, err := f.Say(alice, ops, "there you are")
		require.NoError(t, err)
		e.Last(t, 0)
		cancel()
		require.NoError(t, <-over)
	})
}

// TestSlowBot: a bot that hangs in one room holds up neither the connection nor other rooms.
func TestSlowBot(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		adapterstage.SlowBot(t, ops, dev, func(e *ear) func() int {
			a := start(t, f, configFor(f), e.Sink)
			return func() int { return a.Status().Reconnects }
		}, func(room, text string) error {
			_, err := f.Say(alice, room, text)
			return err
		})
	})
}

// TestBounds: messages over the bounds are read from the history later; what is in none is a gap.
func TestBounds(t *testing.T) {
	bubble(t, fake.Options{Queue: 1 << 20}, func(t *testing.T, f *fake.Server) {
		e := newEar()
		free := make(chan struct{})
		e.Set(func(context.Context, *adapter.Event) error { <-free; return nil })
		a := start(t, f, configFor(f), e.Sink)
		const n = 1500
		for i := range n {
			_, err := f.Say(alice, ops, fmt.Sprint("line ", i))
			require.NoError(t, err)
		}
		synctest.Wait()
		require.NoError(t, f.React(alice, f.Said()[0], "+1", true))
		wait(10 * time.Second)
		require.Greater(t, a.Status().Busy, n-1100)
		require.Len(t, a.Status().Gaps, 1)
		require.Contains(t, a.Status().Gaps[0].What, "reaction")
		require.LessOrEqual(t, a.Status().Waiting, 1025)
		close(free)
		wait(10 * time.Minute)
		texts := e.Texts()
		require.Len(t, texts, n)
		slices.Sort(texts)
		require.Len(t, slices.Compact(texts), n, "each once")
		require.Zero(t, a.Status().Waiting)
	})
}

// TestSinkFails: what the bot does not take is tried until it does, in order, and the position stays before it.
func TestSinkFails(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		kept := &shelf{}
		cfg := configFor(f)
		cfg.Positions = kept
		e := newEar()
		var mu sync.Mutex
		failing, taken := true, []string{}
		e.Set(func(_ context.Context, ev *adapter.Event) error {
			mu.Lock()
			defer mu.Unlock()
			if text := ev.Text; text == "hard" && failing {
				ev.Text, ev.ID = "the event is the sink's", ""
				return errors.New("the store is away")
			}
			taken = append(taken, ev.Text)
			return nil
		})
		start(t, f, cfg, e.Sink)
		root, err := f.Say(alice, ops, "easy")
		require.NoError(t, err)
		wait(10 * time.Second)
		require.NotEmpty(t, kept.Stored()["position/"+ops])
		_, err = f.Say(alice, ops, "hard")
		require.NoError(t, err)
		wait(time.Second)
		_, err = f.SayIn(alice, ops, root, "in another conversation of the room")
		require.NoError(t, err)
		wait(5 * time.Minute)
		hard, _ := f.Get(f.Said()[1])
		require.Less(t, kept.Stored()["position/"+ops][:13], fmt.Sprint(hard.CreateAt), "a crash now would not lose it")
		mu.Lock()
		require.Equal(t, []string{"easy", "in another conversation of the room"}, taken)
		failing = false
		mu.Unlock()
		wait(5 * time.Minute)
		mu.Lock()
		require.Equal(t, []string{"easy", "in another conversation of the room", "hard"}, taken)
		mu.Unlock()
		require.Greater(t, kept.Stored()["position/"+ops][:13], fmt.Sprint(hard.CreateAt))
	})
}

// TestSecrets: neither logs nor errors show a token, a seal or an address that is one.
func TestSecrets(t *testing.T) {
	bubble(t, fake.Options{Token: "cnrymarktoken"}, func(t *testing.T, f *fake.Server) {
		f.AddCommand("canary", "cnrymarkcommand", fake.CallbackURL)
		log := new(adapterstage.Log)
		cfg := configFor(f)
		cfg.Token, cfg.Secrets, cfg.CommandTokens = "cnrymarktoken", []string{"cnrymarkcnrymark"}, []string{"cnrymarkcommand"}
		cfg.Logger = log.Logger()
		e := newEar()
		a := start(t, f, cfg, e.Sink)
		require.NoError(t, f.Invoke(alice, ops, "canary", "api"))
		synctest.Wait()
		ev := e.Heard()[0]
		require.NotContains(t, string(ev.Raw), "cnrymarkcommand")
		_, err := a.Send(t.Context(), &adapter.Message{To: to(ops), Text: "sure?", Buttons: []adapter.Button{{Label: "Yes", Command: "y"}}})
		require.NoError(t, err)
		require.NoError(t, f.Press(alice, f.Find("sure?")[0].ID, "Yes"))
		synctest.Wait()
		require.NotContains(t, string(e.Heard()[1].Raw), `"starling"`, "the seal of a button is not stored")
		for _, k := range []fake.FaultKind{fake.FaultRefused, fake.FaultLost, fake.FaultHTML, fake.FaultTruncated, fake.FaultStatus, fake.FaultLimit} {
			for _, route := range []string{"POST /posts", "GET /users/{}", "GET /users/me", "GET /websocket"} {
				f.Fail(fake.Fault{Route: route, Kind: k, Status: 500, After: 1})
			}
			_, err := a.Send(t.Context(), &adapter.Message{To: to(ops), Text: "x", Origin: ev.Origin, Only: alice})
			log.Note(err)
			_, err = a.User(t.Context(), bob)
			log.Note(err)
			f.Cut()
			wait(2 * time.Minute)
		}
		f.SetDown(true)
		_, err = a.Send(t.Context(), &adapter.Message{To: to(fake.ID("elsewhere")), Text: "x", Origin: ev.Origin})
		log.Note(err)
		f.Cut()
		wait(time.Minute)
		f.SetDown(false)
		wait(time.Minute)
		log.Note(fmt.Errorf("%+v %v %#v", a, cfg, cfg))
		require.Greater(t, len(log.String()), 2000)
		for _, secret := range []string{"cnrymark", "hooks/commands", "hook0000", "trigger0"} {
			require.NotContains(t, log.String(), secret)
		}
	})
}
