package lanes

import "time"

// recent remembers ids for a time, at least; at the bound the older half goes.
type recent struct {
	now, old map[string]struct{}
	since    time.Time
	max      int
	keep     time.Duration
}

func newRecent(limit int, keep time.Duration) recent {
	return recent{now: map[string]struct{}{}, old: map[string]struct{}{}, since: time.Now(), max: limit / 2, keep: keep}
}

func (r *recent) turn(now time.Time) {
	if now.Sub(r.since) > r.keep || len(r.now) >= r.max {
		r.old, r.now, r.since = r.now, map[string]struct{}{}, now
	}
}

func (r *recent) add(id string, now time.Time) {
	r.turn(now)
	r.now[id] = struct{}{}
}

func (r *recent) has(id string, now time.Time) bool {
	r.turn(now)
	if _, ok := r.now[id]; ok {
		return true
	}
	_, ok := r.old[id]
	return ok
}
