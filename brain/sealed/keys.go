package sealed

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// KeySize is the length of a key's secret in bytes: AES-256.
const KeySize = 32

const (
	maxID    = 16 // bytes of a key's id
	maxKeys  = 64
	nonceTag = 12 + 16
)

// magic begins every sealed value: three bytes that begin no UTF-8 text and so no JSON, and the version of the layout. Then
// follow one byte with the length of the key's id, the id, 12 bytes of nonce, the encrypted value and 16 bytes of tag. All
// that stands before the nonce, and the brain key behind it, is authenticated.
const magic = "\xffSL\x01"

// The errors of reading; each comes in a *brain.KeyError that names the brain key and the cure. None is certain in the
// sense of brain.Certain.
var (
	// ErrNoKey: the value is sealed with a key whose id is not among the keys.
	ErrNoKey = errors.New("sealed: the value is sealed with a key that is not given")
	// ErrDamaged: the value does not open: the secret of the key is another one, or the value was changed, cut or moved
	// here from another brain key.
	ErrDamaged = errors.New("sealed: the value does not open")
	// ErrPlain: the value is not sealed at all, and Config.AllowPlain is not set.
	ErrPlain = errors.New("sealed: the value is not sealed")
)

// Keys are the keys of a store: the first seals, all open. The zero value has none and is refused by [New]. Keys shows only
// its ids, however it is printed or logged. It may be used concurrently.
type Keys struct{ list []*key }

// key holds no bytes of the secret but those inside of the cipher.
type key struct {
	id     string
	header string // what a value under this key begins with
	aead   cipher.AEAD
	check  [16]byte // a known block under the key, to find the same secret given twice
}

// ParseKeys reads keys as text: "ID:SECRET", one or more, separated by spaces, commas or new lines. The first seals and all
// open. An id is 1 to 16 letters, digits, dots, dashes and underscores; a secret is 32 bytes in base64 (standard or URL
// alphabet, with or without padding) or 64 hexadecimal digits. Ids and secrets must differ. No error shows a secret.
func ParseKeys(text string) (Keys, error) {
	var keys Keys
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' || r == '\t' })
	for i, word := range words {
		id, secret, ok := strings.Cut(word, ":")
		if !ok {
			return Keys{}, fmt.Errorf("sealed: key number %d is not of the form ID:SECRET; put a name and a colon in front of the secret", i+1)
		}
		raw, err := decodeSecret(secret)
		if err != nil {
			return Keys{}, fmt.Errorf("sealed: key number %d: %w", i+1, err)
		}
		err = keys.add(id, raw)
		clear(raw)
		if err != nil {
			return Keys{}, fmt.Errorf("sealed: key number %d: %w", i+1, err)
		}
	}
	if len(keys.list) == 0 {
		return Keys{}, errors.New("sealed: no keys; give ID:SECRET, where SECRET is 32 random bytes in base64 or hexadecimal")
	}
	return keys, nil
}

// decodeSecret reads base64 or hexadecimal. Its error does not quote s.
func decodeSecret(s string) ([]byte, error) {
	if len(s) == 2*KeySize {
		if raw, err := hex.DecodeString(s); err == nil {
			return raw, nil
		}
	}
	bare := strings.TrimRight(s, "=")
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if raw, err := enc.Strict().DecodeString(bare); err == nil {
			if len(raw) == KeySize {
				return raw, nil
			}
			clear(raw)
			return nil, fmt.Errorf("the secret has %d bytes, it must have %d; make one with: openssl rand -base64 32", len(raw), KeySize)
		}
	}
	return nil, fmt.Errorf("the secret is neither base64 nor %d hexadecimal digits; make one with: openssl rand -base64 32", 2*KeySize)
}

