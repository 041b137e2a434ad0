package middleware_test

import (
	"context"
	"sync"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

// effects remembers what is sent and when contexts end.
type effects struct {
	handler.Effects // what no middleware does: nil, so that using it fails the test

	ephemeral bool
	fail      error // of sending and of opening direct rooms

	mu   sync.Mutex
	sent []adapter.Message
	ends []time.Time

	onces map[string][]byte // nil: begun, and nobody knows how it ended
}

var _ handler.Effects = (*effects)(nil)

func (e *effects) Send(_ context.Context, _ *handler.Request, _ string, m *adapter.Message) ([]adapter.Ref, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fail != nil {
		return nil, e.fail
	}
	e.sent = append(e.sent, *m)
	return nil, nil
}

func (e *effects) OpenDirect(_ context.Context, _, userID string) (adapter.Room, error) {
	return adapter.Room{ID: "D-" + userID, Kind: adapter.RoomDirect}, e.fail
}

func (e *effects) EndsAt(_ *handler.Request, t time.Time) { e.ends = append(e.ends, t) }

func (e *effects) Features(string) adapter.Features { return adapter.Features{Ephemeral: e.ephemeral} }

func (*effects) Edit(context.Context, *handler.Request, []adapter.Ref, *adapter.Message) ([]adapter.Ref, error) {
	panic("not used")
}

func (*effects) Delete(context.Context, *handler.Request, []adapter.Ref) error { panic("not used") }

func (*effects) React(context.Context, *handler.Request, adapter.Ref, string) error {
	panic("not used")
}

func (*effects) Change(context.Context, *handler.Request, string, func([]byte) ([]byte, error)) ([]byte, error) {
	panic("not used")
}

// Once remembers results by key: one effects is one delivery.
func (e *effects) Once(ctx context.Context, _ *handler.Request, key string, f func(context.Context) ([]byte, error)) ([]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if v, ok := e.onces[key]; ok {
		if v == nil {
			return nil, handler.ErrUnknown
		}
		return v, nil
	}
	v, err := f(ctx)
	if err == nil {
		if e.onces == nil {
			e.onces = map[string][]byte{}
		}
		e.onces[key] = v
	}
	return v, err
}

// request makes a request of a user's for the route "ping", in a channel.
func request(e *effects, user string) *handler.Request {
	ev := &adapter.Event{
		ID: "E1", Kind: adapter.KindMessage, Adapter: "test", Text: "what was said",
		Room: adapter.Room{ID: "C1", Kind: adapter.RoomChannel}, User: adapter.User{Adapter: "test", ID: user, Name: user},
	}
	r := handler.NewRequest(ev, e)
	r.Route = &handler.Route{ID: "ping"}
	return r
}

func run(h handler.Handler, r *handler.Request) error { return h.Handle(context.Background(), r) }

// returns makes a handler that gives err.
func returns(err error) handler.Handler {
	return handler.Func(func(context.Context, *handler.Request) error { return err })
}

// panics makes a handler that panics with v.
func panics(v any) handler.Handler {
	return handler.Func(func(context.Context, *handler.Request) error { panic(v) })
}

// pass lets d pass on the clock of a synctest bubble.
func pass(d time.Duration) { <-time.After(d) }
