package bolt

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/starlingbot/starling/brain"
)

const (
	pageKeys  = 512     // keys that List reads in one transaction
	pageBytes = 1 << 20 // and about how many bytes of values
)

// Store is a brain.Store in one file. Make it with [Open] and end it with
// [Store.Close]. Its methods may be called concurrently.
type Store struct {
	path string
	db   *bbolt.DB
	file *os.File // the one that db has open

	update func(func(*bbolt.Tx) error) error // db.Update; tests make it fail
	queue  chan *request
	broken atomic.Pointer[error] // why the store takes no more writes

	door      sync.RWMutex // held for reading while a request enters the queue
	closed    bool         // guarded by door
	ended     atomic.Bool  // the file is given back
	end       chan struct{}
	workers   sync.WaitGroup
	closeOnce sync.Once
}

var (
	_ brain.Store   = (*Store)(nil)
	_ brain.Expirer = (*Store)(nil)
)

// start runs the goroutines of an opened store; Close waits for them.
func start(db *bbolt.DB, file *os.File, cfg Config) *Store {
	s := &Store{
		path:   cfg.Path,
		db:     db,
		file:   file,
		update: db.Update,
		queue:  make(chan *request, batchOps),
		end:    make(chan struct{}),
	}
	s.workers.Go(s.commitLoop)
	s.workers.Go(func() { s.sweepLoop(cfg.SweepEvery) })
	return s
}

// view runs fn in a read transaction. A panic of bbolt over a damaged page, and
// a fault in the mapped file when somebody cut it under us, become errors.
func (s *Store) view(what string, fn func(keys *bbolt.Bucket) error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = damaged(s.path, r)
		}
	}()
	if s.ended.Load() {
		return brain.ErrClosed
	}
	return s.explain(what, s.db.View(func(tx *bbolt.Tx) error { return fn(tx.Bucket(keysName())) }))
}

// Get returns the live entry of key. Errors: brain.ErrNotFound,
// brain.ErrInvalidKey, brain.ErrClosed, that of an ended context, and that of a
// damaged file.
func (s *Store) Get(ctx context.Context, key string) (brain.Entry, error) {
	r, err := s.read(ctx, key)
	if err != nil {
		return brain.Entry{}, err
	}
	return brain.Entry{Key: key, Value: r.value, Rev: r.rev}, nil
}

// Remaining returns the time until key expires, or 0 for a permanent key.
// Errors as in Get.
func (s *Store) Remaining(ctx context.Context, key string) (time.Duration, error) {
	r, err := s.read(ctx, key)
	if err != nil || r.dies == 0 {
		return 0, err
	}
	return max(time.Duration(r.dies-time.Now().UnixNano()), 1), nil
}

// read returns the live record of key with a copy of its value.
func (s *Store) read(ctx context.Context, key string) (r record, err error) {
	if err := brain.CheckKey(key); err != nil {
		return record{}, err
	}
	if err := ctx.Err(); err != nil {
		return record{}, err
	}
	found := false
	err = s.view("get", func(keys *bbolt.Bucket) error {
		r, found, err = find(keys, []byte(key))
		r.value = slices.Clone(r.value)
		return err
	})
	if err != nil {
		return record{}, err
	}
	if !found || !r.lives(time.Now().UnixNano()) {
		return record{}, &brain.KeyError{Key: key, Err: brain.ErrNotFound}
	}
	return r, nil
}

// List yields the live entries under prefix in byte order. It reads pages of at
// most 512 keys or about 1 MiB, each in a transaction of its own, and yields
// outside of it.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[brain.Entry, error] {
	return func(yield func(brain.Entry, error) bool) {
		if err := brain.CheckPrefix(prefix); err != nil {
			yield(brain.Entry{}, err)
			return
		}
		from := []byte(prefix)
		for from != nil {
			if err := ctx.Err(); err != nil {
				yield(brain.Entry{}, err)
				return
			}
			page, next, err := s.page([]byte(prefix), from)
			if err != nil {
				yield(brain.Entry{}, err)
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
			}
			from = next
		}
	}
}

// page reads live entries from the key "from" on. next is where the following
// page begins, nil at the end.
func (s *Store) page(prefix, from []byte) (page []brain.Entry, next []byte, err error) {
	err = s.view("list", func(keys *bbolt.Bucket) error {
		now, size, c := time.Now().UnixNano(), 0, keys.Cursor()
		k, v := c.Seek(from)
		last := from
		for seen := 0; k != nil && bytes.HasPrefix(k, prefix); seen++ {
			if order := bytes.Compare(last, k); order > 0 || order == 0 && seen > 0 { // else a List might never end
				return &brain.KeyError{Key: string(k), Err: errOrder}
			}
			last = k
			if seen == pageKeys || size >= pageBytes {
				next = slices.Clone(k)
				return nil
			}
			r, err := readRecord(v)
			if err != nil {
				return &brain.KeyError{Key: string(k), Err: err}
			}
			if r.lives(now) {
				page = append(page, brain.Entry{Key: string(k), Value: slices.Clone(r.value), Rev: r.rev})
				size += len(r.value)
			}
			k, v = c.Next()
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return page, next, nil
}

// Close waits for the writes that are queued, then for the goroutines and the
// read transactions, and gives the file back. A second Close returns nil.
func (s *Store) Close() error {
	var err error
	s.closeOnce.Do(func() {
		s.door.Lock()
		s.closed = true
		close(s.queue)
		s.door.Unlock()
		close(s.end)
		s.workers.Wait()
		s.ended.Store(true)
		if p := s.broken.Load(); p != nil && errors.Is(*p, errDamaged) {
			err = abandon(s.file)
			return
		}
		err = s.db.Close()
	})
	return err
}
