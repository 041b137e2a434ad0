package bolt

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"

	"github.com/starlingbot/starling/brain"
)

const (
	batchOps   = 512     // Applies committed together at most; also the length of the queue
	batchBytes = 8 << 20 // and about how many bytes
)

// dueFill is how full a page of the bucket of expiries is before it is split. They
// come almost in order, so that a page which was split never fills again.
const dueFill = 0.95

// The states of a request: the one who moves it away from waiting decides
// whether it happens.
const (
	waiting int32 = iota
	taken
	abandoned
)

// request is one Apply on its way to the committer.
type request struct {
	drafts []draft
	size   int
	state  atomic.Int32
	answer chan answer // has room for the one answer, so the committer never waits

	revs []uint64 // set by the committer while the transaction runs
	err  error
}

type answer struct {
	revs []uint64
	err  error
}

// Apply does all ops or none, and returns when they are on the disk. When many
// callers write at once it waits for room in the queue of 512.
//
// Errors: brain.ErrConflict, brain.ErrTooLarge, brain.ErrInvalidKey,
// brain.ErrInvalidOp, brain.ErrClosed. Any other is an unknown outcome. When ctx
// ends first its error is returned; a write that was still queued is then taken
// back, one that was being committed may land.
func (s *Store) Apply(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
	if err := brain.CheckOps(ops); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := &request{drafts: make([]draft, len(ops)), answer: make(chan answer, 1)}
	for i := range ops {
		r.drafts[i] = newDraft(&ops[i])
		r.size += len(ops[i].Key) + len(ops[i].Value)
	}
	if err := s.enqueue(ctx, r); err != nil {
		return nil, err
	}
	select {
	case a := <-r.answer:
		return a.revs, a.err
	case <-ctx.Done():
		r.state.CompareAndSwap(waiting, abandoned)
		return nil, fmt.Errorf("bolt: apply: gave up waiting: %w", ctx.Err())
	}
}

func (s *Store) enqueue(ctx context.Context, r *request) error {
	s.door.RLock()
	defer s.door.RUnlock()
	if s.closed {
		return brain.ErrClosed
	}
	select {
	case s.queue <- r:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("bolt: apply: gave up waiting for room in the queue: %w", ctx.Err())
	}
}

// commitLoop is the one goroutine that writes keys. It ends when the queue is
// closed and empty.
func (s *Store) commitLoop() {
	batch := make([]*request, 0, batchOps)
	for first := range s.queue {
		batch = s.gather(append(batch[:0], first))
		s.commit(batch)
		clear(batch)
	}
}

// gather adds what else is queued, without waiting, and claims all of it. What
// its caller has abandoned is left out.
func (s *Store) gather(batch []*request) []*request {
	size := batch[0].size
	for len(batch) < batchOps && size < batchBytes {
		select {
		case r, ok := <-s.queue:
			if !ok {
				return claim(batch)
			}
			batch = append(batch, r)
			size += r.size
			continue
		default:
		}
		break
	}
	return claim(batch)
}

func claim(batch []*request) []*request {
	kept := batch[:0]
	for _, r := range batch {
		if r.state.CompareAndSwap(waiting, taken) {
			kept = append(kept, r)
		}
	}
	return kept
}

// commit writes a batch in one transaction and answers every request.
func (s *Store) commit(batch []*request) {
	if len(batch) == 0 {
		return
	}
	err := s.write("apply", func(keys, due *bbolt.Bucket) error {
		now := time.Now().UnixNano()
		for _, r := range batch {
			if err := r.run(keys, due, now); err != nil {
				return err
			}
		}
		return nil
	})
	for _, r := range batch {
		switch {
		case err != nil:
			r.answer <- answer{err: err}
		case r.err != nil:
			r.answer <- answer{err: s.explain("apply", r.err)}
		default:
			r.answer <- answer{revs: r.revs}
		}
	}
}

// run judges the request against the transaction as it is now, earlier requests
// of the batch included, and writes it if all its conditions hold. A conflict, or a
// damaged record, is kept in r.err; only failures of the transaction are returned.
func (r *request) run(keys, due *bbolt.Bucket, now int64) error {
	r.revs, r.err = make([]uint64, len(r.drafts)), nil
	for i := range r.drafts {
		d := &r.drafts[i]
		holds, err := d.holds(keys, now)
		if err == nil && !holds {
			err = &brain.KeyError{Key: string(d.key), Err: brain.ErrConflict}
		}
		if err != nil {
			r.err = err
			return nil
		}
	}
	for i := range r.drafts {
		rev, err := r.drafts[i].write(keys, due, now)
		if err != nil {
			return err
		}
		r.revs[i] = rev
	}
	return nil
}

// write runs fn in a write transaction. A panic of bbolt and a failed sync stop
// all further writing: what is in memory may not be what is on the disk.
func (s *Store) write(what string, fn func(keys, due *bbolt.Bucket) error) (err error) {
	if p := s.broken.Load(); p != nil {
		return *p
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = stopped(s.path, damaged(s.path, r))
			s.broken.Store(&err)
		}
	}()
	err = s.update(func(tx *bbolt.Tx) error {
		due := tx.Bucket(dueName())
		due.FillPercent = dueFill
		return fn(tx.Bucket(keysName()), due)
	})
	if err != nil && is(err, syscall.EIO) {
		err = stopped(s.path, err)
		s.broken.Store(&err)
	}
	return s.explain(what, err)
}
