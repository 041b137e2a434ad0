package sealed_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
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
	"github.com/starlingbot/starling/brain/sealed"
)

// fill writes n values under the key "a".
func fill(t testing.TB, m brain.Store, n int) {
	t.Helper()
	s := seal(t, sealed.Config{Store: m, Keys: keys(t, "a:"+secretA)})
	for i := range n {
		put(t, s, fmt.Sprintf("k/%04d", i), fmt.Sprint("value ", i))
	}
}

func TestRotate(t *testing.T) {
	db, err := bolt.Open(bolt.Config{Path: filepath.Join(t.TempDir(), "brain.db")})
	require.NoError(t, err)
	defer db.Close()
	const n = 500
	fill(t, db, n)
	both := seal(t, sealed.Config{Store: db, Keys: keys(t, "b:"+secretB+" a:"+secretA)})
	put(t, both, "k/0007", "new")
	pages := 0
	p, err := both.Rotate(ctx, sealed.Rotation{Progress: func(p sealed.Progress) error {
		pages++
		require.LessOrEqual(t, p.Rewritten, 16*pages)
		return nil
	}})
	require.NoError(t, err)
	require.Equal(t, sealed.Progress{Last: "k/0499", Seen: n, Rewritten: n - 1}, p)
	require.Equal(t, (n-1+15)/16, pages)
	count, err := both.Count(ctx)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"b": n}, count)
	only := seal(t, sealed.Config{Store: db, Keys: keys(t, "b:"+secretB)})
	require.Equal(t, "new", get(t, only, "k/0007"))
	require.Equal(t, "value 499", get(t, only, "k/0499"))
	p, err = both.Rotate(ctx, sealed.Rotation{})
	require.NoError(t, err)
	require.Zero(t, p.Rewritten, "a second time there is nothing to do")
}

// Interrupted after any page, it is called again: with After it goes on, without it passes over what is done.
func TestRotateResumes(t *testing.T) {
	stop := errors.New("stop")
	for pages := 1; pages <= 3; pages++ {
		for _, after := range []bool{true, false} {
			m := memory.New()
			fill(t, m, 60)
			s := seal(t, sealed.Config{Store: m, Keys: keys(t, "b:"+secretB+" a:"+secretA)})
			n := 0
			p, err := s.Rotate(ctx, sealed.Rotation{Progress: func(sealed.Progress) error {
				if n++; n == pages {
					return stop
				}
				return nil
			}})
			require.ErrorIs(t, err, stop)
			require.Equal(t, 16*pages, p.Rewritten)
			r := sealed.Rotation{}
			if after {
				r.After = p.Last
			}
			q, err := s.Rotate(ctx, r)
			require.NoError(t, err)
			require.Equal(t, 60, p.Rewritten+q.Rewritten)
			if after {
				require.Equal(t, 60, p.Seen+q.Seen, "each is looked at once")
			}
			count, err := s.Count(ctx)
			require.NoError(t, err)
			require.Equal(t, map[string]int{"b": 60}, count)
		}
	}
}

// failing is a store whose nth Apply does not reach it.
type failing struct {
	*memory.Store
	n int
}

func (f *failing) Apply(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
	if f.n--; f.n == 0 {
		return nil, errors.New("connection lost")
	}
	return f.Store.Apply(ctx, ops...)
}

// After an error of the store Last is a key up to which all is done: who goes on after it leaves nothing behind under a
// key that is about to be taken away.
func TestRotateResumesAfterAnError(t *testing.T) {
	for n := 1; n <= 4; n++ {
		m := memory.New()
		fill(t, m, 60)
		f := &failing{m, n}
		s := seal(t, sealed.Config{Store: f, Keys: keys(t, "b:"+secretB+" a:"+secretA)})
		p, err := s.Rotate(ctx, sealed.Rotation{})
		require.ErrorContains(t, err, "connection lost")
		require.Equal(t, 16*(n-1), p.Rewritten)
		_, err = s.Rotate(ctx, sealed.Rotation{After: p.Last})
		require.NoError(t, err)
		count, err := s.Count(ctx)
		require.NoError(t, err)
		require.Equal(t, map[string]int{"b": 60}, count, "the Apply number %d failed", n)
	}
}

func TestRotateKeepsTheTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		s := seal(t, sealed.Config{Store: m, Keys: keys(t, "a:"+secretA)})
		_, err := s.Apply(ctx, brain.Op{Key: "short", Value: []byte("1"), TTL: time.Minute}, brain.Op{Key: "long", Value: []byte("1")})
		require.NoError(t, err)
		time.Sleep(30 * time.Second)
		_, err = seal(t, sealed.Config{Store: m, Keys: keys(t, "b:"+secretB+" a:"+secretA)}).Rotate(ctx, sealed.Rotation{})
		require.NoError(t, err)
		left, err := m.Remaining(ctx, "short")
		require.NoError(t, err)
		require.Equal(t, 30*time.Second, left)
		left, err = m.Remaining(ctx, "long")
		require.NoError(t, err)
		require.Zero(t, left)
	})
}

// The revisions of the core's keys are fences: they change only where no bot runs, which the caller says.
func TestRotateLeavesTheCoreAlone(t *testing.T) {
	m := memory.New()
	s := seal(t, sealed.Config{Store: m, Keys: keys(t, "a:"+secretA)})
	lease, err := brain.New(s).Acquire(ctx, "work", time.Minute)
	require.NoError(t, err)
	put(t, s, "k/1", "value")
	both := seal(t, sealed.Config{Store: m, Keys: keys(t, "b:"+secretB+" a:"+secretA)})
	p, err := both.Rotate(ctx, sealed.Rotation{})
	require.NoError(t, err)
	require.Equal(t, sealed.Progress{Last: "k/1", Seen: 2, Rewritten: 1, Core: 1}, p)
	require.NoError(t, lease.Renew(ctx), "who holds a lease keeps it")
	p, err = both.Rotate(ctx, sealed.Rotation{Core: true})
	require.NoError(t, err)
	require.Equal(t, 1, p.Rewritten)
	count, err := both.Count(ctx)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"b": 2}, count)
}

// What cannot be opened is told of, and the rest is done.
func TestRotateGoesOnOverDamage(t *testing.T) {
	m := memory.New()
	fill(t, m, 40)
	raw := []byte(get(t, m, "k/0003"))
	raw[len(raw)-1] ^= 1
	put(t, m, "k/0003", string(raw))
	s := seal(t, sealed.Config{Store: m, Keys: keys(t, "b:"+secretB+" a:"+secretA)})
	p, err := s.Rotate(ctx, sealed.Rotation{})
	require.ErrorIs(t, err, sealed.ErrDamaged)
	require.ErrorContains(t, err, `1 values could not be rewritten`)
	require.ErrorContains(t, err, `"k/0003"`)
	require.Equal(t, sealed.Progress{Last: "k/0039", Seen: 40, Rewritten: 39, Failed: 1}, p)
	require.Equal(t, string(raw), get(t, m, "k/0003"), "it is left as it was")
}

// It runs beside writers, who lose nothing, and ends with all under the new key.
func TestRotateBesideWriters(t *testing.T) {
	m := memory.New()
	const n, writers, each = 64, 4, 300
	old := brain.New(seal(t, sealed.Config{Store: m, Keys: keys(t, "a:"+secretA+" b:"+secretB)}))
	both := seal(t, sealed.Config{Store: m, Keys: keys(t, "b:"+secretB+" a:"+secretA)})
	for i := range n {
		require.NoError(t, brain.Set(ctx, old, fmt.Sprintf("n/%02d", i), 0))
	}
	var wg sync.WaitGroup
	for w := range writers {
		b := brain.New(both)
		if w%2 == 0 {
			b = old // a replica that does not seal with the new key yet
		}
		wg.Go(func() {
			for i := range each {
				_, err := brain.Update(ctx, b, fmt.Sprintf("n/%02d", i%n), func(v *int) error { *v++; return nil })
				require.NoError(t, err)
			}
		})
	}
	for range 20 {
		_, err := both.Rotate(ctx, sealed.Rotation{})
		require.True(t, err == nil || errors.Is(err, brain.ErrConflict), err)
	}
	wg.Wait()
	_, err := both.Rotate(ctx, sealed.Rotation{})
	require.NoError(t, err)
	count, err := both.Count(ctx)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"b": n}, count)
	sum := 0
	for item, err := range brain.All[int](ctx, brain.New(both), "n/") {
		require.NoError(t, err)
		sum += item.Value
	}
	require.Equal(t, writers*each, sum, "no update is lost")
}

