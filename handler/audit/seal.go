package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/starlingbot/starling/handler"
)

// What is stored is one line of JSON that ends with the id of the key and the hash:
//
//	{...,"key":"0a1b2c3d","hash":"64 hexadecimal digits"}
//
// The hash is HMAC-SHA256 under that key of the kind, a new line, and all bytes up to the key's id, that included. So it
// counts for every byte, whatever JSON would overlook.
const (
	beforeKey  = `,"key":"`
	beforeHash = `","hash":"`
	keyDigits  = 8
	hashDigits = 2 * sha256.Size
	tail       = len(beforeKey) + keyDigits + len(beforeHash) + hashDigits + len(`"}`)
)

// The kinds, which keep one sort of line from being taken for another.
const (
	kindRecord = "starling audit record 1"
	kindAnchor = "starling audit anchor 1"
	kindHead   = "starling audit head 1"
	kindList   = "starling audit list 1"
)

// minKey is the shortest key in bytes: as long as the hash.
const minKey = 32

var (
	errForm = errors.New("it is not a line of an audit log of this version: it was changed or cut")
	errHash = errors.New("its hash is wrong: it was changed")
)

// ring holds the keys: the first signs, all verify.
type ring struct {
	ids  []string
	keys [][]byte
}

func newRing(key handler.Secret, old []handler.Secret) (*ring, error) {
	r := &ring{}
	for i, s := range append([]handler.Secret{key}, old...) {
		k := []byte(s.Reveal())
		if len(k) < minKey {
			return nil, fmt.Errorf("audit: key number %d has %d bytes; give at least %d random ones, such as the output of: openssl rand -base64 32", i+1, len(k), minKey)
		}
		r.ids = append(r.ids, digest(k, "starling audit key id")[:keyDigits])
		r.keys = append(r.keys, k)
	}
	return r, nil
}

func digest(key []byte, parts ...string) string {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// sign makes the line of v, whose Hash is empty, and gives its hash.
func (r *ring) sign(kind string, v any) (line []byte, hash string, err error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, "", fmt.Errorf("audit: encode: %w", err)
	}
	s := string(body[:len(body)-1]) + beforeKey + r.ids[0]
	hash = digest(r.keys[0], kind, "\n", s)
	return []byte(s + beforeHash + hash + `"}`), hash, nil
}

// open checks a line and decodes it into v. Where it fails v is not touched.
func (r *ring) open(kind string, line []byte, v any) error {
	n := len(line) - tail
	if n < 1 {
		return errForm
	}
	s := string(line)
	id := s[n+len(beforeKey) : n+len(beforeKey)+keyDigits]
	signed := s[:n+len(beforeKey)+keyDigits]
	rest := s[len(signed):]
	if !strings.HasPrefix(rest, beforeHash) { // not signed, and JSON takes other forms of it
		return errForm
	}
	hash := rest[len(beforeHash) : len(beforeHash)+hashDigits]
	for i := range r.ids {
		if r.ids[i] != id {
			continue
		}
		if !hmac.Equal([]byte(digest(r.keys[i], kind, "\n", signed)), []byte(hash)) {
			return errHash
		}
		if err := json.Unmarshal(line, v); err != nil {
			return fmt.Errorf("%w (%w)", errForm, err)
		}
		return nil
	}
	return fmt.Errorf("it is signed with a key that is not given, %q: it was changed, or Config.OldKeys lacks that key", id)
}
