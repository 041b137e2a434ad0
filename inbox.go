package starling

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
)

// sweepEvery is how often the store is searched for what nobody holds.
const sweepEvery = 1500 * time.Millisecond

// record is d as the inbox keeps it.
func (d *delivery) record() *inboxRecord {
	rec := &inboxRecord{Version: recordVersion, Delivery: d.id, By: d.bot.id, Accepted: time.Now().UTC(), Event: d.ev, Grant: d.grant}
	for _, r := range d.routes {
		rec.Routes = append(rec.Routes, r.ID)
	}
	return rec
}

// keep writes an accepted event and the mark that it was seen. nil: it is safe, in this delivery or in an earlier one
// (duplicate).
func (b *Bot) keep(d *delivery) (duplicate bool, err error) { return b.keepAs(d, seenKey(d.ev)) }

// keepAs is keep with another mark; empty: none.
func (b *Bot) keepAs(d *delivery, mark string) (duplicate bool, err error) {
	value, err := json.Marshal(d.record())
	if err != nil {
		return false, fmt.Errorf("%w: it cannot be stored: %w", adapter.ErrRejected, err)
	}
	if len(value) > brain.MaxValue-roomForDead {
		return false, fmt.Errorf("%w: %w: its record has %d bytes", adapter.ErrRejected, brain.ErrTooLarge, len(value))
	}
	ops := []brain.Op{
		{Key: inboxKey(d.address, d.seq), Value: value},
	}
	if mark != "" {
		ops = append(ops, brain.Op{Key: mark, TTL: seenFor}, brain.Op{Key: runKey(d.id), Delete: true}) // Absent: it is not under way
	}
	ctx, cancel := context.WithTimeout(b.storing, storeTimeout)
	defer cancel()
	var doubt error
	for try := range storeTries {
		revs, err := b.store.Apply(ctx, ops...)
		switch {
		case err == nil:
			d.entryRev = revs[0]
			return false, nil
		case errors.Is(err, brain.ErrConflict):
			entry, gerr := b.store.Get(ctx, ops[0].Key)
			if gerr == nil { // an earlier try landed
				d.entryRev = entry.Rev
				return false, nil
			}
			if errors.Is(gerr, brain.ErrNotFound) {
				return true, nil
			}
			return false, unsaid(gerr)
		case doubt != nil: // whatever is said of this try, an earlier one may have landed
		case errors.Is(err, brain.ErrTooLarge):
			return false, fmt.Errorf("%w: %w", adapter.ErrRejected, err)
		case brain.Certain(err):
			return false, err
		}
		doubt = orElse(doubt, err)
		if pause(ctx, 10*time.Millisecond<<try) != nil {
			break
		}
	}
	return false, doubt
}

// unknown tells whether err leaves open what was written.
func unknown(err error) bool {
	return err != nil && !brain.Certain(err) && !errors.Is(err, adapter.ErrRejected)
}

// resolve finds out whether d is stored, whose write had an unknown outcome. It keeps its place until then: the platform may
// deliver it again, be told that we have it, and go on with what comes after it. A refusal says nothing of the write before.
func (b *Bot) resolve(d *delivery) {
	for pause(b.storing, refetch) == nil {
		if duplicate, err := b.keepCalmly(d); err == nil {
			b.mailboxes.settle(d, !duplicate)
			return
		}
	}
}

