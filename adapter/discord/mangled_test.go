package discord_test

import (
	"encoding/json"
	"testing"

	"github.com/starlingbot/starling/internal/adapterstage"
	"github.com/starlingbot/starling/internal/discordfake"
)

// TestMangledFrames: no frame stops the adapter, see [adapterstage.MangledFrames].
func TestMangledFrames(t *testing.T) {
	bubble(t, discordfake.Options{}, func(t *testing.T, f *discordfake.Server) {
		e := new(ear)
		start(t, f, configFor(f), e.Sink)
		adapterstage.MangledFrames(t, f, e, func(kind string, payload json.RawMessage) map[string]any {
			return map[string]any{"op": 0, "t": kind, "d": payload}
		}, f.Raw, func(text string) error { _, err := f.Say(alice, ops, text); return err })
	})
}
