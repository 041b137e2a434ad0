package discord_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/discord"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/internal/discordfake"
)

type pinging struct {
	Times int `arg:"times" default:"1" help:"how often"`
}

// TestBot: a whole bot on the fake. It answers a mention, a direct message, a slash command and a click once each, over
// duplicates, edits, a platform that loses its answers, cuts and a restart.
func TestBot(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		store := brain.New(memory.New())
		kept := &shelf{}
		runs := map[string]int{}
		run := func(test func()) {
			cfg := configFor(f)
			cfg.Positions = kept
			a, err := discord.New(cfg)
			require.NoError(t, err)
			rt := handler.NewRouter()
			rt.Add(handler.Command[pinging]{Name: "ping", Summary: "Say pong.", Run: func(ctx context.Context, r *handler.Request, p pinging) error {
				runs["ping"]++
				return r.Reply(ctx, "PONG %d %s", p.Times, r.Event.User)
			}})
			rt.Command("slow", "Take a while.", func(ctx context.Context, r *handler.Request) error {
				runs["slow"]++
				wait(20 * time.Second)
				return r.Reply(ctx, "DONE")
			}).Background = true
			rt.Respond(`ask`, func(ctx context.Context, r *handler.Request) error {
				runs["ask"]++
				_, err := r.Send(ctx, &adapter.Message{To: r.Event.Address(), Text: "sure?", Buttons: []adapter.Button{{Label: "Yes", Command: "ping 3"}}})
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
			cfg.HTTPClient.CloseIdleConnections()
			synctest.Wait()
		}
		run(func() {
			require.Equal(t, []string{"help", "ping", "slow"}, f.Commands(""))
			said, err := f.Say(alice, ops, "<@"+discordfake.BotUser+"> ping")
			require.NoError(t, err)
			wait(time.Second)
			require.Len(t, f.Find("PONG 1 @Alice"), 1)
			f.Duplicate()
			for range 3 { // T27
				require.NoError(t, f.Edit(said, "<@"+discordfake.BotUser+"> ping "))
				wait(time.Second)
			}
			f.Cut()
			wait(time.Minute)
			require.Equal(t, 1, runs["ping"])

			require.NoError(t, f.Direct(bob, "ping 2"))
			wait(time.Second)
			require.Len(t, f.Find("PONG 2 @Bob"), 1)
			require.NoError(t, f.Use(alice, dev, []string{"ping"}, []map[string]any{{"name": "times", "type": 4, "value": 7}}, nil))
			wait(time.Second)
			require.Len(t, f.Find("PONG 7 @Alice"), 1)
			require.NotEmpty(t, f.Find("PONG 7 @Alice")[0].Interaction, "as the answer to the command")
			require.NoError(t, f.Use(bob, dev, []string{"slow"}, nil, nil))
			wait(10 * time.Second)
			require.Equal(t, 1, f.Thinking())
			wait(time.Minute)
			require.Zero(t, f.Thinking())
			require.Len(t, f.Find("DONE"), 1)

			f.Fail(discordfake.Fault{Route: "send", Kind: discordfake.FaultLost}) // posted, and the answer is lost
			_, err = f.Say(alice, ops, "<@"+discordfake.BotUser+"> ask")
			require.NoError(t, err)
			wait(time.Minute)
			require.Len(t, f.Find("sure?"), 1, "known by its nonce, and not posted twice")
		})
		_, err := f.Say(alice, ops, "<@"+discordfake.BotUser+"> ping 5")
		require.NoError(t, err)
		run(func() {
			wait(time.Minute)
			require.Len(t, f.Find("PONG 5 @Alice"), 1, "said while it was down")
			require.NoError(t, f.Press(bob, f.Find("sure?")[0].ID, "Yes"))
			wait(time.Minute)
			require.Len(t, f.Find("PONG 3 @Bob"), 1)
			wait(10 * time.Minute)
			require.Equal(t, map[string]int{"ping": 5, "ask": 1, "slow": 1}, runs)
		})
		require.Empty(t, f.Unanswered())
	})
}
