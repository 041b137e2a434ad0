package starling_test

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/bolt"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/testutil"
)

// offers is a router with a message that has buttons.
func offers(reusable bool) *handler.Router {
	rt := handler.NewRouter()
	rt.Command("offer", "Offer a deploy.", func(ctx context.Context, r *handler.Request) error {
		_, err := r.Send(ctx, &adapter.Message{
			Text: "Deploy?", Reusable: reusable,
			Buttons: []adapter.Button{{Label: "Yes", Command: "do deploy api"}, {Label: "No", Command: "do nothing"}},
		})
		return err
	})
	rt.Respond(`do (?P<what>.+)`, func(ctx context.Context, r *handler.Request) error {
		if r.Event.User.Name == "mallory" {
			return handler.UserErrorf("Not you.")
		}
		return r.Reply(ctx, "%s: %s", r.Event.User.Name, r.Arg("what"))
	})
	return rt
}

// A click is the command, said by who clicked; it uses the button, which the message says then. The platform never sees the
// command.
func TestButtonIsUsedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := testutil.Start(t, starling.Config{Router: offers(false), Brain: brain.New(memory.New())})
		alice := b.User("alice")
		alice.Say("#ops", "starling offer")
		post := b.Expect("#ops", "Deploy?")
		for _, button := range post.Message.Buttons {
			require.LessOrEqual(t, len(button.Command), 100, "Discord takes no more")
			require.NotContains(t, button.Command, "do")
		}
		b.User("mallory").Press(post, "Yes") // who may not does not use it
		b.Expect("#ops", "Not you.")
		b.User("bob").Press(post, "Yes")
		b.Expect("#ops", "bob: deploy api")
		edited := b.ExpectEdit("#ops", "Deploy?\n\n**Yes** by @bob")
		require.Empty(t, edited.Message.Buttons)
		b.Chat.Deliver(&adapter.Event{ // what an old window still shows
			Kind: adapter.KindClick, Room: b.Room("#ops"), User: adapter.User{ID: b.User("carol").ID, Name: "carol", Kind: adapter.KindMember},
			Click: &adapter.Click{Command: post.Message.Buttons[1].Command, Label: "No", Message: post.Ref},
		})
		b.ExpectWhisper("#ops", "carol", "@carol: @bob pressed Yes already.")
		b.ExpectSilence()
	})
}

// Two clicks that were accepted before the first was handled count once.
func TestButtonUnderTwoClicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := offers(false)
		rt.Command("block", "", func(ctx context.Context, r *handler.Request) error { time.Sleep(time.Second); return nil })
		b := testutil.Start(t, starling.Config{Router: rt, Brain: brain.New(memory.New())})
		b.User("alice").Say("#ops", "starling offer")
		post := b.Expect("#ops", "Deploy?")
		b.User("alice").Say("#ops", "starling block")
		b.User("alice").Press(post, "Yes")
		b.User("bob").Press(post, "Yes")
		b.Expect("#ops", "alice: deploy api")
		b.ExpectWhisper("#ops", "bob", "@bob: @alice pressed Yes already.")
		b.ExpectSilence()
	})
}

// A declared command that runs in the background uses the button when it begins.
func TestButtonOfABackgroundCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := offers(false)
		rt.Add(handler.Command[handler.None]{
			Name: "do deploy", Summary: "Deploy.", Background: true,
			Run: func(ctx context.Context, r *handler.Request, _ handler.None) error {
				time.Sleep(time.Minute)
				return r.Reply(ctx, "deployed")
			},
		})
		rt.Command("go", "", func(ctx context.Context, r *handler.Request) error {
			_, err := r.Send(ctx, &adapter.Message{Text: "Deploy?", Buttons: []adapter.Button{{Label: "Yes", Command: "do deploy"}}})
			return err
		})
		b := testutil.Start(t, starling.Config{Router: rt, Brain: brain.New(memory.New()), Timeout: time.Hour})
		b.Patience = 5 * time.Minute
		b.User("alice").Say("#ops", "starling go")
		post := b.Expect("#ops", "Deploy?")
		b.User("alice").Press(post, "Yes")
		b.ExpectEdit("#ops", "Deploy?\n\n**Yes** by @alice")
		b.User("bob").Say("#ops", "starling offer")
		b.Expect("#ops", "Deploy?")
		b.Expect("#ops", "deployed")
		b.ExpectSilence()
	})
}

