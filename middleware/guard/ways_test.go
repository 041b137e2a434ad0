package guard_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/audit"
	"github.com/starlingbot/starling/handler/roles"
	"github.com/starlingbot/starling/middleware/guard"
)

type envArgs struct {
	Env string `arg:"env" enum:"staging,prod"`
}

// guarded is a command and what is to be decided about it, written down apart from the guard.
type guarded struct {
	name   string
	policy handler.Policy
	when   func(envArgs) handler.Policy
	// decide gives "ran", "denied" or "asked".
	decide func(s subject, p spot, env string) string
}

// subject is somebody: an account of a kind, with a role or without.
type subject struct {
	name string
	kind adapter.UserKind
	id   bool
	op   bool
}

// spot is where it is said.
type spot struct {
	room adapter.Room
	in   bool // one of the rooms of the policies
}

// known tells whether there is a principal at all.
func (s subject) known() bool { return s.id && s.kind != adapter.KindDeactivated }

func ifElse(ok bool) string {
	if ok {
		return "ran"
	}
	return "denied"
}

var everyAdapter = []string{"chat", "clock", "hook"}

func rooms() (in []string) {
	for _, a := range everyAdapter {
		in = append(in, a+"/in", a+"/d-in")
	}
	return in
}

func guardedCommands() []guarded {
	op := handler.Policy{Roles: []string{"op"}}
	return []guarded{
		{"free", handler.Policy{}, nil, func(subject, spot, string) string { return "ran" }},
		{"role", op, nil, func(s subject, _ spot, _ string) string { return ifElse(s.known() && s.op) }},
		{"member", handler.Policy{Roles: []string{"member"}}, nil, func(s subject, _ spot, _ string) string { return ifElse(s.id && s.kind == adapter.KindMember) }},
		{"there", handler.Policy{In: rooms()}, nil, func(s subject, p spot, _ string) string { return ifElse(s.known() && p.in) }},
		{"private", handler.Policy{Roles: []string{"op"}, Direct: true}, nil, func(s subject, p spot, _ string) string {
			return ifElse(s.known() && s.op && p.room.Kind == adapter.RoomDirect)
		}},
		{"typed", handler.Policy{}, func(a envArgs) handler.Policy {
			if a.Env == "prod" {
				return op
			}
			return handler.Policy{}
		}, func(s subject, _ spot, env string) string { return ifElse(env == "staging" || s.known() && s.op) }},
		{"dangerous", handler.Policy{Roles: []string{"op"}, Dangerous: true}, nil, func(s subject, _ spot, _ string) string { return ifElse(s.known() && s.op) }},
		{"agreed", op, func(a envArgs) handler.Policy {
			if a.Env == "prod" {
				return handler.Policy{Approvals: 1, ApprovedBy: "sre"}
			}
			return handler.Policy{}
		}, func(s subject, _ spot, env string) string {
			if s.known() && s.op && env == "prod" {
				return "asked"
			}
			return ifElse(s.known() && s.op)
		}},
		{"elevated", handler.Policy{Elevate: time.Minute}, nil, func(s subject, _ spot, _ string) string {
			if s.known() {
				return "asked"
			}
			return "denied"
		}},
	}
}

// way is how a command gets to the bot. It gives the events in order, the first of which is the one that is decided on.
type way struct {
	name    string
	adapter string
	events  func(cmd, env string) []adapter.Event
	never   bool // runs nothing, whoever it is
	judged  bool // it is explained what would be
}

func ways() []way {
	message := func(text string) adapter.Event {
		return adapter.Event{Kind: adapter.KindMessage, Text: text}
	}
	one := func(f func(cmd, env string) adapter.Event) func(cmd, env string) []adapter.Event {
		return func(cmd, env string) []adapter.Event { return []adapter.Event{f(cmd, env)} }
	}
	return []way{
		{name: "explained, and not said", judged: true, events: one(func(cmd, env string) adapter.Event { return message("starling judge " + cmd + " " + env) })},
		{name: "text", events: one(func(cmd, env string) adapter.Event { return message("starling " + cmd + " " + env) })},
		{name: "edit", never: true, events: one(func(cmd, env string) adapter.Event {
			return adapter.Event{Kind: adapter.KindEdit, Text: "starling " + cmd + " " + env}
		})},
		{name: "backfill", events: one(func(cmd, env string) adapter.Event {
			ev := message("starling " + cmd + " " + env)
			ev.Backfilled = true
			return ev
		})},
		{name: "button", events: one(func(cmd, env string) adapter.Event {
			return adapter.Event{Kind: adapter.KindClick, Click: &adapter.Click{Command: cmd + " " + env}}
		})},
		{name: "slash with text", events: one(func(cmd, env string) adapter.Event {
			return adapter.Event{Kind: adapter.KindInvocation, Invocation: &adapter.Invocation{Command: cmd, Text: env}}
		})},
		{name: "slash with options", events: one(func(cmd, env string) adapter.Event {
			return adapter.Event{Kind: adapter.KindInvocation, Invocation: &adapter.Invocation{Command: cmd, Options: map[string]string{"env": env}}}
		})},
		{name: "schedule", adapter: "clock", events: one(func(cmd, env string) adapter.Event {
			return adapter.Event{Kind: adapter.KindInvocation, Invocation: &adapter.Invocation{Text: cmd + " " + env}}
		})},
		{name: "webhook", adapter: "hook", events: one(func(cmd, env string) adapter.Event { return message("starling " + cmd + " " + env) })},
		{name: "resumed question", events: func(cmd, env string) []adapter.Event {
			return []adapter.Event{message("starling " + cmd), message("starling " + env)}
		}},
		{name: "again (P21: from inside another route)", events: one(func(cmd, env string) adapter.Event { return message("starling redo " + cmd + " " + env) })},
	}
}