func (k *Keys) add(id string, secret []byte) error {
	if id == "" || len(id) > maxID || strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	}) {
		return fmt.Errorf("the id must be 1 to %d letters, digits, dots, dashes and underscores", maxID) // not quoted: it may be a secret in the wrong place
	}
	if len(k.list) == maxKeys {
		return fmt.Errorf("more than %d keys; call Rotate and take away the old ones", maxKeys)
	}
	if bytes.Count(secret, secret[:1]) == len(secret) {
		return fmt.Errorf("the secret of %q is one byte repeated; make a random one with: openssl rand -base64 32", id)
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return err
	}
	n := &key{id: id, header: magic + string([]byte{byte(len(id))}) + id, aead: aead}
	block.Encrypt(n.check[:], []byte("starling: sealed"))
	for _, other := range k.list {
		switch {
		case other.id == id:
			return fmt.Errorf("the id %q is given twice; give every key an id of its own", id)
		case subtle.ConstantTimeCompare(other.check[:], n.check[:]) == 1:
			return fmt.Errorf("%q and %q are the same secret; a new key needs a new one", other.id, id)
		}
	}
	k.list = append(k.list, n)
	return nil
}

// NewKeyText makes a key as [ParseKeys] reads it: the id, a colon and 32 random bytes in base64.
func NewKeyText(id string) (string, error) {
	secret := make([]byte, KeySize)
	_, _ = rand.Read(secret) // never fails: crypto/rand ends the process instead
	text := id + ":" + base64.StdEncoding.EncodeToString(secret)
	if _, err := ParseKeys(text); err != nil {
		return "", err
	}
	return text, nil
}

// IsZero tells whether there are no keys.
func (k Keys) IsZero() bool { return len(k.list) == 0 }

// IDs gives the ids, the one that seals first.
func (k Keys) IDs() []string {
	ids := make([]string, len(k.list))
	for i, key := range k.list {
		ids[i] = key.id
	}
	return ids
}

// Overhead is how many bytes a value grows by when it is sealed: 33 and the length of the id of the key that seals. It is 0
// without keys.
func (k Keys) Overhead() int {
	if k.IsZero() {
		return 0
	}
	return len(k.list[0].header) + nonceTag
}

// Seal encrypts a value with the first key under a random nonce and binds it to name: a [Store] gives the brain key. It is
// for values that are kept elsewhere, or need sealing in a store that is not sealed. It panics without keys.
func (k Keys) Seal(name string, value []byte) []byte {
	first := k.list[0]
	out := make([]byte, 0, len(first.header)+nonceTag+len(value))
	out = append(out, first.header...)
	return first.aead.Seal(out, nil, value, first.data(name))
}

// Open gives the value that [Keys.Seal] sealed under the same name. The error is a *brain.KeyError with ErrNoKey,
// ErrDamaged or ErrPlain; then there is no value.
func (k Keys) Open(name string, value []byte) ([]byte, error) {
	id, body, ok := split(value)
	if !ok {
		return nil, refuse(name, ErrPlain, "it has no header of this package")
	}
	if id == "" {
		return nil, refuse(name, ErrDamaged, "it is cut short: restore it from a backup")
	}
	for _, key := range k.list {
		if key.id != id {
			continue
		}
		plain, err := key.aead.Open([]byte{}, nil, body, key.data(name))
		if err != nil {
			return nil, refuse(name, ErrDamaged, fmt.Sprintf("either the secret given for the key %q is not the one that sealed it, or the value was changed, cut or "+
				"moved here from another key: give the right secret, or restore the value from a backup", id))
		}
		return plain, nil
	}
	return nil, refuse(name, ErrNoKey, fmt.Sprintf("it needs the key %q, and there are %s: add that key behind the first one", id, k))
}

func (k *key) data(name string) []byte { return append([]byte(k.header), name...) }

// split takes a sealed value apart. It is false for a value that does not begin with magic. What is cut inside of its
// header has no id.
func split(value []byte) (id string, body []byte, ok bool) {
	rest, ok := bytes.CutPrefix(value, []byte(magic))
	if !ok {
		return "", nil, false
	}
	if len(rest) == 0 || len(rest) < 1+int(rest[0]) {
		return "", nil, true
	}
	n := 1 + int(rest[0])
	return string(rest[1:n]), rest[n:], true
}

// String gives the ids.
func (k Keys) String() string { return fmt.Sprintf("the keys %q", k.IDs()) }

// Format prints String for every verb.
func (k Keys) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// GoString gives String.
func (k Keys) GoString() string { return k.String() }

// LogValue gives the ids.
func (k Keys) LogValue() slog.Value { return slog.AnyValue(k.IDs()) }

// MarshalText gives String: keys are not stored by accident.
func (k Keys) MarshalText() ([]byte, error) { return []byte(k.String()), nil }
