package discord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/retry"
)

const (
	saveEvery   = 5 * time.Second
	maxFill     = 2_000  // messages of one room that a gap brings back
	maxHistory  = 10_000 // messages that History reads
	historyPage = 100
	// settled is how long before a heartbeat that was answered something must have happened to have come by now: a connection
	// may be dead for two of them before it is known.
	settled = 30 * time.Second
)

// keep stores the places now and then, reads what was left out, and forgets what is over.
func (a *Adapter) keep(ctx context.Context, in *intake) {
	for retry.Pause(ctx, saveEvery) == nil {
		if in.fills.Load() == 0 {
			a.places.giveUp(time.Now())
			if alive := a.alive.Load(); alive != nil && in.lanes.Len() == 0 {
				a.places.quiet(idAt(alive.Add(-settled)))
			}
			if again := a.places.unreadable(); len(again) > 0 {
				in.fill(func() {
					for _, channel := range again {
						a.fillChannel(ctx, in, channel, "")
					}
				})
			}
		}
		a.savePlaces()
		a.tidy(ctx)
		for _, channel := range a.places.open() {
			if !in.lanes.Idle(channel) || ctx.Err() != nil {
				continue
			}
			if err := a.fillRoom(ctx, in, channel); err != nil && ctx.Err() == nil {
				a.log.Warn("what was left out cannot be read yet", "room", channel, "error", err)
			}
		}
	}
}

func (a *Adapter) savePlaces() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := a.places.save(ctx); err != nil {
		a.log.Warn("how far the rooms were heard could not be stored", "error", err)
	}
}

// gapOf is a new session: what happened between it and the one before is missing.
type gapOf struct {
	number int
	lost   time.Time // when the connection before it ended; zero at a start
	begin  time.Time
	left   int           // servers that have not come yet
	loaded chan struct{} // closed when the positions were read
}

// newSession begins the filling after a session that could not be resumed.
func (a *Adapter) newSession(ctx context.Context, in *intake, lost time.Time, servers int) *gapOf {
	g := &gapOf{number: a.places.freeze(), lost: lost, begin: a.now(), left: servers, loaded: make(chan struct{})}
	if !lost.IsZero() {
		a.health.Gap(Gap{From: lost.UTC(), To: g.begin.UTC(), What: "edits, deletions, reactions, commands and clicks: discord began a new session"})
	}
	in.fill(func() {
		first, err := a.loadPlaces(ctx)
		close(g.loaded)
		if err != nil && ctx.Err() == nil {
			a.health.Gap(Gap{From: lost.UTC(), To: g.begin.UTC(), What: "messages: the positions cannot be read: " + err.Error()})
		}
		if first {
			a.places.quiet(idAt(g.begin))
			return
		}
		a.fillDirects(ctx, in)
	})
	return g
}

// loadPlaces reads what is true of all rooms, with patience for a store that fails.
func (a *Adapter) loadPlaces(ctx context.Context) (first bool, err error) {
	err = retry.Few(ctx, fatal, func() (err error) { first, err = a.places.load(ctx); return err })
	return first, err
}

// fill runs f beside, and counts that something is being filled.
func (in *intake) fill(f func()) {
	in.fills.Add(1)
	in.lanes.Go(func() {
		select {
		case in.filler <- struct{}{}:
			f()
			<-in.filler
		case <-in.ctx.Done():
		}
		in.fills.Add(-1)
	})
}

// fillDirects reads the direct rooms.
func (a *Adapter) fillDirects(ctx context.Context, in *intake) {
	a.places.mu.Lock()
	list := slices.Clone(a.places.directs)
	a.places.mu.Unlock()
	for _, channel := range list {
		a.fillChannel(ctx, in, channel, "")
	}
}

// fillServer reads the rooms and threads of a server that have new messages.
func (a *Adapter) fillServer(ctx context.Context, in *intake, g *gapOf, s *wireGuild, last bool) {
	in.fill(func() {
		select {
		case <-g.loaded:
		default: // somebody was quicker: the positions come first; where they cannot be read each room is a gap
			if _, err := a.loadPlaces(ctx); err != nil {
				a.log.Debug("the positions cannot be read yet", "error", err)
			}
		}
		for _, list := range [][]wireChannel{s.Channels, s.Threads} {
			for i := range list {
				if c := &list[i]; c.LastMessage != "" && ctx.Err() == nil {
					a.fillChannel(ctx, in, c.ID, c.LastMessage)
				}
			}
		}
		if last && ctx.Err() == nil { // what a stop left unread is where the next start begins
			a.places.thaw(g.number)
		}
	})
}

