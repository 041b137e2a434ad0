package handler

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/permit"
)

// HeldKind tells what a command waits for.
type HeldKind string

// What a command may wait for.
const (
	HeldApproval HeldKind = "approval" // that others agree
	HeldFactor   HeldKind = "factor"   // a second factor of who asked
)

// Held is a command that waits for people. It is kept in the brain: it survives a restart, and any process can go on.
type Held struct {
	ID      string            `json:"id"`
	Kind    HeldKind          `json:"kind"`
	Route   string            `json:"route"`
	Line    string            `json:"line"`              // what is shown: the exact canonical line, secrets masked
	Hash    string            `json:"hash"`              // what is agreed to, see Intent.Hash
	Options map[string]string `json:"options,omitempty"` // the canonical arguments; nil for a route that declares none
	Secret  bool              `json:"secret,omitempty"`  // some of Options are; while they wait they are stored only where the brain is sealed
	Policy  string            `json:"policy"`
	Needs   []Consents        `json:"needs,omitempty"`
	Event   *adapter.Event    `json:"event"` // what was said
	// Delivery of that event; the command runs as a delivery of its own, Delivery#ID.
	Delivery  string    `json:"delivery"`
	Confirmed bool      `json:"confirmed,omitempty"` // by who asked, before
	Factor    string    `json:"factor,omitempty"`    // the second factor that was given for it, before
	Consents  []Consent `json:"consents,omitempty"`
	// Agreed is what was agreed to before, when the factor has become too old since.
	Agreed *Agreement `json:"agreed,omitempty"`
	// Posts is the message with which others were asked; when it is over the bot says there what became of it, in place of the
	// buttons.
	Posts   []adapter.Ref `json:"posts,omitempty"`
	Since   time.Time     `json:"since"`
	Expires time.Time     `json:"expires"`
	Rev     uint64        `json:"-"` // of the stored record
	Lost    bool          `json:"-"` // Options were secret and are gone with the process that asked
}

// Granted gives the grant with which h runs: what was granted before, and what was agreed to now.
func (h *Held) Granted(a *Agreement) *Grant {
	return &Grant{ID: h.ID, Options: h.Options, Hash: hashOptions(h.Options), Confirmed: h.Confirmed, Agreed: a}
}

// NameFor gives u as an argument for a message on an adapter: a mention on its own, else the name and the key, since the same id
// is somebody else there.
func NameFor(u adapter.User, adapterName string) any {
	if u.Adapter == adapterName {
		return u
	}
	return u.String() + " (" + u.Key() + ")"
}

// ShownIn tells whether what was said in one room may be shown where ev is: in that room itself, and where it was said in an open
// room of the platform, to those who can read it. Whether others could read what was said elsewhere nobody knows, so that is no.
func ShownIn(said adapter.Address, kind adapter.RoomKind, ev *adapter.Event) bool {
	switch {
	case said.Adapter != ev.Adapter || said.Room == "":
		return false
	case said.Room == ev.Room.ID:
		return true
	}
	return kind == adapter.RoomChannel && ev.User.Kind != adapter.KindGuest && ev.User.Kind != adapter.KindExternal
}

// Consent is one person's word for a held command.
type Consent struct {
	By adapter.User `json:"by"`
	At time.Time    `json:"at"`
}

// Agreement is what people have agreed to, bound by its hash to one command of one person.
type Agreement struct {
	Hash     string    `json:"hash"`
	Factor   string    `json:"factor,omitempty"` // the second factor that was given for it
	Consents []Consent `json:"consents,omitempty"`
	Override *Override `json:"override,omitempty"`
	Until    time.Time `json:"until"` // when it is too old to begin
}

// Override passes an approval over in an emergency.
type Override struct {
	Consent
	Reason string `json:"reason"`
}

// Decision is what one delivery has done to a command that waits.
type Decision struct {
	Text string          `json:"text"`           // portable Markdown, for the message with which others were asked; empty: nothing was decided
	Memo json.RawMessage `json:"memo,omitempty"` // what who decides wants to know when the event comes again
}

// Holder keeps commands that wait for people. It is a part of [Effects], for the guard alone. The records are changed at their
// revision: brain.ErrConflict says that somebody was faster, and nothing was changed. The decision is recorded in the same step with
// the change; when the event comes again, Decided gives it.
type Holder interface {
	// Hold stores h. again gives the record that this delivery's route has made before, in place of h.
	Hold(ctx context.Context, r *Request, h *Held) (again *Held, err error)
	// Held gives a command that waits; nil if there is none of that id.
	Held(ctx context.Context, id string) (*Held, error)
	// AllHeld gives all commands that wait, the oldest first.
	AllHeld(ctx context.Context) ([]*Held, error)
	// KeepHeld stores what was changed in h.
	KeepHeld(ctx context.Context, r *Request, h *Held, d Decision) error
	// DropHeld forgets h, and has the message about it say so.
	DropHeld(ctx context.Context, r *Request, h *Held, d Decision) error
	// Release forgets h and delivers its event again with g, in one step: of many that release it one does. The message about h
	// says what became of it.
	Release(ctx context.Context, r *Request, h *Held, g *Grant, d Decision) error
	// Decided gives what r's delivery has done to the command of that id before it came again; false if it has done nothing. What
	// the message about it is to say it says then, too.
	Decided(r *Request, id string) (Decision, bool)
}

// Holder gives what keeps held commands, to the guard.
func (r *Request) Holder(permit.Proof) Holder { return r.effects }

// Expired tells the guard of its route that a command has waited too long. It is for who keeps held commands.
func (t *Table) Expired(ctx context.Context, h *Held) {
	r := t.byID[h.Route]
	if r == nil || !r.guarded { // the program no longer has it: any guard keeps the record
		i := slices.IndexFunc(t.routes, func(r *Route) bool { return r.guarded })
		if i < 0 {
			return
		}
		r = t.routes[i]
	}
	if g, ok := r.guard.(interface {
		Expired(ctx context.Context, h *Held)
	}); ok {
		g.Expired(ctx, h)
	}
}
