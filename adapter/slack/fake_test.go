package slack_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/slack"
	"github.com/starlingbot/starling/internal/adapterstage"
	"github.com/starlingbot/starling/internal/canary"
	"github.com/starlingbot/starling/internal/slackfake"
	"github.com/starlingbot/starling/testutil/adaptertest"
)

// quiet is a logger for tests that do not look at it.
func quiet() *slog.Logger { return canary.Logger() }

// people fills a fake workspace.
func people(f *slackfake.Server) {
	f.AddUser(slackfake.User{ID: "U1", Name: "ann", Display: "Ann", Email: "ann@example.com"})
	f.AddUser(slackfake.User{ID: "U2", Name: "bob", Display: "Bob"})
	f.AddUser(slackfake.User{ID: "U9BOT", Name: "beeper", Bot: true})
	f.AddRoom(slackfake.Room{ID: "C1", Name: "ops", Members: []string{"U1", "U2"}})
	f.AddRoom(slackfake.Room{ID: "C2", Name: "dev", Type: "group", Members: []string{"U1", "U2"}})
}

// configFor is the configuration of an adapter on a fake.
func configFor(f *slackfake.Server) slack.Config {
	return slack.Config{
		BotToken: slackfake.BotToken, AppToken: slackfake.AppToken, SigningSecrets: []string{slackfake.SigningSecret},
		APIURL: f.URL(), HTTPClient: f.Client(), Dialer: f.Dialer(), Logger: quiet(),
	}
}

// harness is Slack as its people see it, for the contract suite.
func harness(testing.TB) adaptertest.Harness {
	f := slackfake.New(slackfake.Options{})
	people(f)
	var client interface{ CloseIdleConnections() }
	restart := func() (adapter.Adapter, error) {
		// Slack sends each payload to one socket and never repeats a click: the socket of the adapter
		// before must be gone.
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := f.Await(ctx, func() bool { return f.Sockets() == 0 }); err != nil {
			return nil, err
		}
		cfg := configFor(f)
		client = cfg.HTTPClient
		return slack.New(cfg)
	}
	rooms := map[string]string{} // what Say gave -> its room
	post := func(method string, fault slackfake.Fault) func() error {
		return func() error { fault.Method = method; f.Fail(fault); return nil }
	}
	h := adaptertest.Harness{
		Bubble: true, Wait: 10 * time.Minute, Settle: 2 * time.Second,
		Users: []string{"U1", "U2"}, Rooms: []string{"C1", "C2"},
		Missing: adaptertest.Missing{Room: "C0NONE", User: "U0NONE", Message: "1.000001", File: "F0NONE"},
		Open:    restart,
		Say: func(user, room, text string) (string, error) {
			ts, err := f.Say(user, room, text)
			rooms[ts] = room
			return ts, err
		},
		Connected: func(ctx context.Context) error { return f.Await(ctx, f.Connected) },
		Mention: func(user, room, text string) error {
			_, err := f.SayRaw(user, room, "", "<@"+slackfake.BotUser+"> "+text)
			return err
		},
		Direct: f.Direct,
		React: func(user string, p adaptertest.Post, _ string) error {
			return f.React(user, p.Room, p.ID, "thumbsup", true)
		},
		Unreact: func(user string, p adaptertest.Post, _ string) error {
			return f.React(user, p.Room, p.ID, "thumbsup", false)
		},
		Press: func(user string, p adaptertest.Post, label string) error { return f.Press(user, p.Room, p.ID, label) },
		Reply: func(user string, under adaptertest.Post, text string) error {
			root := under.Thread
			if root == "" {
				root = under.ID
			}
			_, err := f.SayRaw(user, under.Room, root, text)
			return err
		},
		Edit:   func(_, said, text string) error { return f.Edit(rooms[said], said, text) },
		Delete: func(_, said string) error { return f.Delete(rooms[said], said) },
		Invoke: f.Invoke,
		Share: func(user, room, text string, file adaptertest.File) error {
			return f.Share(user, room, text, file.Name, file.Content)
		},
		Own:      func(room, text string) error { return f.SayAsBot(slackfake.BotUser, slackfake.BotID, room, text) },
		OtherBot: func(room, text string) error { return f.SayAsBot("U9BOT", "B9BOT", room, text) },
		Odd: func() error {
			f.Deliver(map[string]any{"type": "a_kind_from_tomorrow", "channel": "C1", "event_ts": "1.1"})
			f.Deliver(map[string]any{"type": "message", "channel": "C1", "user": "U1", "ts": "1.2", "text": 7})
			f.Deliver(map[string]any{"type": "message", "channel": []int{1}, "user": "U1", "ts": "1.3", "text": "x"})
			f.DeliverRaw(`{"type":"a_frame_from_tomorrow"}`)
			return nil
		},
		Duplicate:      func() error { f.Duplicate(); return nil },
		Redeliver:      func() error { f.Redeliver(); return nil },
		Unacknowledged: f.Unacknowledged,
		Drop:           func() error { f.Cut(); return nil },
		Topic:          f.Topic,
		Reactions:      func(said string) []string { return f.Reactions(slackfake.BotUser, rooms[said], said) },
		Faults: map[adaptertest.Fault]func() error{
			adaptertest.FaultRateLimit: post("chat.postMessage", slackfake.Fault{Kind: slackfake.FaultLimit, After: 2}),
			adaptertest.FaultForbidden: post("chat.postMessage", slackfake.Fault{Kind: slackfake.FaultScope, Error: "chat:write"}),
			adaptertest.FaultDown:      post("chat.postMessage", slackfake.Fault{Kind: slackfake.FaultRefused}),
			adaptertest.FaultLost:      post("chat.postMessage", slackfake.Fault{Kind: slackfake.FaultLost}),
			adaptertest.FaultHang:      post("chat.postMessage", slackfake.Fault{Kind: slackfake.FaultHang}),
			adaptertest.FaultAway:      func() error { f.SetDown(true); f.Cut(); return nil },
			adaptertest.FaultAuth:      func() error { f.Revoke(); return nil },
		},
	}
	h.Posts = func() []adaptertest.Post {
		var out []adaptertest.Post
		for _, m := range f.Posts() {
			p := adaptertest.Post{ID: m.TS, Room: m.Room, Thread: m.Thread, Text: f.Shown(&m), Only: m.Only, Buttons: m.Buttons(), Reactions: f.Reactions(slackfake.BotUser, m.Room, m.TS)}
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
func start(t *testing.T, f *slackfake.Server, cfg slack.Config, sink adapter.Sink) *slack.Adapter {
	t.Helper()
	a, err := slack.New(cfg)
	require.NoError(t, err)
	stop := adapterstage.Start(t, f, a, sink, cfg.AppToken != "")
	t.Cleanup(func() {
		stop()
		require.NoError(t, a.Close())
		cfg.HTTPClient.CloseIdleConnections()
	})
	return a
}

// process runs an adapter as a process that starts, does something, and ends.
func process(t *testing.T, f *slackfake.Server, kept slack.Positions, sink adapter.Sink, live func(a *slack.Adapter)) {
	t.Helper()
	cfg := configFor(f)
	cfg.Positions = kept
	a, err := slack.New(cfg)
	require.NoError(t, err)
	stop := adapterstage.Start(t, f, a, sink, true)
	live(a)
	stop()
	require.NoError(t, a.Close())
	cfg.HTTPClient.CloseIdleConnections()
}
