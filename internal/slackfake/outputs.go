package slackfake

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/starlingbot/starling/internal/canary"
)

// verificationToken is in every payload, as Slack still sends it. Who knows it can forge requests to an old app.
const verificationToken = canary.Mark + "-verification-token"

// strip takes out what a request to Slack carries on purpose:
//
//   - /socket/?ticket=: the ticket in the address of a socket is what opens it
//     (https://docs.slack.dev/reference/methods/apps.connections.open);
//   - /response/: the address that an interaction is answered at is itself the permission
//     (https://docs.slack.dev/interactivity/handling-user-interaction#message_responses);
//   - /api/views.open: the response_url that a window keeps in its private_metadata, which nobody but the app is shown, for the
//     answer to what is entered in it: Slack names that place for what is sensitive
//     (https://github.com/slackapi/node-slack-sdk, callback_id of a view);
//   - /api/: the field "token" of a form, in which Slack's library sends the bot's or the app's token with every call
//     (https://docs.slack.dev/authentication/tokens).
func strip(address string, body []byte) (string, []byte) {
	switch {
	case strings.HasPrefix(address, "/socket/?ticket="):
		return "/socket/", body
	case strings.HasPrefix(address, "/response/"):
		return "/response/", body
	case strings.HasPrefix(address, "/api/"):
		form, err := url.ParseQuery(string(body))
		if err != nil {
			break
		}
		if address == "/api/views.open" && len(form["view"]) == 1 {
			form.Set("view", stripWindow(form.Get("view")))
		}
		if len(form["token"]) == 1 {
			form.Del("token")
		}
		return address, []byte(form.Encode())
	}
	return address, body
}

// stripWindow takes the response_url out of the private_metadata of a view.
func stripWindow(view string) string {
	var v, kept object
	if json.Unmarshal([]byte(view), &v) != nil {
		return view
	}
	text, _ := v["private_metadata"].(string)
	if json.Unmarshal([]byte(text), &kept) != nil {
		return view
	}
	delete(kept, "u")
	v["private_metadata"] = kept
	out, err := json.Marshal(v)
	if err != nil {
		panic(err) // made of what was JSON before
	}
	return string(out)
}
