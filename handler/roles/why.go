package roles

import (
	"context"
	"strings"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

// Explainer tells what would become of a command, without running it and without any effect. The guard is one.
type Explainer interface {
	// Explain judges line, which is without the bot's name, as if u said it where r was said. steps are the rules in the order
	// in which they are asked; allowed is the decision, which is the one that would be made when u says it, as far as policy and
	// what the explainer knows of besides (guard.Config.Obstacles) decide: that a limit is reached is another matter. An error
	// means that there is no decision; a handler.UserError is shown.
	Explain(ctx context.Context, r *handler.Request, u adapter.User, line string) (steps []Step, allowed bool, err error)
}

// Step is what one rule says of a command.
type Step struct {
	Rule    string // what asks: "role", "room", "approval"
	Verdict Verdict
	Detail  string // what it asks for and what it found; data and not markup
}

// Verdict is what a rule decides.
type Verdict string

// The verdicts.
const (
	Allows  Verdict = "allows"
	Refuses Verdict = "refuses"
	Asks    Verdict = "asks"           // for something that is still to come: a confirmation, an approval, a second factor
	Says    Verdict = "says"           // what the steps after it judge
	Skips   Verdict = "does not apply" // to these arguments, or after a refusal
)

// maxSteps is how many steps are shown.
const maxSteps = 50

// UseExplainer sets who explains decisions for the command why. It is apart from [New], since the guard is made of Roles.
func (ro *Roles) UseExplainer(e Explainer) { ro.explains.Store(&e) }

type whyArgs struct {
	User adapter.User `arg:"user" help:"mention them"`
	Line string       `arg:"command" rest:"" text:"" help:"as that person would type it"`
}

// why explains a decision to the person it is about, and to admins.
func (ro *Roles) why(ctx context.Context, r *handler.Request, a whyArgs) error {
	e := ro.explains.Load()
	if e == nil || *e == nil {
		return handler.UserErrorf("Nothing here decides who may do what: the bot has no guard.")
	}
	u, self := a.User, a.User.Key() == r.Event.User.Key()
	if self {
		u = r.Event.User // a mention does not say everything
	}
	if !self && !ro.IsAdmin(r.Event.User) {
		return handler.UserErrorf("Only an admin may ask that about others. About yourself: why me COMMAND LINE")
	}
	shown := r.Unsecret(a.Line)
	if shown != a.Line && r.Event.Room.Kind != adapter.RoomDirect && r.Event.Kind == adapter.KindMessage { // a secret, and others can read it
		if err := r.Retract(ctx); err != nil {
			r.Log().Debug("what shows a secret stays in the room", "error", err)
		}
	}
	steps, allowed, err := (*e).Explain(ctx, r, u, a.Line)
	if err != nil {
		return err
	}
	var b strings.Builder
	may := "**may not** run"
	if allowed {
		may = "**may** run"
	}
	b.WriteString(adapter.Format("%s (`%s`) "+may+" `%s`:\n", u.String(), u.Key(), shown))
	for i, s := range steps {
		if i == maxSteps {
			b.WriteString(adapter.Format("\n%d more rules are not shown.", len(steps)-i))
			break
		}
		b.WriteString(adapter.Format("\n%d. **%s** %s", i+1, s.Rule, string(s.Verdict)))
		if s.Detail != "" {
			b.WriteString(adapter.Format(": %s", s.Detail))
		}
	}
	if u.Kind == adapter.KindUnknown {
		b.WriteString("\n\nThe platform did not say what kind of account this is, so default roles do not count here.")
	}
	return r.Whisper(ctx, "%s", adapter.Markup(b.String()))
}