func TestReusableButton(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := testutil.Start(t, starling.Config{Router: offers(true), Brain: brain.New(memory.New())})
		b.User("alice").Say("#ops", "starling offer")
		post := b.Expect("#ops", "Deploy?")
		for range 3 {
			b.User("bob").Press(post, "No")
			b.Expect("#ops", "bob: nothing")
		}
		b.ExpectSilence()
	})
}

// A button that has expired says so and goes; one that nobody made, of another room or for somebody else does nothing.
func TestButtonRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := offers(false)
		rt.Command("mine", "", func(ctx context.Context, r *handler.Request) error {
			_, err := r.Send(ctx, &adapter.Message{Text: "Yours?", Only: r.Event.User.ID, Buttons: []adapter.Button{{Label: "Yes", Command: "do mine"}}})
			return err
		})
		b := testutil.Start(t, starling.Config{Router: rt, Brain: brain.New(memory.New()), ButtonsFor: time.Hour, MaxAge: 48 * time.Hour})
		alice := b.User("alice")
		alice.Say("#ops", "starling offer")
		post := b.Expect("#ops", "Deploy?")
		alice.Say("#ops", "starling mine")
		mine := b.ExpectWhisper("#ops", "alice", "Yours?")
		click := func(room, user, command string) {
			b.Chat.Deliver(&adapter.Event{
				Kind: adapter.KindClick, Room: b.Room(room), User: adapter.User{ID: b.User(user).ID, Name: user, Kind: adapter.KindMember},
				Click: &adapter.Click{Command: command, Label: "Yes", Message: post.Ref},
			})
		}
		token := post.Message.Buttons[0].Command
		click("#ops", "bob", "~"+strings.Repeat("A", 22)+"-0")
		b.ExpectWhisper("#ops", "bob", "@bob: that button no longer works.")
		click("#ops", "bob", strings.Replace(token, "-0", "-7", 1))
		b.ExpectWhisper("#ops", "bob", "@bob: that button no longer works.")
		click("#dev", "bob", token)
		b.ExpectWhisper("#dev", "bob", "@bob: that button is not one of this room.")
		click("#ops", "bob", mine.Message.Buttons[0].Command)
		b.ExpectWhisper("#ops", "bob", "@bob: that button is not for you.")
		time.Sleep(time.Hour)
		alice.Press(post, "Yes")
		b.ExpectWhisper("#ops", "alice", "@alice: that button has expired. Ask for it again if you still want it.")
		require.Empty(t, b.ExpectEdit("#ops", "Deploy?\n\nexpired").Message.Buttons)
		b.ExpectSilence()
	})
}

// Buttons survive the process: their secret, what they stand for, and that they were used.
func TestButtonsSurviveARestart(t *testing.T) {
	store, err := bolt.Open(bolt.Config{Path: filepath.Join(t.TempDir(), "brain.db")})
	require.NoError(t, err)
	t.Cleanup(func() { _ = store.Close() })
	b := testutil.Start(t, starling.Config{Router: offers(false), Brain: brain.New(store)})
	b.User("alice").Say("#ops", "starling offer")
	post := b.Expect("#ops", "Deploy?")
	b.Idle()
	b.Kill()
	b.Start(func(c *starling.Config) { c.Router = offers(false) })
	b.User("bob").Press(post, "Yes")
	b.Expect("#ops", "bob: deploy api")
	b.ExpectEdit("#ops", "Deploy?\n\n**Yes** by @bob")
}

