package braintest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
)

// mutant is a way to break the contract and the cases that must notice.
type mutant struct {
	name   string
	caught []string
	bend   func(*bent)
}

func mutants() []mutant {
	return []mutant{
		{"ignores If", []string{"cond/zero", "cond/at", "apply/nothing", "race/create", "race/update", "lease/one"},
			mapOps(func(_ *memory.Store, op *brain.Op) { op.If = brain.Any })},
		{"ignores If of deletes", []string{"cond/zero", "cond/at", "cond/delete-absent"},
			mapOps(func(_ *memory.Store, op *brain.Op) {
				if op.Delete {
					op.If = brain.Any
				}
			})},
		{"takes At for Any", []string{"cond/at"},
			mapOps(func(_ *memory.Store, op *brain.Op) {
				if op.If != brain.Absent {
					op.If = brain.Any
				}
			})},
		{"loses the TTL", []string{"ttl/ends", "ttl/absent", "rev/expiry", "lease/fence"},
			mapOps(func(_ *memory.Store, op *brain.Op) { op.TTL = 0 })},
		{"a write without TTL keeps the old TTL", []string{"ttl/cleared"},
			mapOps(func(s *memory.Store, op *brain.Op) {
				if left, err := s.Remaining(context.Background(), op.Key); err == nil && op.TTL == 0 {
					op.TTL = left
				}
			})},
		{"keeps the first TTL", []string{"ttl/replaced"},
			mapOps(func(s *memory.Store, op *brain.Op) {
				if left, err := s.Remaining(context.Background(), op.Key); err == nil && op.TTL != 0 {
					op.TTL = left
				}
			})},
		{"rounds the TTL down", []string{"ttl/rounds-up"},
			mapOps(func(_ *memory.Store, op *brain.Op) {
				if op.TTL > time.Second {
					op.TTL = op.TTL.Truncate(time.Second)
				}
			})},
		{"lets keys live too long", []string{"ttl/ends"},
			mapOps(func(_ *memory.Store, op *brain.Op) {
				if op.TTL > 0 {
					op.TTL += 2 * time.Second
				}
			})},
		{"hides expired keys from Get alone", []string{"ttl/absent"}, hidesExpired},
		{"refreshes the TTL when an Apply conflicts", []string{"ttl/conflict"}, func(s *bent) {
			s.apply = func(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
				revs, err := s.Store.Apply(ctx, ops...)
				if errors.Is(err, brain.ErrConflict) && len(ops) > 1 {
					if e, gerr := s.Store.Get(ctx, ops[0].Key); gerr == nil {
						_, _ = s.Store.Apply(ctx, putFor(e.Key, string(e.Value), time.Hour))
					}
				}
				return revs, err
			}
		}},
		{"tears an Apply", []string{"apply/nothing", "keys/invalid", "race/apart"}, func(s *bent) {
			s.apply = func(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
				revs, err := s.Store.Apply(ctx, ops...)
				if brain.Certain(err) && len(ops) > 1 {
					_, _ = s.Store.Apply(ctx, ops[0])
				}
				return revs, err
			}
		}},
		{"applies one op after the other", []string{"apply/nothing", "size/ops"}, func(s *bent) {
			s.apply = func(ctx context.Context, ops ...brain.Op) (revs []uint64, err error) {
				for _, op := range ops {
					rev, err := s.Store.Apply(ctx, op)
					if err != nil {
						return nil, err
					}
					revs = append(revs, rev[0])
					runtime.Gosched()
				}
				return revs, nil
			}
		}},
		{"checks, then acts", []string{"race/create", "race/update"}, func(s *bent) {
			s.apply = func(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
				blind := slices.Clone(ops)
				for i, op := range ops {
					e, err := s.Store.Get(ctx, op.Key)
					if !op.If.Holds(err == nil, e.Rev) {
						return nil, &brain.KeyError{Key: op.Key, Err: brain.ErrConflict}
					}
					blind[i].If = brain.Any
				}
				time.Sleep(time.Microsecond) // no time at all in the bubble, but others run
				return s.Store.Apply(ctx, blind...)
			}
		}},
		{"gives a stale Get", []string{"get/latest"}, func(s *bent) {
			var mu sync.Mutex
			seen := map[string]brain.Entry{}
			s.get = func(ctx context.Context, key string) (brain.Entry, error) {
				e, err := s.Store.Get(ctx, key)
				mu.Lock()
				defer mu.Unlock()
				old, ok := seen[key]
				delete(seen, key)
				if ok {
					return old, nil
				}
				if err == nil {
					seen[key] = e
				}
				return e, err
			}
		}},
		{"begins revisions anew after a delete", []string{"rev/grows"}, reusesRevisions},
		{"lists without order", []string{"list/order", "list/pages", "list/writers"},
			mapList(func(_ string, all []brain.Entry) []brain.Entry { slices.Reverse(all); return all })},
		{"lists in the order of letters, not bytes", []string{"list/order"},
			mapList(func(_ string, all []brain.Entry) []brain.Entry {
				slices.SortStableFunc(all, func(a, b brain.Entry) int { return strings.Compare(strings.ToLower(a.Key), strings.ToLower(b.Key)) })
				return all
			})},
		{"loses a key between pages", []string{"list/pages", "list/writers"},
			mapList(func(_ string, all []brain.Entry) []brain.Entry {
				if len(all) > 512 {
					all = slices.Delete(all, 512, 513)
				}
				return all
			})},
		{"doubles a key between pages", []string{"list/pages", "list/writers"},
			mapList(func(_ string, all []brain.Entry) []brain.Entry {
				if len(all) > 512 {
					all = slices.Insert(all, 512, all[511])
				}
				return all
			})},
		{"takes a prefix for half a segment", []string{"list/prefix"}, func(s *bent) {
			s.list = func(ctx context.Context, prefix string) iter.Seq2[brain.Entry, error] {
				return func(yield func(brain.Entry, error) bool) {
					if err := brain.CheckPrefix(prefix); err != nil {
						yield(brain.Entry{}, err)
						return
					}
					for e, err := range s.Store.List(ctx, "") {
						if err == nil && !strings.HasPrefix(e.Key, strings.TrimSuffix(prefix, "/")) {
							continue
						}
						if !yield(e, err) {
							return
						}
					}
				}
			}
		}},
		{"holds its lock while it lists", []string{"list/consumer"}, func(s *bent) {
			var mu sync.RWMutex
			errBusy := errors.New("would wait for ever")
			s.list = func(ctx context.Context, prefix string) iter.Seq2[brain.Entry, error] {
				return func(yield func(brain.Entry, error) bool) {
					mu.RLock()
					defer mu.RUnlock()
					s.Store.List(ctx, prefix)(yield)
				}
			}
			s.apply = func(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
				if !mu.TryLock() {
					return nil, errBusy
				}
				defer mu.Unlock()
				return s.Store.Apply(ctx, ops...)
			}
		}},
		{"keeps the caller's slice", []string{"value/not-kept"}, func(s *bent) {
			var mu sync.Mutex
			kept := map[string][]byte{}
			s.apply = func(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
				mu.Lock()
				defer mu.Unlock()
				for _, op := range ops {
					kept[op.Key] = op.Value
				}
				return s.Store.Apply(ctx, ops...)
			}
			s.get = func(ctx context.Context, key string) (brain.Entry, error) {
				mu.Lock()
				defer mu.Unlock()
				e, err := s.Store.Get(ctx, key)
				if err == nil {
					e.Value = kept[key]
				}
				return e, err
			}
		}},
		{"gives away its own slice", []string{"value/not-kept"}, func(s *bent) {
			var mu sync.Mutex
			cache := map[string]brain.Entry{}
			s.get = func(ctx context.Context, key string) (brain.Entry, error) {
				mu.Lock()
				defer mu.Unlock()
				e, err := s.Store.Get(ctx, key)
				if c, ok := cache[key]; err == nil && ok && c.Rev == e.Rev {
					return c, nil
				}
				cache[key] = e
				return e, err
			}
		}},
		{"folds case", []string{"keys/bytewise"}, func(s *bent) {
			s.get = func(ctx context.Context, key string) (brain.Entry, error) {
				if strings.Contains(key, "/") || brain.CheckKey(key) != nil {
					return s.Store.Get(ctx, key)
				}
				e, err := s.Store.Get(ctx, strings.ToLower(key))
				e.Key = key
				return e, err
			}
		}},
		{"takes an empty value for none", []string{"get/missing"}, func(s *bent) {
			s.get = func(ctx context.Context, key string) (brain.Entry, error) {
				e, err := s.Store.Get(ctx, key)
				if err == nil && len(e.Value) == 0 {
					return brain.Entry{}, brain.ErrNotFound
				}
				return e, err
			}
		}},
		{"ends a value at NUL", []string{"value/bytes"}, func(s *bent) {
			s.get = func(ctx context.Context, key string) (brain.Entry, error) {
				e, err := s.Store.Get(ctx, key)
				before, _, _ := strings.Cut(string(e.Value), "\x00")
				e.Value = []byte(before)
				return e, err
			}
		}},
		{"cuts large values", []string{"size/value", "size/apply"},
			mapOps(func(_ *memory.Store, op *brain.Op) { op.Value = op.Value[:min(len(op.Value), 64<<10)] })},
		{"the last of two writes of one key wins", []string{"size/twice"}, func(s *bent) {
			s.apply = func(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
				last := map[string]brain.Op{}
				for _, op := range ops {
					last[op.Key] = op
				}
				if len(last) == len(ops) {
					return s.Store.Apply(ctx, ops...)
				}
				var some []brain.Op
				for _, op := range last {
					some = append(some, op)
				}
				return s.Store.Apply(ctx, some...)
			}
		}},
		{"takes a negative TTL for none", []string{"size/ttl", "errors/certain"},
			mapOps(func(_ *memory.Store, op *brain.Op) { op.TTL = max(op.TTL, 0) })},
		{"hides what an error is", []string{"errors/certain", "cond/zero", "keys/invalid"}, func(s *bent) {
			s.apply = func(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
				revs, err := s.Store.Apply(ctx, ops...)
				if err != nil && ctx.Err() == nil {
					err = errors.New(err.Error())
				}
				return revs, err
			}
		}},
		{"calls a missing key an empty one", []string{"get/missing", "get/latest"}, func(s *bent) {
			s.get = func(ctx context.Context, key string) (brain.Entry, error) {
				e, err := s.Store.Get(ctx, key)
				if errors.Is(err, brain.ErrNotFound) {
					return brain.Entry{Key: key}, nil
				}
				return e, err
			}
		}},
		{"mixes up its revisions", []string{"apply/all", "get/latest"}, func(s *bent) {
			s.apply = func(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
				revs, err := s.Store.Apply(ctx, ops...)
				for i := range revs {
					revs[i]++
				}
				return revs, err
			}
		}},
		{"gives the revision 0", []string{"rev/range"}, func(s *bent) {
			s.apply = func(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
				revs, err := s.Store.Apply(ctx, ops...)
				clear(revs)
				return revs, err
			}
		}},
		{"goes on after Close", []string{"close/closed"}, func(s *bent) { s.close = func() error { return nil } }},
		{"fails the second Close", []string{"close/closed"}, func(s *bent) {
			n := 0
			s.close = func() error {
				if n++; n > 1 {
					return errors.New("closed twice")
				}
				return s.Store.Close()
			}
		}},
		{"does not heed the context", []string{"ctx/ended"}, func(s *bent) {
			s.apply = func(_ context.Context, ops ...brain.Op) ([]uint64, error) {
				return s.Store.Apply(context.Background(), ops...)
			}
		}},
		{"half a write on a late context", []string{"ctx/midway"}, func(s *bent) {
			s.apply = func(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
				if len(ops) == 2 {
					_, _ = s.Store.Apply(context.Background(), ops[0])
					runtime.Gosched()
					if err := ctx.Err(); err != nil {
						return nil, err
					}
				}
				return s.Store.Apply(ctx, ops...)
			}
		}},
		{"panics while it closes", []string{"close/busy"}, func(s *bent) {
			var mu sync.Mutex
			gone := false
			s.close = func() error {
				mu.Lock()
				defer mu.Unlock()
				gone = true
				return nil
			}
			s.apply = func(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
				mu.Lock()
				defer mu.Unlock()
				if gone {
					panic("use of a closed file")
				}
				return s.Store.Apply(ctx, ops...)
			}
		}},
	}
}

