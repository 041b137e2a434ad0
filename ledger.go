package starling

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"crypto/rand"
	"crypto/sha256"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
)

const (
	storeTimeout = 10 * time.Second     // of one write of the core
	storeTries   = 4                    // of a write whose outcome is unknown
	flushAfter   = 2 * time.Millisecond // refs are recorded with the next write, or after this
	flushAgain   = time.Second          // and tried again after this, while the store fails
)

// ledger is how far a delivery is: what it said, changed and began. That of a durable delivery is kept in the store, and
// every write of it is at the revision of the one before, which is the fence: a process that lost the delivery cannot have
// an effect on it.
type ledger struct {
	mu        sync.Mutex
	turn      chan struct{} // held over a write; nil until the first
	rec       runRecord
	rev       uint64  // of the stored record; 0: there is none
	dirty     bool    // rec is ahead of the store: a write is under way or will be
	unflushed bool    // it was said that it cannot be written
	fenced    bool    // the stored record is another process's
	unsure    *unsure // a write whose outcome is not yet known; nil: there is none
	told      bool    // a handler was told so: it is run again
	late      int     // how many writes that create the record had no answer, and may still land
	left      bool    // given up to the sweeper, when the last message has ended
	pending   int     // messages on their way
	gates     []gate  // of what is posted and not yet on record
	over      bool    // the handlers have ended
	flush     *time.Timer
	completed atomic.Bool
	flying    map[string]chan struct{} // slots whose message is on its way; closed at its end
	away      bool                     // out of the store: nothing more is written
	removing  bool                     // a write that takes it out of the store had no answer; guarded by turn
}

// fly notes that the message of a slot is on its way. d.mu is held.
func (d *delivery) fly(key string) { put(&d.flying, key, make(chan struct{})) }

// flies gives what is closed when the message of a slot is no longer on its way; nil: it is not.
func (d *delivery) flies(key string) <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.flying[key]; c != nil {
		return c
	}
	return nil
}

// lost says that a message which was recorded will not be posted, and keeps it as a dead letter. d.mu is held.
func (d *delivery) lost(parts []*adapter.Message, refs []adapter.Ref, err error) {
	d.bot.log.Error("a message will not be posted", "id", handler.CorrelationID(d.id), "to", parts[0].To.String(), "error", err)
	if d.durable {
		d.bot.background.Go(func() { d.bot.unposted(parts, refs, err) })
	}
}

// badRecord is a stored record that cannot be read.
type badRecord struct {
	key string
	err error
}

func (e *badRecord) Error() string { return fmt.Sprintf("record %s: %v", e.key, e.err) }

// lostFence tells whether another process has taken the delivery.
func (d *delivery) lostFence() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fenced
}

func (d *delivery) isDone(route string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Contains(d.rec.Done, route)
}

// attempts tells how often the delivery was begun, as far as that was recorded.
func (d *delivery) attempts() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rec.Attempt
}

// hasBegun tells whether a route with OnCrashReport was begun.
func (d *delivery) hasBegun(route string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Contains(d.rec.Begun, route)
}

func (d *delivery) allDone() bool {
	for _, r := range d.routes {
		if !d.isDone(r.ID) {
			return false
		}
	}
	return true
}

