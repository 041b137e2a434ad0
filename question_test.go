package starling_test

import (
	"context"
	"sync/atomic"
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
)

type order struct {
	What string `arg:"what" enum:"tea,coffee" help:"the drink"`
	Size int    `arg:"size" default:"1"`
}

type login struct {
	Password handler.Secret `arg:"password" secret:""`
}

// bar is a bot that asks; ran counts what it did.
func bar(ran *atomic.Int32) func(rt *handler.Router) {
	return func(rt *handler.Router) {
		rt.Mount("history", history.New())
		rt.Add(handler.Command[order]{
			Name: "order", Summary: "Order a drink.",
			Run: func(ctx context.Context, r *handler.Request, a order) error {
				ran.Add(1)
				return r.Reply(ctx, "%d %s", a.Size, a.What)
			},
		})
		rt.Add(handler.Command[handler.None]{
			Name: "wipe", Summary: "Wipe the table.", Confirm: func(handler.None) string { return "Really?" },
			Run: func(ctx context.Context, r *handler.Request, _ handler.None) error {
				ran.Add(1)
				return r.Reply(ctx, "wiped")
			},
		})
		rt.Add(handler.Command[login]{
			Name: "login", Summary: "Log in.", Confirm: func(login) string { return "Sure?" },
			Run: func(ctx context.Context, r *handler.Request, a login) error {
				ran.Add(1)
				return r.Reply(ctx, "%s has %d letters", a.Password, len(a.Password.Reveal()))
			},
		})
	}
}

const (
	which  = "C1> Which what (the drink)? (tea, coffee)"
	really = "C1> Really? (yes, no)"
)

// The C rows of the behaviour cases.
func TestConversationCases(t *testing.T) {
	type step struct {
		user, room, text string
		wait             time.Duration // before it
	}
	cases := map[string]struct {
		steps []step
		said  []string
		ran   int32
	}{
		"C2 the same command twice is one question": {[]step{{"alice", "C1", "starling order", 0}, {"alice", "C1", "starling order", 0}, {"alice", "C1", "tea", 0}, {"alice", "C1", "tea", 0}},
			[]string{which, which, "C1> 1 tea"}, 1},
		"C11 yes":    {[]step{{"alice", "C1", "starling wipe", 0}, {"alice", "C1", "starling YES", 0}}, []string{really, "C1> wiped"}, 1},
		"C11 no":     {[]step{{"alice", "C1", "starling wipe", 0}, {"alice", "C1", "starling no", 0}, {"alice", "C1", "yes", 0}}, []string{really, "C1> Canceled."}, 0},
		"C11 cancel": {[]step{{"alice", "C1", "starling wipe", 0}, {"alice", "C1", "cancel", 0}}, []string{really, "C1> Canceled."}, 0},
		"C11 maybe is still pending": {[]step{{"alice", "C1", "starling wipe", 0}, {"alice", "C1", "maybe", 0}, {"alice", "C1", "yes", 0}},
			[]string{really, "C1> wiped"}, 1},
		"C12 another person, another room": {[]step{{"alice", "C1", "starling wipe", 0}, {"bob", "C1", "yes", 0}, {"alice", "C2", "yes", 0}, {"alice", "C1", "yes", 0}},
			[]string{really, "C1> wiped"}, 1},
		"C13 past its time nothing runs": {[]step{{"alice", "C1", "starling wipe", 0}, {"alice", "C1", "yes", 6 * time.Minute}},
			[]string{really, "C1> @alice: I have waited long enough for your answer. Say it again if you still want it."}, 0},
		"C14 the first one's timer leaves the second alone": {[]step{{"alice", "C1", "starling wipe", 0}, {"alice", "C1", "starling wipe", 4 * time.Minute}, {"alice", "C1", "yes", 2 * time.Minute}},
			[]string{really, really, "C1> wiped"}, 1},
		"C16 an answer that matches nothing is asked again": {[]step{{"alice", "C1", "starling order", 0}, {"alice", "C1", "water", 0}, {"alice", "C1", "coffee", 0}},
			[]string{which, "C1> what is one of tea, coffee\nWhich what (the drink)? (tea, coffee)", "C1> 1 coffee"}, 1},
		"C17 no answer is told": {[]step{{"alice", "C1", "starling order", 0}, {"alice", "C1", "starling order tea 3", 6 * time.Minute}},
			[]string{which, "C1> @alice: I have waited long enough for your answer. Say it again if you still want it.", "C1> 3 tea"}, 1},
		"another command does not answer": {[]step{{"alice", "C1", "starling wipe", 0}, {"alice", "C1", "starling order tea", 0}, {"alice", "C1", "yes", 0}},
			[]string{really, "C1> 1 tea", "C1> wiped"}, 2},
		"G11 history": {[]step{{"alice", "C1", "!!", 0}, {"alice", "C1", "starling order tea", 0}, {"alice", "C1", "starling order coffee 2", 0}, {"alice", "C1", "!!", 0}, {"alice", "C1", "!2", 0}, {"alice", "C1", "!99", 0}, {"bob", "C1", "!!", 0}},
			[]string{"C1> 1 tea", "C1> 2 coffee", "C1> 2 coffee", "C1> 2 coffee"}, 4},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ran atomic.Int32
				s := play(t, starling.Config{Brain: brain.New(memory.New())}, bar(&ran))
				for _, st := range c.steps {
					time.Sleep(st.wait)
					synctest.Wait()
					require.NoError(t, s.say(st.user, st.room, st.text))
					time.Sleep(100 * time.Millisecond)
					synctest.Wait()
				}
				require.Equal(t, c.said, s.said())
				require.Equal(t, c.ran, ran.Load())
			})
		})
	}
}

