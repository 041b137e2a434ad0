package prefilter

import (
	"math"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func mustNew(t testing.TB, exprs ...string) *Set {
	t.Helper()
	s, err := New(exprs)
	require.NoError(t, err)
	return s
}

func TestCandidates(t *testing.T) {
	s := mustNew(t,
		`deploy\s+(api|web)`, // 0
		`(?i)^status$`,       // 1
		`\d+-\d+`,            // 2
		`.*`,                 // 3
		`rede|ploy`,          // 4
		`(?i)kiss`,           // 5
		`x?`,                 // 6
		"a\x00b",             // 7
		`\x{FFFD}`,           // 8: any byte outside ASCII may be one
		`(?i)é!`,             // 9
	)
	require.Equal(t, []int{3, 6}, s.Unfilterable())
	for _, tc := range []struct {
		text string
		want []int32
	}{
		{"", []int32{3, 6}},
		{"hello there", []int32{3, 6}},
		{"deploy api", []int32{0, 3, 4, 6}},
		{"REDEPLOY REDEPLOY", []int32{0, 3, 4, 6}},
		{"my status?", []int32{1, 3, 6}},
		{"\u017ftatu\u017f", []int32{1, 3, 6, 8}},
		{"10-20", []int32{2, 3, 6}},
		{"10 20", []int32{3, 6}},
		{"ten-twenty", []int32{3, 6}},
		{"a kiss", []int32{3, 5, 6}},
		{"\u212aI\u017fS", []int32{3, 5, 6, 8}},
		{"\xe2\x84iss \u212biss \xc5kis", []int32{3, 6, 8}},
		{"A\x00B", []int32{3, 6, 7}},
		{"not \xff\xfe utf8", []int32{3, 6, 8}},
		{"É! é!", []int32{3, 6, 8, 9}},
	} {
		require.Equal(t, tc.want, s.Candidates(nil, tc.text), "%q", tc.text)
	}
}

func TestCandidatesAppends(t *testing.T) {
	s := mustNew(t, `deploy`, `web`)
	require.Equal(t, []int32{7, 7, 1, 0, 1}, s.Candidates([]int32{7, 7, 1}, "deploy web web deploy"))
	dst := make([]int32, 1, 3)
	got := s.Candidates(dst, "web deploy")
	require.Equal(t, &dst[:2][1], &got[1], "capacity sufficed")
}

func TestNoExpressions(t *testing.T) {
	s := mustNew(t)
	require.Empty(t, s.Candidates(nil, "deploy"))
	require.Empty(t, s.Unfilterable())
}

func TestUnfilterable(t *testing.T) {
	exprs := []string{`.*`, `.+`, `^`, `^$`, `\bfoo\b|`, `\S+`, `[^,]`, `(?s).{3}`, `foo`, `\w`, `\d`, `[[:upper:]]{3}`, `[^\x00-\x{10FFFF}]`}
	s := mustNew(t, exprs...)
	require.Equal(t, []int{0, 1, 2, 3, 4, 5, 6, 7}, s.Unfilterable())
	s.Unfilterable()[0] = 9
	require.Equal(t, 0, s.Unfilterable()[0], "the caller has a copy")
	require.Equal(t, []int32{0, 1, 2, 3, 4, 5, 6, 7}, s.Candidates(nil, "?!"))
}

// TestFolding names the characters that must be folded, and shows that a set
// without one of them is caught.
func TestFolding(t *testing.T) {
	for name, tc := range map[string]struct {
		fold        string
		expr, texts string
	}{
		"U+212A Kelvin sign": {"\u212a", `(?i)task`, "TAS\u212a tas\u212a"},
		"U+017F long s":      {"\u017f", `(?i)task`, "TA\u017fK ta\u017fk"},
	} {
		t.Run(name, func(t *testing.T) {
			var without []asciiFold
			for _, f := range asciiFolds() {
				if f.encoding != tc.fold {
					without = append(without, f)
				}
			}
			require.Len(t, without, len(asciiFolds())-1)
			good := mustNew(t, tc.expr)
			broken, err := newSet([]string{tc.expr}, tuning{folds: without, tableBytes: maxTableBytes})
			require.NoError(t, err)
			for _, text := range strings.Fields(tc.texts) {
				require.True(t, regexp.MustCompile(tc.expr).MatchString(text))
				require.Equal(t, []int32{0}, good.Candidates(nil, text))
				require.Empty(t, broken.Candidates(nil, text), "this test cannot see a missing fold")
			}
		})
	}
}

// TestMissIsEmpty: what chat says does not bring up what bots are told.
func TestMissIsEmpty(t *testing.T) {
	for _, n := range []int{10, 1000, 10_000} {
		s := mustNew(t, routes(n)...)
		require.Empty(t, s.Unfilterable())
		for _, text := range chatter() {
			require.Empty(t, s.Candidates(nil, text), "n=%d %q", n, text)
		}
	}
}

// TestHitIsNarrow: a text for one route brings up little else.
func TestHitIsNarrow(t *testing.T) {
	const n = 1000
	exprs := routes(n)
	s := mustNew(t, exprs...)
	total := 0
	for i := range exprs {
		text := routeText(i)
		require.Regexp(t, exprs[i], text)
		got := s.Candidates(nil, text)
		require.Contains(t, got, int32(i), "%q %q", exprs[i], text)
		total += len(got)
	}
	t.Logf("%.2f candidates for a text that matches one route of %d", float64(total)/n, n)
	require.LessOrEqual(t, total, 2*n)
}

func requireNoAllocation(t *testing.T, s *Set, text string, candidates int) {
	t.Helper()
	dst := make([]int32, 0, candidates)
	require.Len(t, s.Candidates(dst, text), candidates, "%q", text)
	require.Zero(t, testing.AllocsPerRun(200, func() { s.Candidates(dst, text) }), "%q", text)
}

func TestMissAllocatesNothing(t *testing.T) {
	exprs := append(routes(1000), `\d+-\d+#`)
	s := mustNew(t, exprs...)
	for _, text := range append(chatter(), "", "\xff\u212a") {
		requireNoAllocation(t, s, text, 0)
	}
	requireNoAllocation(t, mustNew(t, append(exprs, ".*")...), "nothing", 1)
}

// TestHitAllocatesNothing: dst has just the capacity needed.
func TestHitAllocatesNothing(t *testing.T) {
	if raceEnabled() {
		t.Skip("the race detector makes sync.Pool forget at random; run without -race")
	}
	s := mustNew(t, append(routes(1000), `\d+-\d+#`)...)
	requireNoAllocation(t, s, routeText(3), 1)
	requireNoAllocation(t, s, strings.Repeat(routeText(4)+" ", 30), 1)
	requireNoAllocation(t, s, "1-2#", 1)
	shared := make([]string, 1500)
	for i := range shared {
		shared[i] = `deploy`
	}
	requireNoAllocation(t, mustNew(t, shared...), "deploy deploy deploy", len(shared))
}

func raceEnabled() bool {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return false
	}
	for _, s := range info.Settings {
		if s.Key == "-race" {
			return s.Value == "true"
		}
	}
	return false
}

