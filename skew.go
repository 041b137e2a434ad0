package starling

import (
	"sync"
	"time"

	"github.com/starlingbot/starling/adapter"
)

const (
	skewWarn   = time.Minute // clocks that differ by more are said to
	skewWindow = time.Minute
	skewEvents = 5 // fewer in a window tell nothing: they may all have come late
)

// skew compares our clock with that of a platform, by the stamps of its events. An event can come late, but not early: one that
// is stamped in the future shows a clock that is behind, and only if all of them are old is it one that is ahead.
type skew struct {
	mu    sync.Mutex
	begun time.Time     // of the window; zero before the first event
	least time.Duration // the smallest age in it
	n     int
	off   time.Duration // how far our clock is ahead, as far as is known; under skewWarn it counts as right
}

// see notes an event that comes at now. changed: the clocks differ now and did not before, or the other way round.
func (s *skew) see(ev *adapter.Event, now time.Time) (off time.Duration, changed bool) {
	if ev.Time.IsZero() || ev.Backfilled {
		return 0, false
	}
	age := now.Sub(ev.Time)
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.off
	switch {
	case age < -skewWarn:
		s.off, s.begun, s.n = age, now, 0
	case s.begun.IsZero() || s.n == 0:
		s.begun, s.least, s.n = now, age, 1
	case now.Sub(s.begun) < skewWindow:
		s.least, s.n = min(s.least, age), s.n+1
	default:
		if s.n >= skewEvents {
			s.off = 0
			if s.least > skewWarn {
				s.off = s.least
			}
		}
		s.begun, s.least, s.n = now, age, 1
	}
	return s.off, (before == 0) != (s.off == 0)
}

// now gives how far our clock is ahead of the platform's; 0 where they agree to a minute, or nothing is known.
func (s *skew) now() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.off
}

// compare watches the clock of a platform, and has the log say when it and ours differ.
func (b *Bot) compare(src *source, ev *adapter.Event, now time.Time) {
	off, changed := src.skew.see(ev, now)
	switch {
	case !changed:
	case off == 0:
		b.log.Info("the clock of this machine and that of the platform agree again", "adapter", src.name)
	default:
		b.log.Warn("the clock of this machine and that of the platform differ: set this one (NTP). Codes are refused, and events count as too old, when it is minutes off",
			"adapter", src.name, "ahead", off.Round(time.Second))
	}
}
