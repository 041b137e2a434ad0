package brain

import (
	"context"
	"iter"
	"math"
	"time"
)

// Limits of the contract. They are the same for every engine; the smallest
// engine set them (one NATS message is at most 1 MiB).
const (
	// MaxKey is the longest key in bytes.
	MaxKey = 512
	// MaxValue is the largest value in bytes: 512 KiB.
	MaxValue = 512 << 10
	// MaxOps is the largest number of operations in one Apply.
	MaxOps = 16
	// MaxApply is the largest sum of the lengths of all keys and values in one
	// Apply, in bytes: 768 KiB.
	MaxApply = 768 << 10
)

// Entry is one live key.
type Entry struct {
	// Key is the full key.
	Key string
	// Value is a copy: it belongs to the receiver, who may change it.
	Value []byte
	// Rev changes at every write of this key and grows for one key, even across
	// delete, expiry and re-creation. It is not dense and is comparable only
	// for one key of one store: export and import give new ones.
	// 1 <= Rev < math.MaxUint64. The revision of the write that made a claim is
	// the claim's fencing token.
	Rev uint64
}

// Cond is the precondition of one [Op].
type Cond uint64

const (
	// Absent means: the key must not live. It is the zero value, so a
	// forgotten condition refuses to overwrite. An expired key is absent.
	Absent Cond = 0
	// Any means: no precondition.
	Any Cond = math.MaxUint64
)

// At is the condition that the key lives and has exactly this revision.
// At(0) is [Absent] and At(math.MaxUint64) is [Any]; no key ever has these
// revisions.
func At(rev uint64) Cond { return Cond(rev) }

// Holds reports whether the condition is met by a key that lives (or does not)
// and has the given revision. Engines use it so that all judge alike.
func (c Cond) Holds(lives bool, rev uint64) bool {
	switch c {
	case Any:
		return true
	case Absent:
		return !lives
	default:
		return lives && Cond(rev) == c
	}
}

// Op is one operation of an Apply: it writes Value under Key, or deletes Key.
type Op struct {
	// Key is the full key, see [CheckKey].
	Key string
	// Value is at most [MaxValue] bytes; nil and empty are the same. Delete
	// ignores it.
	Value []byte
	// If is the precondition. The zero value is [Absent].
	If Cond
	// TTL is the time the key lives, on the engine's clock. It is rounded up
	// to whole seconds; 0 is forever, a negative TTL is ErrInvalidOp. Every
	// write replaces it: a write without TTL makes the key permanent. Delete
	// ignores it.
	TTL time.Duration
	// Delete removes the key instead of writing it. To delete a key that does
	// not live is no error: with If Any it does nothing, with If Absent it is a
	// bare precondition.
	Delete bool
}

