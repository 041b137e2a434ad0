package prefilter

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// missed returns the indexes of the expressions that match text and are not
// candidates, and how many match that s could have filtered.
func missed(s *Set, res []*regexp.Regexp, candidates []int32, text string) (lost []int, matched int) {
	for i, re := range res {
		if !re.MatchString(text) {
			continue
		}
		if !slices.Contains(candidates, int32(i)) {
			lost = append(lost, i)
		}
		if !slices.Contains(s.always, int32(i)) {
			matched++
		}
	}
	return lost, matched
}

// TestCandidatesAgainstRegexp compares with regexp over generated patterns and
// texts, in the usual representation and with a table for very few states.
func TestCandidatesAgainstRegexp(t *testing.T) {
	const perSet, texts = 40, 64
	total := 0
	for _, tc := range []struct {
		name string
		seed uint64
		sets int
		tune tuning
	}{
		{"table", 1, 32, tuning{folds: asciiFolds(), tableBytes: maxTableBytes}},
		{"few rows", 2, 5, tuning{folds: asciiFolds(), tableBytes: 2000}},
		{"one row", 3, 5, tuning{folds: asciiFolds(), tableBytes: 0}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := newGenerator(tc.seed)
			pairs, matches, candidates, always := 0, 0, 0, 0
			for range tc.sets {
				exprs, res, trees := g.patterns(perSet)
				s, err := newSet(exprs, tc.tune)
				require.NoError(t, err)
				always += len(s.always) * texts
				var dst []int32
				for range texts {
					text := g.text(trees)
					dst = s.Candidates(dst[:0], text)
					require.True(t, slices.IsSorted(dst), "not ascending: %v", dst)
					require.Len(t, slices.Compact(slices.Clone(dst)), len(dst), "not each once: %v", dst)
					lost, n := missed(s, res, dst, text)
					for _, i := range lost {
						t.Errorf("%q matches %q and is no candidate", exprs[i], text)
					}
					pairs, matches, candidates = pairs+len(res), matches+n, candidates+len(dst)
				}
			}
			t.Logf("%d pairs; of those that can be filtered %d, %d are candidates and %d match", pairs, pairs-always, candidates-always, matches)
			total += pairs
			require.Greater(t, matches, pairs/50, "too few matches to prove anything")
			require.Less(t, candidates-always, (pairs-always)/4, "too little is filtered")
		})
	}
	require.GreaterOrEqual(t, total, 100_000)
}

// generator makes patterns and texts.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) *generator { return &generator{rand.New(rand.NewPCG(seed, 7))} }

func pick[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }

// patterns returns n that Check accepts.
func (g *generator) patterns(n int) (exprs []string, res []*regexp.Regexp, trees []*syntax.Regexp) {
	for len(exprs) < n {
		expr := g.pattern()
		if Check(expr) != nil {
			continue
		}
		tree, err := syntax.Parse(expr, syntax.Perl)
		if err != nil {
			continue
		}
		exprs, res, trees = append(exprs, expr), append(res, regexp.MustCompile(expr)), append(trees, tree)
	}
	return exprs, res, trees
}

func (g *generator) pattern() string {
	flags := pick(g, "", "", "", "(?i)", "(?i)", "(?s)", "(?m)", "(?U)", "(?ims)")
	return flags + pick(g, "", "", "^", `\A`, `\b`) + g.concat(3) + pick(g, "", "", "$", `\z`, `\b`)
}

func (g *generator) concat(depth int) string {
	var b strings.Builder
	for range 1 + g.IntN(4) {
		b.WriteString(g.repeated(depth))
	}
	return b.String()
}

func (g *generator) repeated(depth int) string {
	a := g.atom(depth)
	switch g.IntN(12) {
	case 0:
		return "(?:" + a + ")*"
	case 1:
		return "(?:" + a + ")+"
	case 2:
		return "(?:" + a + ")?"
	case 3:
		lo := g.IntN(3)
		return fmt.Sprintf("(?:%s){%d,%d}", a, lo, lo+g.IntN(3))
	case 4:
		return fmt.Sprintf("(?:%s){%d,}?", a, g.IntN(3))
	}
	return a
}

