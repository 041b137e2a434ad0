package prefilter

import (
	"fmt"
	"math"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// name is a made-up word, different for each i.
func name(i int) string {
	syllables := []string{"zor", "vek", "qua", "mip", "tol", "jax", "pyn", "ruf", "gob", "wex", "dru", "fli", "kez", "nyx", "bul", "cim"}
	var b strings.Builder
	for range 4 {
		b.WriteString(syllables[i%16])
		i /= 16
	}
	return b.String()
}

// shapes are typical routes and a text for each; %s is a name.
var shapes = [...][2]string{
	{`^!%s\b`, "!%s now"},
	{`(?i)^deploy\s+%s\s+to\s+(\S+)$`, "Deploy %s to prod"},
	{`(?i)\b(show|list)\s+%s\s+(?P<what>\w+)`, "please SHOW %s errors"},
	{`^%s-(\d+)$`, "%s-1234"},
	{`(?i)what('s| is)\s+the\s+%s`, "what's the %s?"},
	{`(?i)\bpag(e|ing)\s+(team\s+)?%s\b`, "paging team %s"},
	{`https?://%s\.example\.com/(\S+)`, "see https://%s.example.com/x"},
	{`(?i)^\s*(?:open|close)\s+#?(\d+)\s+in\s+%s`, "close #12 in %s"},
	{`%s(-[a-z0-9]+)*@v(\d+)\.(\d+)`, "bump %s-api@v1.2"},
	{`(?i)^(?P<verb>start|stop|restart)\s+the\s+%s\s+(job|service)s?$`, "restart the %s job"},
}

// routes returns n typical expressions.
func routes(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(shapes[i%len(shapes)][0], name(i))
	}
	return out
}

// routeText is a text that matches route i.
func routeText(i int) string { return fmt.Sprintf(shapes[i%len(shapes)][1], name(i)) }

// chatter is what people say that is not for a bot.
func chatter() []string {
	return []string{
		"did anyone see the game last night? what a finish, could not believe the score",
		"I think we should move the meeting to Thursday, Jack and Susan are both out until 3",
		"ok lunch then? the new place around the corner has great soup — and it's cheap :)",
		"Kann jemand heute Nachmittag über die Änderungen schauen, ich bin später nicht mehr da",
		"привет всем, кто завтра в офисе? надо обсудить планы на следующую неделю",
	}
}

// nanoseconds is the time of one of n calls.
func nanoseconds(n int, f func()) float64 {
	start := time.Now()
	for range n {
		f()
	}
	return float64(time.Since(start).Nanoseconds()) / float64(n)
}

// TestMissCostsTheSame: 10,000 expressions against 10, minima of interleaved
// runs.
func TestMissCostsTheSame(t *testing.T) {
	few, many := mustNew(t, routes(10)...), mustNew(t, routes(10_000)...)
	texts := chatter()
	var dst []int32
	run := func(s *Set) float64 {
		return nanoseconds(1000, func() {
			for _, text := range texts {
				dst = s.Candidates(dst[:0], text)
			}
		}) / float64(len(texts))
	}
	a, b := math.Inf(1), math.Inf(1)
	for range 25 {
		a, b = min(a, run(few)), min(b, run(many))
	}
	require.Empty(t, dst)
	t.Logf("miss: %.0f ns at N=10, %.0f ns at N=10,000, ratio %.2f", a, b, b/a)
	require.LessOrEqual(t, b/a, 3.0)
}

// bytes is the memory of s, without the expressions themselves.
func (s *Set) bytes() int {
	a := &s.auto
	n := 4*cap(a.table) + 4*cap(a.first) + cap(a.label) + 4*cap(a.fail)
	n += 4*cap(a.list) + 4*cap(a.listNext) + 4*cap(a.listAt) + 4*cap(a.members)
	for _, r := range s.byByte {
		n += 40 + 32*cap(r.sets)
	}
	return n + 4*cap(s.always)
}

