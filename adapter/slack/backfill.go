package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	slackgo "github.com/slack-go/slack"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/retry"
)

const (
	// shortGap is how long a connection may be gone without a look into the histories: Slack delivers again at once, after
	// one minute and after five (https://docs.slack.dev/apis/events-api/#retries).
	shortGap    = 30 * time.Second
	saveEvery   = 5 * time.Second
	maxFill     = 2_000  // messages of one room that a gap brings back
	maxHistory  = 10_000 // messages that History reads
	historyPage = 200
)

// keepPlaces stores the places now and then, and fills what Slack has given up.
func (a *Adapter) keepPlaces(ctx context.Context) {
	for n := 1; retry.Pause(ctx, saveEvery) == nil; n++ {
		a.savePlaces()
		if in := a.intake.Load(); in != nil && n%12 == 0 {
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
	var rooms []string
	err := retry.Few(ctx, fatal, func() (err error) { rooms, err = a.ownRooms(ctx); return err })
	if err != nil {
		if ctx.Err() == nil { // else the next start fills it
			a.health.Gap(Gap{From: lost.UTC(), To: begin.UTC(), What: "everything: the rooms cannot be listed: " + err.Error()})
			a.places.thaw(gap)
		}
		return
	}
	now := stampOf(begin)
	var fill []string
	for _, room := range rooms {
		some := false
		err := retry.Few(ctx, fatal, func() (err error) { some, err = a.places.load(ctx, room, now); return err })
		if err != nil {
			if ctx.Err() == nil {
				a.health.Gap(Gap{Room: room, From: lost.UTC(), To: begin.UTC(), What: "messages: the position cannot be read: " + err.Error()})
			}
			continue
		}
		if some {
			fill = append(fill, room)
		}
	}
	a.places.allLoaded()
	if len(fill) > 0 && !lost.IsZero() {
		a.log.Info("slack is read for what was missed", "rooms", len(fill), "gap", begin.Sub(lost).Round(time.Second))
		a.health.Gap(Gap{From: lost.UTC(), To: begin.UTC(), What: "edits, deletions, reactions, commands and clicks that slack did not deliver again"})
	}
	for _, room := range fill {
		if err := a.fillRoom(ctx, in, room); err != nil && ctx.Err() == nil {
			a.health.Gap(Gap{Room: room, From: lost.UTC(), To: begin.UTC(), What: "messages: " + err.Error()})
		}
	}
}

// ownRooms lists the rooms that the bot is in.
func (a *Adapter) ownRooms(ctx context.Context) ([]string, error) {
	var rooms []string
	cursor := ""
	for range maxPages {
		list, next, err := a.api.GetConversationsForUserContext(ctx, &slackgo.GetConversationsForUserParameters{
			Cursor: cursor, Limit: 999, ExcludeArchived: true, Types: []string{"public_channel", "private_channel", "im", "mpim"}})
		if err != nil {
			return nil, a.fail("list the bot's rooms", err)
		}
		for i := range list {
			rooms = append(rooms, list[i].ID)
			a.rooms.Put(list[i].ID, roomOf(&list[i]))
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	return rooms, nil
}

// fillRoom hands over what was said in a room since its place.
func (a *Adapter) fillRoom(ctx context.Context, in *intake, room string) error {
	f := a.places.begin(room)
	upTo, whole := f.after, false
	defer func() { a.places.filled(f, upTo, whole) }()
	if f.after == "" {
		whole = true
		return nil
	}
	list, cut, err := a.read(ctx, room, f.after, f.threads, maxFill)
	if err != nil {
		return err
	}
	if cut != "" {
		a.health.Gap(Gap{Room: room, From: stampTime(f.after), To: stampTime(cut), What: fmt.Sprintf("messages: there were more than %d", maxFill)})
	}
	for _, r := range list {
		if r.ev.Self {
			continue
		}
		order := r.ev.Order
		if err := in.hear(ctx, r); err != nil {
			return fmt.Errorf("from %s on: %w", stampTime(order).Format(time.RFC3339), err)
		}
		upTo = order
	}
	whole = true
	return nil
}

// History implements [adapter.Historian]: after is an Event.Order. At most 10,000 messages are read, the newest ones; of
// threads those replies whose thread began or was answered after that. Joins, edits, deletions and reactions are not in a
// history.
func (a *Adapter) History(ctx context.Context, room, after string) iter.Seq2[*adapter.Event, error] {
	return func(yield func(*adapter.Event, error) bool) {
		err := a.life.Usable(ctx, "read the history")
		if err == nil {
			err = a.known(ctx)
		}
		var list []*received
		if err == nil {
			list, _, err = a.read(ctx, room, after, nil, maxHistory)
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

// read gives the messages of a room that are newer than after, oldest first. cut is where there were more than most the oldest
// one, or the present where they are of threads.
func (a *Adapter) read(ctx context.Context, room, after string, threads []string, most int) (list []*received, cut string, err error) {
	d := a.decoder()
	seen := map[string]bool{}
	oldest := after
	add := func(messages []json.RawMessage) (roots []string) {
		for _, raw := range messages {
			var w wire
			if json.Unmarshal(raw, &w) != nil || w.TS == "" {
				continue
			}
			if w.ReplyCount > 0 && (after == "" || older(after, w.LatestReply)) {
				roots = append(roots, w.TS)
			}
			if seen[w.TS] || after != "" && !older(after, w.TS) {
				continue
			}
			seen[w.TS] = true
			r, _, v, _ := d.event("", withChannel(raw, room))
			if v != deliver || r.ev.Kind != adapter.KindMessage {
				continue
			}
			r.ev.Backfilled = true
			list = append(list, r)
		}
		return roots
	}
	cursor, latest := "", a.latest()
	for {
		form := url.Values{"channel": {room}, "limit": {strconv.Itoa(historyPage)}, "inclusive": {"0"}, "latest": {latest}}
		if oldest != "" {
			form.Set("oldest", oldest)
		}
		if cursor != "" {
			form.Set("cursor", cursor)
		}
		page, err := a.messages(ctx, "conversations.history", form)
		if err != nil {
			return nil, "", err
		}
		for _, root := range add(page.Messages) {
			if !slices.Contains(threads, root) {
				threads = append(threads, root)
			}
		}
		if cursor = page.Meta.Cursor; cursor == "" {
			break
		}
		if len(list) >= most {
			cut = list[0].ev.Order
			for _, r := range list {
				if older(r.ev.Order, cut) {
					cut = r.ev.Order
				}
			}
			break
		}
	}
	for _, root := range threads {
		for cursor = ""; ; {
			if len(list) >= most {
				cut = stampOf(a.now())
				break
			}
			form := url.Values{"channel": {room}, "ts": {root}, "limit": {strconv.Itoa(historyPage)}, "inclusive": {"0"}}
			if oldest != "" {
				form.Set("oldest", oldest)
			}
			if cursor != "" {
				form.Set("cursor", cursor)
			}
			page, err := a.messages(ctx, "conversations.replies", form)
			if errors.Is(err, adapter.ErrNotFound) { // the root was deleted
				break
			}
			if err != nil {
				return nil, "", err
			}
			add(page.Messages)
			if cursor = page.Meta.Cursor; cursor == "" {
				break
			}
		}
	}
	slices.SortFunc(list, func(x, y *received) int {
		if older(x.ev.Order, y.ev.Order) {
			return -1
		}
		return 1
	})
	return list, cut, nil
}

// latest is the end of what is read of a history: a little after now, by Slack's clock. With an end Slack gives the newest first
// (https://docs.slack.dev/reference/methods/conversations.history). With a beginning alone it has documented to give what is closest to
// that (slackhq/slack-api-docs, methods/channels.history.md), so that a bound would leave out the newest.
func (a *Adapter) latest() string { return stampOf(a.now().Add(time.Minute)) }

// withChannel puts the room into a message of a history, which lacks it.
func withChannel(raw json.RawMessage, room string) json.RawMessage {
	id, _ := json.Marshal(room)
	return slices.Concat(json.RawMessage(`{"channel":`), id, json.RawMessage(`,`), raw[1:])
}

type messagePage struct {
	slackgo.SlackResponse
	Messages []json.RawMessage `json:"messages"`
	Meta     struct {
		Cursor string `json:"next_cursor"`
	} `json:"response_metadata"`
}

// messages reads a page of messages as they are, waiting as long as Slack wants.
func (a *Adapter) messages(ctx context.Context, method string, form url.Values) (page messagePage, err error) {
	err = retry.Few(ctx, fatal, func() error {
		page = messagePage{}
		ctx, cancel := context.WithTimeout(ctx, callLimit)
		defer cancel()
		return a.call(ctx, method, form, &page)
	})
	return page, err
}

// call calls a method of the Web API whose answer the library would not give whole.
func (a *Adapter) call(ctx context.Context, method string, form url.Values, into interface{ Err() error }) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.cfg.APIURL+method, strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("slack: %s: %w", method, err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "Bearer "+a.cfg.BotToken)
	resp, err := a.http.Do(req)
	if err != nil {
		return a.fail(method, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusTooManyRequests {
		after, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return a.fail(method, &slackgo.RateLimitedError{RetryAfter: time.Duration(after) * time.Second})
	}
	if resp.StatusCode != http.StatusOK {
		return a.fail(method, slackgo.StatusCodeError{Code: resp.StatusCode, Status: resp.Status})
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("slack: %s: %w", method, err)
	}
	return a.fail(method, into.Err())
}