// failing runs every case that applies, in a bubble, and returns those that
// fail.
func failing(t *testing.T, h Harness) map[string]error {
	bad := map[string]error{}
	for _, c := range Cases() {
		if c.Name == "kill" || c.skipped(h) != "" {
			continue // the child process of "kill" cannot be a mutant in this process
		}
		dir := t.TempDir()
		synctest.Test(t, func(*testing.T) {
			if err := c.Check(h, dir); err != nil {
				bad[c.Name] = err
			}
		})
	}
	return bad
}

// TestMutants proves the suite: a good store passes every case, and each broken
// one fails those made for its fault.
func TestMutants(t *testing.T) {
	good := Harness{Open: func(string) (brain.Store, error) { return &bent{Store: memory.New()}, nil }}
	require.Empty(t, failing(t, good), "a store that is not bent must pass")

	for _, m := range mutants() {
		t.Run(m.name, func(t *testing.T) {
			bad := failing(t, Harness{Open: func(string) (brain.Store, error) {
				s := &bent{Store: memory.New()}
				m.bend(s)
				return s, nil
			}})
			requireCaught(t, m.caught, bad)
		})
	}
}

func requireCaught(t *testing.T, want []string, bad map[string]error) {
	t.Helper()
	for _, name := range want {
		require.True(t, known(name), "no case is called %q", name)
		require.Contains(t, bad, name, "the case did not notice")
		t.Logf("%s: %v", name, bad[name])
	}
}

