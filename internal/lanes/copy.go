package lanes

import (
	"bytes"
	"maps"
	"slices"

	"github.com/starlingbot/starling/adapter"
)

// Copy copies an event with all that it points to. What a sink is given is the sink's, so who offers an event more than once keeps
// a copy.
func Copy(ev *adapter.Event) *adapter.Event {
	c := *ev
	c.Mentions, c.Files, c.Raw = slices.Clone(ev.Mentions), slices.Clone(ev.Files), bytes.Clone(ev.Raw)
	c.Click, c.Reaction, c.Signal, c.Invocation = clone(ev.Click), clone(ev.Reaction), clone(ev.Signal), clone(ev.Invocation)
	if c.Invocation != nil {
		c.Invocation.Options = maps.Clone(c.Invocation.Options)
	}
	return &c
}

func clone[T any](v *T) *T {
	if v == nil {
		return nil
	}
	c := *v
	return &c
}
