package handler

import (
	"errors"
	"fmt"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// Errors that handlers meet.
var (
	// ErrEnded: the event is over (its grace time is past, or another process has taken it); nothing more of this
	// handler has an effect.
	ErrEnded = errors.New("handler: event has ended")
	// ErrUnknown: an outside effect was begun and nobody can know whether it happened.
	ErrUnknown = errors.New("handler: outcome unknown")
	// ErrCanceled is the cause (context.Cause) of a context that a person ended.
	ErrCanceled = errors.New("handler: canceled by a person")
	// ErrStopping is the cause of a context that ended because the bot stops. A stored event is run again at the next start.
	ErrStopping = errors.New("handler: the bot stops")
)

// UserError is an error whose text is shown to the person who asked, as it is.
type UserError struct {
	Text string // portable Markdown, made with adapter.Format
	Err  error  // the cause for the log; may be nil
}

// UserErrorf makes a UserError; arguments are data, as in [Request.Reply]. The first argument that is an error is its cause.
func UserErrorf(format string, args ...any) error {
	if false {
		_ = fmt.Sprintf(format, args...) // makes go vet check the format
	}
	e := &UserError{Text: adapter.Format(format, args...)}
	for _, a := range args {
		if err, ok := a.(error); ok {
			e.Err = err
			break
		}
	}
	return e
}

// Error gives the text as plain text.
func (e *UserError) Error() string { return adapter.PlainText(e.Text) }

// Unwrap gives the cause.
func (e *UserError) Unwrap() error { return e.Err }

// RetryError asks for the event to be run again.
type RetryError struct {
	Err   error
	After time.Duration // not before; 0 = the bot's own back-off
}

// Retry makes an error that brings the event again after the bot's back-off, until the bot's number of attempts is used up.
// Retry(nil) is nil.
func Retry(err error) error {
	if err == nil {
		return nil
	}
	return &RetryError{Err: err}
}

// Error names the cause.
func (e *RetryError) Error() string { return fmt.Sprintf("retry: %v", e.Err) }

// Unwrap gives the cause.
func (e *RetryError) Unwrap() error { return e.Err }

// RefusedError ends an event without failure and without a word from the bot: a middleware decided that the handler must
// not run, and has said so itself or stays silent on purpose.
type RefusedError struct {
	Reason string // for the log, in a few words: "rate limit"
}

// Refused makes a RefusedError.
func Refused(reason string) error { return &RefusedError{reason} }

// Error names the reason.
func (e *RefusedError) Error() string { return "refused: " + e.Reason }

// PanicError is what a panic of a handler becomes.
type PanicError struct {
	Value any
	Stack []byte // of the goroutine that panicked
}

// Error names the value that was panicked with; it is for the log and never shown to people.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap gives the value where it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
