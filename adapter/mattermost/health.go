package mattermost

import "github.com/starlingbot/starling/adapter"

// Status is how the connection to Mattermost is, in full.
type Status = adapter.Status

// Gap is a span of which something is lost to the bot.
type Gap = adapter.Gap

// Health implements [adapter.HealthReporter].
func (a *Adapter) Health() adapter.Health { return a.health.Health() }

// Status tells how the connection is, in full: errors and rooms too. It may be called at any time.
func (a *Adapter) Status() Status {
	s := a.health.Status()
	s.Skew = a.http.web.Skew()
	if in := a.intake.Load(); in != nil {
		s.Waiting = in.lanes.Len()
	}
	return s
}

// odd counts and logs what is not mapped.
func (a *Adapter) odd(v verdict, kind string) {
	a.health.Unused(kind, string(v))
	if v != ignored {
		a.health.Unknown(kind, v == malformed)
	}
}
