package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"github.com/starlingbot/starling/brain"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newStore(t *testing.T) *Store {
	t.Helper()
	s, err := Open(small(filepath.Join(t.TempDir(), "b.db")))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// held makes the committer wait inside of its first transaction until release
// is called; entered is closed when it is there. batches counts transactions.
type held struct {
	entered, gate chan struct{}
	mu            sync.Mutex
	batches       int
}

func hold(s *Store) *held {
	h := &held{entered: make(chan struct{}), gate: make(chan struct{})}
	update := s.update
	var once sync.Once
	s.update = func(fn func(*bbolt.Tx) error) error {
		once.Do(func() { close(h.entered) })
		<-h.gate
		h.mu.Lock()
		h.batches++
		h.mu.Unlock()
		return update(fn)
	}
	return h
}

func (h *held) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.batches
}

// What queues up behind a commit is committed together, in order, and a
// conflict inside of the batch concerns only its own Apply.
func TestGroupCommit(t *testing.T) {
	s, ctx := newStore(t), context.Background()
	h := hold(s)
	const writers = 64
	errs := make([]error, writers)
	var wg sync.WaitGroup
	wg.Go(func() { _, err := s.Apply(ctx, put("first", "1")); require.NoError(t, err) })
	<-h.entered
	for i := range writers {
		wg.Go(func() {
			if i%4 == 0 { // all create the same key: one succeeds
				_, errs[i] = s.Apply(ctx, brain.Op{Key: "same", Value: []byte("x")}, put(fmt.Sprintf("with/%d", i), "x"))
				return
			}
			_, errs[i] = s.Apply(ctx, put(fmt.Sprintf("k/%d", i), "x"))
		})
	}
	require.Eventually(t, func() bool { return len(s.queue) == writers }, 5*time.Second, time.Millisecond)
	close(h.gate)
	wg.Wait()
	require.Equal(t, 2, h.count(), "one transaction for the first, one for all the others")
	won := 0
	for i, err := range errs {
		if i%4 != 0 {
			require.NoError(t, err)
			continue
		}
		if err == nil {
			won++
			continue
		}
		require.ErrorIs(t, err, brain.ErrConflict)
		_, err := s.Get(ctx, fmt.Sprintf("with/%d", i))
		require.ErrorIs(t, err, brain.ErrNotFound)
	}
	require.Equal(t, 1, won)
}

// A batch takes at most 512 Applies and about 8 MiB.
func TestGroupCommitBounds(t *testing.T) {
	s, ctx := newStore(t), context.Background()
	h := hold(s)
	var wg sync.WaitGroup
	write := func(i, size int) {
		wg.Go(func() {
			_, err := s.Apply(ctx, put(fmt.Sprintf("k/%d", i), strings.Repeat("v", size)))
			require.NoError(t, err)
		})
	}
	write(-1, 1)
	<-h.entered
	for i := range 40 { // 20 MiB
		write(i, 512<<10)
	}
	require.Eventually(t, func() bool { return len(s.queue) == 40 }, 5*time.Second, time.Millisecond)
	close(h.gate)
	wg.Wait()
	require.GreaterOrEqual(t, h.count(), 4)
	require.LessOrEqual(t, h.count(), 1+5)
}

// A context that ends while the write is queued: the waiter returns its error,
// which is not certain, and the write is taken back. One that is in the
// committer's hands lands.
func TestApplyCancelled(t *testing.T) {
	s := newStore(t)
	h := hold(s)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { _, err := s.Apply(ctx, put("committing", "1")); done <- err }()
	<-h.entered
	go func() { _, err := s.Apply(ctx, put("queued", "1")); done <- err }()
	require.Eventually(t, func() bool { return len(s.queue) == 1 }, 5*time.Second, time.Millisecond)
	cancel()
	for range 2 {
		err := <-done
		require.ErrorIs(t, err, context.Canceled)
		require.False(t, brain.Certain(err))
	}
	close(h.gate)
	_, err := s.Apply(context.Background(), put("fence", "1"))
	require.NoError(t, err)
	_, err = s.Get(context.Background(), "committing")
	require.NoError(t, err)
	_, err = s.Get(context.Background(), "queued")
	require.ErrorIs(t, err, brain.ErrNotFound)
}

// The queue is bounded: who finds it full waits, and a context ends the wait.
func TestApplyQueueFull(t *testing.T) {
	s := newStore(t)
	h := hold(s)
	var wg sync.WaitGroup
	write := func(i int) {
		wg.Go(func() {
			_, err := s.Apply(context.Background(), put(fmt.Sprintf("k/%d", i), "1"))
			require.NoError(t, err)
		})
	}
	write(-1)
	<-h.entered
	for i := range batchOps {
		write(i)
	}
	require.Eventually(t, func() bool { return len(s.queue) == batchOps }, 5*time.Second, time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err := s.Apply(ctx, put("late", "1"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "room in the queue")
	close(h.gate)
	wg.Wait()
}

// Close commits what is queued before it returns.
func TestCloseDrains(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.db")
	s, err := Open(small(path))
	require.NoError(t, err)
	h := hold(s)
	errs := make(chan error, 20)
	write := func(i int) {
		_, err := s.Apply(context.Background(), put(fmt.Sprintf("k/%02d", i), "1"))
		errs <- err
	}
	go write(0)
	<-h.entered
	for i := 1; i < 20; i++ {
		go write(i)
	}
	require.Eventually(t, func() bool { return len(s.queue) == 19 }, 5*time.Second, time.Millisecond)
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel() // before Close has shut the door, the write would wait
		_, err := s.Apply(ctx, put("late", "1"))
		return errors.Is(err, brain.ErrClosed)
	}, 5*time.Second, time.Millisecond)
	close(h.gate)
	for range 20 {
		require.NoError(t, <-errs)
	}
	require.NoError(t, <-closed)
	s, err = Open(small(path))
	require.NoError(t, err)
	n := 0
	for _, err := range s.List(context.Background(), "k/") {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 20, n)
	require.NoError(t, s.Close())
}

