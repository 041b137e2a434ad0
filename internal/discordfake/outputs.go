package discordfake

import (
	"encoding/json"
	"strings"
)

// strip takes out what a request to Discord carries on purpose: the token of an interaction, which is a part of the addresses
// /interactions/ID/TOKEN/callback and /webhooks/APPLICATION/TOKEN
// (https://discord.com/developers/docs/interactions/receiving-and-responding#endpoints).
func strip(address string, body []byte) (string, []byte) {
	parts := strings.Split(address, "/") // "", api, v9, interactions, id, token
	if len(parts) > 5 && (parts[3] == "interactions" || parts[3] == "webhooks") {
		parts[5] = "TOKEN"
	}
	return strings.Join(parts, "/"), body
}

// stripFrame takes out what a frame to the gateway carries on purpose: the bot's token where a session is begun (op 2), and with
// it the session where it is resumed (op 6)
// (https://discord.com/developers/docs/events/gateway#connections).
func stripFrame(raw []byte) []byte {
	var f struct {
		Op   int    `json:"op"`
		Data object `json:"d"`
	}
	if json.Unmarshal(raw, &f) != nil || f.Op != 2 && f.Op != 6 {
		return raw
	}
	delete(f.Data, "token")
	if f.Op == 6 {
		delete(f.Data, "session_id")
	}
	out, err := json.Marshal(f)
	if err != nil {
		panic(err) // made of what was JSON before
	}
	return out
}
