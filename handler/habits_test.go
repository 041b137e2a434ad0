package handler_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/history"
	"github.com/starlingbot/starling/testutil"
)

type orderArgs struct {
	What string `arg:"what" enum:"pause,cancel,resume"`
}

// habitual starts a bot whose commands repeat what they were given.
func habitual(t *testing.T) *testutil.Bot {
	rt := handler.NewRouter()
	rt.Add(handler.Command[orderArgs]{
		Name: "order", Summary: "Change an order.",
		Run: func(ctx context.Context, r *handler.Request, a orderArgs) error {
			return r.Reply(ctx, "%s it is.", a.What)
		},
	})
	rt.Command("ping", "Say PONG.", func(ctx context.Context, r *handler.Request) error { return r.Reply(ctx, "PONG") })
	rt.Mount("history", history.New())
	chat := testutil.NewChat(testutil.ChatConfig{Name: "chat"})
	return testutil.Start(t, starling.Config{Adapters: []adapter.Adapter{chat}, Router: rt, Brain: brain.New(memory.New())})
}

// A choice that is called cancel is an answer, typed or pressed; where it is none, the word ends the question.
func TestChoiceCalledCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bot := habitual(t)
		alice := bot.User("alice")
		alice.Say("#ops", "starling order")
		alice.Press(bot.Expect("#ops", "What: pause, cancel or resume?"), "cancel")
		bot.ExpectMatch("#ops", "cancel it is")
		alice.Say("#ops", "starling order")
		bot.Expect("#ops", "What: pause, cancel or resume?")
		alice.Say("#ops", "Cancel")
		bot.ExpectMatch("#ops", "cancel it is")
	})
}

// "!!" repeats also what has no arguments, or it would repeat what was said before it; and where the bot is named.
func TestRepeatOfWhatWasSaidLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bot := habitual(t)
		alice := bot.User("alice")
		alice.Say("#ops", "starling order pause")
		bot.Expect("#ops", "pause it is.")
		alice.Say("#ops", "starling ping")
		bot.Expect("#ops", "PONG")
		alice.Say("#ops", "starling history")
		bot.Expect("#ops", "!1 ping\n!2 order pause")
		for _, line := range []string{"!!", "starling !!", "@starling !1"} {
			alice.Say("#ops", line)
			bot.Expect("#ops", "PONG")
			bot.ExpectSilence("#ops")
		}
		alice.Direct("!!")
		bot.ExpectDirect("alice", "PONG")
		bot.ExpectSilence()
		alice.Say("#ops", "starling !99")
		bot.ExpectSilence("#ops")
	})
}
