package roles

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
)

// Config says who has which role from the start, and where the other roles are from.
type Config struct {
	// Brain keeps what is granted: a namespace of the bot's brain, such as state.Namespace("roles"). Required.
	Brain *brain.Brain
	// Admins are the keys of the accounts that have the role admin: adapter/tenant/id, as whoami shows them. A name is an
	// error.
	Admins []string
	// Defaults are the roles that every full member has.
	Defaults []string
	// Known are the roles that may be granted, Defaults included; nil is any.
	Known []string
	// Sources give further roles, such as the groups of a directory.
	Sources []Source
	// People tells which accounts are one person (handler/identity): the person has what was granted to any of them. nil:
	// nobody has two accounts.
	People People

	CacheFor   time.Duration // how long an answer is used again; default 30 s, at most 60 s
	Timeout    time.Duration // for the brain and all sources to answer; default 5 s
	CacheSize  int           // answers in memory, one for each account; at the bound one is forgotten; default 32,768
	MaxMembers int           // accounts that have granted roles; more are refused; default 50,000

	// Audit records a change before it takes effect; an error means that it is not made. nil: the bot's log alone tells of it.
	Audit func(ctx context.Context, c Change) error
	// Policy is that of role grant and role revoke, for the guard. Without one they still ask for an admin.
	Policy handler.Policy
	// ReadPolicy is that of role list, role members and why. Without one role list and role members still ask for somebody who has
	// a role; why tells everybody about themselves, and an admin about others.
	ReadPolicy handler.Policy
}

// Source gives the roles of an account from elsewhere, such as the groups of a directory. An error means that nobody knows,
// and the account is refused what needs a role. Roles is called concurrently, for one account at most once in
// [Config.CacheFor] and process. What it returns and is no name of a role (see [Name]) grants nothing, nor do "admin" and
// "member".
type Source interface {
	Roles(ctx context.Context, u adapter.User) ([]string, error)
}

// People tells which accounts are one person: the keys of all of them, that of the account itself included. It must not
// answer from a cache, since [Roles] has one.
type People interface {
	Accounts(ctx context.Context, userKey string) ([]string, error)
}

// Action is what a [Change] does.
type Action string

// The actions.
const (
	Granted Action = "grant"
	Revoked Action = "revoke"
)

// Change is a role that is given or taken.
type Change struct {
	Action      Action
	Role        string
	User        adapter.User // whose role; the name may be empty
	By          adapter.User // who does it; the zero User is the program itself
	Room        adapter.Address
	Correlation string // of the request; empty for the program itself
}

// The errors of Grant and Revoke that callers decide on; nothing was changed.
var (
	ErrAdmin     = mistakef("admin is given by the bot's configuration alone")
	ErrMember    = mistakef("member is what the platform says of an account, and cannot be given")
	ErrAlready   = mistakef("the account has the role already")
	ErrNotMember = mistakef("the account does not have the role")
	ErrFull      = mistakef("too many")
)

const (
	maxCacheFor    = time.Minute
	maxRoles       = 256 // granted to one account, and of one source
	maxAccounts    = 64  // of one person
	defaultCache   = 30 * time.Second
	defaultTimeout = 5 * time.Second
	defaultSize    = 32_768
	defaultMembers = 50_000
)

// Roles knows who has which role. Its methods may be called concurrently; several processes may share one brain.
type Roles struct {
	cfg      Config
	brain    *brain.Brain
	admins   map[string]adapter.User // by key
	defaults []string
	known    []string
	cache    cache
	census   census
	explains atomic.Pointer[Explainer]
}

