package adapterstage

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"sync"
)

// Shelf keeps positions as a brain does, and refuses what the adapters do not promise of them: keys of letters, digits and
// slashes, values under 1 KiB. The zero value is empty. Its methods may be called concurrently.
type Shelf struct {
	mu   sync.Mutex
	all  map[string]string
	sets int
	err  error
}

var keyForm = regexp.MustCompile(`^[A-Za-z0-9/]+$`)

// Fail lets each call give err from now on; nil is none.
func (s *Shelf) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// Get gives a value, "" where there is none.
func (s *Shelf) Get(_ context.Context, key string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return "", s.err
	}
	return s.all[key], nil
}

// Set keeps a value.
func (s *Shelf) Set(_ context.Context, key, value string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if !keyForm.MatchString(key) || len(value) >= 1024 {
		return fmt.Errorf("adapterstage: key %q with a value of %d bytes is not promised", key, len(value))
	}
	if s.all == nil {
		s.all = map[string]string{}
	}
	s.all[key] = value
	s.sets++
	return nil
}

// Stored gives a copy of what is kept, also while Fail has it away.
func (s *Shelf) Stored() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.all)
}

// Sets is how often something was kept.
func (s *Shelf) Sets() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sets
}
