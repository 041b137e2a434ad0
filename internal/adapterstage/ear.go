// Package adapterstage is what the tests of the adapters for chat platforms share: a bot that only listens, a store for positions, a log,
// a fake clock around a fake platform, and the tests that are the same for several of them.
package adapterstage

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
)

// Ear is a sink that remembers. The zero value takes everything. Its methods may be called concurrently.
type Ear struct {
	Own bool // Heard gives the bot's own events too; it is set before the first

	mu     sync.Mutex
	events []*adapter.Event
	answer func(ctx context.Context, ev *adapter.Event) error
}

// Sink is an [adapter.Sink].
func (e *Ear) Sink(ctx context.Context, ev *adapter.Event) error {
	e.mu.Lock()
	e.events = append(e.events, ev)
	answer := e.answer
	e.mu.Unlock()
	if answer != nil {
		return answer(ctx, ev)
	}
	return nil
}

// Set lets answer say what becomes of each event from now on; nil takes everything.
func (e *Ear) Set(answer func(ctx context.Context, ev *adapter.Event) error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = answer
}

// Heard gives the events of others, or with Own all, as they came: those too that were not taken.
func (e *Ear) Heard() []*adapter.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []*adapter.Event
	for _, ev := range e.events {
		if e.Own || !ev.Self {
			out = append(out, ev)
		}
	}
	return out
}

// Texts gives the texts of [Ear.Heard].
func (e *Ear) Texts() []string {
	var out []string
	for _, ev := range e.Heard() {
		out = append(out, ev.Text)
	}
	return out
}

// Last gives the only new event since n were heard, once everything in the bubble is quiet.
func (e *Ear) Last(t *testing.T, n int) *adapter.Event {
	t.Helper()
	synctest.Wait()
	all := e.Heard()
	require.Len(t, all, n+1)
	return all[n]
}
