package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/audit"
)

// Check decides on role and place by the policy of these very arguments, before the asker is asked for anything.
func (p *pass) Check(ctx context.Context, r *handler.Request, in *handler.Intent) error {
	if v := p.g.check(ctx, r.Event, in, false); !v.ok {
		return p.g.deny(ctx, r, in, v)
	}
	return nil
}

// check is what must hold whatever is still to be asked for.
func (g *Guard) check(ctx context.Context, ev *adapter.Event, in *handler.Intent, fresh bool) verdict {
	if in.Err != nil {
		return verdict{rule: "policy", why: whyPolicy, err: in.Err}
	}
	if v := g.static(ctx, ev, &in.Policy, fresh); !v.ok {
		return v
	}
	switch {
	case in.Policy.Dangerous && g.cfg.Audit == nil:
		return verdict{rule: "audit", why: whyAudit, err: errors.New("guard: it is Dangerous, and Config.Audit is nil")}
	case in.Policy.Elevate > 0 && g.cfg.Factor == nil:
		return verdict{rule: "factor", why: whyNoFactor, err: errors.New("guard: it asks for a second factor, and Config.Factor is nil")}
	}
	return yes
}

// Decide gives the last word: nil is yes.
func (p *pass) Decide(ctx context.Context, r *handler.Request, in *handler.Intent) error {
	g := p.g
	no := func(v verdict) error { return g.deny(ctx, r, in, v) }
	if in.Err != nil {
		return no(verdict{rule: "policy", why: whyPolicy, err: in.Err})
	}
	policy := &in.Policy
	agreed := &handler.Agreement{}
	if r.Grant != nil && r.Grant.Agreed != nil {
		agreed = r.Grant.Agreed
		switch {
		case agreed.Hash != in.Hash():
			return no(verdict{rule: "approval", why: whyChanged})
		case !time.Now().Before(agreed.Until):
			return no(verdict{rule: "approval", why: whyOld})
		}
	}
	if policy.Elevate > 0 { // also where it was given before: consent may have taken longer than it counts
		ok, err := g.elevated(ctx, r.Event.User, policy.Elevate)
		if err != nil {
			return no(verdict{rule: "factor", why: whyStore, err: err})
		}
		if !ok {
			return g.askFactor(ctx, r, in)
		}
	}
	if needs := policy.AllConsents(); len(needs) > 0 {
		switch {
		case agreed.Override != nil:
			if v := g.mayOverride(ctx, r, agreed.Override.By); !v.ok {
				if v.err == nil { // it is not the asker who lacks a role
					v = verdict{rule: "override", why: whyConsents, need: []string{whose(needs)}}
				}
				return no(v)
			}
			in.Override = agreed.Override
		case len(agreed.Consents) == 0:
			return g.askApproval(ctx, r, in, agreed.Factor)
		default:
			missing, err := g.missing(ctx, r, r.Event.User, needs, agreed.Consents)
			if err != nil {
				return no(verdict{rule: "approval", why: whyRoles, err: err})
			}
			if missing != "" {
				return no(verdict{rule: "approval", why: whyConsents, need: []string{missing}})
			}
			in.Consents = agreed.Consents
		}
	}
	fresh := policy.Elevate > 0 || policy.Approvals > 0 || policy.Dangerous || in.Exclusive != "" || r.Grant != nil
	ev := r.Event
	if r.Grant != nil { // it has waited: who asked may be somebody else now
		now := *ev
		var err error
		if now.User, err = r.Current(ctx, ev.User); err != nil {
			return no(verdict{rule: "identity", why: whyRoles, err: err})
		}
		ev = &now
	}
	if v := g.check(ctx, ev, in, fresh); !v.ok {
		return no(v)
	}
	if err := g.before(ctx, r, in); err != nil {
		if policy.Dangerous {
			return no(verdict{rule: "audit", why: whyAudit, err: err})
		}
		r.Log().Error("a command runs without an audit record", "error", err)
	}
	p.begun, p.intent = time.Now(), in
	return nil
}

