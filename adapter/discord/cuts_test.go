package discord_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/discord"
	"github.com/starlingbot/starling/internal/discordfake"
)

// tally is the bot's side: it counts what reaches it, and refuses now and then.
type tally struct {
	mu      sync.Mutex
	handled map[string]int // by text
	rnd     *rand.Rand
	failing int // one of so many is refused
}

func (c *tally) sink(_ context.Context, ev *adapter.Event) error {
	if ev.Self || ev.Kind != adapter.KindMessage {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rnd.IntN(c.failing) == 0 {
		return fmt.Errorf("the store is away")
	}
	c.handled[ev.Text]++
	return nil
}

// figures are what a run prints.
type figures struct {
	Run          string `json:"run"`
	Seed         uint64 `json:"seed"`
	Offered      int    `json:"offered"`
	Cuts         int    `json:"cuts"`
	Lost         int    `json:"lost"`
	Duplicates   int    `json:"duplicates"`
	Sessions     int    `json:"sessions"`
	Resumed      int    `json:"resumed"`
	P50          string `json:"reconnect_p50"`
	P99          string `json:"reconnect_p99"`
	Dials        int    `json:"dials"`
	DialsASecond int    `json:"dials_in_the_busiest_second"`
	Took         string `json:"took"`
}

// TestFigures is R2 on the fake clock: events in 20 rooms and 5 threads, cuts of all sorts, a store that refuses now and then:
// 2,000 and 10; with STARLING_FIGURES=full 20,000 and 100.
func TestFigures(t *testing.T) {
	events, cuts := 2_000, 10
	if os.Getenv("STARLING_FIGURES") == "full" {
		events, cuts = 20_000, 100
	}
	begun := time.Now()
	out := figures{Run: "R2 discord, fake clock", Seed: 42}
	synctest.Test(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(out.Seed, 2))
		f := discordfake.New(discordfake.Options{})
		f.AddUser(discordfake.User{ID: alice, Name: "alice"})
		var rooms []string
		for i := range 20 {
			rooms = append(rooms, fmt.Sprintf("3000000000000000%02d", i))
			f.AddChannel(discordfake.Channel{ID: rooms[i], Name: fmt.Sprint("room", i)})
		}
		for i := range 5 {
			said, err := f.Say(alice, rooms[i], "root")
			require.NoError(t, err)
			thread, err := f.Below(alice, said, "first")
			require.NoError(t, err)
			rooms = append(rooms, thread)
		}
		cfg := configFor(f)
		a, err := discord.New(cfg)
		require.NoError(t, err)
		c := &tally{handled: map[string]int{}, rnd: rand.New(rand.NewPCG(out.Seed, 1)), failing: 200}
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan error, 1)
		go func() { over <- a.Run(ctx, c.sink) }()
		require.NoError(t, f.Await(ctx, f.Connected))
		wait(time.Minute)

		var offered []string
		var down []time.Duration
		every := events / cuts
		var waiting sync.WaitGroup
		for i := range events {
			text := fmt.Sprintf("event %d", i)
			offered = append(offered, text)
			_, err := f.Say(alice, rooms[rnd.IntN(len(rooms))], text)
			require.NoError(t, err)
			if i%every == every/2 {
				cut := time.Now()
				switch kind := rnd.IntN(9); kind {
				case 0, 1:
					f.Cut()
				case 2:
					f.Reconnect()
				case 3: // the session is gone
					f.Invalidate(false)
				case 4:
					f.RefuseResume(1)
					f.Cut()
				case 5: // nobody answers for a while
					f.SetDown(true)
					f.Cut()
					time.AfterFunc(time.Duration(1+rnd.IntN(4))*time.Second, func() { f.SetDown(false) })
				case 6: // told to reconnect while it does
					f.AnswerSeven(1)
					f.Cut()
				case 7:
					f.CloseWith([]int{4000, 4008, 1001}[rnd.IntN(3)])
				case 8: // the way in fails
					f.DropSessions()
					f.Fail(discordfake.Fault{Route: "gateway", Kind: []discordfake.FaultKind{discordfake.FaultStatus, discordfake.FaultHTML, discordfake.FaultLost, discordfake.FaultLimit}[rnd.IntN(4)], Status: 502, After: 2})
					f.Cut()
				}
				waiting.Go(func() {
					if f.Await(ctx, func() bool { return f.Connected() && time.Since(cut) > time.Millisecond }) == nil {
						c.mu.Lock()
						defer c.mu.Unlock()
						down = append(down, time.Since(cut))
					}
				})
			}
			wait(time.Duration(250+rnd.IntN(500)) * time.Millisecond)
		}
		waiting.Wait()
		wait(5 * time.Minute)
		c.mu.Lock()
		for _, text := range offered {
			switch n := c.handled[text]; {
			case n == 0:
				out.Lost++
			case n > 1:
				out.Duplicates++
			}
		}
		c.mu.Unlock()
		out.Offered, out.Cuts, out.Sessions, out.Resumed = len(offered), len(down), f.Identified(), f.Resumed()
		slices.Sort(down)
		p99 := down[(len(down)*99-1)/100]
		out.P50, out.P99 = down[len(down)/2].Round(time.Millisecond).String(), p99.Round(time.Millisecond).String()
		dials := f.Dials()
		out.Dials = len(dials)
		for i := range dials {
			n := 1
			for j := i + 1; j < len(dials) && dials[j].Sub(dials[i]) < time.Second; j++ {
				n++
			}
			out.DialsASecond = max(out.DialsASecond, n)
		}
		cancel()
		require.NoError(t, <-over)
		require.NoError(t, a.Close())
		require.NoError(t, f.Close())
		cfg.HTTPClient.CloseIdleConnections()
		require.Empty(t, f.Mistakes())
		require.Zero(t, f.Hasty())
		synctest.Wait()
		require.Less(t, p99, 10*time.Second)
	})
	out.Took = time.Since(begun).Round(time.Millisecond).String()
	line, err := json.Marshal(out)
	require.NoError(t, err)
	t.Log(string(line))
	require.Equal(t, events, out.Offered)
	require.GreaterOrEqual(t, out.Cuts, cuts*9/10)
	require.Zero(t, out.Lost)
	require.Zero(t, out.Duplicates)
	require.LessOrEqual(t, out.DialsASecond, 1)
}
