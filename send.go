package starling

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
)

// sentFor is how long a key of Send is recognised after its message was posted.
const sentFor = 24 * time.Hour

// errDead is what became of a message of Send that will not be posted.
var errDead = errors.New("the message was refused")

// outRecord is a message that the bot says by itself.
type outRecord struct {
	Version int                `json:"v"`
	State   slotState          `json:"state"`
	Parts   []*adapter.Message `json:"parts,omitempty"`
	Refs    []adapter.Ref      `json:"refs,omitempty"`
	Reason  string             `json:"reason,omitempty"`
	Created time.Time          `json:"created"`
	Nonce   string             `json:"nonce,omitempty"` // tells an own write of unknown outcome
}

// posting knows which records of the outbox are being worked on by this process. It holds what is on its way, as the outbox does.
type posting struct {
	mu   sync.Mutex
	keys map[string]bool
}

func (p *posting) add(key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.keys[key] {
		return false
	}
	put(&p.keys, key, true)
	return true
}

func (p *posting) remove(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.keys, key)
}

func (p *posting) all() map[string]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.keys)
}

// unposted keeps a message that will not be posted as a dead letter.
func (b *Bot) unposted(parts []*adapter.Message, refs []adapter.Ref, cause error) {
	op, err := letterOf(parts, refs, cause)
	if err == nil {
		err = b.stubborn(func(ctx context.Context) error {
			_, err := b.store.Apply(ctx, op)
			if errors.Is(err, brain.ErrConflict) { // an earlier try landed
				return nil
			}
			return err
		})
	}
	if err != nil {
		b.log.Error("a message that will not be posted could not be kept", "to", parts[0].To.String(), "error", err)
		return
	}
	b.stats.dead.Add(1)
}

// letterOf gives the operation that keeps a message as a dead letter; refs are those of its parts that were posted.
func letterOf(parts []*adapter.Message, refs []adapter.Ref, cause error) (brain.Op, error) {
	value, err := json.Marshal(outRecord{Version: recordVersion, State: slotAttempted, Parts: parts, Refs: refs, Created: time.Now().UTC()})
	return deadEntry(brain.Entry{Key: outKey(nonce()), Value: value}, cause.Error()), err
}

// stubborn tries f until it succeeds or says that it never will, or the bot closes.
func (b *Bot) stubborn(f func(ctx context.Context) error) error {
	for {
		ctx, cancel := context.WithTimeout(b.storing, storeTimeout)
		err := f(ctx)
		cancel()
		if err == nil || brain.Certain(err) && !errors.Is(err, brain.ErrClosed) || pause(b.storing, time.Second) != nil {
			return err
		}
	}
}

// Send says m by itself, in the order of the conversation it goes to, and waits until it is posted or ctx ends. With a
// brain that keeps, the message is stored first and is posted even if the process dies; m.Key makes it idempotent for a
// day: the same key is posted once, and a later call gets the refs of the first. It works from New until the bot has
// closed; the outgoing chain sees m.
//
// Errors: those of package adapter; handler.ErrUnknown with AtMostOnce where nobody can know; ctx's error, and the message
// is then still on its way. While 1,024 messages wait for an adapter Send waits before it takes another one, until ctx ends:
// that is adapter.ErrUnavailable, and nothing of the message is kept.
func (b *Bot) Send(ctx context.Context, m *adapter.Message) ([]adapter.Ref, error) {
	if m == nil {
		return nil, errors.New("starling: send: the message is nil")
	}
	return b.outgoing(ctx, m, b.sendOwn)
}

func (b *Bot) sendOwn(ctx context.Context, m *adapter.Message) ([]adapter.Ref, error) {
	s, refs, err := b.prepare(ctx, m)
	if s == nil {
		return refs, err
	}
	return b.outbox.send(ctx, s)
}

// prepare renders m and records that it is attempted. nil: there is nothing to post, since m says nothing or was begun before, or
// err says why.
func (b *Bot) prepare(ctx context.Context, m *adapter.Message) (s *sending, refs []adapter.Ref, err error) {
	m, err = b.privately(ctx, m)
	if err != nil {
		return nil, nil, err
	}
	parts, err := b.render(m)
	if err != nil || len(parts) == 0 {
		return nil, nil, err
	}
	if err := b.outbox.admit(ctx, parts[0].To.Adapter); err != nil {
		return nil, nil, fmt.Errorf("starling: send: %w", err)
	}
	key := m.Key
	if key == "" {
		key = nonce()
	}
	for i, p := range parts {
		p.Key = partKey("", key, i)
	}
	ops, err := b.arm(ctx, "send "+key, m, parts)
	if err != nil {
		return nil, nil, err
	}
	s = &sending{parts: parts}
	own := &ownSending{bot: b, key: outKey(key), rec: outRecord{Version: recordVersion, State: slotAttempted, Parts: parts, Created: time.Now().UTC()}}
	if b.durable || m.Key != "" {
		known, refs, err := own.begin(ctx, ops)
		if err != nil || known {
			return nil, refs, err
		}
		s.gate = b.gate(parts)
	} else if len(ops) > 0 {
		if _, err := b.store.Apply(ctx, ops...); err != nil {
			return nil, nil, fmt.Errorf("starling: send: %w", err)
		}
	}
	s.by, s.key = own, own.key
	return s, nil, nil
}

