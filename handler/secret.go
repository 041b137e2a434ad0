package handler

import (
	"fmt"
	"log/slog"
	"unique"
)

const redacted = "[secret]"

// Secret is a value that never shows itself: whatever prints, logs or encodes it gives "[secret]". Reveal gives the value.
// Secrets of the same value are equal.
type Secret struct {
	// A handle is printed as an address: fmt calls no method of an unexported field that holds a Secret, nor for %p and %w.
	value unique.Handle[string]
}

// NewSecret hides s.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{unique.Make(s)}
}

// Reveal gives the value.
func (s Secret) Reveal() string {
	if s.IsZero() {
		return ""
	}
	return s.value.Value()
}

// SetSecret hides s: it makes Secret an argument of commands.
func (s *Secret) SetSecret(v string) { *s = NewSecret(v) }

// IsZero tells whether there is no value.
func (s Secret) IsZero() bool { return s == Secret{} }

// String gives "[secret]".
func (Secret) String() string { return redacted }

// Format prints "[secret]" for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// GoString gives "[secret]".
func (Secret) GoString() string { return redacted }

// LogValue gives "[secret]".
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText gives "[secret]": a secret is not stored by accident.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
