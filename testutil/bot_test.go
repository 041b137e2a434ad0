package testutil_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strconv"
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
	"github.com/starlingbot/starling/testutil"
)

var _ = flag.Bool("update", false, "rewrite the golden transcripts")

// routes is a bot that does a bit of everything.
func routes() *handler.Router {
	rt := handler.NewRouter()
	say := func(text string) handler.Func {
		return func(ctx context.Context, r *handler.Request) error { return r.Reply(ctx, "%s", text) }
	}
	rt.Command("ping", "Say PONG.", say("PONG"))
	rt.Command("yes", "", say("yes it is"))
	rt.Command("no", "", say("no it is"))
	rt.Respond(`(?s)echo\s(?P<text>.+)`, func(ctx context.Context, r *handler.Request) error {
		return r.Reply(ctx, "%s", r.Arg("text"))
	})
	rt.Command("thread", "", func(ctx context.Context, r *handler.Request) error { return r.Thread(ctx, "here") })
	rt.Command("direct", "", func(ctx context.Context, r *handler.Request) error { return r.Direct(ctx, "psst") })
	rt.Command("whisper", "", func(ctx context.Context, r *handler.Request) error {
		return r.Whisper(ctx, "%s only", adapter.Markup(r.Event.User.Name))
	})
	rt.Command("ask", "", func(ctx context.Context, r *handler.Request) error {
		_, err := r.Send(ctx, &adapter.Message{
			Text: "Deploy?", Reusable: true, Fields: []adapter.Field{{Name: "Service", Value: "api"}},
			Buttons: []adapter.Button{{Label: "Yes", Command: "yes"}, {Label: "No", Command: "starling no"}},
		})
		return err
	})
	rt.Command("progress", "", func(ctx context.Context, r *handler.Request) error {
		p, err := r.Post(ctx, "working")
		if err != nil {
			return err
		}
		return p.Edit(ctx, "done")
	})
	rt.Command("boom", "", func(context.Context, *handler.Request) error { return errors.New("the secret cause") })
	rt.Command("count", "", func(ctx context.Context, r *handler.Request) error {
		n, err := handler.Change(ctx, r, "count", func(n *int) error { *n++; return nil })
		if err != nil {
			return err
		}
		return r.Reply(ctx, "%d", n)
	})
	rt.On(adapter.KindReaction, func(ctx context.Context, r *handler.Request) error { return r.React(ctx, "👀") })
	rt.On(adapter.KindJoin, func(ctx context.Context, r *handler.Request) error {
		return r.Reply(ctx, "Welcome, %s!", r.Event.User)
	})
	return rt
}

func durable() starling.Config {
	return starling.Config{Router: routes(), Brain: brain.New(memory.New())}
}

// both runs a test with a bot that stores events and with one that does not.
func both(t *testing.T, f func(t *testing.T, cfg starling.Config)) {
	t.Run("durable", func(t *testing.T) { f(t, durable()) })
	t.Run("volatile", func(t *testing.T) { f(t, starling.Config{Router: routes()}) })
}

func TestReply(t *testing.T) {
	both(t, func(t *testing.T, cfg starling.Config) {
		b := testutil.Start(t, cfg)
		alice, bob := b.User("alice"), b.User("bob")
		alice.Say("#ops", "starling ping") // A1
		b.Expect("#ops", "PONG")
		alice.Say("#ops", "@Starling: PING") // A2
		b.ExpectMatch("#ops", "^PO")
		bob.Say("#ops", "starlings ping") // A11
		bob.Say("#ops", "ping")           // A31
		bob.Say("#ops", "hey starling ping")
		b.ExpectSilence("#ops")
		bob.Direct("ping")
		b.ExpectDirect("bob", "PONG")
		bob.Say("#dev", "starling direct")
		b.ExpectDirect("@bob", "psst")
		b.ExpectSilence()
		require.Empty(t, b.Chat.Pending())
	})
}