// heap is the memory in use after a collection.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestMemory(t *testing.T) {
	for _, tc := range []struct {
		name  string
		exprs []string
		most  int
	}{
		{"10,000 typical", routes(10_000), 5 << 20},
		{"10,000 alternations of 20 words", func() []string {
			out := make([]string, 10_000)
			w := words(4000, 12)
			for i := range out {
				at := i * 20 % len(w)
				out[i] = strings.Join(w[at:at+20], "|") + "|" + name(i)
			}
			return out
		}(), 20 << 20},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := heap()
			start := time.Now()
			s := mustNew(t, tc.exprs...)
			took := time.Since(start)
			grown := float64(heap()) - float64(before)
			a := &s.auto
			t.Logf("%.2f MiB counted, %.2f MiB of heap: %d states, %d of them with a row, %d classes; made in %v", float64(s.bytes())/(1<<20), grown/(1<<20), len(a.list), min(int(a.rows), len(a.list)), a.classes, took.Round(time.Millisecond))
			require.LessOrEqual(t, 4*len(a.table), maxTableBytes)
			require.LessOrEqual(t, s.bytes(), tc.most)
		})
	}
}

func BenchmarkMiss(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000} {
		s := mustNew(b, routes(n)...)
		for i, text := range []string{chatter()[0], chatter()[4]} {
			b.Run(fmt.Sprintf("N=%d/%s", n, [...]string{"english", "russian"}[i]), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(text)))
				dst := make([]int32, 0, 16)
				for b.Loop() {
					dst = s.Candidates(dst[:0], text)
				}
				require.Empty(b, dst)
			})
		}
	}
}

func BenchmarkHit(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000} {
		s := mustNew(b, routes(n)...)
		b.Run(fmt.Sprintf("N=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			texts := make([]string, 64)
			for i := range texts {
				texts[i] = routeText(i * 37 % n)
			}
			dst, i, found := make([]int32, 0, 16), 0, 0
			for b.Loop() {
				dst = s.Candidates(dst[:0], texts[i%len(texts)])
				found += len(dst)
				i++
			}
			require.GreaterOrEqual(b, found, i)
			b.ReportMetric(float64(found)/float64(i), "candidates/op")
		})
	}
}

// BenchmarkNearMiss is a text of words that begin as those of many routes do,
// which leads into the states that have no row. The least favourable miss.
func BenchmarkNearMiss(b *testing.B) {
	var text strings.Builder
	for i := range 8 {
		text.WriteString(name(1 + i*1230)[:11] + " ")
	}
	for _, n := range []int{10, 1000, 10_000} {
		s := mustNew(b, routes(n)...)
		b.Run(fmt.Sprintf("N=%d", n), func(b *testing.B) {
			b.SetBytes(int64(text.Len()))
			var dst []int32
			for b.Loop() {
				dst = s.Candidates(dst[:0], text.String())
			}
			require.Empty(b, dst)
		})
	}
}

// BenchmarkNoLiteral is the cost of expressions known by byte sets only.
func BenchmarkNoLiteral(b *testing.B) {
	for _, n := range []int{10, 1000} {
		exprs := make([]string, n)
		for i := range exprs {
			exprs[i] = fmt.Sprintf(`\d{%d}#\d+`, i%9+1)
		}
		s := mustNew(b, exprs...)
		b.Run(fmt.Sprintf("N=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Candidates(nil, chatter()[0])
			}
		})
	}
}

// BenchmarkLinear is what the package spares: each expression tried.
func BenchmarkLinear(b *testing.B) {
	for _, n := range []int{10, 1000} {
		var res []*regexp.Regexp
		for _, e := range routes(n) {
			res = append(res, regexp.MustCompile(e))
		}
		b.Run(fmt.Sprintf("N=%d", n), func(b *testing.B) {
			for b.Loop() {
				for _, re := range res {
					if re.MatchString(chatter()[0]) {
						b.Fatal("a match")
					}
				}
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		exprs := routes(n)
		b.Run(fmt.Sprintf("N=%d", n), func(b *testing.B) {
			for b.Loop() {
				mustNew(b, exprs...)
			}
		})
	}
}
