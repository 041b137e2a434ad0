package slack

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/starlingbot/starling/internal/replay"
)

// verifier checks the signature of a request: in constant time, against each of several secrets, with a stamp of at most
// five minutes' age or lead (https://docs.slack.dev/authentication/verifying-requests-from-slack), each signature once.
type verifier struct {
	secrets [][]byte
	replays *replay.Cache
}

func newVerifier(secrets []string) *verifier {
	v := &verifier{replays: replay.New()}
	for _, s := range secrets {
		if s != "" {
			v.secrets = append(v.secrets, []byte(s))
		}
	}
	return v
}

// check tells whether Slack sent body at about now, and gives the signature for the replay cache. Nothing of it may be shown.
func (v *verifier) check(h http.Header, body []byte, now time.Time) (sig replay.Key, ok bool) {
	stamp := h.Get("X-Slack-Request-Timestamp")
	at, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || len(h.Values("X-Slack-Request-Timestamp")) != 1 || len(h.Values("X-Slack-Signature")) != 1 {
		return sig, false
	}
	if !replay.InTime(at, now) {
		return sig, false
	}
	given, found := strings.CutPrefix(h.Get("X-Slack-Signature"), "v0=")
	mac, err := hex.DecodeString(given)
	if !found || err != nil || len(mac) != sha256.Size {
		return sig, false
	}
	for _, secret := range v.secrets { // all of them: the time does not tell which one fits
		m := hmac.New(sha256.New, secret)
		m.Write([]byte("v0:" + stamp + ":"))
		m.Write(body)
		if hmac.Equal(m.Sum(nil), mac) {
			ok = true
		}
	}
	copy(sig[:], mac)
	return sig, ok
}
