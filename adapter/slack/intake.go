package slack

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/lanes"
	"github.com/starlingbot/starling/internal/retry"
)

// The bounds of the intake. What is over is not acknowledged: Slack delivers it again.
const (
	maxWaiting = 4_096 // events between the connection and the sink
	maxLane    = 512   // of them in one conversation
	lookupFor  = 1500 * time.Millisecond
	answerIn   = 2500 * time.Millisecond // Slack waits 3 s for an acknowledgement
	maxNames   = 20                      // mentions of one text that are looked up
)

var errBusy = errors.New("slack: too many events wait for the bot")

// intake stands between the connection and the sink. Whoever receives only hands over: the events of a conversation wait
// in a lane of their own and go to the sink one after the other; an event that is delivered again while it waits, or soon
// after it was taken, is not handed over twice.
type intake struct {
	a     *Adapter
	ctx   context.Context // of the sink; ends with Run
	sink  adapter.Sink
	lanes *lanes.Lanes[adapter.Address, job]
}

// job is an event on its way, with what is known of it when the event is the sink's.
type job struct {
	r  *received
	at time.Time

	id, room, order, thread string
	message, backfilled     bool
}

func jobOf(r *received) job {
	ev := r.ev
	return job{r: r, at: time.Now(), id: ev.ID, room: ev.Room.ID, order: ev.Order, thread: ev.Thread, message: ev.Kind == adapter.KindMessage, backfilled: ev.Backfilled}
}

func newIntake(ctx context.Context, a *Adapter, sink adapter.Sink) *intake {
	in := &intake{a: a, ctx: ctx, sink: sink}
	in.lanes = lanes.New(ctx, lanes.Rules[adapter.Address, job]{
		Waiting: maxWaiting, Lane: maxLane, Busy: errBusy,
		Key:     func(j job) (string, adapter.Address) { return j.id, j.r.ev.Address() },
		Refused: func(job, bool) { a.health.Set(func(h *adapter.Status) { h.Busy++ }) },
		Hand:    in.hand,
		Settled: in.settled,
	})
	return in
}

// offer takes an event without blocking. done is called once, from any goroutine: nil when the event is safe, or was before.
func (in *intake) offer(r *received, done func(error)) { in.lanes.Offer(jobOf(r), done) }

// hear hands an event over and waits for what the sink says.
func (in *intake) hear(ctx context.Context, r *received) error { return in.lanes.Hear(ctx, jobOf(r)) }

// settled notes what became of an event.
func (in *intake) settled(j job, safe bool, err error) error {
	if j.message {
		in.a.places.heard(j.room, j.order, j.thread, safe, j.backfilled)
	}
	if safe {
		return nil
	}
	if in.ctx.Err() == nil {
		what := "the bot did not take an event; slack delivers it again"
		if j.r.once {
			what = "the bot did not take a command, a click or a form in time; slack shows its user an error"
		}
		in.a.log.Warn(what, "event", j.id, "error", err)
	}
	return err
}

// hand looks names up and calls the sink; what Slack does not deliver again is tried while somebody still waits for it.
func (in *intake) hand(j job) error {
	in.a.complete(in.ctx, j.r)
	if !j.r.once {
		return in.sink(in.ctx, j.r.ev)
	}
	for wait := 200 * time.Millisecond; ; wait *= 2 {
		err := in.sink(in.ctx, lanes.Copy(j.r.ev)) // what it is given is the sink's
		if err == nil || errors.Is(err, adapter.ErrRejected) || in.ctx.Err() != nil || time.Since(j.at)+wait > answerIn {
			return err
		}
		if retry.Pause(in.ctx, wait) != nil {
			return err
		}
	}
}

// complete looks up what an event only names by id, and decodes its text. What cannot be looked up in time stays as it is:
// the event is never dropped for it, and a user nobody knows anything about is of KindUnknown, which is treated as a guest.
func (a *Adapter) complete(ctx context.Context, r *received) {
	ctx, cancel := context.WithTimeout(ctx, lookupFor)
	defer cancel()
	ev := r.ev
	if ev.Room.ID != "" && ev.Room.Kind != adapter.RoomDirect && (ev.Room.Name == "" || ev.Room.Kind == adapter.RoomUnknown) {
		if found, err := a.roomByID(ctx, ev.Room.ID); err == nil {
			ev.Room.Name = found.Name
			if ev.Room.Kind == adapter.RoomUnknown {
				ev.Room.Kind = found.Kind
			}
		} else {
			a.log.Debug("a room could not be looked up", "room", ev.Room.ID, "error", err)
			if ev.Room.Kind == adapter.RoomUnknown && strings.HasPrefix(ev.Room.ID, "D") {
				ev.Room.Kind = adapter.RoomDirect
			}
		}
		if ev.Room.Kind == adapter.RoomDirect {
			ev.Room.Name = ""
		}
	}
	if ev.Self {
		ev.User.Kind = adapter.KindBot
	} else if ev.User.ID != "" && !(ev.User.Kind == adapter.KindBot && ev.User.Name != "") && !strings.HasPrefix(ev.User.ID, "B") {
		bot := ev.User.Kind == adapter.KindBot
		if found, err := a.userByID(ctx, ev.User.ID); err == nil {
			ev.User.Name, ev.User.Email, ev.User.Kind = found.Name, found.Email, found.Kind
		} else {
			a.log.Debug("a user could not be looked up", "user", ev.User.ID, "error", err)
			if r.external {
				ev.User.Kind = adapter.KindExternal
			}
		}
		if bot {
			ev.User.Kind = adapter.KindBot
		}
	}
	n := &lookupNames{a: a, ctx: ctx}
	switch ev.Kind {
	case adapter.KindMessage, adapter.KindEdit, adapter.KindTopic:
		ev.Text, ev.Mentions = decodeText(r.text, n)
		if me := a.me.Load(); me != nil {
			for _, u := range ev.Mentions {
				if u.ID == me.user {
					ev.Mentioned, ev.BotName = true, me.name
				}
			}
		}
	case adapter.KindInvocation:
		ev.Invocation.Text, ev.Mentions = decodeText(r.text, n)
	}
	for i := range ev.Files {
		f := &ev.Files[i]
		known := adapter.File{ID: f.ID, Name: f.Name, Type: f.Type}
		f.Open = a.opener(known)
	}
}

// lookupNames finds the names in a text.
type lookupNames struct {
	a     *Adapter
	ctx   context.Context
	asked int
}

func (n *lookupNames) user(id, label string) adapter.User {
	u := adapter.User{Adapter: n.a.cfg.Name, ID: id, Name: label}
	if me := n.a.me.Load(); me != nil {
		u.Tenant = me.team
		if id == me.user {
			u.Name, u.Kind = me.name, adapter.KindBot
			return u
		}
	}
	if n.asked++; n.asked <= maxNames {
		if found, err := n.a.userByID(n.ctx, id); err == nil {
			return found
		}
	}
	return u
}

func (n *lookupNames) room(id, label string) string {
	if label != "" {
		return label
	}
	if n.asked++; n.asked <= maxNames {
		if found, err := n.a.roomByID(n.ctx, id); err == nil && found.Name != "" {
			return found.Name
		}
	}
	return id
}