// deny records a refusal and gives the error that says it to who asked.
func (g *Guard) deny(ctx context.Context, r *handler.Request, in *handler.Intent, v verdict) error {
	rec := record(r, in, audit.PhaseDenied)
	rec.Decision, rec.Rule = "denied", v.rule
	if len(v.need) > 0 {
		rec.Rule += " " + strings.Join(v.need, "|")
	}
	if v.err != nil {
		rec.Error = fmt.Sprint(v.err)
	}
	g.recordDenied(ctx, r, rec, v.err)
	hidden := r.Conceal(ctx)
	if g.cfg.Silent || !addressed(r) {
		return handler.Refused("policy: " + v.rule)
	}
	return &handler.UserError{Text: strings.TrimSpace(adapter.Format("%s: %s %s", r.Event.User, adapter.Markup(v.text(r)), hidden))}
}

// recordDenied writes that something was refused: always where it was asked for, and now and then where it was only overheard.
// cause is why a rule could not be judged; nil where it could.
func (g *Guard) recordDenied(ctx context.Context, r *handler.Request, rec audit.Record, cause error) {
	this, more := refusal{r.Event.User.Key(), rec.Route, rec.Rule}, 0
	if isOverheard(r.Route) {
		n, since, due := g.overheard.refused(this)
		if !due {
			return
		}
		if more = n; more > 0 {
			rec.Outcome = fmt.Sprintf("and %d more since %s", more, since.UTC().Format(time.RFC3339))
		}
	}
	if cause != nil {
		r.Log().Warn("a command is refused because a rule could not be judged", "rule", rec.Rule, "error", cause)
	}
	if err := g.append(ctx, rec); err != nil {
		r.Log().Error("a refusal could not be audited", "rule", rec.Rule, "error", err)
		g.overheard.missed(this, more)
	} else if g.cfg.Audit == nil {
		r.Log().Info("a command is refused", "rule", rec.Rule)
	}
}

// addressed tells whether the asker expects an answer: what was only overheard gets none.
func addressed(r *handler.Request) bool {
	return r.Event.User.ID != "" && !isOverheard(r.Route)
}

// text says the refusal in portable Markdown.
func (v *verdict) text(r *handler.Request) string {
	switch v.why {
	case whyNobody:
		return "I do not know this account as one that may do that."
	case whyRole:
		return adapter.Format("that needs the role %s.", strings.Join(v.need, " or "))
	case whyRoles, whyStore:
		return adapter.Format("I cannot look up now who may do that, so the answer is no. Try again in a while. My log has it under %s.", r.CorrelationID())
	case whyPlace:
		if len(v.need) == 0 {
			return "that works nowhere: its rules have no room in common. Tell who runs me."
		}
		return adapter.Format("that does not work in this room, but in %s.", adapter.Markup(rooms(v.need, r.Event.Adapter)))
	case whyDirect:
		return "that works only in private. Say it to me there."
	case whyAudit:
		return adapter.Format("that runs only when it can be recorded, and it cannot now. My log has it under %s.", r.CorrelationID())
	case whyFactor:
		return "that needs a second factor, and you have none. Set one up first: help says how."
	case whyNoFactor:
		return adapter.Format("that needs a second factor, and I know none. Tell who runs me. My log has it under %s.", r.CorrelationID())
	case whyChanged:
		return "that is no longer what was agreed to: the rules or the arguments have changed since. Say it again."
	case whyLong:
		return "that needs the consent of others, and is too long to be shown to them whole. Make it shorter."
	case whyOld:
		return "the consent for that is too old by now. Say it again."
	case whyConsents:
		return adapter.Format("the consent for that no longer counts: it needs %s. Say it again.", strings.Join(v.need, ", "))
	}
	return adapter.Format("I could not find out what that asks for, so the answer is no. My log has it under %s.", r.CorrelationID())
}

// maxRooms is how many rooms a refusal names.
const maxRooms = 5

// rooms names rooms of a policy, those of one adapter as links.
func rooms(list []string, on string) string {
	var out []string
	for i, room := range list {
		if i == maxRooms {
			out = append(out, number(len(list)-i, "other room"))
			break
		}
		if id, here := strings.CutPrefix(room, on+"/"); here {
			out = append(out, adapter.Format("%s", adapter.Room{ID: id}))
		} else {
			out = append(out, adapter.Format("%s", room))
		}
	}
	return strings.Join(out, " or ")
}

