package discord

import (
	"context"
	"strings"
	"sync"
	"time"
)

const (
	maxPlaces  = 20_000
	maxDirects = 200 // direct rooms that are read after a restart: Discord does not list them
	directPage = 40  // of them in one stored value
	serverWait = 5 * time.Minute
)

// places are how far each room and thread was heard.
type places struct {
	store Positions // nil: memory only

	mu      sync.Mutex
	gap     int       // how many gaps there were: a filling of an earlier one does not end a later one
	filling time.Time // since when one is being filled; zero: none is
	all     map[string]*place
	since   string   // rooms that were never heard have been heard up to here
	kept    string   // what is stored of since
	directs []string // direct rooms, the one last heard last
	moved   bool     // directs have changed
}

// place is how far one room or thread was heard. Its events reach the sink one after the other, so one id tells.
type place struct {
	stable string // everything up to here was taken by the bot; what is stored
	top    string // the newest that was taken
	frozen bool   // a gap is being filled: stable stays
	missed int    // messages that were left out: too many waited
	unread bool   // its history, or what is stored of it, could not be read: stable stays until it is
	dirty  bool
}

func (p *places) init(store Positions) { p.store, p.all = store, map[string]*place{} }

// at gives the place of a channel, making it; nil at the bound. It is called with p.mu held.
func (p *places) at(channel string) *place {
	pl := p.all[channel]
	if pl == nil && len(p.all) < maxPlaces {
		pl = &place{frozen: !p.filling.IsZero()} // what was said there before comes first
		p.all[channel] = pl
	}
	return pl
}

// heard notes that a message was taken.
func (p *places) heard(channel, id string, direct bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pl := p.at(channel)
	if pl == nil {
		return
	}
	if older(pl.top, id) {
		pl.top = id
	}
	pl.advance()
	if direct && (len(p.directs) == 0 || p.directs[len(p.directs)-1] != channel) {
		for i, d := range p.directs {
			if d == channel {
				p.directs = append(p.directs[:i], p.directs[i+1:]...)
				break
			}
		}
		p.directs, p.moved = append(p.directs, channel), true
		if len(p.directs) > maxDirects {
			p.directs = p.directs[1:]
		}
	}
}

// advance moves stable on, where nothing is open.
func (pl *place) advance() {
	if !pl.frozen && !pl.unread && pl.missed == 0 && older(pl.stable, pl.top) {
		pl.stable, pl.dirty = pl.top, true
	}
}

// leave tells whether a live message is to be left out: must, or because one before it was.
func (p *places) leave(channel string, must bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	pl := p.all[channel]
	if pl == nil && must {
		pl = p.at(channel)
	}
	if pl == nil || !must && pl.missed == 0 {
		return must
	}
	pl.missed++
	return true
}

// open gives the channels in which messages were left out.
func (p *places) open() (list []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for channel, pl := range p.all {
		if pl.missed > 0 {
			list = append(list, channel)
		}
	}
	return list
}

// freeze keeps all places where they are until their gap is filled, and names that gap.
func (p *places) freeze() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gap++
	p.filling = time.Now()
	for _, pl := range p.all {
		pl.frozen = true
	}
	return p.gap
}

// thaw lets all places go on that are still frozen: there was nothing to fill, or it cannot be.
func (p *places) thaw(gap int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if gap == p.gap {
		p.melt()
	}
}

func (p *places) melt() {
	p.filling = time.Time{}
	for _, pl := range p.all {
		pl.frozen = false
		pl.advance()
	}
}

// giveUp ends a filling that waits for servers which do not come.
func (p *places) giveUp(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.filling.IsZero() && now.Sub(p.filling) > serverWait {
		p.melt()
	}
}

// begin gives from where on a channel is read, and how many messages were left out until now.
func (p *places) begin(channel string) (after string, missed int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pl := p.all[channel]
	if pl == nil {
		return p.since, 0
	}
	pl.frozen = true
	if pl.stable == "" {
		return p.since, pl.missed
	}
	return pl.stable, pl.missed
}

