package mattermost_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/internal/adapterstage"
	fake "github.com/starlingbot/starling/internal/mattermostfake"
)

// TestFileHoldsNobody: a file whose Open or Read heeds no context, or ends with it, does not hold its message up: it was not posted
// yet, and may be tried again.
func TestFileHoldsNobody(t *testing.T) {
	t.Parallel()
	for _, file := range adapterstage.SlowFiles() {
		t.Run(file.Name, func(t *testing.T) {
			bubble(t, fake.Options{}, func(t *testing.T, f *fake.Server) {
				file.HoldsNobody(t, idle(t, configFor(f)), to(ops))
				require.Empty(t, f.Posts())
			})
		})
	}
}