// revive makes a delivery of a stored event. A record that cannot be read is put aside and gives nil.
func (b *Bot) revive(ctx context.Context, entry brain.Entry) (*delivery, error) {
	var rec inboxRecord
	err := decode(entry.Value, &rec)
	seq, serr := strconv.ParseUint(entry.Key[strings.LastIndexByte(entry.Key, '/')+1:], 16, 64)
	switch {
	case err != nil:
	case serr != nil:
		err = fmt.Errorf("its key does not end in a sequence: %w", serr)
	case rec.Event == nil || rec.Delivery == "":
		err = errors.New("the record has no event")
	case inboxKey(rec.Event.Address(), seq) != entry.Key: // it could never be taken out
		err = errors.New("the record is not that of its key: its event is of another conversation")
	}
	if err != nil {
		return nil, b.aside(ctx, entry, err.Error())
	}
	d := &delivery{bot: b, ev: rec.Event, address: rec.Event.Address(), id: rec.Delivery, seq: seq, durable: true, recovered: rec.By != b.id, entryRev: entry.Rev, grant: rec.Grant}
	if !d.recovered { // one of ours, that only waited in the store or was given up when the store failed
		switch _, err := b.store.Get(ctx, runKey(d.id)); {
		case err == nil:
			d.recovered = true
		case !errors.Is(err, brain.ErrNotFound):
			return nil, err
		}
	}
	d.text, _ = b.table.Text(d.ev)
	for _, id := range rec.Routes {
		if r := b.table.Route(id); r != nil {
			d.routes = append(d.routes, r)
		}
	}
	if len(d.routes) == 0 {
		reason := fmt.Sprintf("none of its routes exists any more: %s", strings.Join(rec.Routes, ", "))
		switch _, err := b.store.Get(ctx, runKey(rec.Delivery)); {
		case err == nil:
			reason += "; it had begun, and its outcome is unknown"
		case !errors.Is(err, brain.ErrNotFound):
			return nil, err
		}
		return nil, b.aside(ctx, entry, reason)
	}
	return d, nil
}

// aside moves a stored event that cannot be run to the dead letters.
func (b *Bot) aside(ctx context.Context, entry brain.Entry, reason string) error {
	b.log.Error("a stored event is put aside as a dead letter", "key", entry.Key, "reason", reason)
	_, err := b.store.Apply(ctx, deadEntry(entry, reason), brain.Op{Key: entry.Key, Delete: true, If: brain.At(entry.Rev)})
	switch {
	case err == nil:
		b.stats.dead.Add(1)
	case errors.Is(err, brain.ErrConflict):
		return nil
	}
	return err
}

// refill reads the next stored events of a conversation.
func (b *Bot) refill(box *mailbox) ([]*delivery, error) {
	ctx, cancel := context.WithTimeout(b.storing, storeTimeout)
	defer cancel()
	var out []*delivery
	after := inboxKey(box.address, box.last)
	for entry, err := range b.store.List(ctx, conversationPrefix(box.address)) {
		if err != nil {
			return nil, err
		}
		if entry.Key <= after {
			continue
		}
		d, err := b.revive(ctx, entry)
		if err != nil {
			return nil, err
		}
		if d == nil {
			continue
		}
		out = append(out, d)
		if len(out) == window {
			break
		}
	}
	return out, nil
}

// recover hands all stored events to their conversations: those that were left at the last stop or crash.
func (b *Bot) recover(ctx context.Context) error {
	last := ""
	for entry, err := range b.store.List(ctx, inboxPrefix) {
		if err != nil {
			return fmt.Errorf("starling: read the inbox: %w", err)
		}
		cut := strings.LastIndexByte(entry.Key, '/') + 1
		prefix := entry.Key[:cut]
		if seq, err := strconv.ParseUint(entry.Key[cut:], 16, 64); err == nil {
			b.mailboxes.atLeast(seq) // the clock may have gone back
		}
		if prefix == last {
			continue
		}
		d, err := b.revive(ctx, entry)
		if err != nil {
			return fmt.Errorf("starling: read the inbox: %w", err)
		}
		if d != nil {
			last = prefix
			b.mailboxes.spill(d.address)
		}
	}
	return nil
}

// sweep searches the store for events that nobody holds: whose write had an unknown outcome, or whose run was given up
// because the store failed. What is found twice in a row is taken over. What is held is looked up before the store is
// listed, so an event that is done meanwhile is not in the list, and is not taken for an orphan.
func (b *Bot) sweep(ctx context.Context) {
	suspects := map[string]bool{}
	for pause(ctx, sweepEvery*3/4+rand.N(sweepEvery/2)) == nil {
		found := map[string]bool{}
		works := b.sweepSends(ctx, suspects, found)
		holds := b.mailboxes.holds()
		for entry, err := range b.store.List(ctx, inboxPrefix) {
			if err != nil {
				if ctx.Err() == nil {
					b.storeFailed(err)
				}
				works = false
				break
			}
			if holds(entry.Key) {
				continue
			}
			if !suspects[entry.Key] {
				if len(found) < maxSuspects {
					found[entry.Key] = true
				}
				continue
			}
			if d, err := b.revive(ctx, entry); err == nil && d != nil {
				d.recovered = true
				b.mailboxes.adopt(d)
			}
		}
		if works && b.storeState.Load() != nil { // what failed may have been writing alone
			if _, err := b.store.Apply(ctx, brain.Op{Key: probeKey, If: brain.Any, TTL: time.Minute}); err == nil {
				b.storeWorks()
			}
		}
		suspects = found
	}
}