// record begins an audit record.
func record(r *handler.Request, in *handler.Intent, phase audit.Phase) audit.Record {
	rec := audit.Record{
		Phase: phase, Delivery: r.Delivery, Correlation: r.CorrelationID(), Who: audit.PersonOf(r.Event.User), Room: r.Event.Address(), Route: r.Route.ID,
	}
	if in != nil {
		rec.Command, rec.Args, rec.Rule = in.Line, in.Args, in.Policy.String()
		for _, c := range in.Consents {
			rec.Approvers = append(rec.Approvers, audit.PersonOf(c.By))
		}
		if in.Override != nil {
			rec.Approvers = append(rec.Approvers, audit.PersonOf(in.Override.By))
		}
	}
	return rec
}

// append writes a record; nil where nobody audits.
func (g *Guard) append(ctx context.Context, rec audit.Record) (err error) {
	defer notPanic(&err)
	if g.cfg.Audit == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	return g.cfg.Audit.Append(ctx, rec)
}

// note appends a record of something that has happened already: a failure undoes nothing, and the log tells.
func (g *Guard) note(ctx context.Context, log *slog.Logger, rec audit.Record) {
	if err := g.append(ctx, rec); err != nil {
		log.Error("what was decided could not be audited", "phase", string(rec.Phase), "decision", rec.Decision, "request", rec.Outcome, "by", rec.Who.Key, "error", err)
	}
}

// ruling says how a command came to run.
func ruling(in *handler.Intent) string {
	if in.Override != nil {
		return "overridden"
	}
	return "allowed"
}

// before writes that a command is about to run.
func (g *Guard) before(ctx context.Context, r *handler.Request, in *handler.Intent) error {
	if g.cfg.Audit == nil {
		return nil
	}
	rec := record(r, in, audit.PhaseBefore)
	rec.Decision = ruling(in)
	return g.append(ctx, rec)
}

// after writes what became of it.
func (g *Guard) after(ctx context.Context, r *handler.Request, p *pass, err error) {
	if g.cfg.Audit == nil {
		return
	}
	rec := record(r, p.intent, audit.PhaseAfter)
	rec.Decision, rec.Duration = ruling(p.intent), time.Since(p.begun)
	rec.Outcome, rec.Error = outcome(err)
	if err := g.append(ctx, rec); err != nil {
		r.Log().Error("the outcome of a command could not be audited", "outcome", rec.Outcome, "error", err)
	}
}

// outcome says what became of a run, and why.
func outcome(err error) (what, why string) {
	var user *handler.UserError
	var refused *handler.RefusedError
	var retry *handler.RetryError
	switch {
	case err == nil:
		return "done", ""
	case err == errPanicked:
		return "panic", err.Error()
	case errors.As(err, &retry):
		return "to be run again", err.Error()
	case errors.As(err, &refused):
		return "refused", refused.Reason
	case errors.As(err, &user):
		return "not done", user.Error()
	}
	return "failed", fmt.Sprint(err) // lives through an Error that panics
}

// stopped records that a middleware between the guard and the handler, such as a limit or an off switch, has kept from running
// what the guard had let pass so far. Nothing of it has run, so this is its only record; and nobody has looked for a secret in it.
func (g *Guard) stopped(ctx context.Context, r *handler.Request, err error) {
	if g.cfg.Audit != nil && r.Route.Audited() {
		rec := record(r, nil, audit.PhaseDenied)
		rec.Decision, rec.Rule = "denied", "besides policy"
		if rec.Outcome, rec.Error = outcome(err); err == nil {
			rec.Outcome = "not done"
		}
		g.recordDenied(ctx, r, rec, nil)
	}
	if hidden := r.Conceal(ctx); hidden != "" {
		if err := r.Whisper(ctx, "%s", hidden); err != nil {
			r.Log().Warn("who said a secret in a room could not be told", "error", err)
		}
	}
}

// refused is the end of a request that waits for people: it has been said so.
func refused(kind handler.HeldKind) error {
	return handler.Refused(fmt.Sprintf("waits for the %s", kind))
}
