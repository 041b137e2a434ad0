package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/internal/canary"
)

// TestMain is the child where it is asked to be: the campaign starts its own binary.
func TestMain(m *testing.M) {
	if os.Getenv(childVar) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// short is a campaign of a few seconds.
func short(t *testing.T, s settings) *report {
	t.Helper()
	var err error
	s.Program, err = os.Executable()
	require.NoError(t, err)
	s.Log, s.Timeout, s.Rooms = t.Output(), 4*time.Minute, 40
	s.PerKill = 3 // others use the machine, and the race detector may be on
	if s.Settle == 0 {
		s.Settle = 20 * time.Second
	}
	if canary.On() {
		s.Dir, err = os.MkdirTemp("", "campaign-")
		require.NoError(t, err)
	}
	rep, err := run(context.Background(), s.withDefaults())
	require.NoError(t, err)
	if canary.On() {
		log, err := os.ReadFile(filepath.Join(s.Dir, logName))
		require.NoError(t, err)
		canary.Write(canary.Programs, log)
	}
	t.Logf("%+v", *rep)
	t.Cleanup(func() {
		if rep.Dir != "" && !t.Failed() { // else there is something to look at
			require.NoError(t, os.RemoveAll(rep.Dir))
		}
	})
	return rep
}

// findings keeps out what a short run on a busy machine cannot promise: its figures of time and load.
func findings(rep *report) (out []string) {
	for _, f := range rep.Findings {
		if !strings.HasPrefix(f, "load: ") {
			out = append(out, f)
		}
	}
	return out
}

// A small campaign finds nothing: kills, a stop and a failing store.
func TestCampaign(t *testing.T) {
	for _, idempotent := range []bool{false, true} {
		t.Run(fmt.Sprintf("idempotent=%t", idempotent), func(t *testing.T) {
			t.Parallel()
			rep := short(t, settings{Kills: 5, Events: 600, Rate: 50, Seed: 11, Terms: 1, Outages: 1, Modes: []string{failErrors}, Idempotent: idempotent})
			require.Empty(t, findings(rep))
			require.Equal(t, 5, rep.Faults["kill"])
			require.Equal(t, 5, rep.Recovery.N)
			require.GreaterOrEqual(t, rep.Offered, 600)
		})
	}
}

// Each safeguard that is taken away is noticed, by what it guards against. The first run has them all and passes.
func TestMutants(t *testing.T) {
	inbox := []string{"inbox.before", "inbox.after", "ack.before", "ack.after"}
	cases := []struct {
		mutant string
		s      settings
		want   string
	}{
		{"", settings{Kills: 4, Points: inbox}, ""},
		{mutantNoFsync, settings{Kills: 4, Points: inbox}, "lost: "},
		{mutantAckFirst, settings{Kills: 4, Points: []string{"inbox.before"}}, "lost: "},
		{mutantNoDedupe, settings{Kills: 4, Points: []string{"inbox.after", "ack.before"}}, "wrong state: "},
		{mutantNoFence, settings{}, "wrong state: "},
		{mutantNoSlot, settings{Kills: 4, Points: inbox}, "duplicated sends: "},
		{mutantNoDue, settings{}, "lost: "},
		{mutantNoForget, settings{}, "wrong state: "},
	}
	for _, c := range cases {
		t.Run("mutant="+c.mutant, func(t *testing.T) {
			t.Parallel()
			c.s.Mutant, c.s.Events, c.s.Rate, c.s.Seed = c.mutant, 600, 60, 5
			if c.mutant != "" {
				c.s.Settle = 2 * time.Second
			}
			found := strings.Join(findings(short(t, c.s)), "\n")
			if c.want == "" {
				require.Empty(t, found)
				return
			}
			require.Contains(t, found, c.want)
		})
	}
}

// A flood of one user keeps nobody waiting, and everything that was offered is accounted for. The figure of time is
// -flood's; a race detector and a busy machine have none.
func TestFlood(t *testing.T) {
	t.Parallel()
	rep, err := flood(context.Background(), 2*time.Second)
	require.NoError(t, err)
	t.Logf("%+v", *rep)
	require.Equal(t, rep.Offered, rep.Handled+rep.Shed)
	require.Equal(t, rep.Others, rep.Waited.N)
	require.NotZero(t, rep.Shed)
}
