package identity

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/starlingbot/starling/brain"
)

const (
	codeFor    = 5 * time.Minute // a code, and then the question to both accounts
	window     = 15 * time.Minute
	maxTries   = 5 // of an account in window
	maxCodes   = 5 // of an account in window
	maxWrong   = 5 // tries at one code
	pickLength = 4 // the part of a code that finds its offer
	codeLength = 16
	codeGroups = 4
)

// alphabet is Crockford's Base32 (https://www.crockford.com/base32.html): no letter that looks like another one.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// The errors that people are told.
var (
	errCode    = errors.New("identity: the code does not work") // wrong, expired, used, or none
	errTries   = errors.New("identity: too many tries")
	errSelf    = errors.New("identity: the code is for another account")
	errSame    = errors.New("identity: the accounts are linked already")
	errFull    = errors.New("identity: a person has too many accounts")
	errOver    = errors.New("identity: there is nothing to agree to")
	errChanged = errors.New("identity: the links of one of them have changed")
	errApart   = errors.New("identity: too many links were taken back lately")
	// ErrNotLinked: the account is linked with none.
	ErrNotLinked = errors.New("identity: the account is not linked")
)

// offer is what a code stands for. Its key is the first part of the code, the rest is in it as a hash.
type offer struct {
	Version int       `json:"v"`
	Salt    []byte    `json:"salt"`
	Hash    []byte    `json:"hash"`
	First   linked    `json:"first"` // who was shown the code
	Expires time.Time `json:"expires"`
	Wrong   int       `json:"wrong,omitempty"`
	Second  *linked   `json:"second,omitempty"` // who sent it: the code is used
	Persons []string  `json:"persons,omitempty"`
	Yes     []string  `json:"yes,omitempty"` // which of the two have agreed
}

// is compares a code's second part in constant time. There is none for an offer that is not there.
func (o *offer) is(secret string) bool {
	return subtle.ConstantTimeCompare(o.Hash, hash(o.Salt, secret)) == 1
}

func hash(salt []byte, secret string) []byte {
	mac := hmac.New(sha256.New, salt)
	mac.Write([]byte(secret))
	return mac.Sum(nil)
}

// letters makes n random letters of the alphabet.
func (id *Identity) letters(n int) string {
	b := make([]byte, n)
	id.random(b)
	for i := range b {
		b[i] = alphabet[b[i]&31]
	}
	return string(b)
}

// shown writes a code as people read it.
func shown(code string) string {
	var parts []string
	for part := range slices.Chunk([]byte(code), codeLength/codeGroups) {
		parts = append(parts, string(part))
	}
	return strings.Join(parts, "-")
}

// parse takes a code apart; false: it is none.
func parse(text string) (pick, secret string, ok bool) {
	code := strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(text))
	if len(code) != codeLength || strings.Trim(code, alphabet) != "" {
		return "", "", false
	}
	return code[:pickLength], code[pickLength:], true
}

// tried is what an account has done lately.
type tried struct {
	Codes []time.Time `json:"codes,omitempty"`
	Tries []time.Time `json:"tries,omitempty"`
	Open  string      `json:"open,omitempty"` // the first part of its last code
}

// spend counts what an account does, and refuses what is too much. It comes before anything is looked at.
func (id *Identity) spend(ctx context.Context, userKey string, f func(*tried) error) error {
	_, err := brain.UpdateFor(ctx, id.brain, brain.Key(limitPrefix, userKey), window, func(t *tried) error {
		old := func(at time.Time) bool { return time.Since(at) >= window }
		t.Codes, t.Tries = slices.DeleteFunc(t.Codes, old), slices.DeleteFunc(t.Tries, old)
		return f(t)
	})
	return err
}

func (id *Identity) spendTry(ctx context.Context, userKey string) error {
	return id.spend(ctx, userKey, func(t *tried) error {
		if len(t.Tries) >= maxTries {
			return errTries
		}
		t.Tries = append(t.Tries, time.Now().UTC())
		return nil
	})
}

const offerTries = 8 // for a first part that is not in use

