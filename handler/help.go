package handler

import (
	"context"
	"strings"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/args"
)

// Help that is longer than this many lines goes to the asker alone, and a message holds this many characters at most.
const (
	helpLines = 15
	helpPage  = 3000
)

// helpRoute makes the built-in help command; nil where the bot has its own.
func (t *Table) helpRoute() *Route {
	for _, r := range t.routes {
		if r.kind == routeCommand && r.name == "help" {
			return nil
		}
	}
	return &Route{
		kind: routeCommand, name: "help", rest: true, where: "handler/help.go", inner: Func(t.help),
		Summary: "Show what I can do.", Usage: "help [WORD]", Volatile: true,
	}
}

// help lists the routes that have a summary and that the asker may run; a command's name shows all of it, other words
// filter. What people type is never a pattern.
func (t *Table) help(ctx context.Context, r *Request) error {
	filter := r.Rest()
	fold := strings.ToLower(strings.Join(strings.Fields(filter), " "))
	if route := t.commands[fold]; route != nil && route.command != nil && !route.Hidden && t.visible(ctx, r, route) {
		return route.command.help(ctx, r, route)
	}
	var lines []string
	mount := ""
	for _, route := range t.routes {
		if route.Summary == "" || route.Hidden || !t.visible(ctx, r, route) {
			continue
		}
		if !strings.Contains(strings.ToLower(route.usage()+"\n"+route.Summary+"\n"+route.mount), fold) {
			continue
		}
		if route.mount != mount {
			if mount = route.mount; mount != "" {
				lines = append(lines, adapter.Format("%s:", mount))
			}
		}
		lines = append(lines, adapter.Format("%s - %s", route.usage(), route.Summary))
	}
	if len(lines) == 0 {
		return r.Reply(ctx, "There is nothing about %s. Type help for all I can do.", filter)
	}
	return r.pages(ctx, lines)
}

// pages answers with lines in as many messages as they take: to the asker alone where they are many.
func (r *Request) pages(ctx context.Context, lines []string) error {
	say := r.Reply
	if len(lines) > helpLines && r.Event.User.ID != "" && r.effects.Can(r.Event.Adapter, VerbDirect) {
		say = r.Whisper
	}
	for len(lines) > 0 {
		n, size := 0, 0
		for n < len(lines) && (n == 0 || size+len(lines[n]) < helpPage) {
			size += len(lines[n]) + 1
			n++
		}
		if err := say(ctx, "%s", adapter.Markup(strings.Join(lines[:n], "\n"))); err != nil {
			return err
		}
		lines = lines[n:]
	}
	return nil
}

// help shows all of a command: usage, what it does, its arguments, its examples and its policy.
func (d *declared) help(ctx context.Context, r *Request, route *Route) error {
	lines := []string{adapter.Format("%s", d.spec.Usage(d.names[0])), adapter.Format("%s", d.route.Summary)}
	if d.description != "" {
		lines = append(lines, d.description)
	}
	if len(d.names) > 1 {
		lines = append(lines, adapter.Format("Also: %s", strings.Join(d.names[1:], ", ")))
	}
	for _, a := range d.spec.Args {
		lines = append(lines, adapter.Format("  %s", argLine(a)))
	}
	for _, e := range d.examples {
		lines = append(lines, adapter.Format("Example: %s", e))
	}
	if words := route.effective().words(); words != "" {
		lines = append(lines, adapter.Format("%s", words))
	}
	if d.when != nil {
		lines = append(lines, "Some arguments ask for more than that.")
	}
	return r.Reply(ctx, "%s", adapter.Markup(strings.Join(lines, "\n")))
}

// argLine describes an argument in one line.
func argLine(a *args.Arg) string {
	name := a.Name
	if a.Flag {
		name = "--" + a.Name
		if a.Short != "" {
			name += ", -" + a.Short
		}
	}
	var facts []string
	switch {
	case len(a.Choices) > 0:
		facts = append(facts, strings.Join(a.Choices, ", "))
	case a.Kind != args.KindString:
		facts = append(facts, string(a.Kind))
	}
	switch {
	case a.Secret:
		facts = append(facts, "secret")
	case a.HasDefault:
		facts = append(facts, "default "+a.Default)
	case a.Required:
		facts = append(facts, "required")
	}
	line := name
	if a.Help != "" {
		line += ": " + a.Help
	}
	if len(facts) > 0 {
		line += " (" + strings.Join(facts, "; ") + ")"
	}
	return line
}
