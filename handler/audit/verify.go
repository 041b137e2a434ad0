package audit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/starlingbot/starling/brain"
)

// maxFindings bounds Report.Findings; more are counted.
const maxFindings = 1000

// progressEvery is how many records lie between two calls of Check.Progress.
const progressEvery = 1000

// Check says how to verify.
type Check struct {
	// Known is an anchor that was noted outside of the brain, "N:HASH" as Anchor.String and the slog sink give it. Only
	// with one can it be found that the whole log was put back to an older state that was once true, or deleted.
	Known string
	// Progress, where it is not nil, is called now and then with the report so far, and at the end.
	Progress func(Report)
}

// Report is what Verify has found.
type Report struct {
	Records  int // that were read
	Chains   int // writers
	Anchors  int
	Findings []Finding // the first 1,000
	More     int       // findings beyond those
	Last     Anchor    // the newest anchor: note it outside of the brain
}

// OK tells whether nothing was found.
func (r Report) OK() bool { return len(r.Findings) == 0 }

// Finding is one thing that is not as it was written.
type Finding struct {
	Key     string // in the log's namespace: "record/<writer>/<number>", "head/<writer>", "anchor/<number>" or "anchors"
	Problem string
}

// String is the finding in one line.
func (f Finding) String() string { return f.Key + ": " + f.Problem }

// chain is what Verify knows of a writer before it reads its records.
type chain struct {
	head     head
	has      bool // a head that verifies
	bad      bool // a head that does not
	anchored uint64
	hash     string // of the record that the newest anchor names
	by       uint64 // the number of that anchor
	retired  bool
	seen     bool // its records, or the lack of them, were checked
}

type verifier struct {
	l      *Log
	check  Check
	r      Report
	list   list
	chains map[string]*chain
	anchor uint64    // the newest that a record mentions
	source string    // that record
	oldest time.Time // of the anchors that are kept
}

// Verify reads all of the log and checks every hash, every chain, every head and every anchor. It may run while records
// are written and removed by retention. The error is one of the brain or of ctx, with the report so far; what is wrong with
// the log is in Report.Findings. Memory grows with the number of writers (some 500 bytes each), not with that of records.
func (l *Log) Verify(ctx context.Context, check Check) (Report, error) {
	v := &verifier{l: l, check: check, chains: map[string]*chain{}}
	l.mu.Lock()
	known := l.own
	l.mu.Unlock()
	for _, step := range []func(context.Context) error{v.readAnchors, v.readHeads, v.readRecords} {
		if err := step(ctx); err != nil {
			return v.r, fmt.Errorf("audit: verify: %w", err)
		}
	}
	if err := v.judge(ctx, known); err != nil {
		return v.r, fmt.Errorf("audit: verify: %w", err)
	}
	if check.Progress != nil {
		check.Progress(v.r)
	}
	return v.r, nil
}

func (v *verifier) find(key, format string, args ...any) {
	f := Finding{key, fmt.Sprintf(format, args...)}
	if slices.Contains(v.r.Findings, f) {
		return // what is read twice is told once
	}
	if len(v.r.Findings) == maxFindings {
		v.r.More++
		return
	}
	v.r.Findings = append(v.r.Findings, f)
}

// bare takes the namespace off a store key.
func (v *verifier) bare(key string) string { return strings.TrimPrefix(key, v.l.prefix("")) }

func (v *verifier) chain(writer string) *chain {
	c := v.chains[writer]
	if c == nil {
		c = &chain{}
		v.chains[writer] = c
	}
	return c
}

// stored reads a line: gone where there is none, and a finding where it does not verify.
func (v *verifier) stored(ctx context.Context, key, kind string, to any) (ok, gone bool, err error) {
	e, err := v.l.cfg.Brain.Store().Get(ctx, v.l.full(key))
	if errors.Is(err, brain.ErrNotFound) {
		return false, true, nil
	}
	if err != nil {
		return false, false, err
	}
	if err := v.l.ring.open(kind, e.Value, to); err != nil {
		v.find(key, "%v", err)
		return false, false, nil
	}
	return true, false, nil
}