func (g *generator) atom(depth int) string {
	n := 14
	if depth > 0 {
		n = 20
	}
	switch g.IntN(n) {
	case 0, 1, 2, 3, 4, 5:
		return regexp.QuoteMeta(g.word())
	case 6:
		return pick(g, `\d`, `\w`, `\s`, `\S`, `\W`, ".", `\s+`, `\w+`, ".*", ".+")
	case 7:
		return pick(g, "[a-f]", "[sS]", "[kx]", "[^a]", "[0-9]", "[k-s]", "[éÉ]", "[а-я]", `[\x{80}-\x{10FFFF}]`, "[\u212a]", "[\u017fz]", `[^\x00-\x{10FFFF}]`, `[\x{FFFD}q]`)
	case 8:
		return pick(g, `\pL`, `\p{Greek}`, `\p{Lu}`, `\P{Latin}`, "[[:alpha:]]", "[[:^digit:]]")
	case 9:
		return pick(g, `\b`, `\B`, "^", "$", `\A`, `\z`, "")
	case 10:
		return pick(g, "(?i:"+regexp.QuoteMeta(g.word())+")", "(?-i:"+regexp.QuoteMeta(g.word())+")")
	case 11:
		return pick(g, `\x{FFFD}`, `\x{212A}`, `\x{17F}`, `\x{D7FF}`, "ﬃ", "ß", "Å", "µ", "ς", "™", "İ", "ı", "Ǆ")
	case 12:
		return g.word() + pick(g, `\d+`, "[1-3]", `\s*`, "-?") + g.word()
	case 13:
		words := make([]string, 2+g.IntN(pick(g, 3, 3, 60)))
		for i := range words {
			words[i] = regexp.QuoteMeta(g.word())
		}
		return "(?:" + strings.Join(words, "|") + ")"
	case 14, 15:
		return "(" + g.concat(depth-1) + ")"
	case 16:
		return fmt.Sprintf("(?P<g%d>%s)", g.IntN(1<<30), g.concat(depth-1))
	case 17, 18:
		return "(?:" + g.concat(depth-1) + "|" + g.concat(depth-1) + ")"
	}
	return "(?:" + g.concat(depth-1) + "|" + g.concat(depth-1) + "|" + g.repeated(depth-1) + ")"
}

func (g *generator) word() string {
	if g.IntN(8) == 0 {
		return pick(g, "k", "s", "-", "é", "K", "\u212a", "\u017f", "#", "x")
	}
	if g.IntN(4) == 0 {
		return pick(g, "deploy", "kiss", "STOP", "task", "søk", "привет", "ΣΊΣΥΦΟΣ", "straße", "\u212aelvin", "lo\u017fs", "日本語", "Ångström", "the quick brown fox jumps", "crème brûlée aux noisettes")
	}
	var b strings.Builder
	for range 2 + g.IntN(5) {
		b.WriteString(pick(g, "k", "s", "a", "o", "r", "T", "K", "S", "-", "1", "e", "é", "ж"))
	}
	return b.String()
}

// text makes a text from one or two patterns, mutated.
func (g *generator) text(trees []*syntax.Regexp) string {
	var b strings.Builder
	b.WriteString(g.noise())
	for range 1 + g.IntN(2) {
		g.sample(&b, trees[g.IntN(len(trees))])
		b.WriteString(g.noise())
	}
	text := b.String()
	for range g.IntN(3) {
		text = g.mutate(text)
	}
	return text
}

func (g *generator) noise() string {
	return pick(g, "", "", "", " ", "\n", "k", "s", "\xff", "\xe2\x84", "\xc5", "™", "\u212a", "\u017f", "please do ", "\xe2", g.word())
}

