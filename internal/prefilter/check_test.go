package prefilter

import (
	"regexp/syntax"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// words returns n different words of a length.
func words(n, length int) []string {
	g := newGenerator(uint64(length))
	out := make([]string, 0, n)
	for len(out) < n {
		w := ""
		for len(w) < length {
			w += pick(g, "b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z") + pick(g, "a", "e", "i", "o", "u")
		}
		out = union(out, []string{w[:length]})
	}
	return out
}

func TestCheckAccepts(t *testing.T) {
	for name, expr := range map[string]string{
		"empty":             ``,
		"command":           `^!deploy\s+(\S+)$`,
		"named groups":      `(?i)^\s*(?P<verb>deploy|ship|roll back)\s+(?P<service>[\w-]{1,64})\s+to\s+(?P<env>prod|staging)\b`,
		"fifty words":       `(?i)\b(` + strings.Join(words(50, 12), "|") + `)\b`,
		"url":               `https?://[^\s<>]{1,200}`,
		"mail":              `[\w.+-]{1,64}@([a-z0-9-]{1,63}\.){1,4}[a-z]{2,24}`,
		"unicode":           `(?i)привет|\p{Greek}+`,
		"bounded nesting":   `((a{1,5}b){1,5}c){1,5}`,
		"nothing repeated":  `(?:(?:a{0}){30}){0,30}`,
		"exactly the limit": strings.Repeat("a", MaxProgram-2),
	} {
		t.Run(name, func(t *testing.T) { require.NoError(t, Check(expr)) })
	}
}

func TestCheckRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		expr string
		want []string // the pattern, the cause, the cure
	}{
		"T29":               {`(x{0,30}y?){0,30}z`, []string{`"(x{0,30}y?){0,30}z"`, "compiles to 1953 instructions", "limit of 1000", "smaller repetition counts"}},
		"one over":          {strings.Repeat("a", MaxProgram-1), []string{`"aaaa`, "compiles to 1001 instructions", "fewer alternatives"}},
		"no upper bound":    {`(abc){400,}`, []string{`"(abc){400,}"`, "compiles to 2", "smaller repetition counts"}},
		"a million":         {`(` + strings.Repeat("a", 999) + `){1000}`, []string{`"(aaaa`, "compiles to about 1", "smaller repetition counts"}},
		"too many repeats":  {`(a{1000}){1001}`, []string{"invalid repeat count", `"{1001}"`, "at most 1000"}},
		"parenthesis":       {`deploy (`, []string{`"deploy ("`, "missing closing )", `\(`}},
		"closing":           {`deploy)`, []string{`"deploy)"`, "unexpected )", `\)`}},
		"bracket":           {`[a-z`, []string{`"[a-z"`, "missing closing ]", `\[`}},
		"range":             {`[z-a]`, []string{`"[z-a]"`, "invalid character class range", `"z-a"`, "low to high"}},
		"look-ahead":        {`a(?=b)`, []string{`"a(?=b)"`, "unsupported Perl syntax", `"(?="`, "no look-ahead"}},
		"back-reference":    {`(a)\1`, []string{`"(a)\\1"`, "invalid escape", "no back-references"}},
		"nothing to repeat": {`*a`, []string{`"*a"`, "missing argument", `\*`}},
		"nested repeat":     {`a**`, []string{`"a**"`, "nested repetition", `\*`}},
		"group name":        {`(?P<n-1>a)`, []string{`"(?P<n-1>a)"`, "invalid named capture", "letters, digits and _"}},
		"backslash":         {`a\`, []string{"trailing backslash", `\\`}},
		"not utf-8":         {"a\xff", []string{`"a\xff"`, "invalid UTF-8", "utf-8"}},
		"nesting":           {strings.Repeat("(", 2000) + strings.Repeat(")", 2000), []string{"nests too deeply", "smaller"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := Check(tc.expr)
			require.Error(t, err)
			for _, want := range tc.want {
				require.ErrorContains(t, err, want)
			}
			require.True(t, strings.HasPrefix(err.Error(), "pattern "), err.Error())
			require.Less(t, len(err.Error()), 500, "a long pattern is not repeated in full")
			_, newErr := New([]string{"fine", tc.expr})
			require.EqualError(t, newErr, "expression 1: "+err.Error())
		})
	}
}

// TestEstimate holds the estimate to what parse assumes of it: at least half of
// the true size, so that nothing over the limit is accepted without compiling,
// and far below 64 times that size, so that nothing within it is refused.
func TestEstimate(t *testing.T) {
	g := newGenerator(11)
	for range 2000 {
		expr := g.pattern()
		re, err := syntax.Parse(expr, syntax.Perl)
		if err != nil {
			continue
		}
		size := estimate(re)
		prog, err := syntax.Compile(re.Simplify())
		require.NoError(t, err)
		require.LessOrEqual(t, len(prog.Inst), 2*size+16, "%q", expr)
		require.LessOrEqual(t, size, 8*len(prog.Inst)+64, "%q", expr)
	}
}
