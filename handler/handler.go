package handler

import (
	"context"

	"github.com/starlingbot/starling/adapter"
)

// Handler does what a route is for. It may be called concurrently for different events.
//
// An error ends the event as failed: the person is told a fixed sentence with a correlation id and the log gets the cause.
// A [UserError] is shown as it is; [Retry] brings the event again. The context ends at the route's timeout and when the
// bot shuts down; a handler that ignores it past the grace time is cut off, and its later replies and changes get
// [ErrEnded].
type Handler interface {
	Handle(ctx context.Context, r *Request) error
}

// Func makes a function a Handler.
type Func func(ctx context.Context, r *Request) error

// Handle calls f.
func (f Func) Handle(ctx context.Context, r *Request) error { return f(ctx, r) }

// Middleware wraps a handler. It is called once for every route, when the bot is made; what it returns runs for every event
// of that route.
type Middleware func(next Handler) Handler

// Send posts a message and returns the messages of the platform that it became: several when it had to be split, none
// when there was nothing to say.
type Send func(ctx context.Context, m *adapter.Message) ([]adapter.Ref, error)
