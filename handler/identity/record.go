package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
)

// The keys.
const (
	accountPrefix = "account" // + the user's key: the accounts of the person
	codePrefix    = "code"    // + the first part of a code: an offer
	limitPrefix   = "limit"   // + the user's key: what the account has tried
	donePrefix    = "done"    // + a delivery: the change that it has made
	apartPrefix   = "apart"   // + the user's key: the accounts that it was linked with until it was taken out
)

const (
	recordVersion = 1
	// maxKey is the length of a user's key in bytes.
	maxKey = 200
	// doneFor is how long a delivery that comes again gets the answer of the first time.
	doneFor = 24 * time.Hour
	// apartFor is how long an account that was taken out is nobody else where persons are counted: longer than a request waits
	// for consent and consent then lasts, which is 7 days each at most (guard.Config.ApprovalsFor).
	apartFor = 15 * 24 * time.Hour
	maxApart = 64 // accounts that one was taken away from in that time
)

// group is the record of an account that is linked. All accounts of a person have the same one.
type group struct {
	Version  int      `json:"v"`
	Accounts []linked `json:"accounts"` // in the order of their keys
}

// linked is an account of a person.
type linked struct {
	User  adapter.User    `json:"user"`
	At    adapter.Address `json:"at"` // its direct room with the bot
	Since time.Time       `json:"since,omitzero"`
}

func (l linked) key() string { return l.User.Key() }

func keys(accounts []linked) []string {
	out := make([]string, len(accounts))
	for i, a := range accounts {
		out[i] = a.key()
	}
	return out
}

// has tells whether an account is among those of a group.
func (g group) has(userKey string) bool {
	return slices.ContainsFunc(g.Accounts, func(a linked) bool { return a.key() == userKey })
}

// entry is a group with the revision of its record; 0 where there is none.
type entry struct {
	group
	rev uint64
}

// group gives the accounts of a person; none where the account is linked with none.
func (id *Identity) group(ctx context.Context, userKey string) (group, error) {
	e, err := id.entry(ctx, userKey)
	return e.group, err
}

func (id *Identity) entry(ctx context.Context, userKey string) (entry, error) {
	stored, err := id.brain.Store().Get(ctx, id.full(accountPrefix, userKey))
	if errors.Is(err, brain.ErrNotFound) {
		return entry{}, nil
	}
	if err != nil {
		return entry{}, fmt.Errorf("identity: the accounts of %s: %w", userKey, err)
	}
	e := entry{rev: stored.Rev}
	if err := json.Unmarshal(stored.Value, &e.group); err != nil {
		return entry{}, fmt.Errorf("identity: the accounts of %s: %w", userKey, err)
	}
	switch {
	case e.Version > recordVersion:
		return entry{}, fmt.Errorf("identity: the accounts of %s were stored by a newer version of this program", userKey)
	case !e.has(userKey) || len(e.Accounts) > maxAccounts || !slices.IsSorted(keys(e.Accounts)):
		return entry{}, fmt.Errorf("identity: the accounts of %s: the record is damaged", userKey)
	}
	return e, nil
}

// full gives the key of the store.
func (id *Identity) full(parts ...string) string { return id.brain.Key(brain.Key(parts...)) }

// apart is the record of an account that was taken out lately.
type apart struct {
	Version  int           `json:"v"`
	Accounts []partedSince `json:"accounts"`
}

// partedSince is an account that another one was linked with.
type partedSince struct {
	Key   string    `json:"key"`
	Until time.Time `json:"until"` // how long that counts
}

// parted gives what an account was linked with lately, with the revision of the record; 0 where there is none.
func (id *Identity) parted(ctx context.Context, userKey string) (p apart, rev uint64, err error) {
	e, err := id.brain.Store().Get(ctx, id.full(apartPrefix, userKey))
	if errors.Is(err, brain.ErrNotFound) {
		return apart{}, 0, nil
	}
	if err != nil {
		return p, 0, fmt.Errorf("identity: the accounts that %s was linked with: %w", userKey, err)
	}
	if p, err = decode[apart](e); err != nil {
		return p, 0, err
	}
	if p.Version > recordVersion {
		return p, 0, fmt.Errorf("identity: the accounts that %s was linked with were stored by a newer version of this program", userKey)
	}
	p.Accounts = slices.DeleteFunc(p.Accounts, func(a partedSince) bool { return !time.Now().Before(a.Until) })
	return p, e.Rev, nil
}

