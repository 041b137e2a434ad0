package main

import (
	"context"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

type remind struct {
	Who  string        `arg:"who" text:"" help:"me, or a room such as #ops"`
	In   time.Duration `arg:"delay" word:"in" help:"how long from now, such as 2h"`
	Text string        `arg:"text" rest:"" help:"what to say"`
}

// reminders say something later, also after a restart.
func reminders() *handler.Router {
	rt := handler.NewRouter()
	rt.Add(handler.Command[remind]{
		Name: "remind", Summary: "Say something later.", Examples: []string{"remind me in 2h stand up", "remind #ops in 1d30m renew the certificate"},
		Run: func(ctx context.Context, r *handler.Request, a remind) error {
			if a.In <= 0 || a.In > 366*24*time.Hour {
				return handler.UserErrorf("Give a time between a second and a year from now.")
			}
			at := time.Now().Add(a.In)
			m := &adapter.Message{Text: adapter.Format("%s: %s", r.Event.User, a.Text)}
			if room, ok := strings.CutPrefix(a.Who, "#"); ok {
				m.To = adapter.Address{Adapter: r.Event.Adapter, Room: room}
			} else if !strings.EqualFold(a.Who, "me") {
				return handler.UserErrorf("Say me or a room such as #ops, and not %s.", a.Who)
			}
			if err := r.SendLater(ctx, at, m); err != nil {
				return err
			}
			return r.Reply(ctx, "I'll say so at %s.", at)
		},
	})
	return rt
}
