package adapterstage

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/internal/fakenet"
)

// MangledFrames: whatever a frame lacks or holds in place of what it should, the adapter lives on, and hears what comes next. It is
// every tenth of the frames made of the payloads in testdata, and all of them where STARLING_MANGLED is "all". wrap makes a frame
// of a payload, send lets the platform say it, and say lets somebody say something.
func MangledFrames(t *testing.T, f Fake, e *Ear, wrap func(kind string, payload json.RawMessage) map[string]any, send func(frame string), say func(text string) error) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	every := 10
	if os.Getenv("STARLING_MANGLED") == "all" {
		every = 1
	}
	n, sent := 0, 0
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		var rec struct {
			Kind    string          `json:"kind"`
			Payload json.RawMessage `json:"payload"`
		}
		require.NoError(t, json.Unmarshal(raw, &rec))
		frame, err := json.Marshal(wrap(rec.Kind, rec.Payload))
		require.NoError(t, err)
		for mangled := range fakenet.Mangle(frame) {
			if n++; n%every != 0 {
				continue
			}
			send(mangled)
			if sent++; sent%20 == 0 {
				Wait(10 * time.Millisecond)
			}
		}
		require.NoError(t, f.Await(t.Context(), f.Connected))
		said := fmt.Sprint("after ", file)
		require.NoError(t, say(said))
		Wait(5 * time.Second)
		require.Contains(t, e.Texts(), said)
	}
	require.Greater(t, sent, 1000)
	t.Logf("%d of %d frames", sent, n)
}
