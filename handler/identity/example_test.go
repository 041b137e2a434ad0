package identity_test

import (
	"context"
	"fmt"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/identity"
	"github.com/starlingbot/starling/handler/roles"
)

func Example() {
	state := brain.New(memory.New())
	var people *roles.Roles
	links, err := identity.New(identity.Config{
		Brain:   state.Namespace("identity"),
		Changed: func(userKeys ...string) { people.Purge(userKeys...) }, // what a link gives and takes is seen at once
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	people, err = roles.New(roles.Config{Brain: state.Namespace("roles"), People: links})
	if err != nil {
		fmt.Println(err)
		return
	}
	rt := handler.NewRouter()
	rt.Mount("identity", links.Routes()) // link, links, unlink
	rt.Mount("roles", people.Routes())

	fmt.Println(links.Person(context.Background(), "slack/T024BE7LD/U123")) // linked with no other account
	// Output: [slack/T024BE7LD/U123] [] <nil>
}
