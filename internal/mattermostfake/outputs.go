package mattermostfake

import (
	"encoding/json"
	"strings"
)

// strip takes out what a request to Mattermost carries on purpose: the id in /hooks/commands/ID, the response_url of a slash
// command, is itself the permission (https://developers.mattermost.com/integrate/slash-commands/custom/).
func strip(address string, body []byte) (string, []byte) {
	if strings.HasPrefix(address, "/hooks/commands/") {
		return "/hooks/commands/", body
	}
	return address, body
}

// stripFrame takes out what a frame of the websocket carries on purpose: the bot's token in authentication_challenge
// (https://api.mattermost.com/#tag/WebSocket).
func stripFrame(raw []byte) []byte {
	var f object
	if json.Unmarshal(raw, &f) != nil || f["action"] != "authentication_challenge" {
		return raw
	}
	if data, ok := f["data"].(object); ok {
		delete(data, "token")
	}
	return []byte(text(f))
}
