package starling

import (
	"slices"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

// Jobs lists the handlers that run now in this process, the longest first.
func (b *Bot) Jobs() []handler.Job {
	var jobs []handler.Job
	for _, w := range b.watchdog.all() {
		x, ok := w.(*run)
		if !ok {
			continue
		}
		job := handler.Job{
			ID: handler.CorrelationID(x.d.id), Route: x.route.ID, User: x.d.ev.User, Room: x.d.ev.Room, Address: x.d.address, Since: x.begun,
		}
		job.Progress = x.progress.plain()
		jobs = append(jobs, job)
	}
	slices.SortStableFunc(jobs, func(a, b handler.Job) int { return a.Since.Compare(b.Since) })
	return jobs
}

// cancel ends the context of the handlers of a delivery; their grace time begins. false: none runs.
func (b *Bot) cancel(id string, by adapter.User) bool {
	found := false
	for _, w := range b.watchdog.all() {
		if x, ok := w.(*run); ok && handler.CorrelationID(x.d.id) == id {
			found = true
			x.canceled.Store(&by)
			b.log.Info("a job is canceled", "id", id, "route", x.route.ID, "by", by.Key())
			x.cancel(handler.ErrCanceled)
			b.watchdog.endsAt(&x.watch, time.Now(), b.cfg.Grace)
		}
	}
	return found
}
