package starling

import "sync"

// seenBound is how many volatile events are remembered, so that one delivered again is recognised; the oldest is forgotten.
const seenBound = 16_384

// seenSet remembers volatile deliveries.
type seenSet struct {
	mu   sync.Mutex
	in   map[string]struct{}
	ring [seenBound]string
	next int
}

func newSeenSet() *seenSet { return &seenSet{in: map[string]struct{}{}} }

// add remembers id; false if it is remembered already.
func (s *seenSet) add(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.in[id]; ok {
		return false
	}
	if old := s.ring[s.next]; old != "" {
		delete(s.in, old)
	}
	s.in[id] = struct{}{}
	s.ring[s.next] = id
	s.next = (s.next + 1) % seenBound
	return true
}

// remove forgets id: it was not taken.
func (s *seenSet) remove(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.in, id)
}
