package handler

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/args"
)

// askInForm asks for all arguments that a native command lacks in one window of the platform. false: it has none, or the
// window could not be opened, and the arguments are to be asked for in words.
func (d *declared) askInForm(ctx context.Context, r *Request, bound args.Bound, missing []*args.Arg) bool {
	if !r.hasForms() {
		return false
	}
	q := Question{Kind: AskArgument, Prompt: which(missing[0]), Choices: missing[0].Choices, Field: missing[0].Name, Options: bound.Options(), Route: r.Route.ID, Event: r.Event, Delivery: r.Delivery}
	q.Hash, q.Secret, q.Expires = hashOptions(q.Options), d.hasSecret(), time.Now().Add(AskFor).UTC()
	if q.Secret {
		q.Event = d.nameOnly(r.Event)
	}
	return r.openForm(ctx, d, &q, missing)
}

// hasForms tells whether the answer to r's event may be a window.
func (r *Request) hasForms() bool {
	return r.Event.Invocation != nil && r.Event.Origin != "" && r.effects.Can(r.Event.Adapter, VerbForm)
}

// openForm stores q and opens the window for it; false where that is not possible.
func (r *Request) openForm(ctx context.Context, d *declared, q *Question, fields []*args.Arg) bool {
	form := &adapter.Form{Title: d.names[0]}
	for _, a := range fields {
		form.Fields = append(form.Fields, adapter.FormField{
			Name: a.Name, Label: a.Name, Hint: a.Help, Value: q.Options[a.Name], Choices: a.Choices, Required: a.Required, Long: a.Rest,
		})
	}
	if err := r.effects.Ask(ctx, r, q); err != nil {
		r.Log().Warn("the question of a form could not be stored", "error", err)
		return false
	}
	form.ID = q.ID
	if err := r.effects.OpenForm(ctx, r, form); err != nil {
		r.Log().Debug("the form could not be opened; the arguments are asked for in words", "error", err)
		return false
	}
	return true
}

// filledIn takes a form that was filled in as the answer to its question.
func (d *declared) filledIn(ctx context.Context, r *Request, q *Question) error {
	options := maps.Clone(q.Options)
	if options == nil {
		options = map[string]string{}
	}
	for name, value := range r.Event.Invocation.Options {
		if value != "" { // a field that was left empty
			options[name] = value
		}
	}
	bound, err := d.bindAnswer(ctx, r, q, options)
	var usage *args.UsageError
	var missing *args.Missing
	switch {
	case errors.As(err, &usage):
		if err := r.effects.Drop(ctx, r, q); err != nil {
			return err
		}
		return &UserError{Text: adapter.Format("```\n%s\n```", usage.Render())}
	case errors.As(err, &missing):
		return d.askNext(ctx, r, q, bound, missing.Fields[0])
	case err != nil:
		return err
	}
	return d.allow(ctx, r, q, bound)
}