// Whatever way a command takes, the decision is the same: the one that is written down above.
func TestEveryWayIsDecidedAlike(t *testing.T) { synctest.Test(t, everyWayIsDecidedAlike) }

func everyWayIsDecidedAlike(t *testing.T) {
	store := memory.New()
	book, people := &book{}, &people{}
	g, err := guard.New(guard.Config{Roles: people, Audit: book, Factor: &codes{}, Brain: brain.New(store).Namespace("guard")})
	require.NoError(t, err)
	var ran atomic.Int32
	rt := handler.NewRouter()
	rt.Use(g.Enforce)
	for _, c := range guardedCommands() {
		rt.Add(handler.Command[envArgs]{Name: c.name, Summary: "S.", Policy: c.policy, When: c.when, RunLate: true,
			Run: func(context.Context, *handler.Request, envArgs) error { ran.Add(1); return nil }})
	}
	rt.Respond(`redo (?P<line>.*)`, func(ctx context.Context, r *handler.Request) error { return r.Again(ctx, r.Arg("line")) }).ID = "redo"
	explained := ""
	rt.Respond(`judge (?P<line>.*)`, func(ctx context.Context, r *handler.Request) error {
		steps, allowed, err := g.Explain(ctx, r, r.Event.User, r.Arg("line"))
		require.NoError(t, err)
		explained = ifElse(allowed)
		refuses := slices.ContainsFunc(steps, func(s roles.Step) bool { return s.Verdict == roles.Refuses })
		require.Equal(t, !allowed, refuses, "%v", steps)
		if allowed && slices.ContainsFunc(steps, func(s roles.Step) bool { return s.Verdict == roles.Asks && s.Rule != "audit" }) {
			explained = "asked"
		}
		return nil
	}).ID = "judge"
	var sources []*source
	for _, name := range everyAdapter {
		sources = append(sources, newSource(name))
	}
	run(t, starling.Config{Router: rt, Brain: brain.New(store), HearBots: true}, sources...)

	subjects := []subject{
		{"member with the role", adapter.KindMember, true, true}, {"member without it", adapter.KindMember, true, false},
		{"guest with it", adapter.KindGuest, true, true}, {"guest without it", adapter.KindGuest, true, false},
		{"stranger with it", adapter.KindExternal, true, true}, {"stranger without it", adapter.KindExternal, true, false},
		{"bot with it", adapter.KindBot, true, true}, {"bot without it", adapter.KindBot, true, false},
		{"deactivated with it", adapter.KindDeactivated, true, true}, {"unknown with it", adapter.KindUnknown, true, true},
		{"unknown without it", adapter.KindUnknown, true, false}, {"nobody", adapter.KindMember, false, false},
	}
	spots := []spot{
		{adapter.Room{ID: "in", Kind: adapter.RoomChannel}, true}, {adapter.Room{ID: "out", Kind: adapter.RoomChannel}, false},
		{adapter.Room{ID: "d-out", Kind: adapter.RoomDirect}, false}, {adapter.Room{ID: "d-in", Kind: adapter.RoomDirect}, true},
	}
	count := map[string]int{}
	n := 0
	for i, s := range subjects {
		for _, p := range spots {
			for _, c := range guardedCommands() {
				for _, env := range []string{"staging", "prod"} {
					for _, w := range ways() {
						if !s.id && w.name == "resumed question" {
							continue // nobody can be asked
						}
						src := sources[max(0, slices.Index(everyAdapter, w.adapter))]
						user := adapter.User{Name: "somebody", Kind: s.kind}
						if s.id {
							user.ID = fmt.Sprint("U", i)
						}
						if s.op {
							people.give(src.name+"//"+user.ID, "op")
						}
						n++
						before, first := ran.Load(), ""
						for step, ev := range w.events(c.name, env) {
							ev.ID, ev.Room, ev.User, ev.Time = fmt.Sprintf("e%d-%d", n, step), p.room, user, time.Now()
							if step == 0 {
								first = src.name + "/" + ev.ID
							}
							time.Sleep(3 * time.Second) // a bot that says more is taken for one in a loop
							require.NoError(t, src.feed(ctx, &ev))
							synctest.Wait()
						}
						got := decision(book, c.name, first)
						want := c.decide(s, p, env)
						if w.never {
							want = "nothing"
						}
						if w.judged {
							require.Equal(t, "nothing", got)
							require.Equal(t, before, ran.Load())
							require.Equal(t, want, explained, "%s %s by %s in %s", c.name, env, s.name, p.room.ID)
							require.Empty(t, held(t, store))
							continue
						}
						require.Equal(t, want, got, "%s %s by %s in %s, by %s\n%v", c.name, env, s.name, p.room.ID, w.name, book.lines())
						require.Equal(t, want == "ran", ran.Load() == before+1, "%s %s by %s", c.name, env, w.name)
						require.LessOrEqual(t, ran.Load(), before+1)
						count[got]++
						clearHeld(t, store)
						book.clear()
					}
				}
			}
		}
	}
	t.Logf("%d commands by %d ways, %d kinds of people in %d places: %v, 0 decisions differ", len(guardedCommands()), len(ways()), len(subjects), len(spots), count)
}

