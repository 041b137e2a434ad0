package brain

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// hashMark begins a segment that stands for others that were too long. Key
// never writes it otherwise: a "%" is always escaped.
const hashMark = "%~"

// hashLen is the length of such a segment: the mark and 40 hexadecimal digits
// (160 bits of SHA-256, out of reach of collisions made on purpose).
const hashLen = len(hashMark) + 40

// Key makes one valid key of any parts, one segment each. Different parts give
// different keys.
//
// A part goes in as it is, except that "/", "%", NUL and bytes that are not
// UTF-8 are written as %XX, and an empty part as a lone "%"; [SplitKey] reverses
// it. When the key would be longer than 512 bytes ([MaxKey]), the leading parts
// that leave room stay readable and the others become one segment, "%~" and
// their hash: Key("seen", id) lies under "seen/" however long id is. No parts
// give the key "%".
func Key(parts ...string) string {
	if len(parts) == 0 {
		return "%"
	}
	if len(parts) == 1 && clean(parts[0]) && len(parts[0]) <= MaxKey {
		return parts[0]
	}
	n := len(parts)
	for _, p := range parts {
		n += len(p)
	}
	var b strings.Builder
	b.Grow(n)
	for i, p := range parts {
		if i > 0 {
			b.WriteByte('/')
		}
		escapeInto(&b, p)
	}
	return fold(b.String(), MaxKey)
}

// SplitKey returns the parts of a key made by [Key]. It is false when a part
// was hashed away or the key was not made by Key; a key of plain segments is its
// own escaped form.
func SplitKey(key string) ([]string, bool) {
	if CheckKey(key) != nil {
		return nil, false
	}
	segments := strings.Split(key, "/")
	for i, s := range segments {
		p, ok := unescape(s)
		if !ok {
			return nil, false
		}
		segments[i] = p
	}
	return segments, true
}

func clean(p string) bool {
	if p == "" {
		return false
	}
	for i := range len(p) {
		if c := p[i]; c == '/' || c == '%' || c == 0 {
			return false
		}
	}
	return utf8.ValidString(p)
}

const upperHex = "0123456789ABCDEF"

func escapeInto(b *strings.Builder, p string) {
	if p == "" {
		b.WriteByte('%')
		return
	}
	if clean(p) {
		b.WriteString(p)
		return
	}
	for i := 0; i < len(p); {
		r, size := utf8.DecodeRuneInString(p[i:])
		if r == '/' || r == '%' || r == 0 || r == utf8.RuneError && size == 1 {
			b.WriteByte('%')
			b.WriteByte(upperHex[p[i]>>4])
			b.WriteByte(upperHex[p[i]&15])
		} else {
			b.WriteString(p[i : i+size])
		}
		i += size
	}
}

func unescape(s string) (string, bool) {
	if s == "%" {
		return "", true
	}
	if !strings.Contains(s, "%") {
		return s, true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", false
		}
		b.WriteByte(byte(n))
		i += 2
	}
	return b.String(), true
}

// fold shortens an over-long key: the leading segments that leave room for a
// hash stay, the rest is hashed.
func fold(key string, limit int) string {
	if len(key) <= limit {
		return key
	}
	keep := strings.LastIndexByte(key[:limit-hashLen], '/') + 1
	sum := sha256.Sum256([]byte(key[keep:]))
	return key[:keep] + hashMark + hex.EncodeToString(sum[:])[:hashLen-len(hashMark)]
}

// CheckKey returns nil when key is valid: UTF-8, 1 to 512 bytes, segments
// joined by "/" none of which is empty, no NUL. Otherwise the error wraps
// [ErrInvalidKey] and says what is wrong. Engines call it before any I/O.
func CheckKey(key string) error {
	if reason := keyFault(key); reason != "" {
		return &KeyError{Key: shorten(key), Reason: reason, Err: ErrInvalidKey}
	}
	return nil
}

// CheckPrefix returns nil when prefix is "" or a valid key followed by "/".
// Otherwise the error wraps [ErrInvalidKey].
func CheckPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	bare, ok := strings.CutSuffix(prefix, "/")
	reason := "a prefix is empty or whole segments that end with a slash"
	if ok {
		reason = keyFault(bare)
	}
	if reason != "" {
		return &KeyError{Key: shorten(prefix), Reason: reason, Err: ErrInvalidKey}
	}
	return nil
}

func keyFault(key string) string {
	switch {
	case key == "":
		return "it is empty"
	case len(key) > MaxKey:
		return fmt.Sprintf("it has %d bytes, the limit is %d; build it with brain.Key, which hashes what is too long", len(key), MaxKey)
	}
	segment := false
	for i := range len(key) {
		switch key[i] {
		case '/':
			if !segment {
				return "it has an empty segment; build it with brain.Key, which escapes"
			}
			segment = false
		case 0:
			return "it contains NUL; build it with brain.Key, which escapes"
		default:
			segment = true
		}
	}
	if !segment {
		return "its last segment is empty; build it with brain.Key, which escapes"
	}
	if !utf8.ValidString(key) {
		return "it is not UTF-8; build it with brain.Key, which escapes"
	}
	return ""
}

func shorten(key string) string {
	if len(key) > 80 {
		return key[:80] + "..."
	}
	return key
}

// CheckOps judges the arguments of one Apply by the limits that all engines
// share. The error wraps [ErrTooLarge], [ErrInvalidKey] or [ErrInvalidOp].
// Engines call it before any I/O.
func CheckOps(ops []Op) error {
	if len(ops) > MaxOps {
		return fmt.Errorf("%w: %d operations in one Apply, the limit is %d", ErrTooLarge, len(ops), MaxOps)
	}
	sum := 0
	for i := range ops {
		op := &ops[i]
		if err := CheckKey(op.Key); err != nil {
			return err
		}
		for j := range i {
			if ops[j].Key == op.Key {
				return &KeyError{Key: op.Key, Reason: "it appears twice in one Apply", Err: ErrInvalidKey}
			}
		}
		sum += len(op.Key)
		if op.Delete {
			continue
		}
		if len(op.Value) > MaxValue {
			return &KeyError{Key: op.Key, Err: ErrTooLarge,
				Reason: fmt.Sprintf("the value has %d bytes, the limit is %d; store a reference to it instead", len(op.Value), MaxValue)}
		}
		if op.TTL < 0 {
			return &KeyError{Key: op.Key, Reason: "negative TTL " + op.TTL.String(), Err: ErrInvalidOp}
		}
		sum += len(op.Value)
	}
	if sum > MaxApply {
		return fmt.Errorf("%w: one Apply of %d bytes, the limit is %d", ErrTooLarge, sum, MaxApply)
	}
	return nil
}

// WholeSeconds rounds a TTL up to whole seconds, as the contract asks. A TTL so
// large that it cannot be rounded is cut to the largest whole number of seconds.
func WholeSeconds(ttl time.Duration) time.Duration {
	whole := ttl.Truncate(time.Second)
	if whole < ttl {
		if whole > math.MaxInt64-time.Second {
			return whole
		}
		whole += time.Second
	}
	return whole
}
