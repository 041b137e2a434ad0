package mattermost

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// The bounds of the intake. Of what is over, messages are read again from the history, and the rest is a gap.
const (
	maxWaiting = 8_192 // events between the connection and the sink
	maxLane    = 1_024 // of them in one conversation
	maxTaken   = 50_000
	keepTaken  = 15 * time.Minute
	lookupFor  = 1500 * time.Millisecond
	maxNames   = 20 // mentions of one text that are looked up
	maxAsked   = 10 // files of one message whose names are looked up
)

var errBusy = errors.New("mattermost: too many events wait for the bot")

// intake stands between the connection and the sink. Whoever receives only hands over: the events of a conversation wait
// in a lane of their own and go to the sink one after the other, each until the sink takes it; an event that comes again while
// it waits, or soon after it was taken, is not handed over twice.
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
	done []func(error) // are told what the sink said
}

func newIntake(ctx context.Context, a *Adapter, sink adapter.Sink) *intake {
	return &intake{a: a, ctx: ctx, sink: sink, lanes: map[adapter.Address]*lane{}, flying: map[string]*job{}, taken: newRecent(maxTaken, keepTaken)}
}

// offer takes an event without blocking. done, if any, is called once, from any goroutine: nil when the event is safe, or was
// before.
func (in *intake) offer(r *received, done func(error)) {
	if done == nil {
		done = func(error) {}
	}
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
		ended := in.ended
		in.mu.Unlock()
		if !ended {
			in.a.overflow(r)
		}
		done(errBusy)
		return
	}
	j := &job{r: r, done: []func(error){done}}
	in.flying[id] = j
	in.waiting++
	if ev := r.ev; r.inHistory() {
		in.a.places.offered(ev.Room.ID, ev.MessageID, millisOf(ev.Order))
	}
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

// overflow counts an event that found too many waiting. A message is read again from the history; what is in none is a gap.
func (a *Adapter) overflow(r *received) {
	ev := r.ev
	a.health.set(func(h *Status) { h.Busy++ })
	if r.inHistory() {
		a.places.heard(ev.Room.ID, ev.MessageID, millisOf(ev.Order), false)
		return
	}
	if !r.until.IsZero() { // who did it is told
		return
	}
	at := a.now().UTC()
	a.gap(Gap{Room: ev.Room.ID, From: at, To: at, What: string(ev.Kind) + ": too many events waited for the bot"})
}

// inHistory tells whether the history of its room gives such an event again.
func (r *received) inHistory() bool {
	return (r.ev.Kind == adapter.KindMessage || r.ev.Kind == adapter.KindTopic) && !r.placeless
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

		ev := j.r.ev
		id, room, message, at := ev.ID, ev.Room.ID, ev.MessageID, millisOf(ev.Order)
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
		if j.r.inHistory() {
			in.a.places.heard(room, message, at, safe)
		}
		if safe {
			err = nil
		}
		for _, f := range done {
			f(err)
		}
	}
}

// hand looks names up and calls the sink until it takes the event: Mattermost does not deliver again. Somebody who waits for the
// answer is told when the time is over.
func (in *intake) hand(j *job) error {
	in.a.complete(in.ctx, j.r)
	kept := j.r.ev
	for wait, n := 200*time.Millisecond, 1; ; wait, n = min(2*wait, maxRetry), n+1 {
		err := in.sink(in.ctx, copyOf(kept)) // what it is given is the sink's
		if err == nil || errors.Is(err, adapter.ErrRejected) || in.ctx.Err() != nil {
			return err
		}
		if !j.r.until.IsZero() && time.Until(j.r.until) < wait {
			in.a.log.Warn("the bot did not take a command or a click in time", "event", kept.ID, "error", err)
			return err
		}
		if n&(n-1) == 0 { // the first, second, fourth, ...
			in.a.log.Warn("the bot did not take an event; it is tried again", "event", kept.ID, "times", n, "error", err)
		}
		if pause(in.ctx, wait) != nil {
			return err
		}
	}
}

// copyOf copies an event with all that it points to.
func copyOf(ev *adapter.Event) *adapter.Event {
	c := *ev
	c.Mentions, c.Files, c.Raw = slices.Clone(ev.Mentions), slices.Clone(ev.Files), bytes.Clone(ev.Raw)
	if ev.Invocation != nil {
		i := *ev.Invocation
		i.Options = maps.Clone(i.Options)
		c.Invocation = &i
	}
	if ev.Click != nil {
		k := *ev.Click
		c.Click = &k
	}
	if ev.Reaction != nil {
		r := *ev.Reaction
		c.Reaction = &r
	}
	return &c
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

// had tells whether an event was taken, or is on its way.
func (in *intake) had(id string) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.flying[id] != nil || in.taken.has(id, time.Now())
}

// size counts what waits.
func (in *intake) size() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.waiting
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
