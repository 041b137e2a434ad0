package audit_test

import (
	"errors"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler/audit"
)

func keep(d time.Duration) func(*audit.Config) {
	return func(c *audit.Config) { c.Retention = d }
}

// Records leave from the beginning of the chains, and that is no finding at any time.
func TestRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		ended := open(t, m, keep(24*time.Hour))
		appended(t, ended, 20)
		closed(t, ended)
		l := open(t, m, keep(24*time.Hour))
		defer closed(t, l)
		most := 0
		for range 24 * 4 { // four days, a record every hour
			appended(t, l, 1)
			time.Sleep(time.Hour)
			most = max(most, verify(t, l).Records)
		}
		require.LessOrEqual(t, most, 20+26)
		r := verify(t, l)
		require.Equal(t, 1, r.Chains, "the chain of the ended process is gone")
		require.LessOrEqual(t, r.Records, 26)
		require.GreaterOrEqual(t, r.Records, 24)
		require.LessOrEqual(t, r.Anchors, 3*26, "anchors go as well")
		require.GreaterOrEqual(t, r.Anchors, 24, "but not before their time")
		require.Len(t, under(t, m, "audit/record/"), r.Records, "and nothing is left over")
		require.Len(t, under(t, m, "audit/anchor/"), r.Anchors)

		keys := under(t, m, "audit/record/")
		s := copyOf(t, m)
		other := open(t, s)
		defer closed(t, other)
		remove(t, s, keys[0])
		found(t, other, "is missing")
		s2 := copyOf(t, m)
		third := open(t, s2)
		defer closed(t, third)
		remove(t, s2, under(t, s2, "audit/anchor/")[0])
		found(t, third, "is missing")
		old := r.Last.N - uint64(r.Anchors)
		got, err := l.Verify(ctx, audit.Check{Known: audit.Anchor{N: old, Hash: r.Last.Hash}.String()})
		require.NoError(t, err)
		require.Contains(t, got.Findings[0].String(), "retention has removed it")
	})
}

// A process that writes nothing for longer than the retention loses its chain to another one's sweep, and goes on in a new one.
func TestRetentionOfAnIdleProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		idle := open(t, m) // without retention of its own
		defer closed(t, idle)
		appended(t, idle, 2)
		l := open(t, m, keep(time.Hour))
		defer closed(t, l)
		appended(t, l, 1)
		time.Sleep(6 * time.Hour)
		require.Len(t, writers(t, m), 1, "the sweeper keeps its own head")
		verify(t, idle)
		appended(t, idle, 2)
		require.Len(t, writers(t, m), 2)
		require.Equal(t, 2, verify(t, idle).Records)
		verify(t, l)
		appended(t, l, 1)
		verify(t, l)
	})
}

// stopping fails every write after a number of them, like a process that dies.
type stopping struct {
	*memory.Store
	left int
}

var errDied = errors.New("the process has died")

func (s *stopping) Apply(ctx contextT, ops ...brain.Op) ([]uint64, error) {
	if s.left--; s.left < 0 {
		return nil, errDied
	}
	return s.Store.Apply(ctx, ops...)
}

// Killed after any write of a sweep, the log verifies, and the next sweep finishes the work.
func TestRetentionInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		ended := open(t, m)
		appended(t, ended, 100)
		closed(t, ended)
		time.Sleep(48 * time.Hour)
		points := 0
		for n := 0; ; n++ {
			s := &stopping{copyOf(t, m), n}
			l := open(t, s, keep(24*time.Hour))
			time.Sleep(90 * time.Second) // one sweep
			_ = l.Close(ctx)
			done := s.left >= 0
			after := open(t, s.Store, keep(24*time.Hour))
			verify(t, after)
			time.Sleep(90 * time.Second)
			r := verify(t, after)
			require.Zero(t, r.Records, "after %d writes", n)
			require.Zero(t, r.Chains)
			require.Empty(t, under(t, s.Store, "audit/record/"))
			closed(t, after)
			points++
			if done {
				break
			}
		}
		require.Greater(t, points, 8)
		t.Logf("audit: a sweep interrupted after each of its %d writes: the log verifies and the next sweep finishes", points-1)
	})
}

// pausing lets time pass in the n-th List: before it, or where it is at that entry.
type pausing struct {
	*memory.Store
	n    atomic.Int64
	at   int // -1 is before it
	time time.Duration
}

func (p *pausing) List(ctx contextT, prefix string) iter.Seq2[brain.Entry, error] {
	if p.n.Add(-1) != 0 {
		return p.Store.List(ctx, prefix)
	}
	return func(yield func(brain.Entry, error) bool) {
		if p.at < 0 {
			time.Sleep(p.time)
		}
		i := 0
		for e, err := range p.Store.List(ctx, prefix) {
			if i == p.at {
				time.Sleep(p.time) // in which others append, and remove what is old
			}
			i++
			if !yield(e, err) {
				return
			}
		}
	}
}

// Verify finds nothing wrong when retention removes records, anchors and whole chains while it reads, at whichever point.
func TestVerifyDuringRetention(t *testing.T) {
	runs := 0
	for _, c := range []struct {
		n, at int // which List (1 anchors, 2 heads, 3 records), and where
		time  time.Duration
	}{
		{1, -1, 3 * time.Hour}, {1, 0, 3 * time.Hour}, {1, 3, 3 * time.Hour}, {1, -1, 70 * time.Minute},
		{2, -1, 3 * time.Hour}, {2, 0, 3 * time.Hour}, {2, 1, 3 * time.Hour}, {2, 0, 70 * time.Minute},
		{3, -1, 3 * time.Hour}, {3, 0, 3 * time.Hour}, {3, 1, 3 * time.Hour}, {3, 511, 3 * time.Hour}, {3, 513, 3 * time.Hour}, {3, 900, 3 * time.Hour},
		{3, -1, 70 * time.Minute}, {3, 1, 70 * time.Minute}, {3, 500, 70 * time.Minute}, {3, 511, 70 * time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := memory.New()
			ended := open(t, m)
			appended(t, ended, 3)
			closed(t, ended)
			l := open(t, m, keep(2*time.Hour))
			defer closed(t, l)
			appended(t, l, 5)
			for range 6 {
				time.Sleep(20 * time.Minute)
				appended(t, l, 200)
			}
			store := &pausing{Store: m, at: c.at, time: c.time}
			store.n.Store(int64(c.n))
			reader := open(t, store)
			defer closed(t, reader)
			stop := make(chan struct{})
			done := make(chan struct{})
			go func() {
				defer close(done)
				for {
					select {
					case <-stop:
						return
					case <-time.After(10 * time.Minute):
						appended(t, l, 3)
					}
				}
			}()
			r, err := reader.Verify(ctx, audit.Check{})
			close(stop)
			<-done
			require.NoError(t, err)
			require.True(t, r.OK(), "%+v: %v", c, r.Findings)
			runs++
		})
	}
	t.Logf("audit: %d verifications with hours of writing and retention in the middle: nothing found", runs)
}

// A log that begins while Verify looks for one is a true log.
func TestVerifyWhileTheLogBegins(t *testing.T) {
	for n := 1; n <= 3; n++ {
		synctest.Test(t, func(t *testing.T) {
			m := memory.New()
			l := open(t, m)
			defer closed(t, l)
			go func() {
				time.Sleep(time.Second)
				appended(t, l, 3)
			}()
			store := &pausing{Store: m, at: -1, time: 2 * time.Second}
			store.n.Store(int64(n))
			reader := open(t, store)
			defer closed(t, reader)
			verify(t, reader)
		})
	}
}
