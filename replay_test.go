package starling_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
)

// T28: a platform that loses its connection again and again offers what it has told before, in any order and several times
// at once, to this process and to the next ones: no command has a second effect, and none that comes for the first time
// over ten minutes late has any.
func TestReplayStorms(t *testing.T) { synctest.Test(t, replayStorms) }

func replayStorms(t *testing.T) {
	const commands, storm, restart, late = 2_000, 50, 400, 10 // one in so many
	rnd := rand.New(rand.NewPCG(28, 1))
	store := memory.New()
	var mu sync.Mutex
	effects := map[string]int{}
	start := func() *stage {
		return playOn(t, adapter.Features{Threads: true}, starling.Config{Brain: brain.New(newRig(store)), Limits: unlimited()}, func(rt *handler.Router) {
			rt.Respond(`deploy \d+`, func(ctx context.Context, r *handler.Request) error {
				mu.Lock()
				effects[r.Event.ID]++
				mu.Unlock()
				return r.Reply(ctx, "deployed %s", r.Event.ID)
			})
		})
	}
	s := start()
	var told []*adapter.Event // all that the platform has told
	repeats, storms, lives, posts := 0, 0, 1, 0
	var answers []string
	for i := range commands {
		ev := s.message("alice", "C"+strconv.Itoa(i%20), fmt.Sprintf("starling deploy %d", i))
		ev.ID = fmt.Sprint("e", i)
		if i%late == late-1 {
			ev.Time = time.Now().Add(-11 * time.Minute)
		}
		told = append(told, ev)
		first := *ev
		require.NoError(t, s.offer(&first))
		time.Sleep(time.Duration(rnd.IntN(2000)) * time.Millisecond)
		if i%storm == storm-1 { // the connection is lost and comes back: half of the last 200 again, the newest while they run
			storms++
			var wg sync.WaitGroup
			for range 4 {
				var again []adapter.Event
				for _, ev := range told[max(0, len(told)-200):] {
					if rnd.IntN(2) == 0 {
						again = append(again, *ev)
					}
				}
				rnd.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
				repeats += len(again)
				wg.Go(func() {
					for i := range again {
						require.NoError(t, s.offer(&again[i]))
					}
				})
			}
			wg.Wait()
		}
		if i%restart == restart-1 {
			synctest.Wait()
			answers = append(answers, s.said()...)
			require.NoError(t, s.stop())
			s = start()
			lives++
		}
	}
	time.Sleep(time.Minute)
	synctest.Wait()
	answers = append(answers, s.said()...)
	ran, twice, tooLate := 0, 0, 0
	for i := range commands {
		switch n := effects["e"+strconv.Itoa(i)]; {
		case i%late == late-1:
			tooLate += n
		case n > 1:
			twice++
		case n == 1:
			ran++
		}
	}
	for _, a := range answers {
		if strings.Contains(a, "deployed ") {
			posts++
		}
	}
	require.Positive(t, repeats)
	require.Equal(t, commands-commands/late, ran, "each that came in time has its effect")
	require.Equal(t, commands-commands/late, posts, "and one answer")
	require.Zero(t, twice)
	require.Zero(t, tooLate)
	require.Contains(t, strings.Join(answers, "\n"), "Say it again if you still want it.")
	t.Logf("T28: %d commands, %d repeats in %d storms over %d lives of the bot: %d ran once, %d twice, %d of %d that came late", commands, repeats, storms, lives, ran, twice, tooLate, commands/late)
}
