package guard_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/terminal"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/roles"
	"github.com/starlingbot/starling/middleware/guard"
)

type shipArgs struct {
	Service string `arg:"service"`
	Env     string `arg:"env" word:"to" enum:"staging,prod" default:"staging"`
}

// Two people talk to a bot that lets deployers ship, and asks an sre for production.
func Example() {
	ctx := context.Background()
	state := brain.New(memory.New())
	people, err := roles.New(roles.Config{Brain: state.Namespace("roles")})
	if err != nil {
		panic(err)
	}
	bob := adapter.User{Adapter: "terminal", ID: "bob"}
	if err := people.Grant(ctx, "deployer", bob, adapter.User{}); err != nil {
		panic(err)
	}
	g, err := guard.New(guard.Config{Roles: people})
	if err != nil {
		panic(err)
	}
	rt := handler.NewRouter()
	rt.Use(g.Enforce)
	rt.Mount("guard", g.Routes())
	rt.Add(handler.Command[shipArgs]{
		Name: "ship", Summary: "Ship a service.", Policy: handler.Policy{Roles: []string{"deployer"}},
		When: func(a shipArgs) handler.Policy {
			if a.Env == "prod" {
				return handler.Policy{Approvals: 1, ApprovedBy: "sre"}
			}
			return handler.Policy{}
		},
		Run: func(ctx context.Context, r *handler.Request, a shipArgs) error {
			return r.Reply(ctx, "%s is in %s.", a.Service, a.Env)
		},
	})
	said := strings.NewReader("/room ops\n/as alice\nstarling ship api\n/as bob\nstarling ship api\n")
	bot, err := starling.New(starling.Config{
		Adapters: []adapter.Adapter{terminal.New(terminal.Config{In: said, Playground: true})}, Router: rt, Brain: state,
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(bot.Run(ctx))
	// Output:
	// #ops starling> @alice: that needs the role deployer.
	// #ops starling> api is in staging.
	// <nil>
}
