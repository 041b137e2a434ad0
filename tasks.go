package starling

import "sync"

// tasks counts goroutines and timers that somebody waits for. Unlike a sync.WaitGroup it may be added to while somebody waits
// and there is none: a handler that outlives the drain still ends its event.
type tasks struct {
	mu   sync.Mutex
	n    int
	none chan struct{} // closed when there is none; nil while nobody waits
}

// Add counts one more, which calls Done at its end.
func (t *tasks) Add() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n++
}

// Done ends what Add has counted.
func (t *tasks) Done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n--; t.n == 0 && t.none != nil {
		close(t.none)
		t.none = nil
	}
}

// Go runs f in a goroutine of its own.
func (t *tasks) Go(f func()) {
	t.Add()
	go func() {
		defer t.Done()
		f()
	}()
}

// Wait returns when there is none.
func (t *tasks) Wait() {
	t.mu.Lock()
	if t.n == 0 {
		t.mu.Unlock()
		return
	}
	if t.none == nil {
		t.none = make(chan struct{})
	}
	none := t.none
	t.mu.Unlock()
	<-none
}