// sweepSends takes over messages of Bot.Send that nobody posts: whose write had an unknown outcome.
func (b *Bot) sweepSends(ctx context.Context, suspects, found map[string]bool) (works bool) {
	posting := b.posting.all()
	var all []*sending
	for entry, err := range b.store.List(ctx, outPrefix) {
		if err != nil {
			if ctx.Err() == nil {
				b.storeFailed(err)
			}
			return false
		}
		if posting[entry.Key] {
			continue
		}
		if !suspects[entry.Key] {
			var rec outRecord
			if err := decode(entry.Value, &rec); (err != nil || rec.State == slotAttempted) && len(found) < maxSuspects {
				found[entry.Key] = true
			}
			continue
		}
		if s, err := b.unsent(ctx, entry); err == nil && s != nil {
			all = append(all, s)
		}
	}
	b.startOwn(all)
	return true
}

// dues does what is due, apart from the sweeper: a platform that is out holds it up.
func (b *Bot) dues(ctx context.Context) {
	for pause(ctx, sweepEvery*3/4+rand.N(sweepEvery/2)) == nil {
		b.dueNow(ctx)
	}
}

// maxSuspects bounds what one sweep takes over; the next one takes the rest.
const maxSuspects = 1024

// DeadLetter is an event that could not be handled: its record could not be read, its routes are gone, or it was begun too
// often. It is kept until it is replayed or removed.
type DeadLetter struct {
	ID     string // for Replay
	Time   time.Time
	Reason string
	Event  *adapter.Event // nil where the record could not be read
	Said   string         // what Event says, for people to read: secret arguments are masked
	Key    string         // where the record was
	Value  []byte         // the record as it was
}

type deadRecord struct {
	Version int       `json:"v"`
	Time    time.Time `json:"time"`
	Reason  string    `json:"reason"`
	Key     string    `json:"key"`
	Value   []byte    `json:"value,omitempty"`
	// Record is the value where it is JSON: it takes no more room than it did.
	Record json.RawMessage `json:"record,omitempty"`
}

// roomForDead is how much smaller than the largest value an accepted event is, so that it fits into a dead letter.
const roomForDead = 8 << 10

func (r *deadRecord) value() []byte {
	if len(r.Record) > 0 {
		return r.Record
	}
	return r.Value
}

func deadEntry(entry brain.Entry, reason string) brain.Op {
	rec := deadRecord{Version: recordVersion, Time: time.Now().UTC(), Reason: reason, Key: entry.Key, Value: entry.Value}
	if json.Valid(entry.Value) {
		rec.Record, rec.Value = entry.Value, nil
	}
	value, err := json.Marshal(rec)
	if err != nil || len(value) > brain.MaxValue {
		value, _ = json.Marshal(deadRecord{Version: recordVersion, Time: time.Now().UTC(), Reason: reason + " (the record is too large to be kept)", Key: entry.Key})
	}
	return brain.Op{Key: deadPrefix + fmt.Sprintf("%016x", time.Now().UnixMicro()) + "-" + nonce(), Value: value}
}

// deadOp is the dead letter of a delivery.
func (d *delivery) deadOp(reason string) brain.Op {
	value, err := json.Marshal(d.record())
	if err != nil {
		reason += ": " + err.Error()
	}
	return deadEntry(brain.Entry{Key: inboxKey(d.address, d.seq), Value: value}, reason)
}

