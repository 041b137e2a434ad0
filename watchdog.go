package starling

import (
	"sync"
	"time"
)

// watchTick is how often running handlers are looked at: SlowAfter, deadlines and grace are met within it.
const watchTick = 100 * time.Millisecond

// watchdog looks at the handlers that run: it lets a slow one leave its line, ends its context at the deadline and cuts it
// off after the grace time. One timer serves all handlers, and there is none while nothing runs.
type watchdog struct {
	mu    sync.Mutex
	first *watched // doubly linked
	timer *time.Timer
	armed bool
}

// watched is what the watchdog needs to know of a running handler; it is embedded, so that watching allocates nothing.
type watched struct {
	prev, next *watched
	in         bool

	slowAt time.Time // leave the line; zero: never
	endAt  time.Time // end the context
	cutAt  time.Time // cut off
	by     watchee
}

// watchee is a running handler as the watchdog acts on it.
type watchee interface {
	name() string
	slow()
	timeout()
	cut()
}

func (w *watchdog) add(h *watched) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h.in, h.prev, h.next = true, nil, w.first
	if w.first != nil {
		w.first.prev = h
	}
	w.first = h
	if !w.armed {
		w.armed = true
		if w.timer == nil {
			w.timer = time.AfterFunc(watchTick, w.look)
		} else {
			w.timer.Reset(watchTick)
		}
	}
}

func (w *watchdog) remove(h *watched) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unlink(h)
}

func (w *watchdog) unlink(h *watched) {
	if !h.in {
		return
	}
	h.in = false
	if h.prev != nil {
		h.prev.next = h.next
	} else {
		w.first = h.next
	}
	if h.next != nil {
		h.next.prev = h.prev
	}
	h.prev, h.next = nil, nil
}

// endsAt moves the deadline of h to an earlier time.
func (w *watchdog) endsAt(h *watched, at time.Time, grace time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if at.Before(h.endAt) {
		h.endAt, h.cutAt = at, at.Add(grace)
	}
}

// look acts on all that is due, and is armed again while anything runs.
func (w *watchdog) look() {
	now := time.Now()
	var do []func()
	w.mu.Lock()
	for h := w.first; h != nil; {
		next := h.next
		if !h.slowAt.IsZero() && !now.Before(h.slowAt) {
			h.slowAt = time.Time{}
			do = append(do, h.by.slow)
		}
		if !h.endAt.IsZero() && !now.Before(h.endAt) {
			h.endAt = time.Time{}
			do = append(do, h.by.timeout)
		}
		if !now.Before(h.cutAt) {
			do = append(do, h.by.cut)
			w.unlink(h)
		}
		h = next
	}
	if w.armed = w.first != nil; w.armed {
		w.timer.Reset(watchTick)
	}
	w.mu.Unlock()
	for _, f := range do {
		f()
	}
}

// all gives what runs.
func (w *watchdog) all() (list []watchee) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for h := w.first; h != nil; h = h.next {
		list = append(list, h.by)
	}
	return list
}

// cutAll cuts everything off that runs.
func (w *watchdog) cutAll() {
	w.mu.Lock()
	var all []watchee
	for h := w.first; h != nil; h = w.first {
		all = append(all, h.by)
		w.unlink(h)
	}
	w.mu.Unlock()
	for _, h := range all {
		h.cut()
	}
}
