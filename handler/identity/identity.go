package identity

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
)

// Config says where links are kept.
type Config struct {
	// Brain keeps the links: a namespace of the bot's brain, such as state.Namespace("identity"). Required.
	Brain *brain.Brain
	// Audit records a change before it takes effect; an error means that it is not made. nil: the bot's log alone tells of it.
	Audit func(ctx context.Context, c Change) error
	// Changed is told the keys of the accounts whose person has changed: (*roles.Roles).Purge. It is called in the process
	// that made the change.
	Changed func(userKeys ...string)
	// MayUnlink tells who may see and undo the links of others; nobody may where it is nil.
	MayUnlink func(ctx context.Context, u adapter.User) (bool, error)
	// Policy is that of all routes, for the guard.
	Policy handler.Policy
}

// Action is what a [Change] does.
type Action string

// The actions.
const (
	CodeMade Action = "code"   // an account was shown a code
	CodeSent Action = "claim"  // another account has sent it
	Agreed   Action = "agree"  // one of the two has agreed
	Linked   Action = "link"   // both have
	Declined Action = "refuse" // one of the two has not
	Unlinked Action = "unlink" // an account was taken out
)

// Change is a step of a link.
type Change struct {
	Action      Action
	Accounts    []string     // the keys of the accounts that it is about; for Linked all that are one person then
	By          adapter.User // who does it; the zero User is the program itself
	Room        adapter.Address
	Correlation string // of the request; empty for the program itself
}

const maxAccounts = 8

// Identity knows which accounts are one person. Its methods may be called concurrently; several processes may share one
// brain. It keeps no answers: every one is read from the brain.
type Identity struct {
	cfg    Config
	brain  *brain.Brain
	random func([]byte) // crypto/rand
}

// New makes an Identity.
func New(cfg Config) (*Identity, error) {
	if cfg.Brain == nil {
		return nil, errors.New("identity: Config.Brain is nil; give it a namespace of the bot's brain, such as state.Namespace(\"identity\")")
	}
	return &Identity{
		cfg: cfg, brain: cfg.Brain,
		random: func(b []byte) { _, _ = rand.Read(b) }, // never fails, as crypto/rand says
	}, nil
}

// Person says who an account belongs to, for who counts persons. now are the keys of all accounts of that person, sorted,
// itself included: what may be done for the person. lately are those from which one of them was taken away within the last 15 days:
// it may do nothing for them, and is not somebody else yet where two persons are asked for, or who takes a link back could agree
// to their own request. Two accounts count as one person where their keys, of now and lately, have one in common. An error means
// that nobody knows, and must not be taken as an answer.
func (id *Identity) Person(ctx context.Context, userKey string) (now, lately []string, err error) {
	if now, err = id.Accounts(ctx, userKey); err != nil { // first: an unlink after this is in now, and one before it in lately
		return nil, nil, err
	}
	for _, key := range now {
		p, _, err := id.parted(ctx, key)
		if err != nil {
			return nil, nil, err
		}
		for _, a := range p.Accounts {
			if !slices.Contains(now, a.Key) && !slices.Contains(lately, a.Key) {
				lately = append(lately, a.Key)
			}
		}
	}
	return now, lately, nil
}

// Accounts gives the keys of all accounts of the person that an account belongs to, sorted, itself included. It reads the
// brain every time.
func (id *Identity) Accounts(ctx context.Context, userKey string) ([]string, error) {
	g, err := id.group(ctx, userKey)
	if err != nil {
		return nil, err
	}
	if len(g.Accounts) == 0 {
		return []string{userKey}, nil
	}
	return keys(g.Accounts), nil
}

// changed tells of a change.
func (id *Identity) changed(accounts []linked) {
	if id.cfg.Changed != nil {
		id.cfg.Changed(keys(accounts)...)
	}
}

// Unlink takes an account out of the person it belongs to; by is who does it, for the audit, and the zero User is the
// program itself. Nobody is asked whether by may. [ErrNotLinked] where the account is linked with none.
func (id *Identity) Unlink(ctx context.Context, userKey string, by adapter.User) error {
	var nonce [16]byte
	id.random(nonce[:])
	_, err := id.unlink(ctx, userKey, Change{By: by}, fmt.Sprintf("program %x", nonce))
	return err
}