// gate gives the gate before the adapter of a message; nil if it needs none.
func (b *Bot) gate(parts []*adapter.Message) gate { return b.sources[parts[0].To.Adapter].gate }

// ownSending records a message of Send.
type ownSending struct {
	bot *Bot
	key string
	rec outRecord
	rev uint64 // 0: not recorded
}

// begin records that the message is attempted, in one step with ops. known: it was begun before.
func (o *ownSending) begin(ctx context.Context, ops []brain.Op) (known bool, refs []adapter.Ref, err error) {
	o.rec.Nonce = nonce()
	value, err := json.Marshal(o.rec)
	if err != nil {
		return false, nil, fmt.Errorf("starling: send: the message cannot be stored: %w", err)
	}
	mine := o.bot.posting.add(o.key) // else an earlier call of the same key has it
	defer func() {
		if mine && o.rev == 0 {
			o.bot.posting.remove(o.key) // what has landed after all is the sweeper's
		}
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout) // the context bounds the wait for the post
	defer cancel()
	all := append([]brain.Op{{Key: o.key, Value: value}, {Key: sentKey(o.key), Delete: true}}, ops...) // both Absent
	for try := range storeTries {
		var revs []uint64
		if revs, err = o.bot.store.Apply(ctx, all...); err == nil {
			o.rev = revs[0]
			return false, nil, nil
		}
		if brain.Certain(err) || pause(ctx, 10*time.Millisecond<<try) != nil {
			break
		}
	}
	if !errors.Is(err, brain.ErrConflict) {
		return false, nil, fmt.Errorf("starling: send: %w", err)
	}
	entry, err := o.bot.store.Get(ctx, o.key)
	if errors.Is(err, brain.ErrNotFound) {
		entry, err = o.bot.store.Get(ctx, sentKey(o.key))
	}
	if err != nil {
		return false, nil, fmt.Errorf("starling: send: %w", err)
	}
	var rec outRecord
	if err := decode(entry.Value, &rec); err != nil {
		return false, nil, fmt.Errorf("starling: send: %w", err)
	}
	if mine && rec.Nonce == o.rec.Nonce { // an earlier try landed
		o.rev = entry.Rev
		return false, nil, nil
	}
	switch rec.State {
	case slotUnknown:
		return true, nil, handler.ErrUnknown
	case slotDead:
		return true, nil, fmt.Errorf("starling: send: %w: %s", errDead, rec.Reason)
	}
	return true, rec.Refs, nil // sent, or on its way
}

func (o *ownSending) posted(s *sending) {
	o.rec.Refs = slices.Clone(s.refs)
	ctx, cancel := context.WithTimeout(o.bot.storing, storeTimeout)
	defer cancel()
	if err := o.progress(ctx); err != nil {
		o.bot.log.Warn("what was posted could not be recorded", "key", o.key, "error", err)
	}
	s.leave()
}

func (o *ownSending) done(s *sending, err error) {
	defer s.leave()
	if errors.Is(err, errLeft) {
		return
	}
	parts := o.rec.Parts
	o.rec.Refs, o.rec.Parts, o.rec.State = s.refs, nil, slotSent
	var letter []brain.Op
	switch {
	case errors.Is(err, handler.ErrUnknown):
		o.rec.State = slotUnknown
	case err != nil:
		o.rec.State, o.rec.Reason = slotDead, err.Error()
		if o.rev != 0 && s.alone.Load() { // nobody waits for it any more, who could tell
			o.bot.log.Error("a message will not be posted", "to", parts[0].To.String(), "error", err)
			op, lerr := letterOf(parts, s.refs, err)
			if lerr != nil { // it was encoded before
				o.bot.log.Error("a message that will not be posted could not be kept", "to", parts[0].To.String(), "error", lerr)
			} else {
				letter = []brain.Op{op}
			}
		}
	}
	if o.rev == 0 {
		return
	}
	end := func(ctx context.Context) error {
		err := o.end(ctx, letter)
		if err == nil {
			o.bot.stats.dead.Add(uint64(len(letter)))
			o.bot.posting.remove(o.key)
		}
		return err
	}
	ctx, cancel := context.WithTimeout(o.bot.storing, storeTimeout)
	defer cancel()
	if end(ctx) == nil {
		return
	}
	o.bot.background.Go(func() { // the store is out: it must not be posted again when it is back
		if err := o.bot.stubborn(end); err != nil {
			o.bot.log.Warn("what was posted could not be recorded", "key", o.key, "error", err)
		}
	})
}

