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

// waitFactor gives what waits for a second factor of an account, the oldest first.
func waitFactor(all []*handler.Held, u adapter.User) (mine []*handler.Held) {
	for _, h := range all {
		if h.Kind == handler.HeldFactor && h.Event.User.Key() == u.Key() && h.Expires.After(time.Now()) {
			mine = append(mine, h)
		}
	}
	return mine
}

// coded is what a code was given for. It is recorded with the code's use: an event that comes again does the same.
type coded struct {
	Run    *waited  `json:"run,omitempty"`
	Rest   []waited `json:"rest,omitempty"`  // what else waits, and does not run
	Unsure string   `json:"unsure,omitzero"` // why the code was not tried: the text
}

// waited is a command that waits for a second factor.
type waited struct {
	ID   string `json:"id"`
	Line string `json:"line"`
}

// pick chooses what a code is for: what was named, or the only one there is. A code is for one command: who has taken over an
// account could have others wait for it.
func pick(mine []*handler.Held, id string) coded {
	var c coded
	for _, h := range mine {
		switch w := (waited{h.ID, h.Line}); {
		case h.Lost: // it cannot run
			c.Rest = append(c.Rest, w)
		case c.Run == nil && (id == "" || id == h.ID):
			c.Run = &w
		default:
			c.Rest = append(c.Rest, w)
			if id == "" {
				c.Unsure = "Several commands wait for a code, and it is for one of them. Say which, such as \"code 123456 " + h.ID + "\":"
			}
		}
	}
	if id != "" && c.Run == nil {
		c.Unsure = adapter.Format("Nothing waits for a code as %s.", id)
		if len(mine) > 0 {
			c.Unsure += " These do:"
		}
	}
	if c.Unsure != "" {
		c.Unsure += list(mine)
	}
	return c
}

// list shows what waits, a line each.
func list(mine []*handler.Held) string {
	var b strings.Builder
	for _, h := range mine {
		b.WriteString(adapter.Format("\n- %s: `%s`", h.ID, short(h.Line)))
	}
	return b.String()
}

// short cuts a line that is too long for a list, and says so.
func short(line string) string {
	if runes := []rune(line); len(runes) > maxLine {
		return string(runes[:maxLine]) + " … and " + number(len(runes)-maxLine, "character") + " more"
	}
	return line
}

// code takes a second factor, which releases one command.
func (g *Guard) code(ctx context.Context, r *handler.Request, secret handler.Secret, id string) error {
	u := r.Event.User
	if !person(u) {
		return handler.UserErrorf("I do not know this account as that of a person.")
	}
	if at := r.Event.Time; !at.IsZero() && time.Since(at).Abs() > maxSkew { // T36: the code is not tried, so that it costs none of the tries
		r.Log().Warn("a code cannot be judged: it was said at a time that is far from that of this machine's clock", "ahead", time.Since(at).Round(time.Second))
		return handler.UserErrorf("%s: that reached me late, or my clock is wrong. Say the code that your app shows now; if that does not work, tell who runs me.", u)
	}
	holder := r.Holder(permit.Proof{})
	all, err := holder.AllHeld(ctx)
	if err != nil {
		return err
	}
	c, err := handler.Once(ctx, r, "verify", func(ctx context.Context) (coded, error) {
		c := pick(waitFactor(all, u), id)
		if c.Unsure == "" {
			c.Unsure = g.without(ctx, r)
		}
		if c.Unsure != "" {
			return c, nil
		}
		return c, g.verify(ctx, u, secret)
	})
	if err != nil {
		rec := audit.Record{
			Phase: audit.PhaseDenied, Delivery: r.Delivery, Correlation: r.CorrelationID(), Who: audit.PersonOf(u), Room: r.Event.Address(), Route: r.Route.ID,
			Decision: "denied", Rule: "factor " + g.cfg.Factor.Name(), Error: err.Error(),
		}
		g.note(ctx, r.Log(), rec)
		return &handler.UserError{Text: adapter.Format("%s: that code does not count: it is wrong, too old, or was used. After several wrong ones none counts for a while.", u), Err: err}
	}
	if c.Unsure != "" {
		return &handler.UserError{Text: c.Unsure}
	}
	if err := brain.SetFor(ctx, g.cfg.Brain, elevationKey(u), elevation{time.Now().UTC(), g.cfg.Factor.Name()}, elevatedFor); err != nil {
		return err
	}
	text := "That is right."
	switch {
	case c.Run != nil:
		ok, err := g.release(ctx, r, c.Run.ID)
		if err != nil {
			return err
		}
		if !ok {
			text += adapter.Format(" But the time of this is over, and it does not run; say it again:\n```\n%s\n```", c.Run.Line)
			break
		}
		text += adapter.Format(" This goes on:\n```\n%s\n```", c.Run.Line)
	case len(c.Rest) == 0:
		text += " Nothing waits for it; say now what needs it."
	}
	if len(c.Rest) > 0 {
		text += "\nThese waited, too, and do not run. Say again what you want of them:"
	}
	for _, w := range c.Rest {
		if err := g.dropFactor(ctx, r, w.ID); err != nil {
			return err
		}
		text += adapter.Format("\n- `%s`", short(w.Line))
	}
	return r.Reply(ctx, "%s", adapter.Markup(text))
}

// without says why no code of who said r can count: "" where one can.
func (g *Guard) without(ctx context.Context, r *handler.Request) string {
	u := r.Event.User
	enrolled, err := g.enrolled(ctx, u)
	switch {
	case err != nil:
		r.Log().Warn("a code cannot be judged: whether there is a second factor is not known", "error", err)
		return adapter.Format("%s: I cannot look up now whether you have a second factor, and have not tried the code. Try again in a while. My log has it under %s.", u, r.CorrelationID())
	case !enrolled:
		return adapter.Format("%s: you have no second factor, so no code counts. Set one up first: help says how.", u)
	}
	return ""
}

// given is what the record of a delivery says of a command that waited for a second factor.
const given = "The second factor was given."

// release has a command run whose second factor was given; false: its time is over.
func (g *Guard) release(ctx context.Context, r *handler.Request, id string) (bool, error) {
	holder := r.Holder(permit.Proof{})
	if _, done := holder.Decided(r, id); done { // this event has come before
		return true, nil
	}
	h, err := holder.Held(ctx, id)
	if err != nil || h == nil || !h.Expires.After(time.Now()) || h.Lost {
		return false, err
	}
	agreed := &handler.Agreement{Hash: h.Hash, Until: time.Now().Add(g.cfg.ApprovalsFor).UTC()}
	if h.Agreed != nil {
		*agreed = *h.Agreed
	}
	agreed.Factor = g.cfg.Factor.Name()
	err = holder.Release(ctx, r, h, h.Granted(agreed), handler.Decision{Text: given})
	if errors.Is(err, brain.ErrConflict) { // another code was faster, or its time has ended
		return false, nil
	}
	return err == nil, err
}

// dropFactor forgets a command that waited for a second factor, and was not what it was given for.
func (g *Guard) dropFactor(ctx context.Context, r *handler.Request, id string) error {
	holder := r.Holder(permit.Proof{})
	h, err := holder.Held(ctx, id)
	if err != nil || h == nil {
		return err
	}
	rec := heldRecord(h, audit.PhaseDenied, r.Event.User, "not released", "factor")
	if err := holder.DropHeld(ctx, r, h, handler.Decision{}); err != nil {
		if errors.Is(err, brain.ErrConflict) {
			return nil
		}
		return err
	}
	g.note(ctx, r.Log(), rec)
	return nil
}
