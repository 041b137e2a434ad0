package starling_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
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
	which  = "C1> What (the drink): tea or coffee?"
	really = "C1> Really? (yes, no)"
	forMe  = `Dalice> @alice: if that was for me, say "starling yes".`
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
		"C11 maybe is still pending": {[]step{{"alice", "C1", "starling wipe", 0}, {"alice", "C1", "starling maybe", 0}, {"alice", "C1", "yes", 0}},
			[]string{really, "C1> Please say yes or no. Really? (yes, no)", "C1> wiped"}, 1},
		"C11 after chatter a yes may be for somebody else": {[]step{{"alice", "C1", "starling wipe", 0}, {"alice", "C1", "maybe", 0}, {"alice", "C1", "yes", 0}, {"alice", "C1", "starling yes", 0}},
			[]string{really, forMe, "C1> wiped"}, 1},
		"C11 after chatter a no too": {[]step{{"alice", "C1", "starling wipe", 0}, {"alice", "C1", "maybe", 0}, {"alice", "C1", "No.", 0}, {"alice", "C1", "cancel", 0}, {"alice", "C1", "starling no", 0}},
			[]string{really, `Dalice> @alice: if that was for me, say "starling no".`, `Dalice> @alice: if that was for me, say "starling cancel".`, "C1> Canceled."}, 0},
		"C11 the chatter of others and elsewhere does not count": {[]step{{"alice", "C1", "starling wipe", 0}, {"bob", "C1", "maybe", 0}, {"alice", "C2", "maybe", 0}, {"alice", "C1", "yes", 0}},
			[]string{really, "C1> wiped"}, 1},
		"C11 asked again, the very next yes counts again": {[]step{{"alice", "C1", "starling wipe", 0}, {"alice", "C1", "hm", 0}, {"alice", "C1", "starling maybe", 0}, {"alice", "C1", "yes", 0}},
			[]string{really, "C1> Please say yes or no. Really? (yes, no)", "C1> wiped"}, 1},
		"C11 a new question, too": {[]step{{"alice", "C1", "starling wipe", 0}, {"alice", "C1", "hm", 0}, {"alice", "C1", "starling wipe", 0}, {"alice", "C1", "yes", 0}},
			[]string{really, really, "C1> wiped"}, 1},
		"C11 in a direct room everything is for the bot": {[]step{{"alice", "D1", "wipe", 0}, {"alice", "D1", "hm", 0}, {"alice", "D1", "yes", 0}},
			[]string{"D1> Really? (yes, no)", "D1> Please say yes or no. Really? (yes, no)", "D1> wiped"}, 1},
		"chatter does not end a question for an argument": {[]step{{"alice", "C1", "starling order", 0}, {"alice", "C1", "starling wipe", 0}, {"alice", "C1", "starling no", 0}, {"alice", "C1", "starling order", 0}, {"alice", "C1", "hm", 0}, {"alice", "C1", "tea", 0}},
			[]string{which, really, "C1> Canceled.", which, "C1> what is one of tea, coffee\nWhat (the drink): tea or coffee?", "C1> 1 tea"}, 1},
		"C12 another person, another room": {[]step{{"alice", "C1", "starling wipe", 0}, {"bob", "C1", "yes", 0}, {"alice", "C2", "yes", 0}, {"alice", "C1", "yes", 0}},
			[]string{really, "C1> wiped"}, 1},
		"C13 past its time nothing runs": {[]step{{"alice", "C1", "starling wipe", 0}, {"alice", "C1", "yes", 6 * time.Minute}},
			[]string{really, "C1> @alice: I have waited long enough for your answer. Say the command again if you still want it."}, 0},
		"C14 the first one's timer leaves the second alone": {[]step{{"alice", "C1", "starling wipe", 0}, {"alice", "C1", "starling wipe", 4 * time.Minute}, {"alice", "C1", "yes", 2 * time.Minute}},
			[]string{really, really, "C1> wiped"}, 1},
		"C16 an answer that matches nothing is asked again": {[]step{{"alice", "C1", "starling order", 0}, {"alice", "C1", "water", 0}, {"alice", "C1", "coffee", 0}},
			[]string{which, "C1> what is one of tea, coffee\nWhat (the drink): tea or coffee?", "C1> 1 coffee"}, 1},
		"C17 no answer is told": {[]step{{"alice", "C1", "starling order", 0}, {"alice", "C1", "starling order tea 3", 6 * time.Minute}},
			[]string{which, "C1> @alice: I have waited long enough for your answer. Say the command again if you still want it.", "C1> 3 tea"}, 1},
		"another command does not answer": {[]step{{"alice", "C1", "starling wipe", 0}, {"alice", "C1", "starling order tea", 0}, {"alice", "C1", "starling yes", 0}},
			[]string{really, "C1> 1 tea", "C1> wiped"}, 2},
		"after another command a yes may be for somebody else": {[]step{{"alice", "C1", "starling wipe", 0}, {"alice", "C1", "starling order tea", 0}, {"alice", "C1", "yes", 0}},
			[]string{really, "C1> 1 tea", forMe}, 1},
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

