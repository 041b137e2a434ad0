package adapter

import (
	"errors"
	"fmt"
	"time"
)

// Errors that callers decide on. Adapters wrap them: fmt.Errorf("slack: send: %w: ...", adapter.ErrForbidden).
var (
	// ErrUnsupported: the platform or this adapter cannot do it. It matches errors.ErrUnsupported.
	ErrUnsupported = fmt.Errorf("adapter: %w", errors.ErrUnsupported)
	// ErrNotFound: no such room, user, message or file.
	ErrNotFound = errors.New("adapter: not found")
	// ErrAmbiguous: a name fits several.
	ErrAmbiguous = errors.New("adapter: ambiguous")
	// ErrForbidden: the bot may not; the error says which permission is missing.
	ErrForbidden = errors.New("adapter: forbidden")
	// ErrTooLong: text or file over the platform's limit.
	ErrTooLong = errors.New("adapter: too long")
	// ErrAuth: the token is wrong or revoked; trying again is useless.
	ErrAuth = errors.New("adapter: authentication failed")
	// ErrInvalid: the platform refuses the content as it is.
	ErrInvalid = errors.New("adapter: invalid")
	// ErrUnavailable: the platform could not be reached and it is certain that nothing was posted; trying again is safe.
	ErrUnavailable = errors.New("adapter: unavailable")
	// ErrClosed: the adapter was closed.
	ErrClosed = errors.New("adapter: closed")
	// ErrRejected, from a Sink: acknowledge and drop the event, it can never be taken.
	ErrRejected = errors.New("adapter: event rejected")
)

// RateLimitError says that the platform refused because of too many requests; nothing was posted.
type RateLimitError struct {
	RetryAfter time.Duration // how long to wait; 0 = unknown
}

func (e *RateLimitError) Error() string {
	if e.RetryAfter <= 0 {
		return "adapter: rate limited"
	}
	return "adapter: rate limited, retry after " + e.RetryAfter.String()
}

// Outcome is what an error of Send says about the message.
type Outcome int

// The outcomes.
const (
	Unknown Outcome = iota // it may have been posted or not (a lost connection, an ended context)
	Refused                // it was not posted, and trying again as it is would fail again
	NotYet                 // it was not posted; trying again later is safe
)

// OutcomeOf classifies an error of Send or of another verb.
func OutcomeOf(err error) Outcome {
	var rl *RateLimitError
	if errors.As(err, &rl) || errors.Is(err, ErrUnavailable) {
		return NotYet
	}
	for _, e := range []error{errors.ErrUnsupported, ErrNotFound, ErrAmbiguous, ErrForbidden, ErrTooLong, ErrAuth, ErrInvalid, ErrClosed} {
		if errors.Is(err, e) {
			return Refused
		}
	}
	return Unknown
}
