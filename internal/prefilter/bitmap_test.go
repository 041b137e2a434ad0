package prefilter

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBitmap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 64, 65, 4096, 4097, 10_000} {
		b := newBitmap(n)
		for round := range 20 {
			var want []int32
			for range r.IntN(50) + 1 {
				i := r.IntN(n)
				require.Equal(t, !slices.Contains(want, int32(i)), b.add(uint32(i)))
				if !slices.Contains(want, int32(i)) {
					want = append(want, int32(i))
				}
			}
			if round%3 == 0 {
				b.clear()
				require.Empty(t, b.drain(nil))
				continue
			}
			slices.Sort(want)
			require.Equal(t, append([]int32{-1}, want...), b.drain([]int32{-1}))
		}
		require.Equal(t, newBitmap(n), b, "empty again")
	}
}
