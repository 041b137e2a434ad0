package handler

import (
	"context"
	"strings"

	"github.com/starlingbot/starling/adapter"
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

// help lists the routes that have a summary; words after it filter. What people type is never a pattern.
func (t *Table) help(ctx context.Context, r *Request) error {
	filter := r.Rest()
	fold := strings.ToLower(filter)
	var b strings.Builder
	mount := ""
	for _, route := range t.routes {
		if route.Summary == "" || route.Hidden {
			continue
		}
		if !strings.Contains(strings.ToLower(route.usage()+"\n"+route.Summary+"\n"+route.mount), fold) {
			continue
		}
		if route.mount != mount {
			mount = route.mount
			if mount != "" {
				b.WriteString(adapter.Format("\n%s:", mount))
			}
		}
		b.WriteString(adapter.Format("\n%s - %s", route.usage(), route.Summary))
	}
	list := strings.TrimPrefix(b.String(), "\n")
	if list == "" {
		return r.Reply(ctx, "There is nothing about %s. Type help for all I can do.", filter)
	}
	return r.Reply(ctx, "%s", adapter.Markup(list))
}