// TestEveryCaseIsProven requires that each case is named by a mutant, or stands
// here with the reason.
func TestEveryCaseIsProven(t *testing.T) {
	proven := map[string]string{
		"keys/odd":          "TestOneCaseMutants",
		"apply/none":        "TestOneCaseMutants",
		"cond/any":          "TestOneCaseMutants",
		"ttl/many":          "TestOneCaseMutants",
		"ttl/remaining":     "TestOneCaseMutants",
		"list/entry":        "TestOneCaseMutants",
		"wake/hints":        "TestOneCaseMutants",
		"reopen/all":        "TestDurableMutants",
		"reopen/ttl":        "TestDurableMutants",
		"reopen/revisions":  "TestDurableMutants",
		"shared/own-writes": "TestDurableMutants",
		"kill":              "TestKillCompare",
	}
	for _, m := range mutants() {
		for _, name := range m.caught {
			proven[name] = "TestMutants"
		}
	}
	for _, c := range Cases() {
		require.Contains(t, proven, c.Name, "no mutant proves this case")
		require.NotEmpty(t, c.Rule)
		delete(proven, c.Name)
	}
	require.Empty(t, proven, "cases that do not exist")
}

// lying is a memory store whose Remaining lies, and a Waker that never wakes.
type lying struct{ *bent }

