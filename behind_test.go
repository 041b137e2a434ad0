package starling_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/testutil"
)

// A conversation whose line goes through the store, since more waits than is kept in memory, still gets what the bot itself has to
// say, and goes on after it.
func TestNoticeBehindTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var handled atomic.Int32
		open := make(chan struct{})
		rt := handler.NewRouter()
		rt.Command("work", "Work.", func(context.Context, *handler.Request) error { <-open; handled.Add(1); return nil }).Ordered = true
		b := testutil.Start(t, starling.Config{Router: rt, Brain: brain.New(memory.New()), Limits: starling.Limits{UserRate: 0.01, UserBurst: 100, RoomRate: -1}})
		b.Patience = time.Hour
		alice := b.User("alice")
		for range 103 {
			alice.Direct("work")
		}
		time.Sleep(time.Second)
		require.Zero(t, handled.Load())
		close(open)
		b.ExpectMatch("@alice", "faster than I can follow")
		b.Idle()
		require.EqualValues(t, 100, handled.Load())
	})
}

// What a volatile handler delivers again waits in the store, too, where the line has got there meanwhile.
func TestAgainBehindTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var handled atomic.Int32
		open := make(chan struct{})
		rt := handler.NewRouter()
		rt.Command("work", "Work.", func(context.Context, *handler.Request) error { handled.Add(1); return nil })
		first := rt.Command("first", "Wait, and work.", func(ctx context.Context, r *handler.Request) error {
			<-open
			return r.Again(ctx, "work")
		})
		first.Volatile, first.Ordered = true, true
		b := testutil.Start(t, starling.Config{Router: rt, Brain: brain.New(memory.New()), Limits: starling.Limits{UserRate: -1, RoomRate: -1}})
		b.Patience = time.Hour
		alice := b.User("alice")
		alice.Direct("first")
		for range 80 {
			alice.Direct("work")
		}
		time.Sleep(time.Second)
		require.Zero(t, handled.Load())
		close(open)
		b.Idle()
		require.EqualValues(t, 81, handled.Load())
	})
}
