package memory

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/starlingbot/starling/brain"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The index is a sorted set, whatever the order of inserts and removes, and its
// blocks stay sorted, non-empty and bounded.
func TestIndexProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var x index
		model := map[string]bool{}
		n := rapid.IntRange(1, 3000).Draw(t, "n")
		seed := rapid.Uint32().Draw(t, "seed")
		span := rapid.SampledFrom([]uint32{10, 700, 5000}).Draw(t, "span")
		ordered := rapid.Bool().Draw(t, "ordered")
		for i := range n {
			seed = seed*1664525 + 1013904223
			key := fmt.Sprintf("%04d", (seed>>8)%span)
			if ordered {
				key = fmt.Sprintf("%04d", i)
			}
			switch {
			case !model[key]:
				x.insert(&item{key: key})
				model[key] = true
			case i > n/3:
				x.remove(key)
				delete(model, key)
			}
		}
		check := func() {
			want := make([]string, 0, len(model))
			for k := range model {
				want = append(want, k)
			}
			slices.Sort(want)
			var got []string
			for it := range x.from("") {
				got = append(got, it.key)
			}
			require.True(t, slices.Equal(want, got), "%d keys, want %d", len(got), len(want))
			for _, b := range x.blocks {
				require.NotEmpty(t, b)
				require.LessOrEqual(t, len(b), blockKeys)
			}
			from := fmt.Sprintf("%04d", seed%span)
			for it := range x.from(from) {
				i, _ := slices.BinarySearch(want, from)
				require.Equal(t, want[i], it.key)
				break
			}
		}
		check()
		for k := range model {
			x.remove(k)
			delete(model, k)
			if len(model) == n/4 {
				check()
			}
		}
		check()
		require.Empty(t, x.blocks)
	})
}

// Against a model with the same rules: any sequence of writes, deletes, waits
// and conditions.
func TestStoreProperties(t *testing.T) {
	type known struct {
		value string
		rev   uint64
		dies  time.Time
	}
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(t *testing.T) {
			s, ctx := New(), context.Background()
			model := map[string]known{}
			keys := rapid.SampledFrom([]string{"a", "a/b", "a/c", "b", "b/x"})
			for i := range rapid.IntRange(1, 60).Draw(rt, "steps") {
				for k, v := range model {
					if !v.dies.IsZero() && !time.Now().Before(v.dies) {
						delete(model, k)
					}
				}
				k := keys.Draw(rt, "key")
				cur, lives := model[k]
				op := brain.Op{Key: k, Value: fmt.Append(nil, i), Delete: rapid.Bool().Draw(rt, "delete")}
				op.If = rapid.SampledFrom([]brain.Cond{brain.Any, brain.Absent, brain.At(cur.rev), brain.At(cur.rev + 1)}).Draw(rt, "if")
				op.TTL = rapid.SampledFrom([]time.Duration{0, 0, time.Second, 3 * time.Second}).Draw(rt, "ttl")
				revs, err := s.Apply(ctx, op)
				if !op.If.Holds(lives, cur.rev) {
					require.ErrorIs(rt, err, brain.ErrConflict)
				} else {
					require.NoError(rt, err)
					require.Greater(rt, revs[0], cur.rev)
					delete(model, k)
					if !op.Delete {
						model[k] = known{value: string(op.Value), rev: revs[0]}
						if op.TTL > 0 {
							model[k] = known{value: string(op.Value), rev: revs[0], dies: time.Now().Add(op.TTL)}
						}
					}
				}
				n := 0
				for e, err := range s.List(ctx, "") {
					require.NoError(rt, err)
					require.Equal(rt, model[e.Key].value, string(e.Value))
					require.Equal(rt, model[e.Key].rev, e.Rev)
					n++
				}
				require.Equal(rt, len(model), n)
				time.Sleep(rapid.SampledFrom([]time.Duration{0, 0, time.Second, 5 * time.Second}).Draw(rt, "sleep"))
			}
		})
	})
}

// Expired keys do not stay in memory: later writes remove them, a bounded number
// at each.
func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ctx := New(), context.Background()
		write := func(key string, ttl time.Duration) {
			_, err := s.Apply(ctx, brain.Op{Key: key, If: brain.Any, TTL: ttl})
			require.NoError(t, err)
		}
		for i := range 1000 {
			write(fmt.Sprintf("k/%d", i), time.Minute)
		}
		write("long", time.Hour)
		write("kept", time.Minute)
		write("kept", 0)
		time.Sleep(2 * time.Minute)
		require.Len(t, s.items, 1002, "nothing runs by itself")
		write("w", 0)
		require.Len(t, s.items, 1003-sweepAtOne)
		for range 1000/sweepAtOne + 1 {
			write("w", 0)
		}
		require.Len(t, s.items, 3)
		require.Len(t, s.due, 1)
	})
}

// A List of a small prefix among many keys does not look at the others.
func TestListIsLocal(t *testing.T) {
	s, ctx := New(), context.Background()
	for i := range 50_000 {
		_, err := s.Apply(ctx, brain.Op{Key: fmt.Sprintf("k/%03d/%d", i%500, i)})
		require.NoError(t, err)
	}
	begin := time.Now()
	const rounds = 200
	for range rounds {
		n := 0
		for _, err := range s.List(ctx, "k/250/") {
			require.NoError(t, err)
			n++
		}
		require.Equal(t, 100, n)
	}
	// 100 entries cost some 10 us; sorting or scanning 50,000 would cost ms.
	require.Less(t, time.Since(begin)/rounds, time.Millisecond)
}
