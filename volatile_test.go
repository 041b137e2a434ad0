package starling_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
)

// A bot without a brain says once that it keeps nothing; one with a brain can be made volatile as a whole.
func TestVolatile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, starling.Config{}, func(rt *handler.Router) { rt.Hear("x", replies("y")) })
		require.NoError(t, s.say("alice", "C1", "x"))
		synctest.Wait()
		require.Equal(t, 1, strings.Count(s.log.String(), "the bot has no brain that keeps"))
		r := newRig(memory.New())
		s = play(t, starling.Config{Brain: brain.New(r), Volatile: true}, func(rt *handler.Router) { rt.Hear("x", replies("y")) })
		require.NoError(t, s.say("alice", "C1", "x"))
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, []string{"C1> y"}, s.said())
		require.Empty(t, r.applied())
		require.NotContains(t, s.log.String(), "no brain")
	})
}

// What was accepted durably is handled by the next process, also by one that accepts nothing durably itself, and in order.
func TestVolatileBotHandlesWhatIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		r1 := newRig(store)
		hang := make(chan struct{})
		defer close(hang)
		s1 := play(t, starling.Config{Brain: brain.New(r1)}, func(rt *handler.Router) {
			rt.Hear(`^\d$`, func(context.Context, *handler.Request) error { <-hang; return nil })
		})
		for _, n := range []string{"1", "2", "3"} {
			require.NoError(t, s1.say("alice", "C1", n))
		}
		require.Empty(t, s1.crash(r1))

		s2 := play(t, starling.Config{Brain: brain.New(newRig(store)), Volatile: true}, func(rt *handler.Router) {
			rt.Hear(`^\d$`, func(ctx context.Context, r *handler.Request) error { return r.Reply(ctx, "%s", r.Text) })
		})
		s2.next = 3 // its ids are not those of the process before
		require.NoError(t, s2.say("alice", "C1", "4"))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"C1> 1", "C1> 2", "C1> 3", "C1> 4"}, s2.said())
		for e, err := range store.List(context.Background(), "_/inbox/") {
			require.NoError(t, err)
			require.Fail(t, "left over: "+e.Key)
		}
	})
}

// A dead letter is replayed by a Volatile bot, too.
func TestVolatileBotReplays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		r1 := newRig(store)
		hang := make(chan struct{})
		defer close(hang)
		s1 := play(t, starling.Config{Brain: brain.New(r1)}, func(rt *handler.Router) {
			rt.Hear("deploy", func(context.Context, *handler.Request) error { <-hang; return nil })
		})
		require.NoError(t, s1.say("alice", "C1", "deploy"))
		require.Empty(t, s1.crash(r1))
		r2 := newRig(store)
		s2 := play(t, starling.Config{Brain: brain.New(r2)}, func(rt *handler.Router) { rt.Hear("another", ok) })
		time.Sleep(5 * time.Second)
		synctest.Wait()
		letters, err := s2.bot.DeadLetters(context.Background())
		require.NoError(t, err)
		require.Len(t, letters, 1)
		require.Empty(t, s2.crash(r2))

		s3 := play(t, starling.Config{Brain: brain.New(newRig(store)), Volatile: true}, func(rt *handler.Router) {
			rt.Hear("deploy", func(ctx context.Context, r *handler.Request) error { return r.Reply(ctx, "deployed") })
		})
		require.NoError(t, s3.bot.Replay(context.Background(), letters[0].ID))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"C1> deployed"}, s3.said())
	})
}
