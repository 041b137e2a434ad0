package admin

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/internal/args"
)

type disableArgs struct {
	Route   string `arg:"route" text:"" complete:"admin-route" help:"its id, or the name of a command"`
	Because string `arg:"reason" word:"because" rest:"" optional:"" help:"for whoever meets it"`
}

type enableArgs struct {
	Route string `arg:"route" text:"" complete:"admin-route" help:"its id, or the name of a command"`
}

func (c *commands) routeIDs() []string {
	var out []string
	for _, r := range c.Bot.Routes() {
		out = append(out, r.ID)
	}
	return out
}

// route finds a route by its id or by the name of its command.
func (c *commands) route(name string) (string, error) {
	var names []string
	for _, r := range c.Bot.Routes() {
		command, isCommand := r.CommandName()
		if r.ID == name || isCommand && strings.EqualFold(command, name) {
			return r.ID, nil
		}
		names = append(names, r.ID)
		if isCommand {
			names = append(names, command)
		}
	}
	if near, ok := args.Suggest(name, names); ok {
		return "", handler.UserErrorf("There is no route %s. Is it %s?", name, near)
	}
	return "", handler.UserErrorf("There is no route %s. A route's id stands in the log and in the audit.", name)
}

func (c *commands) disable(ctx context.Context, r *handler.Request, a disableArgs) error {
	id, err := c.route(a.Route)
	if err != nil {
		return err
	}
	if c.Switch.isOwn(id) {
		return handler.UserErrorf("**%s** cannot be switched off: somebody has to be able to switch things on again.", id)
	}
	u := r.Event.User
	off := &Off{Reason: shortened(a.Because), At: time.Now().UTC(), By: adapter.User{Adapter: u.Adapter, Tenant: u.Tenant, ID: u.ID, Name: u.Name}}
	words := id
	if off.Reason != "" {
		words += " because " + off.Reason
	}
	err = c.Switch.change(ctx, r, id, off, func() error { return c.audit(ctx, r, "disable", words) })
	switch {
	case errors.Is(err, errIsOff):
		now, err := c.Switch.Off(ctx)
		if err != nil {
			return err
		}
		if o, ok := now[id]; ok {
			return o.refuse(id)
		}
		return handler.UserErrorf("**%s** was off already, and somebody has just switched it on.", id)
	case errors.Is(err, errTooOff):
		return handler.UserErrorf("%d routes are off. Enable some first.", maxOff)
	case err != nil:
		return err
	}
	return r.Reply(ctx, "**%s** is off. In other processes within %s. `enable %s` switches it on.", id, c.Switch.cacheFor.String(), id)
}

func (c *commands) enable(ctx context.Context, r *handler.Request, a enableArgs) error {
	id, err := c.route(a.Route)
	if err != nil { // a route that is gone can be enabled too, so that it does not stay in the list
		off, readErr := c.Switch.Off(ctx)
		if _, ok := off[a.Route]; readErr != nil || !ok {
			return errors.Join(readErr, err)
		}
		id = a.Route
	}
	err = c.Switch.change(ctx, r, id, nil, func() error { return c.audit(ctx, r, "enable", id) })
	if errors.Is(err, errIsOn) {
		return handler.UserErrorf("**%s** is not off.", id)
	}
	if err != nil {
		return err
	}
	return r.Reply(ctx, "**%s** is on. In other processes within %s.", id, c.Switch.cacheFor.String())
}

// offList says which routes are off; "none" where none is.
func offList(off map[string]Off) string {
	if len(off) == 0 {
		return "none"
	}
	var ids []string
	for id := range off {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return strings.Join(ids, ", ")
}
