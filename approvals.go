package starling

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
)

const (
	heldPrefix = "_/held/" // + id: a command that waits for people

	maxHeld   = 1000           // commands that wait in one bot
	maxHeldBy = 20             // of one person
	heldKept  = 24 * time.Hour // past its end, for a bot that is down when it comes
)

// heldRecord is a command that waits for people, as it is stored.
type heldRecord struct {
	Version int  `json:"v"`
	Apart   bool `json:"apart,omitempty"` // the arguments are in the memory of the process that asked, and nowhere else
	handler.Held
}

// secretArgs are arguments of which some are secret, and their hash: of a short secret it would be enough to find it.
type secretArgs struct {
	options map[string]string
	hash    string
	agreed  string // the hash of what was agreed to before
}

func argsOf(h *handler.Held) secretArgs {
	a := secretArgs{options: h.Options, hash: h.Hash}
	if h.Agreed != nil {
		a.agreed = h.Agreed.Hash
	}
	return a
}

// give puts the arguments into h; those that are gone leave nothing behind.
func (a secretArgs) give(h *handler.Held) {
	h.Options, h.Hash = a.options, a.hash
	if h.Agreed != nil {
		before := *h.Agreed
		before.Hash = a.agreed
		h.Agreed = &before
	}
}

// sealedArgs are the arguments of held commands with secrets, where the store does not seal; at most maxHeld.
type sealedArgs struct {
	mu   sync.Mutex
	byID map[string]secretArgs
}

func (s *sealedArgs) keep(id string, a secretArgs) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.byID) < maxHeld {
		put(&s.byID, id, a)
	}
}

func (s *sealedArgs) of(id string) (secretArgs, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.byID[id]
	return o, ok
}

func (s *sealedArgs) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byID, id)
}

func heldKey(id string) string { return heldPrefix + brain.Key(segment(id)) }

// heldID makes the id of a request that people type: it is no secret, it is only not guessed by accident.
func heldID() string { return "req-" + strings.ToLower(rand.Text()[:8]) }

// decisionRecord is what a delivery has done to a held command, as its record keeps it.
type decisionRecord struct {
	Held string `json:"held,omitempty"` // id of the command that this delivery holds
	handler.Decision
	Posts []adapter.Ref `json:"posts,omitempty"` // the message that says what became of it
	Shown string        `json:"shown,omitempty"` // what it says
}

func (x *run) decisionSlot(id string) string { return x.slot("held " + id) }

func (x *run) decision(id string) (rec decisionRecord, ok bool) {
	value, ok := x.d.changed(x.decisionSlot(id))
	if !ok || json.Unmarshal(value, &rec) != nil {
		return rec, false
	}
	return rec, true
}

// Decided gives what this delivery has done to a held command, and has the message about it say so.
func (x *run) Decided(_ *handler.Request, id string) (handler.Decision, bool) {
	rec, ok := x.decision(id)
	if !ok || rec.Text == "" {
		return handler.Decision{}, false
	}
	x.await(x.d.bot.closeRequest(rec.Posts, rec.Shown))
	return rec.Decision, true
}

// deciding gives the change of the record that says what was done to a held command.
func (x *run) deciding(id string, rec decisionRecord) (func(*runRecord), error) {
	value, err := json.Marshal(rec)
	if err != nil {
		return nil, fmt.Errorf("starling: decide: %w", err)
	}
	return func(r *runRecord) { put(&r.Changes, x.decisionSlot(id), json.RawMessage(value)) }, nil
}

// decisionOn is the record of a decision that ends h.
func decisionOn(h *handler.Held, d handler.Decision) decisionRecord {
	on := h.Event.Adapter
	if len(h.Posts) > 0 {
		on = h.Posts[0].Adapter
	}
	return decisionRecord{Decision: d, Posts: h.Posts, Shown: adapter.Format("%s asked to run\n```\n%s\n```\n%s", handler.NameFor(h.Event.User, on), h.Line, adapter.Markup(d.Text))}
}

