package slackfake_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/starlingbot/starling/internal/slackfake"
	"github.com/stretchr/testify/require"
)

// dial opens a websocket as an app does.
func dial(t *testing.T, s *slackfake.Server, c *http.Client) *websocket.Conn {
	t.Helper()
	resp, err := c.Post(s.URL()+"apps.connections.open", "application/x-www-form-urlencoded", strings.NewReader(url.Values{"token": {slackfake.AppToken}}.Encode()))
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	var opened struct{ URL string }
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&opened))
	ws, hello, err := s.Dialer().DialContext(t.Context(), opened.URL, nil)
	require.NoError(t, err)
	_ = hello.Body.Close()
	return ws
}

// Sockets take themselves out of the server's list as they end, while Close goes through it: run with -race.
func TestClosingEndsEverySocket(t *testing.T) {
	for range 5 {
		s := slackfake.New(slackfake.Options{})
		c := s.Client()
		var sockets []*websocket.Conn
		for range 10 {
			sockets = append(sockets, dial(t, s, c))
		}
		require.NoError(t, s.Await(t.Context(), func() bool { return s.Sockets() == len(sockets) }))
		c.CloseIdleConnections()
		require.NoError(t, s.Close())
		require.NoError(t, s.Await(t.Context(), func() bool { return s.Sockets() == 0 }))
		for _, ws := range sockets {
			var err error
			for err == nil { // hello comes first
				_, _, err = ws.ReadMessage()
			}
			_ = ws.Close()
		}
	}
}
