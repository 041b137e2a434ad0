package handler

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/starlingbot/starling/internal/args"
)

// Rule is a policy that the operator sets from outside of the code. By default it tightens: it is combined with what the code
// says (see [Combine]). Replace puts it in the place of the route's own Policy and of the rules of the groups around it; what a
// command's When says of its arguments, and what its middleware does, stays.
type Rule struct {
	Policy
	Replace bool
}

// groupPrefix begins the key of a rule for all routes that were mounted under a name, or under a name below it.
const groupPrefix = "group:"

// ruleSet is what applies in a table from one SetPolicies to the next. It is immutable.
type ruleSet struct {
	adapters []string
	policies []Policy // of each route, by its index
}

// SetPolicies puts rules in force, all at one instant, in place of the rules before. A key is a route's id, or "group:NAME" for
// the routes mounted under NAME; the rules of a route are those of its groups, the outermost first, and then its own. adapters
// are the names of the bot's adapters, by which rooms are named. The error joins all mistakes: an id that no route has, names
// where ids belong, a policy whose route no guard protects; then nothing is changed. It may be called at any time.
func (t *Table) SetPolicies(rules map[string]Rule, adapters []string) error {
	var errs []error
	checked := map[string]Rule{}
	for _, key := range slices.Sorted(maps.Keys(rules)) {
		p, err := rules[key].Policy.Check(adapters)
		if err != nil {
			for _, e := range unjoin(err) {
				errs = append(errs, fmt.Errorf("rule for %q: %w", key, e))
			}
		}
		if err := t.knows(key); err != nil {
			errs = append(errs, err)
		}
		checked[key] = Rule{p, rules[key].Replace}
	}
	next := &ruleSet{adapters: slices.Clone(adapters), policies: make([]Policy, len(t.routes))}
	for i, r := range t.routes {
		wrong := func(err error) { errs = append(errs, fmt.Errorf("%s: %s: %w", r.where, r, err)) }
		p, err := r.Policy.Check(adapters)
		if err != nil {
			for _, e := range unjoin(err) {
				wrong(fmt.Errorf("its policy: %w", e))
			}
			continue
		}
		for _, key := range ruleKeys(r) {
			switch rule, ok := checked[key]; {
			case ok && rule.Replace:
				p = rule.Policy
			case ok:
				p = Combine(p, rule.Policy)
			}
		}
		if err := r.enforceable(&p); err != nil {
			wrong(err)
		}
		next.policies[i] = p
	}
	if i := slices.IndexFunc(t.routes, func(r *Route) bool {
		return len(adapters) > 0 && r.may.Adapter != "" && !slices.Contains(adapters, r.may.Adapter)
	}); i >= 0 {
		errs = append(errs, fmt.Errorf("guard.Config.Room is on the adapter %q, and the bot has none of that name: it has %s", t.routes[i].may.Adapter, strings.Join(adapters, ", ")))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	t.rules.Store(next)
	return nil
}

// ruleKeys gives the keys of the rules for a route, the widest first.
func ruleKeys(r *Route) []string {
	var keys []string
	for i, c := range r.mount {
		if c == '/' {
			keys = append(keys, groupPrefix+r.mount[:i])
		}
	}
	if r.mount != "" {
		keys = append(keys, groupPrefix+r.mount)
	}
	return append(keys, r.ID)
}

// knows tells whether a rule's key names something.
func (t *Table) knows(key string) error {
	var known []string
	for _, r := range t.routes {
		keys := ruleKeys(r)
		if slices.Contains(keys, key) {
			return nil
		}
		known = append(known, keys...)
	}
	if near, ok := args.Suggest(key, set(known)); ok {
		return fmt.Errorf("rule for %q: no route has that id, and no group that name; did you mean %q?", key, near)
	}
	return fmt.Errorf("rule for %q: no route has that id; the groups are keyed %sNAME", key, groupPrefix)
}

// enforceable tells whether what is around r can enforce p.
func (r *Route) enforceable(p *Policy) error {
	needs := !p.IsZero() || r.command != nil && r.command.when != nil
	switch {
	case !needs:
		return nil
	case !r.guarded:
		return errors.New("it has a policy and nothing enforces it: put the Enforce of a guard (middleware/guard) around it with Router.Use")
	case p.Dangerous && !r.may.Audits:
		return errors.New("it is Dangerous and the guard writes no audit: set guard.Config.Audit")
	case p.Elevate > 0 && !r.may.Factors:
		return errors.New("it asks for a second factor and the guard knows none: set guard.Config.Factor")
	}
	return nil
}

// policyJSON is a rule as an operator writes it.
type policyJSON struct {
	Roles      []string `json:"roles"`
	In         []string `json:"in"`
	Direct     bool     `json:"direct"`
	Approvals  int      `json:"approvals"`
	ApprovedBy string   `json:"approved_by"`
	Elevate    string   `json:"elevate"` // "10m"
	Dangerous  bool     `json:"dangerous"`
	Replace    bool     `json:"replace"`
}

// ParseRules reads rules from JSON: an object from keys (see [Table.SetPolicies]) to objects with the fields roles, in, direct,
// approvals, approved_by, elevate (such as "10m"), dangerous and replace. What it does not know is an error, since a rule with a
// mistyped field would ask for nothing.
func ParseRules(data []byte) (map[string]Rule, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var raw map[string]*policyJSON
	if err := dec.Decode(&raw); err != nil {
		return nil, fmt.Errorf("handler: the rules are not JSON as it should be: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("handler: the rules are one JSON object, and something follows it")
	}
	if err := doubles(data); err != nil {
		return nil, err
	}
	out := map[string]Rule{}
	for key, p := range raw {
		if p == nil {
			return nil, fmt.Errorf("handler: the rule for %q is null: leave it out, or say what it asks for", key)
		}
		rule := Rule{Policy{Roles: p.Roles, In: p.In, Direct: p.Direct, Approvals: p.Approvals, ApprovedBy: p.ApprovedBy, Dangerous: p.Dangerous}, p.Replace}
		if p.Elevate != "" {
			d, err := time.ParseDuration(p.Elevate)
			if err != nil {
				return nil, fmt.Errorf("handler: the rule for %q: elevate %q is no duration such as 10m", key, p.Elevate)
			}
			rule.Elevate = d
		}
		if rule.Policy.IsZero() && !rule.Replace {
			return nil, fmt.Errorf("handler: the rule for %q asks for nothing: leave it out, or say \"replace\": true to lift what the code asks for", key)
		}
		out[key] = rule
	}
	return out, nil
}

// doubles finds a key that is there twice: encoding/json takes the last one silently.
func doubles(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	type object struct {
		seen map[string]bool // nil for an array
		key  bool            // a key comes next
	}
	var stack []object
	for {
		token, err := dec.Token()
		if err != nil {
			return nil // the end: mistakes were found before
		}
		if d, ok := token.(json.Delim); ok && (d == '}' || d == ']') {
			stack = stack[:len(stack)-1]
			continue
		}
		if n := len(stack); n > 0 && stack[n-1].seen != nil {
			top := &stack[n-1]
			if name, ok := token.(string); ok && top.key {
				fold := name
				if n > 1 {
					fold = strings.ToLower(strings.ToUpper(name)) // as encoding/json finds fields: the long s and the Kelvin sign, too
				}
				if top.seen[fold] {
					return fmt.Errorf("handler: the rules say %q twice", name)
				}
				top.seen[fold], top.key = true, false
				continue
			}
			top.key = true
		}
		switch token {
		case json.Delim('{'):
			stack = append(stack, object{map[string]bool{}, true})
		case json.Delim('['):
			stack = append(stack, object{})
		}
	}
}