// progress records how far the message is.
func (o *ownSending) progress(ctx context.Context) error {
	if o.rev == 0 {
		return nil
	}
	value, err := json.Marshal(o.rec)
	if err != nil {
		return err
	}
	return o.write(ctx, brain.Op{Key: o.key, Value: value, If: brain.At(o.rev)})
}

// end moves the record to where it is out of the way, and writes more in the same step.
func (o *ownSending) end(ctx context.Context, more []brain.Op) error {
	value, err := json.Marshal(o.rec)
	if err != nil {
		return err
	}
	ops := append([]brain.Op{{Key: o.key, Delete: true, If: brain.At(o.rev)}}, more...)
	return o.write(ctx, brain.Op{Key: sentKey(o.key), Value: value, TTL: sentFor}, ops...)
}

// write writes the record, and more in the same step. A write that landed before is recognised by its bytes.
func (o *ownSending) write(ctx context.Context, record brain.Op, more ...brain.Op) error {
	revs, err := o.bot.store.Apply(ctx, append([]brain.Op{record}, more...)...)
	if err == nil {
		o.rev = revs[0]
		return nil
	}
	if errors.Is(err, brain.ErrConflict) {
		entry, gerr := o.bot.store.Get(ctx, record.Key)
		switch {
		case gerr == nil && bytes.Equal(entry.Value, record.Value):
			o.rev = entry.Rev
			return nil
		case gerr != nil && !errors.Is(gerr, brain.ErrNotFound):
			return gerr
		}
	}
	return err
}

// recoverSends posts the messages of Send that an earlier process left on their way, in the order in which they were given.
func (b *Bot) recoverSends(ctx context.Context) error {
	var all []*sending
	for entry, err := range b.store.List(ctx, outPrefix) {
		if err != nil {
			return fmt.Errorf("starling: read the outbox: %w", err)
		}
		s, err := b.unsent(ctx, entry)
		if err != nil {
			return fmt.Errorf("starling: read the outbox: %w", err)
		}
		if s != nil {
			all = append(all, s)
		}
	}
	b.startOwn(all)
	return nil
}

// startOwn posts messages that nobody has, in the order in which they were given.
func (b *Bot) startOwn(all []*sending) {
	created := func(s *sending) time.Time { return s.by.(*ownSending).rec.Created }
	slices.SortStableFunc(all, func(x, y *sending) int { return created(x).Compare(created(y)) })
	for _, s := range all {
		if b.posting.add(s.key) {
			b.outbox.start(s)
		}
	}
}

// unsent gives the message of a record that is to be posted; nil: there is nothing to post. What cannot be read or posted is put aside.
func (b *Bot) unsent(ctx context.Context, entry brain.Entry) (*sending, error) {
	var rec outRecord
	err := decode(entry.Value, &rec)
	switch {
	case err == nil && rec.State != slotAttempted:
		return nil, nil
	case err == nil && len(rec.Parts) == 0:
		err = errors.New("the record has no message")
	case err == nil && b.sources[rec.Parts[0].To.Adapter] == nil:
		err = errors.New("the bot has no adapter " + rec.Parts[0].To.Adapter)
	}
	if err != nil {
		return nil, b.aside(ctx, entry, err.Error())
	}
	return &sending{parts: rec.Parts, refs: rec.Refs, resumed: true, key: entry.Key, gate: b.gate(rec.Parts), by: &ownSending{bot: b, key: entry.Key, rec: rec, rev: entry.Rev}}, nil
}

// outgoing passes m through the outgoing chain to final. An error or a panic of the chain blocks the message.
func (b *Bot) outgoing(ctx context.Context, m *adapter.Message, final handler.Send) (refs []adapter.Ref, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("starling: the outgoing chain: %w", &handler.PanicError{Value: v, Stack: debug.Stack()})
		}
	}()
	c := *m
	return b.table.Outgoing(final)(ctx, &c)
}

