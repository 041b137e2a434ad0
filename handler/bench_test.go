package handler_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

// mixed makes a table of n routes: four commands, three Hears, two Responds and one route for another kind of event in ten.
// Every expression has a literal, as those of people do; what the others cost is in BenchmarkMatchWithoutLiterals.
func mixed(t testing.TB, n int) *handler.Table {
	rt := handler.NewRouter()
	for i := range n {
		name := fmt.Sprintf("%s%d", []string{"deploy", "rollback", "status", "oncall"}[i%4], i)
		switch i % 10 {
		case 0, 3, 6, 8:
			rt.Command(name, "Do "+name+".", nothing)
		case 1:
			rt.Hear(`(?i)\b`+name+`\b`, nothing)
		case 4:
			rt.Hear(name+` (\d+)`, nothing)
		case 7:
			rt.Hear(`(?:the|a) `+name+`|`+name+`!`, nothing)
		case 2:
			rt.Respond(`(?i)open (?P<door>.+) with `+name, nothing)
		case 5:
			rt.Respond(name+` (?P<env>staging|prod)`, nothing)
		case 9:
			rt.On(adapter.KindReaction, nothing)
		}
	}
	return build(t, rt, "!")
}

var (
	chatter   = message("so I told them that we would have a look at the numbers on Monday, status and all")
	misses    = []*adapter.Event{chatter, message("starling do whatever you like with the numbers"), direct("what did he say about status?"), {Kind: adapter.KindLeave}}
	hits      = map[string]*adapter.Event{"command": message("starling DEPLOY0"), "hear": message("well, deploy4 17 went out"), "respond": message("starling rollback5 prod")}
	selection handler.Selection
)

// A miss allocates nothing, whatever the number of routes.
func TestMissAllocatesNothing(t *testing.T) {
	for _, n := range []int{10, 1000, 10_000} {
		tb := mixed(t, n)
		for _, ev := range misses {
			require.Empty(t, tb.Match(ev).Routes)
			require.Zero(t, testing.AllocsPerRun(200, func() { selection = tb.Match(ev) }), "%d routes, %q", n, ev.Text)
		}
		for name, ev := range hits {
			require.Len(t, tb.Match(ev).Routes, 1, name)
		}
	}
}

// fastest gives the least time that f took per call, over rounds.
func fastest(rounds, calls int, f func()) time.Duration {
	best := time.Hour
	for range rounds {
		begin := time.Now()
		for range calls {
			f()
		}
		best = min(best, time.Since(begin)/time.Duration(calls))
	}
	return best
}

// With 10,000 routes a miss costs at most three times what it costs with ten.
func TestMissCostDoesNotGrow(t *testing.T) {
	few, many := mixed(t, 10), mixed(t, 10_000)
	for _, ev := range misses {
		var a, b time.Duration
		ratio := 0.0
		for range 5 { // another process may have the processor for a while: one good run is proof
			a = fastest(10, 2000, func() { selection = few.Match(ev) })
			b = fastest(10, 2000, func() { selection = many.Match(ev) })
			ratio = float64(b) / float64(a)
			if ratio <= 3 {
				break
			}
		}
		t.Logf("%-50.50q 10 routes %v, 10,000 routes %v, ratio %.2f", ev.Text, a, b, ratio)
		require.LessOrEqual(t, ratio, 3.0)
	}
}

func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000} {
		tb := mixed(b, n)
		bench := func(name string, ev *adapter.Event, routes int) {
			b.Run(fmt.Sprintf("%s/N=%d", name, n), func(b *testing.B) {
				require.Len(b, tb.Match(ev).Routes, routes)
				b.ReportAllocs()
				for b.Loop() {
					selection = tb.Match(ev)
				}
			})
		}
		bench("miss", chatter, 0)
		bench("miss-addressed", misses[1], 0)
		for _, name := range []string{"command", "hear", "respond"} {
			bench("hit-"+name, hits[name], 1)
		}
	}
}

// BenchmarkMatchWithoutLiterals is a miss with expressions that the filter knows by their bytes only, one in a hundred.
func BenchmarkMatchWithoutLiterals(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000} {
		rt := handler.NewRouter()
		for i := range n {
			if i%100 == 7 {
				rt.Hear(`\d{2}-\d{4}`, nothing)
			} else {
				rt.Hear(fmt.Sprintf("deploy%d", i), nothing)
			}
		}
		tb := build(b, rt)
		b.Run(fmt.Sprintf("N=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				selection = tb.Match(chatter)
			}
		})
	}
}

