package handler

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/permit"
	"github.com/starlingbot/starling/internal/prefilter"
)

// Table is a router made ready: immutable, safe for concurrent use. starling.New builds it.
type Table struct {
	name       string // of the bot
	addressing addressing
	routes     []*Route
	byID       map[string]*Route
	rewrites   []func(adapter.Event) (adapter.Event, bool)
	outgoing   []func(Send) Send
	complete   map[string]Completer
	may        Authorizer // nil: everybody may see everything
	rules      atomic.Pointer[ruleSet]

	on       map[adapter.Kind][]int32 // indexes in routes
	hears    patterns
	responds patterns
	commands map[string]*Route
	words    int // of the longest command
	fallback *Route
	helper   *Route // the built-in help; nil where the bot has its own
}

// patterns are the expressions of one kind of route behind a filter.
type patterns struct {
	filter *prefilter.Set
	routes []int32 // index in Table.routes of each expression
}

// Selection is what [Table.Match] found.
type Selection struct {
	Addressed bool
	Text      string   // without the address
	Routes    []*Route // to run, in order; nil if there is nothing to do
	Over      int      // Hears that were passed over: a text of over MaxMatch bytes matches at most 16
}

// Build checks everything and makes the table: name and aliases are what addresses the bot. All mistakes of registration
// are joined into one error.
func (rt *Router) Build(name string, aliases []string) (*Table, error) {
	t := &Table{name: name, addressing: newAddressing(name, aliases), byID: map[string]*Route{}, on: map[adapter.Kind][]int32{}, commands: map[string]*Route{}, complete: map[string]Completer{}}
	var errs []error
	rt.tree.trees(func(tr *tree) {
		errs = append(errs, tr.mistakes...)
		t.rewrites = append(t.rewrites, tr.rewrites...)
		t.outgoing = append(t.outgoing, tr.outgoing...)
		for name, f := range tr.complete {
			if t.complete[name] != nil {
				errs = append(errs, fmt.Errorf("complete %q: two mounted routers have one of that name", name))
			}
			t.complete[name] = f
		}
		if tr.may != nil && t.may != nil {
			errs = append(errs, errors.New("authorize: two mounted routers have an authorizer; a bot has one"))
		}
		if tr.may != nil {
			t.may = tr.may
		}
	})
	wrong := func(r *Route, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s: %w", r.where, r, fmt.Errorf(format, args...)))
	}
	chains := map[*Route][]*scope{}
	var originals []*Route
	rt.tree.walk("", nil, func(r *Route, scopes []*scope) bool {
		own := *r // a second table of the same router must not write where this one reads
		chains[&own] = scopes
		t.routes, originals = append(t.routes, &own), append(originals, r)
		return true
	})
	t.helper = t.helpRoute()
	for _, own := range []*Route{t.helper, t.answerRoute(), t.unknownRoute()} {
		if own != nil {
			own.builtin = true
			chains[own] = []*scope{rt.scope}
			t.routes = append(t.routes, own)
		}
	}
	t.setIDs(wrong)
	for i, r := range originals {
		if r.ID == "" {
			r.ID = t.routes[i].ID
		}
	}
	var hears, responds []string
	for i, r := range t.routes {
		r.table, r.index = t, i
		if err := t.wrap(r, chains[r]); err != nil {
			wrong(r, "%w", err)
			continue
		}
		if r.Background && r.Ordered {
			wrong(r, "it is both Background and Ordered: choose one")
		}
		switch r.kind {
		case routeHear, routeRespond:
			if err := t.compile(r); err != nil {
				wrong(r, "%w", err)
				continue
			}
			if r.kind == routeHear {
				hears, t.hears.routes = append(hears, r.pattern), append(t.hears.routes, int32(i))
			} else {
				responds, t.responds.routes = append(responds, r.pattern), append(t.responds.routes, int32(i))
			}
		case routeCommand:
			for _, name := range r.names() {
				if other, ok := t.commands[name]; ok {
					wrong(r, "the command %q is already registered at %s: give one of them another name", name, other.where)
					continue
				}
				t.commands[name] = r
				t.words = max(t.words, 1+strings.Count(name, " "))
			}
			if r.command != nil {
				for _, arg := range r.command.spec.Args {
					if arg.Complete != "" && t.complete[arg.Complete] == nil {
						wrong(r, "its argument %s is completed by %q, and there is no such completer: add one with Router.Complete", arg.Name, arg.Complete)
					}
				}
			}
		case routeOn:
			t.on[adapter.Kind(r.name)] = append(t.on[adapter.Kind(r.name)], int32(i))
		case routeFallback:
			if t.fallback != nil {
				wrong(r, "there is already a fallback at %s: a bot has one", t.fallback.where)
			}
			t.fallback = r
		}
	}
	errs = append(errs, t.SetPolicies(nil, nil))
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	var err1, err2 error
	t.hears.filter, err1 = prefilter.New(hears)
	t.responds.filter, err2 = prefilter.New(responds)
	return t, errors.Join(err1, err2)
}