// part gives the operation that remembers that an account was one of a person with others. Theirs need not: who compares the two
// finds it with this one.
func (id *Identity) part(ctx context.Context, userKey string, others []linked) (brain.Op, error) {
	p, rev, err := id.parted(ctx, userKey)
	if err != nil {
		return brain.Op{}, err
	}
	gone, until := keys(others), time.Now().Add(apartFor).UTC()
	p.Version = recordVersion
	p.Accounts = slices.DeleteFunc(p.Accounts, func(a partedSince) bool { return slices.Contains(gone, a.Key) })
	for _, key := range gone {
		p.Accounts = append(p.Accounts, partedSince{key, until})
	}
	value, err := json.Marshal(p)
	return brain.Op{Key: id.full(apartPrefix, userKey), Value: value, If: brain.At(rev), TTL: apartFor}, err // At(0) is Absent
}

// mayPart refuses to link an account that was taken away from too many others lately: it could not be remembered the next time.
func (id *Identity) mayPart(ctx context.Context, all []linked) error {
	for _, a := range all {
		p, _, err := id.parted(ctx, a.key())
		if err != nil {
			return err
		}
		if len(p.Accounts)+len(all) > maxApart {
			return errApart
		}
	}
	return nil
}

// union gives the accounts of two persons in order; an account that is linked with none is its own person.
func union(a, b linked, ga, gb group) []linked {
	all := slices.Concat(ga.Accounts, gb.Accounts)
	for _, l := range []linked{a, b} {
		if !slices.ContainsFunc(all, func(o linked) bool { return o.key() == l.key() }) {
			all = append(all, l)
		}
	}
	slices.SortFunc(all, func(a, b linked) int { return strings.Compare(a.key(), b.key()) })
	return slices.CompactFunc(all, func(a, b linked) bool { return a.key() == b.key() })
}

// receipt says what a delivery has changed.
type receipt struct {
	Accounts []linked `json:"accounts"`
}

const commitTries = 32

// commit makes a change once for a delivery: build reads and gives what is to be written, conditional on what it read, and
// is asked again when somebody else was faster. The accounts that it gives are returned also when the delivery comes again.
func (id *Identity) commit(ctx context.Context, delivery string, build func() ([]brain.Op, []linked, error)) ([]linked, error) {
	done := id.full(donePrefix, delivery)
	var last error
	for try := range commitTries {
		if try > 1 {
			if err := pause(ctx, time.Millisecond<<min(try, 6)); err != nil {
				return nil, errors.Join(last, err)
			}
		}
		e, err := id.brain.Store().Get(ctx, done)
		if err == nil {
			var r receipt
			err := json.Unmarshal(e.Value, &r)
			return r.Accounts, err
		}
		if !errors.Is(err, brain.ErrNotFound) {
			return nil, fmt.Errorf("identity: %w", errors.Join(last, err))
		}
		ops, accounts, err := build()
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(receipt{accounts})
		if err != nil {
			return nil, err
		}
		_, err = id.brain.Store().Apply(ctx, append(ops, brain.Op{Key: done, Value: value, TTL: doneFor})...)
		if err == nil {
			return accounts, nil
		}
		if brain.Certain(err) && !errors.Is(err, brain.ErrConflict) {
			return nil, fmt.Errorf("identity: %w", err)
		}
		last = err // after an unknown outcome the receipt tells: only one of the attempts can have written it
	}
	return nil, fmt.Errorf("identity: the change could not be made, or nobody knows whether it was: %w", last)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// was tells whether a delivery has made a change already.
func (id *Identity) was(ctx context.Context, delivery string) (bool, error) {
	_, err := id.brain.Store().Get(ctx, id.full(donePrefix, delivery))
	if errors.Is(err, brain.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
