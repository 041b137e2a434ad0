package slack_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/internal/adapterstage"
	"github.com/starlingbot/starling/internal/slackfake"
)

// TestFileHoldsNobody: a file whose Open or Read heeds no context, or ends with it, does not hold its message up: it was not posted
// yet, and may be tried again.
func TestFileHoldsNobody(t *testing.T) {
	t.Parallel()
	for _, file := range adapterstage.SlowFiles() {
		t.Run(file.Name, func(t *testing.T) {
			bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
				file.HoldsNobody(t, idle(t, f, configFor(f)), to("C1"))
				require.Empty(t, f.Posts())
			})
		})
	}
}
