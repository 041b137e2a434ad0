package sealed

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/starlingbot/starling/brain"
)

const (
	pageBytes    = brain.MaxApply / 2 // of sealed values in one Apply of Rotate, so that there is room for a change of overhead
	rewriteTries = 8                  // for a value that others write meanwhile
	maxFailures  = 10                 // that Rotate tells of; more are counted
)

// Rotation says what Rotate does and how far it is.
type Rotation struct {
	// Prefix restricts it to the keys under it; "" is all.
	Prefix string
	// After leaves out all keys up to this one: the Progress.Last of a Rotate that was interrupted. "" begins at the first.
	// To leave it empty is never wrong, only slower: what is done already is passed over.
	After string
	// Core includes the keys of the core, under "_/": events, leases and what runs. To rewrite them changes their revisions,
	// which a running bot takes for the loss of its work, so set it only while no bot is running on the store. Without it
	// they are passed over; those that live shortly go to the new key by themselves.
	Core bool
	// Progress, where it is not nil, is called after every page of at most 16 values. An error ends Rotate with it.
	Progress func(Progress) error
}

// Progress counts what Rotate has done.
type Progress struct {
	Last      string // up to this key all is done
	Seen      int    // keys looked at
	Rewritten int    // values that are now under the first key and were not
	Core      int    // values of the core that were passed over and are not under the first key
	Failed    int    // values that could not be rewritten; the error of Rotate names the first ten
}

// Rotate rewrites every value that is to be sealed and is not sealed with the first key: those under older keys, and with
// Config.AllowPlain the plain ones. The TTL stays, rounded up to a second; the revision changes. It may run beside others
// that read and write, but for the keys of the core (see Rotation.Core), and may be interrupted at any point and called
// again. Memory is bounded by a page of 16 values.
//
// A value that does not open does not stop it: it goes on and returns an error for those at the end, which wraps
// ErrNoKey, ErrDamaged or ErrPlain. Errors of the store end it at once, with the Progress so far. The store must tell the
// time that keys have left (brain.Expirer; all engines of this module do).
func (s *Store) Rotate(ctx context.Context, r Rotation) (Progress, error) {
	var p Progress
	ages, ok := brain.As[brain.Expirer](s.inner)
	if !ok {
		return p, errors.New("sealed: rotate: the store does not tell how long keys live (brain.Expirer), so rewriting would make all permanent; export and import instead")
	}
	w := &rotator{s: s, ages: ages}
	last := "" // the key that was looked at last
	flush := func() error {
		n, err := w.flush(ctx)
		p.Rewritten += n
		p.Failed = w.failed
		if err == nil {
			p.Last = last
		}
		if err == nil && r.Progress != nil {
			err = r.Progress(p)
		}
		return err
	}
	for e, err := range s.inner.List(ctx, r.Prefix) {
		if err != nil {
			return p, fmt.Errorf("sealed: rotate: list: %w", err)
		}
		if e.Key <= r.After && r.After != "" {
			continue
		}
		if len(w.page) == brain.MaxOps || w.bytes+len(e.Value) > pageBytes {
			if err := flush(); err != nil {
				return p, err
			}
		}
		p.Seen++
		last = e.Key
		switch {
		case !s.stale(e):
		case strings.HasPrefix(e.Key, "_/") && !r.Core:
			p.Core++
		default:
			w.page, w.bytes = append(w.page, e), w.bytes+len(e.Value)
		}
	}
	if err := flush(); err != nil {
		return p, err
	}
	if w.failed > 0 {
		return p, fmt.Errorf("sealed: rotate: %d values could not be rewritten: %w", w.failed, errors.Join(w.failures...))
	}
	return p, nil
}

// stale tells whether a write of today would seal e otherwise.
func (s *Store) stale(e brain.Entry) bool {
	id, _, sealed := split(e.Value)
	if !sealed {
		return s.Seals(e.Key)
	}
	return id != s.keys.list[0].id
}

