package mattermost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/mattermost/mattermost-server/v6/model"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/retry"
)

const (
	maxFill     = 2_000  // messages of one room that a gap brings back
	maxHistory  = 10_000 // messages that History reads
	historyPage = 200    // the most that the server gives (web/params.go: PerPageMaximum)
	sincePage   = 1_000  // posts since a time: where there are more they are any of them (store/sqlstore/post_store.go: GetPostsSince)
	hearFor     = time.Minute
)

// keepPlaces stores the places now and then, and reads again what the bot did not take.
func (a *Adapter) keepPlaces(ctx context.Context) {
	for n := 1; retry.Pause(ctx, saveEvery) == nil; n++ {
		a.savePlaces()
		if in := a.intake.Load(); in != nil && n%6 == 0 {
			for _, room := range a.places.openRooms(time.Now()) {
				if err := a.fillRoom(ctx, in, room); err != nil && ctx.Err() == nil {
					a.log.Warn("what the bot did not take cannot be read again yet", "room", room, "error", err)
				}
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

// catchUp reads from the histories what was said since the places, room by room, and hands it over as Backfilled. lost is
// when the connection ended; zero at a start.
func (a *Adapter) catchUp(ctx context.Context, in *intake, lost time.Time, gap int) {
	begin := a.now()
	since := lost
	if lost.IsZero() {
		since = begin
	}
	var rooms []*model.Channel
	err := retry.Few(ctx, fatal, func() (err error) { rooms, err = a.ownRooms(ctx); return err })
	if err != nil {
		if ctx.Err() == nil { // else the next start fills it
			a.health.Gap(Gap{From: lost.UTC(), To: begin.UTC(), What: "everything: the rooms cannot be listed: " + err.Error()})
			a.places.thaw(gap, nil)
		}
		return
	}
	var fill []string
	for _, c := range rooms {
		from := min(max(c.LastPostAt, 1), begin.UnixMilli()) // what was said before the bot ever came is not for it
		if !lost.IsZero() {                                  // a room that is new since
			from = min(from, max(lost.UnixMilli()-overlap, 1))
		}
		some := false
		err := retry.Few(ctx, fatal, func() (err error) {
			some, err = a.places.load(ctx, c.Id, from, lost.IsZero())
			return err
		})
		if err != nil {
			if ctx.Err() == nil {
				a.health.Gap(Gap{Room: c.Id, From: lost.UTC(), To: begin.UTC(), What: "messages: the position cannot be read: " + err.Error()})
			}
			continue
		}
		if some && a.places.behind(c.Id, c.LastPostAt, since.UnixMilli()) {
			fill = append(fill, c.Id)
		}
	}
	a.places.thaw(gap, fill)
	if !lost.IsZero() {
		a.log.Info("mattermost is read for what was missed", "rooms", len(fill), "gap", begin.Sub(lost).Round(time.Second))
		a.health.Gap(Gap{From: lost.UTC(), To: begin.UTC(), What: "reactions, people who came and went, and changes in rooms where nothing was said"})
	}
	for _, room := range fill {
		if err := a.fillRoom(ctx, in, room); err != nil && ctx.Err() == nil {
			a.log.Warn("a room cannot be read for what was missed; it is tried again", "room", room, "error", err)
		}
	}
}

// ownRooms lists the rooms that the bot is in.
func (a *Adapter) ownRooms(ctx context.Context) ([]*model.Channel, error) {
	me, err := a.known(ctx)
	if err != nil {
		return nil, err
	}
	c := a.with(ctx)
	list, resp, err := c.GetChannelsForUserWithLastDeleteAt(me.id, 0)
	if err = a.fail("list the bot's rooms", resp, err); errors.Is(err, adapter.ErrNotFound) { // a server before version 6.1
		list, err = a.roomsByTeam(c, me)
	}
	if err != nil {
		return nil, err
	}
	for _, ch := range list {
		a.rooms.Put(ch.Id, a.roomOf(ch))
	}
	return list, nil
}

func (a *Adapter) roomsByTeam(c *model.Client4, me *identity) (list []*model.Channel, err error) {
	teams, resp, err := c.GetTeamsForUser(me.id, "")
	if err != nil {
		return nil, a.fail("list the bot's teams", resp, err)
	}
	seen := map[string]bool{}
	for _, t := range teams {
		if !model.IsValidId(t.Id) {
			continue
		}
		some, resp, err := c.GetChannelsForTeamForUser(t.Id, me.id, false, "")
		if err != nil {
			return nil, a.fail("list the bot's rooms", resp, err)
		}
		for _, ch := range some {
			if !seen[ch.Id] {
				seen[ch.Id] = true
				list = append(list, ch)
			}
		}
	}
	return list, nil
}

// fillRoom hands over what was said in a room since its place.
func (a *Adapter) fillRoom(ctx context.Context, in *intake, room string) error {
	begin, known, gap := a.places.from(room)
	next, whole := begin, false
	defer func() { a.places.filled(room, next, whole, gap) }()
	if begin == 0 {
		whole = true
		return nil
	}
	list, cut, err := a.read(ctx, room, begin, maxFill, true)
	if adapter.OutcomeOf(err) == adapter.Refused { // the bot is in it no more
		whole = true
		a.health.Gap(Gap{Room: room, From: time.UnixMilli(begin).UTC(), To: a.now().UTC(), What: "messages: " + err.Error()})
		return nil
	}
	if err != nil {
		return err
	}
	if cut > 0 {
		a.health.Gap(Gap{Room: room, From: time.UnixMilli(begin).UTC(), To: time.UnixMilli(cut).UTC(), What: fmt.Sprintf("messages: there were more than %d", maxFill)})
	}
	for _, r := range list {
		at, id := millisOf(r.ev.Order), r.ev.MessageID
		if a.isNews(in, r, known, begin) {
			limit, cancel := context.WithTimeout(ctx, hearFor)
			err := in.hear(limit, r)
			cancel()
			if err != nil {
				a.said.forget(id) // else the next reading takes a change of it for known
				return fmt.Errorf("from %s on: %w", time.UnixMilli(at).UTC().Format(time.RFC3339), err)
			}
		}
		next = max(next, at)
	}
	whole = true
	return nil
}

// isNews tells whether what was read of a room since begin is for the bot. known are messages that it took before.
func (a *Adapter) isNews(in *intake, r *received, known map[string]bool, begin int64) bool {
	ev := r.ev
	if ev.Self || in.lanes.Had(ev.ID) {
		return false
	}
	had := known[short(ev.MessageID)] || in.lanes.Had("message/"+ev.MessageID)
	switch ev.Kind {
	case adapter.KindMessage:
		if !had {
			a.said.note(ev.MessageID, ev.Text)
		}
		return !had
	case adapter.KindEdit: // of what was just read it is known already
		return !a.said.note(ev.MessageID, ev.Text)
	case adapter.KindDelete: // what was said and taken back meanwhile is not for anybody
		return had || r.created < begin
	}
	return !had
}

// History implements [adapter.Historian]: after is an Event.Order. At most 10,000 messages are read, the newest ones, those in
// threads too. Joins, edits, deletions and reactions are not among them.
func (a *Adapter) History(ctx context.Context, room, after string) iter.Seq2[*adapter.Event, error] {
	return func(yield func(*adapter.Event, error) bool) {
		err := a.life.Usable(ctx, "read the history")
		if err == nil {
			_, err = a.known(ctx)
		}
		var list []*received
		if err == nil {
			list, _, err = a.read(ctx, room, max(millisOf(after), 1), maxHistory, after != "")
		}
		if err != nil {
			yield(nil, err)
			return
		}
		for _, r := range list {
			if r.ev.Kind != adapter.KindMessage || after != "" && r.ev.Order <= after {
				continue
			}
			a.complete(ctx, r)
			if !yield(r.ev, nil) {
				return
			}
		}
	}
}

// postPage is a list of posts as the server gives it.
type postPage struct {
	Order []string                   `json:"order"`
	Posts map[string]json.RawMessage `json:"posts"`
}

// read gives what was said in a room at or after a time, and with since what was changed, oldest first. cut is the time of the
// oldest one where there were more than most.
func (a *Adapter) read(ctx context.Context, room string, begin int64, most int, since bool) (list []*received, cut int64, err error) {
	if !model.IsValidId(room) {
		return nil, 0, fmt.Errorf("mattermost: read a room: %q: %w", room, adapter.ErrNotFound)
	}
	d := a.decoder()
	if since {
		page, err := a.page(ctx, room, "since="+strconv.FormatInt(begin-1, 10))
		if err != nil {
			return nil, 0, err
		}
		if len(page.Order) < sincePage {
			for _, id := range page.Order {
				list = append(list, d.old(page.Posts[id], begin)...)
			}
			sortEvents(list)
			return list, 0, nil
		}
	}
	seen := map[string]bool{}
	for query := ""; ; {
		page, err := a.page(ctx, room, "per_page="+strconv.Itoa(historyPage)+query)
		if err != nil {
			return nil, 0, err
		}
		fresh, oldest, anchor := 0, int64(0), ""
		for _, id := range page.Order {
			var p wirePost
			if json.Unmarshal(page.Posts[id], &p) != nil || p.ID != id {
				continue
			}
			if oldest == 0 || p.CreateAt < oldest {
				oldest = p.CreateAt
			}
			if seen[id] {
				continue
			}
			seen[id] = true
			fresh++
			if p.CreateAt < begin {
				continue
			}
			if r, v := d.said(&p, page.Posts[id]); v == deliver {
				r.ev.Backfilled = true
				list = append(list, r)
			}
		}
		if len(page.Order) == 0 || fresh == 0 || oldest < begin {
			break
		}
		if len(list) >= most {
			cut = oldest
			break
		}
		// The next page is what is older than an anchor, which must not be the oldest one: others have the same time.
		for _, id := range page.Order {
			var p wirePost
			if json.Unmarshal(page.Posts[id], &p) == nil && (p.CreateAt > oldest || anchor == "") {
				anchor = id
			}
		}
		query = "&before=" + anchor
	}
	sortEvents(list)
	return list, cut, nil
}

// old gives the events that a post of a list since a time stands for: it was made, changed or deleted since.
func (d decoder) old(raw json.RawMessage, begin int64) (out []*received) {
	var p wirePost
	if json.Unmarshal(raw, &p) != nil || p.ID == "" {
		return nil
	}
	add := func(r *received, v verdict) {
		if v == deliver {
			r.ev.Backfilled, r.created = true, p.CreateAt
			out = append(out, r)
		}
	}
	if p.DeleteAt != 0 {
		if p.DeleteAt >= begin {
			p.UpdateAt = p.DeleteAt
			add(d.deleted(&p, raw))
		}
		return out
	}
	if p.CreateAt >= begin {
		add(d.said(&p, raw))
	}
	if p.EditAt >= begin {
		p.UpdateAt = p.EditAt // a thread may have grown since
		add(d.edited(&p, raw))
	}
	return out
}

func sortEvents(list []*received) {
	slices.SortFunc(list, func(x, y *received) int {
		switch {
		case x.ev.Order < y.ev.Order:
			return -1
		case x.ev.Order > y.ev.Order:
			return 1
		}
		return 0
	})
}

// page reads a page of posts as they are, waiting as long as the server wants.
func (a *Adapter) page(ctx context.Context, room, query string) (page postPage, err error) {
	err = retry.Few(ctx, fatal, func() error {
		ctx, cancel := context.WithTimeout(ctx, callLimit)
		defer cancel()
		page = postPage{}
		return a.get(ctx, "/channels/"+room+"/posts?skipFetchThreads=true&"+query, "read a room", &page)
	})
	return page, err
}

// get reads what the library would not give as it is.
func (a *Adapter) get(ctx context.Context, path, verb string, into any) error {
	resp, err := a.with(ctx).DoAPIGet(path, "")
	if err != nil {
		return a.fail(verb, model.BuildResponse(resp), err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("mattermost: %s: %w", verb, err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("mattermost: %s: the answer could not be read: %w", verb, err)
	}
	return nil
}
