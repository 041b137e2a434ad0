package discord

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/lanes"
	"github.com/starlingbot/starling/internal/retry"
)

// The bounds of the intake. Messages that are over are read from the room's history later; what else is over is lost, and
// reported as a gap.
const (
	maxWaiting = 4_096 // events between the connection and the sink
	maxLane    = 512   // of them in one room or thread
	lookupFor  = 1500 * time.Millisecond
	maxNames   = 20 // names of one text that are looked up
	sinkRetry  = 200 * time.Millisecond
)

var errBusy = errors.New("discord: too many events wait for the bot")

// intake stands between the connection and the sink. Whoever receives only hands over: the events of a room or thread wait
// in a lane of their own and go to the sink one after the other, each until the sink has taken it, because Discord never
// delivers it again; one that is delivered twice is not handed over twice.
type intake struct {
	a     *Adapter
	ctx   context.Context // of the sink; ends with Run
	sink  adapter.Sink
	lanes *lanes.Lanes[string, job] // by channel

	completing chan struct{} // cap maxCompleting
	filler     chan struct{} // cap 1: gaps are filled one after the other, they share Discord's limits
	fills      atomic.Int64  // gaps that are being filled
}

// job is an event on its way, with what is known of it when the event is the sink's.
type job struct {
	r       *received
	id      string
	message string // its id; "" for another kind of event
	direct  bool
}

func jobOf(r *received) job {
	j := job{r: r, id: r.ev.ID, direct: r.ev.Room.Kind == adapter.RoomDirect}
	if r.ev.Kind == adapter.KindMessage {
		j.message = r.ev.MessageID
	}
	return j
}

func newIntake(ctx context.Context, a *Adapter, sink adapter.Sink) *intake {
	in := &intake{a: a, ctx: ctx, sink: sink, filler: make(chan struct{}, 1), completing: make(chan struct{}, maxCompleting)}
	in.lanes = lanes.New(ctx, lanes.Rules[string, job]{
		Waiting: maxWaiting, Lane: maxLane, Busy: errBusy,
		Key: func(j job) (string, string) { return j.id, j.r.channel },
		// A live message behind one that was left out waits for the reading of the history too, so that the order stays.
		Admit: func(j job, full bool) bool {
			ev := j.r.ev
			return ev.Kind != adapter.KindMessage || ev.Backfilled || !a.places.leave(j.r.channel, full)
		},
		Refused: func(job, bool) { a.health.Set(func(h *adapter.Status) { h.Busy++ }) },
		Hand:    in.hand,
		Settled: func(j job, safe bool, err error) error {
			if j.message != "" && safe {
				a.places.heard(j.r.channel, j.message, j.direct)
			}
			if safe && j.r.answer == nil {
				return nil
			}
			return err
		},
	})
	return in
}

// offer takes an event without blocking. done is called once, from any goroutine: nil when the event is safe, or was before.
func (in *intake) offer(r *received, done func(error)) { in.lanes.Offer(jobOf(r), done) }

// live offers what came over the gateway.
func (in *intake) live(r *received) {
	kind, room := r.ev.Kind, r.channel
	in.offer(r, func(err error) {
		if errors.Is(err, errBusy) && kind != adapter.KindMessage {
			now := in.a.now().UTC()
			in.a.health.Gap(Gap{Room: room, From: now, To: now, What: string(kind) + ": too many events waited for the bot"})
		}
	})
}

// hand looks names up and calls the sink until it has taken the event. An interaction is tried for as long as its user
// waits.
func (in *intake) hand(j job) error {
	in.a.complete(in.ctx, j.r)
	kept := j.r.ev
	for wait, told := sinkRetry, false; ; wait = min(2*wait, retry.Max) {
		if j.r.answer != nil && !j.r.answer.waits() {
			return errLate
		}
		err := in.sink(in.ctx, lanes.Copy(kept)) // what it is given is the sink's
		if err == nil || errors.Is(err, adapter.ErrRejected) || in.ctx.Err() != nil {
			return err
		}
		if !told {
			told = true
			in.a.log.Warn("the bot did not take an event; it is offered again until it does", "event", kept.ID, "error", err)
		}
		if retry.Pause(in.ctx, retry.Jitter(wait)) != nil {
			return err
		}
	}
}

// hear hands an event over and waits until it is taken, also for a place in the queue.
func (in *intake) hear(ctx context.Context, r *received) error {
	for {
		err := in.lanes.Hear(ctx, jobOf(r))
		if !errors.Is(err, errBusy) {
			return err
		}
		if retry.Pause(ctx, time.Second) != nil {
			return err
		}
	}
}
