package brain_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/bolt"
	"github.com/starlingbot/starling/brain/memory"
)

func newBrain() *brain.Brain { return brain.New(memory.New()) }

// S15: 0, false, "", null and missing are all different.
func TestGetS15(t *testing.T) {
	b, ctx := newBrain(), context.Background()
	require.NoError(t, brain.Set(ctx, b, "zero", 0))
	require.NoError(t, brain.Set(ctx, b, "false", false))
	require.NoError(t, brain.Set(ctx, b, "empty", ""))
	require.NoError(t, brain.Set[*int](ctx, b, "null", nil))

	n, err := brain.Get[int](ctx, b, "zero")
	require.NoError(t, err)
	require.Equal(t, 0, n)
	ok, err := brain.Get[bool](ctx, b, "false")
	require.NoError(t, err)
	require.False(t, ok)
	s, err := brain.Get[string](ctx, b, "empty")
	require.NoError(t, err)
	require.Equal(t, "", s)
	p, err := brain.Get[*int](ctx, b, "null")
	require.NoError(t, err)
	require.Nil(t, p)
	p, err = brain.Get[*int](ctx, b, "zero")
	require.NoError(t, err)
	require.Equal(t, 0, *p, "a stored 0 is not null")
	raw, err := brain.Get[json.RawMessage](ctx, b, "null")
	require.NoError(t, err)
	require.Equal(t, "null", string(raw))
	for _, missing := range []string{"missing", "zero/missing"} {
		_, err = brain.Get[*int](ctx, b, missing)
		require.ErrorIs(t, err, brain.ErrNotFound)
		require.ErrorContains(t, err, missing)
	}
	_, err = brain.Get[bool](ctx, b, "zero")
	var mismatch *json.UnmarshalTypeError
	require.ErrorAs(t, err, &mismatch)
	require.NotErrorIs(t, err, brain.ErrNotFound)
}

// S19: a name is found exactly, a prefix gives all under it and nothing else.
func TestAllS19(t *testing.T) {
	root, ctx := newBrain(), context.Background()
	b := root.Namespace("users")
	for i, k := range []string{"bob", "bob/a", "bob/b", "bobby", "Bob", "alice/x"} {
		require.NoError(t, brain.Set(ctx, b, k, i))
	}
	require.NoError(t, brain.Set(ctx, root, "elsewhere", 99))
	all := func(b *brain.Brain, prefix string) (keys []string) {
		for item, err := range brain.All[int](ctx, b, prefix) {
			require.NoError(t, err)
			require.NotZero(t, item.Rev)
			keys = append(keys, item.Key)
		}
		return keys
	}
	require.Equal(t, []string{"bob/a", "bob/b"}, all(b, "bob/"))
	require.Equal(t, []string{"Bob", "alice/x", "bob", "bob/a", "bob/b", "bobby"}, all(b, ""))
	n, err := brain.Get[int](ctx, b, "bob")
	require.NoError(t, err)
	require.Equal(t, 0, n, "an exact name is only itself")
	require.Len(t, all(root, ""), 7)
	require.Empty(t, all(b.Namespace("bob"), "x/"))
	require.Equal(t, []string{"a", "b"}, all(b.Namespace("bob"), ""))
}

func TestAllYieldsErrors(t *testing.T) {
	b, ctx := newBrain(), context.Background()
	require.NoError(t, brain.Set(ctx, b, "a", 1))
	require.NoError(t, brain.Set(ctx, b, "b", "text"))
	require.NoError(t, brain.Set(ctx, b, "c", 3))
	_, err := b.Store().Apply(ctx, brain.Op{Key: "_/inbox/1", Value: []byte("1")})
	require.NoError(t, err)
	var keys []string
	var bad []string
	for item, err := range brain.All[int](ctx, b, "") {
		keys = append(keys, item.Key)
		if err != nil {
			bad = append(bad, item.Key)
			require.ErrorContains(t, err, `"b"`)
		}
	}
	require.Equal(t, []string{"a", "b", "c"}, keys, "the loop goes on after a value that does not fit, and the core's keys are left out")
	require.Equal(t, []string{"b"}, bad)

	for _, prefix := range []string{"a", "_/", "_/inbox/", "a//"} {
		n := 0
		for item, err := range brain.All[int](ctx, b, prefix) {
			require.ErrorIs(t, err, brain.ErrInvalidKey)
			require.Empty(t, item.Key)
			n++
		}
		require.Equal(t, 1, n)
	}
	require.NoError(t, b.Store().Close())
	for item, err := range brain.All[int](ctx, b, "") {
		require.ErrorIs(t, err, brain.ErrClosed)
		require.Empty(t, item.Key)
	}
}