func (t *Table) compile(r *Route) error {
	if err := prefilter.Check(r.pattern); err != nil {
		return err
	}
	expr := r.pattern
	if r.kind == routeRespond {
		expr = `\A(?:` + expr + `)`
	}
	re, err := regexp.Compile(expr)
	r.re = re
	return err
}

func (t *Table) setIDs(wrong func(*Route, string, ...any)) {
	for _, r := range t.routes { // those that were given first, so that they keep theirs
		if r.ID == "" {
			continue
		}
		if other, ok := t.byID[r.ID]; ok && other != r {
			wrong(r, "the id %q is already that of the route at %s: ids are unique", r.ID, other.where)
		}
		t.byID[r.ID] = r
	}
	for _, r := range t.routes {
		if r.ID != "" {
			continue
		}
		base := slug(r.name + r.pattern)
		if r.kind != routeCommand {
			base = strings.TrimSuffix(string(r.kind)+"-"+base, "-")
		}
		if r.mount != "" {
			base = r.mount + "/" + base
		}
		id := base
		for n := 2; t.byID[id] != nil; n++ {
			id = base + "-" + strconv.Itoa(n)
		}
		r.ID = id
		t.byID[id] = r
	}
}

// wrap puts the middleware of scopes around the gate of r and what r does, and sees whether a guard is among it.
func (t *Table) wrap(r *Route, scopes []*scope) error {
	var h Handler = &gate{route: r, next: r.inner}
	for _, s := range slices.Backward(scopes) {
		for _, mw := range slices.Backward(s.mws) {
			if h = mw(h); h == nil {
				return errors.New("a middleware returned nil")
			}
			e, ok := h.(permit.Enforcer)
			switch {
			case ok && r.guarded:
				return errors.New("two guards are around it: one Enforce is enough")
			case ok:
				r.guarded, r.guard, r.may = true, h, e.Enforces()
				if a, ok := h.(Authorizer); ok && t.may == nil {
					t.may = a
				}
			}
		}
	}
	r.handler = h
	return nil
}

// Routes gives the routes in order of registration, help last.
func (t *Table) Routes() []*Route { return slices.Clone(t.routes) }

// Route gives the route with an id, nil if there is none.
func (t *Table) Route(id string) *Route { return t.byID[id] }

// Outgoing wraps final in the outgoing chain.
func (t *Table) Outgoing(final Send) Send {
	for _, f := range slices.Backward(t.outgoing) {
		final = f(final)
	}
	return final
}

// Rewrite passes ev through the rewriting steps; false drops it.
func (t *Table) Rewrite(ev *adapter.Event) (*adapter.Event, bool) {
	for _, f := range t.rewrites {
		next, ok := f(*ev)
		if !ok {
			return nil, false
		}
		ev = &next
	}
	return ev, true
}

// Text gives what ev says without the address, and whether it is addressed to the bot. The command of a button or of a
// native slash command always is.
func (t *Table) Text(ev *adapter.Event) (string, bool) {
	switch {
	case ev.Kind == adapter.KindClick && ev.Click != nil:
		said := *ev
		said.Text = ev.Click.Command
		if text, ok := t.addressing.parse(&said); ok {
			return text, true
		}
		return strings.TrimSpace(ev.Click.Command), true
	case ev.Kind == adapter.KindInvocation && ev.Invocation != nil:
		text := strings.TrimSpace(ev.Invocation.Command + " " + ev.Invocation.Text)
		if rest, ok, _ := t.addressing.strip(text); ok && rest != "" { // /starling deploy api
			return rest, true
		}
		return text, true
	case ev.Kind == adapter.KindMessage:
		text, ok := t.addressing.parse(ev)
		if !ok {
			text = ev.Text
		}
		return text, ok
	}
	return ev.Text, false
}

