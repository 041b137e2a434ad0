package slack

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	givenUp    = 8 * time.Minute // after a failure Slack has made its last attempt
	maxPlaces  = 20_000
	maxThreads = 20  // threads of a room whose replies are looked for
	maxRoots   = 50  // of them with those in which something was not taken: a stored place is under 1 KiB
	maxFailed  = 100 // messages of a room that are remembered as not taken
)

// places are how far each room was heard.
type places struct {
	store Positions // nil: memory only

	mu     sync.Mutex
	loaded bool // the store was read
	gap    int  // how many gaps there were: a filling of an earlier one does not end a later one
	rooms  map[string]*place
}

// place is how far one room was heard.
type place struct {
	stable  string            // everything up to here was taken by the bot; what is stored
	top     string            // the newest that was taken
	failed  map[string]missed // newer ones that were not
	over    time.Time         // when one more was not than are remembered; zero: none
	frozen  bool              // a gap is being filled: stable stays
	known   bool              // what the store has of it was read: it is not written over before
	threads []string          // roots of the threads last spoken in, newest last
	dirty   bool
}

// missed is a message that was not taken.
type missed struct {
	at     time.Time // when it was not taken last
	thread string
}

func (p *places) init(store Positions) { p.store, p.rooms = store, map[string]*place{} }

// older compares message stamps.
func older(a, b string) bool {
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}

// heard notes that a message of a room was taken, or was not.
func (p *places) heard(room, ts, thread string, safe, backfilled bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pl := p.rooms[room]
	if pl == nil {
		if len(p.rooms) >= maxPlaces {
			return
		}
		pl = &place{frozen: !p.loaded}
		p.rooms[room] = pl
	}
	if thread != "" && safe {
		pl.threads = append(slices.DeleteFunc(pl.threads, func(t string) bool { return t == thread }), thread)
		if len(pl.threads) > maxThreads {
			pl.threads = slices.Delete(pl.threads, 0, 1)
		}
	}
	if !safe {
		if !backfilled { // else the filling itself stops there
			pl.miss(ts, missed{time.Now(), thread})
		}
		return
	}
	delete(pl.failed, ts)
	if older(pl.top, ts) {
		pl.top = ts
	}
	pl.advance()
}

// miss notes a message that was not taken.
func (pl *place) miss(ts string, m missed) {
	if pl.failed == nil {
		pl.failed = map[string]missed{}
	}
	if _, ok := pl.failed[ts]; ok || len(pl.failed) < maxFailed {
		pl.failed[ts] = m
	} else {
		pl.over = m.at
	}
	pl.back(ts)
	pl.dirty = true // its thread is stored
}

// back moves stable before a message that was not taken: it may be older than what was taken since, or the first of its room.
func (pl *place) back(ts string) {
	if !pl.frozen && (pl.stable == "" || !older(pl.stable, ts)) {
		pl.stable, pl.dirty = before(ts), true
	}
}

// thaw lets stable move again.
func (pl *place) thaw() {
	pl.frozen = false
	for ts := range pl.failed {
		pl.back(ts)
	}
	pl.advance()
}

// advance moves stable on, where nothing is open.
func (pl *place) advance() {
	if !pl.frozen && len(pl.failed) == 0 && pl.over.IsZero() && older(pl.stable, pl.top) {
		pl.stable, pl.dirty = pl.top, true
	}
}

// roots are the threads that are read beside the room.
func (pl *place) roots() []string {
	roots := slices.Clone(pl.threads)
	for _, m := range pl.failed {
		if m.thread != "" && len(roots) < maxRoots && !slices.Contains(roots, m.thread) {
			roots = append(roots, m.thread)
		}
	}
	return roots
}

// before is the stamp just before ts.
func before(ts string) string { return stampOf(stampTime(ts).Add(-time.Microsecond)) }

// freeze keeps all places where they are until their gap is filled, and names that gap.
func (p *places) freeze() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gap++
	for _, pl := range p.rooms {
		pl.frozen = true
	}
	return p.gap
}

// value is what is stored of a place: the stamp, and the threads behind spaces.
func (pl *place) value() string {
	return strings.TrimSpace(pl.stable + " " + strings.Join(pl.roots(), " "))
}

func placeKey(room string) string { return "position/" + room }

