package starling_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

// A34, A35: own messages are dropped by id and other bots' by their kind, never by name.
func TestOwnAndOtherBots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, starling.Config{}, func(rt *handler.Router) { rt.Hear("x", replies("y")) })
		own := s.message("starling", "C1", "x")
		own.Self = true
		require.NoError(t, s.offer(own))
		bot := s.message("B2", "C1", "x")
		bot.User.Kind = adapter.KindBot
		require.NoError(t, s.offer(bot))
		synctest.Wait()
		require.Empty(t, s.said())
		require.NoError(t, s.say("starling", "C1", "x")) // a person who is called as the bot is
		synctest.Wait()
		require.Equal(t, []string{"C1> y"}, s.said())
		require.EqualValues(t, 2, s.bot.Stats().Ignored)
	})
}

// T26: two bots that hear each other stop after at most six messages.
func TestT26LoopBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, starling.Config{HearBots: true}, func(rt *handler.Router) { rt.Hear("x", replies("x")) })
		for range 100 {
			ev := s.message("B2", "C1", "x")
			ev.User.Kind = adapter.KindBot
			require.NoError(t, s.offer(ev))
			time.Sleep(50 * time.Millisecond)
		}
		synctest.Wait()
		t.Logf("answers to a bot that answers everything: %d", len(s.said()))
		require.LessOrEqual(t, len(s.said()), 6)
		require.Contains(t, s.log.String(), "a loop of bots is broken")
		time.Sleep(2 * time.Minute)
		ev := s.message("B2", "C1", "x")
		ev.User.Kind = adapter.KindBot
		require.NoError(t, s.offer(ev))
		synctest.Wait()
		require.Len(t, s.said(), 6)
	})
}

// Who floods is told once and the others in the room are served; offered = handled + shed.
func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, starling.Config{Limits: starling.Limits{UserRate: 1, UserBurst: 5}}, func(rt *handler.Router) {
			rt.Hear("^x$", ok)
			rt.Command("ping", "", replies("PONG"))
		})
		for range 100 {
			require.NoError(t, s.say("mallory", "C1", "x"))
		}
		require.NoError(t, s.say("alice", "C1", "starling ping"))
		synctest.Wait()
		require.Equal(t, []string{"C1> @mallory: that is faster than I can follow. I skip messages until it is calmer.", "C1> PONG"}, s.said())
		st := s.bot.Stats()
		require.EqualValues(t, 101, st.Offered)
		require.EqualValues(t, 95, st.Shed)
		require.EqualValues(t, st.Offered, st.Handled+st.Shed)
		time.Sleep(time.Minute)
		require.NoError(t, s.say("mallory", "C1", "x"))
		synctest.Wait()
		require.EqualValues(t, 95, s.bot.Stats().Shed)
	})
}

// An event that is delivered again is handled once.
func TestDuplicate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, starling.Config{}, func(rt *handler.Router) { rt.Hear("x", replies("y")) })
		ev := s.message("alice", "C1", "x")
		again := *ev
		require.NoError(t, s.offer(ev))
		require.NoError(t, s.offer(&again))
		synctest.Wait()
		require.Equal(t, []string{"C1> y"}, s.said())
		require.EqualValues(t, 1, s.bot.Stats().Duplicate)
	})
}

// T27, A-table: an edited message never runs a command.
func TestEditsRunNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, starling.Config{}, func(rt *handler.Router) {
			rt.Command("ping", "", replies("PONG"))
			rt.On(adapter.KindEdit, replies("edited"))
		})
		for range 3 {
			ev := s.message("alice", "C1", "starling ping")
			ev.Kind = adapter.KindEdit
			require.NoError(t, s.offer(ev))
		}
		synctest.Wait()
		require.Equal(t, []string{"C1> edited", "C1> edited", "C1> edited"}, s.said())
	})
}

// An event that arrives late is not run unless its route says so, and who asked is told.
func TestLateEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, starling.Config{}, func(rt *handler.Router) {
			rt.Command("deploy", "", replies("deployed"))
			rt.Command("note", "", replies("noted")).RunLate = true
		})
		for _, text := range []string{"starling deploy", "starling note"} {
			ev := s.message("alice", "C1", text)
			ev.Time = time.Now().Add(-11 * time.Minute)
			require.NoError(t, s.offer(ev))
		}
		synctest.Wait()
		require.Equal(t, []string{"C1> @alice: that reached me 11 minutes late. Say it again if you still want it.", "C1> noted"}, s.said())
	})
}

// Hostile events are rejected or bounded and never stop the bot.
func TestBadEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, starling.Config{Limits: unlimited()}, func(rt *handler.Router) {
			rt.Rewrite(func(ev adapter.Event) (adapter.Event, bool) {
				if ev.Text == "panic" {
					panic("rewrite")
				}
				return ev, ev.Text != "drop"
			})
			rt.Fallback(func(ctx context.Context, r *handler.Request) error { return r.Reply(ctx, "%d", len(r.Event.Text)) })
		})
		require.ErrorIs(t, s.offer(nil), adapter.ErrRejected)
		require.ErrorIs(t, s.offer(&adapter.Event{Kind: adapter.KindMessage}), adapter.ErrRejected)
		require.ErrorIs(t, s.say("alice", "D1", "panic"), adapter.ErrRejected)
		require.NoError(t, s.say("alice", "D1", "drop"))
		require.NoError(t, s.say("alice", "D1", strings.Repeat("x", 1<<20)))
		require.NoError(t, s.say("alice", "D1", "\x00\xff\u202e\u200b"))
		synctest.Wait()
		require.Equal(t, []string{"D1> 65536", "D1> 10"}, s.said())
	})
}
