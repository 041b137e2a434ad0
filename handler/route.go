package handler

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/internal/permit"
)

type routeKind string

const (
	routeHear     routeKind = "hear"
	routeRespond  routeKind = "respond"
	routeCommand  routeKind = "command"
	routeOn       routeKind = "on"
	routeFallback routeKind = "fallback"
)

// Route is a handler and what it is called for. Its fields may be set until starling.New; from then on it is read only.
type Route struct {
	// ID names the route in logs, policies and stored events: change it, and events that wait for it lose their handler.
	// Default: the mount's name and a slug of the command or expression. Unique in a bot.
	ID      string
	Summary string // one line; a route with a summary is in help
	Usage   string // what to type, for help; default: the command's name or the expression
	Hidden  bool   // not in help even with a summary
	Policy  Policy

	// Volatile: the event is acknowledged before it is safe, and is lost if the process dies. For answers that nobody
	// misses.
	Volatile bool
	// Background: the handler leaves the line of its conversation at once, so later events do not wait for it.
	Background bool
	// Ordered: the handler holds the line of its conversation however long it takes.
	Ordered bool
	// RunLate: run also for events that are older than the bot's MaxAge when they arrive.
	RunLate bool
	OnCrash OnCrash
	// Timeout ends the handler's context; 0 = the bot's default.
	Timeout time.Duration

	table   *Table  // that it was built into; nil before
	index   int     // in its routes
	guarded bool    // a guard's Enforce is around it
	guard   Handler // that
	builtin bool    // package handler made it
	may     permit.Abilities
	kind    routeKind
	command *declared      // of a command that was declared with Add
	name    string         // of a command: lower case words; of On: the kind of event
	pattern string         // of Hear and Respond
	re      *regexp.Regexp // compiled by Build
	rest    bool           // a command that takes text after its name
	inner   Handler
	handler Handler // inner in its middleware, made by Build
	scope   *scope
	mount   string
	where   string // file:line of the registration
}

// Effective gives the policy that applies now: the route's own and the operator's rules, see [Table.SetPolicies]. It must not be
// changed. What When says of arguments comes on top.
func (r *Route) Effective() *Policy { return r.effective() }

func (r *Route) effective() *Policy {
	if r.table == nil {
		return &r.Policy
	}
	return &r.table.rules.Load().policies[r.index]
}

// adapters gives the names of the bot's adapters, where they are known.
func (r *Route) adapters() []string {
	if r.table == nil {
		return nil
	}
	return r.table.rules.Load().adapters
}

// Begins tells whether the route says itself when it begins (Effects.Begin): a declared command when its arguments are complete
// and agreed to, and whatever has a policy when the guard has said yes.
func (r *Route) Begins() bool { return r.command != nil || !r.effective().IsZero() }

// Reports tells whether the route is not begun a second time after a crash. in is what is about to run, nil where that is not
// known.
func (r *Route) Reports(in *Intent) bool {
	if r.OnCrash != OnCrashDefault {
		return r.OnCrash == OnCrashReport
	}
	p := r.effective()
	if in != nil {
		p = &in.Policy
	}
	return r.Background && r.kind == routeCommand || p.Approvals > 0 || p.Dangerous || in != nil && in.Exclusive != ""
}

// Mount gives the names under which the route's router was mounted, joined by "/"; empty at the top.
func (r *Route) Mount() string { return r.mount }

// names gives the names of a command, the first is the one that is shown.
func (r *Route) names() []string {
	if r.command != nil {
		return r.command.names
	}
	return []string{r.name}
}

// Kind says how the route was made: "hear", "respond", "command", "on" or "fallback".
func (r *Route) Kind() string { return string(r.kind) }

// CommandName gives the name of a command; false for other routes.
func (r *Route) CommandName() (string, bool) { return r.name, r.kind == routeCommand }

// Declared tells whether the route is a command that was declared with Add: it begins when its arguments are complete.
func (r *Route) Declared() bool { return r.command != nil }

// Where gives file:line of the registration.
func (r *Route) Where() string { return r.where }

func (r *Route) usage() string {
	switch {
	case r.Usage != "":
		return r.Usage
	case r.kind == routeCommand:
		return r.name
	}
	return r.pattern
}

func (r *Route) String() string {
	if r.pattern != "" {
		return fmt.Sprintf("%s %q", r.kind, r.pattern)
	}
	return strings.TrimSpace(string(r.kind) + " " + r.name)
}

// subject is the text that the route's expression captures of.
func (r *Route) subject(ev *adapter.Event, text string) string {
	if r.kind == routeHear {
		return ev.Text
	}
	return text
}

// MaxMatch is in how many bytes of a text it must show what it is for: an expression matches a longer one if it matches its
// first MaxMatch bytes, and then the whole, of which it captures. See [Router.Hear].
const MaxMatch = 4 << 10

// head is the part of a text that tells what it is for, cut between characters.
func head(s string) string {
	if len(s) <= MaxMatch {
		return s
	}
	n := MaxMatch
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// slug makes a readable id of a name or expression.
func slug(s string) string {
	var b strings.Builder
	dash := false
	s = groupName.ReplaceAllString(s, "$1")
	s = flagsOrEscape.ReplaceAllString(s, " ")
	for _, r := range s {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			if dash && b.Len() > 0 {
				b.WriteByte('-')
			}
			b.WriteRune(unicode.ToLower(r))
			dash = false
		} else {
			dash = true
		}
		if b.Len() >= 48 {
			break
		}
	}
	return b.String()
}