func (lying) Remaining(context.Context, string) (time.Duration, error) { return 0, nil }

func (lying) Wake(context.Context, string) (<-chan struct{}, error) { return make(chan struct{}), nil }

// TestOneCaseMutants proves the cases whose faults the others do not notice.
func TestOneCaseMutants(t *testing.T) {
	for name, bend := range map[string]func(*bent){
		"keys/odd": func(s *bent) {
			s.apply = func(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
				for _, op := range ops {
					if strings.ContainsAny(op.Key, "*>") {
						return nil, fmt.Errorf("pattern in %q", op.Key)
					}
				}
				return s.Store.Apply(ctx, ops...)
			}
		},
		"apply/none": func(s *bent) {
			s.apply = func(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
				_ = ops[0]
				return s.Store.Apply(ctx, ops...)
			}
		},
		"cond/any": func(s *bent) {
			s.apply = func(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
				if _, err := s.Store.Get(ctx, ops[0].Key); err != nil && ops[0].Delete {
					return nil, brain.ErrNotFound
				}
				return s.Store.Apply(ctx, ops...)
			}
		},
		"ttl/many": func(s *bent) { // sweeps what it should not
			s.apply = func(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
				if ops[0].Key == "w" {
					_, _ = s.Store.Apply(ctx, brain.Op{Key: "k/0010", If: brain.Any, Delete: true})
				}
				return s.Store.Apply(ctx, ops...)
			}
		},
		"list/entry":    mapList(func(_ string, all []brain.Entry) []brain.Entry { all[0].Rev++; return all }),
		"ttl/remaining": func(*bent) {},
		"wake/hints":    func(*bent) {},
	} {
		t.Run(name, func(t *testing.T) {
			h := Harness{Features: Features{Wake: true}, Open: func(string) (brain.Store, error) {
				s := &bent{Store: memory.New()}
				bend(s)
				return lying{s}, nil
			}}
			i := slices.IndexFunc(Cases(), func(c Case) bool { return c.Name == name })
			require.GreaterOrEqual(t, i, 0)
			synctest.Test(t, func(t *testing.T) {
				err := Cases()[i].Check(h, "")
				require.Error(t, err)
				t.Log(err)
			})
		})
	}
}
