// Package await lets tests wait until something has become true of state that others change, without asking again and again.
package await

import (
	"context"
	"sync"
)

// Signal wakes those who wait for a change. Who changes the state that they look at calls Wake. The zero value is ready; it
// must not be copied after first use. Its methods may be called concurrently, also with the lock of that state held.
type Signal struct {
	mu      sync.Mutex
	changed chan struct{} // nil while nobody waits
}

// Wake wakes all who wait. No change is missed if it is made before the call, or if both happen under the lock that a
// condition of Until takes.
func (s *Signal) Wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// Changed gives a channel that the next call of Wake closes. Who waits takes it first and looks at the state then.
func (s *Signal) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed
}

// Until waits until ok, which it asks at once and again after every call of Wake, with nothing held. It gives the error of
// ctx if that ends before; what is true already is seen even then.
func (s *Signal) Until(ctx context.Context, ok func() bool) error {
	for {
		changed := s.Changed()
		if ok() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