// readAnchors checks the list of anchors, and notes what it says of each chain.
func (v *verifier) readAnchors(ctx context.Context) error {
	known, hash, err := v.known()
	if err != nil {
		return err
	}
	ok, gone, err := v.stored(ctx, listKey, kindList, &v.list)
	if err != nil {
		return err
	}
	next, prev, from := v.list.First, v.list.FirstPrev, uint64(0)
	end := v.list.N // what must be there; more may come
	if !ok {
		next = 0 // it is not known where the list begins
	}
	// Anchors are appended and the oldest removed meanwhile: where the list is not as its state said, the state is read again.
	refresh := func() error {
		if !ok {
			return nil
		}
		var now list
		if again, _, err := v.stored(ctx, listKey, kindList, &now); err != nil || !again {
			return err
		}
		v.list = now
		return nil
	}
	for e, err := range v.l.cfg.Brain.Store().List(ctx, v.l.prefix(anchorPrefix)) {
		if err != nil {
			return err
		}
		key := v.bare(e.Key)
		n, valid := lastNumber(e.Key)
		if !valid || key != anchorKey(n) {
			v.find(key, "this key is none of the log's")
			continue
		}
		if n < v.list.First {
			continue // on its way out
		}
		if next > 0 && n > next {
			if err := refresh(); err != nil {
				return err
			}
			if v.list.First > next {
				next, prev = v.list.First, v.list.FirstPrev
			}
			if n > next {
				v.find(anchorKey(next), "%s", missing("anchor", next, n-1))
				prev = ""
			}
		}
		from = max(from, n)
		v.r.Anchors++
		var a Anchor
		err = v.l.ring.open(kindAnchor, e.Value, &a)
		switch {
		case err != nil:
			v.find(key, "%v", err)
		case a.N != n:
			v.find(key, "it is anchor %d: it was moved", a.N)
		case next == n && prev != "" && a.Prev != prev || n == 1 && a.Prev != "":
			v.find(key, "it does not follow the anchor before it: one of the two was exchanged")
		}
		next, prev = n+1, ""
		if err != nil || a.N != n {
			continue
		}
		prev = a.Hash
		v.r.Last = a
		if v.oldest.IsZero() {
			v.oldest = a.Time
		}
		if n == known && a.Hash != hash {
			v.find(key, "it is not the anchor that is known: the log was rewritten")
		}
		c := v.chain(a.Writer)
		switch a.Event {
		case EventRetire:
			c.retired = true
		case EventRetain: // about the beginning
		default:
			if a.Seq >= c.anchored {
				c.anchored, c.hash, c.by = a.Seq, a.Chain, n
			}
		}
	}
	if !ok && gone && from > 0 { // the log may have begun meanwhile
		if ok, gone, err = v.stored(ctx, listKey, kindList, &v.list); err != nil {
			return err
		}
	} else if from > v.list.N {
		if err := refresh(); err != nil {
			return err
		}
	}
	switch {
	case !ok && gone && from > 0:
		v.find(listKey, "it is missing, and there are anchors")
	case ok && from > v.list.N:
		v.find(anchorKey(v.list.N+1), "it is not in the list of anchors, which ends at %d", v.list.N)
	case ok && max(from+1, v.list.First) <= end:
		v.find(anchorKey(from+1), "%s", missing("anchor", max(from+1, v.list.First), end))
	case ok && from == v.list.N && v.r.Last.N == from && v.r.Last.Hash != v.list.Last:
		v.find(listKey, "its last anchor is another one")
	}
	switch {
	case known > max(from, v.list.N):
		v.find(anchorKey(known), "it is known and not there: the log was put back to an older state, or deleted")
	case known > 0 && known < v.list.First:
		v.find(anchorKey(known), "retention has removed it, so it cannot be compared; give a newer one")
	}
	return nil
}

// known reads Check.Known.
func (v *verifier) known() (n uint64, hash string, err error) {
	if v.check.Known == "" {
		return 0, "", nil
	}
	s, hash, ok := strings.Cut(strings.TrimSpace(v.check.Known), ":")
	n, err = strconv.ParseUint(s, 10, 64)
	if !ok || err != nil || n == 0 || len(hash) != hashDigits {
		return 0, "", errors.New("the known anchor is not of the form NUMBER:HASH")
	}
	return n, hash, nil
}

func missing(what string, from, to uint64) string {
	if from == to {
		return fmt.Sprintf("%s %d is missing", what, from)
	}
	return fmt.Sprintf("%ss %d to %d are missing", what, from, to)
}

// readHeads notes the heads of all chains.
func (v *verifier) readHeads(ctx context.Context) error {
	for e, err := range v.l.cfg.Brain.Store().List(ctx, v.l.prefix(headPrefix)) {
		if err != nil {
			return err
		}
		key := v.bare(e.Key)
		c := v.chain(strings.TrimPrefix(key, headPrefix))
		var h head
		if err := v.l.ring.open(kindHead, e.Value, &h); err != nil {
			v.find(key, "%v", err)
			c.bad = true
			continue
		}
		if headPrefix+h.Writer != key {
			v.find(key, "it is the head of %q: it was moved", h.Writer)
			c.bad = true
			continue
		}
		c.head, c.has = h, true
	}
	return nil
}

