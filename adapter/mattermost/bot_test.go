package mattermost_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/mattermost"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	fake "github.com/starlingbot/starling/internal/mattermostfake"
)

// TestBot: a whole bot on the fake. It answers a mention, a direct message, a slash command and a click once each, over cuts,
// edits, a server that loses its answers, and a restart.
func TestBot(t *testing.T) {
	bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
		f.AddCommand("ping", commandToken, fake.CallbackURL)
		store := brain.New(memory.New())
		runs := map[string]int{}
		run := func(test func()) {
			a, err := mattermost.New(configFor(f))
			require.NoError(t, err)
			f.SetCallback(a.HTTPHandler())
			rt := handler.NewRouter()
			rt.Command("ping", "Say pong.", func(ctx context.Context, r *handler.Request) error {
				runs["ping"]++
				return r.Reply(ctx, "PONG %s", r.Event.User)
			})
			rt.Respond(`ask`, func(ctx context.Context, r *handler.Request) error {
				runs["ask"]++
				m := &adapter.Message{To: r.Event.Address(), Text: "sure?", Buttons: []adapter.Button{{Label: "Yes", Command: "ping"}}}
				_, err := r.Send(ctx, m)
				return err
			})
			rt.Respond(`psst`, func(ctx context.Context, r *handler.Request) error { return r.Whisper(ctx, "only you") })
			bot, err := starling.New(starling.Config{Adapters: []adapter.Adapter{a}, Router: rt, Brain: store, Logger: quiet()})
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			over := make(chan error, 1)
			go func() { over <- bot.Run(ctx) }()
			require.NoError(t, f.Await(ctx, f.Connected))
			test()
			cancel()
			require.NoError(t, <-over)
			synctest.Wait()
		}
		run(func() {
			said, err := f.Say(alice, ops, "@starling ping")
			require.NoError(t, err)
			wait(time.Second)
			require.Len(t, f.Find("PONG @alice"), 1)
			f.Duplicate()
			f.Cut()
			for range 3 { // T27
				wait(time.Second)
				require.NoError(t, f.Edit(said, "@starling ping "))
				require.NoError(t, f.Edit(said, "@starling ping"))
			}
			wait(time.Minute)
			require.Equal(t, 1, runs["ping"])
			_, err = f.Webhook(alice, ops, "alice", "@starling ping") // T26
			require.NoError(t, err)
			wait(time.Second)
			require.Equal(t, 1, runs["ping"])

			require.NoError(t, f.Direct(bob, "ping"))
			wait(time.Second)
			require.Len(t, f.Find("PONG @bob"), 1)
			require.NoError(t, f.Invoke(alice, dev, "ping", ""))
			wait(time.Second)
			require.Len(t, f.Find("PONG @alice"), 2)
			_, err = f.Say(alice, ops, "@starling psst")
			require.NoError(t, err)
			wait(time.Second)
			require.Len(t, f.Find("only you"), 1)
			require.NotEqual(t, ops, f.Find("only you")[0].ChannelID, "a plain bot whispers in the direct room")

			f.Fail(fake.Fault{Route: "POST /posts", Kind: fake.FaultLost}) // posted, and the answer is lost
			_, err = f.Say(alice, ops, "@starling ask")
			require.NoError(t, err)
			wait(time.Minute)
			require.Len(t, f.Find("sure?"), 1, "found again by its mark, and not posted twice")
		})
		run(func() {
			require.NoError(t, f.Press(bob, f.Find("sure?")[0].ID, "Yes"))
			wait(time.Minute)
			require.Len(t, f.Find("PONG @bob"), 2)
			wait(10 * time.Minute)
			require.Equal(t, map[string]int{"ping": 4, "ask": 1}, runs)
		})
	})
}
