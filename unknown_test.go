package starling_test

import (
	"context"
	"testing"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/testutil"
)

// The first words of several commands get the list of them; a word that is near one is taken for a mistake.
func TestUnknownGroup(t *testing.T) {
	rt := handler.NewRouter()
	for _, name := range []string{"role list", "role grant", "roll"} {
		rt.Add(handler.Command[handler.None]{Name: name, Summary: "Do it.", Run: func(context.Context, *handler.Request, handler.None) error { return nil }})
	}
	b := testutil.Start(t, starling.Config{Router: rt})
	b.User("alice").Direct("role")
	b.Expect("@alice", "There is more than one of that: role list, role grant.")
	b.User("alice").Direct("rolll")
	b.Expect("@alice", "I don't know that. Did you mean roll?")
}
