package discord

import (
	"crypto/ed25519"
	"encoding/hex"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	maxSkew    = 5 * time.Minute // both sides; Discord names no limit of its own
	maxReplays = 700_000         // signatures remembered in ten minutes; 1,000 a second are 600,000
)

// verifier checks the signature of a request (https://discord.com/developers/docs/interactions/overview#setting-up-an-endpoint-validating-security-request-headers):
// against each of several keys, with a stamp of at most five minutes' age or lead, each signature once.
type verifier struct {
	keys []ed25519.PublicKey

	mu       sync.Mutex
	now, old map[[16]byte]struct{}
	since    time.Time
}

func newVerifier(keys []ed25519.PublicKey) *verifier {
	return &verifier{keys: keys, now: map[[16]byte]struct{}{}, old: map[[16]byte]struct{}{}}
}

// check tells whether Discord sent body at about now, and gives the signature for [verifier.first]. Nothing of it may be shown.
func (v *verifier) check(h http.Header, body []byte, now time.Time) (short [16]byte, ok bool) {
	stamp := h.Get("X-Signature-Timestamp")
	at, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || len(h.Values("X-Signature-Timestamp")) != 1 || len(h.Values("X-Signature-Ed25519")) != 1 {
		return short, false
	}
	age := now.Unix() - maxSkew.Milliseconds()/1000 // compared without a difference of two wild numbers
	if at < age || at > age+2*maxSkew.Milliseconds()/1000 {
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

// first remembers a signature, and tells whether it is new. full: too many are remembered to tell.
func (v *verifier) first(sig [16]byte, now time.Time) (first, full bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if now.Sub(v.since) >= 2*maxSkew {
		v.old = v.now
		if now.Sub(v.since) >= 4*maxSkew {
			v.old = map[[16]byte]struct{}{}
		}
		v.now, v.since = map[[16]byte]struct{}{}, now
	}
	if _, ok := v.now[sig]; ok {
		return false, false
	}
	if _, ok := v.old[sig]; ok {
		return false, false
	}
	if len(v.now) >= maxReplays {
		return false, true
	}
	v.now[sig] = struct{}{}
	return true, false
}
