package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// The bounds of the intake. What is over is not acknowledged: Slack delivers it again.
const (
	maxWaiting = 4_096 // events between the connection and the sink
	maxLane    = 512   // of them in one conversation
	maxTaken   = 50_000
	keepTaken  = 15 * time.Minute // Slack's last retry comes 6 minutes after the first delivery
	lookupFor  = 1500 * time.Millisecond
	answerIn   = 2500 * time.Millisecond // Slack waits 3 s for an acknowledgement
	maxNames   = 20                      // mentions of one text that are looked up
)

var errBusy = errors.New("slack: too many events wait for the bot")

// intake stands between the connection and the sink. Whoever receives only hands over: the events of a conversation wait
// in a lane of their own and go to the sink one after the other; an event that is delivered again while it waits, or soon
// after it was taken, is not handed over twice.
type intake struct {
	a    *Adapter
	ctx  context.Context // of the sink; ends with Run
	sink adapter.Sink

	mu      sync.Mutex
	lanes   map[adapter.Address]*lane
	flying  map[string]*job // by event id: waiting or with the sink
	taken   recent
	waiting int
	ended   bool
	wg      sync.WaitGroup
}

type lane struct{ jobs []*job }

// job is an event on its way.
type job struct {
	r    *received
	at   time.Time
	done []func(error) // are told what the sink said
}

func newIntake(ctx context.Context, a *Adapter, sink adapter.Sink) *intake {
	return &intake{a: a, ctx: ctx, sink: sink, lanes: map[adapter.Address]*lane{}, flying: map[string]*job{}, taken: newRecent(maxTaken, keepTaken)}
}

// offer takes an event without blocking. done is called once, from any goroutine: nil when the event is safe, or was before.
func (in *intake) offer(r *received, done func(error)) {
	id := r.ev.ID
	in.mu.Lock()
	if in.taken.has(id, time.Now()) {
		in.mu.Unlock()
		done(nil)
		return
	}
	if j := in.flying[id]; j != nil {
		if len(j.done) < 16 {
			j.done = append(j.done, done)
			in.mu.Unlock()
			return
		}
		in.mu.Unlock()
		done(errBusy)
		return
	}
	to := r.ev.Address()
	l := in.lanes[to]
	if in.ended || in.waiting >= maxWaiting || l != nil && len(l.jobs) >= maxLane {
		in.mu.Unlock()
		in.a.health.set(func(h *Status) { h.Busy++ })
		done(errBusy)
		return
	}
	j := &job{r: r, at: time.Now(), done: []func(error){done}}
	in.flying[id] = j
	in.waiting++
	if l != nil {
		l.jobs = append(l.jobs, j)
		in.mu.Unlock()
		return
	}
	l = &lane{jobs: []*job{j}}
	in.lanes[to] = l
	in.wg.Go(func() { in.drive(to, l) })
	in.mu.Unlock()
}

// drive hands the events of a lane to the sink until none is left.
func (in *intake) drive(to adapter.Address, l *lane) {
	for {
		in.mu.Lock()
		if len(l.jobs) == 0 {
			delete(in.lanes, to)
			in.mu.Unlock()
			return
		}
		j := l.jobs[0]
		l.jobs[0] = nil
		l.jobs = l.jobs[1:]
		in.mu.Unlock()

		id, ev := j.r.ev.ID, j.r.ev
		room, order, thread, kind, backfilled := ev.Room.ID, ev.Order, ev.Thread, ev.Kind, ev.Backfilled // the event is the sink's after the call
		err := in.ctx.Err()
		if err == nil {
			err = in.hand(j)
		}
		safe := err == nil || errors.Is(err, adapter.ErrRejected)

		in.mu.Lock()
		delete(in.flying, id)
		in.waiting--
		if safe {
			in.taken.add(id, time.Now())
		}
		done := j.done
		in.mu.Unlock()
		if kind == adapter.KindMessage {
			in.a.places.heard(room, order, thread, safe, backfilled)
		}
		if !safe && in.ctx.Err() == nil {
			in.a.log.Warn("the bot did not take an event; slack delivers it again", "event", id, "error", err)
		}
		if safe {
			err = nil
		}
		for _, f := range done {
			f(err)
		}
	}
}

// hand looks names up and calls the sink; what Slack does not deliver again is tried while somebody still waits for it.
func (in *intake) hand(j *job) error {
	in.a.complete(in.ctx, j.r)
	if !j.r.once {
		return in.sink(in.ctx, j.r.ev)
	}
	keep, err := json.Marshal(j.r.ev)
	if err != nil {
		return fmt.Errorf("%w: %w", adapter.ErrRejected, err)
	}
	for wait := 200 * time.Millisecond; ; wait *= 2 {
		err := in.sink(in.ctx, j.r.ev)
		if err == nil || errors.Is(err, adapter.ErrRejected) || in.ctx.Err() != nil || time.Since(j.at)+wait > answerIn {
			return err
		}
		if pause(in.ctx, wait) != nil {
			return err
		}
		var again adapter.Event // the one before belongs to the sink
		if json.Unmarshal(keep, &again) != nil {
			return err
		}
		j.r.ev = &again
	}
}

// hear hands an event over and waits for what the sink says.
func (in *intake) hear(ctx context.Context, r *received) error {
	done := make(chan error, 1)
	in.offer(r, func(err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wait waits until no sink is called any more. The context of Run has ended.
func (in *intake) wait() {
	in.mu.Lock()
	in.ended = true
	in.mu.Unlock()
	in.wg.Wait()
}

// recent remembers ids for a time, at least; at the bound the older half goes.
type recent struct {
	now, old map[string]struct{}
	since    time.Time
	max      int
	keep     time.Duration
}

func newRecent(limit int, keep time.Duration) recent {
	return recent{now: map[string]struct{}{}, old: map[string]struct{}{}, since: time.Now(), max: limit / 2, keep: keep}
}

func (r *recent) turn(now time.Time) {
	if now.Sub(r.since) > r.keep || len(r.now) >= r.max {
		r.old, r.now, r.since = r.now, map[string]struct{}{}, now
	}
}

func (r *recent) add(id string, now time.Time) {
	r.turn(now)
	r.now[id] = struct{}{}
}

func (r *recent) has(id string, now time.Time) bool {
	r.turn(now)
	if _, ok := r.now[id]; ok {
		return true
	}
	_, ok := r.old[id]
	return ok
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