// C8: what is asked for is gone when the answer comes.
func TestC8TheCommandIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran atomic.Int32
		store := memory.New()
		s1 := play(t, starling.Config{Brain: brain.New(store)}, bar(&ran))
		require.NoError(t, s1.say("alice", "C1", "starling wipe"))
		time.Sleep(time.Second)
		require.NoError(t, s1.stop())
		s2 := play(t, starling.Config{Brain: brain.New(store)}, func(rt *handler.Router) {
			rt.Add(handler.Command[handler.None]{Name: "other", Summary: "Other.", Run: func(context.Context, *handler.Request, handler.None) error { return nil }})
		})
		s2.next = 100
		require.NoError(t, s2.say("alice", "C1", "yes"))
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, []string{"C1> What you were asked about no longer exists."}, s2.said())
		require.Empty(t, keys(t, store, "_/ask/"))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		require.Len(t, s2.said(), 1)
		require.Empty(t, keys(t, store, "_/due/"))
	})
}

// A thousand answers at once run the command once.
func TestManyAnswersOneExecution(t *testing.T) {
	for name, durable := range map[string]bool{"durable": true, "volatile": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ran atomic.Int32
				s := play(t, starling.Config{Brain: brain.New(memory.New()), Volatile: !durable, Limits: unlimited()}, bar(&ran))
				require.NoError(t, s.say("alice", "C1", "starling wipe"))
				synctest.Wait()
				for range 1000 {
					go func() { _ = s.say("alice", "C1", "yes") }()
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				t.Logf("1000 answers: %d execution", ran.Load())
				require.EqualValues(t, 1, ran.Load())
				require.Contains(t, s.said(), "C1> wiped")
			})
		})
	}
}

// Secrets are not asked for in a room, not stored with a question, and not remembered.
func TestSecretArguments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran atomic.Int32
		store := memory.New()
		s := play(t, starling.Config{Brain: brain.New(store)}, bar(&ran))
		require.NoError(t, s.say("alice", "C1", "starling login"))
		time.Sleep(time.Second)
		require.NoError(t, s.say("alice", "D1", "login"))
		time.Sleep(time.Second)
		require.NoError(t, s.say("alice", "D1", "hunter2"))
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, []string{"Dalice> Which password?", "C1> @alice: password is secret. I have asked you for it in private.", "D1> Which password?", "D1> Sure? (yes, no)"}, s.said())
		for e, err := range store.List(context.Background(), "") {
			require.NoError(t, err)
			require.NotContains(t, string(e.Value), "hunter2", e.Key)
		}
		require.NoError(t, s.say("alice", "D1", "yes"))
		time.Sleep(time.Second)
		require.NoError(t, s.say("alice", "D1", "history"))
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, []string{"D1> [secret] has 7 letters", "D1> You have not asked for anything yet."}, s.said()[4:])
		require.NotContains(t, s.log.String(), "hunter2")
		require.NoError(t, s.say("alice", "D1", "login hunter3"))
		time.Sleep(time.Second)
		require.NoError(t, s.stop())
		s2 := play(t, starling.Config{Brain: brain.New(store)}, bar(&ran))
		s2.next = 100
		require.NoError(t, s2.say("alice", "D1", "yes"))
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, []string{"D1> I was restarted and do not keep secrets: say the whole command again."}, s2.said())
		require.EqualValues(t, 1, ran.Load())
	})
}

// Reminders survive a restart, and come once.
func TestSendLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		add := func(rt *handler.Router) {
			rt.Command("later", "", func(ctx context.Context, r *handler.Request) error {
				return r.SendLater(ctx, time.Now().Add(time.Hour), &adapter.Message{Text: adapter.Format("%s: now", r.Event.User)})
			})
		}
		s1 := play(t, starling.Config{Brain: brain.New(store)}, add)
		require.NoError(t, s1.say("alice", "C1", "starling later"))
		time.Sleep(time.Minute)
		require.NoError(t, s1.stop())
		s2 := play(t, starling.Config{Brain: brain.New(store)}, add)
		time.Sleep(58 * time.Minute)
		synctest.Wait()
		require.Empty(t, s2.said())
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		require.Equal(t, []string{"C1> @alice: now"}, s2.said())
		require.Empty(t, keys(t, store, "_/due/"))
	})
}
