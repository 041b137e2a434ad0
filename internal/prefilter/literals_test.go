package prefilter

import (
	"regexp/syntax"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// literalsOf returns the literals chosen for one expression, sorted.
func literalsOf(t *testing.T, expr string) []string {
	t.Helper()
	re, err := parse(expr)
	require.NoError(t, err)
	out := slices.Clone(chooseLiterals([]*syntax.Regexp{re})[0])
	slices.Sort(out)
	return out
}

func TestLiterals(t *testing.T) {
	for _, tc := range []struct {
		expr string
		want []string
	}{
		{`deploy`, []string{"deploy"}},
		{`DePloy`, []string{"deploy"}},
		{`^\s*deploy\s+(\S+)$`, []string{"deploy"}},
		{`deploy|ship`, []string{"deploy", "ship"}},
		{`deploy (api|web)`, []string{"deploy api", "deploy web"}},
		{`deploy\s+(api|web)`, []string{"deploy"}},
		{`(?P<verb>deploy)(ing|ed)?`, []string{"deploy"}}, // what contains another is left out
		{`(please )?deploy`, []string{"deploy"}},
		{`\bon\b.*\bcall\b`, []string{"call"}},
		{`deploy\s+production`, []string{"production"}},
		{`deployment.*aa.*bb.*cc.*dd.*ee.*ff.*gg.*hh.*ii`, []string{"deployment"}}, // more than maxChoices
		{`foo(bar)+baz`, []string{"bar"}},
		{`(foo)?`, nil},
		{`(foo)*`, nil},
		{`(foo|)`, nil},
		{`foo|\d+`, nil},
		{`foo|b`, nil}, // one byte is too short
		{`v[0-3]\.`, []string{"v0.", "v1.", "v2.", "v3."}},
		{`v\d+\.\d+`, nil},
		{`(a|b)(c|d)`, []string{"ac", "ad", "bc", "bd"}},
		{`[a-z]+ing`, []string{"ing"}},
		{`(ab){3}`, []string{"ababab"}},
		{`(ab){2,}`, []string{"ab"}},
		{`x\d`, []string{"x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9"}},
		{`\d\d`, nil},
		{`.*`, nil},
		{``, nil},
		{`(?i)kiss`, []string{"kiss"}}, // U+212A and U+017F are the automaton's business
		{`(?i)deploy`, []string{"deploy"}},
		{"\u212ai\u017fs", []string{"kiss"}},
		{"[k\u212a]iss", []string{"kiss"}},
		{`é`, []string{"é"}},
		{`É`, []string{"É"}}, // folds only if asked
		{`(?i)été`, []string{"ÉtÉ", "Été", "étÉ", "été"}},
		{`(?i)привет`, product(product([]string{"П", "п"}, []string{"Р", "р"}), product([]string{"И", "и"}, []string{"В", "в", "\u1c80"}))},
		{`(?i)σ`, []string{"Σ", "ς", "σ"}},
		{"(?i)\u00e5", []string{"\u00c5", "\u00e5", "\u212b"}},
		{`(?i)straße`, []string{"straße", "straẞe"}},
		{`abc\x{FFFD}de`, []string{"abc"}}, // matches any invalid byte
		{`[\x{FFFD}x]abc`, []string{"abc"}},
		{`\x{FFFD}`, nil},
		{`abcdefghijklmnopqrstuvwxyz`, []string{"abcdefghijklmnop"}},
	} {
		t.Run(tc.expr, func(t *testing.T) {
			slices.Sort(tc.want)
			require.Equal(t, tc.want, literalsOf(t, tc.expr))
		})
	}
}

func TestLiteralsOfManyWords(t *testing.T) {
	many := literalsOf(t, `\b(`+strings.Join(words(50, 12), "|")+`)\b`)
	require.Len(t, many, 50)
	for _, l := range many {
		require.Len(t, l, maxLiteralBytes/50)
	}
	require.Nil(t, literalsOf(t, strings.Join(words(70, 9), "|")), "more than maxUnion")
	require.Equal(t, []string{"deploy"}, literalsOf(t, `(`+strings.Join(words(70, 9), "|")+`)deploy`))
}

// TestLiteralsBound holds the memory one expression can ask for.
func TestLiteralsBound(t *testing.T) {
	g := newGenerator(5)
	_, _, trees := g.patterns(1000)
	some := 0
	for i, re := range trees {
		trees[i] = re.Simplify()
	}
	for _, literals := range chooseLiterals(trees) {
		total := 0
		for _, l := range literals {
			require.LessOrEqual(t, len(l), maxLiteral)
			require.GreaterOrEqual(t, len(l), minLiteral)
			total += len(l)
		}
		require.LessOrEqual(t, len(literals), maxUnion)
		require.LessOrEqual(t, total, maxLiteralBytes)
		some += min(len(literals), 1)
	}
	require.Greater(t, some, len(trees)/2)
}

// TestLiteralsRarest: what all routes share does not tell them apart, at either
// end of a long literal or in another place.
func TestLiteralsRarest(t *testing.T) {
	exprs := []string{`^deploy\s+api$`, `^deploy\s+web$`, `^deploy\s+db1$`, `^show me the report of april`, `^show me the report of may`, `^show me the report of june`}
	for range 100 {
		exprs = append(exprs, `^deploy\s+\S+ again`, `show me the report of \w+`)
	}
	var trees []*syntax.Regexp
	for _, e := range exprs {
		re, err := parse(e)
		require.NoError(t, err)
		trees = append(trees, re)
	}
	got := chooseLiterals(trees)
	require.Equal(t, [][]string{{"api"}, {"web"}, {"db1"}, {" report of april"}, {"he report of may"}, {"e report of june"}}, got[:6])
}

// TestASCIIFolds: asciiFolds are all characters that fold onto ASCII, and the
// automaton looks for their first bytes.
func TestASCIIFolds(t *testing.T) {
	var want []asciiFold
	leads := map[byte]bool{foldLead1: true, foldLead2: true}
	for r := rune(utf8.RuneSelf); r <= unicode.MaxRune; r++ {
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			if f < utf8.RuneSelf && unicode.IsLower(f) {
				want = append(want, asciiFold{encoding: string(r), letter: byte(f)})
				require.True(t, leads[string(r)[0]], "lead byte of %q", r)
			}
		}
	}
	require.ElementsMatch(t, want, asciiFolds())
}
