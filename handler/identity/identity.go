package identity

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

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

	CacheFor  time.Duration // how long an answer of Person is used again; default 30 s, at most 60 s
	CacheSize int           // answers in memory; at the bound one is forgotten; default 32,768
}

// Action is what a [Change] does.
type Action string

// The actions.
const (
	CodeMade Action = "code"   // an account was shown a code
	CodeSent Action = "claim"  // another account has sent it
	Linked   Action = "link"   // the first account has agreed
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

const (
	maxAccounts  = 8
	maxCacheFor  = time.Minute
	defaultCache = 30 * time.Second
	defaultSize  = 32_768
)

// Identity knows which accounts are one person. Its methods may be called concurrently; several processes may share one
// brain.
type Identity struct {
	cfg    Config
	brain  *brain.Brain
	random func([]byte) // crypto/rand

	mu      sync.RWMutex
	begun   time.Time // the clock of answers counts from here
	answers map[string]answer
	purges  uint64 // counts them: an answer that was begun before one is not kept
}

// answer is who somebody is until it is too old.
type answer struct {
	person string
	until  time.Duration // after Identity.begun
}

// New makes an Identity.
func New(cfg Config) (*Identity, error) {
	var errs []error
	if cfg.Brain == nil {
		errs = append(errs, errors.New("identity: Config.Brain is nil; give it a namespace of the bot's brain, such as state.Namespace(\"identity\")"))
	}
	if cfg.CacheFor < 0 || cfg.CacheFor > maxCacheFor {
		errs = append(errs, fmt.Errorf("identity: Config.CacheFor is %v; it is from 0, which is %v, to %v, so that a removed link counts no longer than that", cfg.CacheFor, defaultCache, maxCacheFor))
	}
	if cfg.CacheSize < 0 {
		errs = append(errs, errors.New("identity: Config.CacheSize must not be negative"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if cfg.CacheFor == 0 {
		cfg.CacheFor = defaultCache
	}
	if cfg.CacheSize == 0 {
		cfg.CacheSize = defaultSize
	}
	return &Identity{
		cfg: cfg, brain: cfg.Brain, answers: map[string]answer{}, begun: time.Now(),
		random: func(b []byte) { _, _ = rand.Read(b) }, // never fails, as crypto/rand says
	}, nil
}

// Person gives the key of the person that an account belongs to: the first of its accounts' keys in the order of the
// alphabet, the same for all of them; the key itself where the account is linked with none. It changes with the links. An
// error means that nobody knows, and must not be taken as an answer.
func (id *Identity) Person(ctx context.Context, userKey string) (string, error) {
	id.mu.RLock()
	a, ok := id.answers[userKey]
	round := id.purges
	id.mu.RUnlock()
	now := time.Since(id.begun) // the answer is as old as its beginning
	if ok && now < a.until {
		return a.person, nil
	}
	g, err := id.group(ctx, userKey)
	if err != nil {
		return "", err
	}
	person := userKey
	if len(g.Accounts) > 0 {
		person = g.Accounts[0].key()
	}
	id.keep(userKey, answer{person, now + id.cfg.CacheFor}, round)
	return person, nil
}

// keep remembers an answer, unless links have changed since it was begun.
func (id *Identity) keep(userKey string, a answer, round uint64) {
	id.mu.Lock()
	defer id.mu.Unlock()
	if id.purges != round {
		return
	}
	if _, ok := id.answers[userKey]; !ok && len(id.answers) >= id.cfg.CacheSize {
		for other := range id.answers { // any: it is looked up again when it is needed
			delete(id.answers, other)
			break
		}
	}
	id.answers[userKey] = a
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

// changed makes a change seen.
func (id *Identity) changed(accounts []linked) {
	id.mu.Lock()
	id.purges++
	for _, a := range accounts {
		delete(id.answers, a.key())
	}
	id.mu.Unlock()
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
