package starling_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/handler"
)

// T36: a clock that differs from the platform's by over a minute is said to, once, and shown by Health until it is set right. A
// backlog is no clock that is wrong.
func TestSkew(t *testing.T) {
	cases := map[string]struct {
		stamps []time.Duration // of events, 15 s apart: how far each is ahead of our clock
		back   bool
		off    float64
		warns  int
	}{
		"right":                         {stamps: repeated(0, 12)},
		"a little off":                  {stamps: repeated(50*time.Second, 12)},
		"behind by ten minutes":         {stamps: repeated(10*time.Minute, 12), off: -600, warns: 1},
		"behind, by one event":          {stamps: []time.Duration{0, 2 * time.Minute, 0}, off: -120, warns: 1},
		"ahead by ten minutes":          {stamps: repeated(-10*time.Minute, 12), off: 600, warns: 1},
		"some come late":                {stamps: []time.Duration{-10 * time.Minute, -time.Minute, 0, -10 * time.Minute, -9 * time.Minute, -time.Minute, 0, -8 * time.Minute, 0}},
		"few come, and late":            {stamps: repeated(-10*time.Minute, 3)},
		"what was missed is read again": {stamps: repeated(-10*time.Minute, 12), back: true},
		"set right": {
			stamps: append(repeated(10*time.Minute, 6), repeated(0, 12)...), warns: 1,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := play(t, starling.Config{}, func(rt *handler.Router) {
					rt.Command("ping", "Answer.", func(ctx context.Context, r *handler.Request) error { return r.Reply(ctx, "PONG") })
				})
				for _, ahead := range c.stamps {
					ev := s.message("alice", "C1", "chatter")
					ev.Time, ev.Backfilled = time.Now().Add(ahead), c.back
					require.NoError(t, s.offer(ev))
					time.Sleep(14 * time.Second)
				}
				require.InDelta(t, c.off, s.bot.Health().Adapters["stage"].Skew, 1)
				require.Equal(t, c.warns, strings.Count(s.log.String(), "the clock of this machine and that of the platform differ"))
			})
		})
	}
}

func repeated(d time.Duration, n int) (out []time.Duration) {
	for range n {
		out = append(out, d)
	}
	return out
}