// A yes in a thread of the question's own is for the bot, whatever was said there before: in the one in which it was put, or in
// one below it.
func TestAYesInTheQuestionsThread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran atomic.Int32
		store := memory.New()
		s := play(t, starling.Config{Brain: brain.New(store)}, bar(&ran))
		say := func(room, thread, text string) {
			t.Helper()
			ev := s.message("alice", room, text)
			ev.Thread = thread
			require.NoError(t, s.offer(ev))
			time.Sleep(time.Second)
			synctest.Wait()
		}
		say("C1", "T1", "starling wipe")
		say("C1", "T1", "hm")
		say("C1", "T1", "yes")
		require.Equal(t, []string{"C1/T1> Really? (yes, no)", "C1/T1> wiped"}, s.said())

		say("C1", "", "starling wipe") // the third message
		say("C1", "", "hm")
		say("C1", "T1", "yes") // another thread
		say("C1", "T1", "maybe")
		say("C2", "3", "yes") // of another room
		require.Len(t, s.said(), 3)
		require.NoError(t, s.stop())

		next := play(t, starling.Config{Brain: brain.New(store)}, bar(&ran))
		next.next = 100
		s = next
		say("C1", "3", "well")
		require.Empty(t, s.said())
		say("C1", "3", "yes")
		require.Equal(t, []string{"C1> wiped"}, s.said())
		require.Empty(t, keys(t, store, "_/ask/"))
		say("C1", "", "starling wipe") // the second message
		say("C1", "2", "starling maybe")
		say("C1", "2", "yes")
		require.Equal(t, []string{"C1> Really? (yes, no)", "C1/2> Please say yes or no. Really? (yes, no)", "C1> wiped"}, s.said()[1:])
		require.EqualValues(t, 3, ran.Load())
		require.Empty(t, keys(t, store, "_/ask/"))
	})
}

// That who was asked has talked is known to the next process, and to this one where the store cannot keep it.
func TestTalkIsRemembered(t *testing.T) {
	for name, c := range map[string]struct {
		talk            string
		restart, broken bool
	}{
		"chatter, restart":        {"is lunch ready?", true, false},
		"a command, restart":      {"starling order tea", true, false},
		"chatter, broken store":   {"is lunch ready?", false, true},
		"a command, broken store": {"starling order tea", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ran atomic.Int32
				store := &deaf{Store: memory.New()}
				s := play(t, starling.Config{Brain: brain.New(store)}, bar(&ran))
				say := func(text string) {
					t.Helper()
					require.NoError(t, s.say("alice", "C1", text))
					time.Sleep(time.Second)
					synctest.Wait()
				}
				say("starling wipe")
				store.on.Store(c.broken)
				say(c.talk)
				store.on.Store(false)
				if c.restart {
					require.NoError(t, s.stop())
					s = play(t, starling.Config{Brain: brain.New(store)}, bar(&ran))
					s.next = 100
				}
				ran.Store(0)
				say("yes")
				require.Zero(t, ran.Load(), "it was for somebody else")
				said := s.said()
				require.Equal(t, forMe, said[len(said)-1])
				say("starling yes")
				require.EqualValues(t, 1, ran.Load())
			})
		})
	}
}

// deaf is a store that takes no changes of open questions while it is on.
type deaf struct {
	brain.Store
	on atomic.Bool
}

func (s *deaf) Apply(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
	if s.on.Load() && slices.ContainsFunc(ops, func(op brain.Op) bool { return strings.HasPrefix(op.Key, "_/ask/") }) {
		return nil, fmt.Errorf("no room: %w", brain.ErrTooLarge)
	}
	return s.Store.Apply(ctx, ops...)
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
		require.NoError(t, s.say("alice", "D1", "cnrymark2"))
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, []string{"Dalice> Which password?", "C1> @alice: password is secret. I have asked you for it in private.", "D1> Which password?", "D1> Sure? (yes, no)"}, s.said())
		for e, err := range store.List(context.Background(), "") {
			require.NoError(t, err)
			require.NotContains(t, string(e.Value), "cnrymark2", e.Key)
			require.NotRegexp(t, `"[0-9a-f]{64}"`, string(e.Value), "of a short secret its hash is enough to find it: "+e.Key)
		}
		require.NoError(t, s.say("alice", "D1", "yes"))
		time.Sleep(time.Second)
		require.NoError(t, s.say("alice", "D1", "history"))
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, []string{"D1> [secret] has 9 letters", "D1> You have not asked for anything yet."}, s.said()[4:])
		require.NotContains(t, s.log.String(), "cnrymark2")
		require.NoError(t, s.say("alice", "D1", "login cnrymark3"))
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

