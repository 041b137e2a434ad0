package slack_test

import (
	"encoding/json"
	"testing"

	"github.com/starlingbot/starling/internal/adapterstage"
	"github.com/starlingbot/starling/internal/slackfake"
)

// TestMangledFrames: no frame stops the adapter, see [adapterstage.MangledFrames].
func TestMangledFrames(t *testing.T) {
	bubble(t, slackfake.Options{}, func(t *testing.T, f *slackfake.Server) {
		e := new(ear)
		start(t, f, configFor(f), e.Sink)
		adapterstage.MangledFrames(t, f, e, func(kind string, payload json.RawMessage) map[string]any {
			return map[string]any{"envelope_id": "E", "type": kind, "payload": payload}
		}, f.DeliverRaw, func(text string) error { _, err := f.Say("U1", "C1", text); return err })
	})
}