// rotator collects a page and rewrites it.
type rotator struct {
	s        *Store
	ages     brain.Expirer
	page     []brain.Entry
	bytes    int
	failed   int
	failures []error
}

// flush rewrites the page in one Apply, and where somebody else was quicker one by one. It returns how many it rewrote.
func (w *rotator) flush(ctx context.Context) (int, error) {
	page := w.page
	w.page, w.bytes = w.page[:0], 0
	ops := make([]brain.Op, 0, len(page))
	for _, e := range page {
		op, ok, err := w.rewrite(ctx, e)
		if err != nil {
			return 0, err
		}
		if ok {
			ops = append(ops, op)
		}
	}
	if len(ops) == 0 {
		return 0, nil
	}
	_, err := w.s.inner.Apply(ctx, ops...)
	switch {
	case err == nil:
		return len(ops), nil
	case !errors.Is(err, brain.ErrConflict):
		return 0, fmt.Errorf("sealed: rotate: up to %q: %w", ops[len(ops)-1].Key, err)
	}
	n := 0
	for _, op := range ops {
		ok, err := w.one(ctx, op.Key)
		if err != nil {
			return n, err
		}
		if ok {
			n++
		}
	}
	return n, nil
}

// one rewrites one value that others may be writing.
func (w *rotator) one(ctx context.Context, key string) (bool, error) {
	for range rewriteTries {
		e, err := w.s.inner.Get(ctx, key)
		if errors.Is(err, brain.ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("sealed: rotate: %w", err)
		}
		if !w.s.stale(e) {
			return false, nil
		}
		op, ok, err := w.rewrite(ctx, e)
		if err != nil || !ok {
			return false, err
		}
		_, err = w.s.inner.Apply(ctx, op)
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, brain.ErrConflict) {
			return false, fmt.Errorf("sealed: rotate: %w", err)
		}
	}
	w.fail(refuse(key, brain.ErrConflict, "somebody writes it all the time under an older key; restart all replicas with the new key first"))
	return false, nil
}

// rewrite makes the op that seals e with the first key. It is false for a value that is gone or does not open; of the
// latter it keeps the error.
func (w *rotator) rewrite(ctx context.Context, e brain.Entry) (brain.Op, bool, error) {
	open, err := w.s.open(e)
	if err != nil {
		w.fail(err)
		return brain.Op{}, false, nil
	}
	if len(open.Value) > brain.MaxValue-w.s.keys.Overhead() {
		w.fail(refuse(e.Key, brain.ErrTooLarge, fmt.Sprintf("the value has %d bytes and does not fit when it is sealed", len(open.Value))))
		return brain.Op{}, false, nil
	}
	left, err := w.ages.Remaining(ctx, e.Key)
	if errors.Is(err, brain.ErrNotFound) {
		return brain.Op{}, false, nil
	}
	if err != nil {
		return brain.Op{}, false, fmt.Errorf("sealed: rotate: %w", err)
	}
	// The revision that was read is the condition, so a TTL that somebody else has changed meanwhile conflicts.
	return brain.Op{Key: e.Key, Value: w.s.keys.Seal(e.Key, open.Value), If: brain.At(e.Rev), TTL: left}, true, nil
}

func (w *rotator) fail(err error) {
	w.failed++
	if len(w.failures) < maxFailures {
		w.failures = append(w.failures, err)
	}
}

// Count tells how many values are under each key by its id, and under "" how many plain values there are that would be
// sealed. It reads all of the store and opens nothing. A key whose id is not in it may be taken away.
func (s *Store) Count(ctx context.Context) (map[string]int, error) {
	count := map[string]int{}
	for e, err := range s.inner.List(ctx, "") {
		if err != nil {
			return nil, fmt.Errorf("sealed: count: %w", err)
		}
		id, _, sealed := split(e.Value)
		switch {
		case !sealed && !s.Seals(e.Key):
			continue
		case sealed && id == "":
			id = "?"
		}
		if _, ok := count[id]; !ok && len(count) > 2*maxKeys {
			id = "?"
		}
		count[id]++
	}
	return count, nil
}
