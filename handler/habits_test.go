package handler_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

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

type trip struct {
	City  string        `arg:"city" word:"to"`
	Class string        `arg:"class" word:"in" enum:"first class,second"`
	For   time.Duration `arg:"for"`
	Note  string        `arg:"note" rest:""`
}

// An answer may have around it what would stand there in the command's line, where it is no value as it is. What is a value stays
// as it was said, all of its words.
func TestAnswersAsInTheLine(t *testing.T) {
	for _, c := range []struct{ question, answer, want string }{
		{"class", "class: second", "rome, second, 1h0m0s, x"}, {"class", "class:second", "rome, second, 1h0m0s, x"}, {"class", "--class=second", "rome, second, 1h0m0s, x"},
		{"class", "--Class second", "rome, second, 1h0m0s, x"}, {"class", "in second", "rome, second, 1h0m0s, x"}, {"class", "IN first class", "rome, first class, 1h0m0s, x"},
		{"class", `"first class"`, "rome, first class, 1h0m0s, x"}, {"class", `class:"first class"`, "rome, first class, 1h0m0s, x"}, {"class", "second", "rome, second, 1h0m0s, x"},
		{"class", "class", ""}, {"class", "class:", ""}, {"class", "city: second", ""}, {"class", "for second", ""}, {"class", "in", ""}, {"class", "classxsecond", ""},
		{"for", "for: 5m", "rome, second, 5m0s, x"}, {"for", "--for 5m", "rome, second, 5m0s, x"}, {"for", "in 5m", ""}, {"for", "-5m", "rome, second, -5m0s, x"},
		{"note", "note:a  b", "rome, second, 1h0m0s, note:a  b"}, {"note", `"a b"`, `rome, second, 1h0m0s, "a b"`}, {"note", "--note a", "rome, second, 1h0m0s, --note a"},
	} {
		synctest.Test(t, func(t *testing.T) {
			rt := handler.NewRouter()
			rt.Add(handler.Command[trip]{Name: "go", Summary: "Travel.", Run: func(ctx context.Context, r *handler.Request, a trip) error {
				return r.Reply(ctx, "%s, %s, %s, %s", a.City, a.Class, a.For.String(), a.Note)
			}})
			chat := testutil.NewChat(testutil.ChatConfig{Name: "chat"})
			bot := testutil.Start(t, starling.Config{Adapters: []adapter.Adapter{chat}, Router: rt, Brain: brain.New(memory.New())})
			alice := bot.User("alice")
			line := "starling go city:rome"
			for name, value := range map[string]string{"class": " class:second", "for": " for:1h", "note": " note:x"} {
				if name != c.question {
					line += value
				}
			}
			alice.Say("#ops", line)
			bot.ExpectMatch("#ops", "Which "+c.question)
			alice.Say("#ops", c.answer)
			if c.want == "" {
				bot.ExpectMatch("#ops", `^`+c.question+` is [^\n]+\nWhich `+c.question)
				return
			}
			bot.Expect("#ops", c.want)
		})
	}
}

// A usage error for which no line can be computed shows how the command is written, where it is no value alone that is wrong.
func TestUsageErrorShowsTheUsage(t *testing.T) {
	tb := build(t, office(), "!")
	for input, want := range map[string]string{
		"!act x":                  "act x\n    ^\nwhat is one of pause, resume",
		"!tickets open x=5 --all": "tickets open x=5 --all\n             ^^^\nid is a whole number\nalso: there is no --all: put -- before it if it is meant as text",
		"!tickets open --all=5":   "tickets open --all=5\n             ^^^^^^^\nthere is no --all: put it in quotes if it is meant as text\nusage: tickets open ID [TEXT]",
		"!act --what":             "act --what\n    ^^^^^^\n--what needs a value: pause|resume\nusage: act WHAT",
		"!act pause resume":       "act pause resume\n          ^^^^^^\none word too many\ntry: act pause",
		"!act puase":              "act puase\n    ^^^^^\nwhat is one of pause, resume\ntry: act pause",
	} {
		require.Equal(t, "```\n"+want+"\n```", says(t, tb, input))
	}
	require.NotContains(t, says(t, tb, "!act "+strings.Repeat("word ", 10_000)), "usage", "that a text is too long is no matter of usage")
}
