package args_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/internal/args"
)

const hourAndHalf = 90 * time.Minute

// Parts of a time span that stand apart are one, as long as each is in a smaller unit than the one before it.
func TestSpanInParts(t *testing.T) {
	type remind struct {
		In   time.Duration `arg:"delay" word:"in"`
		Text string        `arg:"text" rest:""`
	}
	for line, want := range map[string]remind{
		"in 1h 30m to x":       {hourAndHalf, "to x"},
		"1h 30m x":             {hourAndHalf, "x"},
		"1w 2d 3h 4m 5s 6ms x": {9*24*time.Hour + 3*time.Hour + 4*time.Minute + 5*time.Second + 6*time.Millisecond, "x"},
		"1h30m 20s x":          {hourAndHalf + 20*time.Second, "x"},
		"2d 3h30m 1h x":        {51*time.Hour + 30*time.Minute, "1h x"},
		"1h 2h x":              {time.Hour, "2h x"},
		"30m 1h x":             {30 * time.Minute, "1h x"},
		"30m1h 20m x":          {hourAndHalf, "20m x"},
		"1h 1h30m x":           {time.Hour, "1h30m x"},
		"1h 30 x":              {time.Hour, "30 x"},
		"1h 30 metres":         {time.Hour, "30 metres"},
		"1h and then":          {time.Hour, "and then"},
		`1h "30m" x`:           {time.Hour, `"30m" x`},
		"1h -- 30m x":          {time.Hour, "30m x"},
		"delay:1h 30m x":       {hourAndHalf, "x"},
		"--delay 1h 30m x":     {hourAndHalf, "x"},
		"--delay=1h 30m x":     {hourAndHalf, "x"},
		`"1h 30m" x`:           {hourAndHalf, "x"},
		"-1h 30m x":            {-hourAndHalf, "x"},
	} {
		a, reason, _ := said[remind](t, line)
		require.Empty(t, reason, line)
		require.Equal(t, want, a, line)
	}
	for line, try := range map[string]string{
		"1 hour 30 minutes to x":        "1h30m to x",
		"in 1 hour and 30 minutes to x": "in 1h30m to x",
		"1h and 30m x":                  "1h30m x",
		"2 days 3 hours x":              "2d3h x",
		"2 Days, 3 Hours x":             "2d3h x",
		"5 minutes tea":                 "5m tea",
		"5 m tea":                       "5m tea",
		"1.5 hours x":                   "1.5h x",
		"1h 30min x":                    "1h30m x",
		"1h 30 min x":                   "1h30m x",
		"1hour 30m x":                   "1h30m x",
		"5 minutes 1 hour x":            "5m 1 hour x",
		"5 apples":                      "",
		"5":                             "",
	} {
		_, reason, got := said[remind](t, line)
		require.NotEmpty(t, reason, line)
		require.Equal(t, try, got, line)
		if try != "" {
			_, reason, _ := said[remind](t, try)
			require.Empty(t, reason, "%q is no correction", try)
		}
	}
}

// What the next argument takes is no part of a span.
func TestSpanBeforeOtherArguments(t *testing.T) {
	type number struct {
		For   time.Duration `arg:"for"`
		Times int           `arg:"times" optional:""`
		Unit  string        `arg:"unit" rest:"" optional:""`
	}
	a, reason, _ := said[number](t, "5m 3")
	require.Empty(t, reason)
	require.Equal(t, number{For: 5 * time.Minute, Times: 3}, a)
	a, reason, _ = said[number](t, "5m 3 seconds")
	require.Empty(t, reason)
	require.Equal(t, number{5 * time.Minute, 3, "seconds"}, a)
	a, reason, _ = said[number](t, "1h 5m 3")
	require.Empty(t, reason)
	require.Equal(t, number{For: 65 * time.Minute, Times: 3}, a)
	_, _, try := said[number](t, "5 minutes 3")
	require.Equal(t, "5m 3", try)

	type twice struct {
		For   time.Duration `arg:"for"`
		Every time.Duration `arg:"every" optional:""`
	}
	b, reason, _ := said[twice](t, "1h 30m")
	require.Empty(t, reason)
	require.Equal(t, twice{time.Hour, 30 * time.Minute}, b)
	b, reason, _ = said[twice](t, "every:10s 1h 30m")
	require.Empty(t, reason)
	require.Equal(t, twice{hourAndHalf, 10 * time.Second}, b)

	type list struct {
		All []time.Duration `arg:"all" rest:""`
	}
	c, reason, _ := said[list](t, "1h 30m 10s")
	require.Empty(t, reason)
	require.Len(t, c.All, 3)

	type choice struct {
		For  time.Duration `arg:"for"`
		Step string        `arg:"step" enum:"30m,10m"`
	}
	d, reason, _ := said[choice](t, "1h 30m")
	require.Empty(t, reason)
	require.Equal(t, choice{time.Hour, "30m"}, d)
}

