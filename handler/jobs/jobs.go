// Package jobs is a ready-made router that shows what the bot is at, and stops it:
//
//	jobs       lists what runs: its id, what, who, where, since when, how far; of what runs in a room that others may not see,
//	           neither the room's name nor how far it is
//	cancel ID  ends it
//
// Mount it: rt.Mount("jobs", jobs.New(jobs.Config{})).
package jobs

import (
	"context"
	"strings"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

// Config says who may do what. The zero value works.
type Config struct {
	// MayCancel tells whether a user may cancel a job of somebody else; nobody may where it is nil. Who asked for a job may
	// always cancel it.
	MayCancel func(u adapter.User, job handler.Job) bool
}

// New makes the router.
func New(cfg Config) *handler.Router {
	rt := handler.NewRouter()
	list := rt.Command("jobs", "List what runs.", show)
	list.Volatile, list.Background = true, true
	stop := rt.Respond(`(?i)cancel\s+(?P<id>\S+)\s*$`, func(ctx context.Context, r *handler.Request) error {
		return cancel(ctx, r, cfg)
	})
	stop.ID, stop.Usage, stop.Summary = "cancel", "cancel ID", "End a job of yours."
	stop.Volatile, stop.Background = true, true
	return rt
}

func show(ctx context.Context, r *handler.Request) error {
	var b strings.Builder
	for _, job := range r.Jobs() {
		if job.ID == r.CorrelationID() {
			continue // this one
		}
		shown := handler.ShownIn(job.Address, job.Room.Kind, r.Event) // how far it is may tell what was said in private
		b.WriteString(adapter.Format("\n%s %s for %s in %s, %s", job.ID, job.Route, job.User.String(), place(job, shown), age(time.Since(job.Since))))
		if shown && job.Progress != "" {
			b.WriteString(adapter.Format(": %s", job.Progress))
		}
	}
	if b.Len() == 0 {
		return r.Reply(ctx, "Nothing runs.")
	}
	return r.Reply(ctx, "%s", adapter.Markup(strings.TrimPrefix(b.String(), "\n")))
}

func place(job handler.Job, shown bool) string {
	switch {
	case job.Room.Kind == adapter.RoomDirect:
		return "a direct room"
	case !shown:
		return "another room"
	}
	return job.Room.String()
}

func age(d time.Duration) string { return d.Round(time.Second).String() }

func cancel(ctx context.Context, r *handler.Request, cfg Config) error {
	id := strings.ToLower(r.Arg("id"))
	for _, job := range r.Jobs() {
		if job.ID != id {
			continue
		}
		own := r.Event.User.Key() != "" && job.User.Key() == r.Event.User.Key()
		if !own && (cfg.MayCancel == nil || !cfg.MayCancel(r.Event.User, job)) {
			return handler.UserErrorf("%s belongs to %s, who can cancel it.", id, job.User.String())
		}
		if r.Cancel(id) {
			return r.Reply(ctx, "%s is told to stop.", id)
		}
	}
	return handler.UserErrorf("Nothing with the id %s runs here. Type jobs for what does.", r.Arg("id"))
}