func TestOrder(t *testing.T) { // S3
	both(t, func(t *testing.T, cfg starling.Config) {
		b := testutil.Start(t, cfg)
		for i := range 50 {
			b.User("alice").Say("#ops", fmt.Sprintf("starling echo %d", i))
			b.User("bob").Say("#dev", fmt.Sprintf("starling echo %d", i))
		}
		for i := range 50 {
			b.Expect("#ops", strconv.Itoa(i))
			b.Expect("#dev", strconv.Itoa(i))
		}
		b.ExpectSilence()
	})
}

func TestThreads(t *testing.T) { // S4
	both(t, func(t *testing.T, cfg starling.Config) {
		b := testutil.Start(t, cfg)
		alice := b.User("alice")
		said := alice.Say("#ops", "starling thread")
		post := b.Expect("#ops/1", "here")
		require.Equal(t, "#ops/1", said.Thread())
		require.Equal(t, said.MessageID, post.Ref.Thread)
		alice.SayIn(said, "starling ping")
		b.Expect("#ops/1", "PONG")
		alice.SayIn(post, "starling thread") // no thread in a thread
		b.Expect("#ops/1", "here")
		b.ExpectSilence()
	})
}

func TestWhisper(t *testing.T) {
	b := testutil.Start(t, durable())
	b.User("alice").Say("#ops", "starling whisper")
	b.ExpectWhisper("#ops", "alice", "alice only")

	noEphemeral := durable()
	noEphemeral.Adapters = []adapter.Adapter{testutil.NewChat(testutil.ChatConfig{Features: adapter.Features{MaxText: 1000}})}
	b = testutil.Start(t, noEphemeral)
	b.User("alice").Say("#ops", "starling whisper")
	b.ExpectDirect("alice", "alice only")
	b.ExpectSilence()
}

func TestEditsRunNoCommand(t *testing.T) {
	both(t, func(t *testing.T, cfg starling.Config) {
		b := testutil.Start(t, cfg)
		said := b.User("alice").Say("#ops", "starling pin")
		said.Edit("starling ping")
		said.Delete()
		b.ExpectSilence()
	})
}

func TestOwnAndOtherBots(t *testing.T) { // A34, A35
	both(t, func(t *testing.T, cfg starling.Config) {
		rt := cfg.Router
		rt.Hear(`.`, func(ctx context.Context, r *handler.Request) error { return r.Reply(ctx, "heard %s", r.Event.User.ID) })
		cfg.Adapters = []adapter.Adapter{testutil.NewChat(testutil.ChatConfig{Echo: true})}
		b := testutil.Start(t, cfg)
		ci := b.User("ci")
		ci.Kind = adapter.KindBot
		ci.Say("#ops", "starling ping")
		b.ExpectSilence()
		double := b.Chat.AddUser(adapter.User{ID: "u-double", Name: "starling", Kind: adapter.KindMember}) // the bot's name, not its id
		b.Chat.Deliver(&adapter.Event{Kind: adapter.KindMessage, Room: b.Room("#ops"), User: double, Text: "hi"})
		b.Expect("#ops", "heard u-double")
		b.ExpectSilence()
		s := b.Bot().Stats()
		require.Equal(t, uint64(1), s.Handled)
		require.Equal(t, uint64(2), s.Ignored, "the other bot's message, and the echo of our own")
	})
}

func TestClicksAndInvocations(t *testing.T) {
	both(t, func(t *testing.T, cfg starling.Config) {
		b := testutil.Start(t, cfg)
		alice := b.User("alice")
		alice.Say("#ops", "starling ask")
		post := b.Expect("#ops", "Deploy?")
		b.User("bob").Press(post, "yes")
		b.Expect("#ops", "yes it is")
		alice.Press(post, "No")
		b.Expect("#ops", "no it is")
		alice.Invoke("#ops", "echo", "hello")
		b.Expect("#ops", "hello")
		alice.React(post, "👍")
		b.ExpectReaction("#ops", "👀")
		alice.Join("#dev")
		b.Expect("#dev", "Welcome, @alice!")
		b.ExpectSilence()
		require.Contains(t, b.Chat.Commands(), adapter.CommandSpec{Name: "ping", Summary: "Say PONG.", Usage: "ping"})
	})
}

