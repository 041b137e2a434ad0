package discord

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
)

// A command's completion is text as people type it; the value of an option has no quotes, a list of values keeps them.
func TestCompletionTakesQuotesOff(t *testing.T) {
	spec := &adapter.CommandSpec{
		Args: []adapter.ArgSpec{{Name: "city", Type: "string"}, {Name: "tag", Type: "string", List: true}},
		Complete: func(_ context.Context, typed string) []string {
			head := typed[:len("--city=")]
			if typed[2] == 't' {
				head = "--tag="
			}
			return []string{head + `"new york"`, head + `"say \"hi\" \\"`, head + "rome", head + `"`}
		},
	}
	require.Equal(t, []string{"new york", `say "hi" \`, "rome", `"`}, complete(t.Context(), spec, "city", "n"))
	require.Equal(t, []string{`"new york"`, `"say \"hi\" \\"`, "rome", `"`}, complete(t.Context(), spec, "tag", "n"))
	require.Equal(t, []string{`x "new york"`, `x "say \"hi\" \\"`, "x rome", `x "`}, complete(t.Context(), spec, "tag", "x n"))
}
