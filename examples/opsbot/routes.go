package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/history"
	"github.com/starlingbot/starling/handler/jobs"
	"github.com/starlingbot/starling/middleware"
)

// routes is all that the bot does. step is how long a step of a deployment takes; t says who may do what, nil: all may.
func routes(step time.Duration, t *team) (*handler.Router, error) {
	rt := handler.NewRouter()
	rt.Use(middleware.Recover(), middleware.Log(nil))
	if t != nil {
		rt.Use(t.guard.Enforce, t.off.Enforce) // who may not run something is not told why it is off
		rt.Authorize(t.guard)
		if err := t.mount(rt); err != nil {
			return nil, err
		}
	}
	rt.Command("ping", "Say PONG.", func(ctx context.Context, r *handler.Request) error { return r.Reply(ctx, "PONG") })
	rt.Add(handler.Command[handler.None]{
		Name: "demo", Summary: "Show everything that a message can hold.", Background: true,
		Run: func(ctx context.Context, r *handler.Request, _ handler.None) error { return demo(ctx, r, step) },
	})
	rt.Mount("services", services(step, t))
	rt.Mount("reminders", reminders())
	rt.Mount("dice", dice())
	rt.Mount("jobs", jobs.New(jobs.Config{}))
	rt.Mount("history", history.New())
	return rt, nil
}

// names completes one of a list of words.
func names(all []string) handler.Completer {
	return func(_ context.Context, prefix string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return !strings.HasPrefix(s, prefix) })
	}
}
