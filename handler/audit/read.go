package audit

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/starlingbot/starling/brain"
)

// Filter chooses records. Fields that are zero choose all.
type Filter struct {
	User  string // Person.Key of who did it, or of an approver
	Route string
	Phase Phase
	Since time.Time // not before
	Until time.Time // before
	Limit int       // at most so many; 0 is no limit
}

func (f Filter) takes(r *Record) bool {
	if f.User != "" && r.Who.Key != f.User {
		approved := false
		for _, p := range r.Approvers {
			approved = approved || p.Key == f.User
		}
		if !approved {
			return false
		}
	}
	return (f.Route == "" || r.Route == f.Route || strings.HasSuffix(r.Route, "/"+f.Route)) && (f.Phase == "" || r.Phase == f.Phase) &&
		(f.Since.IsZero() || !r.Time.Before(f.Since)) && (f.Until.IsZero() || r.Time.Before(f.Until))
}

// Records iterates over the records chain by chain, the chains in the order in which their processes began, each in its own
// order. A record that does not verify is yielded as an error with a Record that has only Writer and Seq, and the loop may
// go on; that records are missing only Verify tells. An error with a zero Record comes from the brain and is the last.
func (l *Log) Records(ctx context.Context, f Filter) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		n := 0
		for e, err := range l.cfg.Brain.Store().List(ctx, l.prefix(recordPrefix)) {
			if err != nil {
				yield(Record{}, fmt.Errorf("audit: records: %w", err))
				return
			}
			rec, err := l.decode(e)
			if err == nil && !f.takes(&rec) {
				continue
			}
			if !yield(rec, err) {
				return
			}
			if n++; n == f.Limit {
				return
			}
		}
	}
}

func (l *Log) decode(e brain.Entry) (Record, error) {
	var rec Record
	seq, _ := lastNumber(e.Key)
	writer := l.writerOf(e.Key)
	if err := l.ring.open(kindRecord, e.Value, &rec); err != nil {
		return Record{Writer: writer, Seq: seq}, fmt.Errorf("audit: record %d of %s: %w", seq, writer, err)
	}
	if rec.Writer != writer || rec.Seq != seq {
		return Record{Writer: writer, Seq: seq}, fmt.Errorf("audit: record %d of %s: it is record %d of %s: it was moved", seq, writer, rec.Seq, rec.Writer)
	}
	return rec, nil
}

// Latest iterates over the records of all chains, the newest first. It reads as few as the filter needs, one at a time.
// Errors are as in [Log.Records]; a chain goes on behind a record that is missing or does not verify, and one whose head does not
// verify is an error with a Record that has only Writer.
func (l *Log) Latest(ctx context.Context, f Filter) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		var ends byTime
		for e, err := range l.cfg.Brain.Store().List(ctx, l.prefix(headPrefix)) {
			if err != nil {
				yield(Record{}, fmt.Errorf("audit: records: %w", err))
				return
			}
			var h head
			if err := l.ring.open(kindHead, e.Value, &h); err != nil {
				if !yield(Record{Writer: strings.TrimPrefix(e.Key, l.prefix(headPrefix))}, fmt.Errorf("audit: the head of a chain, %q, does not verify: %w", e.Key, err)) {
					return
				}
				continue
			}
			if h.Seq >= h.First && (f.Since.IsZero() || !h.Time.Before(f.Since)) {
				ends = append(ends, end{writer: h.Writer, seq: h.Seq, first: h.First, time: h.Time})
			}
		}
		heap.Init(&ends)
		n := 0
		for len(ends) > 0 {
			at := &ends[0]
			rec, err := l.one(ctx, at.writer, at.seq)
			if err != nil && rec.Seq == 0 {
				yield(rec, err)
				return
			}
			if err == nil {
				at.time = rec.Time
			}
			// A later record of another chain may come first; its time was that of its head until it was read.
			if err == nil && !at.read {
				at.read = true
				heap.Fix(&ends, 0)
				if ends[0].writer != rec.Writer {
					continue
				}
				at = &ends[0]
			}
			if err == nil && !f.Since.IsZero() && rec.Time.Before(f.Since) {
				heap.Pop(&ends)
				continue
			}
			if at.seq--; at.seq < at.first {
				heap.Pop(&ends)
			} else {
				at.read = false
			}
			if err == nil && !f.takes(&rec) {
				continue
			}
			if !yield(rec, err) {
				return
			}
			if n++; n == f.Limit {
				return
			}
		}
	}
}

// one reads a record. Its error has a zero Record where it comes from the brain.
func (l *Log) one(ctx context.Context, writer string, seq uint64) (Record, error) {
	e, err := l.cfg.Brain.Store().Get(ctx, l.full(recordKey(writer, seq)))
	if errors.Is(err, brain.ErrNotFound) {
		return Record{Writer: writer, Seq: seq}, fmt.Errorf("audit: record %d of %s is missing", seq, writer)
	}
	if err != nil {
		return Record{}, fmt.Errorf("audit: records: %w", err)
	}
	return l.decode(e)
}

// end is the record of a chain that Latest looks at next. Its time is that of the record, or of a later one until it is read.
type end struct {
	writer     string
	seq, first uint64
	time       time.Time
	read       bool
}

type byTime []end

func (b byTime) Len() int { return len(b) }
func (b byTime) Less(i, j int) bool {
	return cmp.Or(b[j].time.Compare(b[i].time), cmp.Compare(b[j].writer, b[i].writer)) < 0
}
func (b byTime) Swap(i, j int) { b[i], b[j] = b[j], b[i] }
func (b *byTime) Push(x any)   { *b = append(*b, x.(end)) }
func (b *byTime) Pop() any {
	last := (*b)[len(*b)-1]
	*b = (*b)[:len(*b)-1]
	return last
}

// Export writes the records that f chooses to w in the order of [Log.Records], as they are stored: one JSON object a line, which ends
// with the id of the key and the hash,
//
//	{"writer":"...","seq":1,...,"prev":"...","key":"0a1b2c3d","hash":"..."}
//
// The hash is HMAC-SHA256 under Config.Key of "starling audit record 1", a new line, and the bytes of the line up to and with
// the key's id; prev is the hash of the record before. A record that does not verify is left out and ends in an error that
// names it, after all others are written.
func (l *Log) Export(ctx context.Context, w io.Writer, f Filter) (int, error) {
	n := 0
	var bad error
	for e, err := range l.cfg.Brain.Store().List(ctx, l.prefix(recordPrefix)) {
		if err != nil {
			return n, fmt.Errorf("audit: export: %w", err)
		}
		rec, err := l.decode(e)
		if err != nil {
			if bad == nil {
				bad = err
			}
			continue
		}
		if !f.takes(&rec) {
			continue
		}
		if _, err := w.Write(append(e.Value, '\n')); err != nil {
			return n, fmt.Errorf("audit: export: %w", err)
		}
		if n++; n == f.Limit {
			break
		}
	}
	return n, bad
}