// busy writes a key anew before every Apply on it: somebody who is always quicker.
type busy struct {
	*memory.Store
	key   string
	value []byte
}

func (b *busy) Apply(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
	for _, op := range ops {
		if op.Key == b.key {
			if _, err := b.Store.Apply(ctx, brain.Op{Key: b.key, Value: b.value, If: brain.Any}); err != nil {
				return nil, err
			}
		}
	}
	return b.Store.Apply(ctx, ops...)
}

func TestRotateTellsOfAKeyThatOthersKeepWriting(t *testing.T) {
	m := memory.New()
	fill(t, m, 20)
	s := seal(t, sealed.Config{Store: &busy{m, "k/0005", []byte(get(t, m, "k/0005"))}, Keys: keys(t, "b:"+secretB+" a:"+secretA)})
	p, err := s.Rotate(ctx, sealed.Rotation{})
	require.ErrorIs(t, err, brain.ErrConflict)
	require.ErrorContains(t, err, `"k/0005": somebody writes it all the time`)
	require.Equal(t, 19, p.Rewritten, "the others of its page are done")
}

// What somebody else has written under the new key meanwhile is left as it is.
func TestRotateLeavesWhatIsNewAlone(t *testing.T) {
	m := memory.New()
	fill(t, m, 20)
	keys := keys(t, "b:"+secretB+" a:"+secretA)
	s := seal(t, sealed.Config{Store: &busy{m, "k/0005", keys.Seal("k/0005", []byte("newer"))}, Keys: keys})
	p, err := s.Rotate(ctx, sealed.Rotation{})
	require.NoError(t, err)
	require.Equal(t, sealed.Progress{Last: "k/0019", Seen: 20, Rewritten: 19}, p)
	require.Equal(t, "newer", get(t, s, "k/0005"))
}

// timeless is a store that does not tell how long keys live.
type timeless struct{ s *memory.Store }

func (s timeless) Get(ctx context.Context, key string) (brain.Entry, error) { return s.s.Get(ctx, key) }
func (s timeless) Apply(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
	return s.s.Apply(ctx, ops...)
}
func (s timeless) List(ctx context.Context, prefix string) iter.Seq2[brain.Entry, error] {
	return s.s.List(ctx, prefix)
}
func (s timeless) Close() error { return nil }

func TestRotateNeedsTheTTL(t *testing.T) {
	_, err := seal(t, sealed.Config{Store: timeless{memory.New()}, Keys: keys(t, "a:"+secretA)}).Rotate(ctx, sealed.Rotation{})
	require.ErrorContains(t, err, "brain.Expirer")
}

func TestRotateLargeValues(t *testing.T) {
	m := memory.New()
	s := seal(t, sealed.Config{Store: m, Keys: keys(t, "a:"+secretA)})
	for i := range 5 {
		put(t, s, fmt.Sprintf("k/%d", i), strings.Repeat("v", 200<<10))
	}
	put(t, s, "k/5", strings.Repeat("v", brain.MaxValue-34))
	both := seal(t, sealed.Config{Store: m, Keys: keys(t, "b:"+secretB+" a:"+secretA)})
	p, err := both.Rotate(ctx, sealed.Rotation{})
	require.NoError(t, err)
	require.Equal(t, 6, p.Rewritten)
	longer := seal(t, sealed.Config{Store: m, Keys: keys(t, "longer:"+secretA+" b:"+secretB)})
	_, err = longer.Rotate(ctx, sealed.Rotation{})
	require.ErrorIs(t, err, brain.ErrTooLarge, "a longer id no longer fits")
	require.ErrorContains(t, err, `"k/5"`)
}
