package handler

import (
	"cmp"
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

// generalGroup is the heading of what is mounted nowhere.
const generalGroup = "general"

// help lists the routes that have a summary and that the asker may run, those of a mount below one heading; a command's name
// shows all of it, other words filter. What people type is never a pattern.
func (t *Table) help(ctx context.Context, r *Request) error {
	filter := r.Rest()
	fold := strings.ToLower(strings.Join(strings.Fields(filter), " "))
	if route := t.commands[fold]; route != nil && route.command != nil && !route.Hidden && t.visible(ctx, r, route) {
		return route.command.help(ctx, r, route)
	}
	names, lines := []string{generalGroup}, map[string][]string{}
	for _, route := range t.routes {
		if route.Summary == "" || route.Hidden || !t.visible(ctx, r, route) {
			continue
		}
		if !strings.Contains(strings.ToLower(route.usage()+"\n"+route.Summary+"\n"+route.mount), fold) {
			continue
		}
		name := cmp.Or(route.mount, generalGroup)
		if len(lines[name]) == 0 && name != generalGroup {
			names = append(names, name)
		}
		lines[name] = append(lines[name], adapter.Format("%s - %s", route.shortUsage(), route.Summary))
	}
	switch len(lines) {
	case 0:
		return r.Reply(ctx, "There is nothing about %s. Type help for all I can do.", filter)
	case 1:
		for _, all := range lines {
			return r.pages(ctx, all)
		}
	}
	var all []string
	for _, name := range names {
		if len(lines[name]) > 0 {
			lines[name][0] = adapter.Format("\n**%s:**\n", name) + lines[name][0] // a heading stays with its first line
			all = append(all, lines[name]...)
		}
	}
	return r.pages(ctx, all)
}

// shortUsage is the usage without the flags, which "help NAME" shows.
func (r *Route) shortUsage() string {
	usage := r.usage()
	if r.command != nil {
		usage, _, _ = strings.Cut(usage, " [--")
	}
	return usage
}

// pages answers with lines in as many messages as they take: to the asker alone where they are many.
func (r *Request) pages(ctx context.Context, lines []string) error {
	say := r.Reply
	if strings.Count(strings.Join(lines, "\n"), "\n") >= helpLines && r.Event.User.ID != "" && r.effects.Can(r.Event.Adapter, VerbDirect) {
		say = r.Whisper
	}
	for len(lines) > 0 {
		n, size := 0, 0
		for n < len(lines) && (n == 0 || size+len(lines[n]) < helpPage) {
			size += len(lines[n]) + 1
			n++
		}
		if err := say(ctx, "%s", adapter.Markup(strings.TrimLeft(strings.Join(lines[:n], "\n"), "\n"))); err != nil {
			return err
		}
		lines = lines[n:]
	}
	return nil
}

// help shows all of a command: usage, what it does, its arguments, its examples and its policy.
func (d *declared) help(ctx context.Context, r *Request, route *Route) error {
	lines := []string{adapter.Format("`%s`", d.spec.Usage(d.names[0])), adapter.Format("%s", d.route.Summary)}
	if d.description != "" {
		lines = append(lines, d.description)
	}
	if len(d.names) > 1 {
		lines = append(lines, adapter.Format("Also: %s", strings.Join(d.names[1:], ", ")))
	}
	for i, a := range d.spec.Args {
		if i == 0 {
			lines = append(lines, "") // a list is a paragraph of its own, or a description could be a part of it
		}
		lines = append(lines, argLine(a))
	}
	if len(d.spec.Args) > 0 {
		lines = append(lines, "")
	}
	for i, e := range d.examples {
		word := "Example"
		if i > 0 {
			word = "Or"
		}
		lines = append(lines, adapter.Format(word+": `%s`", e))
	}
	if words := route.effective().words(); words != "" {
		lines = append(lines, adapter.Format("%s", words))
	}
	if d.when != nil {
		lines = append(lines, "Some arguments ask for more than that.")
	}
	return r.Reply(ctx, "%s", adapter.Markup(strings.TrimSpace(strings.Join(lines, "\n"))))
}

// argLine describes an argument in an item of a list.
func argLine(a *args.Arg) string {
	name := strings.ToUpper(a.Name)
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
	case a.Kind != args.KindString && a.Kind != args.KindText && a.Kind != args.KindBool: // which say nothing to who types
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
	line := adapter.Format("- `%s`", name)
	if a.Help != "" {
		line += adapter.Format(": %s", a.Help)
	}
	if len(facts) > 0 {
		line += adapter.Format(" (%s)", strings.Join(facts, "; "))
	}
	return line
}