// Match finds the routes that are to run for ev. It is pure, and allocates nothing when nothing matches.
func (t *Table) Match(ev *adapter.Event) Selection {
	var sel Selection
	sel.Text, sel.Addressed = t.Text(ev)
	var buf [64]int32
	found := append(buf[:0], t.on[ev.Kind]...)
	if ev.Kind == adapter.KindMessage {
		found, sel.Over = t.hears.match(t, found, ev)
		slices.SortFunc(found, cmp.Compare[int32])
	}
	for _, i := range found {
		sel.Routes = append(sel.Routes, t.routes[i])
	}
	if !sel.Addressed {
		return sel
	}
	if r := t.command(sel.Text); r != nil {
		sel.Routes = append(sel.Routes, r)
	} else if r := t.responds.first(t, sel.Text); r != nil {
		sel.Routes = append(sel.Routes, r)
	} else if t.helper != nil && asksHelp(ev, sel.Text) {
		sel.Routes = append(sel.Routes, t.helper)
	} else if len(sel.Routes) == 0 && t.fallback != nil {
		sel.Routes = append(sel.Routes, t.fallback)
	}
	return sel
}

// maxWhole is for how many expressions that match its head a long text is looked at as a whole: who knows a bot's expressions
// could have a text searched for half a second else.
const maxWhole = 16

// match finds the Hears for ev, and how many it passed over at maxWhole. One whose match ends where the text was cut does not
// match: what it captures might be cut.
func (p *patterns) match(t *Table, dst []int32, ev *adapter.Event) (found []int32, over int) {
	var buf [64]int32
	text, short := ev.Text, head(ev.Text)
	whole := 0
	for _, c := range p.filter.Candidates(buf[:0], short) {
		re := t.routes[p.routes[c]].re
		if !re.MatchString(short) {
			continue
		}
		if len(short) < len(text) {
			if whole++; whole > maxWhole {
				over++
				continue
			}
			if !re.MatchString(text) {
				continue
			}
		}
		if ev.Truncated && re.FindStringIndex(text)[1] == len(text) {
			continue
		}
		dst = append(dst, p.routes[c])
	}
	return dst, over
}

// first finds the Respond for a text.
func (p *patterns) first(t *Table, text string) *Route {
	var buf [64]int32
	short := head(text)
	whole := 0
	for _, c := range p.filter.Candidates(buf[:0], short) {
		r := t.routes[p.routes[c]]
		if !r.re.MatchString(short) {
			continue
		}
		if len(short) == len(text) || r.re.MatchString(text) {
			return r
		}
		if whole++; whole == maxWhole {
			return nil
		}
	}
	return nil
}

// maxCommandName is how long the name of a command may be, in bytes.
const maxCommandName = 255

// command finds the command with the longest name that text begins with.
func (t *Table) command(text string) *Route {
	var buf [maxCommandName + 1]byte
	key := buf[:0]
	var best *Route
	rest := strings.TrimSpace(text)
	for range t.words {
		next := cutWord(rest)
		word := rest[:len(rest)-len(next)]
		if word == "" || len(key)+len(word)+1 > len(buf) {
			break
		}
		if len(key) > 0 {
			key = append(key, ' ')
		}
		for i := range len(word) {
			c := word[i]
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			key = append(key, c)
		}
		rest = strings.TrimLeftFunc(next, unicode.IsSpace)
		if r := t.commands[string(key)]; r != nil && (r.rest || rest == "") {
			best = r
		}
	}
	return best
}

// cutWord takes the first word off s.
func cutWord(s string) string {
	i := strings.IndexFunc(s, unicode.IsSpace)
	if i < 0 {
		return ""
	}
	return s[i:]
}
