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

// elevated tells whether u gave a second factor within window, and still has one: with a factor that was taken away goes what was
// given with it.
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
	if age := time.Since(e.At); age >= window || age <= -time.Minute { // a clock that is a little ahead, and not one that is wrong
		return false, nil
	}
	if enrolled, err := g.enrolled(ctx, u); err != nil || !enrolled {
		return false, err
	}
	since, err := g.enrolledSince(ctx, u)
	return err == nil && e.At.After(since), err
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
	all, err := holder.AllHeld(ctx)
	if err != nil {
		return g.deny(ctx, r, in, verdict{rule: "factor", why: whyStore, err: err})
	}
	other, err := same(ctx, r, all, h)
	if err != nil {
		return err
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
	such := "code 123456"
	if other == nil && len(waitFactor(all, u)) > 0 { // a code is for one of them
		such += " " + h.ID
	}
	if err := r.Direct(ctx, "To run this, say \"code\" and what your app shows to me here, such as \"%s\", within %s:\n```\n%s\n```", such, handler.AskFor, in.Line); err != nil {
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
	g.note(ctx, r.Log(), rec)
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

// enrolledSince tells since when the factor of an account is its own; the zero time where that is not known.
func (g *Guard) enrolledSince(ctx context.Context, u adapter.User) (since time.Time, err error) {
	defer notPanic(&err)
	if d, ok := g.cfg.Factor.(dated); ok {
		return d.Since(ctx, u.Key())
	}
	return time.Time{}, nil
}

func (g *Guard) verify(ctx context.Context, u adapter.User, secret handler.Secret) (err error) {
	defer notPanic(&err)
	return g.cfg.Factor.Verify(ctx, u.Key(), secret.Reveal())
}
