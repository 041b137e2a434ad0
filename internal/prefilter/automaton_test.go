package prefilter

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// literalsFound returns the literals an automaton finds in text, by index, sorted.
func literalsFound(a *automaton, text string) []int32 {
	var out []int32
	at, state, list := 0, uint32(0), int32(0)
	for {
		at, state, list = a.next(text, at, state)
		if list == noList {
			slices.Sort(out)
			return slices.Compact(out)
		}
		for ; list != noList; list = a.listNext[list] {
			out = append(out, a.exprs(list)...)
		}
	}
}

// TestAutomaton compares with strings.Contains over dense little words, in which
// literals overlap and contain one another.
func TestAutomaton(t *testing.T) {
	g := newGenerator(21)
	word := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteString(pick(g, "a", "b", "k", "s", "\xe2", "\x84"))
		}
		return b.String()
	}
	fold := strings.NewReplacer("A", "a", "B", "b", "K", "k", "S", "s", "\u212a", "k", "\u017f", "s")
	for _, tableBytes := range []int{maxTableBytes, 200, 0} {
		hits := 0
		for range 300 {
			var needles []needle
			for i := range 1 + g.IntN(30) {
				needles = append(needles, needle{word(1 + g.IntN(5)), int32(i)})
			}
			a := newAutomaton(slices.Clone(needles), tuning{folds: asciiFolds(), tableBytes: tableBytes})
			for range 10 {
				text := word(g.IntN(10)) + pick(g, "", "\u212a", "\u017f", "K", "xS") + strings.ToUpper(word(g.IntN(3))) + word(g.IntN(10))
				var want []int32
				for _, n := range needles {
					if strings.Contains(fold.Replace(text), n.literal) {
						want = append(want, n.expr)
					}
				}
				hits += len(want)
				require.Equal(t, want, literalsFound(&a, text), "%q in %q", needles, text)
			}
		}
		require.Greater(t, hits, 1000)
	}
}

// TestAutomatonWithoutRows: a table too small for the states, and the size it
// was given.
func TestAutomatonWithoutRows(t *testing.T) {
	var needles []needle
	for i := range 500 {
		needles = append(needles, needle{name(i), int32(i)})
	}
	full := newAutomaton(slices.Clone(needles), tuning{tableBytes: maxTableBytes})
	require.Empty(t, full.label)
	small := newAutomaton(slices.Clone(needles), tuning{tableBytes: 4000})
	require.LessOrEqual(t, 4*len(small.table), 4000)
	require.Len(t, small.list, len(full.list), "the same states")
	require.Len(t, small.label, len(small.list)-int(small.rows))
	for i := range 500 {
		text := "x" + name(i) + name(i+1)
		require.Equal(t, literalsFound(&full, text), literalsFound(&small, text))
		require.Contains(t, literalsFound(&small, text), int32(i))
	}
}
