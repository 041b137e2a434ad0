package mattermostfake

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/internal/canary"
)

// What a request or a frame carries on purpose is taken out, and nothing else.
func TestStrip(t *testing.T) {
	s := canary.Mark
	for address, hits := range map[string]int{"/hooks/commands/" + s: 0, "/hooks/" + s: 1, "/api/v4/users/" + s: 1, "/api/v4/websocket?connection_id=" + s: 1} {
		got, body := strip(address, []byte(s))
		require.Len(t, canary.Find([]byte(got)), hits, got)
		require.Len(t, canary.Find(body), 1)
	}
	for frame, hits := range map[string]int{
		`{"seq":1,"action":"authentication_challenge","data":{"token":"` + s + `"}}`: 0, `{"seq":1,"action":"authentication_challenge","data":{"token":"x","more":"` + s + `"}}`: 1,
		`{"seq":1,"action":"user_typing","data":{"token":"` + s + `"}}`: 1, `no JSON ` + s: 1,
	} {
		require.Len(t, canary.Find(stripFrame([]byte(frame))), hits, frame)
	}
}
