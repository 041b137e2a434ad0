package discord

import (
	"crypto/ed25519"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"

	"github.com/starlingbot/starling/internal/replay"
)

// verifier checks the signature of a request (https://discord.com/developers/docs/interactions/overview#setting-up-an-endpoint-validating-security-request-headers):
// against each of several keys, with a stamp of at most five minutes' age or lead (Discord names no limit of its own), each
// signature once.
type verifier struct {
	keys    []ed25519.PublicKey
	replays *replay.Cache
}

func newVerifier(keys []ed25519.PublicKey) *verifier {
	return &verifier{keys: keys, replays: replay.New()}
}

// check tells whether Discord sent body at about now, and gives the signature for the replay cache. Nothing of it may be shown.
func (v *verifier) check(h http.Header, body []byte, now time.Time) (short replay.Key, ok bool) {
	stamp := h.Get("X-Signature-Timestamp")
	at, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || len(h.Values("X-Signature-Timestamp")) != 1 || len(h.Values("X-Signature-Ed25519")) != 1 {
		return short, false
	}
	if !replay.InTime(at, now) {
		return short, false
	}
	sig, err := hex.DecodeString(h.Get("X-Signature-Ed25519"))
	if err != nil || len(sig) != ed25519.SignatureSize {
		return short, false
	}
	signed := append([]byte(stamp), body...)
	for _, key := range v.keys {
		if ed25519.Verify(key, signed, sig) {
			ok = true
		}
	}
	copy(short[:], sig)
	return short, ok
}
