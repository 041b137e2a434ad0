package starling

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
)

// unsure is a write that is submitted again until its outcome is known.
type unsure struct {
	ops  []brain.Op
	next *runRecord
	rev  uint64
}

// uncertain tells whether the outcome of a write is not yet known.
func (d *delivery) uncertain() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.unsure != nil
}

// lateFor is how long a write without an answer may still be on its way to the store.
const lateFor = time.Hour

// mayLand notes that n more writes that create the record may still land: their condition holds again when it is deleted.
func (d *delivery) mayLand(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.late += n
}

// gone gives the operations that take the record out of the store. One whose first write may still land leaves an empty one
// for a while, which that write meets: it would bring back a record that nobody ends, and what was done together with it.
func (d *delivery) gone(rev uint64, late int) ([]brain.Op, error) {
	switch {
	case late > 0:
		value, err := json.Marshal(runRecord{Version: recordVersion, Nonce: nonce()})
		return []brain.Op{{Key: runKey(d.id), Value: value, If: brain.At(rev), TTL: lateFor}}, err
	case rev == 0:
		return nil, nil
	}
	return []brain.Op{{Key: runKey(d.id), Delete: true, If: brain.At(rev)}}, nil
}

// wasTold tells, once, whether a handler was told that the outcome of a write is unknown.
func (d *delivery) wasTold() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	told := d.told
	d.told = false
	return told
}

// clear finds out what became of a write of unknown outcome, however long it takes, or until ctx ends.
func (d *delivery) clear(ctx context.Context) error {
	for d.uncertain() {
		if err := d.take(ctx); err != nil {
			return err
		}
		d.clearHeld(ctx)
		<-d.turn
		if d.uncertain() {
			if err := pause(ctx, refetch); err != nil {
				return err
			}
		}
	}
	return nil
}

// clearHeld submits a write of unknown outcome again: its nonce tells whether it landed. The turn is held.
func (d *delivery) clearHeld(ctx context.Context) {
	d.mu.Lock()
	u := d.unsure
	d.mu.Unlock()
	if u == nil {
		return
	}
	rev, _, err := d.submit(ctx, u.ops, u.rev, true)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case err == nil:
		d.rev = rev
		d.merge(u.next)
	case errors.Is(err, handler.ErrEnded):
		d.fenced = true
	case !brain.Certain(err):
		return
	}
	d.unsure = nil
}

// submit writes what encode gave; it gives the new revision of the record and those of the rest. again: it may have landed before.
func (d *delivery) submit(ctx context.Context, ops []brain.Op, rev uint64, again bool) (uint64, []uint64, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	first := 0
	if d.durable {
		first = 1
	}
	var doubt error
	for try := range storeTries {
		revs, err := d.bot.store.Apply(ctx, ops...)
		if err == nil {
			if !d.durable {
				return 0, revs, nil
			}
			return revs[0], revs[first:], nil
		}
		if errors.Is(err, brain.ErrConflict) {
			return d.conflict(ctx, ops, rev, again || doubt != nil, err)
		}
		certain := brain.Certain(err) // of this try alone
		if certain && doubt == nil && !again {
			return 0, nil, err
		}
		if !certain && rev == 0 {
			d.mayLand(1)
		}
		doubt = err
		if pause(ctx, 10*time.Millisecond<<try) != nil {
			break
		}
	}
	return 0, nil, unsaid(doubt)
}

// unsaid gives err as one that leaves it open what was written, whatever the store says of the last try.
func unsaid(err error) error {
	const text = "starling: the store does not say whether it wrote"
	if brain.Certain(err) {
		return fmt.Errorf("%s: %v", text, err)
	}
	return fmt.Errorf("%s: %w", text, err)
}

// conflict finds out what a conflict means: the write landed before, when an answer was lost; another process has the
// delivery; or one of the other keys was not as expected.
func (d *delivery) conflict(ctx context.Context, ops []brain.Op, rev uint64, doubt bool, conflict error) (uint64, []uint64, error) {
	if !d.durable && !doubt {
		return 0, nil, conflict
	}
	landed := true
	var revs []uint64
	for i, op := range ops {
		entry, err := d.bot.store.Get(ctx, op.Key)
		if err != nil && !errors.Is(err, brain.ErrNotFound) {
			return 0, nil, unsaid(err)
		}
		ours := err == nil && !op.Delete && bytes.Equal(entry.Value, op.Value) || err != nil && op.Delete
		if i == 0 && d.durable { // the record's nonce makes its value unlike any other
			if ours {
				if rev == 0 {
					d.mayLand(-1) // this one has
				}
				return entry.Rev, d.revisions(ctx, ops[1:]), nil
			}
			if entry.Rev != rev {
				return 0, nil, handler.ErrEnded
			}
			return 0, nil, conflict
		}
		landed = landed && ours
		revs = append(revs, entry.Rev)
	}
	if landed {
		return 0, revs, nil
	}
	return 0, nil, conflict
}

// revisions reads the revisions of what a write that landed has written.
func (d *delivery) revisions(ctx context.Context, ops []brain.Op) []uint64 {
	revs := make([]uint64, len(ops))
	for i, op := range ops {
		if entry, err := d.bot.store.Get(ctx, op.Key); err == nil {
			revs[i] = entry.Rev
		}
	}
	return revs
}
