package brain

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"
)

const leasePrefix = corePrefix + "lease/"

// Lease is a claim on a name that ends by itself. At any instant at most one
// holder's lease lives in the store. It is not a lock: a process that was frozen
// may run on after its lease ended. Its writes are refused nevertheless if they
// are made with [Lease.Apply], or with [Lease.Guard] in their Apply; outside
// systems are protected only if they are given the [Lease.Token] and refuse
// smaller ones.
//
// Methods may be called concurrently; those that write take turns. Renew at
// about a third of the TTL.
type Lease struct {
	store Store
	key   string
	nonce []byte
	ttl   time.Duration
	turn  chan struct{} // holds one value while a method uses the store

	mu     sync.Mutex // guards what follows; never held over a store call
	token  uint64
	until  time.Time
	unsure bool // a write of ours had an unknown outcome: token may be old
	lost   bool
}

// Acquire takes the lease called name in the namespace of b for ttl, which is
// rounded up to whole seconds. [ErrConflict] when somebody holds it;
// [ErrInvalidKey] for a name that is not a valid key; [ErrInvalidOp] for a ttl
// that is not positive. After an unknown outcome (any other error) nobody may
// hold it until ttl has passed.
//
// The lease is a key under "_/lease/" with a random owner nonce, created Absent.
// If the answer is lost the claim is submitted again, and a conflict judged by
// the nonce.
func (b *Brain) Acquire(ctx context.Context, name string, ttl time.Duration) (*Lease, error) {
	if err := b.CheckKey(name); err != nil {
		return nil, err
	}
	if ttl <= 0 {
		return nil, &KeyError{Key: name, Reason: "a lease needs a positive TTL", Err: ErrInvalidOp}
	}
	l := &Lease{
		store: b.store,
		key:   fold(leasePrefix+b.prefix+name, MaxKey),
		nonce: []byte(rand.Text()),
		ttl:   WholeSeconds(ttl),
		turn:  make(chan struct{}, 1),
	}
	start := time.Now()
	revs, doubt, err := settle(ctx, l.store, Op{Key: l.key, Value: l.nonce, If: Absent, TTL: l.ttl})
	switch {
	case err == nil:
		l.advance(revs[0], start)
		return l, nil
	case errors.Is(err, ErrConflict) && doubt:
		e, mine, gerr := l.look(ctx)
		if gerr != nil {
			return nil, &unknownError{what: "acquire", key: name, err: gerr}
		}
		if mine {
			l.advance(e.Rev, start)
			return l, nil
		}
		return nil, named("acquire", name, err)
	case doubt && !Certain(err):
		return nil, &unknownError{what: "acquire", key: name, err: err}
	case doubt:
		return nil, &unknownError{what: "acquire", key: name, err: errLostAnswer, note: "submitted again, it got: " + err.Error()}
	default:
		return nil, named("acquire", name, err)
	}
}

// Token is the revision of the claim or of its last renewal: the fencing token.
// It grows with every renewal and from holder to holder.
func (l *Lease) Token() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.token
}

// Until is the local time up to which the lease lives for certain if it is not
// renewed: the TTL counted from before the last successful claim or renewal was
// sent. The engine's clock decides; this one is never later unless the two run
// at different speeds.
func (l *Lease) Until() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.until
}

// Guard returns the Op that renews the lease. In one Apply with other
// operations it lets them happen only while the lease is held. After success
// tell the lease its new token with [Lease.Renewed]; [Lease.Apply] does both. It
// conflicts when Renew or Apply ran between Guard and its use.
func (l *Lease) Guard() Op {
	return Op{Key: l.key, Value: l.nonce, If: At(l.Token()), TTL: l.ttl}
}

// Renewed tells the lease the revision that an Apply returned for the Op of
// [Lease.Guard]. A revision that is not newer is ignored.
func (l *Lease) Renewed(rev uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if rev > l.token {
		l.token = rev
	}
}

// Renew lengthens the lease to its TTL from now and gives it a new token.
// [ErrConflict] when the lease is lost; it then stays lost. After an unknown
// outcome (any other error) call it again: it finds out what became of the first.
func (l *Lease) Renew(ctx context.Context) error {
	return l.Apply(ctx)
}

