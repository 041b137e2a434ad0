package discord_test

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/discord"
	"github.com/starlingbot/starling/internal/adapterstage"
	"github.com/starlingbot/starling/internal/canary"
	"github.com/starlingbot/starling/internal/discordfake"
	"github.com/starlingbot/starling/testutil/adaptertest"
)

// The people and rooms of the fake server.
const (
	alice = "200000000000000001"
	bob   = "200000000000000002"
	other = "200000000000000009" // another bot
	ops   = "300000000000000001"
	dev   = "300000000000000002"
	none  = "999000000000000001" // does not exist
)

// quiet is a logger for tests that do not look at it.
func quiet() *slog.Logger { return canary.Logger() }

// people fills a fake server.
func people(f *discordfake.Server) {
	f.AddUser(discordfake.User{ID: alice, Name: "alice", Global: "Alice"})
	f.AddUser(discordfake.User{ID: bob, Name: "bob", Global: "Bob", Nick: "Bobby"})
	f.AddUser(discordfake.User{ID: other, Name: "beeper", Bot: true})
	f.AddChannel(discordfake.Channel{ID: ops, Name: "ops", System: true})
	f.AddChannel(discordfake.Channel{ID: dev, Name: "dev", Private: true})
}

// configFor is the configuration of an adapter on a fake.
func configFor(f *discordfake.Server) discord.Config {
	return discord.Config{
		Token: discordfake.Token, PublicKeys: []string{hex.EncodeToString(f.PublicKey())},
		APIURL: f.URL(), HTTPClient: f.Client(), Dialer: f.Dialer(), Logger: quiet(),
	}
}

// harness is Discord as its people see it, for the contract suite.
func harness(testing.TB) adaptertest.Harness {
	f := discordfake.New(discordfake.Options{})
	people(f)
	var client interface{ CloseIdleConnections() }
	kept := &shelf{}
	fault := func(route string, fault discordfake.Fault) func() error {
		return func() error { fault.Route = route; f.Fail(fault); return nil }
	}
	h := adaptertest.Harness{
		Bubble: true, Wait: 10 * time.Minute, Settle: 2 * time.Second,
		Users: []string{alice, bob}, Rooms: []string{ops, dev},
		Missing: adaptertest.Missing{Room: none, User: none, Message: none, File: ops + "/" + none + "/" + none},
		Open: func() (adapter.Adapter, error) {
			cfg := configFor(f)
			cfg.Positions = kept
			client = cfg.HTTPClient
			return discord.New(cfg)
		},
		Say:       f.Say,
		Connected: func(ctx context.Context) error { return f.Await(ctx, f.Connected) },
		Mention: func(user, room, text string) error {
			_, err := f.Say(user, room, "<@"+discordfake.BotUser+"> "+text)
			return err
		},
		Direct:  f.Direct,
		React:   func(user string, p adaptertest.Post, emoji string) error { return f.React(user, p.ID, emoji, true) },
		Unreact: func(user string, p adaptertest.Post, emoji string) error { return f.React(user, p.ID, emoji, false) },
		Press:   func(user string, p adaptertest.Post, label string) error { return f.Press(user, p.ID, label) },
		Reply: func(user string, under adaptertest.Post, text string) error {
			if under.Thread != "" {
				_, err := f.Say(user, under.Thread, text)
				return err
			}
			_, err := f.Below(user, under.ID, text)
			return err
		},
		Edit:   func(_, said, text string) error { return f.Edit(said, text) },
		Delete: func(_, said string) error { return f.Delete(said) },
		Invoke: f.Invoke,
		Share: func(user, room, text string, file adaptertest.File) error {
			return f.Share(user, room, text, file.Name, file.Content)
		},
		Own: func(room, text string) error { _, err := f.Say(discordfake.BotUser, room, text); return err },
		OtherBot: func(room, text string) error {
			_, err := f.Say(other, room, text)
			return errors.Join(err, f.Hook(room, text))
		},
		Odd: func() error {
			f.Deliver("A_KIND_FROM_TOMORROW", map[string]any{"channel_id": ops})
			f.Deliver("MESSAGE_CREATE", map[string]any{"id": "1", "channel_id": ops, "content": 7})
			f.Deliver("MESSAGE_CREATE", map[string]any{"id": []int{1}, "channel_id": ops, "content": "x"})
			f.Deliver("MESSAGE_CREATE", map[string]any{"id": "5", "channel_id": ops, "content": "x", "type": 9000})
			f.Deliver("INTERACTION_CREATE", map[string]any{"id": "5", "type": 77, "token": "x"})
			f.Raw(`{"op":77}`)
			f.Raw(`no json`)
			return nil
		},
		Duplicate: func() error { f.Duplicate(); return nil },
		Redeliver: func() error { return nil }, // the adapter offers what was not taken again by itself
		Drop:      func() error { f.Cut(); return nil },
		Typing:    f.Typing,
		Topic:     f.Topic,
		Commands:  func() []string { return f.Commands("") },
		Reactions: func(said string) []string { return f.Reactions(discordfake.BotUser, said) },
		Faults: map[adaptertest.Fault]func() error{
			adaptertest.FaultRateLimit: fault("send", discordfake.Fault{Kind: discordfake.FaultLimit, After: 2}),
			adaptertest.FaultForbidden: fault("send", discordfake.Fault{Kind: discordfake.FaultError, Status: 403, Code: 50013}),
			adaptertest.FaultDown:      fault("send", discordfake.Fault{Kind: discordfake.FaultRefused}),
			adaptertest.FaultLost:      fault("send", discordfake.Fault{Kind: discordfake.FaultLost}),
			adaptertest.FaultHang:      fault("send", discordfake.Fault{Kind: discordfake.FaultHang}),
			adaptertest.FaultAway:      func() error { f.SetDown(true); f.Cut(); return nil },
			adaptertest.FaultAuth:      func() error { f.Revoke(); return nil },
		},
	}
	h.Posts = func() []adaptertest.Post {
		var out []adaptertest.Post
		for _, m := range f.Posts() {
			room, thread := f.Place(m.Channel)
			p := adaptertest.Post{ID: m.ID, Room: room, Thread: thread, Text: f.Shown(&m), Only: m.Only, Buttons: m.Buttons(), Reactions: m.ReactionsOf(discordfake.BotUser)}
			for _, kv := range f.Fields(&m) {
				p.Fields = append(p.Fields, adapter.Field{Name: kv[0], Value: kv[1]})
			}
			for _, file := range m.Files {
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

func TestContract(t *testing.T) {
	t.Parallel()
	adaptertest.Run(t, harness)
}

// start makes an adapter on a fake and runs it until the test ends; sink takes the events.
func start(t *testing.T, f *discordfake.Server, cfg discord.Config, sink adapter.Sink) *discord.Adapter {
	t.Helper()
	a, err := discord.New(cfg)
	require.NoError(t, err)
	stop := adapterstage.Start(t, f, a, sink, !cfg.NoGateway)
	t.Cleanup(func() {
		stop()
		require.NoError(t, a.Close())
		cfg.HTTPClient.CloseIdleConnections()
	})
	return a
}

// process runs an adapter as a process that starts, does something, and ends.
func process(t *testing.T, f *discordfake.Server, kept discord.Positions, sink adapter.Sink, live func(a *discord.Adapter)) {
	t.Helper()
	cfg := configFor(f)
	cfg.Positions = kept
	a, err := discord.New(cfg)
	require.NoError(t, err)
	stop := adapterstage.Start(t, f, a, sink, true)
	live(a)
	stop()
	require.NoError(t, a.Close())
	cfg.HTTPClient.CloseIdleConnections()
}
