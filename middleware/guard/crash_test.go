package guard_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
)

// killAt presses or says something and kills the bot before the first write that has an op for which hit is true, then starts it
// anew. It works in a bubble.
func (w *world) killAt(o options, act func(), hit func(op brain.Op) bool) {
	w.t.Helper()
	store := w.store.(*slow)
	reached, dead := make(chan struct{}), make(chan struct{})
	w.t.Cleanup(func() { close(dead) })
	var once sync.Once
	store.before(func(ops []brain.Op) {
		for _, op := range ops {
			if hit(op) {
				once.Do(func() { close(reached) })
				<-dead
			}
		}
	})
	act()
	await(w.t, reached)
	w.Kill()
	store.before(nil)
	w.Start(func(c *starling.Config) { c.Router = w.router(o) })
}

// A crash after a request was stored and before its event was completed makes no second request.
func TestRequestIsMadeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options{store: &slow{Store: memory.New()}}
		w := newWorld(t, o)
		w.killAt(o, func() { w.User("bob").Say("#ops", "starling deploy api to prod") }, func(op brain.Op) bool {
			return op.Delete && strings.HasPrefix(op.Key, "_/inbox/")
		})
		_, post := w.request("#ops")
		w.Idle()
		require.Len(t, held(t, w.store), 1)
		w.ExpectSilence()
		w.User("carol").Press(post, "Approve")
		w.ExpectMatch("#ops", "all the consent it needs")
		w.Expect("#ops", "deployed api to prod")
		w.ExpectSilence()
		require.EqualValues(t, 1, w.ran.Load())
	})
}

// A crash after a consent counted and before its event was completed: the click comes again, and is told the same.
func TestConsentCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options{store: &slow{Store: memory.New()}, deploy: two}
		w := newWorld(t, o)
		w.User("bob").Say("#ops", "starling deploy api to prod")
		id, post := w.request("#ops")
		w.Idle()
		completed := func(op brain.Op) bool { return op.Delete && strings.HasPrefix(op.Key, "_/inbox/") }
		w.killAt(o, func() { w.User("carol").Press(post, "Approve") }, completed)
		w.Expect("#ops", "@carol agreed to "+id+". It still needs 1 other person with the role sre.")
		w.ExpectSilence()
		require.Zero(t, w.ran.Load())
		w.killAt(o, func() { w.User("dave").Press(post, "Deny") }, completed)
		w.Expect("#ops", "@dave denied "+id+" of @bob.")
		w.ExpectSilence()
		require.Empty(t, held(t, w.store))
	})
}

// What an admin runs again from the dead letters asks for consent again.
func TestReplayAsksAgain(t *testing.T) { synctest.Test(t, replayAsksAgain) }

func replayAsksAgain(t *testing.T) {
	running := make(chan struct{}, 8)
	end := make(chan struct{})
	defer close(end)
	o := options{deploy: func(c *handler.Command[deployArgs]) {
		c.OnCrash = handler.OnCrashRerun
		c.Run = func(ctx context.Context, r *handler.Request, a deployArgs) error {
			running <- struct{}{}
			<-end
			return nil
		}
	}}
	w := newWorld(t, o)
	w.User("bob").Say("#ops", "starling deploy api to prod")
	_, post := w.request("#ops")
	w.User("carol").Press(post, "Approve")
	w.ExpectMatch("#ops", "all the consent it needs")
	for range 4 { // the first run is on no record
		await(w.t, running)
		w.Kill()
		w.Start(func(c *starling.Config) { c.Router = w.router(o) })
	}
	w.ExpectMatch("#ops", "Sorry, that went wrong")
	letters, err := w.Bot.Bot().DeadLetters(ctx)
	require.NoError(t, err)
	require.Len(t, letters, 1)
	require.NoError(t, w.Bot.Bot().Replay(ctx, letters[0].ID))
	w.request("#ops")
	w.Idle()
	require.Empty(t, running)
}

// A button whose command asks for something first is used by that press, and its command runs once.
func TestButtonsThatAsk(t *testing.T) {
	o := options{deploy: func(c *handler.Command[deployArgs]) {
		c.Confirm = func(a deployArgs) string { return "Deploy " + a.Service + "?" }
	}, routes: func(_ *world, rt *handler.Router) {
		rt.Command("menu", "M.", func(ctx context.Context, r *handler.Request) error {
			_, err := r.Send(ctx, &adapter.Message{Text: "menu", Buttons: []adapter.Button{{Label: "Ship", Command: "deploy api to prod"}}})
			return err
		})
	}}
	w := newWorld(t, o)
	bob := w.User("bob")
	bob.Say("#ops", "starling menu")
	menu := w.Expect("#ops", "menu")
	w.User("eve").Press(menu, "Ship")
	w.Expect("#ops", "@eve: that needs the role deployer.")
	bob.Press(menu, "Ship")
	question := w.Expect("#ops", "Deploy api? (yes, no)")
	bob.Press(question, "yes")
	_, post := w.request("#ops")
	w.User("carol").Press(post, "Approve")
	w.ExpectMatch("#ops", "all the consent it needs")
	w.Expect("#ops", "deployed api to prod")
	w.Idle()
	require.EqualValues(t, 1, w.ran.Load())
}
