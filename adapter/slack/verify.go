package slack

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	maxSkew    = 5 * time.Minute // both sides (https://docs.slack.dev/authentication/verifying-requests-from-slack)
	maxReplays = 700_000         // signatures remembered in ten minutes; 1,000 a second are 600,000
)

// verifier checks the signature of a request: in constant time, against each of several secrets, with a stamp of at most
// five minutes' age or lead, each signature once.
type verifier struct {
	secrets [][]byte

	mu       sync.Mutex
	now, old map[[16]byte]struct{}
	since    time.Time
}

func newVerifier(secrets []string) *verifier {
	v := &verifier{now: map[[16]byte]struct{}{}, old: map[[16]byte]struct{}{}}
	for _, s := range secrets {
		if s != "" {
			v.secrets = append(v.secrets, []byte(s))
		}
	}
	return v
}

// check tells whether Slack sent body at about now, and gives the signature for [verifier.first]. Nothing of it may be shown.
func (v *verifier) check(h http.Header, body []byte, now time.Time) (sig [16]byte, ok bool) {
	stamp := h.Get("X-Slack-Request-Timestamp")
	at, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || len(h.Values("X-Slack-Request-Timestamp")) != 1 || len(h.Values("X-Slack-Signature")) != 1 {
		return sig, false
	}
	age := now.Unix() - maxSkew.Milliseconds()/1000 // compared without a difference of two wild numbers
	if at < age || at > age+2*maxSkew.Milliseconds()/1000 {
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

// again forgets a signature: what it signed was not taken, and Slack may send the same bytes once more.
func (v *verifier) again(sig [16]byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.now, sig)
	delete(v.old, sig)
}
