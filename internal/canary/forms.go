package canary

import (
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"strings"
)

// least is the shortest secret that can be watched, in bytes. The mark itself is as long as a window of the search.
const least = 10

// Form is how a secret may look in an output.
type Form struct {
	Name string
	Text []byte
	Fold bool // upper and lower case are the same
}

// Forms gives the forms in which a secret is searched for, that of a part of a longer text: Base64 and Base32 lack the letters at
// both ends that its neighbours touch.
func Forms(secret []byte) []Form {
	forms := []Form{
		{"as it is", lowered(secret), true},
		{"hexadecimal", fmt.Appendf(nil, "%x", secret), true},
		{"hexadecimal in parts", fmt.Appendf(nil, "% x", secret), true},
		{"bytes of Go", each(secret, "0x%x", ", "), true},
		{"numbers", each(secret, "%d", " "), false},
		{"numbers of JSON", each(secret, "%d", ","), false},
		{"escaped for an address", each(secret, "%%%02x", ""), true},
		{"escaped for JSON", each(secret, `\u%04x`, ""), true},
		{"escaped for Go", each(secret, `\x%02x`, ""), true},
	}
	for shift := range 3 {
		text := base64.RawStdEncoding.EncodeToString(append(make([]byte, shift), secret...))
		text = text[(shift*8+5)/6 : (shift+len(secret))*8/6]
		forms = append(forms, Form{fmt.Sprintf("Base64 at %d", shift), []byte(text), false})
		if url := strings.NewReplacer("+", "-", "/", "_").Replace(text); url != text {
			forms = append(forms, Form{fmt.Sprintf("Base64 of addresses at %d", shift), []byte(url), false})
		}
	}
	for shift := range 5 {
		text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(append(make([]byte, shift), secret...))
		text = text[(shift*8+4)/5 : (shift+len(secret))*8/5]
		forms = append(forms, Form{fmt.Sprintf("Base32 at %d", shift), []byte(strings.ToLower(text)), true})
	}
	return forms
}

// lowered is b with the letters of ASCII in lower case: b need not be text.
func lowered(b []byte) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		out[i] = lower(c)
	}
	return out
}

// each formats every byte of b.
func each(b []byte, format, between string) []byte {
	parts := make([]string, len(b))
	for i, c := range b {
		parts[i] = fmt.Sprintf(format, c)
	}
	return []byte(strings.Join(parts, between))
}
