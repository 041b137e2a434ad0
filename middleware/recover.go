package middleware

import (
	"context"
	"runtime/debug"

	"github.com/starlingbot/starling/handler"
)

// Recover turns a panic of what is inside it into a *[handler.PanicError] with the stack of the panic, so that what is
// outside it, and the bot, see an error: the event ends as failed and the bot lives. A panic with a *handler.PanicError,
// which is how [Log] lets a panic go on, is returned as it is, with its first stack.
//
// Two things are out of its reach. runtime.Goexit (testing.T.FailNow uses it) cannot be recovered: it ends the goroutine,
// and nothing outside gets a result. A panic in another goroutine, one that the handler started, ends the process.
func Recover() handler.Middleware {
	return func(next handler.Handler) handler.Handler {
		return handler.Func(func(ctx context.Context, r *handler.Request) (err error) {
			defer func() {
				if v := recover(); v != nil {
					err = panicError(v)
				}
			}()
			return next.Handle(ctx, r)
		})
	}
}

// panicError makes an error of what a panic was called with. It must be called while the stack is that of the panic.
func panicError(v any) *handler.PanicError {
	if p, ok := v.(*handler.PanicError); ok && p != nil {
		return p
	}
	return &handler.PanicError{Value: v, Stack: debug.Stack()}
}