// privately gives m for the direct room of whom alone it is for, where the platform cannot hide a message in a room.
func (b *Bot) privately(ctx context.Context, m *adapter.Message) (*adapter.Message, error) {
	src := b.sources[m.To.Adapter]
	if m.Only == "" || src == nil || src.features.Hides(m) {
		return m, nil
	}
	opener, err := verb[adapter.DirectOpener](b, src.name, "hide a message in a room or open a direct one")
	if err != nil {
		return nil, err
	}
	room, err := opener.OpenDirect(ctx, m.Only)
	if err != nil {
		return nil, fmt.Errorf("starling: a message for %s alone: %w", m.Only, err)
	}
	c := *m
	if c.Only = ""; c.To.Room != room.ID {
		c.To, c.Origin = adapter.Address{Adapter: m.To.Adapter, Room: room.ID}, ""
	}
	return &c, nil
}

// render makes the messages that are posted: none where there is nothing to say. What takes more than Config.MaxParts
// messages becomes the first of them and a file with the whole.
func (b *Bot) render(m *adapter.Message) ([]*adapter.Message, error) {
	if empty(m) {
		return nil, nil
	}
	src := b.sources[m.To.Adapter]
	if src == nil {
		return nil, fmt.Errorf("starling: send to %s: the bot has no adapter %q: %w", m.To, m.To.Adapter, adapter.ErrNotFound)
	}
	m, err := adapter.Fit(m, src.features)
	if err != nil {
		return nil, err
	}
	if src.renderer == nil {
		c := *m
		return []*adapter.Message{&c}, nil
	}
	parts, err := src.renderer.Render(m)
	if err != nil {
		return nil, fmt.Errorf("starling: render for %s: %w", m.To, err)
	}
	if len(parts) > b.cfg.MaxParts && src.features.Files {
		one := *parts[len(parts)-1] // with what is not text
		first := parts[0]
		one.Text, one.Notify, one.Key = first.Text, first.Notify, first.Key
		whole := adapter.NewFile("message.md", "text/markdown", []byte(adapter.PlainText(m.Text)))
		one.Files = append([]adapter.File{whole}, one.Files...)
		return []*adapter.Message{&one}, nil
	}
	return parts, nil
}

// edit replaces the content of a message that was posted in len(refs) parts, and gives the refs that it has then: parts
// that are too many are deleted, and what needs more is posted below. what names the message for its buttons.
func (b *Bot) edit(ctx context.Context, what string, refs []adapter.Ref, m *adapter.Message) ([]adapter.Ref, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	e, err := verb[adapter.Editor](b, refs[0].Adapter, "edit")
	if err != nil {
		return refs, err
	}
	parts, err := b.render(m)
	switch {
	case err != nil:
		return refs, err
	case len(parts) == 0:
		return refs, fmt.Errorf("starling: edit: the new text is empty; delete the message instead: %w", adapter.ErrInvalid)
	}
	ops, err := b.arm(ctx, what, m, parts)
	if err != nil {
		return refs, err
	}
	if len(ops) > 0 {
		if _, err := b.store.Apply(ctx, ops...); err != nil {
			return refs, fmt.Errorf("starling: edit: %w", err)
		}
	}
	src := b.sources[refs[0].Adapter]
	for i, p := range parts[:min(len(parts), len(refs))] {
		if err := src.patiently(ctx, refs[i].Room, func() error { return e.Edit(ctx, refs[i], p) }); err != nil {
			return refs, err
		}
	}
	if len(parts) < len(refs) {
		return refs[:len(parts):len(parts)], b.delete(ctx, refs[len(parts):])
	}
	more := parts[len(refs):]
	if len(more) == 0 {
		return refs, nil
	}
	for i, p := range more {
		p.Key = partKey(what, nonce(), i)
	}
	added, err := b.outbox.send(ctx, &sending{parts: more, by: &ownSending{bot: b}})
	return append(refs[:len(refs):len(refs)], added...), err
}

// delete removes messages.
func (b *Bot) delete(ctx context.Context, refs []adapter.Ref) error {
	for _, ref := range refs {
		d, err := verb[adapter.Deleter](b, ref.Adapter, "delete")
		if err != nil {
			return err
		}
		if err := b.sources[ref.Adapter].patiently(ctx, ref.Room, func() error { return d.Delete(ctx, ref) }); err != nil {
			return err
		}
	}
	return nil
}

// verb finds an optional verb of an adapter; the error names what is missing.
func verb[T any](b *Bot, name, what string) (T, error) {
	var zero T
	src := b.sources[name]
	if src == nil {
		return zero, fmt.Errorf("starling: %s: the bot has no adapter %q: %w", what, name, adapter.ErrNotFound)
	}
	v, ok := adapter.As[T](src.adapter)
	if !ok {
		return zero, fmt.Errorf("starling: adapter %s cannot %s: %w", name, what, adapter.ErrUnsupported)
	}
	return v, nil
}