// readRecords checks the records of all chains, which come chain by chain.
func (v *verifier) readRecords(ctx context.Context) error {
	var run *run
	for e, err := range v.l.cfg.Brain.Store().List(ctx, v.l.prefix(recordPrefix)) {
		if err != nil {
			return err
		}
		writer := v.l.writerOf(e.Key)
		if run == nil || run.writer != writer {
			if run != nil {
				if err := run.end(ctx); err != nil {
					return err
				}
			}
			if run, err = v.begin(ctx, writer); err != nil {
				return err
			}
		}
		if err := run.record(ctx, e); err != nil {
			return err
		}
		if v.r.Records%progressEvery == 0 && v.check.Progress != nil {
			v.check.Progress(v.r)
		}
	}
	if run != nil {
		return run.end(ctx)
	}
	return nil
}

// run is the check of one chain's records, from the first that is kept to the last that there was when the heads were read.
type run struct {
	v      *verifier
	writer string
	c      *chain
	stop   uint64 // the last record to check, and its hash
	hash   string
	next   uint64 // the record that must come, 0 while that is not known
	prev   string // the hash of the one before
	trust  bool   // prev is known
	last   uint64 // the last record that was checked
	beyond uint64 // the last one behind stop, written meanwhile
	fresh  bool   // the chain began meanwhile
}

func (v *verifier) begin(ctx context.Context, writer string) (*run, error) {
	r := &run{v: v, writer: writer, c: v.chain(writer)}
	r.c.seen = true
	switch {
	case r.c.has:
		r.stop, r.hash = r.c.head.Seq, r.c.head.Last
		r.next, r.prev, r.trust = r.c.head.First, r.c.head.FirstPrev, true
	case !r.c.bad && r.c.by == 0: // no anchor names it, so it is new, or its head is missing
		if err := r.refresh(ctx); err != nil {
			return nil, err
		}
		r.fresh = r.c.has
	}
	return r, nil
}

// refresh reads the head again: others write and remove meanwhile.
func (r *run) refresh(ctx context.Context) error {
	if r.c.bad {
		return nil
	}
	var h head
	ok, gone, err := r.v.stored(ctx, headPrefix+r.writer, kindHead, &h)
	if err != nil {
		return err
	}
	r.c.has = ok && h.Writer == r.writer
	r.c.bad = !r.c.has && !gone
	if r.c.has {
		r.c.head = h
	}
	return nil
}

func (r *run) record(ctx context.Context, e brain.Entry) error {
	v := r.v
	key := v.bare(e.Key)
	seq, valid := lastNumber(e.Key)
	if !valid || key != recordKey(r.writer, seq) {
		v.find(key, "this key is none of the log's")
		return nil
	}
	if r.fresh || r.stop > 0 && seq > r.stop {
		r.beyond = seq
		return nil
	}
	if r.c.has && seq < r.c.head.First {
		return nil // on its way out
	}
	if r.next > 0 && seq > r.next {
		if err := r.refresh(ctx); err != nil { // has retention removed them meanwhile?
			return err
		}
		if r.c.has && r.c.head.First > r.next {
			r.next, r.prev, r.trust = r.c.head.First, r.c.head.FirstPrev, true
		}
		if seq < r.next {
			return nil
		}
		if seq > r.next {
			v.find(recordKey(r.writer, r.next), "%s", missing("record", r.next, seq-1))
			r.trust = false
		}
	}
	v.r.Records++
	r.last = seq
	var rec Record
	err := v.l.ring.open(kindRecord, e.Value, &rec)
	switch {
	case err != nil:
		v.find(key, "%v", err)
	case rec.Writer != r.writer || rec.Seq != seq:
		v.find(key, "it is record %d of %q: it was moved", rec.Seq, rec.Writer)
	case r.trust && rec.Prev != r.prev || seq == 1 && rec.Prev != "":
		v.find(key, "it does not follow the record before it: one of the two was exchanged")
	case r.c.anchored == seq && rec.Hash != r.c.hash:
		v.find(key, "it is not the record that was anchored: the chain was exchanged")
	}
	r.next, r.prev, r.trust = seq+1, rec.Hash, err == nil && rec.Seq == seq
	if r.trust && rec.Anchor > v.anchor {
		v.anchor, v.source = rec.Anchor, key
	}
	return nil
}

