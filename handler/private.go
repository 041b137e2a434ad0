package handler

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/args"
)

// exposed tells whether what was said shows a secret argument to a room. err is what Bind said of it; what could not be read
// counts as a secret where a part of it may be one.
func (d *declared) exposed(r *Request, bound args.Bound, err error) bool {
	ev := r.Event
	if r.Grant != nil || ev.Kind != adapter.KindMessage || ev.Room.Kind == adapter.RoomDirect || !d.hasSecret() {
		return false
	}
	var usage *args.UsageError
	var missing *args.Missing
	switch {
	case errors.As(err, &usage):
		return usage.Masked
	case err == nil || errors.As(err, &missing):
		return slices.ContainsFunc(d.spec.Args, func(a *args.Arg) bool { return a.Secret && bound.Given(a.Name) })
	}
	return !errors.Is(err, args.ErrHelp)
}

// Conceal deletes what was said where it shows a secret argument to a room and the platform lets the bot. It says which, ready
// to be shown: "" where nothing was to be hidden. It is for who refuses a command before its arguments are read.
func (r *Request) Conceal(ctx context.Context) adapter.Markup {
	d := r.Route.command
	if d == nil || !d.hasSecret() {
		return ""
	}
	in := d.input(r)
	in.Resolver = anybody{}
	bound, err := d.spec.Bind(ctx, in)
	if !d.exposed(r, bound, err) {
		return ""
	}
	return adapter.Markup(adapter.Format("What you said may hold a secret, and others can read it here. %s, and take the secret for known.", r.retracted(ctx)))
}

// retracted deletes what was said, once, and says whether it could.
func (r *Request) retracted(ctx context.Context) adapter.Markup {
	gone, err := Once(ctx, r, "retract", func(ctx context.Context) (bool, error) {
		err := r.Retract(ctx)
		if err != nil {
			r.Log().Debug("what shows a secret stays in the room", "error", err)
		}
		return err == nil, nil
	})
	if err == nil && gone {
		return "I have deleted it"
	}
	return "Please delete it"
}

// askAgain takes what shows a secret out of a room, and asks for the secret in private; the other arguments stay as they were
// said. err is what Bind said.
func (d *declared) askAgain(ctx context.Context, r *Request, bound args.Bound, err error) error {
	what := r.retracted(ctx)
	u := r.Event.User
	var usage *args.UsageError
	var missing *args.Missing
	switch {
	case errors.As(err, &usage):
		return &UserError{Text: adapter.Format("%s: what you said may hold a secret, and others can read it here. %s, and take the secret for known. Say the whole command to me in private.\n```\n%s\n```", u, what, usage.Render())}
	case err != nil && !errors.As(err, &missing):
		return &UserError{Text: adapter.Format("%s: what you said may hold a secret, and others can read it here. %s, and take the secret for known. Say the whole command to me in private.", u, what), Err: err}
	}
	if d.leaked != nil {
		if err := d.leaked(ctx, r, bound); err != nil {
			return err
		}
	}
	options := bound.Options()
	var first *args.Arg
	for _, a := range d.spec.Args {
		if _, given := options[a.Name]; given && a.Secret {
			delete(options, a.Name)
			if first == nil {
				first = a
			}
		}
	}
	err = d.askInPrivate(ctx, r, first, options)
	if err != nil {
		return &UserError{Text: adapter.Format("%s: %s is secret, and others can read what you said here. %s, and take it for known. I cannot ask you for it in private.", u, first.Name, what), Err: err}
	}
	return r.Reply(ctx, "%s: %s is secret, and others can read what you said here. %s, and take it for known. I have asked you for another in private.", u, first.Name, what)
}

// askInPrivate asks who said the command for a secret argument where nobody else reads the answer.
func (d *declared) askInPrivate(ctx context.Context, r *Request, arg *args.Arg, options map[string]string) error {
	room, err := r.effects.OpenDirect(ctx, r.Event.Adapter, r.Event.User.ID)
	if err != nil {
		return err
	}
	return d.ask(ctx, r, Question{
		Kind: AskArgument, Field: arg.Name, Options: options, Choices: arg.Choices, Prompt: which(arg),
		Where: adapter.Address{Adapter: r.Event.Adapter, Room: room.ID},
	})
}

// nameOnly gives ev with nothing but the command's name in it: the arguments are kept apart.
func (d *declared) nameOnly(ev *adapter.Event) *adapter.Event {
	c := *ev
	c.Raw, c.Text = nil, d.names[0]
	if c.Invocation != nil {
		c.Invocation = &adapter.Invocation{Text: d.names[0]}
	}
	return &c
}

// Said gives what ev says for people to read: secret arguments are masked, and what was answered since stands in its place.
// g is what the event was granted, nil for nothing. It is data: send it with a verb that takes arguments.
func (t *Table) Said(ev *adapter.Event, g *Grant) string {
	text, _ := t.Text(ev)
	address := ""
	if ev.Kind == adapter.KindMessage {
		address, _ = strings.CutSuffix(ev.Text, text)
	}
	route := t.command(text)
	if route == nil || route.command == nil {
		return address + text
	}
	return address + route.command.said(ev, text, g)
}

// quotesSecret tells whether an argument is a command line with a secret in it.
func (d *declared) quotesSecret(r *Request, bound args.Bound) bool {
	options := d.spec.Options(bound.Pointer())
	return slices.ContainsFunc(d.spec.Args, func(a *args.Arg) bool { return a.Rest && r.Unsecret(options[a.Name]) != options[a.Name] })
}

// Unsecret gives a text as it is, and a command line (without the bot's name) with its secret arguments masked.
func (r *Request) Unsecret(line string) string {
	if r.table == nil {
		return line
	}
	if route := r.table.command(line); route != nil && route.command != nil && route.command.hasSecret() {
		return route.command.said(&adapter.Event{User: r.Event.User, Room: r.Event.Room, Mentions: r.Event.Mentions}, line, nil)
	}
	return line
}

func (d *declared) said(ev *adapter.Event, text string, g *Grant) string {
	in := args.Input{Mentions: ev.Mentions, User: ev.User, Room: ev.Room, Resolver: anybody{}, Now: ev.Time}
	switch {
	case g != nil:
		in.Options = g.Options
	case ev.Invocation != nil && ev.Invocation.Options != nil:
		in.Options = ev.Invocation.Options
	case !d.hasSecret():
		return text
	default:
		in.Text, in.Offset = text, d.nameLength(text)
	}
	bound, err := d.spec.Bind(context.Background(), in)
	if err == nil {
		return strings.TrimSpace(d.names[0] + " " + bound.Format(args.Form{Mask: true}))
	}
	if d.hasSecret() {
		return d.names[0] + " " + redacted
	}
	return text
}