// A value that would be read as a part of the span before it is written in quotes, and only such a one.
func TestCanonicalAfterSpan(t *testing.T) {
	type remind struct {
		In   time.Duration `arg:"delay"`
		Who  string        `arg:"who"`
		Wait time.Duration `flag:"wait" default:"0s"`
		Text string        `arg:"text" rest:"" optional:""`
	}
	spec, err := args.Compile[remind]()
	require.NoError(t, err)
	for want, a := range map[string]remind{
		"1h bob":                      {In: time.Hour, Who: "bob"},
		`1h "30m"`:                    {In: time.Hour, Who: "30m"},
		`1h "30" minutes`:             {In: time.Hour, Who: "30", Text: "minutes"},
		`1h and 5 apples`:             {In: time.Hour, Who: "and", Text: "5 apples"},
		`1h bob --wait 1h "30m x"`:    {time.Hour, "bob", time.Hour, "30m x"},
		`1h bob --wait 1h "30 min x"`: {time.Hour, "bob", time.Hour, "30 min x"},
		`1h bob --wait 1h "and 5m x"`: {time.Hour, "bob", time.Hour, "and 5m x"},
		`1h bob --wait 1h 5 apples`:   {time.Hour, "bob", time.Hour, "5 apples"},
		`1h bob --wait 1h and so on`:  {time.Hour, "bob", time.Hour, "and so on"},
		`1h and "30m x"`:              {In: time.Hour, Who: "and", Text: "30m x"},
		`1h and "5 s x"`:              {In: time.Hour, Who: "and", Text: "5 s x"},
	} {
		require.Equal(t, want, spec.Canonical(a))
		got, reason, _ := said[remind](t, want)
		require.Empty(t, reason, want)
		require.Equal(t, a, got, want)
	}
}

// What takes the rest of the text takes it by its name too, up to a flag or a name; while another argument is required the words
// are that one's.
func TestRestByName(t *testing.T) {
	type note struct {
		Who  string `arg:"who"`
		Loud bool   `flag:"loud" short:"l"`
		Lang string `arg:"lang" optional:""`
		Text string `arg:"text" rest:"" optional:""`
	}
	for line, want := range map[string]note{
		"bob text:a b":              {Who: "bob", Text: "a b"},
		"bob text:a  b":             {Who: "bob", Text: "a  b"},
		"bob text:see http://x y":   {Who: "bob", Text: "see http://x y"},
		"bob --text a b":            {Who: "bob", Text: "a b"},
		"bob --text=a b":            {Who: "bob", Text: "a b"},
		"bob text:a b --loud":       {Who: "bob", Text: "a b", Loud: true},
		"bob text:a b -l":           {Who: "bob", Text: "a b", Loud: true},
		"bob text:a b lang:en":      {Who: "bob", Text: "a b", Lang: "en"},
		"bob text:a b lang:\"e n\"": {Who: "bob", Text: "a b", Lang: "e n"},
		"bob text:a b -- c":         {Who: "bob", Text: "a b", Lang: "c"},
		"bob text:a -5 --quiet b":   {Who: "bob", Text: "a -5 --quiet b"},
		"bob text:a \"b c\" d":      {Who: "bob", Text: `a "b c" d`},
		"bob text:\"a b\" en":       {Who: "bob", Text: "a b", Lang: "en"},
		"text:a bob":                {Who: "bob", Text: "a"},
		"text:a bob en":             {Who: "bob", Text: "a", Lang: "en"},
		"who:bob text:a b":          {Who: "bob", Text: "a b"},
	} {
		a, reason, _ := said[note](t, line)
		require.Empty(t, reason, line)
		require.Equal(t, want, a, line)
	}
	_, reason, try := said[note](t, "bob en text: a b --loud")
	require.Equal(t, "text needs its value directly after the colon", reason)
	require.Equal(t, "bob en text:a b --loud", try)
	shown := usageOf[struct {
		Who  string `arg:"who"`
		Pass string `arg:"pass" rest:"" secret:""`
	}](t, "bob pass: correct horse battery")
	for _, word := range []string{"correct", "horse", "battery"} {
		require.NotContains(t, shown, word)
	}
}

// A quote without a partner is named where something is wrong, and a character as others where nothing is.
func TestQuoteWithoutPartner(t *testing.T) {
	spec := func(line string) string {
		return usageOf[struct {
			N int `arg:"n"`
		}](t, line)
	}
	for _, line := range []string{`"5 apples`, `"5"x`, "“5 apples"} {
		require.Contains(t, spec(line), "\nalso: a quote has no partner", line)
	}
	for _, line := range []string{`5 apples`, `'5 apples`, `"five apples"`, `'"five' apples`} {
		require.NotContains(t, spec(line), "partner", line)
	}
	a, reason, _ := said[struct {
		Text string `arg:"text" rest:""`
	}](t, `"5 apples`)
	require.Empty(t, reason)
	require.Equal(t, `"5 apples`, a.Text)
}

// usageOf gives the usage error of a line as it is shown.
func usageOf[A any](t *testing.T, line string) string {
	t.Helper()
	spec, err := args.Compile[A]()
	require.NoError(t, err)
	_, err = spec.Bind(context.Background(), args.Input{Text: line})
	var usage *args.UsageError
	require.ErrorAs(t, err, &usage, line)
	return usage.Render()
}
