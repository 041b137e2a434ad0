package middleware

import (
	"context"
	"time"

	"github.com/starlingbot/starling/handler"
)

// Timeout ends the context of what is inside it after d, and the bot's grace time begins then; an earlier end stays. It
// does not return before the handler does: a handler that ignores its context is cut off by the bot after the grace time.
//
// What the handler returns stays what it is: context.DeadlineExceeded is an error and fails the event, and a handler that
// is late and succeeds has succeeded. With d of zero or less it does nothing, so a configured zero means no timeout.
//
// Route.Timeout is the same for one route; Timeout is for a group of them, or for the part of a chain.
func Timeout(d time.Duration) handler.Middleware {
	return func(next handler.Handler) handler.Handler {
		if d <= 0 {
			return next
		}
		return handler.Func(func(ctx context.Context, r *handler.Request) error {
			ctx, cancel := r.WithTimeout(ctx, d)
			defer cancel()
			return next.Handle(ctx, r)
		})
	}
}