func TestPostIsEdited(t *testing.T) {
	b := testutil.Start(t, durable())
	b.User("alice").Say("#ops", "starling progress")
	post := b.Expect("#ops", "working")
	require.Zero(t, post.Edits, "a post is as it was when it was posted")
	require.Equal(t, 1, b.ExpectEdit("#ops", "done").Edits)
	require.Equal(t, "done", b.Chat.Posts("#ops")[0].Text)
}

func TestFailure(t *testing.T) { // D26
	b := testutil.Start(t, durable())
	b.User("alice").Say("#ops", "starling boom")
	b.ExpectMatch("#ops", `^Sorry, that went wrong\. My log has it under [a-z2-7]{8}\.$`)
	b.Idle()
	require.Contains(t, b.Log(), "the secret cause")
	require.NotContains(t, b.Chat.Transcript(), "secret")
}

func TestRedelivery(t *testing.T) {
	both(t, func(t *testing.T, cfg starling.Config) {
		b := testutil.Start(t, cfg)
		said := b.User("alice").Say("#ops", "starling count")
		b.Expect("#ops", "1")
		said.Again()
		b.ExpectSilence()
		require.Equal(t, uint64(1), b.Bot().Stats().Duplicate)
	})
}

func TestRedeliveryOverRestart(t *testing.T) {
	b := testutil.Start(t, durable())
	said := b.User("alice").Say("#ops", "starling count")
	b.Expect("#ops", "1")
	b.Restart()
	said.Again()
	b.ExpectSilence()
	b.Kill()
	b.Start()
	said.Again()
	b.ExpectSilence()
}

func TestRestartKeepsTheBrain(t *testing.T) {
	cfg := durable()
	b := testutil.Start(t, cfg)
	for i := range 3 {
		b.User("alice").Say("#ops", "starling count")
		b.Expect("#ops", strconv.Itoa(i+1))
		b.Restart(func(c *starling.Config) { c.Router = routes() })
	}
	n, err := brain.Get[int](t.Context(), b.Brain(), "count")
	require.NoError(t, err)
	require.Equal(t, 3, n)
}

// The chat keeps what is said while no bot runs.
func TestSaidWhileDown(t *testing.T) {
	both(t, func(t *testing.T, cfg starling.Config) {
		b := testutil.Start(t, cfg)
		b.Stop()
		require.Nil(t, b.Bot())
		b.User("alice").Say("#ops", "starling ping")
		b.ExpectSilence()
		require.Equal(t, 1, b.Chat.Pending())
		b.Start()
		b.Expect("#ops", "PONG")
	})
}

// A chat is handed from one bot to another, without Start.
func TestChatOutlivesTheBot(t *testing.T) {
	chat := testutil.NewChat(testutil.ChatConfig{})
	for _, a := range []adapter.Adapter{chat, chat.Connect()} {
		bot, err := starling.New(starling.Config{Adapters: []adapter.Adapter{a}, Router: routes()})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- bot.Run(ctx) }()
		chat.As(t, "alice").Say("#ops", "starling ping")
		require.Eventually(t, func() bool { return chat.Pending() == 0 }, 5*time.Second, time.Millisecond)
		cancel()
		require.NoError(t, <-done)
		_, err = a.Send(t.Context(), &adapter.Message{To: adapter.Address{Room: "c-ops"}, Text: "late"})
		require.ErrorIs(t, err, adapter.ErrClosed)
	}
	require.Len(t, chat.Posts("#ops"), 2)
}

func TestSourceExhausted(t *testing.T) {
	both(t, func(t *testing.T, cfg starling.Config) {
		b := testutil.Start(t, cfg)
		b.User("alice").Say("#ops", "starling ping")
		b.Chat.End()
		require.NoError(t, b.Wait())
		b.Expect("#ops", "PONG")
	})
}

// gate is a handler that stands still in its first run, until the test lets it go on or it is told to stop.
type gate struct {
	runs    atomic.Int32
	begun   chan int
	goOn    chan struct{}
	reached atomic.Int32 // runs that came past the gate
}