// New makes Roles. All mistakes of the configuration are joined into one error.
func New(cfg Config) (*Roles, error) {
	ro := &Roles{cfg: cfg, brain: cfg.Brain, admins: map[string]adapter.User{}}
	var errs []error
	if cfg.Brain == nil {
		errs = append(errs, errors.New("roles: Config.Brain is nil; give it a namespace of the bot's brain, such as state.Namespace(\"roles\")"))
	}
	for _, key := range cfg.Admins {
		u, err := ParseKey(key)
		if err != nil {
			errs = append(errs, inField("Admins", err))
			continue
		}
		ro.admins[key] = u
	}
	var err error
	if ro.defaults, err = names("Defaults", cfg.Defaults); err != nil {
		errs = append(errs, err)
	}
	if ro.known, err = names("Known", cfg.Known); err != nil {
		errs = append(errs, err)
	}
	if slices.Contains(cfg.Sources, nil) {
		errs = append(errs, errors.New("roles: Config.Sources has a nil"))
	}
	if cfg.CacheFor < 0 || cfg.CacheFor > maxCacheFor {
		errs = append(errs, fmt.Errorf("roles: Config.CacheFor is %v; it is from 0, which is %v, to %v, so that a revoked role denies within a minute", cfg.CacheFor, defaultCache, maxCacheFor))
	}
	if cfg.Timeout < 0 || cfg.CacheSize < 0 || cfg.MaxMembers < 0 {
		errs = append(errs, errors.New("roles: Config.Timeout, CacheSize and MaxMembers must not be negative"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	ro.cfg.CacheFor = orDefault(cfg.CacheFor, defaultCache)
	ro.cfg.Timeout = orDefault(cfg.Timeout, defaultTimeout)
	ro.cfg.MaxMembers = orDefault(cfg.MaxMembers, defaultMembers)
	ro.cache.size = orDefault(cfg.CacheSize, defaultSize)
	ro.cache.answers, ro.cache.begun = map[account]*answer{}, time.Now()
	return ro, nil
}

func orDefault[T int | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// IsAdmin tells whether the account is one of [Config.Admins]. A deactivated account is not.
func (ro *Roles) IsAdmin(u adapter.User) bool {
	_, ok := ro.admins[u.Key()]
	return ok && u.Kind != adapter.KindDeactivated
}

// Of gives the roles of an account, sorted; it must not be changed. u.Kind counts: see the package's documentation. No
// answer is older than [Config.CacheFor]. An error means that nobody knows, and must be taken as no.
//
// A cached answer takes no allocation.
func (ro *Roles) Of(ctx context.Context, u adapter.User) ([]string, error) {
	if u.ID == "" || u.Kind == adapter.KindDeactivated {
		return nil, nil
	}
	id := account{u.Adapter, u.Tenant, u.ID}
	if a := ro.cache.get(id, u.Kind); a != nil {
		return a.roles, nil
	}
	return ro.ask(ctx, id, u)
}

// Has tells whether an account has a role, named as [Name] gives it. The errors are those of [Roles.Of].
func (ro *Roles) Has(ctx context.Context, u adapter.User, role string) (bool, error) {
	all, err := ro.Of(ctx, u)
	if err != nil {
		return false, err
	}
	_, found := slices.BinarySearch(all, role)
	return found, nil
}

// Purge forgets the cached answers for accounts, by key: for whoever is told that their roles have changed (an event of a
// directory, handler/identity's Config.Changed). Without keys it forgets all.
func (ro *Roles) Purge(userKeys ...string) { ro.cache.purge(userKeys) }

// ask reads what is not cached.
func (ro *Roles) ask(ctx context.Context, id account, u adapter.User) ([]string, error) {
	round := ro.cache.round()
	begun := ro.cache.now() // the answer is as old as its first part
	ctx, cancel := context.WithTimeout(ctx, ro.cfg.Timeout)
	defer cancel()
	all, err := ro.collect(ctx, u)
	if err != nil {
		return nil, fmt.Errorf("roles: of %s: %w", u.Key(), err)
	}
	if u.Kind == adapter.KindMember {
		all = append(all, ro.defaults...)
	}
	all = slices.DeleteFunc(all, reserved)
	if ro.IsAdmin(u) {
		all = append(all, Admin)
	}
	slices.Sort(all)
	all = slices.Clip(slices.Compact(all))
	ro.cache.put(id, &answer{roles: all, kind: u.Kind, until: begun + ro.cfg.CacheFor}, round)
	return all, nil
}

// collect gives the roles that were granted and those of the sources.
func (ro *Roles) collect(ctx context.Context, u adapter.User) ([]string, error) {
	keys, err := ro.accounts(ctx, u.Key())
	if err != nil {
		return nil, err
	}
	var all []string
	for _, key := range keys {
		m, err := ro.read(ctx, key)
		if err != nil {
			return nil, err
		}
		for name := range m.Roles {
			all = append(all, name)
		}
	}
	for i, s := range ro.cfg.Sources {
		given, err := s.Roles(ctx, u)
		if err == nil && len(given) > maxRoles {
			err = fmt.Errorf("%d roles: %w: at most %d", len(given), ErrFull, maxRoles)
		}
		if err != nil {
			return nil, fmt.Errorf("source %d: %w", i+1, err)
		}
		for _, s := range given {
			if name, err := Name(s); err == nil {
				all = append(all, name)
			}
		}
	}
	if err := ctx.Err(); err != nil { // a source that returns nothing because its time was over
		return nil, err
	}
	return all, nil
}

// accounts gives the keys of all accounts of the person that key is one of.
func (ro *Roles) accounts(ctx context.Context, key string) ([]string, error) {
	if ro.cfg.People == nil {
		return []string{key}, nil
	}
	keys, err := ro.cfg.People.Accounts(ctx, key)
	switch {
	case err != nil:
		return nil, fmt.Errorf("linked accounts: %w", err)
	case !slices.Contains(keys, key):
		return nil, errors.New("linked accounts: the account itself is not among them")
	case len(keys) > maxAccounts:
		return nil, fmt.Errorf("linked accounts: %d: %w: at most %d", len(keys), ErrFull, maxAccounts)
	}
	return keys, nil
}
