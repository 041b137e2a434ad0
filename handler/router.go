package handler

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/starlingbot/starling/adapter"
)

var (
	groupName     = regexp.MustCompile(`\(\?P?<(\w+)>`)
	flagsOrEscape = regexp.MustCompile(`\(\?[a-zA-Z-]*:?\)?|\\[a-zA-Z]`)
	commandName   = regexp.MustCompile(`^[a-z0-9][a-z0-9_.+-]*( [a-z0-9][a-z0-9_.+-]*)*$`)
	mountName     = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)
)

// Router collects routes. It is not safe for concurrent use; it is read by starling.New, after which it must not change.
type Router struct {
	tree  *tree  // shared by With and Group
	scope *scope // middleware of this router
}

// tree is what a router made by NewRouter and all its With and Group share.
type tree struct {
	items    []item
	rewrites []func(adapter.Event) (adapter.Event, bool)
	outgoing []func(Send) Send
	mistakes []error
	complete map[string]Completer
	may      Authorizer
	mounted  string // where it was mounted, "" if it is a root
	parent   *tree  // on which it was mounted
}

// item is a route or a mounted router, in the order of registration.
type item struct {
	route *Route
	name  string
	sub   *tree
	scope *scope
}

// scope is a list of middleware inside another one.
type scope struct {
	parent *scope
	mws    []Middleware
	used   bool // a route was registered: Use is too late
}

// NewRouter makes an empty router.
func NewRouter() *Router { return &Router{tree: &tree{}, scope: &scope{}} }

// Use adds middleware around every route that is registered on this router from now on; the first is the outermost. It
// must come before the first route: Use after a route is a mistake that starling.New reports.
func (rt *Router) Use(mws ...Middleware) {
	where := caller()
	if rt.scope.used {
		rt.mistake(where, "Use after a route: the routes above would run without it; move Use up, or use With or Group")
		return
	}
	for i, mw := range mws {
		if mw == nil {
			rt.mistake(where, "Use: middleware %d is nil", i+1)
			return
		}
	}
	rt.scope.mws = append(rt.scope.mws, mws...)
}

// With gives a router whose routes have further middleware inside that of rt.
func (rt *Router) With(mws ...Middleware) *Router {
	sub := &Router{tree: rt.tree, scope: &scope{parent: rt.scope}}
	for i, mw := range mws {
		if mw == nil {
			rt.mistake(caller(), "With: middleware %d is nil", i+1)
			return sub
		}
	}
	sub.scope.mws = slices.Clone(mws)
	return sub
}

// Group calls f with a router that has its own Use.
func (rt *Router) Group(f func(rt *Router)) {
	if f == nil {
		rt.mistake(caller(), "Group: the function is nil")
		return
	}
	f(rt.With())
}

// Mount puts the routes of sub here. Their ids begin with name, their brain is the namespace name, and help groups them
// under it. A router is mounted once.
func (rt *Router) Mount(name string, sub *Router) {
	where := caller()
	switch {
	case sub == nil:
		rt.mistake(where, "mount %q: the router is nil", name)
	case sub.tree.holds(rt.tree):
		rt.mistake(where, "mount %q: a router cannot be mounted on itself", name)
	case sub.scope.parent != nil:
		rt.mistake(where, "mount %q: mount the router that NewRouter made, not what With or Group gave", name)
	case sub.tree.mounted != "":
		rt.mistake(where, "mount %q: the router is already mounted at %s; make a second one with NewRouter", name, sub.tree.mounted)
	default:
		if !mountName.MatchString(name) { // and go on, so that the mistakes in sub are reported too
			rt.mistake(where, "mount %q: the name must be lower-case letters, digits, - and _", name)
		}
		for _, it := range rt.tree.items {
			if it.sub != nil && it.name == name {
				rt.mistake(where, "mount %q: there is already a router of that name, and they would share their state; choose another name", name)
			}
		}
		sub.tree.mounted, sub.tree.parent = where, rt.tree
		rt.used()
		rt.tree.items = append(rt.tree.items, item{name: name, sub: sub.tree, scope: rt.scope})
	}
}

// Rewrite adds a step before matching: it gets a copy of the event and returns what goes on; false drops the event, which
// is acknowledged and counted. It must be pure: an event that comes again is rewritten again. Steps run in order.
func (rt *Router) Rewrite(f func(ev adapter.Event) (adapter.Event, bool)) {
	if f == nil {
		rt.mistake(caller(), "Rewrite: the function is nil")
		return
	}
	rt.tree.rewrites = append(rt.tree.rewrites, f)
}

// Outgoing adds a step around everything the bot says, edits included, whichever router it is added to. An error or a panic
// blocks the message. The first added is the outermost.
func (rt *Router) Outgoing(f func(next Send) Send) {
	if f == nil {
		rt.mistake(caller(), "Outgoing: the function is nil")
		return
	}
	rt.tree.outgoing = append(rt.tree.outgoing, f)
}

// Completer gives what a word that begins with prefix may become, best first.
type Completer func(ctx context.Context, prefix string) []string

// Complete names a completer for arguments with the tag complete:"name".
func (rt *Router) Complete(name string, f Completer) {
	where := caller()
	switch {
	case f == nil:
		rt.mistake(where, "Complete %q: the function is nil", name)
	case rt.tree.complete[name] != nil:
		rt.mistake(where, "Complete %q: there is already one of that name", name)
	default:
		if rt.tree.complete == nil {
			rt.tree.complete = map[string]Completer{}
		}
		rt.tree.complete[name] = f
	}
}

