package roles

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/internal/args"
)

// memberPrefix + the user's key: the roles that were granted to an account.
const memberPrefix = "member"

// member is the record of an account.
type member struct {
	Version int              `json:"v"`
	User    adapter.User     `json:"user"` // the name as it was at the last grant
	Roles   map[string]grant `json:"roles,omitempty"`
}

// grant is when a role was given and by whom.
type grant struct {
	By adapter.User `json:"by,omitzero"` // zero: the program
	At time.Time    `json:"at"`
}

const recordVersion = 1

// maxKey is the length of a user's key in bytes: a longer one would be hashed in the store and not be listed.
const maxKey = 200

func memberKey(userKey string) string { return brain.Key(memberPrefix, userKey) }

// read gives the record of an account; one without roles where there is none.
func (ro *Roles) read(ctx context.Context, userKey string) (member, error) {
	m, err := brain.Get[member](ctx, ro.brain, memberKey(userKey))
	if errors.Is(err, brain.ErrNotFound) {
		return member{}, nil
	}
	if err == nil {
		err = m.check()
	}
	return m, err
}

func (m *member) check() error {
	if m.Version > recordVersion {
		return fmt.Errorf("the roles of %s were stored by a newer version of this program", m.User.Key())
	}
	return nil
}

// Grant gives a role to an account. by is who does it, for the audit and for role members; the zero User is the program
// itself. Nobody is asked whether by may: that is for the caller.
//
// Errors: [ErrAlready]; [ErrAdmin]; [ErrMember]; a name that is none or not known; an account without an id; [ErrFull]; that of
// [Config.Audit]; those of brain.Update, with which the grant may have been made or not.
func (ro *Roles) Grant(ctx context.Context, role string, u, by adapter.User) error {
	return ro.change(ctx, Change{Action: Granted, Role: role, User: u, By: by}, ro.update)
}

// Revoke takes a role from an account that was granted it; in this process at once. The errors are those of Grant, but
// [ErrNotMember] in place of ErrAlready.
func (ro *Roles) Revoke(ctx context.Context, role string, u, by adapter.User) error {
	return ro.change(ctx, Change{Action: Revoked, Role: role, User: u, By: by}, ro.update)
}

// updater changes a record; f may be called several times.
type updater func(ctx context.Context, key string, f func(*member) error) error

func (ro *Roles) update(ctx context.Context, key string, f func(*member) error) error {
	_, err := brain.Update(ctx, ro.brain, key, f)
	return err
}

// updateIn is update that happens exactly once for the delivery of a request.
func (ro *Roles) updateIn(r *handler.Request) updater {
	return func(ctx context.Context, key string, f func(*member) error) error {
		_, err := handler.Change(ctx, r, key, f)
		return err
	}
}

// change makes a change: checked, audited, stored, and seen at once.
func (ro *Roles) change(ctx context.Context, c Change, update updater) error {
	name, err := Name(c.Role)
	key := c.User.Key()
	switch {
	case err != nil:
		return err
	case reserved(name):
		return unreserved(name)
	case key == "":
		return mistakef("the account has no id, so nothing can be granted to it")
	case len(key) > maxKey:
		return mistakef("the key of the account has more than %d bytes", maxKey)
	case c.Action == Granted && ro.known != nil && !slices.Contains(ro.known, name) && !slices.Contains(ro.defaults, name):
		return unknownRole(name, ro.known)
	}
	c.Role = name
	if c.Action == Granted {
		if err := ro.room(ctx, key); err != nil {
			return err
		}
	}
	audited := false
	defer ro.purgePerson(ctx, key) // also after an error, which may have been that of a lost answer
	err = update(ctx, memberKey(key), func(m *member) error {
		if err := m.check(); err != nil {
			return err
		}
		_, has := m.Roles[name]
		switch {
		case c.Action == Granted && has:
			return ErrAlready
		case c.Action == Revoked && !has:
			return ErrNotMember
		case c.Action == Granted && len(m.Roles) >= maxRoles:
			return fmt.Errorf("%w: an account has at most %d roles", ErrFull, maxRoles)
		}
		if !audited && ro.cfg.Audit != nil { // here, where it is certain that there is something to change; once
			if err := ro.cfg.Audit(ctx, c); err != nil {
				return &auditError{err}
			}
		}
		audited = true
		m.Version = recordVersion
		if c.Action == Revoked {
			delete(m.Roles, name)
			return nil
		}
		m.User = adapter.User{Adapter: c.User.Adapter, Tenant: c.User.Tenant, ID: c.User.ID, Name: c.User.Name, Kind: c.User.Kind}
		if m.Roles == nil {
			m.Roles = map[string]grant{}
		}
		m.Roles[name] = grant{By: adapter.User{Adapter: c.By.Adapter, Tenant: c.By.Tenant, ID: c.By.ID, Name: c.By.Name}, At: time.Now().UTC()}
		return nil
	})
	if err != nil {
		return err
	}
	if c.Action == Revoked {
		ro.forget(ctx, key)
	}
	return nil
}

