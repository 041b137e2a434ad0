package adaptertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/starlingbot/starling/adapter"
)

// feed is the bot's side: a sink that remembers its calls in the order they began.
type feed struct {
	mu      sync.Mutex
	calls   []*call
	changed chan struct{} // closed and replaced when calls begin or end
	answer  func(context.Context, *adapter.Event) error
	broken  error // what no case may see
}

// call is one call of the sink.
type call struct {
	ev   *adapter.Event // as it came
	err  error
	over bool
}

func newFeed() *feed { return &feed{changed: make(chan struct{})} }

// respond sets what the sink does from the next call on; nil takes everything.
func (f *feed) respond(answer func(context.Context, *adapter.Event) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

// sink is the Sink of one Run.
func (f *feed) sink(r *running) adapter.Sink {
	return func(ctx context.Context, ev *adapter.Event) error {
		f.mu.Lock()
		switch {
		case ev == nil:
			f.broken = errors.New("the Sink was called with a nil event")
			f.mu.Unlock()
			return adapter.ErrRejected
		case r.returned():
			f.broken = fmt.Errorf("the Sink was called after Run had returned, with %s", show(ev))
		}
		own := clone(ev)
		c := &call{ev: own}
		f.calls = append(f.calls, c)
		answer := f.answer
		f.wake()
		f.mu.Unlock()

		var err error
		if answer != nil {
			err = answer(ctx, own)
		}

		f.mu.Lock()
		defer f.mu.Unlock()
		c.err, c.over = err, true
		f.wake()
		ev.Normalize() // as the bot does: the event is the sink's, and an adapter that goes on using it races
		return err
	}
}

// wake tells those who wait. It is called with f.mu held.
func (f *feed) wake() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// find gives the calls that match.
func (f *feed) find(match func(*adapter.Event) bool) (found []call, changed <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if match(c.ev) {
			found = append(found, *c)
		}
	}
	return found, f.changed
}

// clone copies an event, with all that it points to but the functions of files.
func clone(ev *adapter.Event) *adapter.Event {
	c := *ev
	b, err := json.Marshal(ev)
	if err != nil { // Raw that is no JSON; the case event/normal says so
		return &c
	}
	var deep adapter.Event
	if json.Unmarshal(b, &deep) == nil {
		c.Mentions, c.Files, c.Raw = deep.Mentions, deep.Files, deep.Raw
		c.Invocation, c.Click, c.Reaction, c.Signal = deep.Invocation, deep.Click, deep.Reaction, deep.Signal
		for i := range c.Files {
			c.Files[i].Open = ev.Files[i].Open
		}
	}
	return &c
}

// show names an event in an error.
func show(ev *adapter.Event) string {
	return fmt.Sprintf("%s %q of %q in %q: %q", ev.Kind, ev.ID, ev.User.ID, ev.Room.ID, brief(ev.Text))
}

func brief(s string) string {
	if len(s) > 200 {
		return s[:200] + fmt.Sprintf("... (%d bytes)", len(s))
	}
	return s
}
