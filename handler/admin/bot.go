package admin

import (
	"context"
	"time"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

// Bot is what the commands need of the bot. [Of] makes one of a *starling.Bot; a test may have its own.
type Bot interface {
	DeadLetters(ctx context.Context) ([]DeadLetter, error)
	Replay(ctx context.Context, id string) error
	Stats() Stats
	Health() Health
	Routes() []*handler.Route
}

// DeadLetter is starling.DeadLetter.
type DeadLetter struct {
	ID     string
	Time   time.Time
	Reason string
	Event  *adapter.Event
	Said   string
	Key    string
	Value  []byte
}

// Stats is starling.Stats.
type Stats struct {
	Offered, Ignored, Shed, Late, Duplicate, Rejected, Failing, Accepted uint64

	Handled, Completed, Failed, Cut, Dead uint64

	Waiting int
}

// Health is starling.Health.
type Health struct {
	Running  bool
	Ready    bool
	Draining bool
	Store    string
	Waiting  int
	Adapters map[string]AdapterHealth
}

// AdapterHealth is starling.AdapterHealth.
type AdapterHealth struct {
	State string
	Skew  float64
	adapter.Health
}

// source is *starling.Bot without its name, which this package cannot import: the types of its results are those of the
// constraints below, so that a change of one of them does not compile here.
type source[D, S, H any] interface {
	comparable
	DeadLetters(ctx context.Context) ([]D, error)
	Replay(ctx context.Context, id string) error
	Stats() S
	Health() H
	Routes() []*handler.Route
}

type deadLetter interface {
	~struct {
		ID     string
		Time   time.Time
		Reason string
		Event  *adapter.Event
		Said   string
		Key    string
		Value  []byte
	}
}

type stats interface {
	~struct {
		Offered, Ignored, Shed, Late, Duplicate, Rejected, Failing, Accepted uint64
		Handled, Completed, Failed, Cut, Dead                                uint64
		Waiting                                                              int
	}
}

type health[A adapterHealth] interface {
	~struct {
		Running  bool         `json:"running"`
		Ready    bool         `json:"ready"`
		Draining bool         `json:"draining,omitempty"`
		Store    string       `json:"store"`
		Waiting  int          `json:"waiting"`
		Adapters map[string]A `json:"adapters"`
	}
}

type adapterHealth interface {
	~struct {
		State string  `json:"state"`
		Skew  float64 `json:"skew,omitempty"`
		adapter.Health
	}
}

// Of makes a Bot of the *starling.Bot that get gives. It is a function since the bot is made of the router that the commands
// are on: get is called when a command runs.
//
//	var bot *starling.Bot
//	routes, err := admin.New(admin.Config{Bot: admin.Of(func() *starling.Bot { return bot }), ...})
//	rt.Mount("admin", routes)
//	bot, err = starling.New(starling.Config{Router: rt, ...})
func Of[B source[D, S, H], D deadLetter, S stats, H health[A], A adapterHealth](get func() B) Bot {
	return late[B, D, S, H, A]{get}
}

type late[B source[D, S, H], D deadLetter, S stats, H health[A], A adapterHealth] struct{ get func() B }

// bot gives the bot. That there is none is a mistake in the program, which the first command shows.
func (l late[B, D, S, H, A]) bot() B {
	var none B
	b := l.get()
	if b == none {
		panic("admin: the function that admin.Of got gives no bot")
	}
	return b
}

func (l late[B, D, S, H, A]) DeadLetters(ctx context.Context) ([]DeadLetter, error) {
	letters, err := l.bot().DeadLetters(ctx)
	out := make([]DeadLetter, len(letters))
	for i, d := range letters {
		out[i] = DeadLetter(d)
	}
	return out, err
}

func (l late[B, D, S, H, A]) Replay(ctx context.Context, id string) error {
	return l.bot().Replay(ctx, id)
}

func (l late[B, D, S, H, A]) Stats() Stats { return Stats(l.bot().Stats()) }

func (l late[B, D, S, H, A]) Routes() []*handler.Route { return l.bot().Routes() }

func (l late[B, D, S, H, A]) Health() Health {
	type plain struct { // a field of a type parameter cannot be selected
		Running  bool
		Ready    bool
		Draining bool
		Store    string
		Waiting  int
		Adapters map[string]A
	}
	h := plain(l.bot().Health())
	out := Health{Running: h.Running, Ready: h.Ready, Draining: h.Draining, Store: h.Store, Waiting: h.Waiting, Adapters: map[string]AdapterHealth{}}
	for name, a := range h.Adapters {
		out.Adapters[name] = AdapterHealth(a)
	}
	return out
}
