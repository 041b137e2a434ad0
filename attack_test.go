// Ways around the policy that somebody found, each closed: the comments say what was done.

package starling_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/testutil"
)

type signin struct {
	Account  string         `arg:"account"`
	Password handler.Secret `arg:"password" secret:""`
}

func TestAttackSecondQuestionForASecretInARoom(t *testing.T) {
	rt := handler.NewRouter()
	rt.Add(handler.Command[signin]{Name: "signin", Summary: "Sign in.",
		Run: func(ctx context.Context, r *handler.Request, a signin) error {
			return r.Reply(ctx, "signed in as %s with %d letters", a.Account, len(a.Password.Reveal()))
		}})
	b := testutil.Start(t, starling.Config{Router: rt, Brain: brain.New(memory.New()), Adapters: []adapter.Adapter{testutil.NewChat(testutil.ChatConfig{Moderates: true})}})
	alice := b.User("alice")
	alice.Say("#ops", "starling signin")
	b.Expect("#ops", "Which account?")
	alice.Say("#ops", "root")
	p := b.Expect("@alice", "Which password?")
	require.NotNil(t, p)
}

// The answer to a question for a secret is in the clear in what the dead letter says.
func TestAttackAnswerInDeadLetter(t *testing.T) {
	began := make(chan struct{}, 10)
	router := func() *handler.Router {
		rt := handler.NewRouter()
		rt.Use(func(next handler.Handler) handler.Handler {
			return handler.Func(func(ctx context.Context, r *handler.Request) error {
				if r.Route.ID == "answer" {
					began <- struct{}{}
					<-ctx.Done()
				}
				return next.Handle(ctx, r)
			})
		})
		rt.Add(handler.Command[signin]{Name: "signin", Summary: "Sign in.",
			Run: func(ctx context.Context, r *handler.Request, a signin) error { return r.Reply(ctx, "in") }})
		return rt
	}
	store := memory.New()
	b := testutil.Start(t, starling.Config{Router: router(), Brain: brain.New(store), Attempts: 1, Adapters: []adapter.Adapter{testutil.NewChat(testutil.ChatConfig{})}})
	alice := b.User("alice")
	alice.Direct("signin root")
	b.Expect("@alice", "Which password?")
	alice.Direct("cnrymark2")
	<-began
	b.Kill()
	b.Start(func(c *starling.Config) { c.Router = router() })
	for range 100 {
		letters, err := b.Bot().DeadLetters(context.Background())
		require.NoError(t, err)
		if len(letters) > 0 {
			require.NotContains(t, letters[0].Said, "cnrymark2")
			return
		}
		select {
		case <-began: // it is begun once more
			b.Kill()
			b.Start(func(c *starling.Config) { c.Router = router() })
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatal("no letter")
}

// Questions that another process ended are open for ever in the memory of the one that asked.
func TestAttackQuestionsOfAnotherReplica(t *testing.T) {
	rt := handler.NewRouter()
	rt.Add(handler.Command[signin]{Name: "signin", Summary: "Sign in.",
		Run: func(ctx context.Context, r *handler.Request, a signin) error { return nil }})
	store := memory.New()
	chat := testutil.NewChat(testutil.ChatConfig{})
	b := testutil.Start(t, starling.Config{Router: rt, Brain: brain.New(store), Adapters: []adapter.Adapter{chat}, Limits: starling.Limits{UserRate: -1, RoomRate: -1}})
	alice := b.User("alice")
	alice.Direct("signin")
	b.Expect("@alice", "Which account?")
	b.Idle()
	room := b.Room("#ops")
	for i := range 10_000 {
		chat.Deliver(&adapter.Event{Kind: adapter.KindInvocation, Room: room, Thread: fmt.Sprint("t", i), User: alice.User, Invocation: &adapter.Invocation{Text: "signin"}})
		if i%500 == 0 {
			b.Idle()
		}
	}
	b.Idle()
	ops := 0
	for e, err := range store.List(context.Background(), "_/ask/") { // the other process answers, or sweeps
		require.NoError(t, err)
		_, err := store.Apply(context.Background(), brain.Op{Key: e.Key, Delete: true, If: brain.Any})
		require.NoError(t, err)
		ops++
	}
	t.Log(ops)
	b.User("eve").Direct("signin")
	b.Expect("@eve", "Which account?")
}

// What a message says in place of its buttons goes past the outgoing chain, which takes secrets out and may block what is said.
func TestAttackUsedButtonPastTheOutgoingChain(t *testing.T) {
	for name, chain := range map[string]func(m *adapter.Message) error{
		"redacts": func(m *adapter.Message) error { m.Text = strings.ReplaceAll(m.Text, "hunter2", "***"); return nil },
		"blocks": func(m *adapter.Message) error {
			if strings.Contains(m.Text, "hunter2") {
				return adapter.ErrForbidden
			}
			return nil
		},
		"panics": func(m *adapter.Message) error {
			if strings.Contains(m.Text, "hunter2") {
				panic("hunter2")
			}
			return nil
		},
		"moves": func(m *adapter.Message) error {
			if strings.Contains(m.Text, "hunter2") {
				m.To.Room = "c-quarantine"
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			rt := handler.NewRouter()
			rt.Outgoing(func(next handler.Send) handler.Send {
				return func(ctx context.Context, m *adapter.Message) ([]adapter.Ref, error) {
					if err := chain(m); err != nil {
						return nil, err
					}
					return next(ctx, m)
				}
			})
			rt.Command("offer", "Offer.", func(ctx context.Context, r *handler.Request) error {
				_, err := r.Send(ctx, &adapter.Message{Text: "Sign in?", Buttons: []adapter.Button{{Label: "With hunter2", Command: "go"}}})
				return err
			})
			rt.Command("go", "Go.", func(ctx context.Context, r *handler.Request) error { return nil })
			b := testutil.Start(t, starling.Config{Router: rt, Brain: brain.New(memory.New())})
			b.Room("#quarantine")
			b.User("alice").Say("#ops", "starling offer")
			post := b.Expect("#ops", "Sign in?")
			b.User("alice").Press(post, "With hunter2")
			b.Idle()
			now := b.Chat.Posts("#ops")
			require.Len(t, now, 1)
			require.Empty(t, now[0].Message.Buttons, "the buttons are over all the same")
			want := "Sign in?"
			if name == "redacts" {
				want += "\n\n**With ***** by @alice"
			}
			require.Equal(t, want, now[0].Text)
		})
	}
}
