package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/starlingbot/starling/brain"
)

// writer writes one chain. A batch of records, the head of the chain and at the beginning an anchor are one Apply, all
// conditional, so it happens at most once however often it is submitted.
type writer struct {
	l    *Log
	head head
	rev  uint64 // of the stored head; 0 before the first batch
	list anchors
	// stuck is a batch whose outcome is unknown. Nothing else is written before it is known.
	stuck *batch
	last  error // of the last anchor
}

// anchors is the list of anchors as this process last saw it.
type anchors struct {
	list list
	rev  uint64 // 0: never read, or not there
	read bool
}

// batch is one Apply of the writer and what is true when it has happened.
type batch struct {
	ops     []brain.Op
	head    head
	list    list
	records []Record
	anchor  *Anchor
	listAt  int  // the index of the list in ops; -1 for none. The head is the first
	doubt   bool // an attempt had an unknown outcome
}

var errTooMuch = errors.New("others change the list of anchors all the time")

// reset begins a new chain.
func (w *writer) reset() {
	w.head, w.rev, w.stuck = head{Writer: newWriter(), First: 1}, 0, nil
}

// append writes the records of a batch of requests and answers each.
func (w *writer) append(reqs []*request) {
	good := reqs[:0:0]
	size := 0
	flush := func() {
		if len(good) == 0 {
			return
		}
		err := w.write(good)
		for _, r := range good {
			r.done <- err
		}
		good, size = good[:0], 0
	}
	for _, r := range reqs {
		line, err := json.Marshal(&r.rec)
		n := len(line) + 1<<10 // what the log adds, and the key
		if err == nil && n > maxRecord {
			err = fmt.Errorf("audit: append: the record has %d bytes, the limit is %d; shorten its command and arguments", n, maxRecord)
		}
		if err != nil {
			r.done <- err
			continue
		}
		if size+n > batchBytes {
			flush()
		}
		good, size = append(good, r), size+n
	}
	flush()
}

// write brings one batch into the brain.
func (w *writer) write(reqs []*request) error {
	now := time.Now().UTC()
	return w.commit(func() (*batch, error) {
		b := &batch{head: w.head, listAt: -1}
		b.ops = append(b.ops, brain.Op{})
		begins := w.rev == 0
		known := w.list.list.N
		if begins {
			known++ // the anchor that comes with this batch
		}
		for _, r := range reqs {
			rec := r.rec
			rec.Writer, rec.Seq, rec.Time = b.head.Writer, b.head.Seq+1, now
			rec.Anchor, rec.Prev, rec.Hash = known, b.head.Last, ""
			line, hash, err := w.l.ring.sign(kindRecord, &rec)
			if err != nil {
				return nil, err
			}
			rec.Hash = hash
			b.head.Seq, b.head.Last, b.head.Time = rec.Seq, hash, now
			b.records = append(b.records, rec)
			b.ops = append(b.ops, brain.Op{Key: w.l.full(recordKey(rec.Writer, rec.Seq)), Value: line})
		}
		if begins {
			if err := w.addAnchor(b, EventBegin, now); err != nil {
				return nil, err
			}
		}
		return b, w.addHead(b)
	})
}

// anchor anchors the chain if it has grown, or closes it.
func (w *writer) anchor(event Event) error {
	if w.stuck == nil && (w.rev == 0 || event == EventHead && w.head.Anchored == w.head.Seq) {
		return nil
	}
	return w.commit(func() (*batch, error) {
		if w.rev == 0 || event == EventHead && w.head.Anchored == w.head.Seq {
			return nil, nil // a stuck batch turned out otherwise
		}
		b := &batch{head: w.head, listAt: -1, ops: make([]brain.Op, 1)}
		b.head.Closed = event == EventClose
		if err := w.addAnchor(b, event, time.Now().UTC()); err != nil {
			return nil, err
		}
		return b, w.addHead(b)
	})
}

func (w *writer) close() error {
	if err := w.anchor(EventClose); err != nil {
		return fmt.Errorf("audit: close: the last records are written, the last anchor is not: %w", err)
	}
	return nil
}

// addAnchor adds an anchor of b.head and the new list to b.
func (w *writer) addAnchor(b *batch, event Event, now time.Time) error {
	a, ops, list, err := w.l.makeAnchor(&w.list, Anchor{Event: event, Time: now, Writer: b.head.Writer, Seq: b.head.Seq, Chain: b.head.Last, By: b.head.Writer})
	if err != nil {
		return err
	}
	b.head.Anchored = b.head.Seq
	b.anchor, b.list, b.listAt = a, list, len(b.ops)+1
	b.ops = append(b.ops, ops...)
	return nil
}

// addHead puts the head first.
func (w *writer) addHead(b *batch) error {
	b.head.Hash = ""
	line, _, err := w.l.ring.sign(kindHead, &b.head)
	if err != nil {
		return err
	}
	b.ops[0] = brain.Op{Key: w.l.full(headPrefix + b.head.Writer), Value: line, If: brain.Cond(w.rev)} // 0 is Absent
	return nil
}

// commit writes what build makes of the state as it is, after a batch that is stuck. It builds anew when somebody else has
// changed the head (retention) or the list of anchors (another process) in between.
func (w *writer) commit(build func() (*batch, error)) error {
	if err := w.unstick(); err != nil {
		return err
	}
	for range writeTries {
		if err := w.readList(); err != nil {
			return err
		}
		b, err := build()
		if err != nil || b == nil {
			return err
		}
		w.stuck = b
		ok, err := w.submit()
		if err != nil || ok {
			return err
		}
	}
	return fmt.Errorf("audit: write: %w; too many processes share one audit log", errTooMuch)
}