func TestConcurrentUse(t *testing.T) {
	const n = 300
	s := mustNew(t, routes(n)...)
	want := make([][]int32, n)
	for i := range want {
		want[i] = s.Candidates(nil, routeText(i))
	}
	var wg sync.WaitGroup
	errs := make([]int, 4)
	for g := range errs {
		wg.Go(func() {
			var dst []int32
			for i := range n {
				dst = s.Candidates(dst[:0], routeText(i))
				if len(dst) == 0 || !slices.Equal(dst, want[i]) {
					errs[g]++
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, make([]int, len(errs)), errs)
}

// TestRepeatedLiteral: a text that repeats what all expressions share costs its
// scan and one collection, not one collection for each repetition.
func TestRepeatedLiteral(t *testing.T) {
	exprs := make([]string, 5000)
	for i := range exprs {
		exprs[i] = `foo`
	}
	s := mustNew(t, exprs...)
	once, often := "foo", strings.Repeat("foo", 1300)
	dst := s.Candidates(nil, often)
	require.Len(t, dst, len(exprs))
	cost := math.Inf(1)
	for range 5 {
		a := nanoseconds(20, func() { dst = s.Candidates(dst[:0], once) })
		b := nanoseconds(20, func() { dst = s.Candidates(dst[:0], often) })
		cost = min(cost, b/a)
	}
	t.Logf("1,300 repetitions cost %.1f times one", cost)
	require.Less(t, cost, 100.0, "1300 where each repetition is collected")
}
