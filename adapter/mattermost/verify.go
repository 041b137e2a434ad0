package mattermost

import (
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/mattermost/mattermost-server/v6/model"

	"github.com/starlingbot/starling/internal/replay"
)

const (
	maxSkew   = replay.MaxSkew
	maxSealed = 64 << 10 // bytes of what comes back
)

// Mattermost signs no callback. So what the bot hands out to come back is sealed: with a secret that the server keeps from its
// clients, for a button, or bound to the one user who sees it, for a form. And the id of the trigger, which the server does sign,
// says who it was and when (model.GenerateTriggerId).

// The kinds of sealed values. One cannot be taken for the other.
const (
	sealClick = "click"
	sealForm  = "form"
)

// sealed is what a button or a form carries.
type sealed struct {
	Room    string `json:"r"`
	Nonce   string `json:"n"`
	Expires int64  `json:"e"` // Unix seconds
	Command string `json:"c,omitempty"`
	Label   string `json:"l,omitempty"`
	Only    string `json:"o,omitempty"` // an ephemeral message: who sees it
	Form    string `json:"f,omitempty"`
	User    string `json:"u,omitempty"` // who sees a form
	Thread  string `json:"t,omitempty"`
}

// sealer seals and checks, with several secrets, so that one can be replaced.
type sealer struct{ keys [][]byte }

func newSealer(cfg Config) *sealer {
	secrets := cfg.Secrets
	if len(secrets) == 0 {
		secrets = []string{"of the token: " + cfg.Token}
	}
	s := &sealer{}
	for _, secret := range secrets {
		m := hmac.New(sha256.New, []byte(secret))
		m.Write([]byte("starling mattermost callbacks, version 1"))
		s.keys = append(s.keys, m.Sum(nil))
	}
	return s
}

func mac(key []byte, kind, body string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(kind + "\n" + body))
	return m.Sum(nil)
}

// seal gives v in a form that nobody else can make.
func (s *sealer) seal(kind string, v sealed) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	body := base64.RawURLEncoding.EncodeToString(b)
	return body + "." + base64.RawURLEncoding.EncodeToString(mac(s.keys[0], kind, body)), nil
}

var errSeal = errors.New("it is not sealed by this bot")

// open gives what was sealed. It says nothing of its time.
func (s *sealer) open(kind, text string) (v sealed, err error) {
	body, tail, found := strings.Cut(text, ".")
	sum, err := base64.RawURLEncoding.Strict().DecodeString(tail)
	if !found || err != nil || len(sum) != sha256.Size || len(text) > maxSealed || strings.ContainsAny(text, "\r\n") { // base64 skips these
		return v, errSeal
	}
	ok := false
	for _, key := range s.keys { // all of them: the time does not tell which one fits
		if hmac.Equal(mac(key, kind, body), sum) {
			ok = true
		}
	}
	if !ok {
		return v, errSeal
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil || json.Unmarshal(b, &v) != nil || v.Room == "" || v.Nonce == "" {
		return v, errSeal
	}
	return v, nil
}

// anyToken tells whether a token is one of those, all of which are compared.
func anyToken(tokens []string, token string) bool {
	given, ok := sha256.Sum256([]byte(token)), 0
	for _, t := range tokens {
		want := sha256.Sum256([]byte(t))
		ok |= subtle.ConstantTimeCompare(given[:], want[:])
	}
	return ok == 1 && token != ""
}

// trigger is what a trigger id says.
type trigger struct {
	id   string // one for each click and command
	user string
	at   time.Time
}

var errTrigger = errors.New("its trigger id is not the server's, or not of this moment")

// readTrigger checks a trigger id: that the server signed it, for this user, at about now. Without the server's key, which some
// do not tell, it only names the click.
func readTrigger(key *ecdsa.PublicKey, text, user string, now time.Time) (t trigger, err error) {
	if text == "" || len(text) > 1024 || strings.ContainsAny(text, "\r\n") { // base64 skips these
		return t, errTrigger
	}
	if key == nil {
		sum := sha256.Sum256([]byte(text))
		return trigger{id: base64.RawURLEncoding.EncodeToString(sum[:16]), user: user, at: now}, nil
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	parts := strings.Split(string(raw), ":")
	if err != nil || len(parts) != 4 {
		return t, errTrigger
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(parts[3])
	sum := sha256.Sum256([]byte(strings.Join(parts[:3], ":") + ":"))
	if err != nil || !ecdsa.VerifyASN1(key, sum[:], sig) {
		return t, errTrigger
	}
	millis, err := strconv.ParseInt(parts[2], 10, 64)
	from := now.Add(-maxSkew).UnixMilli() // compared without a difference of two wild numbers
	if err != nil || millis < from || millis > from+2*maxSkew.Milliseconds() {
		return t, errTrigger
	}
	if parts[1] != user || !model.IsValidId(user) || parts[0] == "" {
		return t, errTrigger
	}
	return trigger{id: parts[0], user: user, at: time.UnixMilli(millis).UTC()}, nil
}

// replayKey is how the replay cache knows a callback.
func replayKey(id string) replay.Key {
	sum := sha256.Sum256([]byte(id))
	return replay.Key(sum[:16])
}
