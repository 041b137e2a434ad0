// Package health keeps what an adapter of a platform tells of its connection.
package health

import (
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/starlingbot/starling/adapter"
)

const (
	maxGaps  = 100 // the last ones are kept
	maxKinds = 200 // kinds of events that are counted one by one; the others are "other"
)

// Keeper keeps the status of one connection. It is for several goroutines. Make one with [New].
type Keeper struct {
	log *slog.Logger
	mu  sync.Mutex
	now adapter.Status
}

// New makes a keeper that logs what is lost and what is not used.
func New(log *slog.Logger) *Keeper { return &Keeper{log: log} }

// Set changes the status by f, which must not use the keeper.
func (k *Keeper) Set(f func(*adapter.Status)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f(&k.now)
}

// Status gives a copy.
func (k *Keeper) Status() adapter.Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.now
	s.Unknown = maps.Clone(s.Unknown)
	s.Gaps = slices.Clone(s.Gaps)
	return s
}

// Health is the part of the status that anybody may see.
func (k *Keeper) Health() adapter.Health {
	k.mu.Lock()
	defer k.mu.Unlock()
	return adapter.Health{Connected: k.now.Connected, Since: k.now.Since.UTC(), Gaps: len(k.now.Gaps)}
}

// Unused logs an event that is of no use, and why.
func (k *Keeper) Unused(kind, why string) {
	k.log.Debug("an event is not used", "kind", kind, "why", why)
}

// Unknown counts an event of a kind that is not mapped, or one that cannot be read.
func (k *Keeper) Unknown(kind string, malformed bool) {
	if malformed {
		kind += " (malformed)"
	}
	k.Set(func(s *adapter.Status) {
		if s.Unknown == nil {
			s.Unknown = map[string]int{}
		}
		if _, ok := s.Unknown[kind]; !ok && len(s.Unknown) >= maxKinds {
			kind = "other"
		}
		s.Unknown[kind]++
	})
}

// Gap keeps and logs a span of which something is lost.
func (k *Keeper) Gap(g adapter.Gap) {
	k.log.Warn("the platform cannot give back everything", "room", g.Room, "from", g.From, "to", g.To, "missing", g.What)
	k.Set(func(s *adapter.Status) {
		if len(s.Gaps) >= maxGaps {
			s.Gaps = slices.Delete(s.Gaps, 0, 1)
		}
		s.Gaps = append(s.Gaps, g)
	})
}
