// Package totp makes and checks time-based one-time passwords: RFC 6238 over RFC 4226, with the parameters that all
// authenticator apps know, which are HMAC-SHA-1, 6 digits and steps of 30 seconds.
//
// It has no state. Who checks codes must store the step of the last one that was accepted, and accept only later ones
// (RFC 6238, section 5.2), or a code works as often as somebody types it.
package totp

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"net/url"
	"strings"
	"time"
)

const (
	// SecretSize is the length of a secret in bytes: 160 bits, as RFC 4226, section 4, recommends.
	SecretSize = 20
	// Digits is the length of a code.
	Digits = 6
	// Period is how long a code is current.
	Period = 30 * time.Second
	// Window is how many steps before and after the current one are accepted, for clocks that differ (RFC 6238, section 5.2).
	Window = 1
)

// NewSecret makes a random secret.
func NewSecret() []byte {
	secret := make([]byte, SecretSize)
	_, _ = rand.Read(secret) // never fails: crypto/rand ends the process instead
	return secret
}

// StepAt gives the number of the step that t is in: whole periods since 1970, negative before.
func StepAt(t time.Time) int64 {
	seconds := int64(Period / time.Second)
	step := t.Unix() / seconds
	if t.Unix()%seconds < 0 {
		step--
	}
	return step
}

// At gives the code of a step.
func At(secret []byte, step int64) string { return code(sha1.New, secret, step, Digits) }

// code is HOTP (RFC 4226, section 5.3) of any hash and length.
func code(h func() hash.Hash, secret []byte, step int64, digits int) string {
	mac := hmac.New(h, secret)
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(step))
	mac.Write(counter[:])
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 15
	n := uint64(binary.BigEndian.Uint32(sum[at:]) & 0x7fffffff)
	mod := uint64(1)
	for range digits {
		mod *= 10
	}
	return fmt.Sprintf("%0*d", digits, n%mod)
}

// Check tells whether typed is the code of a step within the window around now that is later than last, and which step that
// is: store it as the next last. A fresh secret has the last step -1, which is the least there is. Spaces within the code are overlooked ("123 456"). How
// long it takes does not depend on how much of the code is right, nor on which step it is of.
func Check(secret []byte, typed string, now time.Time, last int64) (step int64, ok bool) {
	typed = strings.ReplaceAll(strings.TrimSpace(typed), " ", "")
	current := StepAt(now)
	found := int64(-1)
	for s := current - Window; s <= current+Window; s++ {
		if subtle.ConstantTimeCompare([]byte(At(secret, s)), []byte(typed)) == 1 && s > last {
			found = s
		}
	}
	return found, found >= 0
}

// Text gives a secret as people type it into an app: base32 without padding.
func Text(secret []byte) string { return encoding().EncodeToString(secret) }

// ParseText reads [Text]: in any case, with or without spaces and padding. Its error does not quote s.
func ParseText(s string) ([]byte, error) {
	s = strings.ToUpper(strings.TrimRight(strings.ReplaceAll(strings.TrimSpace(s), " ", ""), "="))
	secret, err := encoding().DecodeString(s)
	if err != nil || len(secret) == 0 {
		return nil, errors.New("totp: the secret is not base32 (letters A to Z and digits 2 to 7)")
	}
	return secret, nil
}

func encoding() *base32.Encoding { return base32.StdEncoding.WithPadding(base32.NoPadding) }

// URI gives what an app reads from a QR code: otpauth://totp/ISSUER:ACCOUNT?secret=...&issuer=ISSUER, in the key URI format
// of Google Authenticator. Issuer and account are free text but for the colon, which parts them there and is left out.
func URI(issuer, account string, secret []byte) string {
	escape := func(s string) string {
		return strings.ReplaceAll(url.QueryEscape(strings.ReplaceAll(s, ":", "")), "+", "%20") // %20: apps show a + as it is
	}
	label := escape(account)
	issued := ""
	if name := escape(issuer); name != "" {
		label, issued = name+":"+label, "&issuer="+name
	}
	return fmt.Sprintf("otpauth://totp/%s?secret=%s%s&algorithm=SHA1&digits=%d&period=%d", label, Text(secret), issued, Digits, int(Period/time.Second))
}
