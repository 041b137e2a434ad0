package audit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/starlingbot/starling/brain"
)

// maxTrim bounds the records that one sweep removes from one chain; the next sweep goes on.
const maxTrim = 10_000

// sweepEvery is the time between sweeps.
func (l *Log) sweepEvery() time.Duration {
	every := time.Hour
	if r := l.cfg.Retention; r > 0 {
		every = min(every, max(r/10, time.Minute))
	}
	return every
}

// sweepLoop sweeps soon after the start and then once in a while. Processes that share a log may all do it.
func (l *Log) sweepLoop(ctx context.Context) {
	wait := time.Minute
	for {
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
		wait = l.sweepEvery()
		if err := l.sweep(ctx); err != nil && ctx.Err() == nil {
			l.log.Error("audit: the sweep for retention and for anchors of ended processes failed; it is tried again", "error", err)
		}
	}
}

// sweep anchors the chains of processes that ended without doing so, and removes what is older than Retention.
func (l *Log) sweep(ctx context.Context) error {
	var errs []error
	for e, err := range l.cfg.Brain.Store().List(ctx, l.prefix(headPrefix)) {
		if err != nil {
			return err
		}
		var h head
		if err := l.ring.open(kindHead, e.Value, &h); err != nil {
			continue // Verify tells of it
		}
		if err := l.sweepHead(ctx, h, e.Rev); err != nil {
			errs = append(errs, fmt.Errorf("chain %s: %w", h.Writer, err))
			if len(errs) == 10 {
				break
			}
		}
	}
	if l.cfg.Retention > 0 {
		errs = append(errs, l.trimAnchors(ctx))
	}
	return errors.Join(errs...)
}

// sweepHead sweeps a chain. When its writer, or another process that sweeps, changes the head meanwhile it begins anew, and
// after some tries leaves it to the next sweep.
func (l *Log) sweepHead(ctx context.Context, h head, rev uint64) error {
	for range writeTries {
		err := l.sweepChain(ctx, h, rev)
		if !errors.Is(err, brain.ErrConflict) {
			return err
		}
		var fresh head
		rev, err = l.read(ctx, headPrefix+h.Writer, kindHead, &fresh)
		if errors.Is(err, brain.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		h = fresh
	}
	return nil
}

func (l *Log) sweepChain(ctx context.Context, h head, rev uint64) error {
	now := time.Now().UTC()
	if h.Anchored < h.Seq && now.Sub(h.Time) > 2*l.cfg.AnchorEvery {
		h.Anchored = h.Seq
		fresh, err := l.rewrite(ctx, h, rev, Anchor{Event: EventHead, Seq: h.Seq, Chain: h.Last})
		if err != nil {
			return err
		}
		rev = fresh
	}
	if l.cfg.Retention == 0 {
		return nil
	}
	cutoff := now.Add(-l.cfg.Retention)
	last, left, err := l.expired(ctx, h, cutoff)
	if err != nil {
		return err
	}
	if last.Seq > 0 {
		first := h.First
		h.First, h.FirstPrev = last.Seq+1, last.Hash
		// First the signed word that the chain begins later now, then the deletion: a crash between leaves records that
		// the next sweep removes.
		if rev, err = l.rewrite(ctx, h, rev, Anchor{Event: EventRetain, Seq: last.Seq, Chain: last.Hash}); err != nil {
			return err
		}
		for seq := first; seq <= last.Seq; seq++ {
			left = append(left, l.full(recordKey(h.Writer, seq)))
		}
	}
	if err := l.remove(ctx, left); err != nil {
		return err
	}
	if l.isOwn(h.Writer) || h.First <= h.Seq || h.Time.After(cutoff) || len(left) >= maxTrim { // then more may be left
		return nil
	}
	_, err = l.rewrite(ctx, h, rev, Anchor{Event: EventRetire, Seq: h.Seq, Chain: h.Last})
	return err
}

func (l *Log) isOwn(writer string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.own.head.Writer == writer
}

// expired gives the last record of the beginning of a chain that is older than cutoff, and the keys of records before
// the chain's beginning, which an earlier sweep left.
func (l *Log) expired(ctx context.Context, h head, cutoff time.Time) (last Record, left []string, err error) {
	next := h.First
	for e, err := range l.cfg.Brain.Store().List(ctx, l.prefix(recordPrefix+h.Writer+"/")) {
		if err != nil {
			return Record{}, nil, err
		}
		seq, ok := lastNumber(e.Key)
		if ok && seq < h.First && len(left) < maxTrim {
			left = append(left, e.Key)
			continue
		}
		var rec Record
		// What is missing or does not verify stays as it is, for Verify.
		if !ok || seq != next || l.ring.open(kindRecord, e.Value, &rec) != nil || rec.Seq != seq || rec.Writer != h.Writer ||
			!rec.Time.Before(cutoff) || seq-h.First >= maxTrim {
			break
		}
		last, next = rec, next+1
	}
	return last, left, nil
}

// rewrite stores h at rev, or for EventRetire deletes it, in one step with an anchor about its chain.
func (l *Log) rewrite(ctx context.Context, h head, rev uint64, a Anchor) (uint64, error) {
	a.Time, a.Writer, a.By = time.Now().UTC(), h.Writer, l.by()
	op := brain.Op{Key: l.full(headPrefix + h.Writer), If: brain.At(rev), Delete: a.Event == EventRetire}
	h.Hash = ""
	line, _, err := l.ring.sign(kindHead, &h)
	if err != nil {
		return 0, err
	}
	op.Value = line
	for range writeTries {
		var at anchors
		if err := l.readList(ctx, &at); err != nil {
			return 0, err
		}
		made, ops, _, err := l.makeAnchor(&at, a)
		if err != nil {
			return 0, err
		}
		revs, err := l.cfg.Brain.Store().Apply(ctx, append(ops, op)...)
		switch {
		case err == nil:
			l.feed(*made)
			return revs[2], nil
		case !errors.Is(err, brain.ErrConflict):
			return 0, err
		}
		e, err := l.cfg.Brain.Store().Get(ctx, op.Key)
		if err != nil || e.Rev != rev {
			return 0, &brain.KeyError{Key: op.Key, Err: brain.ErrConflict} // its writer has gone on; the next sweep looks again
		}
	}
	return 0, errTooMuch
}

func (l *Log) by() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w := l.own.head.Writer; w != "" {
		return w
	}
	return "sweeper"
}

