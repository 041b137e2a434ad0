// Ways around the policy that somebody found, each closed: the comments say what was done.

package starling_test

import (
	"context"
	"fmt"
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
	alice.Direct("hunter2")
	<-began
	b.Kill()
	b.Start(func(c *starling.Config) { c.Router = router() })
	for range 100 {
		letters, err := b.Bot().DeadLetters(context.Background())
		require.NoError(t, err)
		if len(letters) > 0 {
			require.NotContains(t, letters[0].Said, "hunter2")
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
