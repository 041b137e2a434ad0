package adapter

import "context"

// Adapter connects one source of events, and the place where answers go, to a bot. All methods may be called concurrently.
type Adapter interface {
	// Name is the adapter's name, unique in one bot and constant: it is part of every address and identity, so renaming
	// an adapter makes its rooms and users new ones. It is 1 to 64 of a-z, 0-9, "-" and "_".
	Name() string

	// Features says what the platform can do. It is constant once the adapter is made.
	Features() Features

	// Run connects, reconnects by itself and hands every event to sink until ctx ends or the source is exhausted; then it
	// returns nil. It returns an error only when trying again is useless (a revoked token); the error says what to do. It
	// never calls sink after it has returned. It is called once at a time.
	//
	// An event is acknowledged to the platform only after sink returned nil or [ErrRejected].
	Run(ctx context.Context, sink Sink) error

	// Send posts one message that fits Features and returns where it went. It works from the adapter's making until its
	// Close, before and after Run too. Errors are those of this package: see [OutcomeOf] for what they say about whether
	// the message was posted.
	Send(ctx context.Context, m *Message) (Ref, error)
}

// Sink takes an event from an adapter; the bot provides it. It may be called concurrently; events of one conversation
// keep the order in which the calls began.
//
// nil means that the event is safe (or of no interest): acknowledge it. [ErrRejected] means that it can never be taken:
// acknowledge and drop it. Any other error: do not acknowledge, so that the platform keeps it and delivers it again.
// The event belongs to the sink from the call on.
type Sink func(ctx context.Context, ev *Event) error

// Unwrapper is implemented by an adapter that wraps another one, so that [As] finds the verbs of the inner one.
type Unwrapper interface{ Unwrap() Adapter }

// As finds the optional interface T in a, else in what a wraps ([Unwrapper]).
//
//	if e, ok := adapter.As[adapter.Editor](a); ok { ... }
func As[T any](a Adapter) (T, bool) {
	for a != nil {
		if v, ok := a.(T); ok {
			return v, true
		}
		u, ok := a.(Unwrapper)
		if !ok {
			break
		}
		a = u.Unwrap()
	}
	var zero T
	return zero, false
}
