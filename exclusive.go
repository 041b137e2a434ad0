package starling

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
)

const (
	exclusivePrefix = "_/exclusive/" // + what is being changed

	claimTries = 16 // of a claim that meets others
)

// exclusiveRecord says who changes a thing now. It is written in one step with the run record of its delivery, whose fence is
// thereby its own, and deleted in one step with the end of the handler or of the delivery, by whoever has the delivery then.
type exclusiveRecord struct {
	Version  int          `json:"v"`
	Delivery string       `json:"delivery"`
	Inbox    string       `json:"inbox,omitempty"` // key of the delivery's event: while it is there somebody will end it
	Name     string       `json:"name"`
	Line     string       `json:"line"`
	By       adapter.User `json:"by"`
	Since    time.Time    `json:"since"`

	Said adapter.Address  `json:"said,omitzero"` // where the line was said
	Room adapter.RoomKind `json:"room,omitempty"`
}

func exclusiveKey(name string) string { return exclusivePrefix + brain.Key(segment(name)) }

// beginAlone begins a handler as the only one that changes a thing.
func (x *run) beginAlone(ctx context.Context, in *handler.Intent, reports bool) error {
	key := exclusiveKey(in.Exclusive)
	for range claimTries {
		op, holder, err := x.claim(ctx, key, in)
		if err != nil {
			return err
		}
		if holder != nil {
			text := adapter.Format("%s: %s is being changed by %s since %s. Say it again when that has ended.", x.d.ev.User, in.Exclusive, holder.By.String(), holder.Since)
			if handler.ShownIn(holder.Said, holder.Room, x.d.ev) {
				text += adapter.Format("\n```\n%s\n```", holder.Line)
			}
			return &handler.UserError{Text: text}
		}
		err = x.recordBegin(ctx, reports, *op)
		if !errors.Is(err, brain.ErrConflict) {
			return err
		}
	}
	return handler.UserErrorf("%s: somebody was faster.", x.d.ev.User)
}

// claim gives the operation that takes a thing, or who holds it.
func (x *run) claim(ctx context.Context, key string, in *handler.Intent) (*brain.Op, *exclusiveRecord, error) {
	b, d := x.d.bot, x.d
	next := exclusiveRecord{
		Version: recordVersion, Delivery: d.id, Name: in.Exclusive, Line: in.Line, By: d.ev.User, Since: time.Now().UTC(), Said: d.ev.Address(), Room: d.ev.Room.Kind,
	}
	op := &brain.Op{Key: key}
	if d.durable {
		next.Inbox = inboxKey(d.address, d.seq)
	} else { // nobody can end it but this process
		op.TTL = time.Until(x.ctx.at) + b.cfg.Grace + time.Minute
	}
	entry, err := b.store.Get(ctx, key)
	switch {
	case errors.Is(err, brain.ErrNotFound):
	case err != nil:
		return nil, nil, fmt.Errorf("starling: exclusive: %w", err)
	default:
		var held exclusiveRecord
		if err := decode(entry.Value, &held); err != nil {
			return nil, nil, fmt.Errorf("starling: exclusive: the record %s cannot be read; delete it when nothing changes the thing: %w", key, err)
		}
		if held.Delivery != d.id {
			gone, err := b.gone(ctx, &held)
			if err != nil {
				return nil, nil, err
			}
			if !gone {
				return nil, &held, nil
			}
		}
		op.If = brain.At(entry.Rev)
	}
	if op.Value, err = json.Marshal(next); err != nil {
		return nil, nil, fmt.Errorf("starling: exclusive: %w", err)
	}
	return op, nil, nil
}

// gone tells whether nobody will ever end the delivery of a holder: its event was put aside as one that cannot be run.
func (b *Bot) gone(ctx context.Context, held *exclusiveRecord) (bool, error) {
	if held.Inbox == "" {
		return false, nil // it ends by itself
	}
	_, err := b.store.Get(ctx, held.Inbox)
	if err != nil && !errors.Is(err, brain.ErrNotFound) {
		return false, fmt.Errorf("starling: exclusive: %w", err)
	}
	return err != nil, nil
}

// yields gives the operations that give back what the delivery holds.
func (d *delivery) yields(ctx context.Context) ([]brain.Op, error) {
	d.mu.Lock()
	keys := slices.Clone(d.rec.Exclusive)
	d.mu.Unlock()
	var ops []brain.Op
	for _, key := range keys {
		entry, err := d.bot.store.Get(ctx, key)
		if errors.Is(err, brain.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("starling: exclusive: %w", err)
		}
		var held exclusiveRecord
		if decode(entry.Value, &held) == nil && held.Delivery == d.id { // nobody else rewrites it while the delivery lives
			ops = append(ops, brain.Op{Key: key, Delete: true, If: brain.At(entry.Rev)})
		}
	}
	return ops, nil
}

// yield gives back what the delivery holds when a handler has ended. What fails now is done with the end of the delivery.
func (d *delivery) yield(ctx context.Context) {
	d.mu.Lock()
	none := len(d.rec.Exclusive) == 0
	d.mu.Unlock()
	if none {
		return
	}
	ops, err := d.yields(ctx)
	if err == nil {
		err = d.commitWith(ctx, func(r *runRecord) { r.Exclusive = nil }, nil, ops...)
	}
	if err != nil && !errors.Is(err, handler.ErrEnded) {
		d.bot.log.Warn("what was changed by one alone is given back later", "id", handler.CorrelationID(d.id), "error", err)
	}
}
