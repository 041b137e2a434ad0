package mattermost

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/mattermost/mattermost-server/v6/model"

	"github.com/starlingbot/starling/adapter"
)

const (
	findBack  = 24 * time.Hour // how far back a message is looked for
	findPages = 10             // of 200
)

// Find implements [adapter.Finder] by the digest of its key that Send puts into the props of a post: it looks through the last day
// of the room, at most 2,000 messages. Errors: [adapter.ErrUnsupported] for a message without a Key or with Only, which is in no
// history, and where there were more messages than it looks through, so that nobody knows.
func (a *Adapter) Find(ctx context.Context, m *adapter.Message) (adapter.Ref, bool, error) {
	if err := a.life.Usable(ctx, "find"); err != nil {
		return adapter.Ref{}, false, err
	}
	if m.Key == "" || m.Only != "" {
		return adapter.Ref{}, false, fmt.Errorf("mattermost: find: %w: only a message with a Key that all see can be looked for", adapter.ErrUnsupported)
	}
	if !model.IsValidId(m.To.Room) {
		return adapter.Ref{}, false, fmt.Errorf("mattermost: find: room %q: %w", m.To.Room, adapter.ErrNotFound)
	}
	me, err := a.known(ctx)
	if err != nil {
		return adapter.Ref{}, false, fmt.Errorf("mattermost: find: %w", err)
	}
	want := keyDigest(m.To, m.Key)
	oldest := a.now().Add(-findBack).UnixMilli()
	for n := range findPages {
		page, err := a.page(ctx, m.To.Room, "per_page="+strconv.Itoa(historyPage)+"&page="+strconv.Itoa(n))
		if err != nil {
			return adapter.Ref{}, false, fmt.Errorf("mattermost: find: %w", err)
		}
		past := len(page.Order) < historyPage
		for _, id := range page.Order {
			var p wirePost
			if json.Unmarshal(page.Posts[id], &p) != nil {
				continue
			}
			if p.User == me.id && p.prop(propKey) == want && p.DeleteAt == 0 {
				return adapter.Ref{Address: m.To, ID: p.ID}, true, nil
			}
			past = past || p.CreateAt < oldest
		}
		if past {
			return adapter.Ref{}, false, nil
		}
	}
	return adapter.Ref{}, false, fmt.Errorf("mattermost: find: %w: there were over %d messages in a day", adapter.ErrUnsupported, findPages*historyPage)
}
