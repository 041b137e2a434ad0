package handler

import (
	"context"
	"slices"
	"strings"

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
	if strings.TrimSpace(r.Text) == "" {
		return nil
	}
	if list := t.group(ctx, r); len(list) > 0 {
		return r.Reply(ctx, "There is more than one of that: %s.", strings.Join(list, ", "))
	}
	if name, ok := t.suggest(ctx, r); ok {
		return r.Reply(ctx, "I don't know that. Did you mean %s?", name)
	}
	if len(r.Text) > MaxMatch && len(t.responds.routes) > 0 { // what would match may stand below
		return r.Reply(ctx, "I don't know that. What I am to do must show in the first %d KiB of a message. Type help for what I can do.", MaxMatch>>10)
	}
	return r.Reply(ctx, "I don't know that. Type help for what I can do.")
}

// group gives the commands whose names begin with the words that were said, of those that the person may see.
func (t *Table) group(ctx context.Context, r *Request) (list []string) {
	said := strings.Join(strings.Fields(strings.ToLower(head(r.Text))), " ") + " "
	for _, route := range t.routes {
		if route.kind == routeCommand && !route.Hidden && strings.HasPrefix(route.name, said) && t.visible(ctx, r, route) {
			list = append(list, route.name)
		}
	}
	return list
}

// suggest gives the command that is nearest to what was said, of those that the person may see.
func (t *Table) suggest(ctx context.Context, r *Request) (string, bool) {
	words := strings.Fields(strings.ToLower(head(r.Text)))
	var known []string
	for _, route := range t.routes {
		if route.kind == routeCommand && !route.Hidden && t.visible(ctx, r, route) {
			known = append(known, route.names()...)
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
	name, _ := r.table.suggest(ctx, r)
	return name
}

// visible tells whether who asks may know of a route.
func (t *Table) visible(ctx context.Context, r *Request, route *Route) bool {
	return t.may == nil || t.may.Allowed(ctx, r.Event, route)
}
