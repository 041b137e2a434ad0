package handler_test

import (
	"context"
	"fmt"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
)

func ExampleRouter_Hear() {
	rt := handler.NewRouter()
	rt.Hear(`(?i)\bbadger\b`, func(ctx context.Context, r *handler.Request) error {
		return r.Reply(ctx, "Badgers? We don't need no badgers.")
	})
	say(rt, "Somebody saw a Badger in the garden.", "starling badger")
	// Output:
	// > Somebody saw a Badger in the garden.
	// Badgers? We don't need no badgers.
	// > starling badger
	// Badgers? We don't need no badgers.
}

func ExampleRouter_Respond() {
	rt := handler.NewRouter()
	rt.Respond(`open the (?P<door>.+) doors`, func(ctx context.Context, r *handler.Request) error {
		return r.Reply(ctx, "Opening the %s doors.", r.Arg("door"))
	})
	say(rt, "starling: open the pod bay doors", "open the pod bay doors")
	// Output:
	// > starling: open the pod bay doors
	// Opening the pod bay doors.
	// > open the pod bay doors
}

func ExampleRouter_Command() {
	rt := handler.NewRouter()
	rt.Command("ping", "Say pong.", func(ctx context.Context, r *handler.Request) error {
		return r.Reply(ctx, "pong")
	})
	say(rt, "!ping", "@Starling, PING", "!help")
	// Output:
	// > !ping
	// pong
	// > @Starling, PING
	// pong
	// > !help
	// ping - Say pong.
	// help [WORD] - Show what I can do.
}

// The format is markup; the arguments are data and print as such: what people write makes no bold text and no mention, and
// a User is a real mention.
func ExampleRequest_Reply() {
	rt := handler.NewRouter()
	rt.Respond(`echo (.*)`, func(ctx context.Context, r *handler.Request) error {
		return r.Reply(ctx, "**%s** says %s", r.Event.User, r.Arg("1"))
	})
	say(rt, "!echo hi *all*, @here")
	// Output:
	// > !echo hi *all*, @here
	// **@bob** says hi *all*, @here
}

// A change is made once per delivery: an event that comes again gets the value that it made the first time.
func ExampleChange() {
	store := memory.New()
	effects := &console{}
	for _, delivery := range []string{"event 1", "event 2", "event 1"} {
		r := handler.NewRequest(&adapter.Event{ID: delivery}, effects)
		r.Brain = brain.New(store)
		points, err := handler.Change(context.Background(), r, "points", func(n *int) error {
			*n++
			return nil
		})
		fmt.Println(delivery, points, err)
	}
	// Output:
	// event 1 1 <nil>
	// event 2 2 <nil>
	// event 1 1 <nil>
}

// say shows a bot made of rt some messages and prints its answers.
func say(rt *handler.Router, texts ...string) {
	table, err := rt.Build("starling", []string{"!"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, text := range texts {
		fmt.Println(">", text)
		ev := &adapter.Event{
			ID: "1", Kind: adapter.KindMessage, Text: text, Time: time.Now(),
			Room: adapter.Room{ID: "C1"}, User: adapter.User{ID: "U1", Name: "bob"},
		}
		found := table.Match(ev)
		for _, route := range found.Routes {
			r := handler.NewRequest(ev, &console{})
			r.Text, r.Route = found.Text, route
			if err := r.Handle(context.Background()); err != nil {
				fmt.Println(err)
			}
		}
	}
}

// console prints what is sent.
type console struct{ recorder }

func (*console) Send(_ context.Context, _ *handler.Request, _ string, m *adapter.Message) ([]adapter.Ref, error) {
	fmt.Println(adapter.PlainText(m.Text))
	return nil, nil
}
