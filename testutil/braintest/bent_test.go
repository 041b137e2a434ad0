package braintest

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
)

// bent is a memory store with one method bent; a nil field is the method of the
// store.
type bent struct {
	*memory.Store
	get   func(context.Context, string) (brain.Entry, error)
	list  func(context.Context, string) iter.Seq2[brain.Entry, error]
	apply func(context.Context, ...brain.Op) ([]uint64, error)
	close func() error
}

func (s *bent) Get(ctx context.Context, key string) (brain.Entry, error) {
	if s.get != nil {
		return s.get(ctx, key)
	}
	return s.Store.Get(ctx, key)
}

func (s *bent) List(ctx context.Context, prefix string) iter.Seq2[brain.Entry, error] {
	if s.list != nil {
		return s.list(ctx, prefix)
	}
	return s.Store.List(ctx, prefix)
}

func (s *bent) Apply(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
	if s.apply != nil {
		return s.apply(ctx, ops...)
	}
	return s.Store.Apply(ctx, ops...)
}

func (s *bent) Close() error {
	if s.close != nil {
		return s.close()
	}
	return s.Store.Close()
}

// mapOps bends the ops on their way into the store.
func mapOps(f func(*memory.Store, *brain.Op)) func(*bent) {
	return func(s *bent) {
		s.apply = func(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
			ops = slices.Clone(ops)
			for i := range ops {
				f(s.Store, &ops[i])
			}
			return s.Store.Apply(ctx, ops...)
		}
	}
}

// mapList bends the entries of a whole List.
func mapList(f func(prefix string, all []brain.Entry) []brain.Entry) func(*bent) {
	return func(s *bent) {
		s.list = func(ctx context.Context, prefix string) iter.Seq2[brain.Entry, error] {
			return func(yield func(brain.Entry, error) bool) {
				var all []brain.Entry
				for e, err := range s.Store.List(ctx, prefix) {
					if err != nil {
						yield(e, err)
						return
					}
					all = append(all, e)
				}
				for _, e := range f(prefix, all) {
					if !yield(e, nil) {
						return
					}
				}
			}
		}
	}
}

// reusesRevisions counts the revisions of each key from 1 after it was absent.
func reusesRevisions(s *bent) {
	var mu sync.Mutex
	base := map[string]uint64{} // real revision minus shown revision
	s.apply = func(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
		mu.Lock()
		defer mu.Unlock()
		fresh := make([]bool, len(ops))
		real := slices.Clone(ops)
		for i, op := range ops {
			_, err := s.Store.Get(ctx, op.Key)
			fresh[i] = err != nil
			if op.If != brain.Absent && op.If != brain.Any {
				real[i].If = brain.At(uint64(op.If) + base[op.Key])
			}
		}
		revs, err := s.Store.Apply(ctx, real...)
		for i := range revs {
			if fresh[i] {
				base[ops[i].Key] = revs[i] - 1
			}
			revs[i] -= base[ops[i].Key]
		}
		return revs, err
	}
	s.get = func(ctx context.Context, key string) (brain.Entry, error) {
		mu.Lock()
		defer mu.Unlock()
		e, err := s.Store.Get(ctx, key)
		e.Rev -= base[key]
		return e, err
	}
}

// hidesExpired compares the expiry in Get and List, but not in conditions.
func hidesExpired(s *bent) {
	var mu sync.Mutex
	dies := map[string]time.Time{}
	dead := func(key string) bool {
		mu.Lock()
		defer mu.Unlock()
		at, ok := dies[key]
		return ok && !time.Now().Before(at)
	}
	s.apply = func(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
		bare := slices.Clone(ops)
		for i := range bare {
			bare[i].TTL = 0
		}
		revs, err := s.Store.Apply(ctx, bare...)
		mu.Lock()
		defer mu.Unlock()
		for i := range revs {
			delete(dies, ops[i].Key)
			if ttl := ops[i].TTL; ttl > 0 {
				dies[ops[i].Key] = time.Now().Add(brain.WholeSeconds(ttl))
			}
		}
		return revs, err
	}
	s.get = func(ctx context.Context, key string) (brain.Entry, error) {
		if dead(key) {
			return brain.Entry{}, brain.ErrNotFound
		}
		return s.Store.Get(ctx, key)
	}
	mapList(func(_ string, all []brain.Entry) []brain.Entry {
		return slices.DeleteFunc(all, func(e brain.Entry) bool { return dead(e.Key) })
	})(s)
}