// Hold stores a command that waits, and when it expires, in one step with the record of the delivery.
func (x *run) Hold(ctx context.Context, r *handler.Request, h *handler.Held) (*handler.Held, error) {
	if err := x.open(); err != nil {
		return nil, err
	}
	b := x.d.bot
	if rec, ok := x.decision(""); ok { // the event has come again
		again, err := x.Held(ctx, rec.Held)
		if again == nil && err == nil {
			again = &handler.Held{ID: rec.Held}
		}
		if again != nil && again.Lost { // this process knows the arguments now: they are in the event
			b.sealed.keep(again.ID, argsOf(h))
			argsOf(h).give(again)
			again.Lost = false
		}
		return again, err
	}
	all, err := x.AllHeld(ctx)
	if err != nil {
		return nil, err
	}
	own := 0
	for _, other := range all {
		if other.Event.User.Key() == h.Event.User.Key() {
			own++
		}
	}
	if own >= maxHeldBy || len(all) >= maxHeld {
		return nil, handler.UserErrorf("Too many requests wait already. Cancel one, or wait until some are decided.")
	}
	h.ID = heldID()
	value, apart, err := b.encodeHeld(h)
	if err != nil {
		return nil, err
	}
	due, err := json.Marshal(dueRecord{Version: recordVersion, Held: h.ID, ID: h.ID})
	if err != nil {
		return nil, fmt.Errorf("starling: hold: %w", err)
	}
	change, err := x.deciding("", decisionRecord{Held: h.ID})
	if err != nil {
		return nil, err
	}
	if apart {
		b.sealed.keep(h.ID, argsOf(h))
	}
	err = x.commit(ctx, change, nil,
		brain.Op{Key: heldKey(h.ID), Value: value, TTL: time.Until(h.Expires) + heldKept},
		brain.Op{Key: dueKey(h.Expires, h.ID), Value: due, If: brain.Any})
	if err != nil && brain.Certain(err) {
		b.sealed.forget(h.ID)
	}
	return nil, err
}

// encodeHeld makes the record of h. apart: its arguments are not in it.
func (b *Bot) encodeHeld(h *handler.Held) (value []byte, apart bool, err error) {
	rec := heldRecord{Version: recordVersion, Held: *h}
	if h.Secret && !b.keeps(heldKey(h.ID)) {
		secretArgs{}.give(&rec.Held)
		rec.Apart = true
	}
	if value, err = json.Marshal(rec); err != nil {
		return nil, false, fmt.Errorf("starling: hold: %w", err)
	}
	return value, rec.Apart, nil
}

// Held gives a command that waits; nil if there is none.
func (x *run) Held(ctx context.Context, id string) (*handler.Held, error) {
	return x.d.bot.held(ctx, id)
}

func (b *Bot) held(ctx context.Context, id string) (*handler.Held, error) {
	entry, err := b.store.Get(ctx, heldKey(id))
	if errors.Is(err, brain.ErrNotFound) {
		b.sealed.forget(id)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("starling: read a request: %w", err)
	}
	return b.heldOf(ctx, entry)
}

// heldOf decodes a record; one that cannot be read is put aside and gives nil.
func (b *Bot) heldOf(ctx context.Context, entry brain.Entry) (*handler.Held, error) {
	var rec heldRecord
	if err := decode(entry.Value, &rec); err != nil || rec.Event == nil {
		return nil, b.aside(ctx, entry, orElse(err, errors.New("the request has no event")).Error())
	}
	h := &rec.Held
	h.Rev = entry.Rev
	if rec.Apart {
		a, ok := b.sealed.of(h.ID)
		a.give(h)
		h.Lost = !ok
	}
	return h, nil
}

// AllHeld gives all commands that wait, the oldest first.
func (x *run) AllHeld(ctx context.Context) ([]*handler.Held, error) {
	b := x.d.bot
	var out []*handler.Held
	for entry, err := range b.store.List(ctx, heldPrefix) {
		if err != nil {
			return nil, fmt.Errorf("starling: read the requests: %w", err)
		}
		h, err := b.heldOf(ctx, entry)
		if err != nil {
			return nil, err
		}
		if h != nil {
			out = append(out, h)
		}
	}
	slices.SortStableFunc(out, func(a, b *handler.Held) int { return a.Since.Compare(b.Since) })
	return out, nil
}

// KeepHeld stores what was changed in a command that waits.
func (x *run) KeepHeld(ctx context.Context, _ *handler.Request, h *handler.Held, d handler.Decision) error {
	if err := x.open(); err != nil {
		return err
	}
	value, _, err := x.d.bot.encodeHeld(h)
	if err != nil {
		return err
	}
	change, err := x.deciding(h.ID, decisionRecord{Decision: d})
	if err != nil {
		return err
	}
	return x.commit(ctx, change, nil,
		brain.Op{Key: heldKey(h.ID), Value: value, If: brain.At(h.Rev), TTL: time.Until(h.Expires) + heldKept})
}

// unhold gives the operations that forget a command that waits.
func unhold(h *handler.Held) []brain.Op {
	return []brain.Op{{Key: heldKey(h.ID), Delete: true, If: brain.At(h.Rev)}, {Key: dueKey(h.Expires, h.ID), Delete: true, If: brain.Any}}
}

// DropHeld forgets a command that waits.
func (x *run) DropHeld(ctx context.Context, _ *handler.Request, h *handler.Held, d handler.Decision) error {
	if err := x.open(); err != nil {
		return err
	}
	rec := decisionOn(h, d)
	change, err := x.deciding(h.ID, rec)
	if err != nil {
		return err
	}
	if err := x.commit(ctx, change, nil, unhold(h)...); err != nil {
		return err
	}
	x.decided(h, rec)
	return nil
}

