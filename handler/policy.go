package handler

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Policy says who may run a route, where and with whose consent. The zero Policy asks for nothing. It is data: it can be
// listed, explained and audited. The guard (package middleware/guard) enforces it; a bot that has policies and no guard is
// refused. Who asks for anything at all must have an identity (adapter.User.Key): an event without a user has none.
type Policy struct {
	// Roles: who asks has any of these. A role is a name of letters, digits and - _ . : + in plain ASCII, in any case;
	// "member" is the role that full members of the workspace have, and nobody else.
	Roles []string
	// In: only in these rooms, by id: "ADAPTER/ID", or the bare id in a bot with one adapter.
	In     []string
	Direct bool // only in a direct room
	// Approvals: so many other persons must agree; ApprovedBy: each of them has this role, empty for any full member.
	Approvals  int
	ApprovedBy string
	Elevate    time.Duration // a second factor, given within this time; 0 = none
	Dangerous  bool          // does not run when that cannot be audited

	// What Combine adds where one value of a field cannot say it.
	roles    [][]string // further sets of roles: any of each
	consents []Consents // further approvals
	nowhere  bool       // its rules name no room in common
}

// Consents is how many persons of a role must agree; the empty role is any full member.
type Consents struct {
	N    int
	Role string
}

// MemberRole is the role of full members of the workspace (adapter.KindMember). No other kind of user ever has it.
const MemberRole = "member"

// The bounds of a policy.
const (
	maxPolicyList = 256            // roles, rooms
	maxApprovals  = 16             // persons
	maxElevate    = 24 * time.Hour // how old a second factor may be
)

// IsZero tells whether p asks for nothing.
func (p Policy) IsZero() bool {
	return len(p.Roles) == 0 && len(p.In) == 0 && !p.Direct && p.Approvals == 0 && p.ApprovedBy == "" && p.Elevate == 0 && !p.Dangerous &&
		len(p.roles) == 0 && len(p.consents) == 0 && !p.nowhere
}

// RoleSets gives the sets of roles: who asks has any of each.
func (p Policy) RoleSets() [][]string {
	if len(p.Roles) == 0 {
		return nil
	}
	return append([][]string{p.Roles}, p.roles...)
}

// AllConsents gives the approvals that are needed, each of which must be met; one person counts for several.
func (p Policy) AllConsents() []Consents {
	if p.Approvals == 0 {
		return nil
	}
	return append([]Consents{{p.Approvals, p.ApprovedBy}}, p.consents...)
}

// Lacks gives the first set of roles of which somebody has none; nil where nothing is lacking. has tells whether they have a
// role.
func (p *Policy) Lacks(has func(role string) bool) []string {
	if len(p.Roles) > 0 && !slices.ContainsFunc(p.Roles, has) {
		return p.Roles
	}
	for _, set := range p.roles {
		if !slices.ContainsFunc(set, has) {
			return set
		}
	}
	return nil
}

// HasPlace tells whether p may run in a room. direct: it is a direct one.
func (p *Policy) HasPlace(adapterName, room string, direct bool) bool {
	switch {
	case p.nowhere, p.Direct && !direct:
		return false
	case len(p.In) == 0:
		return true
	}
	n := len(adapterName)
	for _, in := range p.In {
		if len(in) == n+1+len(room) && in[:n] == adapterName && in[n] == '/' && in[n+1:] == room && room != "" {
			return true
		}
	}
	return false
}