func newGate() *gate { return &gate{begun: make(chan int, 16), goOn: make(chan struct{})} }

func (g *gate) wait(ctx context.Context) error {
	n := int(g.runs.Add(1))
	g.begun <- n
	if n == 1 {
		select {
		case <-g.goOn:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	g.reached.Add(1)
	return nil
}

func TestKillInAHandler(t *testing.T) {
	g := newGate()
	defer close(g.goOn)
	cfg := durable()
	cfg.Router.Command("order", "", func(ctx context.Context, r *handler.Request) error {
		n, err := handler.Change(ctx, r, "orders", func(n *int) error { *n++; return nil })
		if err != nil {
			return err
		}
		if err := r.Reply(ctx, "ordering"); err != nil {
			return err
		}
		if err := g.wait(ctx); err != nil {
			return err
		}
		return r.Reply(ctx, "order %d, attempt %d", n, r.Attempt)
	})
	b := testutil.Start(t, cfg)
	b.User("alice").Say("#ops", "starling order")
	b.Expect("#ops", "ordering")
	<-g.begun
	for i := range 5 {
		b.User("bob").Say("#ops", fmt.Sprintf("starling echo %d", i))
	}
	b.Kill()
	b.User("bob").Say("#ops", "starling echo 5")
	b.ExpectSilence()
	b.Start()
	b.Expect("#ops", "order 1, attempt 2") // the change is not made again, and what was said is not said again
	for i := range 6 {
		b.Expect("#ops", strconv.Itoa(i))
	}
	b.ExpectSilence()
	require.Equal(t, int32(1), g.reached.Load())
}

// A handler of a killed bot goes on where it waits for neither store nor chat, and has no effect.
func TestDeadHandlerHasNoEffect(t *testing.T) {
	g := newGate()
	cfg := durable()
	cfg.Router.Command("order", "", func(ctx context.Context, r *handler.Request) error {
		if err := g.wait(ctx); err != nil {
			return err
		}
		return r.Reply(ctx, "run %d", g.reached.Load())
	})
	b := testutil.Start(t, cfg)
	b.User("alice").Say("#ops", "starling order")
	<-g.begun
	b.Kill()
	b.Start()
	b.Expect("#ops", "run 1")
	close(g.goOn) // the dead one goes on, and stops at its first word
	b.ExpectSilence()
}

// A message that was posted, and not recorded as such when the bot died, is found again; where the chat cannot tell, it is
// said twice and never lost.
func TestKillAfterPosting(t *testing.T) {
	for _, c := range []struct {
		name  string
		chat  testutil.ChatConfig
		posts int
	}{
		{"finder", testutil.ChatConfig{}, 1},
		{"idempotency key", testutil.ChatConfig{Bare: true, Features: adapter.Features{IdempotentSend: time.Minute}}, 1},
		{"neither", testutil.ChatConfig{Bare: true}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := durable()
			chat := testutil.NewChat(c.chat)
			cfg.Adapters = []adapter.Adapter{chat}
			b := testutil.Start(t, cfg)
			chat.FailSends(func(n int, m *adapter.Message) error {
				if n == 1 {
					return testutil.AfterPost(errors.New("the answer got lost"))
				}
				return nil
			})
			b.User("alice").Say("#ops", "starling count")
			b.Expect("#ops", "1")
			b.Kill()
			chat.FailSends(nil)
			b.Start()
			b.Idle()
			for range c.posts - 1 {
				b.Expect("#ops", "1")
			}
			b.ExpectSilence()
		})
	}
}

func TestFailSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := testutil.Start(t, durable())
		began := time.Now()
		b.Chat.FailSends(func(n int, _ *adapter.Message) error {
			if n == 1 {
				return &adapter.RateLimitError{RetryAfter: 3 * time.Second}
			}
			return nil
		})
		b.User("alice").Say("#ops", "starling ping")
		b.Expect("#ops", "PONG")
		require.GreaterOrEqual(t, time.Since(began), 3*time.Second)
		b.Chat.FailSends(func(int, *adapter.Message) error { return adapter.ErrForbidden })
		b.User("alice").Say("#ops", "starling ping")
		b.ExpectSilence()
	})
}

