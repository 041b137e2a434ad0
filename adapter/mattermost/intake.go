package mattermost

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/lanes"
	"github.com/starlingbot/starling/internal/retry"
)

// The bounds of the intake. Of what is over, messages and their changes are read again from the history, and the rest is a gap.
const (
	maxWaiting = 8_192 // events between the connection and the sink
	maxLane    = 1_024 // of them in one conversation
	lookupFor  = 1500 * time.Millisecond
	maxNames   = 20 // mentions of one text that are looked up
	maxAsked   = 10 // files of one message whose names are looked up
)

var errBusy = errors.New("mattermost: too many events wait for the bot")

// intake stands between the connection and the sink. Whoever receives only hands over: the events of a conversation wait
// in a lane of their own and go to the sink one after the other, each until the sink takes it; an event that comes again while
// it waits, or soon after it was taken, is not handed over twice.
type intake struct {
	a     *Adapter
	ctx   context.Context // of the sink; ends with Run
	sink  adapter.Sink
	lanes *lanes.Lanes[adapter.Address, *received]
}

func newIntake(ctx context.Context, a *Adapter, sink adapter.Sink) *intake {
	in := &intake{a: a, ctx: ctx, sink: sink}
	in.lanes = lanes.New(ctx, lanes.Rules[adapter.Address, *received]{
		Waiting: maxWaiting, Lane: maxLane, Busy: errBusy,
		Key: func(r *received) (string, adapter.Address) { return r.ev.ID, r.ev.Address() },
		Admit: func(r *received, full bool) bool {
			if id := r.told(); !full && id != "" {
				a.places.offered(r.ev.Room.ID, id, r.since)
			}
			return true
		},
		Refused: func(r *received, ended bool) {
			if !ended {
				a.overflow(r)
			}
		},
		Hand: in.hand,
		Settled: func(r *received, safe bool, err error) error {
			a.settle(r, safe)
			if safe {
				return nil
			}
			return err
		},
	})
	return in
}

// offer takes an event without blocking. done, if any, is called once, from any goroutine: nil when the event is safe, or was
// before.
func (in *intake) offer(r *received, done func(error)) { in.lanes.Offer(r, done) }

// hear hands an event over and waits for what the sink says.
func (in *intake) hear(ctx context.Context, r *received) error { return in.lanes.Hear(ctx, r) }

// settle notes what became of an event. One that was not taken is read again, if the history of its room has it.
func (a *Adapter) settle(r *received, safe bool) {
	id := r.told()
	if id == "" {
		return
	}
	a.places.heard(r.ev.Room.ID, id, r.since, safe)
	if !safe && r.ev.Kind == adapter.KindEdit {
		a.said.forget(r.ev.MessageID) // else the reading takes it for known
	}
}

// overflow counts an event that found too many waiting. What a history has is read again from it; the rest is a gap.
func (a *Adapter) overflow(r *received) {
	ev := r.ev
	a.health.Set(func(h *adapter.Status) { h.Busy++ })
	if r.told() != "" {
		a.settle(r, false)
		return
	}
	if !r.until.IsZero() { // who did it is told
		return
	}
	at := a.now().UTC()
	a.health.Gap(Gap{Room: ev.Room.ID, From: at, To: at, What: string(ev.Kind) + ": too many events waited for the bot"})
}

// inHistory tells whether the history of its room gives such an event again.
func (r *received) inHistory() bool {
	return (r.ev.Kind == adapter.KindMessage || r.ev.Kind == adapter.KindTopic) && !r.placeless
}

// told gives the id by which the place of its room knows what the history gives again: a message, or by its event a change of one; ""
// for what is in none.
func (r *received) told() string {
	switch {
	case r.inHistory():
		return r.ev.MessageID
	case r.ev.Kind == adapter.KindEdit, r.ev.Kind == adapter.KindDelete:
		return r.ev.ID
	}
	return ""
}

