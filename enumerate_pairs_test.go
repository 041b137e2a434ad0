package starling_test

import (
	"hash/fnv"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// pairFaults are what may happen at one of two calls. Two deaths are TestTwoDeathsAtEveryCall's.
var pairFaults = append(slices.Clone(storeFaults), faultDiesBefore, faultDiesAfter)

// The store fails at some call and once more at a later one, each time in any way, or it fails and the process dies, in any order: all
// kinds of handlers come to the same end. A sample of it; with STARLING_FIGURES=full every pair of faults at every pair of calls.
func TestTwoFaultsAtTwoCalls(t *testing.T) {
	for name, k := range enumeratedKinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if os.Getenv("STARLING_FIGURES") == "full" {
				k.allPairs(t)
				return
			}
			h := fnv.New64a()
			_, _ = h.Write([]byte(name)) // a hash takes everything
			k.somePairs(t, rand.New(rand.NewPCG(1, h.Sum64())), 18/step)
		})
	}
}

// Pairs of faults that something was wrong with: a store that refuses a write says nothing of the one before it, which had no
// answer, and a refusal is no reason to give up what this process alone knows.
func TestRefusedAfterALostAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		kind string
		plan []strike
	}{
		"the event was stored, and its place is kept":             {"one reply", []strike{{1, faultLanded}, {1, faultRefused}}},
		"it was stored, and the look at it is refused":            {"one reply", []strike{{1, faultLanded}, {2, faultRefused}}},
		"it was stored before the store hung":                     {"one reply", []strike{{1, faultHangLanded}, {1, faultRefused}}},
		"what was sent is recorded in the end":                    {"Bot.Send with a key", []strike{{2, faultLost}, {1, faultRefused}}},
		"so is what was due":                                      {"SendLater", []strike{{6, faultRefused}, {2, faultRefused}}},
		"what was posted is not said again by the next attempt":   {"a retry", []strike{{3, faultRefused}, {1, faultRefused}}},
		"nor by the sweeper when the next handler cannot begin":   {"Report after a Hear", []strike{{3, faultLost}, {1, faultRefused}}},
		"a change was written, and the next try of it is refused": {"Change and reply", []strike{{3, faultLanded}, {1, faultRefused}}},
		"and the look at it is refused":                           {"Change and reply", []strike{{3, faultLanded}, {2, faultRefused}}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Zero(t, enumeratedKinds[c.kind].play(t, false, c.plan...))
		})
	}
}

// allPairs plays every pair of faults at every pair of calls.
func (k enumerated) allPairs(t *testing.T) {
	runs, whole := 0, 0
	for _, first := range pairFaults {
		for _, second := range pairFaults {
			if first.kills() && second.kills() {
				continue
			}
			for a, left := 1, 0; left < 2; a += step {
				for b := 1; ; b += step {
					runs++
					idempotent := (first.kills() || second.kills()) && (a+b)%2 == 0 // else nothing is ever said again
					if left = k.play(t, idempotent, strike{a, first}, strike{b, second}); left > 0 {
						break
					}
					whole++
				}
			}
		}
	}
	t.Logf("%d runs, in %d of them both faults struck", runs, whole)
	require.Greater(t, whole*step*step, 4*len(storeFaults)*len(storeFaults)) // there are four pairs of calls, at the least
}

// somePairs plays n pairs by lot.
func (k enumerated) somePairs(t *testing.T, lot *rand.Rand, n int) {
	whole := 0
	for range n {
		first, second := pairFaults[lot.IntN(len(pairFaults))], storeFaults[lot.IntN(len(storeFaults))]
		if lot.IntN(2) == 0 {
			first, second = second, first
		}
		idempotent := (first.kills() || second.kills()) && lot.IntN(2) == 0
		if k.play(t, idempotent, strike{1 + lot.IntN(5), first}, strike{1 + lot.IntN(5), second}) == 0 {
			whole++
		}
	}
	t.Logf("%d runs, in %d of them both faults struck", n, whole)
	require.Positive(t, whole)
}
