package guard

import (
	"context"
	"errors"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/audit"
	"github.com/starlingbot/starling/internal/permit"
)

// elevation is when somebody gave a second factor.
type elevation struct {
	At     time.Time `json:"at"`
	Factor string    `json:"factor"`
}

// elevatedFor is how long it is remembered; no policy may ask for an older one.
const elevatedFor = 24 * time.Hour

// maxSkew is how far what the platform says of when a code was said may be from our clock.
const maxSkew = 5 * time.Minute

func elevationKey(u adapter.User) string { return brain.Key("elevated", u.Key()) }

// elevated tells whether u gave a second factor within window.
func (g *Guard) elevated(ctx context.Context, u adapter.User, window time.Duration) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	e, err := brain.Get[elevation](ctx, g.cfg.Brain, elevationKey(u))
	if errors.Is(err, brain.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	age := time.Since(e.At)
	return age < window && age > -time.Minute, nil // a clock that is a little ahead, and not one that is wrong
}

// askFactor asks who said r for a second factor, in private.
func (g *Guard) askFactor(ctx context.Context, r *handler.Request, in *handler.Intent) error {
	u := r.Event.User
	enrolled, err := g.enrolled(ctx, u)
	if err != nil {
		return g.deny(ctx, r, in, verdict{rule: "factor", why: whyStore, err: err})
	}
	if !enrolled {
		return g.deny(ctx, r, in, verdict{rule: "factor", why: whyFactor})
	}
	h := in.Hold(r, handler.HeldFactor)
	if r.Grant != nil {
		h.Agreed = r.Grant.Agreed
	}
	h.Since = time.Now().UTC()
	h.Expires = h.Since.Add(handler.AskFor)
	holder := r.Holder(permit.Proof{})
	other, err := same(ctx, holder, h)
	if err != nil {
		return g.deny(ctx, r, in, verdict{rule: "factor", why: whyStore, err: err})
	}
	if other == nil { // else it was said twice, and runs once
		again, err := holder.Hold(ctx, r, h)
		if err != nil {
			return err
		}
		if again != nil {
			if again.Hash == "" { // this event has come before, and the code was given since
				return refused(handler.HeldFactor)
			}
			h = again
		}
	}
	// It waits before the code is asked for: who gives it at once finds it.
	if err := r.Direct(ctx, "To run this, say \"code\" and what your app shows to me here, such as \"code 123456\", within %s:\n```\n%s\n```", handler.AskFor, in.Line); err != nil {
		if other == nil {
			err = errors.Join(err, forget(ctx, r, h.ID))
		}
		return &handler.UserError{Text: adapter.Format("%s: that needs a second factor, and I cannot talk to you in private here.", u), Err: err}
	}
	if other != nil {
		return refused(handler.HeldFactor)
	}
	rec := record(r, in, audit.PhaseAsked)
	rec.Outcome = "second factor"
	g.note(ctx, rec)
	if r.Event.Room.Kind != adapter.RoomDirect && addressed(r) {
		if err := r.Reply(ctx, "%s: I have asked you for your second factor in private.", u); err != nil {
			return err
		}
	}
	return refused(handler.HeldFactor)
}

// forget drops a request that nobody can answer.
func forget(ctx context.Context, r *handler.Request, id string) error {
	holder := r.Holder(permit.Proof{})
	h, err := holder.Held(ctx, id)
	if err != nil || h == nil {
		return err
	}
	return holder.DropHeld(ctx, r, h, handler.Decision{})
}

func (g *Guard) enrolled(ctx context.Context, u adapter.User) (ok bool, err error) {
	defer notPanic(&err)
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return g.cfg.Factor.Enrolled(ctx, u.Key())
}

func (g *Guard) verify(ctx context.Context, u adapter.User, secret handler.Secret) (err error) {
	defer notPanic(&err)
	return g.cfg.Factor.Verify(ctx, u.Key(), secret.Reveal())
}

// code takes a second factor.
func (g *Guard) code(ctx context.Context, r *handler.Request, secret handler.Secret) error {
	u := r.Event.User
	if !person(u) {
		return handler.UserErrorf("I do not know this account as that of a person.")
	}
	if at := r.Event.Time; !at.IsZero() && time.Since(at).Abs() > maxSkew { // T36: the code is not tried, so that it costs none of the tries
		r.Log().Warn("a code cannot be judged: it was said at a time that is far from that of this machine's clock", "ahead", time.Since(at).Round(time.Second))
		return handler.UserErrorf("%s: that reached me late, or my clock is wrong. Say the code that your app shows now; if that does not work, tell who runs me.", u)
	}
	_, err := handler.Once(ctx, r, "verify", func(ctx context.Context) (bool, error) {
		return true, g.verify(ctx, u, secret)
	})
	if err != nil {
		rec := audit.Record{
			Phase: audit.PhaseDenied, Delivery: r.Delivery, Correlation: r.CorrelationID(), Who: audit.PersonOf(u), Room: r.Event.Address(), Route: r.Route.ID,
			Decision: "denied", Rule: "factor " + g.cfg.Factor.Name(), Error: err.Error(),
		}
		g.note(ctx, rec)
		return &handler.UserError{Text: adapter.Format("%s: that code does not count: it is wrong, too old, or was used. After several wrong ones none counts for a while.", u), Err: err}
	}
	if err := brain.SetFor(ctx, g.cfg.Brain, elevationKey(u), elevation{time.Now().UTC(), g.cfg.Factor.Name()}, elevatedFor); err != nil {
		return err
	}
	holder := r.Holder(permit.Proof{})
	all, err := holder.AllHeld(ctx)
	if err != nil {
		return err
	}
	released := 0
	for _, h := range all {
		if h.Kind != handler.HeldFactor || h.Event.User.Key() != u.Key() || !h.Expires.After(time.Now()) || h.Lost {
			continue
		}
		agreed := &handler.Agreement{Hash: h.Hash, Until: time.Now().Add(g.cfg.ApprovalsFor).UTC()}
		if h.Agreed != nil {
			*agreed = *h.Agreed
		}
		agreed.Factor = g.cfg.Factor.Name()
		err := holder.Release(ctx, r, h, h.Granted(agreed), handler.Decision{})
		if err != nil && !errors.Is(err, brain.ErrConflict) {
			return err
		}
		if err == nil {
			released++
		}
	}
	if released == 0 {
		return r.Reply(ctx, "That is right. Nothing waits for it; say now what needs it.")
	}
	return r.Reply(ctx, "That is right.")
}
