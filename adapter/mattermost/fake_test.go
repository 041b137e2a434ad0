package mattermost_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/mattermost"
	"github.com/starlingbot/starling/internal/adapterstage"
	"github.com/starlingbot/starling/internal/canary"
	fake "github.com/starlingbot/starling/internal/mattermostfake"
	"github.com/starlingbot/starling/testutil/adaptertest"
)

// quiet is a logger for tests that do not look at it.
func quiet() *slog.Logger { return canary.Logger() }

// The people and rooms of the tests.
var (
	alice, bob, carol = fake.ID("alice"), fake.ID("bob"), fake.ID("carol")
	ops, dev          = fake.ID("ops"), fake.ID("dev")
)

const commandToken = "cnrymarkcommandtokencomman"

// people fills a fake server.
func people(f *fake.Server) {
	f.AddUser(fake.User{ID: alice, Name: "alice", Email: "alice@example.com"})
	f.AddUser(fake.User{ID: bob, Name: "bob"})
	f.AddUser(fake.User{ID: fake.ID("beeper"), Name: "beeper", Bot: true})
	f.AddUser(fake.User{ID: fake.ID("admin"), Name: "admin"})
	f.AddRoom(fake.Room{ID: ops, Name: "ops", Members: []string{alice, bob}})
	f.AddRoom(fake.Room{ID: dev, Name: "dev", Type: "P", Members: []string{alice, bob}})
	f.AddCommand("deploy", commandToken, fake.CallbackURL)
}

// configFor is the configuration of an adapter on a fake, with all that can be had.
func configFor(f *fake.Server) mattermost.Config {
	return mattermost.Config{URL: f.URL(), Token: fake.Token, CallbackURL: fake.CallbackURL, CommandTokens: []string{commandToken},
		HTTPClient: f.Client(), Dialer: f.Dialer(), Logger: quiet()}
}

// harness is Mattermost as its people see it, for the contract suite.
func harness(opt fake.Options, change func(*mattermost.Config)) func(testing.TB) adaptertest.Harness {
	return func(testing.TB) adaptertest.Harness {
		f := fake.New(opt)
		people(f)
		var client *http.Client
		kept := &shelf{}
		var last *mattermost.Adapter
		open := func() (adapter.Adapter, error) {
			cfg := configFor(f)
			cfg.Positions = kept
			change(&cfg)
			client = cfg.HTTPClient
			a, err := mattermost.New(cfg)
			if err == nil {
				f.SetCallback(a.HTTPHandler())
				last = a
			}
			return a, err
		}
		fault := func(fault fake.Fault) func() error {
			return func() error { fault.Route = "POST /posts"; f.Fail(fault); return nil }
		}
		h := adaptertest.Harness{
			Bubble: true, Wait: 10 * time.Minute, Settle: 2 * time.Second,
			Users: []string{alice, bob}, Rooms: []string{ops, dev},
			Missing: adaptertest.Missing{Room: fake.ID("noroom"), User: fake.ID("nobody"), Message: fake.ID("nopost"), File: fake.ID("nofile")},
			Open:    open,
			Say:     f.Say,
			Connected: func(ctx context.Context) error {
				if err := f.Await(ctx, f.Connected); err != nil { // perhaps it is the connection of the process before
					return err
				}
				for !last.Status().Connected {
					if ctx.Err() != nil {
						return ctx.Err()
					}
					wait(time.Millisecond)
				}
				return nil
			},
			Mention: func(user, room, text string) error {
				_, err := f.Say(user, room, "@starling "+text)
				return err
			},
			Direct:  f.Direct,
			React:   func(user string, p adaptertest.Post, _ string) error { return f.React(user, p.ID, "+1", true) },
			Unreact: func(user string, p adaptertest.Post, _ string) error { return f.React(user, p.ID, "+1", false) },
			Press:   func(user string, p adaptertest.Post, label string) error { return f.Press(user, p.ID, label) },
			Reply: func(user string, under adaptertest.Post, text string) error {
				root := under.Thread
				if root == "" {
					root = under.ID
				}
				_, err := f.SayIn(user, under.Room, root, text)
				return err
			},
			Edit:   func(_, said, text string) error { return f.Edit(said, text) },
			Delete: func(_, said string) error { return f.Delete(said) },
			Invoke: f.Invoke,
			Share: func(user, room, text string, file adaptertest.File) error {
				return f.Share(user, room, text, file.Name, file.Content)
			},
			Own:      func(room, text string) error { _, err := f.Say(fake.Bot, room, text); return err },
			OtherBot: func(room, text string) error { _, err := f.Say(fake.ID("beeper"), room, text); return err },
			Odd: func() error {
				f.Deliver("a_kind_from_tomorrow", map[string]any{"x": 1}, ops)
				f.Deliver("posted", map[string]any{"post": 7}, ops)
				f.Deliver("posted", map[string]any{"post": `{"id":7}`}, ops)
				f.Deliver("reaction_added", map[string]any{"reaction": "{"}, ops)
				f.DeliverRaw(`{"a_frame":"from tomorrow"}`)
				f.DeliverRaw(`{"event`)
				return nil
			},
			Duplicate: func() error { f.Duplicate(); return nil },
			Redeliver: func() error { return nil }, // the adapter tries by itself
			Drop:      func() error { f.Cut(); return nil },
			Topic:     f.Header,
			Typing:    f.Typing,
			Reactions: func(said string) []string { return f.Reactions(fake.Bot, said) },
			Faults: map[adaptertest.Fault]func() error{
				adaptertest.FaultRateLimit: fault(fake.Fault{Kind: fake.FaultLimit, After: 2}),
				adaptertest.FaultForbidden: fault(fake.Fault{Kind: fake.FaultError, Status: 403, Error: "api.context.permissions.app_error"}),
				adaptertest.FaultDown:      fault(fake.Fault{Kind: fake.FaultRefused}),
				adaptertest.FaultLost:      fault(fake.Fault{Kind: fake.FaultLost}),
				adaptertest.FaultHang:      fault(fake.Fault{Kind: fake.FaultHang}),
				adaptertest.FaultAway:      func() error { f.SetDown(true); f.Cut(); return nil },
				adaptertest.FaultAuth:      func() error { f.Revoke(); return nil },
			},
		}
		h.Posts = func() []adaptertest.Post {
			var out []adaptertest.Post
			for _, m := range f.Posts() {
				p := adaptertest.Post{ID: m.ID, Room: m.ChannelID, Thread: m.RootID, Text: fake.Shown(&m), Only: m.Only, Buttons: fake.Buttons(&m), Reactions: f.Reactions(fake.Bot, m.ID)}
				for _, kv := range fake.Fields(&m) {
					p.Fields = append(p.Fields, adapter.Field{Name: kv[0], Value: kv[1]})
				}
				for _, file := range f.Files(&m) {
					p.Files = append(p.Files, adaptertest.File{Name: file.Name, Content: file.Content})
				}
				out = append(out, p)
			}
			return out
		}
		h.Close = func() error {
			if client != nil {
				client.CloseIdleConnections()
			}
			return adapterstage.End(f)
		}
		return h
	}
}

