package roles_test

import (
	"context"
	"fmt"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/roles"
)

func Example() {
	ctx := context.Background()
	state := brain.New(memory.New())
	people, err := roles.New(roles.Config{
		Brain:    state.Namespace("roles"),
		Admins:   []string{"slack/T024BE7LD/U123"}, // a key, as whoami shows it, and never a name
		Defaults: []string{"reader"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	rt := handler.NewRouter()
	rt.Mount("roles", people.Routes()) // whoami, role list|members|grant|revoke, why

	alice := adapter.User{Adapter: "slack", Tenant: "T024BE7LD", ID: "U123", Name: "alice", Kind: adapter.KindMember}
	bob := adapter.User{Adapter: "slack", Tenant: "T024BE7LD", ID: "U456", Name: "bob", Kind: adapter.KindMember}
	fmt.Println(people.Grant(ctx, "Deployer", bob, alice))
	fmt.Println(people.Of(ctx, bob))
	fmt.Println(people.Grant(ctx, "admin", bob, alice))

	_, err = roles.New(roles.Config{Brain: state.Namespace("roles"), Admins: []string{"alice"}})
	fmt.Println(err)
	// Output:
	// <nil>
	// [deployer reader] <nil>
	// roles: admin is given by the bot's configuration alone
	// roles: Config.Admins: "alice" is a name, and anybody can take any name: write the key adapter/tenant/id, which that person is told by saying "whoami" to the bot
}