// decided forgets what was kept of a command that waited, and has the message about it say what became of it: what the handler
// says next comes after that.
func (x *run) decided(h *handler.Held, rec decisionRecord) {
	b := x.d.bot
	b.sealed.forget(h.ID)
	x.await(b.closeRequest(rec.Posts, rec.Shown))
}

// await waits a moment until done is closed.
func (x *run) await(done <-chan struct{}) {
	t := time.NewTimer(x.d.bot.cfg.SlowAfter)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
	}
}

// closeRequest has the message about a command that waited say what became of it, in place of its buttons, and gives what is
// closed when that is done. A platform that cannot edit keeps them: who presses one is told.
func (b *Bot) closeRequest(posts []adapter.Ref, text string) <-chan struct{} {
	done := make(chan struct{})
	if len(posts) == 0 {
		close(done)
		return done
	}
	m := &adapter.Message{To: posts[0].Address, Text: text}
	b.background.Go(func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(b.storing, sendTimeout)
		defer cancel()
		_, err := b.outgoing(ctx, m, func(ctx context.Context, m *adapter.Message) ([]adapter.Ref, error) {
			return b.edit(ctx, "request "+posts[0].ID, posts, m)
		})
		if err != nil {
			b.log.Debug("the buttons of a request that is over stay shown", "to", posts[0].Address.String(), "error", err)
		}
	})
	return done
}

// Release forgets a command that waits and delivers its event again, in one step: of a thousand clicks one finds it.
func (x *run) Release(ctx context.Context, _ *handler.Request, h *handler.Held, g *handler.Grant, decision handler.Decision) error {
	if err := x.open(); err != nil {
		return err
	}
	b := x.d.bot
	route := b.table.Route(h.Route)
	if route == nil {
		return handler.UserErrorf("What %s asks for no longer exists.", h.ID)
	}
	d := &delivery{ev: h.Event, id: h.Delivery + "#" + h.ID, routes: []*handler.Route{route}, grant: g}
	d.text, _ = b.table.Text(d.ev)
	rec := decisionOn(h, decision)
	change, err := x.deciding(h.ID, rec)
	if err != nil {
		return err
	}
	if err := x.resubmit(ctx, d, change, unhold(h)...); err != nil {
		return err
	}
	x.decided(h, rec)
	return nil
}

// resubmit puts a new delivery into the inbox, in one step with ops and a change of the record of this one.
func (x *run) resubmit(ctx context.Context, d *delivery, change func(*runRecord), ops ...brain.Op) error {
	b := x.d.bot
	d.bot, d.address = b, d.ev.Address()
	d.durable = x.d.durable
	if !d.durable {
		if err := x.commit(ctx, change, nil, ops...); err != nil {
			return err
		}
		if _, err := b.mailboxes.place(ctx, d); err != nil || !d.durable {
			return err
		}
		_, err := b.keepAs(d, "") // the line goes through the store by now
		b.mailboxes.stored(d.address)
		return err
	}
	d.state = statePlaced
	inMemory, err := b.mailboxes.place(ctx, d)
	if err != nil {
		return err
	}
	value, err := json.Marshal(d.record())
	if err == nil {
		put := brain.Op{Key: inboxKey(d.address, d.seq), Value: value}
		err = x.commit(ctx, change, func(revs []uint64) { d.entryRev = revs[0] }, append([]brain.Op{put}, ops...)...)
	}
	if inMemory {
		b.mailboxes.settle(d, err == nil && d.entryRev != 0) // 0: it landed, and could not be read back: the sweeper takes it
	} else {
		b.mailboxes.stored(d.address)
	}
	return err
}

// heldDue ends a command that has waited too long: in one step it is forgotten and its asker's message put in its place, which
// the next sweep posts.
func (b *Bot) heldDue(ctx context.Context, entry brain.Entry, id string) error {
	gone := brain.Op{Key: entry.Key, Delete: true, If: brain.At(entry.Rev)}
	h, err := b.held(ctx, id)
	if err != nil {
		return err
	}
	ops := []brain.Op{gone}
	if h != nil { // else it was decided
		m := &adapter.Message{To: h.Event.Address(), Text: adapter.Format("%s: %s was not decided in time, and does not run:\n```\n%s\n```", h.Event.User, h.ID, h.Line)}
		value, err := json.Marshal(dueRecord{Version: recordVersion, ID: id, Message: m})
		if err != nil {
			return fmt.Errorf("starling: hold: %w", err)
		}
		ops = []brain.Op{{Key: entry.Key, Value: value, If: brain.At(entry.Rev)}, {Key: heldKey(id), Delete: true, If: brain.At(h.Rev)}}
	}
	_, err = b.store.Apply(ctx, ops...)
	if errors.Is(err, brain.ErrConflict) { // somebody decides it now; the next sweep sees
		return nil
	}
	if err == nil && h != nil {
		b.sealed.forget(id)
		b.table.Expired(ctx, h)
		rec := decisionOn(h, handler.Decision{Text: "It was not decided in time."})
		b.closeRequest(rec.Posts, rec.Shown)
	}
	return err
}