// offer makes a code for an account; its earlier one is dead.
func (id *Identity) offer(ctx context.Context, first linked, c Change) (code string, err error) {
	before := ""
	err = id.spend(ctx, first.key(), func(t *tried) error {
		if len(t.Codes) >= maxCodes {
			return errTries
		}
		t.Codes = append(t.Codes, time.Now().UTC())
		before = t.Open
		return nil
	})
	if err != nil {
		return "", err
	}
	if before != "" {
		if err := id.dropOf(ctx, before, first.key()); err != nil {
			return "", err
		}
	}
	if err := id.audit(ctx, c, CodeMade, first.key()); err != nil {
		return "", err
	}
	for range offerTries {
		code := id.letters(codeLength)
		pick, secret, _ := parse(code)
		salt := make([]byte, sha256.Size)
		id.random(salt)
		o := offer{Version: recordVersion, Salt: salt, Hash: hash(salt, secret), First: first, Expires: time.Now().Add(codeFor).UTC()}
		_, err := brain.UpdateFor(ctx, id.brain, brain.Key(codePrefix, pick), codeFor, func(there *offer) error {
			if there.Version != 0 {
				return brain.ErrConflict
			}
			*there = o
			return nil
		})
		if errors.Is(err, brain.ErrConflict) {
			continue
		}
		if err != nil {
			return "", err
		}
		return code, id.spend(ctx, first.key(), func(t *tried) error { t.Open = pick; return nil })
	}
	return "", errors.New("identity: no code is free; that is very many open codes, or a broken source of randomness")
}

// dropOf forgets an offer if it is still that of an account.
func (id *Identity) dropOf(ctx context.Context, pick, userKey string) error {
	e, o, err := id.open(ctx, pick)
	if err != nil || o.First.key() != userKey {
		return ignore(err, errOver)
	}
	_, err = id.brain.Store().Apply(ctx, brain.Op{Key: id.full(codePrefix, pick), Delete: true, If: brain.At(e.Rev)})
	return ignore(err, brain.ErrConflict) // it was claimed or forgotten meanwhile
}

func ignore(err, harmless error) error {
	if errors.Is(err, harmless) {
		return nil
	}
	return err
}

// claim takes a code that an account has sent. One of all that send it gets it.
func (id *Identity) claim(ctx context.Context, text string, second linked, c Change) (pick string, o offer, err error) {
	if err := id.spendTry(ctx, second.key()); err != nil {
		return "", o, err
	}
	pick, secret, ok := parse(text)
	if !ok {
		return "", o, errCode
	}
	var wrong error
	audited := false
	o, err = brain.UpdateFor(ctx, id.brain, brain.Key(codePrefix, pick), codeFor, func(o *offer) error {
		wrong = nil
		right := o.is(secret)
		switch {
		case o.Version != recordVersion || o.Second != nil || o.Wrong >= maxWrong || !time.Now().Before(o.Expires):
			return errCode
		case !right:
			o.Wrong++
			wrong = errCode
			return nil
		case o.First.key() == second.key():
			return errSelf
		}
		ga, err := id.group(ctx, o.First.key())
		if err != nil {
			return err
		}
		gb, err := id.group(ctx, second.key())
		if err != nil {
			return err
		}
		all := union(o.First, second, ga, gb)
		switch {
		case ga.has(second.key()):
			return errSame
		case len(all) > maxAccounts:
			return errFull
		}
		if !audited {
			if err := id.audit(ctx, c, CodeSent, o.First.key(), second.key()); err != nil {
				return err
			}
		}
		audited = true
		o.Second, o.Persons, o.Expires = &second, keys(all), time.Now().Add(codeFor).UTC()
		return nil
	})
	return pick, o, errors.Join(err, wrong)
}

// burn kills a code that was shown to others.
func (id *Identity) burn(ctx context.Context, text, userKey string) error {
	if err := id.spendTry(ctx, userKey); err != nil {
		return err
	}
	pick, secret, ok := parse(text)
	if !ok {
		return nil
	}
	_, err := brain.UpdateFor(ctx, id.brain, brain.Key(codePrefix, pick), codeFor, func(o *offer) error {
		if o.is(secret) {
			o.Hash = nil
			return nil
		}
		if o.Version == 0 {
			return errCode
		}
		o.Wrong++
		return nil
	})
	return ignore(err, errCode)
}

// open gives an offer that is not over, with its entry.
func (id *Identity) open(ctx context.Context, pick string) (brain.Entry, offer, error) {
	full := id.full(codePrefix, pick)
	e, err := id.brain.Store().Get(ctx, full)
	if errors.Is(err, brain.ErrNotFound) {
		return e, offer{}, errOver
	}
	if err != nil {
		return e, offer{}, fmt.Errorf("identity: %w", err)
	}
	o, err := decode[offer](e)
	if err != nil {
		return e, o, err
	}
	if o.Version != recordVersion || !time.Now().Before(o.Expires) {
		return e, o, errOver
	}
	return e, o, nil
}
