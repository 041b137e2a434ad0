package starling

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
)

// maxID bounds the ids of an event in bytes; those of platforms have some tens.
const maxID = 1 << 10

// errDraining keeps an event with the platform while the bot stops.
var errDraining = errors.New("starling: the bot is stopping and takes no more events")

// sink gives the way in for the events of an adapter: checks, limits, rewriting, matching, inbox.
func (b *Bot) sink(src *source) adapter.Sink {
	return func(ctx context.Context, ev *adapter.Event) (err error) {
		defer func() {
			if v := recover(); v != nil { // a Rewrite, or a Stringer in the event
				b.log.Error("taking an event panicked; it is rejected", "adapter", src.name, "panic", fmt.Sprint(v))
				b.stats.rejected.Add(1)
				err = fmt.Errorf("%w: panic", adapter.ErrRejected)
			}
		}()
		b.stats.offered.Add(1)
		return b.take(ctx, src, ev)
	}
}

func (b *Bot) take(ctx context.Context, src *source, ev *adapter.Event) (err error) {
	if ev == nil || ev.ID == "" || ev.Kind == "" {
		b.stats.rejected.Add(1)
		b.log.Error("an event without id or kind is rejected: the adapter must give both", "adapter", src.name)
		return adapter.ErrRejected
	}
	if len(ev.ID) > maxID || len(ev.Room.ID) > maxID || len(ev.Thread) > maxID || len(ev.User.ID) > maxID {
		b.stats.rejected.Add(1)
		b.log.Error("an event with an id of over 1 KiB is rejected", "adapter", src.name)
		return adapter.ErrRejected
	}
	if ev.Self {
		b.stats.ignored.Add(1)
		return nil
	}
	ev.Adapter = src.name
	if ev.User.ID != "" {
		ev.User.Adapter = src.name
	}
	ev.Normalize()
	now := time.Now()
	b.compare(src, ev, now)
	if ev.User.Kind == adapter.KindBot && !b.hearBot(ev, now) {
		b.stats.ignored.Add(1)
		return nil
	}
	if ok, tell := b.limiter.allow(ev, now); !ok {
		b.stats.shed.Add(1)
		if tell {
			b.log.Warn("an event is over the limit; more of its kind are counted and not logged", "room", ev.Address().String(), "user", ev.User.Key())
			b.notify(ev, adapter.Format("%s: that is faster than I can follow. I skip messages until it is calmer.", ev.User))
		}
		return nil
	}
	limited := ev
	defer func() {
		if err != nil && !errors.Is(err, adapter.ErrRejected) {
			b.limiter.refund(limited)
		}
	}()
	if over, err := b.press(ctx, ev); over || err != nil {
		if err != nil {
			b.stats.failing.Add(1)
			b.storeFailed(err)
			return err
		}
		b.stats.ignored.Add(1)
		return nil
	}
	ev, ok := b.table.Rewrite(ev)
	if !ok {
		b.stats.ignored.Add(1)
		return nil
	}
	ev.Normalize() // what a Rewrite made of it, too
	sel := b.table.Match(ev)
	if sel.Over > 0 {
		b.log.Warn("a long message matches more Hears than run for one", "room", ev.Address().String(), "user", ev.User.Key(), "left out", sel.Over)
	}
	b.answers(ev, &sel)
	if len(sel.Routes) == 0 {
		b.stats.ignored.Add(1)
		return nil
	}
	tell := b.dropLate(ev, &sel)
	if len(sel.Routes) == 0 && b.durable { // the age counts once, when an event is accepted: this one may have been
		switch _, err := b.store.Get(ctx, seenKey(ev)); {
		case err == nil:
			b.stats.duplicate.Add(1)
			return nil
		case !errors.Is(err, brain.ErrNotFound):
			b.stats.failing.Add(1)
			b.storeFailed(err)
			return fmt.Errorf("starling: look whether the event was accepted: %w", err)
		}
	}
	if tell {
		b.notify(ev, adapter.Format("%s: that reached me %d minutes late. Say it again if you still want it.", ev.User, int(now.Sub(ev.Time).Minutes())))
	}
	if len(sel.Routes) == 0 {
		b.stats.late.Add(1)
		return nil
	}
	return b.accept(ctx, ev, sel)
}

