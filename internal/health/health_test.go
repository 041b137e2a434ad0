package health

import (
	"bytes"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
)

func keeper() (*Keeper, *bytes.Buffer) {
	var log bytes.Buffer
	return New(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))), &log
}

func TestKeeper(t *testing.T) {
	k, log := keeper()
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("east", 3600))
	k.Set(func(s *adapter.Status) { s.Connected, s.Since = true, since })
	k.Gap(adapter.Gap{Room: "C1", What: "messages"})
	require.Equal(t, adapter.Health{Connected: true, Since: since.UTC(), Gaps: 1}, k.Health())
	require.Contains(t, log.String(), `level=WARN msg="the platform cannot give back everything" room=C1`)
	require.Contains(t, log.String(), "missing=messages")
	k.Unused("typing", "ignored")
	require.Contains(t, log.String(), `level=DEBUG msg="an event is not used" kind=typing why=ignored`)
	require.Empty(t, k.Status().Unknown)
}

// What Status gave is the caller's.
func TestStatusIsACopy(t *testing.T) {
	k, _ := keeper()
	k.Gap(adapter.Gap{Room: "C1"})
	k.Unknown("message", true)
	s := k.Status()
	s.Gaps[0].Room = "C2"
	s.Unknown["message (malformed)"] = 7
	require.Equal(t, "C1", k.Status().Gaps[0].Room)
	require.Equal(t, map[string]int{"message (malformed)": 1}, k.Status().Unknown)
}

func TestBounds(t *testing.T) {
	k, _ := keeper()
	for i := range 1000 {
		k.Gap(adapter.Gap{Room: fmt.Sprint(i)})
		k.Unknown(fmt.Sprint("kind", i), false)
	}
	k.Unknown("kind3", false)
	s := k.Status()
	require.Len(t, s.Gaps, maxGaps)
	require.Equal(t, "999", s.Gaps[maxGaps-1].Room, "the last ones are kept")
	require.Len(t, s.Unknown, maxKinds+1)
	require.Equal(t, 2, s.Unknown["kind3"])
	require.Equal(t, 1000-maxKinds, s.Unknown["other"])
}
