package args_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/internal/args"
)

// said binds a line that is all arguments, at noon of a day, and gives the value, or the reason and the corrected line.
func said[A any](t *testing.T, line string) (a A, reason, try string) {
	t.Helper()
	spec, err := args.Compile[A]()
	require.NoError(t, err)
	b, err := spec.Bind(context.Background(), args.Input{Text: line, Now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)})
	var usage *args.UsageError
	if errors.As(err, &usage) {
		return a, usage.Reason, usage.Try
	}
	require.NoError(t, err, line)
	return args.Value[A](b), "", ""
}

// A time of day that cannot be read is never taken for what comes after the date, which would be its midnight then.
func TestTimeOfDayBelongsToItsDate(t *testing.T) {
	type meeting struct {
		At   time.Time `arg:"at"`
		What string    `arg:"what" rest:"" optional:""`
	}
	for line, try := range map[string]string{
		"tomorrow 9:00":             "tomorrow 09:00",
		"tomorrow 9:00 lunch":       "tomorrow 09:00 lunch",
		"tomorrow at 9:00 lunch":    "tomorrow 09:00 lunch",
		"tomorrow 9am lunch":        "tomorrow 09:00 lunch",
		"tomorrow 9 p.m. lunch":     "tomorrow 21:00 lunch",
		"tomorrow 9:30PM":           "tomorrow 21:30",
		"today 17:00. lunch":        "today 17:00 lunch",
		"today 17:00:5":             "",
		"2026-11-23 9:00 lunch":     "2026-11-23 09:00 lunch",
		"tomorow 09:00":             "tomorrow 09:00",
		"tomorrow, 9:00":            "tomorrow 09:00",
		"monday 09:00":              "", // today is two letters away
		"tomorrow 09:00Z lunch":     "",
		"tomorrow 99:00":            "",
		"tomorrow 123:00 and so on": "-", // no time of day
	} {
		a, reason, got := said[meeting](t, line)
		if try == "-" {
			require.Empty(t, reason, line)
			require.Equal(t, "123:00 and so on", a.What)
			continue
		}
		require.NotEmpty(t, reason, "%q became %v %q", line, a.At, a.What)
		require.Equal(t, try, got, line)
		if try != "" {
			_, reason, _ := said[meeting](t, try)
			require.Empty(t, reason, "%q is no correction", try)
		}
	}
	for line, want := range map[string]meeting{
		"tomorrow at 09:00 lunch":  {time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), "lunch"},
		`"tomorrow at 09:00" at 5`: {time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), "at 5"},
		"tomorrow at noon":         {time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), "at noon"},
		"tomorrow 9 people":        {time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), "9 people"},
		`tomorrow "9:00" lunch`:    {time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), `"9:00" lunch`},
	} {
		a, reason, _ := said[meeting](t, line)
		require.Empty(t, reason, line)
		require.Equal(t, want, a, line)
	}
	for clock, want := range map[string]string{"9:00": "09:00", "9am": "09:00", "17:00": "17:00"} {
		_, reason, _ := said[meeting](t, clock)
		require.Equal(t, "at: say which day: today "+want+" or tomorrow "+want, reason)
	}
}

// Free text that begins as a flag or a name does is corrected with "--": quotes around its first word would be part of it.
func TestFreeTextThatLooksLikeFlags(t *testing.T) {
	type note struct {
		Who  string `arg:"who"`
		Text string `arg:"text" rest:""`
	}
	for line, text := range map[string]string{
		"me --force it":    "--force it",
		"me -x":            "-x",
		"me -x --help":     "-x --help",
		"me who:is it":     "who:is it",
		"me who: bob":      "who: bob",
		"me who:\"a b\" c": "who:\"a b\" c",
	} {
		_, reason, try := said[note](t, line)
		require.Contains(t, reason, "put -- before it if it is meant as text", line)
		require.Equal(t, "me -- "+text, try)
		a, reason, _ := said[note](t, try)
		require.Empty(t, reason, line)
		require.Equal(t, note{"me", text}, a)
	}
}

// What phones make of a minus is named, and corrected as a number: quotes would be no cure.
func TestMinusOfPhones(t *testing.T) {
	type sum struct {
		N    int           `arg:"n"`
		Wait time.Duration `flag:"wait"`
	}
	for line, try := range map[string]string{
		"\u22125": "-5", "\u20135": "-5", "\u20145": "-5", "1 --wait \u22125m": "1 --wait -5m", "1 --wait=\u22125m": "1 --wait=-5m",
	} {
		_, reason, got := said[sum](t, line)
		require.Contains(t, reason, "in place of a minus", line)
		require.Equal(t, try, got, line)
	}
	_, reason, _ := said[sum](t, "\u2212x")
	require.Contains(t, reason, "begins with a dash")
}

// The value of a flag is written after "=", and who writes ":" is shown so.
func TestColonOfFlag(t *testing.T) {
	type job struct {
		Name  string `arg:"name"`
		Force bool   `flag:"force"`
	}
	_, reason, try := said[job](t, "api --force:true")
	require.Equal(t, "a value stands after =", reason)
	require.Equal(t, "api --force=true", try)
}

// A time span in words or capitals is corrected; a number alone is asked for its unit.
func TestSpansInWords(t *testing.T) {
	type nap struct {
		For  time.Duration `arg:"for"`
		Next string        `arg:"next" optional:""`
	}
	for line, try := range map[string]string{
		"5min": "5m", "2days x": "2d x", "1H": "1h", "90Secs": "90s", `"1 week 2 days"`: "1w2d", "2h.": "2h", "1hour30minutes": "1h30m",
		"5": "", "half": "", "5months": "", "1:30": "", "5 minutes": "5m",
	} {
		_, reason, got := said[nap](t, line)
		require.NotEmpty(t, reason, line)
		require.Equal(t, try, got, line)
	}
}
