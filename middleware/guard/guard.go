package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/audit"
	"github.com/starlingbot/starling/handler/roles"
	"github.com/starlingbot/starling/internal/permit"
)

// Roles tells which roles somebody has (package handler/roles). It is called for every decision, concurrently.
type Roles interface {
	// Of gives the names of u's roles, in lower case and sorted; the guard does not change it. The answer may be at most 60 s
	// old, which is how long a role that was taken away may still open something. An error means no.
	Of(ctx context.Context, u adapter.User) ([]string, error)
}

// purger is a Roles that keeps answers: the guard has it forget one before a decision that must not be an old one.
type purger interface{ Purge(userKeys ...string) }

// Factor is a second factor, such as a code of an app (package handler/otp). One that has otp.OTP's method Since, too, is asked since
// when it is somebody's, and what was given before does not count.
type Factor interface {
	// Name is what it is called in the audit log.
	Name() string
	// Enrolled tells whether the user, by adapter.User.Key, can be verified.
	Enrolled(ctx context.Context, userKey string) (bool, error)
	// Verify returns nil when the code is right, and then never again for that code.
	Verify(ctx context.Context, userKey, code string) error
}

// dated is a Factor that knows since when it is somebody's: what was given before was given with one that was taken away.
type dated interface {
	Since(ctx context.Context, userKey string) (time.Time, error)
}

// Audit takes audit records (*audit.Log does). nil means that the record is safe.
type Audit interface {
	Append(ctx context.Context, r audit.Record) error
}

// Obstacle is what may refuse a route besides its policy, such as that somebody has switched it off (*admin.Switch).
type Obstacle interface {
	// Blocks says why the route would be refused now, without any effect; empty where it would not. An error means that it would
	// be, because nobody knows.
	Blocks(ctx context.Context, route *handler.Route) (why string, err error)
}

// Config says what the guard asks. Roles is required.
type Config struct {
	Roles Roles
	// Brain keeps until when a second factor counts; a namespace of the bot's brain. Required with Factor.
	Brain *brain.Brain
	// Factor is asked where a policy has Elevate. nil: no policy may have one.
	Factor Factor
	// Audit gets a record before and after every command, and of every refusal, request and consent. nil: no policy may be
	// Dangerous, and only the bot's log tells of refusals.
	Audit Audit
	// Person tells whose an account is, by adapter.User.Key ((*identity.Identity).Person). now are names of the person, such as
	// the keys of all accounts that they have; lately are those that were theirs a while ago, for at least twice as long as
	// ApprovalsFor: an account that was unlinked since is not somebody else. Who has a name in common, of now and lately, is one
	// person where persons are counted; now alone lets an account look at and take back what another one asked for. It is asked
	// whenever it counts, and must not answer from a cache. nil: every account is a person. An error means that nobody can agree.
	Person func(ctx context.Context, userKey string) (now, lately []string, err error)
	// ApprovalsFor is how long a request waits for consent, and how long consent lasts until the command begins; default 1 h.
	ApprovalsFor time.Duration
	// Room is where requests are put to others that were made in private, and where an override is announced. Zero: they are not
	// put to others, "pending" lists them, and they are not passed over in private.
	Room adapter.Address
	// BreakGlass is the role that may pass an approval over ("override ID because REASON"), which is announced and audited.
	// Empty: nobody may.
	BreakGlass string
	// Obstacles are what else may refuse a route (*admin.Switch), for Explain: the guard enforces none of it.
	Obstacles []Obstacle
	// Silent: who may not do something is not told so.
	Silent bool
	// Logger is told when it cannot be recorded that a request's time was over. All else is told to the request's own. nil is
	// slog.Default.
	Logger *slog.Logger
}

// Guard decides who may do what. Its methods may be called concurrently.
type Guard struct {
	cfg       Config
	overheard overheard
}

var _ roles.Explainer = (*Guard)(nil)

const (
	defaultApprovalsFor = time.Hour
	maxApprovalsFor     = 7 * 24 * time.Hour
	storeTimeout        = 5 * time.Second // for roles and the brain to answer
)

