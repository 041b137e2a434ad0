package testutil

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/starlingbot/starling/brain"
)

// cutStore is the way of one bot to its store. After cut nothing passes it, as nothing passes from a killed process. Once
// released it is an empty store that refuses every write with brain.ErrConflict: a bot takes that for another process that
// has its events, gives them up and ends.
type cutStore struct {
	brain.Store
	mu       sync.Mutex
	under    int           // calls under way
	none     chan struct{} // closed when there are none, after cut
	dead     bool
	done     bool
	released chan struct{}
}

var _ brain.Store = (*cutStore)(nil)

func newCutStore(s brain.Store) *cutStore {
	return &cutStore{Store: s, released: make(chan struct{})}
}

// Unwrap lets the optional parts of the store be found.
func (s *cutStore) Unwrap() brain.Store { return s.Store }

// enter begins a call; false after a cut, when it does not come back before the test ends.
func (s *cutStore) enter() bool {
	s.mu.Lock()
	if !s.dead {
		s.under++
		s.mu.Unlock()
		return true
	}
	s.mu.Unlock()
	<-s.released
	return false
}

// leave ends a call; false where the bot was killed meanwhile, which does not get the result.
func (s *cutStore) leave() bool {
	s.mu.Lock()
	s.under--
	if s.under == 0 && s.none != nil {
		close(s.none)
		s.none = nil
	}
	dead := s.dead
	s.mu.Unlock()
	if dead {
		<-s.released
	}
	return !dead
}

// cut ends the way to the store. It waits a second at most for calls under way, which may have an effect.
func (s *cutStore) cut() {
	s.mu.Lock()
	s.dead = true
	var none chan struct{}
	if s.under > 0 {
		none = make(chan struct{})
		s.none = none
	}
	s.mu.Unlock()
	if none == nil {
		return
	}
	t := time.NewTimer(time.Second)
	defer t.Stop()
	select {
	case <-none:
	case <-t.C:
	}
}

// release lets what the cut stopped end.
func (s *cutStore) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.done {
		s.done = true
		close(s.released)
	}
}

// Get implements [brain.Store].
func (s *cutStore) Get(ctx context.Context, key string) (brain.Entry, error) {
	if s.enter() {
		e, err := s.Store.Get(ctx, key)
		if s.leave() {
			return e, err
		}
	}
	return brain.Entry{}, &brain.KeyError{Key: key, Err: brain.ErrNotFound, Reason: "the bot was killed"}
}

// Apply implements [brain.Store].
func (s *cutStore) Apply(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
	if s.enter() {
		revs, err := s.Store.Apply(ctx, ops...)
		if s.leave() {
			return revs, err
		}
	}
	return nil, fmt.Errorf("testutil: the bot was killed: %w", brain.ErrConflict)
}

// List implements [brain.Store].
func (s *cutStore) List(ctx context.Context, prefix string) iter.Seq2[brain.Entry, error] {
	return func(yield func(brain.Entry, error) bool) {
		if !s.enter() || !s.leave() {
			return
		}
		for e, err := range s.Store.List(ctx, prefix) {
			if !s.enter() || !s.leave() || !yield(e, err) {
				return
			}
		}
	}
}

// through gives a brain like b, in the same namespace, whose store is s.
func through(b *brain.Brain, s brain.Store) (*brain.Brain, error) {
	made := brain.New(s)
	prefix := strings.TrimSuffix(b.Key("k"), "k")
	for name := range strings.SplitSeq(strings.TrimSuffix(prefix, "/"), "/") {
		if prefix != "" {
			made = made.Namespace(name)
		}
	}
	if made.Key("k") != b.Key("k") {
		return nil, fmt.Errorf("the brain's namespace %q cannot be made again: give a brain that is not in a namespace", prefix)
	}
	return made, nil
}
