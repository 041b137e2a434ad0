package terminal_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/terminal"
)

// A pipe instead of a terminal: one line in, plain text out. The bot is the smallest there is.
func Example() {
	a := terminal.New(terminal.Config{In: strings.NewReader("ping\n"), Out: os.Stdout})
	defer a.Close()
	err := a.Run(context.Background(), func(ctx context.Context, ev *adapter.Event) error {
		if ev.Text == "ping" {
			_, err := a.Send(ctx, &adapter.Message{To: ev.Address(), Text: "pong"})
			return err
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// starling> pong
	// <nil>
}

// One person plays a team: alice asks in a room, bob presses a button.
func Example_playground() {
	a := terminal.New(terminal.Config{In: strings.NewReader(`/room ops
/as alice
deploy api
/as bob
/press 1 yes
`), Playground: true})
	defer a.Close()
	_ = a.Run(context.Background(), func(ctx context.Context, ev *adapter.Event) error {
		m := &adapter.Message{To: ev.Address()}
		switch ev.Kind {
		case adapter.KindMessage:
			m.Text = adapter.Format("%s asks for %s", ev.User.Name, ev.Text)
			m.Buttons = []adapter.Button{{Label: "Yes", Command: "approve 1"}, {Label: "No", Command: "deny 1"}}
		case adapter.KindClick:
			m.Text = adapter.Format("%s says %s", ev.User.Name, ev.Click.Command)
		}
		_, err := a.Send(ctx, m)
		return err
	})
	// Output:
	// #ops starling> alice asks for deploy api
	//   [1] Yes  [2] No
	// #ops starling> bob says approve 1
}

// Logs at Warn go through the adapter, so that they do not break the prompt.
func ExampleAdapter_LogWriter() {
	a := terminal.New(terminal.Config{Err: os.Stdout})
	defer a.Close()
	text := slog.NewTextHandler(a.LogWriter(), &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: func(_ []string, attr slog.Attr) slog.Attr {
		if attr.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return attr
	}})
	slog.New(text).Warn("store is slow", "took", "3s")
	// Output:
	// level=WARN msg="store is slow" took=3s
}
