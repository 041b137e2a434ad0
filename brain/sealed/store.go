package sealed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/starlingbot/starling/brain"
)

// Config says what is sealed, with what.
type Config struct {
	// Store keeps the sealed values. Required.
	Store brain.Store
	// Keys seal and open: see ParseKeys. Required.
	Keys Keys
	// Prefixes are the brain prefixes whose values are sealed, such as "otp/"; none seals everything. What is sealed opens
	// under every prefix, so the list may change.
	Prefixes []string
	// AllowPlain lets values under Prefixes be read that are not sealed, as they are. It is for the time of moving a store
	// that has plain values. Without it they are refused with ErrPlain.
	AllowPlain bool
}

// Store is a brain.Store that seals the values of another one. Its methods may be called concurrently.
type Store struct {
	inner    brain.Store
	keys     Keys
	prefixes []string
	plain    bool
}

var _ brain.Store = (*Store)(nil)

// New makes the store. It does no I/O. Errors: no store, no keys, a prefix that is not one, or a store that is sealed
// already.
func New(cfg Config) (*Store, error) {
	if cfg.Store == nil {
		return nil, errors.New("sealed: Config.Store is nil; give the store that keeps the values")
	}
	if cfg.Keys.IsZero() {
		return nil, errors.New("sealed: Config.Keys is empty; make keys with sealed.ParseKeys")
	}
	if _, ok := brain.As[*Store](cfg.Store); ok {
		return nil, errors.New("sealed: Config.Store is sealed already; seal a store once")
	}
	for _, p := range cfg.Prefixes {
		if err := brain.CheckPrefix(p); err != nil {
			return nil, fmt.Errorf("sealed: Config.Prefixes: %w", err)
		}
	}
	return &Store{inner: cfg.Store, keys: cfg.Keys, prefixes: append([]string(nil), cfg.Prefixes...), plain: cfg.AllowPlain}, nil
}

// Unwrap gives the store below, for brain.As. Its values are the sealed ones.
func (s *Store) Unwrap() brain.Store { return s.inner }

// Close closes the store below.
func (s *Store) Close() error { return s.inner.Close() }

// Get is that of the store below, opened. Errors also ErrNoKey, ErrDamaged and ErrPlain.
func (s *Store) Get(ctx context.Context, key string) (brain.Entry, error) {
	e, err := s.inner.Get(ctx, key)
	if err != nil {
		return brain.Entry{}, err
	}
	return s.open(e)
}

// List is that of the store below, opened. A value that does not open ends it with ErrNoKey, ErrDamaged or ErrPlain.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[brain.Entry, error] {
	return func(yield func(brain.Entry, error) bool) {
		for e, err := range s.inner.List(ctx, prefix) {
			if err == nil {
				e, err = s.open(e)
			}
			if err != nil {
				yield(brain.Entry{}, err)
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// Apply seals the values of ops and is that of the store below. brain.ErrTooLarge also for what is too large only when it
// is sealed. All else about the arguments is judged by the store below, before any I/O.
func (s *Store) Apply(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
	sealed := make([]brain.Op, len(ops))
	sum := 0
	for i, op := range ops {
		sum += len(op.Key)
		if !op.Delete {
			if s.seals(op.Key, op.Value) {
				if most := brain.MaxValue - s.keys.Overhead(); len(op.Value) > most {
					return nil, refuse(op.Key, brain.ErrTooLarge, fmt.Sprintf("the value has %d bytes, the limit is %d where it is sealed; store a reference to it instead", len(op.Value), most))
				}
				op.Value = s.keys.Seal(op.Key, op.Value)
			}
			sum += len(op.Value)
		}
		sealed[i] = op
	}
	if sum > brain.MaxApply {
		return nil, fmt.Errorf("%w: one Apply of %d bytes when it is sealed, the limit is %d", brain.ErrTooLarge, sum, brain.MaxApply)
	}
	return s.inner.Apply(ctx, sealed...)
}

// seals tells whether a value is sealed when it is written. One that looks sealed always is, or it could not be told from
// one when it is read.
func (s *Store) seals(key string, value []byte) bool {
	return s.Seals(key) || bytes.HasPrefix(value, []byte(magic))
}

// Seals implements [brain.Sealer].
func (s *Store) Seals(key string) bool {
	if len(s.prefixes) == 0 {
		return true
	}
	for _, p := range s.prefixes {
		if strings.HasPrefix(key, p) {
			return true
		}
	}
	return false
}

func (s *Store) open(e brain.Entry) (brain.Entry, error) {
	if !bytes.HasPrefix(e.Value, []byte(magic)) {
		if s.Seals(e.Key) && !s.plain {
			return brain.Entry{}, refuse(e.Key, ErrPlain, "it was written without sealing, or put there by somebody else: to move a store that has plain values, set Config.AllowPlain and call Rotate")
		}
		return e, nil
	}
	value, err := s.keys.Open(e.Key, e.Value)
	if err != nil {
		return brain.Entry{}, err
	}
	e.Value = value
	return e, nil
}

func refuse(key string, err error, reason string) error {
	return &brain.KeyError{Key: key, Err: err, Reason: reason}
}
