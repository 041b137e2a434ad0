package markdown_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/markdown"
)

// least is the shortest of many runs: what f takes when nothing else uses the machine.
func least(runs int, f func()) time.Duration {
	best := time.Hour
	for range runs {
		begun := time.Now()
		f()
		best = min(best, time.Since(begun))
	}
	return best
}

// calibration is fixed work of the standard library's, of the same kind: it says how fast the machine is just now.
func calibration() {
	text := strings.Repeat("Some words, *and* a few [marks](x) among them.\n", 90)
	if strings.Count(strings.ReplaceAll(text, "*", "**"), "**") != 180 {
		panic("calibration")
	}
}

// TestSpeed prints how long a message of 4 KiB takes from Markdown to parts, for the record: the budget is 150 us on an
// idle machine. Figures are the least of many runs, since other work on the machine only ever adds to them. It fails where
// something takes ten times as long as usual, measured by other work and not by the clock.
func TestSpeed(t *testing.T) {
	runs := 300
	if testing.Short() {
		runs = 20
	}
	text := message()
	base := least(runs, calibration)
	t.Logf("calibration %v", base)
	for _, c := range speedCases() {
		got := least(runs, func() { c.r.Split(text, c.limit, c.unit) })
		t.Logf("%-12s %4d us, %5.1f calibrations", c.name, got.Microseconds(), float64(got)/float64(base))
		require.Less(t, got, 120*base, "%s: ten times what is usual", c.name)
	}
	t.Logf("%-12s %4d us", "parse alone", least(runs, func() { markdown.Parse(text) }).Microseconds())
	t.Logf("%-12s %4d us for %d bytes with every construct", "dense", least(runs, func() { markdown.Discord().Split(dense(), 2000, adapter.UnitUTF16) }).Microseconds(), len(dense()))
}

type speedCase struct {
	name  string
	r     *markdown.Renderer
	limit int
	unit  adapter.TextUnit
}

func speedCases() []speedCase {
	return []speedCase{
		{"slack", markdown.Slack(), 3000, adapter.UnitRunes},
		{"slack-block", markdown.SlackBlock(), 2000, adapter.UnitRunes},
		{"discord", markdown.Discord(), 2000, adapter.UnitUTF16},
		{"mattermost", markdown.Mattermost(), 2000, adapter.UnitRunes},
		{"ansi", markdown.ANSI(80, true), 2000, adapter.UnitBytes},
		{"plain", markdown.Plain(), 2000, adapter.UnitBytes},
	}
}