// end checks the end of the chain against its head.
func (r *run) end(ctx context.Context) error {
	v, had := r.v, r.c.has
	if r.c.bad {
		return nil // it is a finding already
	}
	if r.last == r.stop && r.trust && r.prev != r.hash && r.stop > 0 {
		v.find(headPrefix+r.writer, "its last record is another one")
	}
	if had && r.last == r.stop && r.beyond == 0 {
		return nil
	}
	if err := r.refresh(ctx); err != nil {
		return err
	}
	switch {
	case r.c.bad:
	case !r.c.has:
		retired, err := v.retired(ctx, r.writer)
		if err != nil || retired {
			return err
		}
		v.find(headPrefix+r.writer, "the head of the chain is missing")
	case r.beyond > r.c.head.Seq:
		v.find(recordKey(r.writer, r.c.head.Seq+1), "it is behind the head of the chain, which ends at %d", r.c.head.Seq)
	}
	if from := max(r.last+1, r.c.head.First); r.c.has && had && !r.fresh && from <= r.stop {
		v.find(recordKey(r.writer, from), "%s: the chain was cut", missing("record", from, r.stop))
	}
	return nil
}

// retired tells whether retention removed the chain: an anchor says so, also one made since the list was read, or retention has
// removed meanwhile all anchors that named the chain, which it does only when the chain is as old.
func (v *verifier) retired(ctx context.Context, writer string) (bool, error) {
	c := v.chain(writer)
	if c.retired {
		return true, nil
	}
	var now list
	ok, _, err := v.stored(ctx, listKey, kindList, &now)
	if err != nil || !ok {
		return false, err
	}
	named := c.by
	if named == 0 { // by none that was read
		named = v.r.Last.N + 1
	}
	if named < now.First {
		return true, nil
	}
	for n := max(v.r.Last.N+1, now.First); n <= now.N; n++ {
		var a Anchor
		ok, _, err := v.stored(ctx, anchorKey(n), kindAnchor, &a)
		if err != nil {
			return false, err
		}
		if ok && a.Event == EventRetire && a.Writer == writer && a.N == n {
			return true, nil
		}
	}
	return false, nil
}

// judge checks what can be checked only at the end.
func (v *verifier) judge(ctx context.Context, known own) error {
	for _, writer := range slices.Sorted(maps.Keys(v.chains)) {
		c := v.chains[writer]
		if !c.seen && c.has { // a chain without any record
			r, err := v.begin(ctx, writer)
			if err == nil {
				err = r.end(ctx)
			}
			if err != nil {
				return err
			}
		}
		if c.has || c.bad {
			v.r.Chains++
		}
		switch {
		case c.bad || c.retired:
		case !c.has && !c.seen:
			retired, err := v.retired(ctx, writer)
			if err != nil {
				return err
			}
			if !retired {
				v.find(headPrefix+writer, "the chain is missing; an anchor names its record %d", c.anchored)
			}
		case c.has && c.head.Seq < c.anchored:
			v.find(headPrefix+writer, "the chain ends at %d, an anchor names its record %d: it was cut", c.head.Seq, c.anchored)
		case c.has && c.head.Seq == c.anchored && c.head.Last != c.hash:
			v.find(headPrefix+writer, "its last record is not the one that was anchored")
		}
	}
	var now list
	ok, _, err := v.stored(ctx, listKey, kindList, &now)
	if err != nil {
		return err
	}
	if n := max(v.anchor, known.n); n > 0 && (!ok || now.N < n) {
		by := v.source
		if n > v.anchor {
			by = "this process"
		}
		v.find(listKey, "%s knows of anchor %d, the list ends at %d: anchors were cut, or the log was put back to an older state", by, n, now.N)
	}
	if w := known.head.Writer; w != "" {
		c := v.chain(w)
		if !c.has && !c.bad {
			retired, err := v.retired(ctx, w)
			if err != nil {
				return err
			}
			// Retention may have removed the chain, and later the anchor that says so.
			expired := v.list.First > 1 && known.head.Time.Before(v.oldest)
			if !retired && !expired && !c.seen && c.anchored == 0 {
				v.find(headPrefix+w, "the chain of this process is missing")
			}
		}
		if c.has && (c.head.Seq < known.head.Seq || c.head.Seq == known.head.Seq && c.head.Last != known.head.Last) {
			v.find(headPrefix+w, "this process has written record %d, the chain ends at %d: the log was put back to an older state", known.head.Seq, c.head.Seq)
		}
	}
	return nil
}
