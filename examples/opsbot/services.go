package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/handler"
)

// known are the demonstration services.
var known = [...]string{"api", "billing", "search", "web"}

// service is the name of one of them; another one is a mistake that shows when it is typed.
type service string

// UnmarshalText reads a name.
func (s *service) UnmarshalText(text []byte) error {
	if !slices.Contains(known[:], string(text)) {
		return fmt.Errorf("there is no such service; there are %s", strings.Join(known[:], ", "))
	}
	*s = service(text)
	return nil
}

// MarshalText gives the name.
func (s service) MarshalText() ([]byte, error) { return []byte(s), nil }

// release is what runs of a service in an environment.
type release struct {
	Version int       `json:"version"`
	By      string    `json:"by"`
	At      time.Time `json:"at"`
}

type deploy struct {
	Service service       `arg:"service" help:"what to ship" complete:"services"`
	Env     string        `arg:"env" word:"to" enum:"staging,prod" help:"where to"`
	Wait    time.Duration `flag:"wait" short:"w" default:"10m" help:"give up after"`
	Force   bool          `flag:"force" help:"skip the question"`
}

type rollback struct {
	Service service `arg:"service" help:"what to take back" complete:"services"`
	Env     string  `arg:"env" word:"in" enum:"staging,prod" help:"where"`
}

type status struct {
	Service service `arg:"service" optional:"" help:"one service alone" complete:"services"`
}

// services deploys, takes back and shows.
func services(step time.Duration, t *team) *handler.Router {
	rt := handler.NewRouter()
	rt.Complete("services", names(known[:]))
	var toProd func(deploy) handler.Policy
	var target func(deploy) string
	if t != nil {
		toProd = func(a deploy) handler.Policy { return t.prod(a.Env) }
		target = func(a deploy) string { return string(a.Service) + " in " + a.Env }
	}
	rt.Add(handler.Command[deploy]{
		Name: "deploy", Aliases: []string{"ship"}, Summary: "Ship a service to an environment.",
		Description: "Ships the next version, step by step, and says how far it is. `jobs` shows it and `cancel` ends it.",
		Examples:    []string{"deploy api to staging", "deploy api prod --wait 5m --force"},
		Background:  true, OnCrash: handler.OnCrashReport, Timeout: time.Hour, When: toProd, Exclusive: target,
		Confirm: func(a deploy) string {
			if a.Env != "prod" || a.Force {
				return ""
			}
			return "Ship " + string(a.Service) + " to prod?"
		},
		Run: func(ctx context.Context, r *handler.Request, a deploy) error { return ship(ctx, r, a, step) },
	})
	rt.Add(handler.Command[rollback]{
		Name: "rollback", Summary: "Go back to the version before.", Examples: []string{"rollback api in staging"},
		OnCrash: handler.OnCrashReport,
		Confirm: func(a rollback) string { return "Take " + string(a.Service) + " in " + a.Env + " back?" },
		Run:     takeBack,
	})
	rt.Add(handler.Command[status]{
		Name: "services", Summary: "Show what runs where.", Examples: []string{"services", "services api"},
		Run: show,
	})
	return rt
}

func ship(ctx context.Context, r *handler.Request, a deploy, step time.Duration) error {
	if a.Wait <= 0 {
		return handler.UserErrorf("--wait is %s: give a time that is more than nothing.", a.Wait)
	}
	ctx, cancel := context.WithTimeout(ctx, a.Wait)
	defer cancel()
	steps := []string{"build", "test", "upload", "switch over"}
	for i, s := range steps {
		if err := r.ProgressOf(ctx, int64(i), int64(len(steps)), "%s to %s: %s", a.Service, a.Env, s); err != nil {
			return err
		}
		select {
		case <-time.After(step):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	now, err := handler.Change(ctx, r, brain.Key(string(a.Service), a.Env), func(rel *release) error {
		rel.Version++
		rel.By, rel.At = r.Event.User.String(), time.Now().UTC()
		return nil
	})
	if err != nil {
		return err
	}
	return r.Reply(ctx, "%s: %s is now version %d in %s.", r.Event.User, a.Service, now.Version, a.Env)
}

func takeBack(ctx context.Context, r *handler.Request, a rollback) error {
	now, err := handler.Change(ctx, r, brain.Key(string(a.Service), a.Env), func(rel *release) error {
		if rel.Version < 2 {
			return handler.UserErrorf("There is no version before: %s in %s is at %d.", a.Service, a.Env, rel.Version)
		}
		rel.Version--
		rel.By, rel.At = r.Event.User.String(), time.Now().UTC()
		return nil
	})
	if err != nil {
		return err
	}
	return r.Reply(ctx, "%s: %s is back at version %d in %s.", r.Event.User, a.Service, now.Version, a.Env)
}

func show(ctx context.Context, r *handler.Request, a status) error {
	list := known[:]
	if a.Service != "" {
		list = []string{string(a.Service)}
	}
	table := "| service | staging | prod |\n|---|---|---|"
	for _, service := range list {
		table += adapter.Format("\n| %s |", service)
		for _, env := range []string{"staging", "prod"} {
			rel, err := brain.Get[release](ctx, r.Brain, brain.Key(service, env))
			switch {
			case errors.Is(err, brain.ErrNotFound):
				table += " nothing yet |"
			case err != nil:
				return err
			default:
				table += adapter.Format(" version %d by %s |", rel.Version, rel.By)
			}
		}
	}
	return r.Reply(ctx, "%s", adapter.Markup(table))
}