// Store is a key-value store. Its methods may be called concurrently. The
// following holds word for word for every engine, and testutil/braintest
// proves it.
//
// # Keys
//
// A key is valid UTF-8 of 1 to 512 bytes ([MaxKey]) without NUL. Its segments
// are joined by "/" and none is empty. A prefix is "" or whole segments
// followed by "/". Keys are compared byte by byte: case matters, and nothing is
// normalised. Odd segments ("b c", "@room:srv", "é", "a.b", "a*>") are as good
// as others. [Key] makes a valid key of any parts.
//
// # Values and sizes
//
// A value has at most 512 KiB ([MaxValue]); one Apply has at most 16 operations
// ([MaxOps]) and 768 KiB of keys and values together ([MaxApply]). More is
// ErrTooLarge before any I/O. A key appears once in an Apply, else
// ErrInvalidKey. The store keeps no slice of the caller after Apply returns,
// and the values that it gives belong to the receiver.
//
// # Atomicity
//
// Apply does all operations or none. All preconditions are judged, and all
// operations done, at one instant between the call and the return; a Get sees
// all writes of an Apply on its key or none. Get and Apply are linearizable,
// and so read-your-writes holds across the replicas that share a store: an
// engine with replicas reads from its leader. No operations at all is a
// successful Apply of nothing.
//
// # Time to live
//
// The TTL of the last write counts; a write without TTL makes the key
// permanent. It runs on the engine's clock, never on a replica's, and goes on
// while the process is down. A key is visible for at least its TTL and is gone
// by TTL + 1 s (2 s when the engine is overloaded). A key that has expired is
// exactly an absent key: Get gives ErrNotFound, List does not show it, Absent
// holds, At(its old revision) conflicts.
//
// # Revisions
//
// Apply returns one revision for each operation; the one of a Delete means
// nothing. See [Entry]. A revision is never used twice for one key, not after
// delete, expiry, re-creation or restart.
//
// # Listing
//
// List gives the live keys that begin with prefix in byte order, each at most
// once. Every key that lives unchanged during the whole iteration is seen. It
// is not a snapshot: a key written or deleted meanwhile may or may not be seen,
// and two entries may be of different times. Engines read pages inside, so a
// slow consumer holds no lock and no transaction, and the consumer may call the
// store. An error is yielded once, with a zero Entry, and ends the iteration.
// Each range over the sequence lists anew.
//
// # Errors
//
// [ErrNotFound], [ErrConflict], [ErrTooLarge], [ErrInvalidKey], [ErrInvalidOp]
// and [ErrClosed] are certain: nothing was written ([Certain] asks for them).
// Every other error of Apply, a context that ended included, means unknown: the
// write may have happened, and may even still happen. Who has to know submits
// the same Apply again, with conditions that can hold only once, and judges a
// conflict by a nonce or mark of its own; a re-read alone can be overtaken by
// the first Apply landing late.
//
// # Contexts
//
// A context bounds the wait, not the effect. When it ends the method returns
// its error soon; a write that was on its way may still land.
type Store interface {
	// Get returns the live entry of key. ErrNotFound when there is none;
	// ErrInvalidKey, ErrClosed.
	Get(ctx context.Context, key string) (Entry, error)
	// List iterates over the live entries under prefix in byte order of their
	// keys. It may yield ErrInvalidKey, ErrClosed or an engine's error, last.
	List(ctx context.Context, prefix string) iter.Seq2[Entry, error]
	// Apply does all ops or none, and returns one revision per op.
	// ErrConflict when a precondition does not hold; ErrTooLarge,
	// ErrInvalidKey, ErrInvalidOp, ErrClosed; any other error is an unknown
	// outcome.
	Apply(ctx context.Context, ops ...Op) ([]uint64, error)
	// Close waits for the operations that run, releases the store and makes
	// later calls return ErrClosed. A second Close does nothing and returns nil.
	Close() error
}

// Waker is an optional part of a [Store]: hints that something changed. Reach
// it with [As].
type Waker interface {
	// Wake returns a channel that receives after writes under prefix, until
	// ctx ends. Hints may be late, doubled or missing: whoever uses them
	// re-reads, and polls as well. The channel is never closed.
	Wake(ctx context.Context, prefix string) (<-chan struct{}, error)
}

// Expirer is an optional part of a [Store]: it tells the time that a key has
// left, which an [Entry] does not. [Brain.Export] uses it. Reach it with [As].
type Expirer interface {
	// Remaining returns the time until key expires on the engine's clock, or 0
	// for a permanent key. ErrNotFound when the key does not live.
	Remaining(ctx context.Context, key string) (time.Duration, error)
}

// Sealer is an optional part of a store that encrypts (brain/sealed). What must not lie on a disk in the clear, such as the
// secret arguments of a command that waits for people, is stored where it is sealed, and else kept in memory alone.
type Sealer interface {
	// Seals tells whether the value of key is encrypted at rest.
	Seals(key string) bool
}

// As returns s as a T if s is one, else the first T along the chain of
// Unwrap() Store methods. It is how optional parts such as [Waker] are found
// behind stores that wrap another.
func As[T any](s Store) (T, bool) {
	for s != nil {
		if t, ok := s.(T); ok {
			return t, true
		}
		u, ok := s.(interface{ Unwrap() Store })
		if !ok {
			break
		}
		s = u.Unwrap()
	}
	var zero T
	return zero, false
}
