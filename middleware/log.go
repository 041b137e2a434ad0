package middleware

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/starlingbot/starling/handler"
)

// Log writes one record "handled" for every run of a route, to logger or, where that is nil, to Request.Logger:
//
//	id        the correlation id that the user is told when something fails
//	route     the route's id
//	room      adapter, room and thread
//	user      the user's key
//	duration  what the inside took
//	outcome   ok, user_error, refused, retry, failed or panic
//	reason    why it was refused
//	error     the text of the error: for retry, failed and panic, and for user_error at level Debug its cause
//	stack     of a panic
//	bytes     the length of what was said, at level Debug
//
// The level is Info for ok, user_error and refused, Warn for retry, and Error for failed and panic. What people write is
// never logged, but by an error that quotes it. A record that the logger does not take costs nothing; a logger that does
// not take level Error is taken to take none.
//
// A panic is logged and goes on as a panic with a *[handler.PanicError], so Log may stand inside or outside of [Recover].
func Log(logger *slog.Logger) handler.Middleware {
	return func(next handler.Handler) handler.Handler {
		return handler.Func(func(ctx context.Context, r *handler.Request) error {
			log := logger
			if log == nil {
				log = r.Logger
			}
			if !log.Enabled(ctx, slog.LevelError) {
				return next.Handle(ctx, r)
			}
			return logged(ctx, log, next, r)
		})
	}
}

// errGoexit is why there is no result.
var errGoexit = errors.New("the handler ended its goroutine (runtime.Goexit)")

func logged(ctx context.Context, log *slog.Logger, next handler.Handler, r *handler.Request) error {
	begin, returned := time.Now(), false
	defer func() {
		if returned {
			return
		}
		v := recover()
		if v == nil {
			record(ctx, log, r, time.Since(begin), errGoexit)
			return
		}
		p := panicError(v)
		record(ctx, log, r, time.Since(begin), p)
		panic(p)
	}()
	err := next.Handle(ctx, r)
	returned = true
	record(ctx, log, r, time.Since(begin), err)
	return err
}

func record(ctx context.Context, log *slog.Logger, r *handler.Request, took time.Duration, err error) {
	level, outcome, detail := outcomeOf(err)
	if !log.Enabled(ctx, level) {
		return
	}
	route := ""
	if r.Route != nil {
		route = r.Route.ID
	}
	var buf [10]slog.Attr
	attrs := append(buf[:0],
		slog.String("id", r.CorrelationID()),
		slog.String("route", route),
		slog.String("room", r.Event.Address().String()),
		slog.String("user", r.Event.User.Key()),
		slog.Duration("duration", took),
		slog.String("outcome", outcome),
	)
	if log.Enabled(ctx, slog.LevelDebug) {
		attrs = append(attrs, slog.Int("bytes", len(r.Event.Text)))
	} else if outcome == "user_error" {
		detail = slog.Attr{}
	}
	if !detail.Equal(slog.Attr{}) {
		attrs = append(attrs, detail)
	}
	if p, ok := errors.AsType[*handler.PanicError](err); ok {
		attrs = append(attrs, slog.String("stack", string(p.Stack)))
	}
	log.LogAttrs(ctx, level, "handled", attrs...)
}

// outcomeOf says what err means for the event, as the bot sees it, and what of it is to be logged.
func outcomeOf(err error) (level slog.Level, outcome string, detail slog.Attr) {
	if err == nil {
		return slog.LevelInfo, "ok", slog.Attr{}
	}
	text := func() slog.Attr { return slog.String("error", fmt.Sprint(err)) } // Sprint lives through an Error that panics
	if _, ok := errors.AsType[*handler.PanicError](err); ok {
		return slog.LevelError, "panic", text()
	}
	if errors.Is(err, handler.ErrCanceled) {
		return slog.LevelInfo, "canceled", slog.Attr{}
	}
	if refused, ok := errors.AsType[*handler.RefusedError](err); ok {
		return slog.LevelInfo, "refused", slog.String("reason", refused.Reason)
	}
	if _, ok := errors.AsType[*handler.RetryError](err); ok {
		return slog.LevelWarn, "retry", text()
	}
	if user, ok := errors.AsType[*handler.UserError](err); ok {
		if user.Err != nil {
			detail = slog.String("error", fmt.Sprint(user.Err))
		}
		return slog.LevelInfo, "user_error", detail
	}
	return slog.LevelError, "failed", text()
}