// BenchmarkMatchLong is 10,000 words (or 60,000 bytes made for that) against 200 expressions: what people paste, what passes the
// filter of each, what matches the head of the text and not the whole, and what matches half of them.
func BenchmarkMatchLong(b *testing.B) {
	rt := handler.NewRouter()
	for i := range 100 {
		rt.Hear(fmt.Sprintf(`(?i)\bdeploy%d (?P<what>.+) now$`, i), nothing)
		rt.Respond(fmt.Sprintf(`(?i)(?:please )?(?:x+y?)+ open%d (?P<env>.+) now$`, i), nothing)
	}
	tb := build(b, rt, "!")
	words := strings.Repeat("lorem ", 10_000)
	var every, deploys strings.Builder
	for i := range 100 {
		fmt.Fprintf(&deploys, " deploy%d", i)
		fmt.Fprintf(&every, " open%d", i)
	}
	head := strings.Repeat("x", handler.MaxMatch-deploys.Len()-len(" x now")) + deploys.String() + " x now"
	for _, c := range []struct {
		name, text string
		routes     int
	}{
		{"words", words, 0},
		{"addressed", "starling " + words, 0},
		{"passes every filter", "starling xx" + every.String() + deploys.String() + " " + words, 0},
		{"matches the head alone", head + words, 0},
		{"matches", head + words + " now", 16},
	} {
		b.Run(c.name, func(b *testing.B) {
			ev := message(c.text)
			require.Len(b, tb.Match(ev).Routes, c.routes)
			b.ReportAllocs()
			for b.Loop() {
				selection = tb.Match(ev)
			}
			b.ReportMetric(float64(len(c.text)), "bytes")
		})
	}
}

func BenchmarkReply(b *testing.B) {
	r := handler.NewRequest(message("x"), silent{&recorder{}})
	for name, f := range map[string]func() error{
		"plain": func() error { return r.Reply(context.Background(), "pong") },
		"data":  func() error { return r.Reply(context.Background(), "%s has %d points", r.Event.User, 7) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// T29: at 500 commands and a hundred everyday expressions, no text makes routing slow, and an expression that could is
// refused at registration.
func TestHostileTextIsRoutedFast(t *testing.T) {
	rt := handler.NewRouter()
	for i := range 500 {
		rt.Command(fmt.Sprintf("deploy%d now", i), "Deploy.", nothing)
	}
	for i := range 50 {
		rt.Hear(fmt.Sprintf(`(?i)\b(?:deploy|ship|release) (\w+) to %c\w*\b`, 'a'+i%26), nothing)
		rt.Respond(fmt.Sprintf(`(?i)(?:please )?(?:x+y?)+ deploy%d (?P<env>.+) now$`, i), nothing)
	}
	tb := build(t, rt, "!")
	repeat := func(s string, n int) string { return strings.Repeat(s, n/len(s)) }
	var texts []string
	for _, piece := range []string{"x", "xy", "xxxxxxxxy ", "deploy ", "deploy a to ", "DEPLOY1 now ", "deploy499 nox ", " ", "\n", "!", "! ", "starling ", "@starling: ", "ſ", "\u212A", "é", "\u0301", "\uFFFD", "deploy deploy1 ", "ship x to z"} {
		for _, front := range []string{"", "starling ", "!", "starling deploy1 ", "! please ", "starling " + strings.Repeat("x", 4000)} {
			texts = append(texts, front+repeat(piece, handler.MaxMatch), front+repeat(piece, adapter.MaxText-5000))
		}
	}
	var every strings.Builder // passes the filter of every expression at once
	for i := range 50 {
		fmt.Fprintf(&every, " deploy%d ship w to %c", i, 'a'+i%26)
	}
	insider := fastest(3, 1, func() {
		selection = tb.Match(message("starling " + repeat("x", handler.MaxMatch-every.Len()) + every.String()))
	})
	var took []time.Duration
	for _, text := range texts {
		for _, ev := range []*adapter.Event{message(text), direct(text)} {
			took = append(took, fastest(5, 1, func() { selection = tb.Match(ev) }))
		}
	}
	slices.Sort(took)
	p99 := took[len(took)*99/100]
	t.Logf("%d texts: p50 %v, p99 %v, slowest %v; one made for these hundred expressions %v", len(took), took[len(took)/2], p99, took[len(took)-1], insider)
	if !raceEnabled {
		most := time.Millisecond
		if os.Getenv("STARLING_FIGURES") == "" { // other packages are tested at the same time
			most *= 4
		}
		require.LessOrEqual(t, p99, most)
	}

	bad := handler.NewRouter()
	bad.Respond(`(x{0,30}y?){0,30}z`, nothing)
	_, err := bad.Build("starling", nil)
	require.ErrorContains(t, err, "more than the limit")
}
