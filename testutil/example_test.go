package testutil_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/testutil"
)

// A chat works without a test too. Here the bot runs until everything that was said is handled.
func ExampleChat() {
	rt := handler.NewRouter()
	rt.Command("ping", "Say PONG.", func(ctx context.Context, r *handler.Request) error { return r.Reply(ctx, "PONG") })
	rt.Hear(`\bpizza\b`, func(ctx context.Context, r *handler.Request) error {
		return r.Thread(ctx, "%s is hungry", r.Event.User)
	})

	chat := testutil.NewChat(testutil.ChatConfig{})
	bot, err := starling.New(starling.Config{Adapters: []adapter.Adapter{chat}, Router: rt, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	chat.As(nil, "alice").Say("#ops", "starling ping")
	chat.As(nil, "bob").Say("#ops", "pizza?")
	chat.End()
	if err := bot.Run(context.Background()); err != nil {
		panic(err)
	}
	for _, p := range chat.Posts() {
		fmt.Println(p.Place, p.Text)
	}
	// Output:
	// #ops PONG
	// #ops/2 @bob is hungry
}