// hearBot tells whether a message of another bot is heard.
func (b *Bot) hearBot(ev *adapter.Event, now time.Time) bool {
	if !b.cfg.HearBots {
		return false
	}
	ok, broke := b.loops.allow(ev.Address(), now)
	if broke {
		b.log.Warn("a loop of bots is broken: other bots are not heard there for a while", "room", ev.Address().String(), "user", ev.User.Key(), "for", loopMute)
	}
	return ok
}

// accept takes a place in the conversation's line and makes the event safe.
func (b *Bot) accept(ctx context.Context, ev *adapter.Event, sel handler.Selection) error {
	d := &delivery{bot: b, ev: ev, address: ev.Address(), id: deliveryID(ev), text: sel.Text, routes: sel.Routes}
	if b.durable {
		for _, r := range sel.Routes {
			d.durable = d.durable || !r.Volatile
		}
	}
	if !d.durable {
		if b.draining.Load() { // a stored event is for the next start, this one would be lost
			b.stats.failing.Add(1)
			return errDraining
		}
		if b.durable && d.routes[0].Kind() == "fallback" { // it may have been the answer to a question, which is over by now
			switch _, err := b.store.Get(ctx, seenKey(ev)); {
			case err == nil:
				b.stats.duplicate.Add(1)
				return nil
			case !errors.Is(err, brain.ErrNotFound):
				b.stats.failing.Add(1)
				b.storeFailed(err)
				return fmt.Errorf("starling: look whether the event was accepted: %w", err)
			}
		}
		if !b.seen.add(d.id) {
			b.stats.duplicate.Add(1)
			return nil
		}
	}
	if d.durable {
		d.state = statePlaced
	}
	inMemory, err := b.mailboxes.place(ctx, d)
	if err != nil {
		b.seen.remove(d.id)
		b.stats.failing.Add(1)
		return fmt.Errorf("starling: too many events wait: %w", err)
	}
	if !d.durable {
		b.stats.accepted.Add(1)
		return nil
	}
	duplicate, err := b.keepCalmly(d)
	if err != nil {
		b.seen.remove(d.id) // a volatile event whose line goes through the store
	}
	if err == nil && !duplicate {
		b.stats.accepted.Add(1) // before it may begin: its handler may look
	}
	switch {
	case inMemory && unknown(err):
		b.background.Go(func() { b.resolve(d) })
	case inMemory:
		b.mailboxes.settle(d, err == nil && !duplicate)
	default:
		b.mailboxes.stored(d.address)
	}
	switch {
	case err == nil && duplicate:
		b.stats.duplicate.Add(1)
	case err == nil: // counted above
	case errors.Is(err, adapter.ErrRejected):
		b.stats.rejected.Add(1)
		b.log.Error("an event can never be stored and is rejected", "id", handler.CorrelationID(d.id), "error", err)
		return err
	default:
		b.stats.failing.Add(1)
		b.storeFailed(err)
		return fmt.Errorf("starling: the event could not be stored: %w", err)
	}
	b.storeWorks()
	return nil
}

// keepCalmly is keep; a panic of the store is an error of unknown outcome.
func (b *Bot) keepCalmly(d *delivery) (duplicate bool, err error) {
	defer func() {
		if v := recover(); v != nil {
			b.log.Error("the store panicked", "panic", fmt.Sprint(v))
			err = fmt.Errorf("starling: the store panicked: %v", v)
		}
	}()
	return b.keep(d)
}

// notify has the bot say something where ev was, in its turn. It is not stored, and dropped where too much waits already.
func (b *Bot) notify(ev *adapter.Event, text string) {
	d := &delivery{bot: b, ev: ev, address: ev.Address(), id: deliveryID(ev) + "#notice", notice: text}
	full, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := b.mailboxes.place(full, d); err != nil {
		b.log.Warn("too many events wait to say something", "room", d.address.String())
	}
}
