package handler_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

// recorder is the Effects of these tests: it remembers what a handler does and keeps state in maps.
type recorder struct {
	longer          []adapter.Ref // what an edit adds
	handler.Effects               // what these tests do not use: nil, so that using it fails

	features adapter.Features
	noDirect bool  // the platform has no direct rooms
	fail     error // what Send returns

	mu    sync.Mutex
	sent  []sent
	did   []string // edits, deletions, reactions
	ends  []time.Time
	state map[string][]byte
	done  map[string]result // by delivery and key
}

// Said remembers nothing: these tests have no history.
func (*recorder) Said(*handler.Request, string, bool) {}

type sent struct {
	slot string
	m    adapter.Message
}

type result struct {
	value []byte
	err   error
}

var _ handler.Effects = (*recorder)(nil)

func (e *recorder) Send(_ context.Context, _ *handler.Request, slot string, m *adapter.Message) ([]adapter.Ref, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fail != nil {
		return nil, e.fail
	}
	e.sent = append(e.sent, sent{slot, *m})
	return []adapter.Ref{{Address: m.To, ID: fmt.Sprintf("%da", len(e.sent))}, {Address: m.To, ID: fmt.Sprintf("%db", len(e.sent))}}, nil
}

func (e *recorder) Edit(_ context.Context, _ *handler.Request, refs []adapter.Ref, m *adapter.Message) ([]adapter.Ref, error) {
	e.did = append(e.did, fmt.Sprintf("edit %s: %s", ids(refs), m.Text))
	return append(refs, e.longer...), nil
}

func (e *recorder) Delete(_ context.Context, _ *handler.Request, refs []adapter.Ref) error {
	e.did = append(e.did, "delete "+ids(refs))
	return nil
}

func (e *recorder) React(_ context.Context, _ *handler.Request, ref adapter.Ref, emoji string) error {
	e.did = append(e.did, fmt.Sprintf("react %s/%s %s", ref.Address, ref.ID, emoji))
	return nil
}

func (e *recorder) OpenDirect(_ context.Context, _, userID string) (adapter.Room, error) {
	if e.noDirect {
		return adapter.Room{}, adapter.ErrUnsupported
	}
	return adapter.Room{ID: "D-" + userID, Kind: adapter.RoomDirect}, nil
}

func (e *recorder) EndsAt(_ *handler.Request, t time.Time) { e.ends = append(e.ends, t) }

func (e *recorder) Progress(_ context.Context, _ *handler.Request, p handler.Progress) error {
	e.did = append(e.did, fmt.Sprintf("progress %s %d/%d", p.Text, p.Done, p.Total))
	return nil
}

func (e *recorder) OpenForm(context.Context, *handler.Request, *adapter.Form) error {
	return adapter.ErrUnsupported
}

func (e *recorder) Can(string, handler.Verb) bool { return !e.noDirect }

func (e *recorder) Jobs() []handler.Job { return nil }

func (e *recorder) Cancel(id string, by adapter.User) bool {
	e.did = append(e.did, "cancel "+id+" by "+by.ID)
	return id == "known"
}

func (e *recorder) Features(string) adapter.Features { return e.features }

func (e *recorder) Change(_ context.Context, r *handler.Request, key string, f func([]byte) ([]byte, error)) ([]byte, error) {
	return e.once(r.Delivery+" changes "+key, func() ([]byte, error) {
		value, err := f(e.state[key])
		if err == nil {
			if e.state == nil {
				e.state = map[string][]byte{}
			}
			e.state[key] = value
		}
		return value, err
	}, false)
}

func (e *recorder) Once(ctx context.Context, r *handler.Request, key string, f func(context.Context) ([]byte, error)) ([]byte, error) {
	return e.once(r.Delivery+" does "+key, func() ([]byte, error) { return f(ctx) }, true)
}

func (e *recorder) once(name string, f func() ([]byte, error), keepError bool) ([]byte, error) {
	if done, ok := e.done[name]; ok {
		return done.value, done.err
	}
	value, err := f()
	if err == nil || keepError {
		if e.done == nil {
			e.done = map[string]result{}
		}
		e.done[name] = result{value, err}
	}
	return value, err
}

// texts gives what was said, as plain text.
func (e *recorder) texts() []string {
	var out []string
	for _, s := range e.sent {
		out = append(out, adapter.PlainText(s.m.Text))
	}
	return out
}

func ids(refs []adapter.Ref) string {
	var out []string
	for _, ref := range refs {
		out = append(out, ref.ID)
	}
	return strings.Join(out, "+")
}

// message makes a message of bob's in a channel.
func message(text string) *adapter.Event {
	return &adapter.Event{
		ID: "E1", Kind: adapter.KindMessage, Adapter: "test", MessageID: "M1", Text: text,
		Room: adapter.Room{ID: "C1", Name: "ops", Kind: adapter.RoomChannel},
		User: adapter.User{Adapter: "test", ID: "U1", Name: "bob", Kind: adapter.KindMember},
	}
}

// direct makes a message of bob's to the bot alone.
func direct(text string) *adapter.Event {
	ev := message(text)
	ev.Room = adapter.Room{ID: "D-U1", Kind: adapter.RoomDirect}
	return ev
}

func build(t testing.TB, rt *handler.Router, aliases ...string) *handler.Table {
	t.Helper()
	tb, err := rt.Build("starling", aliases)
	require.NoError(t, err)
	return tb
}

// dispatch runs the routes of ev one after the other, as a bot does, and returns the errors.
func dispatch(tb *handler.Table, e handler.Effects, ev *adapter.Event) error {
	ev, ok := tb.Rewrite(ev)
	if !ok {
		return nil
	}
	sel := tb.Match(ev)
	var errs []error
	for _, route := range sel.Routes {
		r := handler.NewRequest(ev, e)
		r.Text, r.Route = sel.Text, route
		errs = append(errs, r.Handle(context.Background()))
		if r.Stopped() {
			break
		}
	}
	return errors.Join(errs...)
}

// trace is a list of what ran.
type trace []string

func (tr *trace) note(s string) handler.Func {
	return func(context.Context, *handler.Request) error {
		*tr = append(*tr, s)
		return nil
	}
}

func (tr *trace) take() []string {
	out := *tr
	*tr = nil
	return out
}

func nothing(context.Context, *handler.Request) error { return nil }