// Authorizer tells whether who sent ev may run a route, without running it: help and suggestions show only what it allows.
type Authorizer interface {
	Allowed(ctx context.Context, ev *adapter.Event, r *Route) bool
}

// Authorize sets what help and suggestions ask. A bot has one.
func (rt *Router) Authorize(a Authorizer) {
	if a == nil || rt.tree.may != nil {
		rt.mistake(caller(), "Authorize: the authorizer is nil, or there is already one")
		return
	}
	rt.tree.may = a
}

// Hear runs f for every message that the expression (syntax of package regexp, case-sensitive unless it says "(?i)") matches
// anywhere, addressed or not. Nothing that it captures is cut: it must match the first [MaxMatch] bytes of a longer text, and
// then the whole, which is looked at for the first 16 such Hears; and of a text that reached the bot without its end
// (Event.Truncated) it must not match up to there.
func (rt *Router) Hear(expr string, f Func) *Route {
	return rt.add(caller(), &Route{kind: routeHear, pattern: expr}, f)
}

// Respond runs f for a message that is addressed to the bot and whose text after the address begins with a match of the
// expression. The first Respond that matches ends the search. Long texts are as for [Router.Hear], but to one without its end
// the bot answers that it is too long.
func (rt *Router) Respond(expr string, f Func) *Route {
	return rt.add(caller(), &Route{kind: routeRespond, pattern: expr}, f)
}

// Command runs f when exactly the word (or words) name is said to the bot, in any case. summary is its line in help.
func (rt *Router) Command(name, summary string, f Func) *Route {
	return rt.add(caller(), &Route{kind: routeCommand, name: name, Summary: summary}, remembered(name, f))
}

// remembered puts a command into the history of who says it, as declared ones are: a "!!" after it would repeat what was said
// before it else.
func remembered(name string, f Func) Func {
	if f == nil {
		return nil
	}
	return func(ctx context.Context, r *Request) error {
		if !r.Route.Volatile {
			r.effects.Said(r, name, false)
		}
		return f(ctx, r)
	}
}

// On runs f for every event of a kind.
func (rt *Router) On(kind adapter.Kind, f Func) *Route {
	kind = adapter.Kind(strings.ToLower(strings.TrimSpace(string(kind))))
	return rt.add(caller(), &Route{kind: routeOn, name: string(kind)}, f)
}

// Fallback runs f for a message that is addressed to the bot and that nothing matched. A bot has one.
func (rt *Router) Fallback(f Func) *Route {
	return rt.add(caller(), &Route{kind: routeFallback}, f)
}

// Routes gives the routes in the order of registration, those of mounted routers included.
func (rt *Router) Routes() iter.Seq[*Route] {
	return func(yield func(*Route) bool) {
		rt.tree.walk("", nil, func(r *Route, _ []*scope) bool { return yield(r) })
	}
}

// walk calls f for each route with the scopes around it, outermost first, and sets the route's mount.
func (t *tree) walk(mount string, outer []*scope, f func(*Route, []*scope) bool) bool {
	for _, it := range t.items {
		scopes := append(outer[:len(outer):len(outer)], it.scope.chain()...)
		if it.route != nil {
			if it.route.mount != mount {
				it.route.mount = mount
			}
			if !f(it.route, scopes) {
				return false
			}
			continue
		}
		name := it.name
		if mount != "" {
			name = mount + "/" + name
		}
		if !it.sub.walk(name, scopes, f) {
			return false
		}
	}
	return true
}

// holds tells whether other is t or mounted somewhere in it.
func (t *tree) holds(other *tree) bool {
	for other != nil && other != t {
		other = other.parent
	}
	return other != nil
}

// trees calls f for t and every mounted tree.
func (t *tree) trees(f func(*tree)) {
	f(t)
	for _, it := range t.items {
		if it.sub != nil {
			it.sub.trees(f)
		}
	}
}

func (s *scope) chain() []*scope {
	if s == nil {
		return nil
	}
	return append(s.parent.chain(), s)
}

func (rt *Router) used() {
	for s := rt.scope; s != nil; s = s.parent {
		s.used = true
	}
}

func (rt *Router) add(where string, r *Route, f Func) *Route {
	r.where, r.scope, r.inner = where, rt.scope, f
	rt.used()
	var err error
	switch {
	case f == nil:
		err = errors.New("the handler is nil")
	case r.kind == routeCommand && !commandName.MatchString(strings.ToLower(r.name)):
		err = errors.New("a command's name is one or more words of letters, digits and - _ . + (plain ASCII)")
	case r.kind == routeCommand && len(r.name) > maxCommandName:
		err = fmt.Errorf("a command's name is at most %d bytes long", maxCommandName)
	case r.kind == routeOn && r.name == "":
		err = errors.New("the kind of event is empty")
	}
	if err != nil {
		rt.mistake(where, "%s: %w", r, err)
		return r
	}
	r.name = strings.ToLower(r.name)
	rt.tree.items = append(rt.tree.items, item{route: r, scope: rt.scope})
	return r
}

func (rt *Router) mistake(where, format string, args ...any) {
	rt.tree.mistakes = append(rt.tree.mistakes, fmt.Errorf("%s: %w", where, fmt.Errorf(format, args...)))
}

// caller gives file:line of the code that called into this package.
func caller() string {
	var pcs [8]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	f, _ := frames.Next()
	return fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
}