// S22: a change is kept when the function returns nil, and not on its error.
func TestUpdateS22(t *testing.T) {
	b, ctx := newBrain(), context.Background()
	type score struct{ Points int }
	got, err := brain.Update(ctx, b, "ann", func(s *score) error { s.Points++; return nil })
	require.NoError(t, err)
	require.Equal(t, score{1}, got, "a missing key starts from the zero value")
	errNo := errors.New("no")
	_, err = brain.Update(ctx, b, "ann", func(s *score) error { s.Points = 100; return errNo })
	require.Equal(t, errNo, err, "unchanged")
	_, err = brain.Update(ctx, b, "new", func(*score) error { return errNo })
	require.Equal(t, errNo, err)
	require.PanicsWithValue(t, "boom", func() {
		_, _ = brain.Update(ctx, b, "ann", func(s *score) error { s.Points = 100; panic("boom") })
	})
	got, err = brain.Get[score](ctx, b, "ann")
	require.NoError(t, err)
	require.Equal(t, score{1}, got)
	_, err = brain.Get[score](ctx, b, "new")
	require.ErrorIs(t, err, brain.ErrNotFound)
}

// S21: an update merges, and a key removed from the value is removed from the
// store.
func TestUpdateS21(t *testing.T) {
	b, ctx := newBrain(), context.Background()
	require.NoError(t, brain.Set(ctx, b, "user/1", map[string]string{"name": "Ann", "mail": "a@b", "old": "x"}))
	_, err := brain.Update(ctx, b, "user/1", func(m *map[string]string) error {
		(*m)["mail"], (*m)["room"] = "ann@b", "7"
		delete(*m, "old")
		return nil
	})
	require.NoError(t, err)
	e, err := b.Store().Get(ctx, "user/1")
	require.NoError(t, err)
	require.JSONEq(t, `{"name":"Ann","mail":"ann@b","room":"7"}`, string(e.Value))
}

// S18: what was set before Close is there after opening again; Close leaves
// nothing running (goleak in the package of the store) and later calls fail.
func TestCloseS18(t *testing.T) {
	ctx, cfg := context.Background(), bolt.Config{Path: filepath.Join(t.TempDir(), "b.db")}
	store, err := bolt.Open(cfg)
	require.NoError(t, err)
	require.NoError(t, brain.Set(ctx, brain.New(store), "k", 7))
	require.NoError(t, store.Close())
	require.ErrorIs(t, brain.Set(ctx, brain.New(store), "k", 8), brain.ErrClosed)
	store, err = bolt.Open(cfg)
	require.NoError(t, err)
	n, err := brain.Get[int](ctx, brain.New(store), "k")
	require.NoError(t, err)
	require.Equal(t, 7, n)
	require.NoError(t, store.Close())
}

// 64 concurrent updates of one key: all succeed, none is lost, on memory and on
// bolt, several times in a row.
func TestUpdateContended(t *testing.T) {
	disk, err := bolt.Open(bolt.Config{Path: filepath.Join(t.TempDir(), "b.db")})
	require.NoError(t, err)
	defer disk.Close()
	for name, store := range map[string]brain.Store{"memory": memory.New(), "bolt": disk} {
		t.Run(name, func(t *testing.T) {
			b, ctx := brain.New(store), context.Background()
			const writers, each = 64, 5
			var wg sync.WaitGroup
			for range writers {
				wg.Go(func() {
					for range each {
						_, err := brain.Update(ctx, b, "n", func(n *int) error { *n++; return nil })
						if err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			n, err := brain.Get[int](ctx, b, "n")
			require.NoError(t, err)
			require.Equal(t, writers*each, n)
		})
	}
}

// alwaysLate loses every race.
type alwaysLate struct{ *memory.Store }

func (s alwaysLate) Apply(context.Context, ...brain.Op) ([]uint64, error) {
	return nil, brain.ErrConflict
}

// An Update that always loses ends with ErrConflict after 1,000 attempts and
// less than a minute, or when the context ends.
func TestUpdateGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, calls, begin := brain.New(alwaysLate{memory.New()}), 0, time.Now()
		_, err := brain.Update(context.Background(), b, "n", func(*int) error { calls++; return nil })
		require.ErrorIs(t, err, brain.ErrConflict)
		require.ErrorContains(t, err, "spread them over several keys")
		require.Equal(t, 1000, calls)
		require.Less(t, time.Since(begin), time.Minute)
		require.Greater(t, time.Since(begin), 10*time.Second)

		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		begin = time.Now()
		_, err = brain.Update(ctx, b, "n", func(*int) error { return nil })
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(begin))
	})
}