func (w *writer) unstick() error {
	if w.stuck == nil {
		return nil
	}
	_, err := w.submit()
	return err
}

// submit applies the stuck batch until its outcome is known. ok: it has happened. Without ok and error it has not, will not,
// and the state is read anew. With an error that is not certain it stays stuck.
func (w *writer) submit() (ok bool, err error) {
	b := w.stuck
	for range 3 {
		ctx, cancel := context.WithTimeout(context.Background(), w.l.cfg.Timeout)
		var revs []uint64
		revs, err = w.l.cfg.Brain.Store().Apply(ctx, b.ops...)
		cancel()
		switch {
		case err == nil:
			w.landed(b, revs[0])
			if b.listAt >= 0 {
				w.list = anchors{list: b.list, rev: revs[b.listAt], read: true}
			}
			return true, nil
		case errors.Is(err, brain.ErrConflict):
			return w.reconcile()
		case brain.Certain(err) && !b.doubt:
			w.stuck = nil
			return false, fmt.Errorf("audit: write: %w", err)
		case brain.Certain(err):
			return false, fmt.Errorf("audit: write: the outcome is unknown: %w", err)
		}
		b.doubt = true
	}
	return false, fmt.Errorf("audit: write: the outcome is unknown: %w", err)
}

// landed takes over what a batch has made true.
func (w *writer) landed(b *batch, rev uint64) {
	w.stuck, w.head, w.rev = nil, b.head, rev
	w.l.know(b.head, b.list.N)
	for _, r := range b.records {
		w.l.feed(r)
	}
	if b.anchor != nil {
		w.l.feed(*b.anchor)
	}
}

// reconcile finds out why the stuck batch conflicted.
func (w *writer) reconcile() (ok bool, err error) {
	b := w.stuck
	w.list.read = false
	ctx, cancel := context.WithTimeout(context.Background(), w.l.cfg.Timeout)
	defer cancel()
	var h head
	rev, err := w.l.read(ctx, headPrefix+b.head.Writer, kindHead, &h)
	switch {
	case errors.Is(err, brain.ErrNotFound):
		if w.rev != 0 { // retention took the whole chain, or somebody deleted it: Verify can tell them apart
			w.l.log.Warn("audit: the chain of this process is gone; a new one begins", "writer", w.head.Writer)
			w.reset()
		}
		w.stuck = nil // what it needed is not there any more, or, before the first batch, another process made the anchor
		return false, nil
	case err != nil:
		return false, err
	case h.Seq == b.head.Seq && h.Last == b.head.Last && h.Anchored >= b.head.Anchored && (h.Closed || !b.head.Closed):
		w.landed(b, rev) // the attempt whose answer was lost
		w.head.First, w.head.FirstPrev, w.head.Anchored = h.First, h.FirstPrev, h.Anchored
		return true, nil
	case h.Seq == w.head.Seq && h.Last == w.head.Last:
		// Retention or an anchor of another process rewrote it: what is stuck needs the old revision and can land no more.
		w.stuck, w.rev = nil, rev
		w.head.First, w.head.FirstPrev, w.head.Anchored = h.First, h.FirstPrev, h.Anchored
		return false, nil
	}
	// The stored chain is not ours: the brain was put back, or somebody rewrote it. It stays as it is, for Verify.
	w.l.log.Error("audit: the stored head of this process's chain is not what it wrote; the brain was put back or changed. A new chain begins; see audit verify",
		"writer", w.head.Writer, "stored", h.Seq, "written", w.head.Seq)
	w.reset()
	return false, nil
}

// readList reads the list of anchors where it is not known.
func (w *writer) readList() error {
	if w.list.read {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), w.l.cfg.Timeout)
	defer cancel()
	return w.l.readList(ctx, &w.list)
}

func (l *Log) readList(ctx context.Context, a *anchors) error {
	fresh := list{First: 1}
	rev, err := l.read(ctx, listKey, kindList, &fresh)
	if err != nil && !errors.Is(err, brain.ErrNotFound) {
		return err
	}
	*a = anchors{list: fresh, rev: rev, read: true}
	return nil
}

// makeAnchor makes the next anchor of the list and the two ops that add it.
func (l *Log) makeAnchor(at *anchors, a Anchor) (*Anchor, []brain.Op, list, error) {
	next := at.list
	a.N, a.Prev, a.Hash = next.N+1, next.Last, ""
	line, hash, err := l.ring.sign(kindAnchor, &a)
	if err != nil {
		return nil, nil, list{}, err
	}
	a.Hash = hash
	next.N, next.Last, next.Hash = a.N, hash, ""
	state, _, err := l.ring.sign(kindList, &next)
	if err != nil {
		return nil, nil, list{}, err
	}
	return &a, []brain.Op{
		{Key: l.full(anchorKey(a.N)), Value: line},
		{Key: l.full(listKey), Value: state, If: brain.Cond(at.rev)},
	}, next, nil
}

// know remembers what is stored, so that Verify finds it missing.
func (l *Log) know(h head, n uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.own.head, l.own.n = h, max(l.own.n, n)
}

// feed gives a record or an anchor to the sinks.
func (l *Log) feed(item any) {
	for _, f := range l.feeds {
		f.offer(item)
	}
}
