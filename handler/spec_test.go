package handler_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/internal/args"
)

type travel struct {
	City  string   `arg:"city" complete:"cities" text:""`
	Class string   `arg:"class" word:"in" enum:"first class,second" default:"second"`
	Tags  []string `flag:"tag" complete:"cities"`
	Note  string   `arg:"note" rest:"" optional:"" complete:"cities"`
}

// odd are values that are read as something else where they are typed without quotes.
var odd = []string{
	"york", "new york", `"quoted" city`, `back\slash end\`, "-dash", "--tag", "in", "In", "class:x", "'apostrophe'", "it's", "“smart” one", "two  spaces",
	"no\u00a0break", "//host", `a="b c"`, "x:y", "key:\"v w\"", "città vecchia", "--", `\"`, `"`, "-5", "a:'b c'", "—x", "−5", "https://host/a=b",
}

// traveller gives the completion of travel, and what it was given last.
func traveller(t *testing.T) (complete func(typed string) []string, bind func(line string) travel) {
	var got *travel
	rt := handler.NewRouter()
	rt.Complete("cities", func(context.Context, string) []string { return odd })
	rt.Add(handler.Command[travel]{Name: "go", Summary: "Travel.", Run: func(_ context.Context, _ *handler.Request, a travel) error { got = &a; return nil }})
	tb := build(t, rt, "!")
	specs := tb.Specs()
	i := slices.IndexFunc(specs, func(s adapter.CommandSpec) bool { return s.Name == "go" })
	return func(typed string) []string { return specs[i].Complete(context.Background(), typed) }, func(line string) travel {
		got = nil
		require.NoError(t, dispatch(tb, &commands{}, message("!go "+line)), line)
		require.NotNil(t, got, line)
		return *got
	}
}

// A value that is completed is one value, whatever is in it, when the line is said.
func TestCompletedValueIsOneValue(t *testing.T) {
	complete, bind := traveller(t)
	for _, head := range []string{"", "city:", "--city ", "second in ", "-- "} {
		words := complete(head)
		if head == "second in " {
			require.Equal(t, []string{`"first class"`, "second"}, words)
			require.Equal(t, "first class", bind("york in "+words[0]).Class)
			continue
		}
		require.Len(t, words, len(odd), head)
		prefix := head[:strings.LastIndexByte(head, ' ')+1]
		for i, w := range words {
			require.Equal(t, odd[i], bind(prefix+w).City, "%s%s", prefix, w)
		}
	}
	for i, w := range complete("york --tag=") {
		require.Equal(t, []string{odd[i]}, bind("york "+w).Tags, w)
	}
	for i, w := range complete("york second ") { // the rest of the text needs no quotes for its spaces
		require.Equal(t, odd[i], bind("york second "+w).Note, w)
	}
	require.Contains(t, complete("york second "), "new york")
	for i, w := range complete("--city=") {
		require.Equal(t, odd[i], bind(w).City, w)
	}
	require.Equal(t, []string{`--class="first class"`}, complete("york --class=f"))
}

// In a quotation that is open the words that stand there already are not completed again: what comes is the last one's.
func TestCompletionInQuotes(t *testing.T) {
	complete, bind := traveller(t)
	for typed, want := range map[string][]string{
		`"n`:                    {`"new york"`, "\"no\u00a0break\""},
		`"new `:                 {`york"`},
		`"new y`:                {`york"`},
		`"NEW Y`:                nil, // the words that stand there are other ones
		`"New y`:                nil,
		`city:"new y`:           {`york"`},
		`--city "new y`:         {`york"`},
		`york --tag="new y`:     {`york"`},
		`york --tag "two  `:     {`spaces"`},
		`"\"quoted\" c`:         {`city"`},
		`"new york" `:           {`"first class"`, "second", "in"},
		`"new york" in "first `: {`class"`},
		`"new york"`:            nil,
		`"york`:                 {`"york"`},
		`"i`:                    {`"in"`, `"In"`, `"it's"`},
		`"new york" "fir`:       {`"first class"`},
		`it's n`:                nil,
		`"nothing like`:         nil,
		`york --city "`:         nil,
	} {
		if typed == `york --city "` {
			require.Len(t, complete(typed), len(odd))
			continue
		}
		got := complete(typed)
		require.Equal(t, want, got, typed)
		for _, w := range got {
			if strings.HasPrefix(typed, `"n`) || strings.HasPrefix(typed, `"N`) {
				line := typed[:strings.LastIndexByte(typed, ' ')+1] + w
				if w != "in" {
					require.NotEmpty(t, bind(line).City, line)
				}
			}
		}
	}
	require.Nil(t, complete(strings.Repeat("x", 20<<10)), "longer than a command may be")
}

// What is completed replaces the last word, and is one of the values, a flag's name or the word before a value.
func FuzzComplete(f *testing.F) {
	for _, seed := range []string{"", `"new `, `city:"n`, "york in f", "--ci", `york --tag "two  `, `"\"quoted\" c`, "-- n", "york\u00a0", "“new y", `a "b`} {
		f.Add(seed)
	}
	type places struct {
		City  string   `arg:"city" complete:"cities" text:""`
		Class string   `arg:"class" word:"in" enum:"first class,second" default:"second"`
		Tags  []string `flag:"tag" complete:"cities"`
	}
	rt := handler.NewRouter()
	rt.Complete("cities", func(context.Context, string) []string { return odd })
	rt.Add(handler.Command[places]{Name: "go", Summary: "Travel.", Run: func(context.Context, *handler.Request, places) error { return nil }})
	tb, err := rt.Build("starling", nil)
	require.NoError(f, err)
	complete := tb.Specs()[0].Complete
	f.Fuzz(func(t *testing.T, typed string) {
		at := 0
		for i, r := range typed {
			if unicode.IsSpace(r) {
				at = i + utf8.RuneLen(r)
			}
		}
		for _, w := range complete(context.Background(), typed) {
			line, err := args.Parse(typed[:at] + w)
			require.NoError(t, err)
			last := line.Tokens[len(line.Tokens)-1]
			require.Equal(t, len(line.Text), last.End, "%q", line.Text)
			value := last.Value
			if !last.Quoted {
				if value == "in" || slices.Contains([]string{"--city", "--class", "--tag"}, value) {
					continue
				}
				if name, after, ok := strings.Cut(value, "="); ok && strings.HasPrefix(name, "--") { // as of a native option
					value = after
				} else if name, after, ok := strings.Cut(value, ":"); ok && slices.Contains([]string{"city", "class", "tag"}, strings.ToLower(name)) {
					value = after
				}
			}
			require.True(t, slices.Contains(odd, value) || value == "first class" || value == "second", "%q became %q, which gives %q", typed, line.Text, value)
		}
	})
}