// An unknown outcome is never reported as success or conflict wrongly.
func TestUpdateUnknown(t *testing.T) {
	add := func(n *int) error { *n++; return nil }
	rival := func(m *memory.Store) {
		_, _ = m.Apply(context.Background(), brain.Op{Key: "n", Value: []byte("100"), If: brain.Any})
	}
	for _, c := range []struct {
		name    string
		fates   []fate
		unknown bool
		want    int // in the store afterwards
		applies int
	}{
		{"the request is lost once", []fate{unsent}, false, 6, 2},
		{"the request is lost three times", []fate{unsent, unsent, unsent}, false, 6, 4},
		{"the request is lost every time", []fate{unsent, unsent, unsent, unsent}, true, 5, 4},
		{"the answer is lost: done once, and it says so", []fate{unheard}, true, 6, 2},
		{"the answer is lost after somebody else", []fate{overtook}, true, 100, 2},
		{"the request is lost and somebody else writes", []fate{usurped}, true, 100, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, s := context.Background(), newFlaky()
				s.rival = rival
				b := brain.New(s)
				require.NoError(t, brain.Set(ctx, b, "n", 5))
				s.next(c.fates...)
				got, err := brain.Update(ctx, b, "n", add)
				if c.unknown {
					require.ErrorContains(t, err, "outcome unknown")
					require.False(t, brain.Certain(err), "%v", err)
				} else {
					require.NoError(t, err)
					require.Equal(t, c.want, got)
				}
				require.Equal(t, c.applies, s.applies)
				n, err := brain.Get[int](ctx, b, "n")
				require.NoError(t, err)
				require.Equal(t, c.want, n)
			})
		})
	}
}

func TestSetUnknown(t *testing.T) {
	s, ctx := newFlaky(), context.Background()
	b := brain.New(s)
	s.next(unheard)
	err := brain.Set(ctx, b, "k", 1)
	require.ErrorIs(t, err, errLost)
	require.False(t, brain.Certain(err))
	require.Equal(t, 1, s.applies, "a blind write is not repeated by itself")
	s.next(unsent)
	require.ErrorIs(t, brain.Delete(ctx, b, "k"), errLost)
	require.Equal(t, 1, s.applies)
}

func TestSetForAndUpdateFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ctx := newBrain(), context.Background()
		require.NoError(t, brain.SetFor(ctx, b, "k", 1, time.Minute))
		require.NoError(t, brain.SetFor(ctx, b, "p", 1, time.Minute))
		require.ErrorIs(t, brain.SetFor(ctx, b, "k", 1, -1), brain.ErrInvalidOp)
		time.Sleep(50 * time.Second)
		_, err := brain.UpdateFor(ctx, b, "k", time.Minute, func(n *int) error { *n++; return nil })
		require.NoError(t, err)
		_, err = brain.Update(ctx, b, "p", func(n *int) error { *n++; return nil })
		require.NoError(t, err)
		time.Sleep(50 * time.Second)
		n, err := brain.Get[int](ctx, b, "k")
		require.NoError(t, err)
		require.Equal(t, 2, n)
		time.Sleep(time.Hour)
		_, err = brain.Get[int](ctx, b, "k")
		require.ErrorIs(t, err, brain.ErrNotFound)
		n, err = brain.Get[int](ctx, b, "p")
		require.NoError(t, err, "Update makes a key permanent")
		require.Equal(t, 2, n)
	})
}

// The core's keys are out of reach of users, in the root and in any namespace,
// whatever its name.
func TestCoreKeys(t *testing.T) {
	root, ctx := newBrain(), context.Background()
	_, err := root.Store().Apply(ctx, brain.Op{Key: "_/role/admin/ann", Value: []byte("1")})
	require.NoError(t, err)
	for _, b := range []*brain.Brain{root, root.Namespace("karma"), root.Namespace("_"), root.Namespace("")} {
		for _, key := range []string{"_/role/admin/ann", "_/x", brain.Key("_", "role", "admin", "ann"), "", "a//b"} {
			_, err := brain.Get[int](ctx, b, key)
			require.ErrorIs(t, err, brain.ErrInvalidKey, key)
			require.ErrorIs(t, brain.Set(ctx, b, key, 1), brain.ErrInvalidKey, key)
			require.ErrorIs(t, brain.Delete(ctx, b, key), brain.ErrInvalidKey, key)
			_, err = brain.Update(ctx, b, key, func(*int) error { return nil })
			require.ErrorIs(t, err, brain.ErrInvalidKey, key)
			_, err = b.Acquire(ctx, key, time.Minute)
			require.ErrorIs(t, err, brain.ErrInvalidKey, key)
			require.ErrorIs(t, b.CheckKey(key), brain.ErrInvalidKey, key)
		}
	}
	for _, name := range []string{"_", "_/role", "", "/", "%5F", "..", strings.Repeat("n", 400)} {
		b := root.Namespace(name)
		require.False(t, strings.HasPrefix(b.Key("role/admin/ann"), "_/"), name)
		require.NoError(t, brain.Set(ctx, b, "role/admin/ann", 2))
		require.NoError(t, brain.CheckKey(b.Key(strings.Repeat("k", brain.MaxKey))), "a valid key is valid in every namespace")
	}
	e, err := root.Store().Get(ctx, "_/role/admin/ann")
	require.NoError(t, err)
	require.Equal(t, "1", string(e.Value))
	require.NotEqual(t, root.Namespace("_").Key("x"), root.Namespace("%5F").Key("x"))
	require.NoError(t, brain.Set(ctx, root, "_", 1), "the bare key is not under the core's prefix")
}