// purgePerson forgets the answers for all accounts of the person that an account belongs to, and all answers where nobody knows
// whose it is.
func (ro *Roles) purgePerson(ctx context.Context, key string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ro.cfg.Timeout)
	defer cancel()
	keys, _ := ro.accounts(ctx, key)
	ro.Purge(keys...)
}

// auditError: nothing was changed because it could not be audited.
type auditError struct{ err error }

func (e *auditError) Error() string {
	return "roles: nothing was changed, because it could not be audited: " + e.err.Error()
}

func (e *auditError) Unwrap() error { return e.err }

func unknownRole(name string, known []string) error {
	if near, ok := args.Suggest(name, known); ok {
		return mistakef("there is no role %s: is it %s?", name, near)
	}
	return mistakef("there is no role %s: there are %s", name, strings.Join(known, ", "))
}

// forget removes a record without roles, unless somebody has written it meanwhile. An error leaves a record that grants
// nothing, and is no concern of who revoked.
func (ro *Roles) forget(ctx context.Context, userKey string) {
	full := ro.brain.Key(memberKey(userKey))
	e, err := ro.brain.Store().Get(ctx, full)
	if err != nil {
		return
	}
	var m member
	if json.Unmarshal(e.Value, &m) != nil || len(m.Roles) > 0 {
		return
	}
	_, _ = ro.brain.Store().Apply(ctx, brain.Op{Key: full, Delete: true, If: brain.At(e.Rev)})
}

// census counts the accounts that have roles. It counts anew when its number is a minute old; what others add meanwhile is
// not seen, so the bound is exact within a minute's grants of the other processes.
type census struct {
	mu sync.Mutex
	at time.Time
	n  int
}

// room refuses one more account over [Config.MaxMembers].
func (ro *Roles) room(ctx context.Context, userKey string) error {
	m, err := ro.read(ctx, userKey)
	if err != nil {
		return err
	}
	if len(m.Roles) > 0 {
		return nil
	}
	c := &ro.census
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() || time.Since(c.at) >= time.Minute {
		begun, n := time.Now(), 0
		for _, err := range ro.brain.Store().List(ctx, ro.brain.Key(memberPrefix)+"/") {
			if err != nil {
				return fmt.Errorf("roles: count the members: %w", err)
			}
			n++
		}
		c.at, c.n = begun, n
	}
	if c.n >= ro.cfg.MaxMembers {
		return fmt.Errorf("%w: %d accounts have roles; revoke some, or raise Config.MaxMembers", ErrFull, c.n)
	}
	c.n++
	return nil
}

// Member is an account that was granted a role.
type Member struct {
	User adapter.User // the name as it was when the role was granted
	By   adapter.User // who granted it; the zero User is the program
	At   time.Time    // zero for an admin
}

// Members gives the accounts that were granted a role, in the order of their keys; for admin those of the configuration. Who
// has it by default, from a source or by a link is not among them.
func (ro *Roles) Members(ctx context.Context, role string) ([]Member, error) {
	name, err := Name(role)
	if err != nil {
		return nil, err
	}
	var out []Member
	if name == Admin {
		for _, u := range ro.admins {
			out = append(out, Member{User: u})
		}
		slices.SortFunc(out, func(a, b Member) int { return strings.Compare(a.User.Key(), b.User.Key()) })
		return out, nil
	}
	err = ro.each(ctx, func(m member) {
		if g, ok := m.Roles[name]; ok {
			out = append(out, Member{User: m.User, By: g.By, At: g.At})
		}
	})
	return out, err
}

// Role is a role and who has it.
type Role struct {
	Name    string
	Members int  // accounts that were granted it
	Default bool // every member has it
}

// List gives the roles that somebody was granted or that the configuration names, in the order of their names.
func (ro *Roles) List(ctx context.Context) ([]Role, error) {
	count := map[string]int{Admin: len(ro.admins)}
	for _, name := range slices.Concat(ro.known, ro.defaults) {
		count[name] = 0
	}
	err := ro.each(ctx, func(m member) {
		for name := range m.Roles {
			count[name]++
		}
	})
	if err != nil {
		return nil, err
	}
	out := make([]Role, 0, len(count))
	for name, n := range count {
		out = append(out, Role{Name: name, Members: n, Default: slices.Contains(ro.defaults, name)})
	}
	slices.SortFunc(out, func(a, b Role) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// each calls f for every account that has roles. What cannot be granted is left out.
func (ro *Roles) each(ctx context.Context, f func(member)) error {
	for e, err := range ro.brain.Store().List(ctx, ro.brain.Key(memberPrefix)+"/") {
		if err != nil {
			return fmt.Errorf("roles: list: %w", err)
		}
		var m member
		if err := json.Unmarshal(e.Value, &m); err != nil {
			return fmt.Errorf("roles: list: %s: %w", e.Key, err)
		}
		if err := m.check(); err != nil {
			return fmt.Errorf("roles: list: %w", err)
		}
		maps.DeleteFunc(m.Roles, func(name string, _ grant) bool { return reserved(name) })
		f(m)
	}
	return nil
}
