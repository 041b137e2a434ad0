package handler

import (
	"context"
	"errors"
	"strings"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/args"
)

// Preview is what would be decided on if somebody said a line.
type Preview struct {
	Route   *Route
	Event   *adapter.Event // the line, as that person would say it
	Intent  *Intent
	Confirm string // the question that the person would be asked first, empty for none
}

// Preview binds line, which is without the bot's name, as if u said it where r was said. Nothing runs and nobody is asked. A
// [UserError] says why there is nothing to decide on: no such command, or arguments that are wrong or missing.
func (r *Request) Preview(ctx context.Context, u adapter.User, line string) (*Preview, error) {
	if r.table == nil {
		return nil, errors.New("handler: preview: the request is of no table")
	}
	ev := *r.Event
	ev.User, ev.Click, ev.Text, ev.Raw, ev.Origin = u, nil, line, nil, ""
	ev.Kind, ev.Invocation = adapter.KindInvocation, &adapter.Invocation{Text: line} // addressed, wherever it is said
	sel := r.table.Match(&ev)
	var route *Route
	for _, found := range sel.Routes {
		if found.kind == routeCommand || found.kind == routeRespond {
			route = found
		}
	}
	if route == nil {
		return nil, UserErrorf("That is no command of mine.")
	}
	p := &Preview{Route: route, Event: &ev}
	own := &Request{Event: &ev, Text: sel.Text, Route: route, Delivery: r.Delivery, Brain: r.Brain, Logger: r.Logger, effects: r.effects, table: r.table}
	if route.command == nil {
		p.Intent = own.textIntent()
		return p, nil
	}
	d := route.command
	bound, err := d.spec.Bind(ctx, d.input(own))
	var usage *args.UsageError
	var missing *args.Missing
	switch {
	case errors.Is(err, args.ErrHelp):
		return nil, UserErrorf("That shows help, which everybody may see who may run the command.")
	case errors.As(err, &usage):
		return nil, &UserError{Text: adapter.Format("```\n%s\n```", usage.Render())}
	case errors.As(err, &missing):
		var names []string
		for _, a := range missing.Fields {
			names = append(names, a.Name)
		}
		return nil, UserErrorf("Say the whole line: %s is missing, and what it asks for may depend on it.", strings.Join(names, " and "))
	case err != nil:
		return nil, err
	}
	p.Intent = d.intend(own, bound)
	if d.confirm != nil {
		p.Confirm = d.confirm(bound)
	}
	return p, nil
}
