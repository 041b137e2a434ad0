package slack_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/slack"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/internal/slackfake"
)

// TestBot: a whole bot on the fake. It answers a mention, a direct message, a slash command and a click once each, over
// redeliveries, edits, a platform that loses its answers, and a restart.
func TestBot(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		store := brain.New(memory.New())
		runs := map[string]int{}
		run := func(test func()) {
			cfg := configFor(f)
			a, err := slack.New(cfg)
			require.NoError(t, err)
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
			said, err := f.SayRaw("U1", "C1", "", "<@U0BOT> ping")
			require.NoError(t, err)
			wait(time.Second)
			require.Len(t, f.Find("PONG @ann"), 1)
			f.Duplicate()
			for range 3 { // T27
				require.NoError(t, f.Edit("C1", said, "<@U0BOT> ping "))
			}
			wait(time.Minute)
			require.Equal(t, 1, runs["ping"])

			require.NoError(t, f.Direct("U2", "ping"))
			wait(time.Second)
			require.Len(t, f.Find("PONG @bob"), 1)
			require.NoError(t, f.Invoke("U1", "C2", "ping", ""))
			wait(time.Second)
			require.Len(t, f.Find("PONG @ann"), 2)

			f.Fail(slackfake.Fault{Method: "chat.postMessage", Kind: slackfake.FaultLost}) // posted, and the answer is lost
			_, err = f.SayRaw("U1", "C1", "", "<@U0BOT> ask")
			require.NoError(t, err)
			wait(time.Minute)
			require.Len(t, f.Find("sure?"), 1, "found again by its metadata, and not posted twice")
		})
		run(func() {
			require.NoError(t, f.Press("U2", "C1", f.Find("sure?")[0].TS, "Yes"))
			wait(time.Minute)
			require.Len(t, f.Find("PONG @bob"), 2)
			wait(10 * time.Minute)
			require.Equal(t, map[string]int{"ping": 4, "ask": 1}, runs)
		})
	})
}
