package discord

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/starlingbot/starling/adapter"
)

// Status is how the connection to Discord is, in full.
type Status struct {
	Connected  bool
	Since      time.Time      // of the last change of Connected
	Reconnects int            // connections that were opened after the first
	Resumed    int            // of them, those that went on where the one before had ended
	LastError  string         // of the last attempt that failed; "" once connected
	Skew       time.Duration  // Discord's clock minus ours, to about a second
	Busy       int            // events that were not queued because too many waited; messages are read again later
	Empty      int            // messages of people that came without any content: the Message Content Intent is off
	Unknown    map[string]int // events of kinds that are not mapped, or that could not be read
	// Gaps are spans of which Discord gave not everything back; the last 100.
	Gaps []Gap
}

// Gap is a span of which something is lost to the bot.
type Gap struct {
	Room     string // "" is all rooms
	From, To time.Time
	What     string // what is missing
}

const (
	maxGaps  = 100
	maxKinds = 200 // unknown kinds counted one by one
)

type health struct {
	mu sync.Mutex
	h  Status
}

func (h *health) set(f func(*Status)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f(&h.h)
}

// Health implements [adapter.HealthReporter].
func (a *Adapter) Health() adapter.Health {
	s := a.Status()
	return adapter.Health{Connected: s.Connected, Since: s.Since.UTC(), Gaps: len(s.Gaps)}
}

// Status tells how the connection is, in full: errors and rooms too. It may be called at any time.
func (a *Adapter) Status() Status {
	a.health.mu.Lock()
	defer a.health.mu.Unlock()
	h := a.health.h
	h.Skew = a.web.Skew()
	h.Unknown = maps.Clone(h.Unknown)
	h.Gaps = slices.Clone(h.Gaps)
	return h
}

// odd counts and logs what is not mapped.
func (a *Adapter) odd(v verdict, kind string) {
	a.log.Debug("an event is not used", "kind", kind, "why", string(v))
	if v == ignored {
		return
	}
	if v == malformed {
		kind += " (malformed)"
	}
	a.health.set(func(h *Status) {
		if h.Unknown == nil {
			h.Unknown = map[string]int{}
		}
		if _, ok := h.Unknown[kind]; !ok && len(h.Unknown) >= maxKinds {
			kind = "other"
		}
		h.Unknown[kind]++
	})
}

// gap reports what is lost.
func (a *Adapter) gap(g Gap) {
	a.log.Warn("discord cannot give back everything", "room", g.Room, "from", g.From, "to", g.To, "missing", g.What)
	a.health.set(func(h *Status) {
		if len(h.Gaps) >= maxGaps {
			h.Gaps = slices.Delete(h.Gaps, 0, 1)
		}
		h.Gaps = append(h.Gaps, g)
	})
}
