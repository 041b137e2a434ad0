package guard

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/audit"
)

// tells is what is said of a decision, and where.
type tells struct {
	// say gives the text for an adapter: who is meant is mentioned on their own alone. whole: with what was asked for, which is not
	// said where those may read it who could not before.
	say    func(on string, whole bool) string
	asker  bool          // who asked is told where they did
	aloud  bool          // it is announced in Config.Room
	record *audit.Record // what is recorded when it counts
}

// memo is what is still to be done about a decision after it counts, also when the process dies then.
type memo struct {
	Record *audit.Record     `json:"record,omitempty"`
	Here   string            `json:"here"` // what is said where it was decided
	There  []adapter.Message `json:"there,omitempty"`
}

// decision makes the record of a decision on h that r takes.
func (g *Guard) decision(r *handler.Request, h *handler.Held, t tells) (handler.Decision, error) {
	here, asked := r.Event.Address(), h.Event.Address()
	private := r.Event.Room.Kind == adapter.RoomDirect // whoever may decide may read what it is about
	m := memo{Record: t.record, Here: t.say(here.Adapter, private || handler.ShownIn(asked, h.Event.Room.Kind, r.Event) || here == g.cfg.Room)}
	if t.aloud && g.cfg.Room != (adapter.Address{}) && g.cfg.Room != here && g.cfg.Room != asked {
		m.There = append(m.There, adapter.Message{To: g.cfg.Room, Text: t.say(g.cfg.Room.Adapter, true)})
	}
	if t.asker && asked != here {
		m.There = append(m.There, adapter.Message{To: asked, Text: t.say(asked.Adapter, true)})
	}
	data, err := json.Marshal(m)
	if err != nil {
		return handler.Decision{}, fmt.Errorf("guard: decide: %w", err)
	}
	put := asked.Adapter
	if len(h.Posts) > 0 {
		put = h.Posts[0].Adapter
	}
	return handler.Decision{Text: t.say(put, true), Memo: data}, nil
}

// finish records a decision that counts and says it. An event that comes again does so again: what a crash left out is made up
// for, and a record may be there twice.
func (g *Guard) finish(ctx context.Context, r *handler.Request, d handler.Decision) error {
	var m memo
	if err := json.Unmarshal(d.Memo, &m); err != nil {
		return fmt.Errorf("guard: what was decided cannot be read: %w", err)
	}
	if m.Record != nil {
		g.note(ctx, r.Log(), *m.Record)
	}
	for _, said := range m.There {
		if _, err := r.Send(ctx, &said); err != nil {
			r.Log().Error("others could not be told what was decided", "to", said.To.String(), "error", err)
		}
	}
	return r.Reply(ctx, "%s", adapter.Markup(m.Here))
}
