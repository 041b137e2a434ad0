package replay

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func keyOf(i int) Key {
	d := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
	return Key(d[:16])
}

// TestReplayCache is T6: 1,000 requests a second for ten minutes are remembered in less than 64 MiB, and none passes twice.
func TestReplayCache(t *testing.T) {
	if testing.Short() {
		t.Skip("uses 40 MiB")
	}
	before := heap()
	c := New()
	begin := time.Unix(1_700_000_000, 0)
	const rate = 1000
	for i := range 1200 * rate {
		now := begin.Add(time.Duration(i) * time.Second / rate)
		first, full := c.First(keyOf(i), now)
		if !first || full {
			t.Fatalf("request %d: first %v, full %v", i, first, full)
		}
		if back := i - 599*rate; back >= 0 && i%997 == 0 { // as long as its stamp can be good
			if first, _ := c.First(keyOf(back), now); first {
				t.Fatalf("request %d passed again after %v", back, 599*time.Second)
			}
		}
	}
	size := heap() - before
	t.Logf("replay cache at 1,000 requests a second: %.1f MiB", float64(size)/(1<<20))
	require.LessOrEqual(t, size, int64(64<<20))
	for i := range most + 10 {
		_, full := c.First(keyOf(-i-1), begin.Add(time.Hour))
		require.Equal(t, i >= most, full, "at the bound it refuses")
	}
	first, full := c.First(keyOf(-1), begin.Add(time.Hour))
	require.False(t, first || full, "what came before is known at the bound, too")
	c.Again(keyOf(-1))
	first, _ = c.First(keyOf(-1), begin.Add(time.Hour))
	require.True(t, first, "what was not taken may come again")
	runtime.KeepAlive(c)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestForgotten: a request is known for as long as its stamp can be good, is forgotten afterwards, and Again finds it in both
// halves.
func TestForgotten(t *testing.T) {
	t.Parallel()
	begin := time.Unix(1_700_000_000, 0)
	for _, c := range []struct {
		after time.Duration
		first bool
	}{{0, false}, {keep - 1, false}, {keep, false}, {2*keep - 1, false}, {2 * keep, true}, {time.Hour, true}} {
		cache := New()
		_, _ = cache.First(keyOf(1), begin)
		first, full := cache.First(keyOf(1), begin.Add(c.after))
		require.Equal(t, c.first, first, c.after)
		require.False(t, full)
		cache.Again(keyOf(1))
		first, _ = cache.First(keyOf(1), begin.Add(c.after))
		require.True(t, first, c.after)
	}
	cache := New()
	_, _ = cache.First(keyOf(0), begin)
	_, _ = cache.First(keyOf(1), begin.Add(keep-time.Second)) // shortly before the halves change
	_, _ = cache.First(keyOf(2), begin.Add(keep))
	first, _ := cache.First(keyOf(1), begin.Add(2*keep-time.Second-1))
	require.False(t, first, "ten minutes are kept whatever the moment")
}

// TestOnce: of many that send the same at once one is the first.
func TestOnce(t *testing.T) {
	t.Parallel()
	c, now := New(), time.Unix(1_700_000_000, 0)
	var mu sync.Mutex
	var wg sync.WaitGroup
	n := 0
	for range 100 {
		wg.Go(func() {
			if first, _ := c.First(keyOf(1), now); first {
				mu.Lock()
				defer mu.Unlock()
				n++
			}
		})
	}
	wg.Wait()
	require.Equal(t, 1, n)
}

func TestInTime(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 999_999_999)
	for stamp, want := range map[int64]bool{
		1_700_000_000: true, 1_699_999_700: true, 1_700_000_300: true, 1_699_999_699: false, 1_700_000_301: false,
		0: false, math.MinInt64: false, math.MaxInt64: false,
	} {
		require.Equal(t, want, InTime(stamp, now), stamp)
	}
}
