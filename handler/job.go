package handler

import (
	"time"

	"github.com/starlingbot/starling/adapter"
)

// Job is a handler that runs.
type Job struct {
	ID       string // the correlation id of its delivery
	Route    string
	User     adapter.User
	Room     adapter.Room
	Address  adapter.Address
	Since    time.Time
	Progress string // what the handler last said with Request.Progress, as plain text
}

// Jobs lists the handlers that run now in this process, the longest first.
func (r *Request) Jobs() []Job { return r.effects.Jobs() }

// Cancel ends the context of the handlers of a job, on behalf of who sent this event; false where no such job runs. It does
// not ask whether they may.
func (r *Request) Cancel(id string) bool { return r.effects.Cancel(id, r.Event.User) }
