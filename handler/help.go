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
// shows all of it, also where its arguments follow, a group's name its commands, other words filter. Marks around what is asked
// for do not count. What people type is never a pattern.
func (t *Table) help(ctx context.Context, r *Request) error {
	topics := [...][]string{folded(r.Rest()), folded(strings.Trim(r.Rest(), helpMarks))}
	if len(topics[1]) == 1 && topics[1][0] == "me" && t.commands["me"] == nil {
		topics = [2][]string{}
	}
	for _, words := range topics {
		if route, n := t.named(ctx, r, words); route != nil && route.command != nil {
			return route.command.help(ctx, r, route)
		} else if n == len(words) { // a plain command, which has no more than its line
			continue
		}
		if list := t.under(ctx, r, words); len(list) > 0 {
			return r.pages(ctx, lines(list))
		}
	}
	for _, words := range topics {
		if all := t.about(ctx, r, strings.Join(words, " ")); len(all) > 0 {
			return r.pages(ctx, all)
		}
	}
	words := topics[1]
	if text := t.noneOf(ctx, r, words); text != "" {
		return r.Reply(ctx, "%s", adapter.Markup(text))
	}
	if route, _ := t.named(ctx, r, words); route != nil {
		return r.pages(ctx, lines([]*Route{route}))
	}
	topic := brief(strings.Join(strings.Fields(r.Rest()), " "))
	if near, ok := t.suggest(ctx, r, words, true); ok {
		return r.Reply(ctx, "There is nothing about %s. Did you mean help %s?", topic, near)
	}
	return r.Reply(ctx, "There is nothing about %s. Type help for all I can do.", topic)
}

// helpMarks are what people put around the name of what they want help with: quotes, marks at the end of a sentence, and what
// commands begin with elsewhere.
const helpMarks = ".,;:!?…\"'`“”‘’/ \t\r\n"

// about gives the lines of all whose usage, summary or mount has the words filter in it, below the headings of their mounts where
// there are several.
func (t *Table) about(ctx context.Context, r *Request, filter string) []string {
	names, lines := []string{generalGroup}, map[string][]string{}
	for _, route := range t.routes {
		if route.Summary == "" || route.Hidden || !t.visible(ctx, r, route) {
			continue
		}
		if !strings.Contains(strings.ToLower(route.usage()+"\n"+route.Summary+"\n"+route.mount), filter) {
			continue
		}
		name := cmp.Or(route.mount, generalGroup)
		if len(lines[name]) == 0 && name != generalGroup {
			names = append(names, name)
		}
		lines[name] = append(lines[name], route.line())
	}
	var all []string
	for _, name := range names {
		if len(lines[name]) > 0 {
			if len(lines) > 1 {
				lines[name][0] = adapter.Format("\n**%s:**\n", name) + lines[name][0] // a heading stays with its first line
			}
			all = append(all, lines[name]...)
		}
	}
	return all
}

// line is what a list shows of a route.
func (r *Route) line() string {
	if r.Summary == "" {
		return adapter.Format("%s", r.shortUsage())
	}
	return adapter.Format("%s - %s", r.shortUsage(), r.Summary)
}

func lines(routes []*Route) (out []string) {
	for _, r := range routes {
		out = append(out, r.line())
	}
	return out
}

// asksHelp tells whether a text that nothing matched asks for help in the words of other programs: "?", "help!", "--help deploy".
// "!?" is no question to a bot with the alias "!".
func asksHelp(ev *adapter.Event, text string) bool {
	text = strings.TrimSpace(text)
	if text == "?" {
		said := strings.TrimSpace(ev.Text)
		return ev.Kind != adapter.KindMessage || said == text || strings.ContainsFunc(said, wordRune)
	}
	rest := cutWord(text)
	word := text[:len(text)-len(rest)]
	if strings.TrimSpace(rest) != "" { // whose sentence may be meant for a fallback
		word = strings.TrimRight(word, ":,")
	} else {
		word = strings.TrimRight(word, ".,;:!?…")
		if text == "/?" {
			return true
		}
	}
	switch strings.ToLower(word) {
	case "help", "/help", "-help", "--help", "-h":
		return true
	}
	return false
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
	if t := route.table; t != nil {
		if list := t.under(ctx, r, strings.Fields(d.names[0])); len(list) > 0 {
			if lines[len(lines)-1] != "" {
				lines = append(lines, "")
			}
			for _, below := range list {
				lines = append(lines, below.line())
			}
		}
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