// Where there are no buttons they are a list that is answered by number, in the room or addressed, also after a restart.
func TestNumberedList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chat := testutil.NewChat(testutil.ChatConfig{Features: adapter.Features{Threads: true, Fields: true}})
		b := testutil.Start(t, starling.Config{Router: offers(false), Brain: brain.New(memory.New()), Adapters: []adapter.Adapter{chat}})
		alice := b.User("alice")
		alice.Say("#ops", "2")
		b.ExpectSilence()
		alice.Say("#ops", "starling offer")
		b.Expect("#ops", "Deploy?\n\n1. Yes\n2. No\n\nAnswer with the number.")
		alice.Say("#dev", "1")
		alice.Say("#ops", "3")
		alice.Say("#ops", "about 1")
		b.ExpectSilence()
		b.Restart(func(c *starling.Config) { c.Router = offers(false) })
		b.User("bob").Say("#ops", "2")
		b.Expect("#ops", "bob: nothing")
		alice.Say("#ops", "starling 1.")
		b.Expect("#ops", "@alice: @bob pressed No already.")
		b.ExpectSilence()
	})
}

// A message for one person goes to the direct room where nothing hides it in a room, and nowhere where there is none.
func TestOnlyIsNeverShownToTheRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		whispers := func() *handler.Router {
			rt := handler.NewRouter()
			rt.Command("secret", "", func(ctx context.Context, r *handler.Request) error {
				_, err := r.Send(ctx, &adapter.Message{Text: "for you", Only: r.Event.User.ID})
				return err
			})
			return rt
		}
		chat := testutil.NewChat(testutil.ChatConfig{Features: adapter.Features{Threads: true}})
		b := testutil.Start(t, starling.Config{Router: whispers(), Brain: brain.New(memory.New()), Adapters: []adapter.Adapter{chat}})
		b.User("alice").Say("#ops", "starling secret")
		b.ExpectDirect("alice", "for you")
		b.ExpectSilence()

		bare := testutil.NewChat(testutil.ChatConfig{Bare: true, Features: adapter.Features{Threads: true}})
		b = testutil.Start(t, starling.Config{Router: whispers(), Brain: brain.New(memory.New()), Adapters: []adapter.Adapter{bare}})
		b.User("alice").Say("#ops", "starling secret")
		b.ExpectMatch("#ops", "Sorry, that went wrong")
		require.Contains(t, b.Log(), "cannot hide a message in a room or open a direct one")
		b.ExpectSilence()
	})
}

// What a bot says by itself may have buttons too.
func TestButtonsOfBotSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := testutil.Start(t, starling.Config{Router: offers(false), Brain: brain.New(memory.New())})
		b.User("alice").Say("#ops", "hello")
		_, err := b.Bot().Send(t.Context(), &adapter.Message{
			To: adapter.Address{Adapter: b.Chat.Name(), Room: b.Room("#ops").ID}, Text: "An alert.", Key: "alert-1",
			Buttons: []adapter.Button{{Label: "Squelch", Command: "do squelch"}},
		})
		require.NoError(t, err)
		post := b.Expect("#ops", "An alert.")
		b.User("bob").Press(post, "Squelch")
		b.Expect("#ops", "bob: squelch")
		b.ExpectEdit("#ops", "An alert.\n\n**Squelch** by @bob")
	})
}

// Where there are no buttons, numbered lists that are over take no room from the next ones.
func TestNumberedListsMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, starling.Config{Brain: brain.New(memory.New()), ButtonsFor: time.Minute, Limits: unlimited()}, func(rt *handler.Router) {
			rt.Respond("deploy", replies("deployed"))
		})
		offer := func(room string) {
			_, err := s.bot.Send(t.Context(), &adapter.Message{
				To: adapter.Address{Adapter: "stage", Room: room}, Text: "Now?", Buttons: []adapter.Button{{Label: "Yes", Command: "deploy"}},
			})
			require.NoError(t, err)
		}
		for i := range 10_000 {
			offer("R" + strconv.Itoa(i))
		}
		for _, room := range []string{"C1", "C2"} { // one too many, and one when the others are over
			offer(room)
			require.NoError(t, s.say("alice", room, "1"))
			time.Sleep(2 * time.Minute)
		}
		synctest.Wait()
		said := s.said()
		require.NotContains(t, said, "C1> deployed")
		require.Contains(t, said, "C2> deployed")
		require.Equal(t, 1, strings.Count(s.log.String(), "too many conversations have a numbered list"))
	})
}
