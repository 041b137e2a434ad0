package braintest

import (
	"context"
	"errors"
	"iter"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
)

// keeper plays a durable store: data stay between Open and Open of a folder.
type keeper struct {
	mu    sync.Mutex
	data  map[string]*memory.Store
	wreck func(*memory.Store, *bent) // at each later Open
}

func (k *keeper) open(dir string) (brain.Store, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.data == nil {
		k.data = map[string]*memory.Store{}
	}
	m, again := k.data[dir]
	if !again {
		m = memory.New()
		k.data[dir] = m
	}
	var mu sync.Mutex
	closed := false
	s := &bent{Store: m}
	s.close = func() error { mu.Lock(); defer mu.Unlock(); closed = true; return nil }
	s.apply = func(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
		mu.Lock()
		defer mu.Unlock()
		if closed {
			return nil, brain.ErrClosed
		}
		return m.Apply(ctx, ops...)
	}
	s.get = func(ctx context.Context, key string) (brain.Entry, error) {
		mu.Lock()
		defer mu.Unlock()
		if closed {
			return brain.Entry{}, brain.ErrClosed
		}
		return m.Get(ctx, key)
	}
	s.list = func(ctx context.Context, prefix string) iter.Seq2[brain.Entry, error] {
		mu.Lock()
		defer mu.Unlock()
		if closed {
			return func(yield func(brain.Entry, error) bool) { yield(brain.Entry{}, brain.ErrClosed) }
		}
		return m.List(ctx, prefix)
	}
	if again && k.wreck != nil {
		k.wreck(m, s)
	}
	return s, nil
}

// TestDurableMutants does the same for the cases that reopen a store, and for
// replicas that read late.
func TestDurableMutants(t *testing.T) {
	features := Features{Durable: true, Shared: true}
	require.Empty(t, failing(t, Harness{Open: new(keeper).open, Features: features}), "a store that keeps everything must pass")

	dropLast := func(m *memory.Store, _ *bent) {
		var last brain.Entry
		for e := range m.List(context.Background(), "") {
			if e.Rev > last.Rev {
				last = e
			}
		}
		if last.Rev != 0 {
			_, _ = m.Apply(context.Background(), brain.Op{Key: last.Key, If: brain.Any, Delete: true})
		}
	}
	for _, m := range []struct {
		name   string
		caught []string
		wreck  func(*memory.Store, *bent)
	}{
		{"loses the last write", []string{"reopen/all", "reopen/ttl", "close/busy"}, dropLast},
		{"begins revisions anew", []string{"reopen/revisions"}, func(_ *memory.Store, s *bent) { s.Store = memory.New(); s.get, s.apply, s.list = nil, nil, nil }},
		{"makes every key permanent", []string{"reopen/ttl"}, func(_ *memory.Store, s *bent) {
			get := s.get
			s.get = func(ctx context.Context, key string) (brain.Entry, error) {
				e, err := get(ctx, key)
				if errors.Is(err, brain.ErrNotFound) && key == "short" {
					return brain.Entry{Key: key, Rev: 1}, nil
				}
				return e, err
			}
		}},
		{"a replica that reads from a copy", []string{"shared/own-writes"}, func(_ *memory.Store, s *bent) {
			seen := map[string]brain.Entry{}
			get := s.get
			s.get = func(ctx context.Context, key string) (brain.Entry, error) {
				if e, ok := seen[key]; ok {
					return e, nil
				}
				e, err := get(ctx, key)
				seen[key] = e
				return e, err
			}
		}},
	} {
		t.Run(m.name, func(t *testing.T) {
			requireCaught(t, m.caught, failing(t, Harness{Open: (&keeper{wreck: m.wreck}).open, Features: features}))
		})
	}
}
