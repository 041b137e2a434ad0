package handler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
)

// Request is one event as one route sees it. Its methods may be called from several goroutines of the handler, until the
// handler returns.
type Request struct {
	Event    *adapter.Event // shared by the routes of the event: do not change it
	Text     string         // what was said, without the address
	Route    *Route
	Delivery string // stable id: the same when the event comes again
	Attempt  int    // 1 for the first
	// Grant is what was completed or confirmed in answer to a question; nil for an event that comes as it was said.
	Grant *Grant
	// Brain keeps state, in a namespace of the router that the route was mounted under.
	Brain *brain.Brain
	// Logger is the bot's; Log adds what identifies this request.
	Logger *slog.Logger

	effects Effects
	table   *Table
	intent  *Intent
	stop    atomic.Bool
	posts   atomic.Int32
}

// NewRequest makes a request for tests and for bots of another make, with a logger that discards.
func NewRequest(ev *adapter.Event, effects Effects) *Request {
	r := &Request{Event: ev, Text: ev.Text, Delivery: ev.ID, Attempt: 1, Logger: slog.New(slog.DiscardHandler)}
	r.Bind(effects)
	return r
}

// In says which table r came from; without it Suggest finds nothing. It is for who makes requests.
func (r *Request) In(t *Table) { r.table = t }

// Bind says how r acts. It is for who makes requests, and comes before anything else is done with r.
func (r *Request) Bind(effects Effects) { r.effects = effects }

// Log gives a logger that adds the delivery, the route, the room and the user's key to every record.
func (r *Request) Log() *slog.Logger {
	route := ""
	if r.Route != nil {
		route = r.Route.ID
	}
	return r.Logger.With("id", r.CorrelationID(), "route", route, "room", r.Event.Address().String(), "user", r.Event.User.Key())
}

// CorrelationID is short, stable over redelivery, and stands in what the user is told and in the log.
func (r *Request) CorrelationID() string { return CorrelationID(r.Delivery) }

// Stop keeps the routes that would come after this one from seeing the event.
func (r *Request) Stop() { r.stop.Store(true) }

// Stopped tells whether Stop was called.
func (r *Request) Stopped() bool { return r.stop.Load() }

// Arg gives what a named group of the route's expression captured ("(?P<door>.+)"), or the group of that number ("1"); ""
// where it captured nothing.
func (r *Request) Arg(name string) string {
	text, re, loc := r.captures()
	if re == nil {
		return ""
	}
	i := re.SubexpIndex(name)
	if i < 0 {
		n, err := strconv.Atoi(name)
		if err != nil || n < 0 || n > re.NumSubexp() {
			return ""
		}
		i = n
	}
	if loc[2*i] < 0 {
		return ""
	}
	return text[loc[2*i]:loc[2*i+1]]
}

// Matches gives every occurrence of the route's expression in the text, each with its groups; nil for other routes.
func (r *Request) Matches() [][]string {
	text, re, _ := r.captures()
	if re == nil {
		return nil
	}
	all := re.FindAllStringSubmatch(text, -1)
	if r.Event.Truncated { // the last one may be cut
		if at := re.FindAllStringIndex(text, -1); len(at) > 0 && at[len(at)-1][1] == len(text) {
			all = all[:len(all)-1]
		}
	}
	return all
}

func (r *Request) captures() (string, *regexp.Regexp, []int) {
	if r.Route == nil || r.Route.re == nil {
		return "", nil, nil
	}
	text := r.Route.subject(r.Event, r.Text)
	loc := r.Route.re.FindStringSubmatchIndex(text)
	if loc == nil {
		return "", nil, nil
	}
	return text, r.Route.re, loc
}

// Rest gives the text after the command's name, spaces around it removed; all of Text for other routes.
func (r *Request) Rest() string {
	if r.Route == nil || r.Route.kind != routeCommand {
		return r.Text
	}
	rest := strings.TrimSpace(r.Text)
	for range strings.Fields(r.Route.name) {
		rest = strings.TrimSpace(cutWord(rest))
	}
	return rest
}

// SendLater says m at a time, also after a restart: to m.To, or where it was asked if that is empty. It is posted within two
// seconds of at.
func (r *Request) SendLater(ctx context.Context, at time.Time, m *adapter.Message) error {
	c := *m
	if c.To == (adapter.Address{}) {
		c.To = r.Event.Address()
	}
	return r.effects.SendAt(ctx, r, at, &c)
}

// Features tells what an adapter of the bot can do.
func (r *Request) Features(adapterName string) adapter.Features {
	return r.effects.Features(adapterName)
}

// History gives the command lines of who asks, the last first.
func (r *Request) History() []string { return r.effects.History(r.Event.User) }

// Again runs a line as if who asks had said it to the bot: it passes the same checks.
func (r *Request) Again(ctx context.Context, line string) error { return r.effects.Again(ctx, r, line) }

// Handle runs the route's handler with all its middleware.
func (r *Request) Handle(ctx context.Context) error { return r.Route.handler.Handle(ctx, r) }

// WithTimeout ends the handler's context after d, if it does not end before; the bot's grace time begins then.
func (r *Request) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	at := time.Now().Add(d)
	if end, ok := ctx.Deadline(); !ok || at.Before(end) {
		r.effects.EndsAt(r, at)
	}
	return context.WithDeadline(ctx, at)
}

// Current gives u as the platform knows the account now: what kind it is may have changed since it was seen. One that is gone is
// deactivated. Where the adapter cannot look people up it is u as it was. It is as fresh as the adapter's look-ups. An error
// means that nobody knows.
func (r *Request) Current(ctx context.Context, u adapter.User) (adapter.User, error) {
	d := r.effects.Directory(u.Adapter)
	if d == nil {
		return u, nil
	}
	now, err := d.User(ctx, u.ID)
	switch {
	case errors.Is(err, adapter.ErrUnsupported):
	case errors.Is(err, adapter.ErrNotFound):
		u.Kind = adapter.KindDeactivated
	case err != nil:
		return u, fmt.Errorf("handler: look up %s: %w", u.Key(), err)
	case now.ID != u.ID || now.Tenant != u.Tenant:
		return u, fmt.Errorf("handler: look up %s: the platform gave another account, %s", u.Key(), now.Key())
	case now.Kind != adapter.KindUnknown:
		u.Kind = now.Kind
	}
	return u, nil
}
