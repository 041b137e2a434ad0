package guard

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/audit"
	"github.com/starlingbot/starling/internal/permit"
)

// mayOverride tells whether somebody may pass an approval over. All is read anew: the role, and of what kind the account is.
func (g *Guard) mayOverride(ctx context.Context, r *handler.Request, by adapter.User) verdict {
	by, err := r.Current(ctx, by)
	if err != nil {
		return verdict{rule: "override", why: whyRoles, err: err}
	}
	if g.cfg.BreakGlass == "" || !person(by) {
		return verdict{rule: "override", why: whyConsents, need: []string{"an approval"}}
	}
	held, err := g.rolesOf(ctx, by, true)
	if err != nil {
		return verdict{rule: "override", why: whyRoles, err: err}
	}
	if !has(held, by.Kind, g.cfg.BreakGlass) {
		return verdict{rule: "override", why: whyRole, need: []string{g.cfg.BreakGlass}}
	}
	return yes
}

// heard tells whether somebody else can read that r passes h over.
func (g *Guard) heard(r *handler.Request, h *handler.Held) bool {
	return g.cfg.Room != (adapter.Address{}) || r.Event.Room.Kind != adapter.RoomDirect || h.Event.Room.Kind != adapter.RoomDirect
}

// minReason is how long the reason for an override is at least, in letters and digits.
const minReason = 8

// override runs a request without the consent that it needs: in an emergency, with a reason, recorded and announced.
func (g *Guard) override(ctx context.Context, r *handler.Request, id, why string) error {
	holder := r.Holder(permit.Proof{})
	if d, ok := holder.Decided(r, id); ok {
		return g.finish(ctx, r, d)
	}
	by := r.Event.User
	why = strings.TrimSpace(why)
	if letters(why) < minReason {
		return handler.UserErrorf("%s: say why, in a few words: override %s because ...", by, id)
	}
	for range settleTries {
		h, err := waiting(ctx, holder, id)
		if err != nil {
			return err
		}
		if v := g.mayOverride(ctx, r, by); !v.ok {
			refusal := &handler.UserError{Text: adapter.Format("%s: %s", by, adapter.Markup(v.text(r))), Err: v.err}
			g.refuse(ctx, r, h, refusal)
			return refusal
		}
		if h.Lost {
			return g.lost(ctx, r, holder, h)
		}
		if !g.heard(r, h) {
			refusal := handler.UserErrorf("%s: an override is announced, and here nobody else would read it: say it in a room where others are.", by)
			g.refuse(ctx, r, h, refusal)
			return refusal
		}
		rec := heldRecord(h, audit.PhaseBreakGlass, by, "override", "")
		rec.Reason = why
		if err := g.append(ctx, rec); err != nil { // before it happens: an emergency that is on no record is none
			return &handler.UserError{Text: adapter.Format("%s: that cannot be recorded now, so it does not happen. My log has it under %s.", by, r.CorrelationID()), Err: err}
		}
		d, err := g.decision(r, h, tells{asker: true, aloud: true, say: func(on string, whole bool) string {
			text := adapter.Format("**%s runs %s of %s without the consent it needs**, because: %s", handler.NameFor(by, on), h.ID, handler.NameFor(h.Event.User, on), why)
			if whole {
				text += adapter.Format("\n```\n%s\n```", h.Line)
			}
			return text
		}})
		if err != nil {
			return err
		}
		err = holder.Release(ctx, r, h, h.Granted(&handler.Agreement{
			Hash: h.Hash, Factor: h.Factor, Until: time.Now().Add(g.cfg.ApprovalsFor).UTC(),
			Override: &handler.Override{Consent: handler.Consent{By: by, At: time.Now().UTC()}, Reason: why},
		}), d)
		if errors.Is(err, brain.ErrConflict) {
			continue
		}
		if err != nil {
			return err
		}
		return g.finish(ctx, r, d)
	}
	return handler.UserErrorf("Too many decide %s at once. Say it again.", id)
}
