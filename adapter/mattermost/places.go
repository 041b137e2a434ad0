package mattermost

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mattermost/mattermost-server/v6/model"
)

const (
	maxPlaces = 20_000
	// overlap is how far behind the newest message a filling begins: two posts that are made at once may be delivered in an order
	// that is not that of their times.
	overlap    = 5_000            // milliseconds
	maxRecent  = 64               // messages of the overlap that a place knows by id
	shortID    = 10               // characters of the digest of an id that is kept: 60 bits
	tryAgain   = 15 * time.Second // after a failure the history is read for what was not taken
	saveEvery  = 5 * time.Second
	settled    = 2 * time.Second // after a message, for another of the same moment to come
	placeStart = "position/"
)

// places are how far each room was heard.
type places struct {
	store Positions // nil: memory only

	mu     sync.Mutex
	loaded bool // the store was read
	gap    int  // how many gaps there were: a filling of an earlier one does not end a later one
	rooms  map[string]*place
}

// place is how far one room was heard. Times are milliseconds of the server's clock.
type place struct {
	stable   int64            // everything up to here, but for the overlap, was taken by the bot; what is stored
	top      int64            // the newest that was taken
	floor    int64            // nothing before it is for the bot: it was said before the bot came
	recent   []heard          // what was taken in the overlap before top, oldest first
	open     map[string]int64 // what is on its way to the bot
	failed   int64            // the oldest message, or change of one, that was not taken; 0: none
	failedAt time.Time
	filling  int64 // failed, while a filling is to bring it
	frozen   bool  // a gap is being filled: stable stays
	tookAt   time.Time
	fresh    bool  // the room is read whenever it is loaded: it was stored shortly after a message, so that another of the same moment may not have come, or before something was taken
	known    bool  // what the store has of it was read
	first    int64 // the oldest message that came; what is as new as it was said after the bot came
	dirty    bool
}

// heard is a message that was taken.
type heard struct {
	id string
	at int64
}

func (p *places) init(store Positions) { p.store, p.rooms = store, map[string]*place{} }

// short is what is kept of an id.
func short(id string) string {
	sum := sha256.Sum256([]byte(id))
	return base64.RawURLEncoding.EncodeToString(sum[:])[:shortID]
}

// room gives the place of a room, nil where there are too many. It is called with p.mu held.
func (p *places) room(id string) *place {
	pl := p.rooms[id]
	if pl == nil && len(p.rooms) < maxPlaces {
		pl = &place{frozen: !p.loaded, open: map[string]int64{}}
		p.rooms[id] = pl
	}
	return pl
}

// offered notes that a message is on its way to the bot, or by the id of its event a change of one.
func (p *places) offered(room, id string, at int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pl := p.room(room); pl != nil && at > 0 {
		pl.came(at)
		pl.open[id] = at
		pl.back(at)
	}
}

// came notes that a message came.
func (pl *place) came(at int64) {
	if pl.first == 0 {
		pl.first = at
	}
	pl.first = min(pl.first, at)
	if pl.floor > at {
		pl.floor, pl.dirty = at, true
	}
}

// back moves stable before a message that is not taken.
func (pl *place) back(at int64) {
	if !pl.frozen && pl.stable >= at {
		pl.stable, pl.dirty = at-1, true
	}
}

// heard notes that what was offered was taken, or was not.
func (p *places) heard(room, id string, at int64, safe bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pl := p.room(room)
	if pl == nil || at <= 0 {
		return
	}
	pl.came(at)
	delete(pl.open, id)
	if safe {
		pl.take(id, at)
	} else {
		pl.miss(at)
	}
	pl.advance()
}

// miss notes what was not taken.
func (pl *place) miss(at int64) {
	if pl.failed == 0 {
		pl.failed, pl.failedAt = at, time.Now()
	}
	pl.failed = min(pl.failed, at)
	pl.back(at)
}

