package args

import (
	"strings"
	"unicode/utf8"
)

// maxSuggest is the longest word that Suggest compares, in runes.
const maxSuggest = 64

// Suggest gives the one of known that word was most likely meant to be: the nearest by Damerau-Levenshtein distance
// (optimal string alignment; an exchange of two neighbours counts one; case does not count). The distance is at most 2 for
// known words of five letters and more, 1 for three and four, 0 for shorter. Of several that are as near, one with the
// same first letter wins, then the first in the order of the alphabet; the order of known does not matter.
func Suggest(word string, known []string) (string, bool) {
	if utf8.RuneCountInString(word) > maxSuggest {
		return "", false
	}
	w := []rune(strings.ToLower(word))
	best, bestDistance, bestFirst := "", 3, false
	var buf [maxSuggest]rune
	for _, k := range known {
		if len(k) > maxSuggest*utf8.UTFMax {
			continue
		}
		c := buf[:0]
		for _, r := range strings.ToLower(k) {
			c = append(c, r)
		}
		limit := 2
		switch {
		case len(c) < 3:
			limit = 0
		case len(c) < 5:
			limit = 1
		}
		d := distance(w, c, limit)
		if d > limit {
			continue
		}
		first := len(w) > 0 && len(c) > 0 && w[0] == c[0]
		if d < bestDistance || d == bestDistance && (first && !bestFirst || first == bestFirst && k < best) {
			best, bestDistance, bestFirst = k, d, first
		}
	}
	return best, bestDistance < 3
}

// distance gives the optimal string alignment distance of a and b; anything above limit where it is above limit.
func distance(a, b []rune, limit int) int {
	if d := len(a) - len(b); d > limit || -d > limit || len(a) > maxSuggest || len(b) > maxSuggest {
		return limit + 1
	}
	var rows [3][maxSuggest + 1]int
	before, prev, cur := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
			least = min(least, cur[j])
		}
		if least > limit+1 { // an exchange looks two rows back
			return limit + 1
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(b)]
}