// Combine gives the policy that asks for all that p and q ask for: each of their sets of roles, a room that both name, the
// approvals of both, the shorter age of a second factor. It is commutative, associative and idempotent, and never weaker
// than p or q. Both are to be checked ones (see [Policy.Check]).
func Combine(p, q Policy) Policy {
	out := Policy{Direct: p.Direct || q.Direct, Dangerous: p.Dangerous || q.Dangerous, nowhere: p.nowhere || q.nowhere}
	switch {
	case p.Elevate == 0 || q.Elevate == 0:
		out.Elevate = max(p.Elevate, q.Elevate)
	default:
		out.Elevate = min(p.Elevate, q.Elevate)
	}
	switch {
	case len(p.In) == 0 || len(q.In) == 0:
		out.In = set(append(slices.Clone(p.In), q.In...))
	default:
		for _, room := range set(slices.Clone(p.In)) {
			if slices.Contains(q.In, room) {
				out.In = append(out.In, room)
			}
		}
		out.nowhere = out.nowhere || len(out.In) == 0
	}
	if out.nowhere {
		out.In = nil
	}
	if sets := reduceRoles(append(p.RoleSets(), q.RoleSets()...)); len(sets) > 0 {
		out.Roles, out.roles = sets[0], sets[1:]
	}
	if all := reduceConsents(append(p.AllConsents(), q.AllConsents()...)); len(all) > 0 {
		out.Approvals, out.ApprovedBy, out.consents = all[0].N, all[0].Role, all[1:]
	}
	if len(out.roles) == 0 {
		out.roles = nil
	}
	if len(out.consents) == 0 {
		out.consents = nil
	}
	return out
}

// set sorts and removes doubles; nil where nothing is left.
func set(list []string) []string {
	slices.Sort(list)
	if list = slices.Compact(list); len(list) == 0 {
		return nil
	}
	return list
}

// reduceRoles gives the sets in order, without those that another one implies: who has one of a has one of a and b.
func reduceRoles(sets [][]string) [][]string {
	for i := range sets {
		sets[i] = set(slices.Clone(sets[i]))
	}
	slices.SortFunc(sets, func(a, b []string) int { return slices.Compare(a, b) })
	sets = slices.CompactFunc(sets, slices.Equal[[]string])
	var out [][]string
	for i, s := range sets {
		implied := false
		for j, other := range sets {
			implied = implied || i != j && subset(other, s)
		}
		if !implied {
			out = append(out, s)
		}
	}
	return out
}

func subset(small, large []string) bool {
	for _, s := range small {
		if !slices.Contains(large, s) {
			return false
		}
	}
	return true
}

// reduceConsents gives one number for each role, the largest first. Who has a role need not be a full member: none implies another.
func reduceConsents(all []Consents) []Consents {
	most := map[string]int{}
	for _, c := range all {
		most[c.Role] = max(most[c.Role], c.N)
	}
	var out []Consents
	for role, n := range most {
		out = append(out, Consents{n, role})
	}
	slices.SortFunc(out, func(a, b Consents) int {
		if a.N != b.N {
			return b.N - a.N
		}
		return strings.Compare(a.Role, b.Role)
	})
	return out
}

var roleForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:+-]{0,63}$`)

// RoleName gives a role as it is stored and compared: lower case, without spaces around it. An error for what is no name of
// a role, such as a person's.
func RoleName(s string) (string, error) {
	name := strings.TrimSpace(s)
	switch {
	case strings.HasPrefix(name, "@"):
		return "", fmt.Errorf("%q is a person and not a role: give a role to the person's key (whoami shows it) and name the role here", s)
	case strings.Contains(name, "/"):
		return "", fmt.Errorf("%q is a person's key and not a role: give that person a role and name the role here", s)
	case !roleForm.MatchString(name):
		return "", fmt.Errorf("%q is no role: a role is 1 to 64 letters, digits and - _ . : + in plain ASCII", s)
	}
	return strings.ToLower(name), nil // of plain ASCII alone: a Kelvin sign is no k
}

// Check gives p as it is compared: names of roles in lower case, lists in order, and rooms as "ADAPTER/ID", where the bot has
// the given adapters. The error joins all that is wrong, such as names where ids belong.
func (p Policy) Check(adapters []string) (Policy, error) {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	out := p
	out.Roles, out.In = nil, nil
	if len(p.Roles) > maxPolicyList || len(p.In) > maxPolicyList {
		wrong("a policy names at most %d roles and rooms", maxPolicyList)
	}
	for _, r := range p.Roles {
		name, err := RoleName(r)
		if err != nil {
			wrong("Roles: %w", err)
			continue
		}
		out.Roles = append(out.Roles, name)
	}
	for _, room := range p.In {
		id, err := roomID(room, adapters)
		if err != nil {
			wrong("In: %w", err)
			continue
		}
		out.In = append(out.In, id)
	}
	if p.ApprovedBy != "" {
		name, err := RoleName(p.ApprovedBy)
		if err != nil {
			wrong("ApprovedBy: %w", err)
		}
		out.ApprovedBy = name
	}
	switch {
	case p.Approvals < 0 || p.Approvals > maxApprovals:
		wrong("Approvals is %d: give 0 to %d", p.Approvals, maxApprovals)
	case p.Approvals == 0 && p.ApprovedBy != "":
		wrong("ApprovedBy %q without Approvals: say how many must agree", p.ApprovedBy)
	}
	if p.Elevate < 0 || p.Elevate > maxElevate {
		wrong("Elevate is %v: give 0 to %v", p.Elevate, maxElevate)
	}
	if len(errs) > 0 {
		return Policy{}, errors.Join(errs...)
	}
	return Combine(out, Policy{}), nil
}

// roomID gives a room as "ADAPTER/ID".
func roomID(room string, adapters []string) (string, error) {
	name, id, found := strings.Cut(room, "/")
	switch {
	case room == "" || room != strings.TrimSpace(room):
		return "", fmt.Errorf("%q is no room's id", room)
	case strings.HasPrefix(room, "#") || strings.HasPrefix(id, "#"):
		return "", fmt.Errorf("%q is a name, which anybody may give to another room: use the room's id (Event.Room.ID)", room)
	case found && id != "" && slices.Contains(adapters, name):
		return room, nil
	case len(adapters) == 1:
		return adapters[0] + "/" + room, nil
	case len(adapters) == 0: // nobody knows them: it fits where it says an adapter itself
		return room, nil
	}
	return "", fmt.Errorf("%q does not say which adapter's room it is: write ADAPTER/ID with one of %s", room, strings.Join(adapters, ", "))
}

// words says a policy in a sentence or two; empty where it asks for nothing.
func (p Policy) words() string {
	var out []string
	for _, set := range p.RoleSets() {
		out = append(out, "Needs the role "+strings.Join(set, " or ")+".")
	}
	if p.nowhere {
		out = append(out, "Nowhere: its rules have no room in common.")
	}
	if len(p.In) > 0 {
		out = append(out, "Only in "+strings.Join(p.In, ", ")+".")
	}
	if p.Direct {
		out = append(out, "Only in private.")
	}
	for _, c := range p.AllConsents() {
		out = append(out, "Needs the consent of "+c.String()+".")
	}
	if p.Elevate > 0 {
		out = append(out, "Needs a second factor, at most "+p.Elevate.String()+" old.")
	}
	if p.Dangerous {
		out = append(out, "Runs only when it can be audited.")
	}
	return strings.Join(out, " ")
}

// String says how many of whom.
func (c Consents) String() string {
	who := " other people"
	if c.N == 1 {
		who = " other person"
	}
	if c.Role != "" {
		who += " with the role " + c.Role
	}
	return strconv.Itoa(c.N) + who
}

// String gives p in a line that is the same for equal policies: "roles=deployer approvals=1:sre"; "none" for the zero Policy.
// It is for audits and for the hash that binds an approval.
func (p Policy) String() string {
	var out []string
	for _, set := range p.RoleSets() {
		out = append(out, "roles="+strings.Join(set, "|"))
	}
	if p.nowhere {
		out = append(out, "nowhere")
	}
	if len(p.In) > 0 {
		out = append(out, fmt.Sprintf("in=%q", p.In))
	}
	if p.Direct {
		out = append(out, "direct")
	}
	for _, c := range p.AllConsents() {
		out = append(out, "approvals="+strconv.Itoa(c.N)+":"+c.Role)
	}
	if p.Elevate > 0 {
		out = append(out, "elevate="+p.Elevate.String())
	}
	if p.Dangerous {
		out = append(out, "dangerous")
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, " ")
}

// OnCrash says what becomes of an event whose handler had begun when the process died.
type OnCrash string

// What a route may choose.
const (
	// OnCrashDefault: Rerun; Report for a command that is Background, Exclusive, approved or Dangerous.
	OnCrashDefault OnCrash = ""
	// OnCrashRerun runs the handler again: it has begun at least once.
	OnCrashRerun OnCrash = "rerun"
	// OnCrashReport does not begin it a second time: asker and room are told "interrupted, outcome unknown" with the line
	// to repeat.
	OnCrashReport OnCrash = "report"
)
