package starling

import (
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
)

// TestHeldGivesRoomBack: what remembers the events in memory gives its room back after a burst of 20,000.
func TestHeldGivesRoomBack(t *testing.T) {
	m := newMailboxes(1, 1000)
	hold := func(seq int) *delivery {
		d := &delivery{address: adapter.Address{Adapter: "slack", Room: "R" + strconv.Itoa(seq%64)}, seq: uint64(seq)}
		m.held[place{d.address, d.seq}] = struct{}{}
		return d
	}
	var burst [20_000]*delivery
	for i := range burst {
		burst[i] = hold(i)
	}
	heap := func() int64 {
		var s runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&s)
		return int64(s.HeapAlloc)
	}
	full := heap()
	for _, d := range burst {
		m.unhold(d)
	}
	for i := range 10_000 {
		m.unhold(hold(len(burst) + i))
	}
	require.Empty(t, m.held)
	back := full - heap()
	t.Logf("%d kB given back", back>>10)
	require.Greater(t, back, int64(1<<20))
	runtime.KeepAlive(&burst) // else the deliveries would count
	runtime.KeepAlive(m)
}
