package brain

import (
	"context"
	"errors"
)

// Strings is a [Brain] of strings, for parts of a bot that keep a few of them and know nothing of stores: an adapter's
// positions, say.
type Strings struct{ b *Brain }

// Strings gives b as a brain of strings.
func (b *Brain) Strings() Strings { return Strings{b} }

// Get gives the string of a key; "" and no error where there is none.
func (s Strings) Get(ctx context.Context, key string) (string, error) {
	v, err := Get[string](ctx, s.b, key)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return v, err
}

// Set stores the string of a key, whatever was there.
func (s Strings) Set(ctx context.Context, key, value string) error { return Set(ctx, s.b, key, value) }
