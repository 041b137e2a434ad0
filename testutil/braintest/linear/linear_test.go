package linear_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/bolt"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/testutil/braintest/linear"
)

func TestStoresAreLinearizable(t *testing.T) {
	disk, err := bolt.Open(bolt.Config{Path: filepath.Join(t.TempDir(), "brain.db")})
	require.NoError(t, err)
	for name, s := range map[string]brain.Store{"memory": memory.New(), "bolt": disk} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, linear.Check(t.Context(), s))
			require.NoError(t, s.Close())
		})
	}
}

// bent is a store that breaks the rule.
type bent struct {
	brain.Store
	get   func(ctx context.Context, key string) (brain.Entry, error)
	apply func(ctx context.Context, ops ...brain.Op) ([]uint64, error)
}

func (b *bent) Get(ctx context.Context, key string) (brain.Entry, error) {
	if b.get != nil {
		return b.get(ctx, key)
	}
	return b.Store.Get(ctx, key)
}

func (b *bent) Apply(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
	if b.apply != nil {
		return b.apply(ctx, ops...)
	}
	return b.Store.Apply(ctx, ops...)
}

// What breaks the rule is found.
func TestMutants(t *testing.T) {
	for name, bend := range map[string]func(*bent){
		"ignores If": func(b *bent) {
			b.apply = func(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
				for i := range ops {
					ops[i].If = brain.Any
				}
				return b.Store.Apply(ctx, ops...)
			}
		},
		"gives a stale Get": func(b *bent) {
			var mu sync.Mutex
			seen := map[string]brain.Entry{}
			b.get = func(ctx context.Context, key string) (brain.Entry, error) {
				e, err := b.Store.Get(ctx, key)
				mu.Lock()
				defer mu.Unlock()
				if old, ok := seen[key]; ok {
					delete(seen, key)
					return old, nil
				}
				if err == nil {
					seen[key] = e
				}
				return e, err
			}
		},
		"applies one op after the other": func(b *bent) {
			b.apply = func(ctx context.Context, ops ...brain.Op) (revs []uint64, err error) {
				for _, op := range ops {
					one, err := b.Store.Apply(ctx, op)
					if err != nil {
						return nil, err
					}
					revs = append(revs, one...)
				}
				return revs, nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bent{Store: memory.New()}
			bend(b)
			require.ErrorContains(t, linear.Check(t.Context(), b), "is not linearizable")
		})
	}
}
