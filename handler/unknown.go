package handler

import (
	"context"
	"slices"
	"strings"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/args"
)

// unknownRoute makes the answer to what is addressed to the bot and matches nothing; nil where the bot has its own
// fallback, or no declared command to suggest.
func (t *Table) unknownRoute() *Route {
	if t.fallbackGiven() || !t.declares() {
		return nil
	}
	return &Route{ID: "unknown", kind: routeFallback, where: "handler/unknown.go", Hidden: true, Volatile: true, inner: Func(t.unknown)}
}

func (t *Table) fallbackGiven() bool {
	return slices.ContainsFunc(t.routes, func(r *Route) bool { return r.kind == routeFallback })
}

// declares tells whether there is a command that was declared with Add.
func (t *Table) declares() bool {
	return slices.ContainsFunc(t.routes, func(r *Route) bool { return r.command != nil })
}

func (t *Table) unknown(ctx context.Context, r *Request) error {
	words := folded(head(r.Text))
	if len(words) == 0 {
		return nil
	}
	if text := t.nearest(ctx, r, words); text != "" {
		return r.Reply(ctx, "%s", adapter.Markup(text))
	}
	if len(r.Text) > MaxMatch && len(t.responds.routes) > 0 { // what would match may stand below
		return r.Reply(ctx, "I don't know that. What I am to do must show in the first %d KiB of a message. Type help for what I can do.", MaxMatch>>10)
	}
	return r.Reply(ctx, "I don't know that. Type help for what I can do.")
}

// nearest says what comes near to words that nothing matched, of what the person may see; "" if nothing does.
func (t *Table) nearest(ctx context.Context, r *Request, words []string) string {
	switch list := t.under(ctx, r, words); len(list) {
	case 0:
	case 1:
		return adapter.Format("I don't know that. Did you mean %s?", list[0].name)
	default:
		names := make([]string, len(list))
		for i, route := range list {
			names[i] = route.name
		}
		return adapter.Format("There is more than one of that: %s.", strings.Join(names, ", "))
	}
	if text := t.noneOf(ctx, r, words); text != "" {
		return text
	}
	if route, n := t.named(ctx, r, words); route != nil && n < len(words) { // else it had run
		return adapter.Format("%s takes nothing after it: say %s alone.", route.name, route.name)
	}
	for _, route := range t.routes {
		if said := route.opening(); len(said) > 0 && len(words) >= len(said) && slices.Equal(words[:len(said)], said) && t.visible(ctx, r, route) {
			return adapter.Format("That is said as %s.", route.Usage)
		}
	}
	if name, ok := t.suggest(ctx, r, words, true); ok {
		return adapter.Format("I don't know that. Did you mean %s?", name)
	}
	return ""
}

// noneOf says that a group of commands has none of that name, and what it has; "" where words do not begin with a group's name.
func (t *Table) noneOf(ctx context.Context, r *Request, words []string) string {
	_, named := t.named(ctx, r, words)
	for n := min(t.words, len(words)) - 1; n > 0 && n >= named; n-- {
		list := t.under(ctx, r, words[:n])
		if len(list) == 0 {
			continue
		}
		group := strings.Join(words[:n], " ")
		text := adapter.Format("%s has no %s.", group, brief(words[n]))
		names := make([]string, len(list))
		for i, route := range list {
			names[i], _, _ = strings.Cut(route.name[len(group)+1:], " ")
		}
		if near, ok := args.Suggest(words[n], names); ok {
			text += adapter.Format(" Did you mean %s %s?", group, near)
		}
		if own := t.commands[group]; own != nil && !own.Hidden && t.visible(ctx, r, own) {
			list = slices.Insert(list, 0, own)
		}
		const most = helpLines - 3
		for i, route := range list {
			if i == most {
				return text + adapter.Format("\nThere is more: type help %s.", group)
			}
			text += "\n" + route.line()
		}
		return text
	}
	return ""
}

// folded gives the words of a text in lower case.
func folded(text string) []string { return strings.Fields(strings.ToLower(text)) }

// brief gives the beginning of what somebody said, for an answer that repeats it.
func brief(s string) string {
	const most = 60
	n := 0
	for i := range s {
		if n++; n > most {
			return s[:i] + "…"
		}
	}
	return s
}

// under gives the commands whose names begin with words and go on, of those that the person may see: those of a group.
func (t *Table) under(ctx context.Context, r *Request, words []string) (list []*Route) {
	if len(words) == 0 || len(words) >= t.words {
		return nil
	}
	group := strings.Join(words, " ") + " "
	for _, route := range t.routes {
		if route.kind == routeCommand && !route.Hidden && strings.HasPrefix(route.name, group) && t.visible(ctx, r, route) {
			list = append(list, route)
		}
	}
	return list
}

// named gives the command with the longest name that words begin with, of those that the person may see, and how many words its
// name has; nil if there is none.
func (t *Table) named(ctx context.Context, r *Request, words []string) (*Route, int) {
	for n := min(t.words, len(words)); n > 0; n-- {
		if route := t.commands[strings.Join(words[:n], " ")]; route != nil && !route.Hidden && t.visible(ctx, r, route) {
			return route, n
		}
	}
	return nil, 0
}

// opening gives the words with which what a Respond matches begins, as far as its usage tells: "cancel" of "cancel ID".
func (r *Route) opening() []string {
	if r.kind != routeRespond || r.Summary == "" || r.Hidden {
		return nil
	}
	words := strings.Fields(r.Usage)
	for i, w := range words {
		if !commandName.MatchString(w) {
			return words[:i]
		}
	}
	return words
}

// suggest gives the command that is nearest to words, of those that the person may see; all: also the name of a group, and how
// what a Respond matches begins.
func (t *Table) suggest(ctx context.Context, r *Request, words []string, all bool) (string, bool) {
	var known []string
	for _, route := range t.routes {
		switch {
		case route.Hidden || route.kind != routeCommand && route.kind != routeRespond || !t.visible(ctx, r, route):
		case route.kind == routeRespond:
			if said := route.opening(); all && len(said) > 0 {
				known = append(known, strings.Join(said, " "))
			}
		default:
			known = append(known, route.names()...)
			if group, _, ok := strings.Cut(route.name, " "); all && ok {
				known = append(known, group)
			}
		}
	}
	for n := min(t.words, len(words)); n > 0; n-- {
		if name, ok := args.Suggest(strings.Join(words[:n], " "), known); ok {
			return name, true
		}
	}
	return "", false
}

// Suggest gives the command that is nearest to what was said, of those that who asks may see; "" if none is near. It is for
// a bot's own Fallback.
func (r *Request) Suggest(ctx context.Context) string {
	if r.table == nil {
		return ""
	}
	name, _ := r.table.suggest(ctx, r, folded(head(r.Text)), false)
	return name
}

// visible tells whether who asks may know of a route.
func (t *Table) visible(ctx context.Context, r *Request, route *Route) bool {
	return t.may == nil || t.may.Allowed(ctx, r.Event, route)
}
