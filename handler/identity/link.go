package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/starlingbot/starling/brain"
)

func decode[T any](e brain.Entry) (T, error) {
	var v T
	if err := json.Unmarshal(e.Value, &v); err != nil {
		return v, fmt.Errorf("identity: %s: %w", e.Key, err)
	}
	return v, nil
}

// auditError: nothing was changed because it could not be audited.
type auditError struct{ err error }

func (e *auditError) Error() string {
	return "identity: nothing was changed, because it could not be audited: " + e.err.Error()
}

func (e *auditError) Unwrap() error { return e.err }

// audit records what is about to happen.
func (id *Identity) audit(ctx context.Context, c Change, action Action, accounts ...string) error {
	if id.cfg.Audit == nil {
		return nil
	}
	c.Action, c.Accounts = action, accounts
	if err := id.cfg.Audit(ctx, c); err != nil {
		return &auditError{err}
	}
	return nil
}

// agree notes that one of the two accounts of an offer agrees to what it was asked about. With the second one it links them: all
// accounts that both were shown, and no others. all is nil while the other one has not agreed.
func (id *Identity) agree(ctx context.Context, pick, userKey string, c Change, delivery string) (all []linked, err error) {
	var audited Action
	all, err = id.commit(ctx, delivery, func() ([]brain.Op, []linked, error) {
		e, o, err := id.open(ctx, pick)
		if err != nil {
			return nil, nil, err
		}
		if o.Second == nil || o.First.key() == o.Second.key() || userKey != o.First.key() && userKey != o.Second.key() {
			return nil, nil, errOver
		}
		first, err := id.entry(ctx, o.First.key())
		if err != nil {
			return nil, nil, err
		}
		second, err := id.entry(ctx, o.Second.key())
		if err != nil {
			return nil, nil, err
		}
		o.First.Since, o.Second.Since = time.Now().UTC(), time.Now().UTC()
		all := union(o.First, *o.Second, first.group, second.group)
		if !slices.Equal(keys(all), o.Persons) || len(all) > maxAccounts {
			return nil, nil, errChanged
		}
		if err := id.mayPart(ctx, all); err != nil {
			return nil, nil, err
		}
		if !slices.Contains(o.Yes, userKey) {
			o.Yes = append(o.Yes, userKey)
		}
		action, accounts := Agreed, []string{o.First.key(), o.Second.key()}
		if len(o.Yes) == 2 {
			action, accounts = Linked, o.Persons
		}
		if audited != action {
			if err := id.audit(ctx, c, action, accounts...); err != nil {
				return nil, nil, err
			}
		}
		audited = action
		if action == Agreed {
			value, err := json.Marshal(o)
			return []brain.Op{{Key: e.Key, Value: value, If: brain.At(e.Rev), TTL: time.Until(o.Expires)}}, nil, err
		}
		ops, err := id.rewrite(ctx, all, all, map[string]uint64{o.First.key(): first.rev, o.Second.key(): second.rev})
		return append(ops, brain.Op{Key: e.Key, Delete: true, If: brain.At(e.Rev)}), all, err
	})
	if err == nil && all != nil {
		id.changed(all)
	}
	return all, err
}

// rewrite makes now the record of all accounts in it, and removes it from the others of before. Fewer than two accounts
// have no record. revs are the revisions of the records that before was read from: since a change of a person rewrites all
// its records, nothing is written when one of them has changed since.
func (id *Identity) rewrite(ctx context.Context, before, now []linked, revs map[string]uint64) ([]brain.Op, error) {
	value, err := json.Marshal(group{Version: recordVersion, Accounts: now})
	if err != nil {
		return nil, err
	}
	var ops []brain.Op
	for _, a := range before {
		rev, known := revs[a.key()]
		if !known {
			e, err := id.entry(ctx, a.key())
			if err != nil {
				return nil, err
			}
			rev = e.rev
		}
		op := brain.Op{Key: id.full(accountPrefix, a.key()), If: brain.At(rev), Value: value} // At(0) is Absent
		if len(now) < 2 || !slices.ContainsFunc(now, func(l linked) bool { return l.key() == a.key() }) {
			op.Value, op.Delete = nil, true
		}
		ops = append(ops, op)
	}
	return ops, nil
}

// decline forgets an offer on behalf of one of its two accounts, and gives it.
func (id *Identity) decline(ctx context.Context, pick, userKey string, c Change) (offer, error) {
	e, o, err := id.open(ctx, pick)
	if err != nil {
		return o, err
	}
	if o.Second == nil || o.First.key() != userKey && o.Second.key() != userKey {
		return o, errOver
	}
	if err := id.audit(ctx, c, Declined, o.First.key(), o.Second.key()); err != nil {
		return o, err
	}
	_, err = id.brain.Store().Apply(ctx, brain.Op{Key: e.Key, Delete: true, If: brain.At(e.Rev)})
	if errors.Is(err, brain.ErrConflict) {
		return o, errOver // somebody else was faster
	}
	return o, err
}

// unlink takes an account out, remembers that it was one of them, and gives all accounts that were linked before.
func (id *Identity) unlink(ctx context.Context, userKey string, c Change, delivery string) ([]linked, error) {
	audited := false
	before, err := id.commit(ctx, delivery, func() ([]brain.Op, []linked, error) {
		g, err := id.entry(ctx, userKey)
		if err != nil {
			return nil, nil, err
		}
		if len(g.Accounts) == 0 {
			return nil, nil, ErrNotLinked
		}
		if !audited {
			if err := id.audit(ctx, c, Unlinked, userKey); err != nil {
				return nil, nil, err
			}
		}
		audited = true
		now := slices.DeleteFunc(slices.Clone(g.Accounts), func(a linked) bool { return a.key() == userKey })
		ops, err := id.rewrite(ctx, g.Accounts, now, map[string]uint64{userKey: g.rev})
		if err != nil {
			return nil, nil, err
		}
		apart, err := id.part(ctx, userKey, now)
		return append(ops, apart), g.Accounts, err
	})
	if err == nil {
		id.changed(before)
	}
	return before, err
}
