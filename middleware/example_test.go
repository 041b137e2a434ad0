package middleware_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/middleware"
)

func ExampleRecover() {
	rt := handler.NewRouter()
	rt.Use(middleware.Recover())
	rt.Command("boom", "Fall over.", func(context.Context, *handler.Request) error { panic("boom") })
	say(rt, "starling boom")
	// Output:
	// > starling boom
	// error: panic: boom
}

func ExampleLog() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "duration" { // differ from run to run
				return slog.Attr{}
			}
			return a
		},
	}))
	rt := handler.NewRouter()
	rt.Use(middleware.Recover(), middleware.Log(logger))
	rt.Command("ping", "Say pong.", func(ctx context.Context, r *handler.Request) error { return r.Reply(ctx, "pong") })
	rt.Command("fail", "Fail.", func(context.Context, *handler.Request) error { return fmt.Errorf("no disk left") })
	say(rt, "starling ping", "starling fail")
	// Output:
	// > starling ping
	// pong
	// level=INFO msg=handled id=nodle477 route=ping room=terminal/C1 user=terminal//U1 outcome=ok
	// > starling fail
	// level=ERROR msg=handled id=nodle477 route=fail room=terminal/C1 user=terminal//U1 outcome=failed error="no disk left"
	// error: no disk left
}

func ExampleTimeout() {
	rt := handler.NewRouter()
	rt.With(middleware.Timeout(time.Millisecond)).Command("wait", "Wait.", func(ctx context.Context, r *handler.Request) error {
		<-ctx.Done() // what a handler calls gets ctx, and ends with it
		return ctx.Err()
	})
	say(rt, "starling wait")
	// Output:
	// > starling wait
	// error: context deadline exceeded
}

func ExampleRateLimit() {
	rt := handler.NewRouter()
	rt.With(middleware.RateLimit(time.Hour, 2)).Command("roll", "Roll a die.", func(ctx context.Context, r *handler.Request) error {
		return r.Reply(ctx, "four")
	})
	say(rt, "starling roll", "starling roll", "starling roll", "starling roll")
	// Output:
	// > starling roll
	// four
	// > starling roll
	// four
	// > starling roll
	// (only for U1) That is too often. Please try again in 1h.
	// error: refused: rate limit
	// > starling roll
	// error: refused: rate limit
}

// say shows a bot made of rt some messages and prints its answers and what its handlers return.
func say(rt *handler.Router, texts ...string) {
	table, err := rt.Build("starling", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, text := range texts {
		fmt.Println(">", text)
		ev := &adapter.Event{
			ID: "1", Kind: adapter.KindMessage, Adapter: "terminal", Text: text,
			Room: adapter.Room{ID: "C1"}, User: adapter.User{Adapter: "terminal", ID: "U1", Name: "bob"},
		}
		found := table.Match(ev)
		for _, route := range found.Routes {
			r := handler.NewRequest(ev, &console{effects{ephemeral: true}})
			r.Text, r.Route = found.Text, route
			if err := r.Handle(context.Background()); err != nil {
				fmt.Println("error:", err)
			}
		}
	}
}

// console prints what is sent.
type console struct{ effects }

// Said keeps no history.
func (*console) Said(*handler.Request, string, bool) {}

func (*console) Send(_ context.Context, _ *handler.Request, _ string, m *adapter.Message) ([]adapter.Ref, error) {
	if m.Only != "" {
		fmt.Printf("(only for %s) ", m.Only)
	}
	fmt.Println(adapter.PlainText(m.Text))
	return nil, nil
}