// New makes a guard. It checks everything that can be checked without a network; all mistakes are joined.
func New(cfg Config) (*Guard, error) {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf("guard: "+format, args...)) }
	if cfg.Roles == nil {
		wrong("Config.Roles is nil: make one with roles.New, or every role is refused")
	}
	if cfg.Factor != nil && cfg.Brain == nil {
		wrong("Config.Factor without Config.Brain: give it a namespace of the bot's brain, such as state.Namespace(\"guard\")")
	}
	if cfg.ApprovalsFor < 0 || cfg.ApprovalsFor > maxApprovalsFor {
		wrong("Config.ApprovalsFor is %v: give a time up to %v, or 0 for %v", cfg.ApprovalsFor, maxApprovalsFor, defaultApprovalsFor)
	}
	if cfg.BreakGlass != "" {
		name, err := handler.RoleName(cfg.BreakGlass)
		if err != nil {
			wrong("Config.BreakGlass: %w", err)
		}
		if cfg.Audit == nil {
			wrong("Config.BreakGlass without Config.Audit: an emergency that nobody can look up later is none")
		}
		cfg.BreakGlass = name
	}
	if slices.Contains(cfg.Obstacles, nil) {
		wrong("Config.Obstacles has a nil")
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if cfg.ApprovalsFor == 0 {
		cfg.ApprovalsFor = defaultApprovalsFor
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Guard{cfg: cfg}, nil
}

// Enforce is the middleware. It must be around every route that has a policy: Router.Use on the bot's router.
func (g *Guard) Enforce(next handler.Handler) handler.Handler { return &link{g, next} }

// link is the guard around one route.
type link struct {
	g    *Guard
	next handler.Handler
}

var (
	_ handler.Middleware = (*Guard)(nil).Enforce
	_ permit.Enforcer    = (*link)(nil)
	_ handler.Authorizer = (*link)(nil)
	_ handler.Authorizer = (*Guard)(nil)
)

// Enforces marks the chain as guarded.
func (l *link) Enforces() permit.Abilities {
	return permit.Abilities{Audits: l.g.cfg.Audit != nil, Factors: l.g.cfg.Factor != nil, Adapter: l.g.cfg.Room.Adapter}
}

// Allowed makes help and suggestions show what the asker may do.
func (l *link) Allowed(ctx context.Context, ev *adapter.Event, r *handler.Route) bool {
	return l.g.Allowed(ctx, ev, r)
}

// Expired is told of a request that nobody decided in time.
func (l *link) Expired(ctx context.Context, h *handler.Held) {
	l.g.note(ctx, l.g.cfg.Logger, heldRecord(h, audit.PhaseDenied, adapter.User{}, "expired", "time"))
}

// Allowed tells whether who sent ev has the roles and is in the place that a route asks for. It is the decision that is made
// before the arguments are known, without any effect.
func (g *Guard) Allowed(ctx context.Context, ev *adapter.Event, r *handler.Route) bool {
	return g.static(ctx, ev, r.Effective(), false).ok
}

// Handle lets r pass, refuses it, or leaves the decision to when its arguments are known.
func (l *link) Handle(ctx context.Context, r *handler.Request) error {
	g := l.g
	if v := g.static(ctx, r.Event, r.Route.Effective(), false); !v.ok {
		return g.deny(ctx, r, nil, v)
	}
	p := &pass{g: g}
	err := errPanicked
	defer func() {
		switch {
		case !p.begun.IsZero():
			g.after(ctx, r, p, err)
		case !p.reached:
			g.stopped(ctx, r, err)
		}
	}()
	err = l.next.Handle(permit.With(ctx, permit.Permit{For: r, Decider: p}), r)
	return err
}

// errPanicked stands for the outcome of a handler that did not return.
var errPanicked = errors.New("panic")

// pass is the decision on one request.
type pass struct {
	g       *Guard
	reached bool      // no middleware inside of the guard has ended it
	begun   time.Time // when the answer was yes; zero before
	intent  *handler.Intent
}

var _ handler.Decider = (*pass)(nil)

// Reached notes that it was for the guard alone to say no.
func (p *pass) Reached() { p.reached = true }

// verdict is what a rule says.
type verdict struct {
	ok   bool
	rule string // what asked
	why  reason
	need []string // roles or rooms
	err  error    // what went wrong, for the log
}

type reason int

// Why the answer is no.
const (
	whyNothing  reason = iota
	whyNobody          // no identity
	whyRole            // lacks a role
	whyRoles           // roles cannot be read
	whyPlace           // not there
	whyDirect          // only in private
	whyPolicy          // what is asked for is not known
	whyAudit           // cannot be audited
	whyFactor          // no second factor
	whyNoFactor        // the bot knows none
	whyStore           // the brain does not answer
	whyChanged         // consent was for something else
	whyOld             // consent is too old
	whyConsents        // consent no longer counts
	whyLong            // cannot be shown whole
)

var yes = verdict{ok: true}

// static decides on identity, role and place. fresh: with roles that were read after this moment.
func (g *Guard) static(ctx context.Context, ev *adapter.Event, p *handler.Policy, fresh bool) verdict {
	if p.IsZero() {
		return yes
	}
	u := ev.User
	if u.ID == "" || u.Kind == adapter.KindDeactivated {
		return verdict{rule: "identity", why: whyNobody}
	}
	if len(p.Roles) > 0 {
		held, err := g.rolesOf(ctx, u, fresh)
		if err != nil {
			return verdict{rule: "role", why: whyRoles, err: err}
		}
		if need := p.Lacks(func(role string) bool { return has(held, u.Kind, role) }); need != nil {
			return verdict{rule: "role", why: whyRole, need: need}
		}
	}
	if direct := ev.Room.Kind == adapter.RoomDirect; !p.HasPlace(ev.Adapter, ev.Room.ID, direct) {
		if p.Direct && !direct && p.HasPlace(ev.Adapter, ev.Room.ID, true) {
			return verdict{rule: "room", why: whyDirect}
		}
		return verdict{rule: "room", why: whyPlace, need: p.In}
	}
	return yes
}

// has tells whether somebody of a kind with these roles has one. Being a member comes from the platform alone.
func has(held []string, kind adapter.UserKind, role string) bool {
	if role == handler.MemberRole {
		return kind == adapter.KindMember
	}
	_, found := slices.BinarySearch(held, role)
	return found
}

// rolesOf gives somebody's roles. fresh: read after this moment, within a bounded time. A source that panics is one that does
// not know.
func (g *Guard) rolesOf(ctx context.Context, u adapter.User, fresh bool) (held []string, err error) {
	defer notPanic(&err)
	if !fresh {
		return g.cfg.Roles.Of(ctx, u)
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if p, ok := g.cfg.Roles.(purger); ok {
		p.Purge(u.Key())
	}
	return g.cfg.Roles.Of(ctx, u)
}

// notPanic makes an error of a panic of what the bot's owner has configured: it is no yes.
func notPanic(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("guard: panic: %v", v)
	}
}

// persona is whose an account is: the names of a person.
type persona struct{ now, lately []string }

// is tells whether two accounts count as one person. Whose links were taken back since is still who they were.
func (p persona) is(o persona) bool {
	return overlap(p.now, o.now) || overlap(p.now, o.lately) || overlap(p.lately, o.now) || overlap(p.lately, o.lately)
}

// owns tells whether what one account asked for is the other one's now.
func (p persona) owns(o persona) bool { return overlap(p.now, o.now) }

// and gives one person of two that are the same.
func (p persona) and(o persona) persona {
	return persona{slices.Concat(p.now, o.now), slices.Concat(p.lately, o.lately)}
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// person says whose an account is, read at this moment.
func (g *Guard) person(ctx context.Context, u adapter.User) (p persona, err error) {
	defer notPanic(&err)
	key := u.Key()
	if key == "" {
		return p, errors.New("guard: an account without an id is nobody's")
	}
	if g.cfg.Person == nil {
		return persona{now: []string{key}}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	p.now, p.lately, err = g.cfg.Person(ctx, key)
	if err == nil && (len(p.now) == 0 || slices.Contains(p.now, "") || slices.Contains(p.lately, "")) {
		err = errors.New("guard: Config.Person gave no name, or an empty one")
	}
	return p, err
}