// DeadLetters gives the events that could not be handled, oldest first. An error ends it.
func (b *Bot) DeadLetters(ctx context.Context) ([]DeadLetter, error) {
	var out []DeadLetter
	for entry, err := range b.store.List(ctx, deadPrefix) {
		if err != nil {
			return out, fmt.Errorf("starling: read the dead letters: %w", err)
		}
		var rec deadRecord
		letter := DeadLetter{ID: strings.TrimPrefix(entry.Key, deadPrefix), Key: entry.Key, Value: entry.Value, Reason: "the dead letter cannot be read"}
		if decode(entry.Value, &rec) == nil {
			letter.Time, letter.Reason, letter.Key, letter.Value = rec.Time, rec.Reason, rec.Key, rec.value()
			var in inboxRecord
			if decode(rec.value(), &in) == nil && in.Event != nil {
				letter.Event, letter.Said = in.Event, b.table.Said(in.Event, in.Grant)
				if slices.Contains(in.Routes, "answer") { // of a question, which may have been for a secret
					letter.Said = "[an answer]"
				}
			}
		}
		out = append(out, letter)
	}
	return out, nil
}

// Replay puts a dead letter into the inbox again, as a new delivery: its handlers run as if it had not been begun before.
// brain.ErrNotFound where there is no such letter.
func (b *Bot) Replay(ctx context.Context, id string) error {
	key := deadPrefix + id
	entry, err := b.store.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("starling: replay %q: %w", id, err)
	}
	var rec deadRecord
	var in inboxRecord
	if err := decode(entry.Value, &rec); err != nil {
		return fmt.Errorf("starling: replay %q: %w", id, err)
	}
	if strings.HasPrefix(rec.Key, outPrefix) { // a message that was not posted
		var out outRecord
		if decode(rec.value(), &out) == nil && out.State == slotAttempted && len(out.Parts) > 0 {
			_, err := b.store.Apply(ctx, brain.Op{Key: key, Delete: true, If: brain.At(entry.Rev)}, brain.Op{Key: outKey(nonce()), Value: rec.value()})
			if err != nil {
				return fmt.Errorf("starling: replay %q: %w", id, err)
			}
			return nil // the sweeper takes it
		}
	}
	if strings.HasPrefix(rec.Key, duePrefix) { // a message that was due
		var due dueRecord
		if decode(rec.value(), &due) == nil && due.Message != nil {
			_, err := b.store.Apply(ctx, brain.Op{Key: key, Delete: true, If: brain.At(entry.Rev)},
				brain.Op{Key: dueKey(time.Now(), due.ID), Value: rec.value(), If: brain.Any})
			if err != nil {
				return fmt.Errorf("starling: replay %q: %w", id, err)
			}
			return nil // the next look at what is due takes it
		}
	}
	if err := decode(rec.value(), &in); err != nil || in.Event == nil {
		return fmt.Errorf("starling: replay %q: the event itself cannot be read: %w", id, orElse(err, errors.New("it has none")))
	}
	in.Delivery += "#" + nonce()
	if in.Grant != nil {
		in.Grant.Agreed = nil // nobody agreed to a second time
	}
	value, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("starling: replay %q: %w", id, err)
	}
	at := in.Event.Address()
	_, err = b.store.Apply(ctx, brain.Op{Key: key, Delete: true, If: brain.At(entry.Rev)}, brain.Op{Key: inboxKey(at, b.mailboxes.next()), Value: value})
	if err != nil {
		return fmt.Errorf("starling: replay %q: %w", id, err)
	}
	return nil // the sweeper takes it
}

// RemoveDeadLetter forgets a dead letter. brain.ErrNotFound where there is none.
func (b *Bot) RemoveDeadLetter(ctx context.Context, id string) error {
	entry, err := b.store.Get(ctx, deadPrefix+id)
	if err == nil {
		_, err = b.store.Apply(ctx, brain.Op{Key: entry.Key, Delete: true, If: brain.At(entry.Rev)})
	}
	if err != nil {
		return fmt.Errorf("starling: remove dead letter %q: %w", id, err)
	}
	return nil
}

// dropLate takes the routes out that are not to run for an event that arrives late; tell: its sender is to be told.
func (b *Bot) dropLate(ev *adapter.Event, sel *handler.Selection) (tell bool) {
	if ev.Time.IsZero() || time.Since(ev.Time) <= b.cfg.MaxAge {
		return false
	}
	var run []*handler.Route
	for _, r := range sel.Routes {
		if r.RunLate {
			run = append(run, r)
		}
	}
	tell = sel.Addressed && len(run) < len(sel.Routes)
	sel.Routes = run
	return tell
}
