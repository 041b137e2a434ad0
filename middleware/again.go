package middleware

import (
	"context"
	"errors"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

// refusal is what became of a run at a limit. It is recorded, so that what was refused and said so is refused again when it comes
// again, with the same words: nobody hears "too often" and sees it run.
type refusal struct {
	limit string // its name in the log and in the record
	tell  bool
	wait  time.Duration // until it would pass
}

// refuse tells who asked, and gives the outcome.
func (f refusal) refuse(ctx context.Context, r *handler.Request, reason string) error {
	if !f.tell || r.Event.User.ID == "" {
		return handler.Refused(reason)
	}
	if _, err := handler.Once(ctx, r, f.limit, func(context.Context) (time.Duration, error) { return f.wait, nil }); err != nil {
		r.Log().Warn(f.limit+": that a run was refused could not be recorded", "error", err)
	}
	answer := r.Whisper
	if r.Event.Room.Kind == adapter.RoomDirect {
		answer = r.Reply
	}
	if err := answer(ctx, "That is too often. Please try again in %s.", f.wait); err != nil {
		r.Log().Warn(f.limit+": the user could not be told", "error", err)
	}
	return handler.Refused(reason)
}

// again gives what became of a run that comes again; nil: it passes.
func again(ctx context.Context, r *handler.Request, limit string) (*refusal, error) {
	wait, err := handler.Once(ctx, r, limit, func(context.Context) (time.Duration, error) { return 0, nil })
	switch {
	case errors.Is(err, handler.ErrUnknown) && r.Attempt == 2: // the first run died while it recorded its refusal
		return &refusal{limit: limit}, nil
	case errors.Is(err, handler.ErrUnknown): // a later one died while it looked
		return nil, nil
	case err != nil || wait == 0:
		return nil, err
	}
	return &refusal{limit: limit, tell: true, wait: wait}, nil
}
