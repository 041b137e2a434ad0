package guard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/audit"
	"github.com/starlingbot/starling/internal/permit"
)

// settleTries bounds how often a word for a request meets those of others. Each time somebody else's counted.
const settleTries = 64

// maxLine is how long a line may be that others agree to, in UTF-16 units: it is shown whole, in one message of any platform, or
// a part of it could look like another one.
const maxLine = 600

// askApproval puts a command to others.
func (g *Guard) askApproval(ctx context.Context, r *handler.Request, in *handler.Intent, factor string) error {
	if tooLong(in) {
		return g.deny(ctx, r, in, verdict{rule: "approval", why: whyLong})
	}
	holder := r.Holder(permit.Proof{})
	h := in.Hold(r, handler.HeldApproval)
	h.Factor, h.Since = factor, time.Now().UTC()
	h.Expires = h.Since.Add(g.cfg.ApprovalsFor)
	all, err := holder.AllHeld(ctx)
	if err != nil {
		return g.deny(ctx, r, in, verdict{rule: "approval", why: whyStore, err: err})
	}
	other, err := same(ctx, r, all, h)
	if err != nil {
		return err
	}
	if other != nil {
		return handler.UserErrorf("%s: that waits for consent already, as %s.", r.Event.User, other.ID)
	}
	again, err := holder.Hold(ctx, r, h)
	if err != nil {
		return err
	}
	if again != nil { // this event has come before
		if again.Hash == "" { // and was decided since
			return refused(handler.HeldApproval)
		}
		h = again
	} else {
		rec := record(r, in, audit.PhaseAsked)
		rec.Outcome = h.ID
		if err := g.append(ctx, rec); err != nil {
			r.Log().Error("a request for consent could not be audited", "error", err)
		}
	}
	if err := g.put(ctx, r, h); err != nil {
		return err
	}
	return refused(handler.HeldApproval)
}

// tooLong tells whether a line cannot be put to others.
func tooLong(in *handler.Intent) bool { return adapter.UnitUTF16.Len(in.Line) > maxLine }

// same gives the request of another delivery for the very same thing that waits already; nil if there is none. One that can run
// no more, since its secrets are gone, is in nobody's way: it is forgotten.
func same(ctx context.Context, r *handler.Request, all []*handler.Held, h *handler.Held) (*handler.Held, error) {
	for _, other := range all {
		if other.Kind != h.Kind || other.Delivery == h.Delivery || !other.Expires.After(h.Since) {
			continue
		}
		if !other.Lost {
			if other.Hash == h.Hash {
				return other, nil
			}
			continue
		}
		if other.Line != h.Line || other.Event.User.Key() != h.Event.User.Key() {
			continue
		}
		err := r.Holder(permit.Proof{}).DropHeld(ctx, r, other, handler.Decision{Text: "I was restarted and do not keep secrets. It was said again since."})
		if err != nil && !errors.Is(err, brain.ErrConflict) {
			return nil, err
		}
	}
	return nil, nil
}

// put posts a request where others see it.
func (g *Guard) put(ctx context.Context, r *handler.Request, h *handler.Held) error {
	private := r.Event.Room.Kind == adapter.RoomDirect
	if private && g.cfg.Room == (adapter.Address{}) {
		return r.Reply(ctx, "%s needs %s. Nobody sees this but you: ask them to say \"pending\" to me, and then \"approve %s\".\n```\n%s\n```", h.ID, needs(h), h.ID, h.Line)
	}
	to := r.Event.Address()
	if private {
		to = g.cfg.Room
	}
	m := &adapter.Message{
		To: to, Reusable: true,
		Text: adapter.Format("%s asks to run\n```\n%s\n```\nIt needs %s, within %s: \"approve %s\" or \"deny %s\".", handler.NameFor(h.Event.User, to.Adapter), h.Line, needs(h), g.cfg.ApprovalsFor, h.ID, h.ID),
		Buttons: []adapter.Button{
			{Label: "Approve", Command: "approve " + h.ID, Style: adapter.ButtonPrimary}, {Label: "Deny", Command: "deny " + h.ID, Style: adapter.ButtonDanger},
		},
	}
	if !r.Features(m.To.Adapter).Buttons { // a number would agree to whatever was asked last, and not to what was read
		m.Buttons = nil
	}
	p, err := r.Send(ctx, m)
	if err != nil {
		return err
	}
	if err := posted(ctx, r, h.ID, p.Refs); err != nil {
		r.Log().Warn("where a request was posted could not be kept; its buttons stay shown when it is over", "request", h.ID, "error", err)
	}
	if private {
		return r.Reply(ctx, "I have put %s to others: it needs %s.", h.ID, needs(h))
	}
	return nil
}

