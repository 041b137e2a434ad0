package guard

import (
	"context"
	"strings"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/roles"
)

// Explain tells rule by rule what would become of a line if u said it where r was said, by the very functions that decide, and then
// what Config.Obstacles say of its route. Nothing runs, nobody is asked, and nothing is recorded.
func (g *Guard) Explain(ctx context.Context, r *handler.Request, u adapter.User, line string) ([]roles.Step, bool, error) {
	p, err := r.Preview(ctx, u, line)
	if err != nil {
		return nil, false, err
	}
	steps, allowed := g.explain(ctx, r, u, p)
	for _, o := range g.cfg.Obstacles {
		why, err := blocks(ctx, o, p.Route)
		if err != nil {
			r.Log().Warn("it is not known whether something is in the way of a route", "route", p.Route.ID, "error", err)
			why = "nobody knows whether it is refused for another reason; my log has it under " + r.CorrelationID()
		}
		if why != "" {
			steps, allowed = append(steps, roles.Step{Rule: "besides policy", Verdict: roles.Refuses, Detail: why}), false
		}
	}
	return steps, allowed, nil
}

// blocks asks an obstacle. One that panics does not know.
func blocks(ctx context.Context, o Obstacle, route *handler.Route) (why string, err error) {
	defer notPanic(&err)
	return o.Blocks(ctx, route)
}

// explain judges by policy.
func (g *Guard) explain(ctx context.Context, r *handler.Request, u adapter.User, p *handler.Preview) ([]roles.Step, bool) {
	in := p.Intent
	// The whole decision, first by the route's own policy, as the guard makes it.
	v := g.static(ctx, p.Event, p.Route.Effective(), true)
	if v.ok {
		v = g.check(ctx, p.Event, in, true)
	}
	var steps []roles.Step
	add := func(rule string, verdict roles.Verdict, detail string) {
		steps = append(steps, roles.Step{Rule: rule, Verdict: verdict, Detail: detail})
	}
	add("policy", roles.Says, "for "+in.Line+": "+in.Policy.String())
	if in.Err != nil {
		steps[0] = roles.Step{Rule: "policy", Verdict: roles.Refuses, Detail: "it could not be found out what this asks for; my log has it under " + r.CorrelationID()}
		r.Log().Warn("a policy is not known", "route", p.Route.ID, "error", in.Err)
		return steps, false
	}
	if in.Policy.IsZero() {
		steps[0] = roles.Step{Rule: "policy", Verdict: roles.Allows, Detail: "nothing is asked for " + in.Line}
	}
	if v.rule == "identity" {
		add("identity", roles.Refuses, "the account has no id, or is deactivated")
		return steps, false
	}
	add("identity", roles.Allows, u.Key())
	if sets := in.Policy.RoleSets(); len(sets) > 0 {
		held, err := g.rolesOf(ctx, u, false)
		if err != nil {
			r.Log().Warn("the roles of somebody are not known", "error", err)
			add("role", roles.Refuses, "roles cannot be read now; my log has it under "+r.CorrelationID())
			return steps, false
		}
		for _, set := range sets {
			one := handler.Policy{Roles: set}
			if one.Lacks(func(role string) bool { return has(held, u.Kind, role) }) == nil {
				add("role", roles.Allows, strings.Join(set, " or "))
			} else {
				add("role", roles.Refuses, "needs "+strings.Join(set, " or ")+"; has "+orNone(held))
			}
		}
	}
	place := handler.Policy{In: in.Policy.In, Direct: in.Policy.Direct}
	switch direct := p.Event.Room.Kind == adapter.RoomDirect; {
	case in.Policy.HasPlace(p.Event.Adapter, p.Event.Room.ID, direct):
		if !place.IsZero() {
			add("room", roles.Allows, place.String())
		}
	default:
		add("room", roles.Refuses, "not in "+p.Event.Adapter+"/"+p.Event.Room.ID+", but "+place.String())
	}
	if !v.ok && (v.rule == "audit" || v.rule == "factor") {
		add(v.rule, roles.Refuses, v.err.Error())
	}
	waits := roles.Asks
	if !v.ok {
		waits = roles.Skips
	}
	refuse := func(rule, detail string) {
		add(rule, roles.Refuses, detail)
		v.ok, waits = false, roles.Skips
	}
	if p.Confirm != "" {
		add("confirmation", waits, adapter.PlainText(adapter.Data(p.Confirm)))
	}
	if in.Policy.Elevate > 0 && v.rule != "factor" {
		detail := "at most " + in.Policy.Elevate.String() + " old"
		given, enrolled, err := false, true, error(nil)
		if v.ok { // what follows a refusal is not asked
			if given, err = g.elevated(ctx, u, in.Policy.Elevate); err == nil && !given {
				enrolled, err = g.enrolled(ctx, u)
			}
		}
		switch {
		case err != nil:
			r.Log().Warn("it is not known whether somebody has given a second factor", "error", err)
			refuse("second factor", detail+"; it cannot be looked up now; my log has it under "+r.CorrelationID())
		case !enrolled:
			refuse("second factor", detail+"; there is none, and it has to be set up first")
		case given:
			add("second factor", roles.Allows, detail)
		default:
			add("second factor", waits, detail)
		}
	}
	for _, c := range in.Policy.AllConsents() {
		if v.ok && tooLong(in) {
			refuse("approval", c.String()+"; the line is too long to be shown to them whole")
			continue
		}
		add("approval", waits, c.String())
	}
	if in.Policy.Dangerous {
		add("audit", waits, "runs only when it can be recorded")
	}
	if in.Exclusive != "" {
		add("exclusive", waits, "one at a time: "+in.Exclusive)
	}
	return steps, v.ok
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}
