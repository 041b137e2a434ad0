package guard

import (
	"sync"
	"time"

	"github.com/starlingbot/starling/handler"
)

const (
	overheardFor = time.Hour // between two records of the same refusal
	maxOverheard = 4096      // refusals that are remembered
)

// refusal is what somebody may not do that they did not ask the bot for.
type refusal struct{ user, route, rule string }

// overheard keeps the audit log from growing with chatter: what was not said to the bot and may not run is recorded once an hour
// for each person, route and rule, with the number of those in between. It is in memory: another process counts for itself, and at
// the bound one is forgotten, whose next refusal is recorded at once.
type overheard struct {
	mu   sync.Mutex
	seen map[refusal]*recorded
}

type recorded struct {
	at     time.Time // of the last record
	more   int       // refused since, without one
	missed bool      // it could not be written
}

// refused counts a refusal. due: it is to be recorded, after more since the last record.
func (o *overheard) refused(r refusal) (more int, since time.Time, due bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if last := o.seen[r]; last != nil {
		if now.Sub(last.at) < overheardFor && !last.missed {
			last.more++
			return 0, time.Time{}, false
		}
		more, since = last.more, last.at
	} else if len(o.seen) >= maxOverheard {
		o.forget(now)
	}
	if o.seen == nil {
		o.seen = map[refusal]*recorded{}
	}
	o.seen[r] = &recorded{at: now}
	return more, since, true
}

// forget makes room: what is over, or any one.
func (o *overheard) forget(now time.Time) {
	for r, last := range o.seen {
		if now.Sub(last.at) >= overheardFor && last.more == 0 {
			delete(o.seen, r)
		}
	}
	for r := range o.seen {
		if len(o.seen) < maxOverheard {
			return
		}
		delete(o.seen, r)
	}
}

// missed takes back that a refusal was recorded: the next one is.
func (o *overheard) missed(r refusal, more int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if last := o.seen[r]; last != nil {
		last.missed, last.more = true, last.more+more+1
	}
}

// isOverheard tells whether a route runs for what was not said to the bot.
func isOverheard(r *handler.Route) bool { return r.Kind() == "hear" || r.Kind() == "on" }
