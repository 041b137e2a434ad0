package handler

import (
	"context"
	"encoding/json"
	"fmt"
)

// Change changes the value of a key in the request's brain, exactly once per delivery: f gets the value (the zero value
// where there is none) and what it leaves is stored together with the record that this delivery did so. When the event
// comes again f is not called and the recorded value is returned. f may be called several times before the change is
// stored, so it must do nothing else. An error of f changes nothing.
func Change[T any](ctx context.Context, r *Request, key string, f func(*T) error) (T, error) {
	var out T
	value, err := r.effects.Change(ctx, r, r.Brain.Key(key), func(old []byte) ([]byte, error) {
		var v T
		if old != nil {
			if err := json.Unmarshal(old, &v); err != nil {
				return nil, fmt.Errorf("handler: change %q: the stored value does not fit %T: %w", key, v, err)
			}
		}
		if err := f(&v); err != nil {
			return nil, err
		}
		return json.Marshal(v)
	})
	if err != nil {
		return out, err
	}
	return out, json.Unmarshal(value, &out)
}

// Once starts an outside effect at most once per delivery and key: that it is started is recorded first, then its result.
// When the event comes again it returns the recorded result; where the first run died between the two, [ErrUnknown]. An
// error of f is recorded too and comes again as text.
func Once[T any](ctx context.Context, r *Request, key string, f func(context.Context) (T, error)) (T, error) {
	var out T
	value, err := r.effects.Once(ctx, r, key, func(ctx context.Context) ([]byte, error) {
		v, err := f(ctx)
		if err != nil {
			return nil, err
		}
		return json.Marshal(v)
	})
	if err != nil {
		return out, err
	}
	return out, json.Unmarshal(value, &out)
}
