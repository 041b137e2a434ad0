package args_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/internal/args"
)

const usual = "deploy api to prod --wait 5m --force"

func BenchmarkBind(b *testing.B) {
	spec := compile[deploy](b)
	in := args.Input{Text: usual, Offset: len("deploy")}
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		bound, err := spec.Bind(ctx, in)
		if err != nil || args.Value[deploy](bound).Wait != 5*time.Minute {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if line, err := args.Parse(usual); err != nil || len(line.Tokens) != 7 {
			b.Fatal(err)
		}
	}
}

func BenchmarkBind8000Words(b *testing.B) {
	type all struct {
		Words []string `arg:"words" rest:""`
	}
	spec := compile[all](b)
	in := args.Input{Text: strings.Repeat("a ", 8000)}
	b.ReportAllocs()
	for b.Loop() {
		bound, err := spec.Bind(context.Background(), in)
		if err != nil || len(args.Value[all](bound).Words) != 8000 {
			b.Fatal(err)
		}
	}
}

func BenchmarkCanonical(b *testing.B) {
	spec := compile[deploy](b)
	v := deploy{Service: "api", Env: "prod", Wait: 5 * time.Minute, Force: true}
	b.ReportAllocs()
	for b.Loop() {
		if spec.Canonical(&v) != "api prod --wait 5m --force" {
			b.Fatal()
		}
	}
}

func TestAllocations(t *testing.T) {
	spec := compile[deploy](t)
	in := args.Input{Text: usual, Offset: len("deploy")}
	ctx := context.Background()
	want := deploy{Service: "api", Env: "prod", Wait: 5 * time.Minute, Force: true}
	allocs := testing.AllocsPerRun(1000, func() {
		bound, err := spec.Bind(ctx, in)
		if err != nil || args.Value[deploy](bound) != want {
			t.Fatal(err)
		}
	})
	t.Logf("parse and bind: %v allocations", allocs)
	require.LessOrEqual(t, allocs, 12.0)
}

// 8,000 words: under 5 ms, and at most 16 times the time of 1,000 (8 times if it were exactly linear), in every shape of
// text: a list, a rest, too many words, all wrong, all people, quotes that do not close.
func TestLongInputIsLinear(t *testing.T) {
	type list struct {
		Words []string `arg:"words" rest:""`
	}
	type numbers struct {
		N []int `arg:"n" rest:""`
	}
	type rest struct {
		Text string `arg:"text" rest:""`
	}
	type choice struct {
		All []string `arg:"all" enum:"staging,production,testing" rest:""`
	}
	type when struct {
		At time.Time `arg:"at"`
	}
	type flags struct {
		Tag []string `flag:"t"`
	}
	for _, c := range []struct {
		name string
		spec *args.Spec
		word string
	}{
		{"list", compile[list](t), "a "}, {"rest", compile[rest](t), "a "}, {"too many", compile[deploy](t), "a "}, {"wrong numbers", compile[numbers](t), "a "}, {"wrong enum", compile[choice](t), "a "},
		{"quotes", compile[list](t), `" `}, {"single quotes", compile[list](t), "' "}, {"times", compile[when](t), "a "}, {"words", compile[every](t), "a "}, {"dashes", compile[list](t), "- "}, {"colons", compile[flags](t), ": "},
	} {
		limit, most := 5*time.Millisecond, 16.0
		if raceEnabled {
			limit *= 20
		}
		measure := func(n int) time.Duration {
			in := args.Input{Text: strings.Repeat(c.word, n)}
			best := time.Hour
			for range 9 {
				start := time.Now()
				_, _ = c.spec.Bind(context.Background(), in)
				best = min(best, time.Since(start))
			}
			return best
		}
		small, large, ratio := time.Duration(0), time.Duration(0), 0.0
		for range 5 { // a shared machine may be busy
			small, large = measure(1000), measure(8000)
			if ratio = float64(large) / float64(max(small, time.Microsecond)); ratio < most && large < limit {
				break
			}
		}
		t.Logf("%-15s 8,000 words %v, 1,000 words %v, ratio %.1f", c.name, large, small, ratio)
		require.Less(t, large, limit, c.name)
		require.Less(t, ratio, most, c.name)
	}
}
