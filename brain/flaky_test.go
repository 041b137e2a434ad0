package brain_test

import (
	"context"
	"errors"
	"sync"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
)

var errLost = errors.New("connection lost")

// fate is what becomes of one Apply of a flaky store.
type fate int

const (
	fine     fate = iota
	unsent        // it does not arrive, the answer is an error
	unheard       // it is done, the answer is an error
	overtook      // somebody else writes first; then it is done, and the answer is an error
	usurped       // it does not arrive; somebody else writes; the answer is an error
)

// flaky is a memory store whose Applies meet the given fates, one each, and are
// fine when those have run out. rival is what somebody else does.
type flaky struct {
	*memory.Store
	mu      sync.Mutex
	fates   []fate
	rival   func(*memory.Store)
	applies int
	getErr  error
}

func (s *flaky) Apply(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.applies++
	f := fine
	if len(s.fates) > 0 {
		f, s.fates = s.fates[0], s.fates[1:]
	}
	switch f {
	case unsent:
		return nil, errLost
	case unheard:
		_, _ = s.Store.Apply(ctx, ops...)
		return nil, errLost
	case overtook:
		s.rival(s.Store)
		_, _ = s.Store.Apply(ctx, ops...)
		return nil, errLost
	case usurped:
		s.rival(s.Store)
		return nil, errLost
	}
	return s.Store.Apply(ctx, ops...)
}

func (s *flaky) Get(ctx context.Context, key string) (brain.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.getErr != nil {
		return brain.Entry{}, s.getErr
	}
	return s.Store.Get(ctx, key)
}

func (s *flaky) next(fates ...fate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fates, s.applies = fates, 0
}

func newFlaky() *flaky { return &flaky{Store: memory.New()} }
