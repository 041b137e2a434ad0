package guard_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

// Chatter that somebody may not trigger anything with fills the audit log.
func TestAttackChatterFillsTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ran := 0
		w := newWorld(t, options{routes: func(w *world, rt *handler.Router) {
			hear := func(expr string) *handler.Route {
				return rt.Hear(expr, func(context.Context, *handler.Request) error { ran++; return nil })
			}
			hear(`badger`).Policy = handler.Policy{Roles: []string{"zoo"}}
			hear(`mushroom`).Policy = handler.Policy{Roles: []string{"zoo"}}
			rt.On(adapter.KindReaction, func(context.Context, *handler.Request) error { ran++; return nil }).Policy = handler.Policy{Roles: []string{"zoo"}}
		}})
		eve := w.User("eve")
		denied := func() (out []string) {
			for _, r := range w.records() {
				require.Equal(t, "denied", r.Decision)
				require.Equal(t, "role zoo", r.Rule)
				out = append(out, r.Who.Name+" "+r.Route+": "+r.Outcome)
			}
			w.book.clear()
			return out
		}
		p := eve.Say("#ops", "badger")
		for range 500 {
			eve.Say("#ops", "badger badger")
			eve.React(p, "mushroom")
		}
		eve.Say("#ops", "mushroom")
		w.User("mallory").Say("#ops", "badger")
		w.Idle()
		require.ElementsMatch(t, []string{"eve hear-badger: ", "eve on-reaction: ", "eve hear-mushroom: ", "mallory hear-badger: "}, denied())
		time.Sleep(time.Hour - time.Minute)
		eve.Say("#ops", "badger")
		w.Idle()
		require.Empty(t, denied())
		time.Sleep(time.Minute)
		eve.Say("#ops", "badger")
		w.Idle()
		require.Equal(t, []string{"eve hear-badger: and 501 more since 2000-01-01T00:00:00Z"}, denied())

		// What is said to the bot is always on record.
		for range 5 {
			eve.Say("#ops", "starling deploy api")
			w.Expect("#ops", "@eve: that needs the role deployer.")
		}
		n := 0
		for _, r := range w.records() {
			if r.Route == "deploy" {
				n++
			}
		}
		require.Equal(t, 5, n)
		w.book.clear()

		// What could not be recorded is with the next one.
		time.Sleep(2 * time.Hour)
		w.book.break_(errors.New("full"))
		eve.Say("#ops", "mushroom")
		w.Idle()
		w.book.break_(nil)
		require.Empty(t, denied())
		eve.Say("#ops", "mushroom")
		require.Equal(t, []string{"eve hear-mushroom: and 1 more since 2000-01-01T03:00:00Z"}, denied())
		require.Zero(t, ran, "each of them was refused")
		w.ExpectSilence()
	})
}

// Many people at once: the memory is bounded, and who is forgotten is recorded again.
func TestOverheardIsBounded(t *testing.T) {
	w := newWorld(t, options{routes: func(w *world, rt *handler.Router) {
		rt.Hear(`badger`, func(context.Context, *handler.Request) error { w.ran.Add(1); return nil }).Policy = handler.Policy{Roles: []string{"zoo"}}
	}})
	const n = 5000
	for i := range n {
		w.Chat.Deliver(&adapter.Event{Kind: adapter.KindMessage, User: adapter.User{ID: fmt.Sprint("x", i), Kind: adapter.KindMember}, Room: w.Room("#ops"), Text: "badger"})
		if i%500 == 0 {
			w.Idle()
		}
	}
	require.Len(t, w.records(), n)
	require.LessOrEqual(t, w.guard.Overheard(), 4096)
	require.Zero(t, w.ran.Load())
}

// may is an authorizer of the bot's own.
type may struct{}

func (may) Allowed(context.Context, *adapter.Event, *handler.Route) bool { return true }

// A bot that decides itself what help shows has its guard record what was not decided in time all the same.
func TestAttackExpiredUnaudited(t *testing.T) {
	for _, gone := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			o := options{routes: func(w *world, rt *handler.Router) { rt.Authorize(may{}) }}
			w := newWorld(t, o)
			w.User("bob").Say("#ops", "starling deploy api to prod")
			id, _ := w.request("#ops")
			if gone {
				o.deploy = func(c *handler.Command[deployArgs]) { c.Name = "ship" }
				w.Restart(func(c *starling.Config) { c.Router = w.router(o) })
			}
			time.Sleep(3 * time.Hour)
			require.Equal(t, []string{"asked bob deploy:  " + id, "denied  deploy: expired " + id}, w.recorded())
		})
	}
}
