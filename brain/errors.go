package brain

import (
	"errors"
	"strconv"
)

// The certain errors: with one of these nothing was written.
var (
	// ErrNotFound means that the key does not live: never written, deleted or
	// expired.
	ErrNotFound = errors.New("brain: key not found")
	// ErrConflict means that a precondition did not hold when the write was
	// judged. Read again and decide again, or give way.
	ErrConflict = errors.New("brain: conflict: the key is not as the write expected it")
	// ErrTooLarge means that a value or an Apply exceeds the limits, see
	// [MaxValue], [MaxOps] and [MaxApply].
	ErrTooLarge = errors.New("brain: too large")
	// ErrInvalidKey means that a key or prefix is not valid, is named twice in
	// one Apply, or belongs to the core.
	ErrInvalidKey = errors.New("brain: invalid key")
	// ErrInvalidOp means that an operation makes no sense: its TTL is negative.
	ErrInvalidOp = errors.New("brain: invalid operation")
	// ErrClosed means that the store has been closed.
	ErrClosed = errors.New("brain: store is closed")
)

// Certain reports whether err is one of the certain errors: the write it came
// from did not happen and will not. It is false for nil and for every error
// that leaves the outcome unknown, such as the end of a context or a broken
// connection.
func Certain(err error) bool {
	for _, e := range [...]error{ErrNotFound, ErrConflict, ErrTooLarge, ErrInvalidKey, ErrInvalidOp, ErrClosed} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// KeyError is an error about one key. It costs little to make, so engines use
// it where an error is an ordinary answer (ErrNotFound, ErrConflict).
type KeyError struct {
	// Key is the full key.
	Key string
	// Reason says more than Err does; it may be empty.
	Reason string
	// Err is what happened, usually one of the certain errors.
	Err error
}

// Error returns the text of Err, the key and the reason.
func (e *KeyError) Error() string {
	s := e.Err.Error() + ": " + strconv.Quote(e.Key)
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	return s
}

// Unwrap returns Err.
func (e *KeyError) Unwrap() error { return e.Err }

// unknownError is an outcome that could not be found out. It unwraps to the
// errors that caused it and never to a certain one.
type unknownError struct {
	what string
	key  string
	err  error
	note string
}

func (e *unknownError) Error() string {
	s := "brain: " + e.what + " " + strconv.Quote(e.key) + ": outcome unknown: " + e.err.Error()
	if e.note != "" {
		s += " (" + e.note + ")"
	}
	return s
}

func (e *unknownError) Unwrap() error { return e.err }
