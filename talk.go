package starling

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
)

// talk keeps whether who was asked has said something else, whatever the store says.
func (q *questions) talk(key string, talked bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if o, ok := q.open[key]; ok {
		o.talked = talked
		q.open[key] = o
	}
}

// talked tells whether who was asked has said something else, as far as this process knows.
func (q *questions) talked(key string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.open[key].talked
}

// talks notes, before d is handled, that who was asked for a yes says something else with it: also where the store fails, so
// that no later yes is taken for the answer.
func (d *delivery) talks() {
	b := d.bot
	if d.grant != nil || d.ev.Kind != adapter.KindMessage || b.questions.empty() ||
		slices.ContainsFunc(d.routes, func(r *handler.Route) bool { return r.ID == "answer" }) {
		return
	}
	key := askKey(d.ev)
	if !b.questions.has(key) {
		return
	}
	op, err := b.keepOp(b.storing, key, func(q *handler.Question) bool {
		if q.Kind != handler.AskConfirm || q.Talked {
			return false
		}
		q.Talked = true
		b.questions.talk(key, true)
		return true
	})
	if err == nil && op != nil {
		_, err = b.store.Apply(b.storing, *op)
	}
	if err != nil && !errors.Is(err, brain.ErrConflict) {
		b.questions.talk(key, true)
		b.log.Warn("that somebody who was asked has said something else could not be stored", "id", handler.CorrelationID(d.id), "error", err)
	}
}

// Keep stores what became of q where people talk.
func (x *run) Keep(ctx context.Context, _ *handler.Request, q *handler.Question) error {
	if err := x.open(); err != nil {
		return err
	}
	x.d.bot.questions.talk(keyOf(q), q.Talked)
	op, err := x.d.bot.keepOp(ctx, keyOf(q), func(stored *handler.Question) bool {
		stored.Talked, stored.Posts = q.Talked, q.Posts
		return stored.ID == q.ID
	})
	if err != nil || op == nil {
		return err
	}
	if err := x.commit(ctx, func(*runRecord) {}, nil, *op); !errors.Is(err, brain.ErrConflict) {
		return err
	}
	return nil // it was answered, or another one stands in its place
}

// keepOp gives the operation that stores an open question as change leaves it; nil where there is none, or change says no.
func (b *Bot) keepOp(ctx context.Context, key string, change func(q *handler.Question) bool) (*brain.Op, error) {
	rec, err := b.question(ctx, key)
	if err != nil || rec == nil || !change(&rec.Question) {
		return nil, err
	}
	value, err := json.Marshal(rec)
	if err != nil {
		return nil, fmt.Errorf("starling: keep a question: %w", err)
	}
	return &brain.Op{Key: key, Value: value, If: brain.At(rec.Rev), TTL: rec.ttl()}, nil
}
