package discord_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/adapterstage"
	"github.com/starlingbot/starling/internal/discordfake"
)

// TestFileHoldsNobody: a file whose Open or Read heeds no context, or ends with it, does not hold its message up: it was not posted
// yet, and may be tried again.
func TestFileHoldsNobody(t *testing.T) {
	t.Parallel()
	for _, file := range adapterstage.SlowFiles() {
		t.Run(file.Name, func(t *testing.T) {
			bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
				file.HoldsNobody(t, idle(t, configFor(f)), to(ops))
				require.Empty(t, f.Posts())
			})
		})
	}
}

// TestFileTooLong: a file that does not say its size and is longer than Discord takes is refused, and nothing of it is posted.
func TestFileTooLong(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		a := idle(t, configFor(f))
		file := adapter.File{Name: "a.bin", Open: func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(strings.Repeat("x", 10<<20+1))), nil
		}}
		_, err := a.Upload(t.Context(), to(ops), file)
		require.ErrorIs(t, err, adapter.ErrTooLong)
		require.Equal(t, adapter.Refused, adapter.OutcomeOf(err))
		require.Empty(t, f.Posts())
	})
}