// take remembers a message that was taken.
func (pl *place) take(id string, at int64) {
	pl.top, pl.tookAt = max(pl.top, at), time.Now()
	if at < pl.top-overlap {
		return
	}
	i, _ := slices.BinarySearchFunc(pl.recent, at+1, func(h heard, at int64) int { return int(h.at - at) })
	pl.recent = slices.Insert(pl.recent, i, heard{short(id), at})
	drop := 0
	for drop < len(pl.recent) && (len(pl.recent)-drop > maxRecent || pl.recent[drop].at < pl.top-overlap) {
		drop++
	}
	pl.recent = slices.Delete(pl.recent, 0, drop)
	pl.dirty = true
}

// advance moves stable on, up to what is not taken yet.
func (pl *place) advance() {
	if limit := pl.before(pl.top + 1); !pl.frozen && pl.stable < limit {
		pl.stable, pl.dirty = limit, true
	}
}

// begin is the time from which on messages are read: those at it too.
func (pl *place) begin() int64 {
	from := pl.stable - overlap
	if len(pl.recent) >= maxRecent { // what is older is not known by id any more
		from = max(from, min(pl.recent[0].at, pl.stable))
	}
	for _, at := range [...]int64{pl.failed, pl.filling} {
		if at > 0 {
			from = min(from, at)
		}
	}
	return max(from, pl.floor, 1)
}

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

// value is what is stored of a place: its time, behind a dot its floor while that matters, a plus if it is fresh, and what was
// taken last.
func (pl *place) value() string {
	var b strings.Builder
	b.WriteString(strconv.FormatInt(pl.stable, 10))
	if pl.floor > pl.stable-overlap {
		b.WriteString("." + strconv.FormatInt(pl.floor, 10))
	}
	if pl.fresh {
		b.WriteString("+")
	}
	for _, h := range pl.recent {
		b.WriteString(" " + h.id)
	}
	return b.String()
}

// parse reads what value gave.
func (pl *place) parse(value string) bool {
	parts := strings.Fields(value)
	if len(parts) == 0 {
		return false
	}
	head, fresh := strings.CutSuffix(parts[0], "+")
	_, floor, _ := strings.Cut(head, ".")
	at := millisOf(head)
	if at <= 0 {
		return false
	}
	pl.stable, pl.floor, pl.fresh = at, millisOf(floor), fresh
	for _, id := range parts[1:min(len(parts), maxRecent+1)] {
		pl.recent = append(pl.recent, heard{id, at})
	}
	slices.SortStableFunc(pl.recent, func(a, b heard) int { return int(a.at - b.at) })
	return true
}