// fillChannel reads one channel, if there is anything; what cannot be read is read later. newest is its last message, as far as
// that is known.
func (a *Adapter) fillChannel(ctx context.Context, in *intake, channel, newest string) {
	err := retry.Few(ctx, fatal, func() error { return a.places.loadOne(ctx, channel) })
	if err == nil {
		if after, missed := a.places.begin(channel); after == "" || newest != "" && !older(after, newest) {
			a.places.filled(channel, "", true, missed)
			return
		}
		err = a.fillRoom(ctx, in, channel)
	}
	switch {
	case err == nil || ctx.Err() != nil:
	case errors.Is(err, adapter.ErrForbidden), errors.Is(err, adapter.ErrNotFound): // nothing would have been heard there either
		a.log.Debug("a room is not read: the bot may not", "room", channel, "error", err)
		_, missed := a.places.begin(channel)
		a.places.filled(channel, "", true, missed)
	default:
		a.places.later(channel)
		a.log.Warn("a room cannot be read for what was missed; it is tried again", "room", channel, "error", err)
	}
}

// fillRoom hands over what was said in a channel since its place.
func (a *Adapter) fillRoom(ctx context.Context, in *intake, channel string) error {
	for {
		after, missed := a.places.begin(channel)
		if after == "" {
			a.places.filled(channel, "", true, missed)
			return nil
		}
		list, cut, err := a.read(ctx, channel, after, maxFill)
		if err != nil {
			a.places.filled(channel, "", false, missed)
			return err
		}
		if cut != "" {
			a.health.Gap(Gap{Room: channel, From: idTime(after), To: idTime(cut), What: fmt.Sprintf("messages: there were more than %d", maxFill)})
		}
		upTo := after
		for _, r := range list {
			id := r.ev.MessageID
			if !r.ev.Self {
				if err := in.hear(ctx, r); err != nil {
					a.places.filled(channel, upTo, false, missed)
					return fmt.Errorf("from %s on: %w", idTime(id).Format(time.RFC3339), err)
				}
			}
			upTo = id
		}
		if !a.places.filled(channel, upTo, true, missed) {
			return nil
		}
	}
}

// History implements [adapter.Historian]: after is an Event.Order, room may be a thread's id. At most 10,000 messages are read,
// the newest ones. What was said in the threads of a room is in the history of the threads; joins, edits, deletions and
// reactions are in none.
func (a *Adapter) History(ctx context.Context, room, after string) iter.Seq2[*adapter.Event, error] {
	return func(yield func(*adapter.Event, error) bool) {
		err := a.life.Usable(ctx, "read the history")
		if err == nil {
			err = a.known(ctx)
		}
		if err == nil && !isID(room) {
			err = fmt.Errorf("discord: read the history: room %q: %w", room, adapter.ErrNotFound)
		}
		var list []*received
		if err == nil {
			list, _, err = a.read(ctx, room, idOf(after), maxHistory)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		for _, r := range list {
			a.complete(ctx, r)
			if !yield(r.ev, nil) {
				return
			}
		}
	}
}

// read gives the messages of a channel that are newer than after, oldest first. cut is the oldest one where there were more
// than most.
func (a *Adapter) read(ctx context.Context, channel, after string, most int) (list []*received, cut string, err error) {
	guild := ""
	if err := retry.Few(ctx, fatal, func() error {
		c, err := a.channelByID(ctx, channel)
		guild = c.guild
		return err
	}); err != nil {
		return nil, "", err
	}
	d := a.decoder("")
	for before := ""; ; {
		path := fmt.Sprintf("channels/%s/messages?limit=%d", channel, historyPage)
		if before != "" {
			path += "&before=" + before
		}
		var page []json.RawMessage
		err := retry.Few(ctx, fatal, func() error {
			ctx, cancel := context.WithTimeout(ctx, callLimit)
			defer cancel()
			page = nil
			return a.call(ctx, "read the history", http.MethodGet, path, nil, &page)
		})
		if err != nil {
			return nil, "", err
		}
		oldest := ""
		for _, raw := range page { // newest first
			var m wireMessage
			if json.Unmarshal(raw, &m) != nil || !isID(m.ID) {
				continue
			}
			oldest = m.ID
			if !older(after, m.ID) {
				break
			}
			m.ChannelID, m.GuildID = channel, guild
			r, v := d.said(&m)
			if v != deliver {
				continue
			}
			r.ev.Backfilled, r.ev.Raw = true, raw
			list = append(list, r)
		}
		if oldest == "" || len(page) < historyPage || !older(after, oldest) || oldest == before {
			break
		}
		if len(list) >= most {
			cut = oldest
			break
		}
		before = oldest
	}
	slices.Reverse(list)
	return list, cut, nil
}