// trimAnchors removes the oldest anchors. The last one stays.
func (l *Log) trimAnchors(ctx context.Context) error {
	var at anchors
	if err := l.readList(ctx, &at); err != nil {
		return err
	}
	cutoff := time.Now().Add(-l.cfg.Retention)
	var last Anchor
	var left []string
	next := at.list.First
	for e, err := range l.cfg.Brain.Store().List(ctx, l.prefix(anchorPrefix)) {
		if err != nil {
			return err
		}
		n, ok := lastNumber(e.Key)
		if ok && n < at.list.First && len(left) < maxTrim {
			left = append(left, e.Key)
			continue
		}
		var a Anchor
		if !ok || n != next || n >= at.list.N || l.ring.open(kindAnchor, e.Value, &a) != nil || a.N != n || !a.Time.Before(cutoff) || n-at.list.First >= maxTrim {
			break
		}
		last, next = a, next+1
	}
	if last.N > 0 {
		first := at.list.First
		at.list.First, at.list.FirstPrev, at.list.Hash = last.N+1, last.Hash, ""
		line, _, err := l.ring.sign(kindList, &at.list)
		if err != nil {
			return err
		}
		_, err = l.cfg.Brain.Store().Apply(ctx, brain.Op{Key: l.full(listKey), Value: line, If: brain.At(at.rev)})
		if errors.Is(err, brain.ErrConflict) {
			return nil // an anchor was added; the next sweep looks again
		}
		if err != nil {
			return err
		}
		for n := first; n <= last.N; n++ {
			left = append(left, l.full(anchorKey(n)))
		}
	}
	return l.remove(ctx, left)
}

// remove deletes keys. To do it twice does no harm.
func (l *Log) remove(ctx context.Context, keys []string) error {
	for len(keys) > 0 {
		n := min(len(keys), brain.MaxOps)
		ops := make([]brain.Op, n)
		for i, k := range keys[:n] {
			ops[i] = brain.Op{Key: k, If: brain.Any, Delete: true}
		}
		if _, err := l.cfg.Brain.Store().Apply(ctx, ops...); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

// writerOf gives the chain that a store key of a record belongs to.
func (l *Log) writerOf(key string) string {
	rest := strings.TrimPrefix(key, l.prefix(recordPrefix))
	w, _, _ := strings.Cut(rest, "/")
	return w
}
