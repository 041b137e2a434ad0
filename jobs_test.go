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
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/jobs"
)

// jobs lists what runs with its progress; who asked may cancel, others may not.
func TestJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, starling.Config{Brain: brain.New(memory.New()), Timeout: time.Hour}, func(rt *handler.Router) {
			rt.Mount("jobs", jobs.New(jobs.Config{MayCancel: func(u adapter.User, _ handler.Job) bool { return u.ID == "admin" }}))
			rt.Command("deploy", "", func(ctx context.Context, r *handler.Request) error {
				if err := r.Progress(ctx, "%d of 3 done", 1); err != nil {
					return err
				}
				<-ctx.Done()
				return context.Cause(ctx)
			}).Background = true
		})
		job := handler.CorrelationID("stage/m1")
		require.NoError(t, s.say("alice", "C1", "starling deploy"))
		time.Sleep(90 * time.Second)
		require.NoError(t, s.say("bob", "C1", "starling jobs"))
		synctest.Wait()
		require.Equal(t, []string{"C1> 1 of 3 done · 0 s", "C1> " + job + " deploy for alice in C1, 1m30s: 1 of 3 done"}, s.said())
		require.NoError(t, s.say("bob", "C1", "starling cancel "+job))
		synctest.Wait()
		require.Equal(t, "C1> "+job+" belongs to alice, who can cancel it.", s.said()[2])
		require.NoError(t, s.say("alice", "C1", "starling cancel "+strings.ToUpper(job)))
		synctest.Wait()
		require.ElementsMatch(t, []string{"C1> " + job + " is told to stop.", "C1> Canceled by @alice.", "edit 1: 1 of 3 done · canceled · 1 min 30 s"}, s.said()[3:])
		require.NoError(t, s.say("bob", "C1", "starling jobs"))
		synctest.Wait()
		require.NoError(t, s.say("bob", "C1", "starling cancel nothing"))
		synctest.Wait()
		require.Equal(t, []string{"C1> Nothing runs.", "C1> Nothing with the id nothing runs here. Type jobs for what does."}, s.said()[6:])
		require.NoError(t, s.say("alice", "C1", "starling deploy"))
		synctest.Wait()
		require.NoError(t, s.say("admin", "C1", "starling cancel "+handler.CorrelationID("stage/m7")))
		time.Sleep(time.Second)
		synctest.Wait()
		require.Contains(t, s.said(), "C1> Canceled by @admin.")
	})
}

// Who cannot see a room learns that something runs there for somebody, and neither where nor how far it is.
func TestJobsOfOtherRooms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, starling.Config{Brain: brain.New(memory.New()), Timeout: time.Hour}, func(rt *handler.Router) {
			rt.Mount("jobs", jobs.New(jobs.Config{}))
			rt.Hear("^deploy", func(ctx context.Context, r *handler.Request) error {
				if err := r.Progress(ctx, "codename badger"); err != nil {
					return err
				}
				<-ctx.Done()
				return context.Cause(ctx)
			}).Background = true
		})
		direct, private, channel := s.message("alice", "D1", "deploy"), s.message("alice", "P1", "deploy"), s.message("alice", "C1", "deploy")
		private.Room.Kind = adapter.RoomPrivate
		for _, ev := range []*adapter.Event{direct, private, channel} {
			require.NoError(t, s.offer(ev))
		}
		time.Sleep(time.Minute)
		for room, want := range map[string]string{"C2": "a direct room, 1m0s|another room, 1m0s|C1, 1m0s: codename badger", "P1": "a direct room, 1m0s|P1, 1m0s: codename badger|C1, 1m0s: codename badger"} {
			before := len(s.said())
			ask := s.message("bob", room, "starling jobs")
			if room == "P1" {
				ask.Room.Kind = adapter.RoomPrivate
			}
			require.NoError(t, s.offer(ask))
			synctest.Wait()
			said := s.said()
			require.Len(t, said, before+1)
			var places []string
			for _, line := range strings.Split(said[before], "\n") {
				_, place, _ := strings.Cut(line, " for alice in ")
				places = append(places, place)
			}
			require.ElementsMatch(t, strings.Split(want, "|"), places, room)
		}
	})
}
