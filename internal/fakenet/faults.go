package fakenet

import (
	"slices"
	"sync"
)

// Faults are what is to go wrong with calls to come. How is the fake's own affair: F says it. The zero value has none; it must
// not be copied after first use. It holds what a test put in until the calls came or Clear. Its methods may be called
// concurrently.
type Faults[F any] struct {
	mu   sync.Mutex
	list []*planned[F]
}

// planned is a fault that meets the next left calls of a name.
type planned[F any] struct {
	call  string
	left  int
	fault F
}

// Add lets the next times calls of that name ("" is any) meet fault. Times of less than 1 are 1.
func (f *Faults[F]) Add(call string, times int, fault F) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, &planned[F]{call, max(times, 1), fault})
}

// Take gives a copy of the fault that a call meets: the one that was added first of those for its name and for any. It is then
// one call nearer to its end. Nil is no fault.
func (f *Faults[F]) Take(call string) *F {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, p := range f.list {
		if p.call == "" || p.call == call {
			if p.left--; p.left == 0 {
				f.list = slices.Delete(f.list, i, i+1)
			}
			fault := p.fault
			return &fault
		}
	}
	return nil
}

// Clear takes all faults out.
func (f *Faults[F]) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = nil
}
