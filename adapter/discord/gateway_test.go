package discord_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/discordfake"
)

func closest(at []time.Time) time.Duration {
	least := time.Hour
	for i := 1; i < len(at); i++ {
		least = min(least, at[i].Sub(at[i-1]))
	}
	return least
}

// TestResume: after a cut, op 7, and close codes that allow it, the session goes on: nothing is lost and nothing comes twice,
// reactions and deletions neither.
func TestResume(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		said, err := f.Say(alice, ops, "root")
		require.NoError(t, err)
		n := 1
		for name, end := range map[string]func(){
			"cut": f.Cut, "op 7": f.Reconnect, "4000": func() { f.CloseWith(4000) }, "1012": func() { f.CloseWith(1012) }, "4008": func() { f.CloseWith(4008) },
			"op 9, resumable": func() { f.Invalidate(true) },
		} {
			wait(20 * time.Second)
			before := f.Resumed()
			end()
			synctest.Wait()
			for i := range 3 {
				_, err := f.Say(alice, ops, fmt.Sprint(name, " ", i))
				require.NoError(t, err)
			}
			require.NoError(t, f.React(bob, said, "👍", true))
			require.NoError(t, f.React(bob, said, "👍", false))
			wait(10 * time.Second)
			require.Equal(t, before+1, f.Resumed(), name)
			n += 5
			require.Len(t, e.Heard(), n, name)
		}
		require.Equal(t, 1, f.Identified())
		require.Equal(t, 6, a.Status().Resumed)
		require.Empty(t, a.Status().Gaps)
		seen := map[string]bool{}
		for _, ev := range e.Heard() {
			require.False(t, seen[ev.ID], ev.ID)
			seen[ev.ID] = true
		}
	})
}

// TestNewSession: where a session cannot be resumed the adapter pauses, begins another one, and reads what was said meanwhile.
func TestNewSession(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		n := 0
		for name, end := range map[string]func(){
			"op 9": func() { f.Invalidate(false) }, "4007": func() { f.CloseWith(4007); f.DropSessions() }, "4009": func() { f.CloseWith(4009); f.DropSessions() },
			"refused resume": func() { f.RefuseResume(1); f.Cut() }, "forgotten session": func() { f.DropSessions(); f.Cut() },
			"dial refused for long": func() {
				f.SetDown(true)
				f.Cut()
				time.AfterFunc(4*time.Minute, func() { f.SetDown(false) })
			},
		} {
			wait(time.Minute)
			before, dials := f.Identified(), len(f.Dials())
			begun := time.Now()
			end()
			_, err := f.Say(alice, ops, name)
			require.NoError(t, err)
			require.NoError(t, f.Await(t.Context(), func() bool { return f.Identified() == before+1 }))
			if name == "op 9" {
				require.GreaterOrEqual(t, time.Since(begun), time.Second, "Discord wants 1 to 5 s")
			}
			if name == "refused resume" {
				at := f.Dials()
				require.GreaterOrEqual(t, at[len(at)-1].Sub(at[dials]), time.Second, "Discord wants 1 to 5 s")
			}
			if name == "4007" || name == "4009" {
				require.Len(t, f.Dials(), dials+1, "nobody tries to resume what is over")
			}
			wait(10 * time.Second)
			n++
			require.Len(t, e.Heard(), n, name)
			ev := e.Heard()[n-1]
			require.Equal(t, name, ev.Text)
			require.True(t, ev.Backfilled, name)
			require.Len(t, a.Status().Gaps, n, "what a history does not have is a gap")
		}
		require.Zero(t, f.Hasty())
		require.GreaterOrEqual(t, closest(f.Dials()), time.Second)
	})
}

// TestSevenAsAnswer: op 7 as the answer to a resume or an identify locks the library up for ever.
func TestSevenAsAnswer(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		f.AnswerSeven(1) // to the first identify
		start(t, f, configFor(f), e.Sink)
		wait(20 * time.Second)
		f.AnswerSeven(2) // to resumes
		f.Cut()
		wait(time.Second)
		_, err := f.Say(alice, ops, "still there?")
		require.NoError(t, err)
		wait(time.Minute)
		require.Equal(t, "still there?", e.Last(t, 0).Text)
		require.Zero(t, f.Hasty())
	})
}

// TestHangs: a platform that takes connections and says nothing holds nothing up for ever, and its socket is closed.
func TestHangs(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		wait(time.Minute)
		f.DropSessions()
		f.Fail(discordfake.Fault{Route: "gateway", Kind: discordfake.FaultHang})
		f.Mute(2)
		f.Cut()
		begun := time.Now()
		require.NoError(t, f.Await(t.Context(), f.Connected))
		t.Logf("connected %v after two connections and a call that said nothing", time.Since(begun).Round(time.Second))
		require.Less(t, time.Since(begun), 4*time.Minute)
		synctest.Wait()
		require.Equal(t, 1, f.Connections(), "those that hung are closed")
		_, err := f.Say(alice, ops, "there you are")
		require.NoError(t, err)
		require.Equal(t, "there you are", e.Last(t, 0).Text)
		require.Positive(t, a.Status().Reconnects)
	})
}