func TestNamespace(t *testing.T) {
	root, ctx := newBrain(), context.Background()
	a, b := root.Namespace("a"), root.Namespace("b")
	require.NoError(t, brain.Set(ctx, a, "k", 1))
	require.NoError(t, brain.Set(ctx, b, "k", 2))
	require.Equal(t, "a/k", a.Key("k"))
	require.Equal(t, "a/x%2Fy/k", a.Namespace("x/y").Key("k"))
	require.Equal(t, "k", root.Key("k"))
	require.Same(t, root.Store(), a.Namespace("x").Store())
	n, err := brain.Get[int](ctx, root, "a/k")
	require.NoError(t, err)
	require.Equal(t, 1, n, "the root sees its namespaces")
	require.NoError(t, brain.Delete(ctx, a, "k"))
	n, err = brain.Get[int](ctx, b, "k")
	require.NoError(t, err)
	require.Equal(t, 2, n)

	long := strings.Repeat("k", brain.MaxKey)
	require.NoError(t, brain.Set(ctx, a, long, 3))
	require.NoError(t, brain.Set(ctx, a, long[1:]+"x", 4))
	n, err = brain.Get[int](ctx, a, long)
	require.NoError(t, err)
	require.Equal(t, 3, n)
	for item, err := range brain.All[int](ctx, a, "") { // the key is folded, and still a key
		require.NoError(t, err)
		n, err := brain.Get[int](ctx, a, item.Key)
		require.NoError(t, err)
		require.Equal(t, item.Value, n)
	}
	deep := root
	for i := range 50 {
		deep = deep.Namespace(fmt.Sprint("level ", i))
	}
	require.NoError(t, brain.Set(ctx, deep, "k", 5))
	n, err = brain.Get[int](ctx, deep, "k")
	require.NoError(t, err)
	require.Equal(t, 5, n)
	require.PanicsWithValue(t, "brain: New: store is nil; use memory.New() or bolt.Open", func() { brain.New(nil) })
}

func TestSetErrors(t *testing.T) {
	b, ctx := newBrain(), context.Background()
	require.ErrorIs(t, brain.Set(ctx, b, "k", strings.Repeat("v", brain.MaxValue)), brain.ErrTooLarge)
	require.ErrorContains(t, brain.Set(ctx, b, "k", func() {}), "encode")
	_, err := brain.Update(ctx, b, "k", func(s *string) error { *s = strings.Repeat("v", brain.MaxValue); return nil })
	require.ErrorIs(t, err, brain.ErrTooLarge)
	require.NoError(t, brain.Set(ctx, b, "k", "text"))
	_, err = brain.Update(ctx, b, "k", func(*int) error { return errors.New("must not be called") })
	var mismatch *json.UnmarshalTypeError
	require.ErrorAs(t, err, &mismatch)
}

type wrapped struct{ brain.Store }

func (w wrapped) Unwrap() brain.Store { return w.Store }

func TestAs(t *testing.T) {
	m := memory.New()
	got, ok := brain.As[*memory.Store](wrapped{wrapped{m}})
	require.True(t, ok)
	require.Same(t, m, got)
	_, ok = brain.As[brain.Expirer](wrapped{m})
	require.True(t, ok)
	_, ok = brain.As[brain.Waker](wrapped{m})
	require.False(t, ok)
	_, ok = brain.As[brain.Waker](nil)
	require.False(t, ok)
}

func TestCertain(t *testing.T) {
	for _, err := range []error{brain.ErrNotFound, brain.ErrConflict, brain.ErrTooLarge, brain.ErrInvalidKey, brain.ErrInvalidOp, brain.ErrClosed} {
		require.True(t, brain.Certain(fmt.Errorf("x: %w", &brain.KeyError{Key: "k", Err: err})))
	}
	for _, err := range []error{nil, context.Canceled, context.DeadlineExceeded, errLost} {
		require.False(t, brain.Certain(err))
	}
	require.Equal(t, `brain: invalid key: "a//b": it has an empty segment; build it with brain.Key, which escapes`, brain.CheckKey("a//b").Error())
}
