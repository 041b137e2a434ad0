package discordfake

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/internal/canary"
)

// What a request or a frame carries on purpose is taken out, and nothing else.
func TestStrip(t *testing.T) {
	s := canary.Mark
	for address, hits := range map[string]int{
		"/api/v9/interactions/1/" + s + "/callback": 0, "/api/v9/webhooks/1/" + s: 0, "/api/v9/webhooks/1/" + s + "/messages/@original": 0,
		"/api/v9/webhooks/1/x/messages/" + s: 1, "/api/v9/channels/" + s + "/messages": 1, "/api/v9/channels/1/messages/" + s: 1, "/gateway/?token=" + s: 1,
	} {
		got, body := strip(address, []byte(s))
		require.Len(t, canary.Find([]byte(got)), hits, got)
		require.Len(t, canary.Find(body), 1)
	}
	for frame, hits := range map[string]int{
		`{"op":2,"d":{"token":"` + s + `","intents":1}}`: 0, `{"op":6,"d":{"token":"` + s + `","session_id":"` + s + `","seq":1}}`: 0,
		`{"op":2,"d":{"token":"x","session_id":"` + s + `"}}`: 1, `{"op":2,"d":{"token":"x","properties":{"os":"` + s + `"}}}`: 1, `{"op":3,"d":{"token":"` + s + `"}}`: 1, `no JSON ` + s: 1,
	} {
		require.Len(t, canary.Find(stripFrame([]byte(frame))), hits, frame)
	}
}