// Apply does ops and renews the lease in the same step: all happens only if the
// lease is held. It takes at most MaxOps-1 operations.
//
// [ErrConflict] when the lease is lost, which [Lease.Lost] tells, or when a
// condition of ops does not hold. When the answer is lost the same Apply is
// submitted again and a conflict is judged by the lease's own record; an error
// for which [Certain] is false means that even so it is not known whether ops
// happened.
func (l *Lease) Apply(ctx context.Context, ops ...Op) error {
	if err := l.take(ctx); err != nil {
		return err
	}
	defer l.give()
	if err := l.catchUp(ctx); err != nil {
		return err
	}
	start := time.Now()
	guard := l.Guard()
	revs, doubt, err := settle(ctx, l.store, append([]Op{guard}, ops...)...)
	switch {
	case err == nil:
		l.advance(revs[0], start)
		return nil
	case !doubt && !errors.Is(err, ErrConflict):
		return l.named("renew", err)
	case !Certain(err):
		l.doubt()
		return &unknownError{what: "renew lease", key: l.key, err: err}
	case !errors.Is(err, ErrConflict): // closed, say, after an unknown attempt
		l.doubt()
		return &unknownError{what: "renew lease", key: l.key, err: errLostAnswer, note: "submitted again, it got: " + err.Error()}
	}
	e, mine, gerr := l.look(ctx)
	switch {
	case gerr != nil && doubt:
		l.doubt()
		return &unknownError{what: "renew lease", key: l.key, err: gerr}
	case gerr != nil: // a plain conflict; why is not known
		l.doubt()
		return l.named("renew", err)
	case mine && At(e.Rev) != guard.If:
		// Only we write with this nonce, one at a time: our attempt landed.
		l.advance(e.Rev, start)
		if doubt {
			return nil
		}
		return l.named("renew", err)
	case mine && !doubt: // a condition of ops
		return l.named("renew", err)
	case !mine:
		l.lose()
		if !doubt || len(ops) == 0 {
			return l.named("renew", err)
		}
	}
	l.doubt()
	return &unknownError{what: "renew lease", key: l.key, err: errLostAnswer, note: "submitted again, it conflicted"}
}

// Release ends the lease, so that others need not wait for its TTL. Nil means
// that this Lease is not held any more; [ErrConflict] that it had been lost
// before; any other error that it may live on until its TTL. The Lease is of no
// use afterwards.
func (l *Lease) Release(ctx context.Context) error {
	if err := l.take(ctx); err != nil {
		return err
	}
	defer l.give()
	if err := l.catchUp(ctx); err != nil {
		return err
	}
	_, doubt, err := settle(ctx, l.store, Op{Key: l.key, If: At(l.Token()), Delete: true})
	switch {
	case err == nil, doubt && errors.Is(err, ErrConflict):
		l.lose() // ours alone to delete: with doubt, the first attempt did it, or it had expired
		return nil
	case errors.Is(err, ErrConflict):
		l.lose()
		return l.named("release", err)
	case Certain(err) && !doubt:
		return l.named("release", err)
	}
	l.doubt()
	if Certain(err) {
		err = errLostAnswer
	}
	return &unknownError{what: "release lease", key: l.key, err: err}
}

// Lost reports whether a method has found the lease lost or released. False
// does not mean that it is held: see [Lease.Until].
func (l *Lease) Lost() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

// catchUp brings the token up to date after an unknown outcome, and refuses a
// lost lease. It renews, so that a write of ours that is still on its way cannot
// land any more.
func (l *Lease) catchUp(ctx context.Context) error {
	l.mu.Lock()
	unsure, lost := l.unsure, l.lost
	l.mu.Unlock()
	if lost {
		return l.named("use", &KeyError{Key: l.key, Reason: "the lease is lost or released; acquire it anew", Err: ErrConflict})
	}
	for try := 0; unsure; try++ {
		e, mine, err := l.look(ctx)
		if err != nil {
			return l.named("look up", err)
		}
		if !mine {
			l.lose()
			return l.named("renew", &KeyError{Key: l.key, Reason: "somebody else holds it, or it expired", Err: ErrConflict})
		}
		start := time.Now()
		revs, err := l.store.Apply(ctx, Op{Key: l.key, Value: l.nonce, If: At(e.Rev), TTL: l.ttl})
		if err == nil {
			l.advance(revs[0], start)
			return nil
		}
		if !errors.Is(err, ErrConflict) || try == settleTries-1 {
			if Certain(err) && !errors.Is(err, ErrConflict) {
				return l.named("renew", err)
			}
			return &unknownError{what: "renew lease", key: l.key, err: errLostAnswer, note: err.Error()}
		}
	}
	return nil
}

// look reads the lease's record. mine is whether it carries our nonce; a record
// that does not live is not mine and no error.
func (l *Lease) look(ctx context.Context) (e Entry, mine bool, err error) {
	e, err = l.store.Get(ctx, l.key)
	if errors.Is(err, ErrNotFound) {
		return e, false, nil
	}
	return e, err == nil && bytes.Equal(e.Value, l.nonce), err
}

func (l *Lease) take(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return l.named("wait for", ctx.Err())
	}
}

func (l *Lease) give() { <-l.turn }

func (l *Lease) advance(rev uint64, start time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.token, l.until, l.unsure = rev, start.Add(l.ttl), false
}

func (l *Lease) doubt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unsure = true
}

func (l *Lease) lose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = true
}

func (l *Lease) named(what string, err error) error {
	return fmt.Errorf("brain: %s lease %q: %w", what, l.key, err)
}
