package audit_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/bolt"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler/audit"
)

type contextT = context.Context

// flaky loses answers, before the write or after it.
type flaky struct {
	*memory.Store
	n     atomic.Int64
	every int64
	mode  atomic.Int32 // 0 good, 1 answers are lost now and then, 2 the store is down
}

var errLost = errors.New("connection lost")

func (f *flaky) Apply(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
	n := f.n.Add(1)
	switch {
	case f.mode.Load() == 2:
		return nil, errLost
	case f.mode.Load() == 1 && n%f.every == 0:
		return nil, errLost // it was never made
	case f.mode.Load() == 1 && n%f.every == 1:
		_, err := f.Store.Apply(ctx, ops...)
		return nil, errors.Join(errLost, err) // it was made, and the answer is lost
	}
	return f.Store.Apply(ctx, ops...)
}

// Lost answers neither lose nor double a record.
func TestLostAnswers(t *testing.T) {
	for every := int64(3); every <= 6; every++ {
		f := &flaky{Store: memory.New(), every: every}
		f.mode.Store(1)
		l := open(t, f)
		var wg sync.WaitGroup
		var good, bad atomic.Int64
		for w := range 8 {
			wg.Go(func() {
				for i := range 50 {
					rec := record(i)
					rec.Delivery = fmt.Sprint(w, "/", i)
					if err := l.Append(ctx, rec); err == nil {
						good.Add(1)
					} else {
						bad.Add(1)
						require.ErrorIs(t, err, errLost)
					}
				}
			})
		}
		wg.Wait()
		f.mode.Store(0)
		appended(t, l, 1) // finds out what became of the last one
		closed(t, l)
		seen := map[string]int{}
		for rec, err := range l.Records(ctx, audit.Filter{}) {
			require.NoError(t, err)
			seen[rec.Delivery]++
			require.Equal(t, 1, seen[rec.Delivery], rec.Delivery)
		}
		require.GreaterOrEqual(t, len(seen), int(good.Load()), "every record that was acknowledged is there")
		verify(t, l)
		require.EqualValues(t, 400, good.Load()+bad.Load())
		require.Greater(t, good.Load(), int64(100))
	}
}

// With the store down Append fails, so a dangerous command does not run; when it is back, it goes on by itself.
func TestStoreDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flaky{Store: memory.New()}
		l := open(t, f)
		defer closed(t, l)
		f.mode.Store(2)
		require.ErrorIs(t, l.Append(ctx, record(0)), errLost, "the very first")
		f.mode.Store(0)
		appended(t, l, 2)
		f.mode.Store(2)
		for range 5 {
			require.ErrorIs(t, l.Append(ctx, record(1)), errLost)
		}
		time.Sleep(5 * time.Minute)
		f.mode.Store(0)
		appended(t, l, 2)
		r := verify(t, l)
		require.GreaterOrEqual(t, r.Records, 4)
		require.LessOrEqual(t, r.Records, 6, "the two that were on their way may have landed, the others not")
	})
}

// scripted answers the next writes as it is told.
type scripted struct {
	*memory.Store
	next []func(apply func() ([]uint64, error)) ([]uint64, error)
}

func (s *scripted) Apply(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
	apply := func() ([]uint64, error) { return s.Store.Apply(ctx, ops...) }
	if len(s.next) == 0 {
		return apply()
	}
	f := s.next[0]
	s.next = s.next[1:]
	return f(apply)
}

// A write whose answer was lost may have happened, whatever the store says to the next attempt.
func TestACertainErrorAfterALostAnswer(t *testing.T) {
	lost := func(apply func() ([]uint64, error)) ([]uint64, error) {
		_, err := apply()
		require.NoError(t, err)
		return nil, errLost
	}
	refused := func(func() ([]uint64, error)) ([]uint64, error) { return nil, brain.ErrTooLarge }
	s := &scripted{Store: memory.New()}
	l := open(t, s)
	appended(t, l, 2)
	s.next = append(s.next, lost, refused)
	require.ErrorContains(t, l.Append(ctx, record(1)), "the outcome is unknown")
	appended(t, l, 2)
	closed(t, l)
	require.Len(t, writers(t, s), 1, "it is still one chain")
	require.Equal(t, 5, verify(t, l).Records)

	s.next = append(s.next, refused) // at once: certain
	l = open(t, s)
	require.ErrorIs(t, l.Append(ctx, record(1)), brain.ErrTooLarge)
	appended(t, l, 1)
	require.Equal(t, 6, verify(t, l).Records)
	closed(t, l)
}

// hanging never answers.
type hanging struct{ *memory.Store }

func (hanging) Apply(ctx context.Context, _ ...brain.Op) ([]uint64, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, hanging{memory.New()})
		start := time.Now()
		require.ErrorIs(t, l.Append(ctx, record(1)), context.DeadlineExceeded)
		require.Equal(t, 15*time.Second, time.Since(start), "three attempts")
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		start = time.Now()
		require.ErrorContains(t, l.Append(short, record(1)), "the record may be written or not")
		require.Equal(t, time.Second, time.Since(start))
		require.ErrorContains(t, l.Close(ctx), "the last anchor is not")
	})
}

const childVar = "STARLING_AUDIT_CHILD"

// TestKilled has a child append until it is killed, several times on one bolt file: what was acknowledged is there, and the
// log verifies.
func TestKilled(t *testing.T) {
	if path := os.Getenv(childVar); path != "" {
		child(t, path)
		return
	}
	path := filepath.Join(t.TempDir(), "brain.db")
	acks := 0
	const kills = 6
	for i := range kills {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$", "-test.timeout=60s")
		cmd.Env = append(os.Environ(), childVar+"="+path)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		in, err := cmd.StdinPipe() // the child ends with us
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewScanner(out)
		for n := 0; n < 40+7*i && lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "ack ") {
				n++
				acks++
			}
		}
		require.NoError(t, cmd.Process.Kill())
		for lines.Scan() { // acknowledged before it died
			if strings.HasPrefix(lines.Text(), "ack ") && strings.HasSuffix(lines.Text(), ".") {
				acks++
			}
		}
		require.Error(t, cmd.Wait())
		_ = in.Close()
		db, err := bolt.Open(bolt.Config{Path: path})
		require.NoError(t, err)
		l := open(t, db)
		r := verify(t, l)
		require.GreaterOrEqual(t, r.Records, acks, "an acknowledged record is lost")
		require.LessOrEqual(t, r.Records, acks+8*(i+1), "each of 8 appenders may have had one more")
		require.Equal(t, i+1, r.Chains)
		closed(t, l)
		require.NoError(t, db.Close())
	}
	t.Logf("T35: %d kills between %d acknowledged records: all are there and the log verifies", kills, acks)
}

func child(t *testing.T, path string) {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3) // the parent is gone
	}()
	db, err := bolt.Open(bolt.Config{Path: path})
	require.NoError(t, err)
	l := open(t, db, func(c *audit.Config) { c.AnchorEvery = 5 * time.Millisecond })
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				if err := l.Append(ctx, record(i)); err != nil {
					fmt.Println("child:", err)
					os.Exit(2)
				}
				mu.Lock()
				_, _ = fmt.Printf("ack %d %d.\n", w, i)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}