// load reads the place of a room from the store, where memory does not have it. now is where a room begins that was never
// heard. It tells whether there is anything to fill.
func (p *places) load(ctx context.Context, room, now string) (fill bool, err error) {
	p.mu.Lock()
	pl := p.rooms[room]
	have := pl != nil && pl.stable != "" && (pl.known || p.store == nil)
	full := pl == nil && len(p.rooms) >= maxPlaces
	p.mu.Unlock()
	if have || full {
		return have, nil
	}
	stored, err := p.stored(ctx, room)
	if err != nil {
		return false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if pl = p.rooms[room]; pl == nil {
		pl = &place{}
		p.rooms[room] = pl
	}
	pl.frozen = true
	if pl.learn(stored) || pl.stable != "" {
		return true, nil
	}
	pl.stable, pl.dirty = now, true
	pl.thaw()
	return false, nil
}

// stored gives what the store has of a room.
func (p *places) stored(ctx context.Context, room string) (string, error) {
	if p.store == nil {
		return "", nil
	}
	return p.store.Get(ctx, placeKey(room))
}

// learn takes what the store has of a place, and tells whether it is older than what memory has.
func (pl *place) learn(stored string) bool {
	pl.known = true
	parts := strings.Fields(stored)
	if len(parts) == 0 || stampTime(parts[0]).IsZero() || pl.stable != "" && !older(parts[0], pl.stable) {
		return false
	}
	pl.stable = parts[0]
	for _, t := range parts[1:] {
		if !slices.Contains(pl.threads, t) && len(pl.threads) < maxRoots {
			pl.threads = append(pl.threads, t)
		}
	}
	return true
}

// again has the room read from its place on, as soon as there is time for it.
func (pl *place) again() {
	pl.miss(stampOf(stampTime(pl.stable).Add(time.Microsecond)), missed{at: time.Unix(0, 0)})
}

// catchUp reads what the store has of rooms that were heard and could not be loaded. What was missed there is read again.
func (p *places) catchUp(ctx context.Context) error {
	var rooms []string
	var failed error
	p.mu.Lock()
	for room, pl := range p.rooms {
		if p.loaded && !pl.known && pl.stable != "" {
			rooms = append(rooms, room)
		}
	}
	p.mu.Unlock()
	for _, room := range rooms {
		stored, err := p.stored(ctx, room)
		if err != nil {
			failed = err
			continue
		}
		p.mu.Lock()
		if pl := p.rooms[room]; pl.learn(stored) || pl.frozen {
			pl.again()
		}
		p.mu.Unlock()
	}
	return failed
}

// filling is the reading of what was said in a room since its place.
type filling struct {
	room    string
	after   string // where it begins; "" is nowhere
	threads []string
	gap     int
	begun   time.Time // what was not taken before it is in the history, or is no more
}

// begin begins the filling of a room.
func (p *places) begin(room string) filling {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := filling{room: room, gap: p.gap, begun: time.Now()}
	if pl := p.rooms[room]; pl != nil {
		pl.frozen = true
		f.after, f.threads = pl.stable, pl.roots()
	}
	return f
}

// filled ends the filling of a room: all up to upTo was taken, and with whole there was nothing after it.
func (p *places) filled(f filling, upTo string, whole bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pl := p.rooms[f.room]
	if pl == nil || f.gap != p.gap {
		return
	}
	if older(pl.stable, upTo) {
		pl.stable, pl.dirty = upTo, true
	}
	if whole {
		maps.DeleteFunc(pl.failed, func(_ string, m missed) bool { return m.at.Before(f.begun) })
		if pl.over.Before(f.begun) {
			pl.over = time.Time{}
		}
		if older(pl.top, pl.stable) {
			pl.top = pl.stable
		}
	} else { // stable stays, and keepPlaces tries again
		pl.miss(stampOf(stampTime(upTo).Add(time.Microsecond)), missed{at: time.Now()})
	}
	pl.thaw()
}

// openRooms gives the rooms with messages that the bot did not take and Slack has given up.
func (p *places) openRooms(now time.Time) (rooms []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for room, pl := range p.rooms {
		open := !pl.over.IsZero() && now.Sub(pl.over) > givenUp
		for _, m := range pl.failed {
			open = open || now.Sub(m.at) > givenUp
		}
		if open {
			rooms = append(rooms, room)
		}
	}
	slices.Sort(rooms)
	return rooms
}

// save stores what has changed.
func (p *places) save(ctx context.Context) error {
	if p.store == nil {
		return nil
	}
	unread := p.catchUp(ctx)
	p.mu.Lock()
	changed := map[string]string{}
	for room, pl := range p.rooms {
		if pl.dirty && pl.known && pl.stable != "" {
			changed[room], pl.dirty = pl.value(), false
		}
	}
	p.mu.Unlock()
	var failed error
	for room, v := range changed {
		err := failed
		if err == nil {
			err = p.store.Set(ctx, placeKey(room), v)
		}
		if err != nil {
			failed = err
			p.mu.Lock()
			if pl := p.rooms[room]; pl != nil {
				pl.dirty = true
			}
			p.mu.Unlock()
		}
	}
	return errors.Join(unread, failed)
}

// thaw ends a gap whose rooms are not known: those that were heard before are read again.
func (p *places) thaw(gap int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if gap != p.gap {
		return
	}
	p.loaded = true
	for _, pl := range p.rooms {
		if pl.stable != "" {
			pl.again()
		}
		pl.thaw()
	}
}

func (p *places) allLoaded() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loaded = true
	for _, pl := range p.rooms { // rooms that are not in the list: direct ones that just began
		if pl.stable == "" {
			pl.thaw()
		}
	}
}