func (b *book) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.records = nil
}

// decision gives what became of a command, by the audit log.
func decision(b *book, route, delivery string) string {
	got := "nothing"
	for _, r := range b.all() {
		if r.Route != route || r.Delivery != delivery && !strings.HasPrefix(r.Delivery, delivery+"#") {
			continue
		}
		switch r.Phase {
		case audit.PhaseBefore:
			got = "ran"
		case audit.PhaseDenied:
			got = "denied"
		case audit.PhaseAsked:
			got = "asked"
		}
	}
	return got
}

// held counts what waits for people.
func held(t *testing.T, s brain.Store) (keys []string) {
	t.Helper()
	for e, err := range s.List(ctx, "_/held/") {
		require.NoError(t, err)
		keys = append(keys, e.Key)
	}
	return keys
}

func clearHeld(t *testing.T, s brain.Store) {
	t.Helper()
	for _, prefix := range []string{"_/held/", "_/due/"} {
		for e, err := range s.List(ctx, prefix) {
			require.NoError(t, err)
			_, err = s.Apply(ctx, brain.Op{Key: e.Key, Delete: true, If: brain.Any})
			require.NoError(t, err)
		}
	}
}

// T27: an edit runs nothing, however often; what was said ran once.
func TestEditsRunNothing(t *testing.T) {
	w := newWorld(t, options{})
	said := w.User("bob").Say("#ops", "starling deploy api")
	w.Expect("#ops", "deployed api to staging")
	for range 3 {
		said.Edit("starling deploy api to prod")
		said.Edit("starling deploy api")
	}
	w.ExpectSilence()
	require.EqualValues(t, 1, w.ran.Load())
	t.Logf("T27: 6 edits of a command: %d run", w.ran.Load())
}

// An answer is judged when it comes: who lost the role between the question and the answer does not run it.
func TestRoleLostBeforeTheAnswer(t *testing.T) {
	w := newWorld(t, options{})
	bob := w.User("bob")
	bob.Say("#ops", "starling deploy")
	w.Expect("#ops", "Which service?")
	w.people.give(key("bob"))
	bob.Say("#ops", "api")
	w.Expect("#ops", "@bob: that needs the role deployer.")
	require.Zero(t, w.ran.Load())
}

// Signals of machines and clocks are judged by who sent them, as everybody is.
func TestSignals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		people, book := &people{}, &book{}
		people.give("hook//key1", "reporter")
		g, err := guard.New(guard.Config{Roles: people, Audit: book})
		require.NoError(t, err)
		var ran atomic.Int32
		rt := handler.NewRouter()
		rt.Use(g.Enforce)
		rt.On(adapter.KindSignal, func(context.Context, *handler.Request) error { ran.Add(1); return nil }).Policy = handler.Policy{Roles: []string{"reporter"}}
		hook := newSource("hook")
		run(t, starling.Config{Router: rt, HearBots: true}, hook)
		for i, u := range []adapter.User{{ID: "key1", Kind: adapter.KindBot}, {ID: "key2", Kind: adapter.KindBot}, {}} {
			require.NoError(t, hook.feed(ctx, &adapter.Event{ID: fmt.Sprint(i), Kind: adapter.KindSignal, User: u, Room: adapter.Room{ID: "r"}, Signal: &adapter.Signal{Source: "ci"}}))
			synctest.Wait()
		}
		require.EqualValues(t, 1, ran.Load())
		require.Len(t, book.lines(), 4, "before, after, denied, denied: %v", book.lines())
		require.Empty(t, hook.said())
	})
}
