package memory

import (
	"container/heap"
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/starlingbot/starling/brain"
)

const (
	pageKeys   = 512     // entries copied under the lock by List at a time
	pageBytes  = 1 << 20 // and their bytes
	sweepAtOne = 32      // expired keys removed by one Apply at most
)

// Store is a brain.Store in memory. Make it with [New]. Its methods may be
// called concurrently.
type Store struct {
	epoch time.Time // the TTL clock counts from here, monotonic

	mu     sync.RWMutex
	closed bool
	rev    uint64 // of the last write; one counter for all keys, so none repeats
	items  map[string]*item
	keys   index
	due    dueHeap // the items with a TTL, soonest first
}

var (
	_ brain.Store   = (*Store)(nil)
	_ brain.Expirer = (*Store)(nil)
)

// item is one written key; it may have expired and not be swept yet.
type item struct {
	key   string
	value []byte
	rev   uint64
	dies  time.Duration // on the store's clock; 0 = never
	place int           // in Store.due, when dies != 0
}

// New returns an empty store.
func New() *Store {
	return &Store{epoch: time.Now(), items: make(map[string]*item)}
}

// now is the time on the store's clock. It is never 0, which means "never" in
// an item.
func (s *Store) now() time.Duration { return time.Since(s.epoch) + 1 }

// live returns the item of key unless it is missing or has expired.
func (s *Store) live(key string) *item {
	it := s.items[key]
	if it == nil || it.dies != 0 && s.now() >= it.dies {
		return nil
	}
	return it
}

// Get returns the live entry of key. Errors: brain.ErrNotFound,
// brain.ErrInvalidKey, brain.ErrClosed, and that of an ended context.
func (s *Store) Get(ctx context.Context, key string) (brain.Entry, error) {
	if err := brain.CheckKey(key); err != nil {
		return brain.Entry{}, err
	}
	if err := ctx.Err(); err != nil {
		return brain.Entry{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return brain.Entry{}, brain.ErrClosed
	}
	it := s.live(key)
	if it == nil {
		return brain.Entry{}, &brain.KeyError{Key: key, Err: brain.ErrNotFound}
	}
	return it.entry(), nil
}

func (it *item) entry() brain.Entry {
	return brain.Entry{Key: it.key, Value: slices.Clone(it.value), Rev: it.rev}
}

// Remaining returns the time until key expires, or 0 for a permanent key.
// Errors as in Get.
func (s *Store) Remaining(ctx context.Context, key string) (time.Duration, error) {
	if err := brain.CheckKey(key); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return 0, brain.ErrClosed
	}
	it := s.live(key)
	switch {
	case it == nil:
		return 0, &brain.KeyError{Key: key, Err: brain.ErrNotFound}
	case it.dies == 0:
		return 0, nil
	default:
		return max(it.dies-s.now(), 1), nil
	}
}

// List yields the live entries under prefix in byte order. It copies pages of at
// most 512 entries or 1 MiB under the lock and yields without it.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[brain.Entry, error] {
	return func(yield func(brain.Entry, error) bool) {
		if err := brain.CheckPrefix(prefix); err != nil {
			yield(brain.Entry{}, err)
			return
		}
		from := prefix
		for more := true; more; {
			if err := ctx.Err(); err != nil {
				yield(brain.Entry{}, err)
				return
			}
			page, next, err := s.page(prefix, from)
			if err != nil {
				yield(brain.Entry{}, err)
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
			}
			from, more = next, next != ""
		}
	}
}

// page copies live entries from the key "from" on. next is where the following
// page begins, or "" at the end.
func (s *Store) page(prefix, from string) (page []brain.Entry, next string, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, "", brain.ErrClosed
	}
	now, seen, bytes := s.now(), 0, 0
	for it := range s.keys.from(from) {
		if len(it.key) < len(prefix) || it.key[:len(prefix)] != prefix {
			break
		}
		if seen == pageKeys || bytes >= pageBytes {
			return page, it.key, nil
		}
		seen++
		if it.dies != 0 && now >= it.dies {
			continue
		}
		page = append(page, it.entry())
		bytes += len(it.value)
	}
	return page, "", nil
}

// Apply does all ops or none. Errors: brain.ErrConflict, brain.ErrTooLarge,
// brain.ErrInvalidKey, brain.ErrInvalidOp, brain.ErrClosed, and that of a context
// that had ended before the call (then nothing was done).
func (s *Store) Apply(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
	if err := brain.CheckOps(ops); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, brain.ErrClosed
	}
	for i := range ops {
		it := s.live(ops[i].Key)
		rev := uint64(0)
		if it != nil {
			rev = it.rev
		}
		if !ops[i].If.Holds(it != nil, rev) {
			return nil, &brain.KeyError{Key: ops[i].Key, Err: brain.ErrConflict}
		}
	}
	revs := make([]uint64, len(ops))
	for i := range ops {
		s.rev++
		revs[i] = s.rev
		if ops[i].Delete {
			if it := s.items[ops[i].Key]; it != nil {
				s.remove(it)
			}
			continue
		}
		s.write(&ops[i], s.rev)
	}
	s.sweep()
	return revs, nil
}

func (s *Store) write(op *brain.Op, rev uint64) {
	it := s.items[op.Key]
	if it == nil {
		it = &item{key: op.Key}
		s.items[it.key] = it
		s.keys.insert(it)
	}
	it.value = append(make([]byte, 0, len(op.Value)), op.Value...)
	it.rev = rev
	var dies time.Duration
	if op.TTL > 0 {
		dies = s.now() + brain.WholeSeconds(op.TTL)
		if dies < 0 { // beyond 292 years
			dies = 0
		}
	}
	switch {
	case it.dies != 0 && dies != 0:
		it.dies = dies
		heap.Fix(&s.due, it.place)
	case it.dies != 0:
		heap.Remove(&s.due, it.place)
		it.dies = 0
	case dies != 0:
		it.dies = dies
		heap.Push(&s.due, it)
	}
}

func (s *Store) remove(it *item) {
	if it.dies != 0 {
		heap.Remove(&s.due, it.place)
	}
	delete(s.items, it.key)
	s.keys.remove(it.key)
}

// sweep gives back the memory of keys that have expired, a few at a time.
func (s *Store) sweep() {
	if len(s.due) == 0 {
		return
	}
	now := s.now()
	for range sweepAtOne {
		if len(s.due) == 0 || s.due[0].dies > now {
			return
		}
		s.remove(s.due[0])
	}
}

// Close frees the store. Later calls return brain.ErrClosed; a second Close
// returns nil.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.items, s.keys, s.due = nil, index{}, nil
	return nil
}

// dueHeap orders items by the time they die.
type dueHeap []*item

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].dies < h[j].dies }
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push is called by container/heap.
func (h *dueHeap) Push(x any) {
	it := x.(*item)
	it.place = len(*h)
	*h = append(*h, it)
}

// Pop is called by container/heap.
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	it := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return it
}
