package slackfake

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/internal/canary"
)

// What a request carries on purpose is taken out, and nothing else.
func TestStrip(t *testing.T) {
	s := canary.Mark
	form := func(kv ...string) []byte {
		v := url.Values{}
		for i := 0; i < len(kv); i += 2 {
			v.Add(kv[i], kv[i+1])
		}
		return []byte(v.Encode())
	}
	for name, c := range map[string]struct {
		address, body string
		hits          int
	}{
		"the ticket of a socket":             {"/socket/?ticket=" + s, "", 0},
		"a response_url":                     {"/response/C1/U1/" + s, `{"text":"x"}`, 0},
		"the text at a response_url":         {"/response/C1/U1/x", `{"text":"` + s + `"}`, 1},
		"the token of a call":                {"/api/chat.postMessage", string(form("token", "xoxb-"+s, "text", "x")), 0},
		"two tokens":                         {"/api/chat.postMessage", string(form("token", s, "token", s)), 2},
		"the text of a call":                 {"/api/chat.postMessage", string(form("token", s, "text", s)), 1},
		"a token in the address of a call":   {"/api/users.info?token=" + s, "", 1},
		"no form":                            {"/api/x", "%%" + s, 1},
		"the response_url of a window":       {"/api/views.open", string(form("view", `{"private_metadata":"{\"u\":\"`+s+`\",\"r\":\"C1\"}"}`)), 0},
		"another part of a window":           {"/api/views.open", string(form("view", `{"private_metadata":"{\"u\":\"x\",\"r\":\"`+s+`\"}","title":"`+s+`"}`)), 2},
		"the response_url of another window": {"/api/views.push", string(form("view", `{"private_metadata":"{\"u\":\"`+s+`\"}"}`)), 1},
		"a file":                             {"/upload/v1/F1", s, 1},
	} {
		address, body := strip(c.address, []byte(c.body))
		require.Len(t, canary.Find([]byte(address+" "+string(body))), c.hits, "%s: %s %s", name, address, body)
	}
}