// A Hear that takes its time does not let a yes overtake what was said before it.
func TestATalkIsNotedBeforeASlowHear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran atomic.Int32
		s := play(t, starling.Config{Brain: brain.New(memory.New())}, func(rt *handler.Router) {
			rt.Hear(`lunch`, func(ctx context.Context, _ *handler.Request) error { time.Sleep(10 * time.Second); return nil })
			bar(&ran)(rt)
		})
		require.NoError(t, s.say("alice", "C1", "starling wipe"))
		time.Sleep(time.Second)
		require.NoError(t, s.say("alice", "C1", "is lunch ready?"))
		time.Sleep(3 * time.Second) // it has left the line
		require.NoError(t, s.say("alice", "C1", "yes"))
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, []string{really, forMe}, s.said())
		require.Zero(t, ran.Load())
	})
}

// Chatter without its end is chatter.
func TestTalkWithoutItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran atomic.Int32
		s := play(t, starling.Config{Brain: brain.New(memory.New())}, bar(&ran))
		for _, text := range []string{"starling wipe", "and so on, and so o", "yes"} {
			ev := s.message("alice", "C1", text)
			ev.Truncated = text[0] == 'a'
			require.NoError(t, s.offer(ev))
			time.Sleep(time.Second)
			synctest.Wait()
		}
		require.Equal(t, []string{really, forMe}, s.said())
	})
}

// An answer without its end is none: it is asked for once more.
func TestAnAnswerWithoutItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, starling.Config{Brain: brain.New(memory.New())}, func(rt *handler.Router) {
			rt.Add(handler.Command[note]{
				Name: "note", Summary: "Note it.",
				Run: func(ctx context.Context, r *handler.Request, a note) error { return r.Reply(ctx, "noted: %s", a.Why) },
			})
		})
		say := func(text string, cut bool) {
			ev := s.message("alice", "C1", text)
			ev.Truncated = cut
			require.NoError(t, s.offer(ev))
			time.Sleep(time.Second)
			synctest.Wait()
		}
		say("starling note", false)
		say("because it is so lon", true)
		say("because", false)
		require.Equal(t, []string{
			"C1> Why (in a few words)?", "C1> That is longer than what reaches me, and its end is lost. Nothing was done: say it shorter.", "C1> noted: because",
		}, s.said())
	})
}

type note struct {
	Why string `arg:"why" rest:"" text:"" help:"in a few words"`
}

type asked struct {
	Service string `arg:"service" help:"what to ship"`
	Env     string `arg:"env" enum:"staging,prod,canary" help:"where to"`
	Who     string `arg:"who" help:"me, or a room"`
	Size    string `arg:"size" enum:"small"`
	Count   int    `arg:"count"`
}

// What is asked reads as a question does.
func TestPrompts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, starling.Config{Brain: brain.New(memory.New())}, func(rt *handler.Router) {
			rt.Add(handler.Command[asked]{
				Name: "do", Summary: "Do it.", Run: func(context.Context, *handler.Request, asked) error { return nil },
			})
		})
		for _, line := range []string{"starling do", "api", "prod", "me", "small"} {
			require.NoError(t, s.say("alice", "C1", line))
			time.Sleep(time.Second)
			synctest.Wait()
		}
		require.Equal(t, []string{
			"C1> Which service (what to ship)?", "C1> Which env (where to): staging, prod or canary?", "C1> Who (me, or a room)?", "C1> Which size: small?", "C1> Which count?",
		}, s.said())
	})
}

// A bot that is asked something which does not show in the beginning of a long message says so, and Hears beyond the bound are
// logged.
func TestWhatALongMessageIsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, starling.Config{Brain: brain.New(memory.New())}, func(rt *handler.Router) {
			bar(new(atomic.Int32))(rt)
			rt.Respond(`(?s)echo .*please$`, replies("echo"))
			for range 17 {
				rt.Hear(`badger`, ok)
			}
		})
		require.NoError(t, s.say("alice", "C1", "starling echo "+strings.Repeat("lorem ", 1000)+"please"))
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, []string{"C1> I don't know that. What I am to do must show in the first 4 KiB of a message. Type help for what I can do."}, s.said())
		require.NoError(t, s.say("alice", "C1", "badger"))
		time.Sleep(time.Second)
		require.NotContains(t, s.log.String(), "more Hears")
		require.NoError(t, s.say("alice", "C1", "badger "+strings.Repeat("lorem ", 1000)))
		time.Sleep(time.Second)
		synctest.Wait()
		require.Contains(t, s.log.String(), `msg="a long message matches more Hears than run for one" room=stage/C1 user=stage//alice "left out"=1`)
	})
}