// TestContract: a bot that is a system administrator and has a callback address.
func TestContract(t *testing.T) {
	t.Parallel()
	adaptertest.Run(t, harness(fake.Options{SystemAdmin: true}, func(c *mattermost.Config) { c.SystemAdmin = true }))
}

// TestContractPlain: a plain bot without a callback address, positions or anything else.
func TestContractPlain(t *testing.T) {
	t.Parallel()
	adaptertest.Run(t, harness(fake.Options{SameMilli: true}, func(c *mattermost.Config) {
		*c = mattermost.Config{URL: c.URL, Token: c.Token, HTTPClient: c.HTTPClient, Dialer: c.Dialer, Logger: c.Logger, CommandTokens: c.CommandTokens}
	}))
}

// start makes an adapter on a fake and runs it until the test ends; sink takes the events.
func start(t *testing.T, f *fake.Server, cfg mattermost.Config, sink adapter.Sink) *mattermost.Adapter {
	t.Helper()
	a, err := mattermost.New(cfg)
	require.NoError(t, err)
	f.SetCallback(a.HTTPHandler())
	stop := adapterstage.Start(t, f, a, sink, true)
	t.Cleanup(func() {
		stop()
		require.NoError(t, a.Close())
		cfg.HTTPClient.CloseIdleConnections()
	})
	return a
}

// process runs an adapter as a process that starts, does something, and ends.
func process(t *testing.T, f *fake.Server, kept mattermost.Positions, sink adapter.Sink, live func(a *mattermost.Adapter)) {
	t.Helper()
	cfg := configFor(f)
	cfg.Positions = kept
	a, err := mattermost.New(cfg)
	require.NoError(t, err)
	stop := adapterstage.Start(t, f, a, sink, true)
	live(a)
	stop()
	require.NoError(t, a.Close())
	cfg.HTTPClient.CloseIdleConnections()
}
