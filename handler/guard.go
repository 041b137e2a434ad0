package handler

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
	"unicode"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/args"
	"github.com/starlingbot/starling/internal/permit"
)

// Intent is what is about to run, as it is decided on, shown and audited.
type Intent struct {
	// Policy is what applies: the route's, the operator's rules and When on the arguments, the strictest of all.
	Policy Policy
	// Line is exactly what runs, in one line: the command with its canonical arguments, defaults too. Secrets are masked, and
	// what cannot be seen is shown by its code point, so that two lines that differ look different.
	Line string
	// Args are the canonical arguments by name, secrets masked; nil for a route that declares none.
	Args map[string]string
	// Exclusive is what is being changed, empty for nothing.
	Exclusive string
	// Err says why the policy is not known: When or Exclusive panicked, or what they gave is no policy. It means no.
	Err error
	// Consents are those who agreed, Override who passed the approval over. The guard sets them when it says yes.
	Consents []Consent
	Override *Override

	options map[string]string
	secret  bool
	who     *Request
	what    string // the text of a route that declares no arguments
}

// Hash names route, arguments, who asks and where, and Policy. Consent is bound to it.
func (in *Intent) Hash() string {
	ev, what := in.who.Event, strconv.Quote(in.what)
	if in.options != nil {
		what = hashOptions(in.options)
	}
	h := sha256.New()
	for _, s := range []string{in.who.Route.ID, what, ev.User.Key(), ev.Adapter, ev.Room.ID, ev.Thread, in.Policy.String(), in.Exclusive, attached(ev)} {
		_, _ = h.Write([]byte(strconv.Quote(s))) // a hash takes everything
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Hold gives a record of the command that waits, without an id and times.
func (in *Intent) Hold(r *Request, kind HeldKind) *Held {
	ev := r.Event
	if in.secret {
		ev = in.who.Route.command.nameOnly(ev)
	}
	return &Held{
		Kind: kind, Route: r.Route.ID, Line: in.Line, Hash: in.Hash(), Options: in.options, Secret: in.secret, Policy: in.Policy.String(),
		Needs: in.Policy.AllConsents(), Event: ev, Delivery: r.Delivery, Confirmed: r.Grant != nil && r.Grant.Confirmed,
	}
}

// Decider decides on what is about to run. The guard is one; nobody else can be.
type Decider interface {
	// Reached tells that no middleware between the guard and the route's handler has kept it from running.
	Reached()
	// Check tells whether who asks may do this at all, before they are asked for anything.
	Check(ctx context.Context, r *Request, in *Intent) error
	// Decide tells whether it runs now. nil is the only yes; else it has been said why not, or what it waits for.
	Decide(ctx context.Context, r *Request, in *Intent) error
}

// decider gives the guard that has let r through; nil if none has.
func (r *Request) decider(ctx context.Context) Decider {
	p := permit.From(ctx)
	if p == nil || p.For != r {
		return nil
	}
	d, _ := p.Decider.(Decider)
	return d
}

// unguarded refuses to run what no guard has let through, and one should have.
func (r *Route) unguarded() error {
	if r.guarded {
		return fmt.Errorf("handler: %s: no guard has let this through: a middleware behind the guard passes on another request or context than it was given; pass on that request, and that context or one made of it", r.ID)
	}
	return fmt.Errorf("handler: %s has a policy and no guard has let this through: put the guard's Enforce around the route with Router.Use", r.ID)
}

// gate is the innermost link of a route's chain. Nothing passes it that has a policy and no guard's word.
type gate struct {
	route *Route
	next  Handler
}

// Handle lets a declared command go on to its arguments, and decides on every other route here.
func (g *gate) Handle(ctx context.Context, r *Request) error {
	route := g.route
	d := r.decider(ctx)
	if d != nil {
		d.Reached()
	}
	if r.Event.Truncated && route.acts() {
		return tooLong("") // what is lost might have said something else
	}
	p := route.effective()
	switch {
	case d == nil && (!p.IsZero() || route.command != nil && route.command.when != nil || route.guarded && route.Audited()):
		return route.unguarded()
	case d == nil, route.command != nil, !route.Audited():
		return g.next.Handle(ctx, r)
	}
	in := r.textIntent()
	r.intent = in
	if err := d.Check(ctx, r, in); err != nil {
		return err
	}
	if err := d.Decide(ctx, r, in); err != nil {
		return err
	}
	if !p.IsZero() {
		if err := r.effects.Begin(ctx, r); err != nil {
			return err
		}
	}
	return g.next.Handle(ctx, r)
}

// acts tells whether the route does what a text says. A declared command judges that itself, and so do answers.
func (r *Route) acts() bool {
	return r.kind == routeRespond || r.kind == routeCommand && r.command == nil && r.name != answerCommand
}

// tooLong is the answer to what reached the bot without its end.
func tooLong(more adapter.Markup) error {
	return &UserError{Text: strings.TrimSpace(adapter.Format("That is longer than what reaches me, and its end is lost. Nothing was done: say it shorter. %s", more))}
}

// textIntent makes the intent of a route that declares no arguments: what was said is all there is.
func (r *Request) textIntent() *Intent {
	ev := r.Event
	line := r.Text
	if r.Route.kind == routeHear || line == "" {
		line = ev.Text
	}
	shown := line
	switch {
	case r.Route.name == answerCommand: // what was asked for may be a secret
		shown = redacted
	case r.Route.kind == routeOn:
		data, _ := json.Marshal(map[string]any{"text": line, "message": ev.MessageID, "reaction": ev.Reaction, "click": ev.Click, "invocation": ev.Invocation, "signal": ev.Signal})
		line = string(ev.Kind) + " " + string(data) // strings and times always encode
		shown = line
	case r.table != nil: // it may be a command with a secret that is overheard
		if c := r.table.command(r.Text); c != nil && c.command != nil && c.command.hasSecret() {
			shown = r.table.Said(ev, nil)
		}
	}
	return &Intent{Policy: *r.Route.effective(), Line: exactly(shown) + attached(ev), who: r, what: line}
}

// attached shows the files that come with what was said: they are a part of what is agreed to.
func attached(ev *adapter.Event) string {
	var b strings.Builder
	for _, f := range ev.Files {
		fmt.Fprintf(&b, " [file %s, %d bytes, id %s]", exactly(strconv.Quote(f.Name)), f.Size, exactly(strconv.Quote(f.ID)))
	}
	return b.String()
}

// Audited tells whether the guard puts what becomes of a run on record: whatever has a policy, and without one commands, but not
// chatter, a Volatile answer or what is built in.
func (r *Route) Audited() bool {
	return !r.effective().IsZero() || !r.builtin && (r.command != nil || !r.Volatile && (r.kind == routeCommand || r.kind == routeRespond))
}

// exactly shows a line so that nothing in it is invisible and no two lines look the same.
func exactly(line string) string {
	var b strings.Builder
	for _, c := range plainly.Replace(line) {
		if c != ' ' && unicode.Is(unicode.Zs, c) { // looks like a space
			fmt.Fprintf(&b, "<U+%04X>", c)
			continue
		}
		b.WriteRune(c)
	}
	return args.Visible(b.String())
}

// plainly makes what args.Visible shows in two ways, or would show as something that was typed, a code point.
var plainly = strings.NewReplacer("<U+", "<U+003C>U+", "\n", "<U+000A>", "\t", "<U+0009>", "\r", "<U+000D>")

// Intent gives what was decided on; nil before that, and where nothing had to be decided.
func (r *Request) Intent() *Intent { return r.intent }

// intend makes the intent of bound arguments. It never fails: what goes wrong is in Err.
func (d *declared) intend(r *Request, bound args.Bound) (in *Intent) {
	name := d.names[0]
	in = &Intent{
		Policy: *r.Route.effective(), who: r, secret: d.hasSecret(), options: d.spec.Options(bound.Pointer()),
		Line: exactly(strings.TrimSpace(name+" "+bound.Format(args.Form{Mask: true, Full: true}))) + attached(r.Event),
	}
	in.Args = map[string]string{}
	for _, a := range d.spec.Args {
		if text, ok := in.options[a.Name]; ok {
			if shown := r.Unsecret(text); a.Secret {
				text = redacted
			} else if a.Rest && shown != text { // a command line with a secret in it
				in.Line, text = exactly(name+" "+redacted), shown
			}
			in.Args[a.Name] = text
		}
	}
	defer func() {
		if v := recover(); v != nil {
			in.Err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	if d.when != nil {
		more, err := d.when(bound).Check(r.Route.adapters())
		if err != nil {
			in.Err = fmt.Errorf("handler: When of %s gave what is no policy: %w", r.Route.ID, err)
			return in
		}
		in.Policy = Combine(in.Policy, more)
	}
	if d.exclusive != nil {
		in.Exclusive = d.exclusive(bound)
	}
	return in
}

// check asks the guard before the person is asked for anything. nil intent: nothing is to be decided.
func (d *declared) check(ctx context.Context, r *Request, bound args.Bound) (Decider, error) {
	decider := r.decider(ctx)
	if decider == nil && d.when == nil && d.exclusive == nil || decider != nil && r.Route.builtin {
		if r.Route.effective().IsZero() {
			return nil, nil
		}
	}
	in := d.intend(r, bound)
	r.intent = in
	if decider == nil {
		if in.Err != nil {
			return nil, in.Err
		}
		if !in.Policy.IsZero() {
			return nil, r.Route.unguarded()
		}
		return nil, nil
	}
	return decider, decider.Check(ctx, r, in)
}

// errNoIntent is a mistake of this package: a guard that was not asked first.
var errNoIntent = errors.New("handler: nothing was intended")

// decide asks the guard whether the command runs now.
func (r *Request) decide(ctx context.Context, decider Decider) error {
	switch {
	case decider == nil:
		return nil
	case r.intent == nil:
		return errNoIntent
	}
	return decider.Decide(ctx, r, r.intent)
}

// Retract deletes the message that was said, where the platform lets the bot: for what must not stay in a room.
// adapter.ErrUnsupported where it cannot.
func (r *Request) Retract(ctx context.Context) error {
	ref := r.Event.Ref()
	if ref.IsZero() {
		return fmt.Errorf("retract: the event has no message: %w", adapter.ErrNotFound)
	}
	return r.effects.Delete(ctx, r, []adapter.Ref{ref})
}