// failingStore refuses writes while it is told to.
type failingStore struct {
	brain.Store
	fails atomic.Int32
}

func (s *failingStore) Apply(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
	if s.fails.Add(-1) >= 0 {
		return nil, brain.ErrClosed // certain: nothing was written
	}
	return s.Store.Apply(ctx, ops...)
}

func TestNotTakenIsDeliveredAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &failingStore{Store: memory.New()}
		b := testutil.Start(t, starling.Config{Router: routes(), Brain: brain.New(store)})
		store.fails.Store(2)
		began := time.Now()
		b.User("alice").Say("#ops", "starling ping")
		b.Expect("#ops", "PONG")
		require.Equal(t, 2*time.Second, time.Since(began).Truncate(time.Second))
		require.Equal(t, uint64(2), b.Bot().Stats().Failing)
		b.ExpectSilence()
	})
}

func TestFakeTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := durable()
		cfg.Router.Command("nap", "", func(ctx context.Context, r *handler.Request) error {
			select {
			case <-time.After(20 * time.Second):
			case <-ctx.Done():
			}
			return r.Reply(ctx, "rested")
		})
		b := testutil.Start(t, cfg)
		b.Patience = time.Minute
		began := time.Now()
		b.User("alice").Say("#ops", "starling nap")
		b.Expect("#ops", "rested")
		require.Equal(t, 20*time.Second, time.Since(began))
		b.User("alice").Say("#ops", "starling nap")
		b.Idle()
		b.Expect("#ops", "rested")
		b.User("alice").Say("#ops", "starling nap")
		synctest.Wait()
		b.Kill()
		b.Start()
		b.Expect("#ops", "rested")
		b.ExpectSilence()
	})
}

func TestOnCrashReport(t *testing.T) {
	g := newGate()
	defer close(g.goOn)
	cfg := durable()
	cfg.Router.Command("launch", "", func(ctx context.Context, r *handler.Request) error { return g.wait(ctx) }).OnCrash = handler.OnCrashReport
	b := testutil.Start(t, cfg)
	b.User("alice").Say("#ops", "starling launch")
	<-g.begun
	b.Kill()
	b.Start()
	b.ExpectMatch("#ops", `^@alice: interrupted, outcome unknown\.`)
	b.ExpectMatch("@alice", `starling launch`)
	b.ExpectSilence()
	require.Equal(t, int32(1), g.runs.Load())
}

func TestStopInAHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		cfg := durable()
		cfg.Router.Command("order", "", func(ctx context.Context, r *handler.Request) error {
			if err := g.wait(ctx); err != nil {
				return err
			}
			return r.Reply(ctx, "done")
		})
		b := testutil.Start(t, cfg)
		b.User("alice").Say("#ops", "starling order")
		<-g.begun
		b.Restart() // the handler is told to stop, and its event is for the next start
		b.Expect("#ops", "done")
		b.ExpectSilence()
	})
}

func TestFiles(t *testing.T) {
	cfg := durable()
	cfg.Router.On(adapter.KindMessage, func(ctx context.Context, r *handler.Request) error {
		return r.Reply(ctx, "%d files", len(r.Event.Files))
	})
	b := testutil.Start(t, cfg)
	said := b.User("alice").Share("#ops", "look", testutil.File{Name: "a.txt", Type: "text/plain", Data: []byte("content")})
	b.Expect("#ops", "1 files")
	f, err := b.Chat.Open(t.Context(), said.Event.Files[0])
	require.NoError(t, err)
	defer f.Close()
	require.Contains(t, b.Chat.Transcript(), "alice #ops> look\n  (file a.txt)\n")
}

func BenchmarkCase(b *testing.B) {
	for b.Loop() {
		bot := testutil.Start(b, durable())
		bot.User("alice").Say("#ops", "starling ping")
		bot.Expect("#ops", "PONG")
		bot.ExpectSilence()
		bot.Stop()
	}
}