// R4: errors of the disk say what to do, are not certain, and pass when the
// cause does; after a failed sync nothing is written until the file is reopened.
func TestWriteErrors(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		cause error
		words string
		stays bool
	}{
		{cause: &os.PathError{Op: "write", Path: "b.db", Err: syscall.ENOSPC}, words: "free space"},
		{cause: errors.New("file resize error: truncate b.db: " + syscall.EFBIG.Error()), words: "free space"},
		{cause: &os.PathError{Op: "write", Path: "b.db", Err: syscall.EDQUOT}, words: "raise the quota"},
		{cause: &os.PathError{Op: "write", Path: "b.db", Err: syscall.EROFS}, words: "cannot be written"},
		{cause: syscall.EIO, words: "open it again", stays: true},
		{cause: errors.New("something else"), words: "something else"},
	} {
		t.Run(c.words, func(t *testing.T) {
			s := newStore(t)
			_, err := s.Apply(ctx, put("k", "old"))
			require.NoError(t, err)
			update := s.update
			fail := func(f func(func(*bbolt.Tx) error) error) { s.update = f }
			fail(func(func(*bbolt.Tx) error) error { return c.cause })
			_, err = s.Apply(ctx, put("k", "new"))
			require.ErrorContains(t, err, c.words)
			require.ErrorContains(t, err, s.path)
			require.ErrorIs(t, err, c.cause)
			require.False(t, brain.Certain(err))
			fail(update)
			_, err = s.Apply(ctx, put("k", "new"))
			if c.stays {
				require.ErrorIs(t, err, errStopped)
				e, err := s.Get(ctx, "k")
				require.NoError(t, err, "reads go on")
				require.Equal(t, "old", string(e.Value))
			} else {
				require.NoError(t, err)
			}
		})
	}
}

// The sweeper removes expired keys, and their index, from the file and no
// others.
func TestSweep(t *testing.T) {
	ctx := context.Background()
	s, err := Open(Config{Path: filepath.Join(t.TempDir(), "b.db"), SweepEvery: 20 * time.Millisecond})
	require.NoError(t, err)
	defer s.Close()
	const n = 2*sweepKeys + 32
	for i := 0; i < n; i += brain.MaxOps {
		ops := make([]brain.Op, brain.MaxOps)
		for j := range ops {
			ops[j] = put(fmt.Sprintf("short/%04d", i+j), "v")
			ops[j].TTL = time.Second
		}
		_, err := s.Apply(ctx, ops...)
		require.NoError(t, err)
	}
	long, kept, saved := put("long", "v"), put("kept", "v"), put("saved", "v")
	long.TTL, saved.TTL = time.Hour, time.Second
	_, err = s.Apply(ctx, long, kept, saved)
	require.NoError(t, err)
	saved.TTL = 0
	_, err = s.Apply(ctx, saved)
	require.NoError(t, err)
	count := func(bucket []byte) (n int) {
		require.NoError(t, s.db.View(func(tx *bbolt.Tx) error {
			return tx.Bucket(bucket).ForEach(func(_, _ []byte) error { n++; return nil })
		}))
		return n
	}
	require.Equal(t, n+3, count(keysName()))
	require.Equal(t, n+1, count(dueName()), "one record for each key with a TTL")
	require.Eventually(t, func() bool { return count(keysName()) == 3 && count(dueName()) == 1 }, 5*time.Second, 20*time.Millisecond)
}

// A slow consumer of List holds no transaction: Close, which waits for open
// ones, returns meanwhile, and the list ends with ErrClosed at its next page.
func TestListHoldsNoTransaction(t *testing.T) {
	s, ctx := newStore(t), context.Background()
	for i := 0; i < 2*pageKeys; i += brain.MaxOps {
		ops := make([]brain.Op, brain.MaxOps)
		for j := range ops {
			ops[j] = put(fmt.Sprintf("k/%04d", i+j), "v")
		}
		_, err := s.Apply(ctx, ops...)
		require.NoError(t, err)
	}
	n, last := 0, error(nil)
	for _, err := range s.List(ctx, "k/") {
		if n == 0 {
			closed := make(chan error, 1)
			go func() { closed <- s.Close() }()
			select {
			case err := <-closed:
				require.NoError(t, err)
			case <-time.After(10 * time.Second):
				require.Fail(t, "Close waits for the consumer of a List")
			}
		}
		if last = err; err == nil {
			n++
		}
	}
	require.Equal(t, pageKeys, n)
	require.ErrorIs(t, last, brain.ErrClosed)
}