// TestHungStop: Run ends at once while a connection says nothing.
func TestHungStop(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		cfg := configFor(f)
		f.Mute(1)
		a := idle(t, cfg)
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan error, 1)
		go func() { over <- a.Run(ctx, new(ear).Sink) }()
		wait(5 * time.Second)
		require.Equal(t, 1, f.Connections())
		begun := time.Now()
		cancel()
		require.NoError(t, <-over)
		require.Less(t, time.Since(begun), 3*time.Second)
	})
}

// TestZombie: a connection on which heartbeats are not answered is given up after two intervals, in a way that keeps the
// session.
func TestZombie(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		wait(5 * time.Minute)
		require.Zero(t, a.Status().Reconnects)
		f.AskHeartbeat()
		wait(time.Second)
		require.Zero(t, a.Status().Reconnects)
		f.Deaf(true)
		begun := time.Now()
		require.NoError(t, f.Await(t.Context(), func() bool { return f.Connections() == 0 }))
		t.Logf("found after %v", time.Since(begun).Round(time.Second))
		require.LessOrEqual(t, time.Since(begun), 2*41250*time.Millisecond+time.Second)
		f.Deaf(false)
		_, err := f.Say(alice, ops, "meanwhile")
		require.NoError(t, err)
		wait(10 * time.Second)
		require.Equal(t, "meanwhile", e.Last(t, 0).Text)
		require.Equal(t, 1, f.Identified(), "it was resumed")
	})
}

// TestDialRate: whatever Discord does, there is at most one attempt a second, with pauses up to 30 s.
func TestDialRate(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		a := start(t, f, configFor(f), e.Sink)
		wait(time.Minute)
		f.AnswerSeven(10)
		f.Cut()
		require.NoError(t, f.Await(t.Context(), f.Connected))
		for range 10 {
			f.Reconnect()
			wait(500 * time.Millisecond)
		}
		wait(time.Minute)
		f.SetDown(true)
		f.Cut()
		wait(10 * time.Minute)
		require.False(t, a.Health().Connected)
		f.SetDown(false)
		begun := time.Now()
		require.NoError(t, f.Await(t.Context(), f.Connected))
		require.LessOrEqual(t, time.Since(begun), 40*time.Second)
		dials := f.Dials()
		require.GreaterOrEqual(t, closest(dials), time.Second)
		t.Logf("%d attempts, the closest %v apart", len(dials), closest(dials))
		require.Zero(t, f.Hasty())
		_, err := f.Say(alice, ops, "still there?")
		require.NoError(t, err)
		synctest.Wait()
		require.Contains(t, e.Texts(), "still there?")
		require.True(t, a.Health().Connected)
	})
}

// TestSessionsUsedUp: with no session left for today none is begun: one more, and Discord resets the token.
func TestSessionsUsedUp(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		cfg := configFor(f)
		f.SetSessions(5)
		a := idle(t, cfg)
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan error, 1)
		go func() { over <- a.Run(ctx, new(ear).Sink) }()
		wait(3 * time.Hour)
		require.Empty(t, f.Dials())
		require.Contains(t, a.Status().LastError, "sessions of today are used up")
		f.SetSessions(50)
		wait(8 * time.Hour)
		require.Len(t, f.Dials(), 1)
		cancel()
		require.NoError(t, <-over)
	})
}

// TestStop: a clean stop says goodbye, so that the bot is shown as offline, and leaves no session behind.
func TestStop(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		a := idle(t, configFor(f))
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan error, 1)
		go func() { over <- a.Run(ctx, new(ear).Sink) }()
		require.NoError(t, f.Await(t.Context(), f.Connected))
		begun := time.Now()
		cancel()
		require.NoError(t, <-over)
		require.Less(t, time.Since(begun), time.Second)
		require.NoError(t, f.Await(t.Context(), func() bool { return f.Connections() == 0 }))
		require.False(t, f.Connected())
		require.ErrorContains(t, func() error {
			go a.Run(t.Context(), new(ear).Sink)
			wait(time.Second)
			return a.Run(t.Context(), new(ear).Sink)
		}(), "already running")
		require.NoError(t, a.Close()) // which ends the Run that goes
		synctest.Wait()
		require.ErrorIs(t, a.Typing(t.Context(), adapter.Address{Room: ops}), adapter.ErrClosed)
	})
}