// posted keeps with a request where others were asked; one that is over by now has nothing to keep.
func posted(ctx context.Context, r *handler.Request, id string, refs []adapter.Ref) error {
	holder := r.Holder(permit.Proof{})
	for range settleTries {
		h, err := holder.Held(ctx, id)
		if err != nil || h == nil || len(h.Posts) > 0 {
			return err
		}
		h.Posts = refs
		if err := holder.KeepHeld(ctx, r, h, handler.Decision{}); !errors.Is(err, brain.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("guard: request %s: %w", id, brain.ErrConflict)
}

// needs says whose consent a request needs.
func needs(h *handler.Held) string { return whose(h.Needs) }

func whose(needs []handler.Consents) string {
	var out []string
	for _, c := range needs {
		out = append(out, c.String())
	}
	return strings.Join(out, " and ")
}

// missing tells what consents lack, empty for nothing. All is read anew: roles, whose accounts they are, and of what kind.
func (g *Guard) missing(ctx context.Context, r *handler.Request, asker adapter.User, needs []handler.Consents, consents []handler.Consent) (string, error) {
	self, err := g.person(ctx, asker)
	if err != nil {
		return "", err
	}
	type account struct {
		held []string
		kind adapter.UserKind
	}
	type voter struct {
		persona
		accounts []account
		asker    bool
	}
	voters := []voter{{persona: self, asker: true}}
	for _, c := range consents {
		who, err := g.person(ctx, c.By)
		if err != nil {
			return "", err
		}
		c.By, err = r.Current(ctx, c.By)
		if err != nil {
			return "", err
		}
		v := voter{persona: who}
		if person(c.By) {
			held, err := g.rolesOf(ctx, c.By, true)
			if err != nil {
				return "", err
			}
			v.accounts = []account{{held, c.By.Kind}}
		}
		apart := voters[:0:0]
		for _, other := range voters { // all that are this one, who may join two others
			if other.is(who) {
				v = voter{v.and(other.persona), append(v.accounts, other.accounts...), v.asker || other.asker}
			} else {
				apart = append(apart, other)
			}
		}
		voters = append(apart, v)
	}
	var lack []string
	for _, need := range needs {
		n := 0
		for _, v := range voters {
			if !v.asker && slices.ContainsFunc(v.accounts, func(a account) bool { return mayConsent(need, a.held, a.kind) }) {
				n++
			}
		}
		if n < need.N {
			lack = append(lack, handler.Consents{N: need.N - n, Role: need.Role}.String())
		}
	}
	return strings.Join(lack, " and "), nil
}

// person tells whether an account is one whose consent can count: that of somebody, and not of a program.
func person(u adapter.User) bool {
	return u.ID != "" && u.Kind != adapter.KindBot && u.Kind != adapter.KindDeactivated
}

// mayConsent tells whether somebody counts for a need.
func mayConsent(need handler.Consents, held []string, kind adapter.UserKind) bool {
	role := need.Role
	if role == "" {
		role = handler.MemberRole
	}
	return has(held, kind, role)
}

// judge tells whether by may decide a request. The error is for by.
func (g *Guard) judge(ctx context.Context, h *handler.Held, by adapter.User) error {
	if !person(by) {
		return handler.UserErrorf("I do not know this account as that of a person who may agree.")
	}
	who, err := g.person(ctx, by)
	if err != nil {
		return unsure(by, err)
	}
	asker, err := g.person(ctx, h.Event.User)
	if err != nil {
		return unsure(by, err)
	}
	if who.is(asker) {
		return handler.UserErrorf("%s: somebody else must agree to what you ask for.", by)
	}
	held, err := g.rolesOf(ctx, by, true)
	if err != nil {
		return unsure(by, err)
	}
	if !slices.ContainsFunc(h.Needs, func(need handler.Consents) bool { return mayConsent(need, held, by.Kind) }) {
		return handler.UserErrorf("%s: your consent does not count for that. It needs %s.", by, needs(h))
	}
	return nil
}

// unsure is the answer where something could not be read.
func unsure(by adapter.User, err error) error {
	return &handler.UserError{Text: adapter.Format("%s: I cannot look up now who you may decide for, so it does not count. Try again in a while.", by), Err: err}
}

// errOver is the answer to who decides too late.
func errOver(id string) error {
	return handler.UserErrorf("There is no request %s any more: it was decided, or its time is over.", id)
}

// waiting reads a request for consent that can still be decided.
func waiting(ctx context.Context, holder handler.Holder, id string) (*handler.Held, error) {
	h, err := holder.Held(ctx, strings.ToLower(id))
	if err != nil {
		return nil, err
	}
	if h == nil || h.Kind != handler.HeldApproval || !h.Expires.After(time.Now()) {
		return nil, errOver(id)
	}
	return h, nil
}

// approve adds the word of who says it, and runs the command with the last one.
func (g *Guard) approve(ctx context.Context, r *handler.Request, id string) error {
	holder := r.Holder(permit.Proof{})
	if d, ok := holder.Decided(r, id); ok { // this event has come before
		return g.finish(ctx, r, d)
	}
	by := r.Event.User
	for range settleTries {
		h, err := waiting(ctx, holder, id)
		if err != nil {
			return err
		}
		if err := g.judge(ctx, h, by); err != nil {
			g.refuse(ctx, r, h, err)
			return err
		}
		if h.Lost {
			return g.lost(ctx, r, holder, h)
		}
		who, err := g.person(ctx, by)
		if err != nil {
			return unsure(by, err)
		}
		for _, c := range h.Consents {
			other, err := g.person(ctx, c.By)
			if err != nil {
				return unsure(by, err)
			}
			if other.is(who) {
				return handler.UserErrorf("%s: you have agreed to %s already.", by, h.ID)
			}
		}
		h.Consents = append(h.Consents, handler.Consent{By: by, At: time.Now().UTC()})
		lack, err := g.missing(ctx, r, h.Event.User, h.Needs, h.Consents)
		if err != nil {
			return unsure(by, err)
		}
		rec := heldRecord(h, audit.PhaseApproved, by, "approved", "")
		d, err := g.decision(r, h, tells{record: &rec, say: func(on string, _ bool) string {
			if lack != "" {
				return adapter.Format("%s agreed to %s. It still needs %s.", handler.NameFor(by, on), h.ID, lack)
			}
			return adapter.Format("%s agreed to %s, which has all the consent it needs.", handler.NameFor(by, on), h.ID)
		}})
		if err != nil {
			return err
		}
		if lack != "" {
			err = holder.KeepHeld(ctx, r, h, d)
		} else {
			err = holder.Release(ctx, r, h, h.Granted(&handler.Agreement{
				Hash: h.Hash, Factor: h.Factor, Consents: h.Consents, Until: time.Now().Add(g.cfg.ApprovalsFor).UTC(),
			}), d)
		}
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

// refuse records that somebody tried to decide who may not.
func (g *Guard) refuse(ctx context.Context, r *handler.Request, h *handler.Held, err error) {
	rec := heldRecord(h, audit.PhaseDenied, r.Event.User, "no consent", "approval")
	rec.Error = err.Error()
	if err := g.append(ctx, rec); err != nil {
		r.Log().Error("a refusal could not be audited", "error", err)
	}
}

// lost ends a request whose arguments were secret and are gone.
func (g *Guard) lost(ctx context.Context, r *handler.Request, holder handler.Holder, h *handler.Held) error {
	d, err := g.decision(r, h, tells{asker: true, say: func(on string, whole bool) string {
		if !whole {
			return adapter.Format("I was restarted and do not keep secrets. %s has to say %s again.", handler.NameFor(h.Event.User, on), h.ID)
		}
		return adapter.Format("%s: I was restarted and do not keep secrets. Say it again: %s", handler.NameFor(h.Event.User, on), h.Line)
	}})
	if err != nil {
		return err
	}
	if err := holder.DropHeld(ctx, r, h, d); err != nil && !errors.Is(err, brain.ErrConflict) {
		return err
	}
	return g.finish(ctx, r, d)
}

// end drops a request: deny of somebody who may decide it, or of who asked, who may also cancel it.
func (g *Guard) end(ctx context.Context, r *handler.Request, id string, cancel bool) error {
	holder := r.Holder(permit.Proof{})
	by := r.Event.User
	for range settleTries {
		if d, ok := holder.Decided(r, id); ok {
			return g.finish(ctx, r, d)
		}
		h, err := waiting(ctx, holder, id)
		if err != nil {
			return err
		}
		who, err := g.person(ctx, by)
		if err != nil {
			return unsure(by, err)
		}
		asker, err := g.person(ctx, h.Event.User)
		if err != nil {
			return unsure(by, err)
		}
		outcome := "denied"
		switch {
		case who.owns(asker):
			outcome = "canceled"
		case cancel:
			return handler.UserErrorf("%s: only who asked for %s can cancel it. Others deny it.", by, h.ID)
		default:
			if err := g.judge(ctx, h, by); err != nil {
				g.refuse(ctx, r, h, err)
				return err
			}
		}
		rec := heldRecord(h, audit.PhaseDenied, by, outcome, "approval")
		d, err := g.decision(r, h, tells{record: &rec, asker: true, say: func(on string, _ bool) string {
			if outcome == "canceled" {
				return adapter.Format("%s canceled %s.", handler.NameFor(by, on), h.ID)
			}
			return adapter.Format("%s denied %s of %s.", handler.NameFor(by, on), h.ID, handler.NameFor(h.Event.User, on))
		}})
		if err != nil {
			return err
		}
		err = holder.DropHeld(ctx, r, h, d)
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

// heldRecord begins the audit record of what somebody did to a request.
func heldRecord(h *handler.Held, phase audit.Phase, by adapter.User, outcome, rule string) audit.Record {
	rec := audit.Record{
		Phase: phase, Delivery: h.Delivery, Correlation: handler.CorrelationID(h.Delivery), Who: audit.PersonOf(by), Room: h.Event.Address(), Route: h.Route,
		Command: h.Line, Decision: outcome, Rule: rule, Outcome: h.ID,
	}
	if rule == "" {
		rec.Rule = h.Policy
	}
	for _, c := range h.Consents {
		rec.Approvers = append(rec.Approvers, audit.PersonOf(c.By))
	}
	return rec
}