// markDone records that a route has ended. It is stored with the next write of the delivery; a crash before that runs the
// route again, which is what at least once means.
func (d *delivery) markDone(route string) {
	if len(d.routes) == 1 && !d.durable {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rec.Done = append(d.rec.Done[:len(d.rec.Done):len(d.rec.Done)], route)
}

// changed gives the value that this delivery has already given a key.
func (d *delivery) changed(mark string) (json.RawMessage, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v, ok := d.rec.Changes[mark]
	return v, ok
}

func (d *delivery) started(mark string) (onceRecord, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v, ok := d.rec.Onces[mark]
	return v, ok
}

// recall tells what is known of a slot.
func (d *delivery) recall(key string) (refs []adapter.Ref, digest string, state slotState, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	slot, ok := d.rec.Slots[key]
	if !ok {
		return nil, "", "", nil
	}
	switch slot.State {
	case slotUnknown:
		err = handler.ErrUnknown
	case slotDead:
		err = fmt.Errorf("the message was refused: %s", slot.Reason)
	}
	return slot.Refs, slot.Digest, slot.State, err
}

// take waits for the right to write the record.
func (d *delivery) take(ctx context.Context) error {
	d.mu.Lock()
	if d.turn == nil {
		d.turn = make(chan struct{}, 1)
	}
	turn := d.turn
	d.mu.Unlock()
	select {
	case turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// commit changes the record, and with it another key if op is given, in one step. brain.ErrConflict: op did not apply, and
// nothing changed. handler.ErrEnded: another process has the delivery. Where brain.Certain does not hold for an error it is
// unknown what happened, and nothing else is written until it is known.
func (d *delivery) commit(ctx context.Context, op *brain.Op, change func(*runRecord)) error {
	if op == nil {
		return d.commitWith(ctx, change, nil)
	}
	return d.commitWith(ctx, change, nil, *op)
}

func (d *delivery) commitWith(ctx context.Context, change func(*runRecord), done func(revs []uint64), ops ...brain.Op) error {
	return d.commitUpTo(ctx, brain.MaxValue, change, done, ops...)
}

// roomForEnd is what a handler leaves free in the record, so that how it ended can be written and said.
const roomForEnd = 32 << 10

// commitUpTo is commitWith for a record of at most so many bytes: past it, brain.ErrTooLarge.
func (d *delivery) commitUpTo(ctx context.Context, most int, change func(*runRecord), done func(revs []uint64), ops ...brain.Op) error {
	if !d.durable && len(ops) == 0 {
		d.mu.Lock()
		defer d.mu.Unlock()
		change(&d.rec)
		return nil
	}
	if err := d.take(ctx); err != nil {
		return err
	}
	defer func() { <-d.turn }()
	d.clearHeld(ctx)
	d.mu.Lock()
	next, rev, dirty := d.rec.clone(), d.rev, d.dirty
	defer open(d.takeGates())
	switch {
	case d.fenced || d.away && rev == 0: // it has no record, and would leave one behind
		d.mu.Unlock()
		return handler.ErrEnded
	case d.unsure != nil:
		d.mu.Unlock()
		return errors.New("starling: the store is uncertain about this event; it will be run again")
	}
	d.dirty = false
	d.mu.Unlock()
	var newRev uint64
	var revs []uint64
	change(next)
	all, err := d.encode(next, rev, ops)
	if err == nil && d.durable && len(all[0].Value) > most {
		err = fmt.Errorf("starling: what this event says and changes takes over %d bytes to remember; say and change less in one handler: %w", most, brain.ErrTooLarge)
	}
	if err == nil {
		newRev, revs, err = d.submit(ctx, all, rev, false)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch { // what was posted is still to be recorded
	case err == nil || !dirty:
	case errors.Is(err, brain.ErrConflict): // of another key: the store works
		d.changedAside(flushAfter)
	default:
		d.changedAside(flushAgain)
	}
	switch {
	case err == nil:
		d.rev = newRev
		d.merge(next)
		if done != nil {
			done(revs)
		}
	case errors.Is(err, handler.ErrEnded):
		d.fenced = true
	case !brain.Certain(err):
		d.unsure = &unsure{all, next, rev}
	}
	return err
}

// merge makes next the record, keeping what was noted while it was written. d.mu is held.
func (d *delivery) merge(next *runRecord) {
	for key, slot := range d.rec.Slots {
		if slot.State != slotAttempted || len(slot.Refs) > len(next.Slots[key].Refs) {
			put(&next.Slots, key, slot)
		}
	}
	for _, route := range d.rec.Done {
		if !slices.Contains(next.Done, route) {
			next.Done = append(next.Done, route)
		}
	}
	d.rec = *next
}

// encode gives the operations that store a record at its revision, and more with it. A volatile delivery has no record and
// writes more alone.
func (d *delivery) encode(next *runRecord, rev uint64, more []brain.Op) ([]brain.Op, error) {
	var ops []brain.Op
	if d.durable {
		next.Version, next.Nonce = recordVersion, nonce()
		value, err := json.Marshal(next)
		if err != nil {
			return nil, fmt.Errorf("starling: encode the record: %w", err)
		}
		ops = append(ops, brain.Op{Key: runKey(d.id), Value: value, If: brain.At(rev)})
	}
	return append(ops, more...), nil
}

// load reads the record that an earlier process left.
func (d *delivery) load(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	key := runKey(d.id)
	entry, err := d.bot.store.Get(ctx, key)
	if errors.Is(err, brain.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	d.rev = entry.Rev
	if err := decode(entry.Value, &d.rec); err != nil {
		d.rec = runRecord{}
		return &badRecord{key, err}
	}
	return nil
}

// remove takes the delivery out of the store: its event and its record, at their revisions.
func (d *delivery) remove(ctx context.Context, more ...brain.Op) error {
	if err := d.take(ctx); err != nil {
		return err
	}
	defer func() { <-d.turn }()
	if d.clearHeld(ctx); d.uncertain() {
		return errors.New("starling: the outcome of a write is unknown")
	}
	if d.lostFence() {
		return handler.ErrEnded
	}
	d.mu.Lock()
	d.stopFlush()
	rev, late := d.rev, d.late
	defer open(d.takeGates())
	d.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	yields, err := d.yields(ctx)
	if err != nil {
		return err
	}
	record, err := d.gone(rev, late)
	if err != nil {
		return err
	}
	ops := append(append(more, yields...), brain.Op{Key: inboxKey(d.address, d.seq), Delete: true, If: brain.At(d.entryRev)})
	ops = append(ops, record...)
	var doubt error
	for try := range storeTries {
		_, err := d.bot.store.Apply(ctx, ops...)
		switch {
		case err == nil:
			d.leftStore()
			return nil
		case errors.Is(err, brain.ErrConflict):
			_, gerr := d.bot.store.Get(ctx, inboxKey(d.address, d.seq))
			if gerr != nil && !errors.Is(gerr, brain.ErrNotFound) {
				return unsaid(gerr)
			}
			d.leftStore()
			if d.removing && gerr != nil {
				return nil // an earlier one landed
			}
			return handler.ErrEnded
		case brain.Certain(err):
			return err
		}
		doubt, d.removing = err, true
		if pause(ctx, 10*time.Millisecond<<try) != nil {
			break
		}
	}
	return doubt
}

// leftStore notes that nothing of the delivery is in the store any more.
func (d *delivery) leftStore() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.away = true
}

// post gives a message to the outbox and notes what becomes of it.
func (d *delivery) post(ctx context.Context, key string, parts []*adapter.Message, refs []adapter.Ref, resumed bool) ([]adapter.Ref, error) {
	d.mu.Lock()
	d.pending++
	d.fly(key)
	d.mu.Unlock()
	return d.bot.outbox.send(ctx, d.sending(key, parts, refs, resumed))
}

func (d *delivery) sending(key string, parts []*adapter.Message, refs []adapter.Ref, resumed bool) *sending {
	s := &sending{parts: parts, refs: refs, resumed: resumed, by: d, key: key}
	if d.durable {
		s.gate = d.bot.gate(parts)
	}
	return s
}

// takeGates gives the gates that the next write opens, whatever becomes of it. d.mu is held.
func (d *delivery) takeGates() []gate {
	gates := d.gates
	d.gates = nil
	return gates
}

// keepGate leaves the gate of s to the next write. d.mu is held.
func (d *delivery) keepGate(s *sending) {
	if s.inside {
		s.inside = false
		d.gates = append(d.gates, s.gate)
	}
}

// open opens gates.
func open(gates []gate) {
	for _, g := range gates {
		g.leave()
	}
}

// posted notes that some parts are posted.
func (d *delivery) posted(s *sending) {
	if !d.durable {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	slot := d.rec.Slots[s.key]
	slot.Refs = slices.Clone(s.refs)
	d.rec.Slots[s.key] = slot
	d.keepGate(s)
	d.changedAside(flushAfter)
}

// done notes the end of a message, and completes the delivery if it was the last.
func (d *delivery) done(s *sending, err error) {
	d.mu.Lock()
	d.pending--
	if c := d.flying[s.key]; c != nil {
		delete(d.flying, s.key)
		defer close(c)
	}
	d.keepGate(s)
	if errors.Is(err, errLeft) {
		d.mu.Unlock()
		return // the store has it
	}
	slot := slotRecord{State: slotSent, Refs: s.refs, Digest: d.rec.Slots[s.key].Digest}
	switch {
	case errors.Is(err, handler.ErrUnknown):
		slot.State = slotUnknown
	case err != nil:
		slot.State, slot.Reason = slotDead, err.Error()
		if s.alone.Load() { // nobody waits for it any more, who could tell
			d.lost(s.parts, s.refs, err)
		}
	}
	slot.Turn = d.rec.Slots[s.key].Turn
	put(&d.rec.Slots, s.key, slot)
	last := d.over && d.pending == 0
	if d.left && d.pending == 0 {
		defer d.bot.mailboxes.release(d)
	}
	if d.durable && !last {
		d.changedAside(flushAfter)
	}
	d.mu.Unlock()
	if last {
		d.complete()
	}
}

// changedAside has the record stored after a while, if no other write of the delivery does. d.mu is held.
func (d *delivery) changedAside(after time.Duration) {
	d.dirty = true
	if d.flush != nil || d.bot.storing.Err() != nil {
		return
	}
	d.bot.background.Add()
	d.flush = time.AfterFunc(after, func() {
		defer d.bot.background.Done()
		d.flushRecord()
	})
}

// stopFlush ends the waiting for a write that is not needed any more. d.mu is held.
func (d *delivery) stopFlush() {
	if d.flush != nil && d.flush.Stop() {
		d.bot.background.Done()
	}
	d.flush = nil
}

func (d *delivery) flushRecord() {
	d.mu.Lock()
	d.flush = nil
	need := d.dirty && !d.fenced && !d.completed.Load()
	var gates []gate
	if !need {
		gates = d.takeGates()
	}
	d.mu.Unlock()
	if !need {
		open(gates)
		return
	}
	err := d.commit(d.bot.storing, nil, func(*runRecord) {})
	if err == nil || errors.Is(err, handler.ErrEnded) {
		return
	}
	d.mu.Lock()
	first := !d.unflushed
	d.unflushed = true
	if d.dirty {
		d.changedAside(flushAgain)
	}
	d.mu.Unlock()
	if first {
		d.bot.log.Warn("what was posted could not be recorded, trying again", "id", handler.CorrelationID(d.id), "error", err)
	}
}

// resume posts what an earlier process left attempted, of routes that had ended and of the bot itself. What a route that is
// run again says, it says itself.
func (d *delivery) resume() {
	var left []*sending
	var gone []string
	d.mu.Lock()
	for key, slot := range d.rec.Slots {
		route, _, _ := strings.Cut(key, slotSep)
		if slot.State == slotAttempted && len(slot.Parts) > 0 && (route == "" || slices.Contains(d.rec.Done, route)) {
			if name := slot.Parts[0].To.Adapter; d.bot.sources[name] == nil {
				gone = append(gone, key)
				continue
			}
			left = append(left, d.sending(key, slot.Parts, slot.Refs, true))
		}
	}
	slices.SortFunc(left, func(a, b *sending) int { return cmp.Compare(d.rec.Slots[a.key].Turn, d.rec.Slots[b.key].Turn) })
	for _, s := range left {
		d.fly(s.key)
	}
	d.pending += len(left)
	for _, key := range gone {
		slot := d.rec.Slots[key]
		d.lost(slot.Parts, slot.Refs, errors.New("the bot has no adapter "+slot.Parts[0].To.Adapter))
		slot.State, slot.Reason, slot.Parts = slotDead, "the bot has no adapter "+slot.Parts[0].To.Adapter, nil
		d.rec.Slots[key] = slot
	}
	d.mu.Unlock()
	for _, s := range left {
		d.bot.outbox.start(s)
	}
}

// nonce marks a write, so that its author knows it again.
func nonce() string {
	var b [9]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand.Read ends the program instead
	return hex.EncodeToString(b[:])
}

// partKey is the idempotency key of the i-th part of a message: the same whenever it is tried.
func partKey(delivery, slot string, i int) string {
	sum := sha256.Sum256([]byte(delivery + "\x00" + slot + "\x00" + strconv.Itoa(i)))
	return hex.EncodeToString(sum[:12])
}