// filled ends the reading of a channel: all up to upTo was taken. It tells whether more was left out meanwhile, so that it
// must be read again.
func (p *places) filled(channel, upTo string, whole bool, missed int) (again bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pl := p.at(channel)
	if pl == nil {
		return false
	}
	if older(pl.stable, upTo) {
		pl.stable, pl.dirty = upTo, true
	}
	if !whole {
		return false
	}
	if pl.missed > missed {
		return true
	}
	pl.missed, pl.frozen, pl.unread = 0, false, false
	if older(pl.top, pl.stable) {
		pl.top = pl.stable
	}
	pl.advance()
	return false
}

// later notes that a channel could not be read. Live messages go on meanwhile.
func (p *places) later(channel string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pl := p.at(channel); pl != nil {
		pl.unread = true
	}
}

// unreadable gives the channels that could not be read.
func (p *places) unreadable() (list []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for channel, pl := range p.all {
		if pl.unread {
			list = append(list, channel)
		}
	}
	return list
}

// quiet notes that everything up to an id was taken, in rooms too that nobody speaks in.
func (p *places) quiet(upTo string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.filling.IsZero() && p.since != "" {
		return
	}
	for _, pl := range p.all {
		if pl.missed > 0 || pl.unread && pl.stable == "" {
			return
		}
	}
	if older(p.since, upTo) {
		p.since = upTo
	}
}

func placeKey(channel string) string { return "position/" + channel }

const (
	sinceKey  = "position/since"
	directKey = "position/directs/"
)

// load reads what is true of all rooms from the store; first: nothing is stored, so that there is nothing to read.
func (p *places) load(ctx context.Context) (first bool, err error) {
	p.mu.Lock()
	have, store := p.since != "", p.store
	p.mu.Unlock()
	if have || store == nil {
		return !have, nil
	}
	since, err := store.Get(ctx, sinceKey)
	if err != nil {
		return false, err
	}
	var directs []string
	for i := range maxDirects / directPage {
		page, err := store.Get(ctx, directKey+string(rune('a'+i)))
		if err != nil {
			return false, err
		}
		for _, id := range strings.Fields(page) {
			if isID(id) {
				directs = append(directs, id)
			}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if isID(since) {
		p.since, p.kept = since, since
	}
	if len(p.directs) == 0 {
		p.directs = directs
	}
	return p.since == "", nil
}

// loadOne reads the place of a channel, where memory does not have it.
func (p *places) loadOne(ctx context.Context, channel string) error {
	p.mu.Lock()
	pl := p.all[channel]
	have := p.store == nil || pl != nil && pl.stable != ""
	p.mu.Unlock()
	if have {
		return nil
	}
	stored, err := p.store.Get(ctx, placeKey(channel))
	if err != nil || !isID(stored) {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if pl := p.at(channel); pl != nil && pl.stable == "" {
		pl.stable, pl.frozen = stored, true
	}
	return nil
}

// save stores what has changed.
func (p *places) save(ctx context.Context) error {
	if p.store == nil {
		return nil
	}
	changed := map[string]string{}
	p.mu.Lock()
	for channel, pl := range p.all {
		if pl.dirty {
			changed[placeKey(channel)], pl.dirty = pl.stable, false
		}
	}
	since, moved := p.since, p.moved
	if since != p.kept {
		changed[sinceKey] = since
	}
	if moved {
		for i := range maxDirects / directPage {
			from := min(i*directPage, len(p.directs))
			changed[directKey+string(rune('a'+i))] = strings.Join(p.directs[from:min(from+directPage, len(p.directs))], " ")
		}
		p.moved = false
	}
	p.mu.Unlock()
	var failed error
	for key, v := range changed {
		if failed == nil {
			failed = p.store.Set(ctx, key, v)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if failed == nil {
		p.kept = since
		return nil
	}
	for key := range changed { // some of them again: that does no harm
		if pl := p.all[strings.TrimPrefix(key, "position/")]; pl != nil {
			pl.dirty = true
		}
	}
	p.moved = p.moved || moved
	return failed
}