// sample writes a string that re tends to match, but for its assertions.
func (g *generator) sample(b *strings.Builder, re *syntax.Regexp) {
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			if re.Flags&syntax.FoldCase != 0 {
				for range g.IntN(4) {
					r = unicode.SimpleFold(r)
				}
			}
			g.writeRune(b, r)
		}
	case syntax.OpCharClass:
		if len(re.Rune) > 0 {
			i := 2 * g.IntN(len(re.Rune)/2)
			g.writeRune(b, re.Rune[i]+rune(g.IntN(int(re.Rune[i+1]-re.Rune[i])+1)))
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteString(pick(g, "a", " ", "\xfe", "ж", "\u212a"))
	case syntax.OpCapture:
		g.sample(b, re.Sub[0])
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		lo, hi := 0, 3
		switch {
		case re.Op == syntax.OpPlus:
			lo = 1
		case re.Op == syntax.OpQuest:
			hi = 1
		case re.Op == syntax.OpRepeat:
			if lo, hi = re.Min, re.Max; hi < 0 {
				hi = lo + 2
			}
		}
		for range lo + g.IntN(hi-lo+1) {
			g.sample(b, re.Sub[0])
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			g.sample(b, sub)
		}
	case syntax.OpAlternate:
		g.sample(b, re.Sub[g.IntN(len(re.Sub))])
	}
}

// writeRune writes r, and for U+FFFD often what regexp reads as such.
func (g *generator) writeRune(b *strings.Builder, r rune) {
	if r == utf8.RuneError && g.IntN(3) > 0 {
		b.WriteString(pick(g, "\xff", "\xc5", "\xe2\x84"))
		return
	}
	b.WriteRune(r)
}

func (g *generator) mutate(s string) string {
	if s == "" {
		return s
	}
	at := g.IntN(len(s))
	switch g.IntN(8) {
	case 0:
		return strings.ToUpper(s)
	case 1:
		return strings.NewReplacer("k", "\u212a", "K", "\u212a").Replace(s)
	case 2:
		return strings.NewReplacer("s", "\u017f", "S", "\u017f").Replace(s)
	case 3:
		return s[:at] + s[at+1:]
	case 4:
		return s[:at] + string(byte(g.IntN(256))) + s[at:]
	case 5:
		return s[:at] + pick(g, "\u212a", "\u017f", "é", "\xff", "k", "S", " ") + s[at:]
	case 6:
		return s[:at] + strings.ToUpper(s[at:])
	}
	b := []byte(s)
	b[at] ^= 1 << g.IntN(8)
	return string(b)
}

// FuzzCandidates tries one pattern alone and beside others.
func FuzzCandidates(f *testing.F) {
	g := newGenerator(9)
	for range 50 {
		exprs, _, trees := g.patterns(2)
		f.Add(exprs[0], exprs[1], g.text(trees))
	}
	f.Add(`(?i)kiss`, `\x{FFFD}|™`, "\u212ai\u017fS \xff")
	f.Fuzz(func(t *testing.T, one, two, text string) {
		if len(one)+len(two)+len(text) > 4096 || Check(one) != nil || Check(two) != nil {
			t.Skip()
		}
		exprs := []string{one, two, `deploy\s+(api|web)`}
		res := []*regexp.Regexp{regexp.MustCompile(one), regexp.MustCompile(two), regexp.MustCompile(exprs[2])}
		for _, tableBytes := range []int{maxTableBytes, 0} {
			s, err := newSet(exprs, tuning{folds: asciiFolds(), tableBytes: tableBytes})
			require.NoError(t, err)
			got := s.Candidates(nil, text)
			lost, _ := missed(s, res, got, text)
			for _, i := range lost {
				t.Errorf("%q matches %q and is no candidate", exprs[i], text)
			}
			for _, i := range s.Unfilterable() {
				require.Contains(t, got, int32(i))
			}
		}
	})
}