// load reads the place of a room from the store, where memory does not have it. A room that was never heard begins at begin, with
// nothing to fill if fresh. It tells whether there is anything to fill.
func (p *places) load(ctx context.Context, room string, begin int64, fresh bool) (fill bool, err error) {
	p.mu.Lock()
	pl := p.rooms[room]
	have := pl != nil && pl.stable > 0
	full := pl == nil && len(p.rooms) >= maxPlaces
	p.mu.Unlock()
	if have || full {
		return have, nil
	}
	stored := ""
	if p.store != nil && model.IsValidId(room) {
		if stored, err = p.store.Get(ctx, placeStart+room); err != nil {
			return false, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if pl = p.room(room); pl == nil {
		return false, nil
	}
	pl.frozen = true
	pl.known = true
	if pl.parse(stored) {
		return true, nil
	}
	from := begin
	if pl.first > 0 {
		from = min(from, pl.first-1)
	}
	pl.stable, pl.floor, pl.dirty = from, from+1, true
	return !fresh || pl.failed > 0, nil
}

// before is the moment before at, or before the oldest message that is not taken.
func (pl *place) before(at int64) int64 {
	for _, open := range pl.open {
		at = min(at, open)
	}
	for _, missed := range [...]int64{pl.failed, pl.filling} {
		if missed > 0 {
			at = min(at, missed)
		}
	}
	return at - 1
}

// behind tells whether a room has something to fill: something was said there after what was taken last, or so shortly before the
// connection was lost, or the store read, that what was made at the same moment may not have come.
func (p *places) behind(room string, lastPost, lost int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	pl := p.rooms[room]
	return pl != nil && (lastPost > pl.stable || lastPost >= lost-overlap || pl.fresh || pl.failed > 0 || pl.filling > 0 || len(pl.open) > 0)
}

// from gives where the filling of a room begins, and what is known of it.
func (p *places) from(room string) (begin int64, known map[string]bool, gap int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pl := p.rooms[room]
	if pl == nil || pl.stable <= 0 {
		return 0, nil, p.gap
	}
	pl.frozen = true
	if pl.failed > 0 && (pl.filling == 0 || pl.failed < pl.filling) {
		pl.filling = pl.failed
	}
	pl.failed = 0
	known = map[string]bool{}
	for _, h := range pl.recent {
		known[h.id] = true
	}
	return pl.begin(), known, p.gap
}

// filled ends the filling of a room: all up to next was taken, and with whole there is nothing after it that was said before the
// filling began; else it is tried again from next on.
func (p *places) filled(room string, next int64, whole bool, gap int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pl := p.rooms[room]
	if pl == nil || gap != p.gap {
		return
	}
	pl.frozen, pl.filling = false, 0
	if whole {
		pl.top = max(pl.top, next)
	} else {
		pl.miss(max(next, 1))
	}
	pl.advance()
}

// openRooms gives the rooms with messages that the bot did not take a while ago.
func (p *places) openRooms(now time.Time) (rooms []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for room, pl := range p.rooms {
		if pl.failed > 0 && !pl.frozen && now.Sub(pl.failedAt) > tryAgain {
			rooms = append(rooms, room)
		}
	}
	slices.Sort(rooms)
	return rooms
}

// thaw ends a gap for all rooms but those that are to be filled.
func (p *places) thaw(gap int, fill []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if gap != p.gap {
		return
	}
	p.loaded = true
	for room, pl := range p.rooms {
		if !slices.Contains(fill, room) {
			pl.frozen = false
			pl.advance()
		}
	}
}

// save stores what has changed.
func (p *places) save(ctx context.Context) error {
	if p.store == nil {
		return nil
	}
	changed, err := p.unread(ctx)
	if err != nil {
		return err
	}
	p.mu.Lock()
	for room, pl := range p.rooms {
		fresh := time.Since(pl.tookAt) < settled || len(pl.open) > 0 || pl.failed > 0 || pl.filling > 0 || pl.frozen && pl.fresh
		if (pl.dirty || pl.fresh != fresh) && pl.known && pl.stable > 0 && model.IsValidId(room) {
			pl.fresh = fresh
			changed[room], pl.dirty = pl.value(), false
		}
	}
	p.mu.Unlock()
	var failed error
	for room, v := range changed {
		err := failed
		if err == nil {
			err = p.store.Set(ctx, placeStart+room, v)
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
	return failed
}

// unread gives what is to be stored of rooms that have a message which was not taken before the store was read: the older one of
// the two positions.
func (p *places) unread(ctx context.Context) (changed map[string]string, err error) {
	changed = map[string]string{}
	missed := map[string]int64{}
	p.mu.Lock()
	for room, pl := range p.rooms {
		if !pl.known && pl.failed > 0 && model.IsValidId(room) {
			missed[room] = pl.failed
		}
	}
	p.mu.Unlock()
	for room, at := range missed {
		stored, err := p.store.Get(ctx, placeStart+room)
		if err != nil {
			return nil, err
		}
		var was place
		if !was.parse(stored) || was.stable >= at {
			changed[room] = (&place{stable: at - 1, floor: at}).value()
		}
	}
	return changed, nil
}
