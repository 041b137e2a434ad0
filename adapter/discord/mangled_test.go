package discord_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/internal/discordfake"
	"github.com/starlingbot/starling/internal/fakenet"
)

// TestMangledFrames: whatever a frame lacks or holds in place of what it should, the adapter lives on, and hears what comes next. It is
// every tenth of these frames, and all of them where STARLING_MANGLED is "all".
func TestMangledFrames(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	every := 10
	if os.Getenv("STARLING_MANGLED") == "all" {
		every = 1
	}
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		start(t, f, configFor(f), e.Sink)
		n, sent := 0, 0
		for _, file := range files {
			raw, err := os.ReadFile(file)
			require.NoError(t, err)
			var rec struct {
				Kind    string          `json:"kind"`
				Payload json.RawMessage `json:"payload"`
			}
			require.NoError(t, json.Unmarshal(raw, &rec))
			frame, err := json.Marshal(map[string]any{"op": 0, "t": rec.Kind, "d": rec.Payload})
			require.NoError(t, err)
			for mangled := range fakenet.Mangle(frame) {
				if n++; n%every != 0 {
					continue
				}
				f.Raw(mangled)
				if sent++; sent%20 == 0 {
					wait(10 * time.Millisecond)
				}
			}
			require.NoError(t, f.Await(t.Context(), f.Connected))
			said := fmt.Sprint("after ", file)
			_, err = f.Say(alice, ops, said)
			require.NoError(t, err)
			wait(5 * time.Second)
			require.Contains(t, e.Texts(), said)
		}
		require.Greater(t, sent, 1000)
		t.Logf("%d of %d frames", sent, n)
	})
}
