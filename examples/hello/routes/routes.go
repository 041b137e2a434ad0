// Package routes is what the hello bot does, so that other examples can do it too.
package routes

import (
	"context"
	"errors"
	"strings"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/middleware"
)

// New is all that the bot does.
func New() *handler.Router {
	rt := handler.NewRouter()
	rt.Use(middleware.Recover(), middleware.Log(nil))
	rt.Command("ping", "Say PONG.", func(ctx context.Context, r *handler.Request) error {
		return r.Reply(ctx, "PONG")
	})
	rt.Hear(`(?i)\bbadgers?\b`, func(ctx context.Context, r *handler.Request) error {
		return r.Reply(ctx, "Badgers? We don't need no stinking badgers.")
	}).Volatile = true
	echo := rt.Respond(`(?i)echo\s+(?s:(?P<text>.+))`, func(ctx context.Context, r *handler.Request) error {
		return r.Reply(ctx, "%s", r.Arg("text"))
	})
	echo.Usage, echo.Summary = "echo TEXT", "Give the text back."
	rt.Mount("karma", karma())
	rt.Mount("memory", memories())
	rt.Fallback(func(ctx context.Context, r *handler.Request) error {
		if near := r.Suggest(ctx); near != "" {
			return r.Reply(ctx, "I don't know that. Did you mean %s?", near)
		}
		return r.Reply(ctx, "I don't know that. Type help for what I can do.")
	})
	return rt
}

// karma counts NAME++ and NAME--, heard from anyone.
func karma() *handler.Router {
	rt := handler.NewRouter()
	rt.Hear(`(?P<name>[\pL\pN][\pL\pN_.-]*?):?(?P<sign>\+\+|--)(?:\s|$|[,.;!?])`, func(ctx context.Context, r *handler.Request) error {
		for _, m := range r.Matches() {
			step := 1
			if m[2] == "--" {
				step = -1
			}
			if _, err := handler.Change(ctx, r, key(m[1]), func(n *int) error { *n += step; return nil }); err != nil {
				return err
			}
		}
		return nil
	})
	show := rt.Respond(`(?i)karma\s+@?(?P<name>\S+)\s*$`, func(ctx context.Context, r *handler.Request) error {
		n, err := brain.Get[int](ctx, r.Brain, key(r.Arg("name")))
		if err != nil && !errors.Is(err, brain.ErrNotFound) {
			return err
		}
		return r.Reply(ctx, "%s has %d.", r.Arg("name"), n)
	})
	show.Usage, show.Summary = "karma NAME", "Show the karma of NAME. NAME++ and NAME-- change it."
	return rt
}

// memories keeps what it is told.
func memories() *handler.Router {
	rt := handler.NewRouter()
	set := rt.Respond(`(?i)remember\s+(?:that\s+)?(?P<key>.+?)\s+is\s+(?s:(?P<value>.+))`, func(ctx context.Context, r *handler.Request) error {
		value := r.Arg("value")
		if _, err := handler.Change(ctx, r, key(r.Arg("key")), func(v *string) error { *v = value; return nil }); err != nil {
			return err
		}
		return r.Reply(ctx, "I'll remember %s.", r.Arg("key"))
	})
	set.Usage, set.Summary = "remember KEY is VALUE", "Keep a value."
	get := rt.Respond(`(?i)what\s+is\s+(?P<key>.+?)\s*\??\s*$`, func(ctx context.Context, r *handler.Request) error {
		v, err := brain.Get[string](ctx, r.Brain, key(r.Arg("key")))
		if errors.Is(err, brain.ErrNotFound) {
			return handler.UserErrorf("I don't know what %s is. Tell me: remember %s is ...", r.Arg("key"), r.Arg("key"))
		}
		if err != nil {
			return err
		}
		return r.Reply(ctx, "%s is %s", r.Arg("key"), v)
	})
	get.Usage, get.Summary = "what is KEY", "Say what was remembered."
	return rt
}

// key makes a key of what people type, in any case.
func key(s string) string { return brain.Key(strings.ToLower(s)) }
