package brain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"
)

// updateTries bounds the attempts of one Update. Each conflict means that
// somebody else succeeded, so 64 writers of one key need about 64 rounds on the
// slowest engine; the waits between the attempts (at most 50 ms) spread them.
const updateTries = 1000

// Get returns the value of key, decoded from JSON.
//
// A key that does not live is [ErrNotFound], which is not the same as a stored
// 0, false, "" or null: those are values. A stored null gives the zero value of
// most types and the nil pointer of a pointer type. A value that does not fit T
// is an error that wraps the one of encoding/json. [ErrInvalidKey] also when key
// begins with "_/".
func Get[T any](ctx context.Context, b *Brain, key string) (T, error) {
	var v T
	if err := b.CheckKey(key); err != nil {
		return v, err
	}
	e, err := b.store.Get(ctx, b.Key(key))
	if err != nil {
		return v, named("get", key, err)
	}
	return v, decode(e.Value, &v, key)
}

// Set stores value under key as JSON, whatever was there, for good: a TTL that
// the key had ends.
//
// The errors are those of [Store]. After an unknown outcome the write may have
// landed, or may land yet; Set does not repeat it by itself, because a repeated
// blind write could undo somebody else's later one. The caller may.
func Set[T any](ctx context.Context, b *Brain, key string, value T) error {
	return SetFor(ctx, b, key, value, 0)
}

// SetFor is [Set] for a limited time: the key is gone after ttl, which is
// rounded up to whole seconds and runs on the engine's clock. 0 is for good.
func SetFor[T any](ctx context.Context, b *Brain, key string, value T, ttl time.Duration) error {
	if err := b.CheckKey(key); err != nil {
		return err
	}
	data, err := encode(value, key)
	if err != nil {
		return err
	}
	if _, err := b.store.Apply(ctx, Op{Key: b.Key(key), Value: data, If: Any, TTL: ttl}); err != nil {
		return named("set", key, err)
	}
	return nil
}

// Delete removes key. That it does not live is no error. After an unknown
// outcome the caller may repeat it.
func Delete(ctx context.Context, b *Brain, key string) error {
	if err := b.CheckKey(key); err != nil {
		return err
	}
	if _, err := b.store.Apply(ctx, Op{Key: b.Key(key), If: Any, Delete: true}); err != nil {
		return named("delete", key, err)
	}
	return nil
}

// Update changes the value of key: it reads it, lets f change it, and writes it
// if nobody else has written in between; else it begins again. It returns the
// value as written. A key that does not live starts from the zero value of T.
// The written key is permanent; [UpdateFor] gives it a TTL.
//
// f may be called several times, each time with a freshly read value, and
// should do nothing but change it. An error of f ends the Update with that error,
// unchanged, and nothing is written.
//
// What the caller gets:
//
//   - nil: the change was made exactly once.
//   - An error of f, or one for which [Certain] is true: no change was made.
//     [ErrConflict] comes only after 1,000 attempts, about 25 seconds.
//   - Any other error: unknown. When the answer to a write was lost, Update
//     submits the same write again. If that succeeds, the change was made once.
//     If it conflicts, either the first one landed or somebody else wrote, and
//     the two cannot be told apart: then, and when ctx ends before the answer,
//     the error is neither success nor ErrConflict. Who must know keeps a mark
//     in the value (the id of the event, say) and lets f look for it.
func Update[T any](ctx context.Context, b *Brain, key string, f func(*T) error) (T, error) {
	return UpdateFor(ctx, b, key, 0, f)
}

// UpdateFor is [Update] that gives the key a new time to live.
func UpdateFor[T any](ctx context.Context, b *Brain, key string, ttl time.Duration, f func(*T) error) (T, error) {
	var zero T
	if err := b.CheckKey(key); err != nil {
		return zero, err
	}
	op := Op{Key: b.Key(key), TTL: ttl}
	var last error
	for try := range updateTries {
		if try > 1 { // twice at once, then spread
			if err := pause(ctx, min(100*time.Microsecond<<min(try, 16), 50*time.Millisecond)); err != nil {
				return zero, named("update", key, err)
			}
		}
		var v T
		e, err := b.store.Get(ctx, op.Key)
		switch {
		case errors.Is(err, ErrNotFound):
			op.If = Absent
		case err != nil:
			return zero, named("update", key, err)
		default:
			op.If = At(e.Rev)
			if err := decode(e.Value, &v, key); err != nil {
				return zero, err
			}
		}
		if err := f(&v); err != nil {
			return zero, err
		}
		if op.Value, err = encode(v, key); err != nil {
			return zero, err
		}
		_, doubt, err := settle(ctx, b.store, op)
		switch {
		case err == nil:
			return v, nil
		case doubt && Certain(err):
			return zero, &unknownError{what: "update", key: key, err: errLostAnswer, note: "submitted again, it got: " + err.Error()}
		case doubt:
			return zero, &unknownError{what: "update", key: key, err: err}
		case !errors.Is(err, ErrConflict):
			return zero, named("update", key, err)
		}
		last = err
	}
	return zero, fmt.Errorf("brain: update %q: gave up after %d attempts, too many writers of one key; spread them over several keys: %w", key, updateTries, last)
}

var errLostAnswer = errors.New("the store did not answer")

// Item is one value of [All].
type Item[T any] struct {
	// Key is relative to the namespace of the Brain.
	Key string
	// Value is the decoded value.
	Value T
	// Rev is the revision, see [Entry].
	Rev uint64
}

// All iterates over the values under prefix ("" is all of the namespace) in byte
// order of their keys; see [Store] for what a list promises while others write.
// The core's keys under "_/" are left out.
//
// A value that does not fit T is yielded as an error with an Item that has only
// its Key and Rev; the loop may go on. An error with an empty Key comes from the
// store and is the last.
func All[T any](ctx context.Context, b *Brain, prefix string) iter.Seq2[Item[T], error] {
	return func(yield func(Item[T], error) bool) {
		err := CheckPrefix(prefix)
		if err == nil {
			err = notCore(prefix)
		}
		if err != nil {
			yield(Item[T]{}, err)
			return
		}
		for e, err := range b.store.List(ctx, b.prefix+prefix) {
			if err != nil {
				yield(Item[T]{}, named("list", prefix, err))
				return
			}
			item := Item[T]{Key: e.Key[len(b.prefix):], Rev: e.Rev}
			if strings.HasPrefix(item.Key, corePrefix) {
				continue
			}
			err := decode(e.Value, &item.Value, item.Key)
			if err != nil {
				var zero T
				item.Value = zero
			}
			if !yield(item, err) {
				return
			}
		}
	}
}

func named(what, key string, err error) error {
	return fmt.Errorf("brain: %s %q: %w", what, shorten(key), err)
}

func encode[T any](v T, key string) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("brain: encode %q as JSON: %w", key, err)
	}
	return data, nil
}

func decode[T any](data []byte, v *T, key string) error {
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("brain: the value of %q is not a %T in JSON: %w", key, *v, err)
	}
	return nil
}