// hand looks names up and calls the sink until it takes the event: Mattermost does not deliver again. Somebody who waits for the
// answer is told when the time is over.
func (in *intake) hand(r *received) error {
	in.a.complete(in.ctx, r)
	kept := r.ev
	for wait, n := 200*time.Millisecond, 1; ; wait, n = min(2*wait, retry.Max), n+1 {
		err := in.sink(in.ctx, lanes.Copy(kept)) // what it is given is the sink's
		if err == nil || errors.Is(err, adapter.ErrRejected) || in.ctx.Err() != nil {
			return err
		}
		if !r.until.IsZero() && time.Until(r.until) < wait {
			in.a.log.Warn("the bot did not take a command or a click in time", "event", kept.ID, "error", err)
			return err
		}
		if n&(n-1) == 0 { // the first, second, fourth, ...
			in.a.log.Warn("the bot did not take an event; it is tried again", "event", kept.ID, "times", n, "error", err)
		}
		if retry.Pause(in.ctx, wait) != nil {
			return err
		}
	}
}

// complete looks up what an event only names by id. What cannot be looked up in time stays as it is: the event is never dropped
// for it, and a user nobody knows anything about is of KindUnknown, which is treated as a guest.
func (a *Adapter) complete(ctx context.Context, r *received) {
	ctx, cancel := context.WithTimeout(ctx, lookupFor)
	defer cancel()
	ev := r.ev
	if ev.Room.Kind != adapter.RoomDirect && (ev.Room.Name == "" || ev.Room.Kind == adapter.RoomUnknown) {
		if found, err := a.roomByID(ctx, ev.Room.ID); err == nil {
			ev.Room = found.Room
		} else {
			a.log.Debug("a room could not be looked up", "room", ev.Room.ID, "error", err)
		}
	}
	if u := &ev.User; u.ID != "" && u.Name == "" {
		bot := u.Kind == adapter.KindBot
		if found, err := a.userByID(ctx, u.ID); err == nil {
			*u = found
		} else {
			a.log.Debug("a user could not be looked up", "user", u.ID, "error", err)
		}
		if bot || ev.Self {
			u.Kind = adapter.KindBot
		}
	}
	switch ev.Kind {
	case adapter.KindMessage, adapter.KindEdit:
		a.mentions(ctx, ev, ev.Text)
	case adapter.KindInvocation:
		a.mentions(ctx, ev, ev.Invocation.Text)
	}
	for i, id := range r.files {
		if i >= maxAsked {
			break
		}
		info, resp, err := a.with(ctx).GetFileInfo(id)
		if err != nil {
			a.log.Debug("a file could not be looked up", "file", id, "error", a.fail("look up a file", resp, err))
			break
		}
		for i := range ev.Files {
			if f := &ev.Files[i]; f.ID == id {
				f.Name, f.Type, f.Size = info.Name, info.MimeType, max(info.Size, 0)
			}
		}
	}
	for i := range ev.Files {
		f := &ev.Files[i]
		f.Open = a.opener(adapter.File{ID: f.ID, Name: f.Name, Type: f.Type})
	}
}

// mentions finds who a text mentions.
func (a *Adapter) mentions(ctx context.Context, ev *adapter.Event, text string) {
	names := mentioned(text)
	me := a.me.Load()
	asked := 0
	for _, c := range names {
		for _, name := range c {
			if me != nil && name == strings.ToLower(me.name) {
				ev.Mentions = append(ev.Mentions, adapter.User{Adapter: a.cfg.Name, Tenant: a.cfg.Tenant, ID: me.id, Name: me.name, Kind: adapter.KindBot})
				if ev.Kind != adapter.KindInvocation {
					ev.Mentioned, ev.BotName = true, me.name
				}
				break
			}
			if everybody(name) {
				break
			}
			if asked++; asked > maxNames {
				return
			}
			if id, err := a.userID(ctx, name); err == nil {
				if u, err := a.userByID(ctx, id); err == nil {
					ev.Mentions = append(ev.Mentions, u)
				}
				break
			}
		}
	}
}
