package guard_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
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
	"github.com/starlingbot/starling/handler/roles"
	"github.com/starlingbot/starling/middleware/guard"
)

// table builds routes behind a guard and gives it and the table.
func table(t testing.TB, cfg guard.Config, routes func(rt *handler.Router)) (*guard.Guard, *handler.Table) {
	t.Helper()
	g, err := guard.New(cfg)
	require.NoError(t, err)
	rt := handler.NewRouter()
	rt.Use(g.Enforce)
	routes(rt)
	tb, err := rt.Build("starling", nil)
	require.NoError(t, err)
	return g, tb
}

func dice() *rand.Rand { return rand.New(rand.NewPCG(3, 4)) }

// T1: an id counts with its platform and its tenant alone.
func TestNoCrossGrants(t *testing.T) {
	const pairs = 100_000
	d := dice()
	pick := func(list ...string) string { return list[d.IntN(len(list))] }
	user := func() adapter.User { // ids that repeat, and that try to look like others' keys
		return adapter.User{
			Adapter: pick("slack", "mattermost", "discord", "terminal", "chat"), Tenant: pick("", "T1", "T1/U1", "T%2F1", "/"),
			ID: pick("U1", "U2", "T1/U1", "/U1", "U1/", "%2FU1", "", "u1", "1"), Kind: adapter.KindMember, Name: "admin",
		}
	}
	people := &people{}
	g, tb := table(t, guard.Config{Roles: people}, func(rt *handler.Router) {
		rt.Command("x", "X.", nothing).Policy = handler.Policy{Roles: []string{"admin"}}
	})
	cross, own := 0, 0
	for range pairs {
		a, b := user(), user()
		people.roles = map[string][]string{a.Key(): {"admin"}}
		same := a.Adapter == b.Adapter && a.Tenant == b.Tenant && a.ID == b.ID
		got := g.Allowed(ctx, &adapter.Event{Adapter: b.Adapter, User: b}, tb.Route("x"))
		if got != (same && b.ID != "") {
			cross++
		}
		if got {
			own++
		}
	}
	t.Logf("T1: %d pairs of accounts on 5 adapters: %d cross-grants (%d times the same account)", pairs, cross, own)
	require.Zero(t, cross)
	require.NotZero(t, own)
}

// T2: who takes the name or the address of somebody with a role gets nothing by it.
func TestRenames(t *testing.T) {
	const renames = 10_000
	people := &people{}
	people.give("slack/T1/U1", "admin")
	g, tb := table(t, guard.Config{Roles: people}, func(rt *handler.Router) {
		rt.Command("x", "X.", nothing).Policy = handler.Policy{Roles: []string{"admin"}}
	})
	d := dice()
	allowed := 0
	names := []string{"alice", "Alice", "alice ", "U1", "slack/T1/U1", "@alice", "admin", "аlice", "alice\u200b"}
	for i := range renames {
		u := adapter.User{Adapter: "slack", Tenant: "T1", ID: fmt.Sprint("U", i+2), Name: names[d.IntN(len(names))], Email: "alice@example.com", Kind: adapter.KindMember}
		if g.Allowed(ctx, &adapter.Event{Adapter: "slack", User: u}, tb.Route("x")) {
			allowed++
		}
	}
	t.Logf("T2: %d renames: %d allowed", renames, allowed)
	require.Zero(t, allowed)
	require.True(t, g.Allowed(ctx, &adapter.Event{Adapter: "slack", User: adapter.User{Adapter: "slack", Tenant: "T1", ID: "U1", Name: "renamed", Kind: adapter.KindMember}}, tb.Route("x")))
}

// T3: a caller who states a sender of another platform is the caller.
func TestStatedSenders(t *testing.T) {
	const calls = 1000
	synctest.Test(t, func(t *testing.T) {
		people := &people{}
		people.give("chat//U1", "admin")
		people.give("hook//key1", "caller")
		g, err := guard.New(guard.Config{Roles: people})
		require.NoError(t, err)
		var admin, caller atomic.Int32
		rt := handler.NewRouter()
		rt.Use(g.Enforce)
		rt.Command("wipe", "W.", func(context.Context, *handler.Request) error { admin.Add(1); return nil }).Policy = handler.Policy{Roles: []string{"admin"}}
		rt.Command("report", "R.", func(context.Context, *handler.Request) error { caller.Add(1); return nil }).Policy = handler.Policy{Roles: []string{"caller"}}
		chat, hook := newSource("chat"), newSource("hook")
		run(t, starling.Config{Router: rt}, chat, hook)
		d := dice()
		stated := []adapter.User{{Adapter: "chat", ID: "U1"}, {Adapter: "chat", Tenant: "", ID: "U1", Name: "alice"}, {Adapter: "hook", Tenant: "chat", ID: "U1"}, {Adapter: "", ID: "chat//U1"}, {ID: "/U1"}}
		for i := range calls {
			u := stated[d.IntN(len(stated))]
			u.Kind = adapter.KindMember
			require.NoError(t, hook.feed(ctx, &adapter.Event{ID: fmt.Sprint(i), Adapter: "chat", Kind: adapter.KindMessage, Room: adapter.Room{ID: "r"}, User: u, Text: "starling wipe"}))
		}
		synctest.Wait()
		require.NoError(t, hook.feed(ctx, &adapter.Event{ID: "own", Kind: adapter.KindMessage, Room: adapter.Room{ID: "r"}, User: adapter.User{ID: "key1"}, Text: "starling report"}))
		synctest.Wait()
		t.Logf("T3: %d calls that state a sender with the role: %d ran", calls, admin.Load())
		require.Zero(t, admin.Load())
		require.EqualValues(t, 1, caller.Load(), "the caller as itself")
	})
}

// reveal undoes what makes invisible characters visible.
func reveal(t *testing.T, s string) string {
	t.Helper()
	var b strings.Builder
	for {
		i := strings.Index(s, "<U+")
		if i < 0 {
			return b.String() + s
		}
		hex, rest, _ := strings.Cut(s[i+3:], ">")
		r, err := strconv.ParseUint(hex, 16, 32)
		require.NoError(t, err, "%q", s)
		b.WriteString(s[:i])
		b.WriteRune(rune(r))
		s = rest
	}
}

// quoted is a text between double quotes as people type it.
var quoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// T16: what is shown for consent is what runs, to the last invisible byte; nothing that is shown is invisible, and two lines
// that differ look different.
func TestApprovalShowsWhatRuns(t *testing.T) {
	n := 100
	if s := os.Getenv("STARLING_LINES"); s != "" {
		var err error
		n, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, options{deploy: func(c *handler.Command[deployArgs]) {
			c.When = func(deployArgs) handler.Policy { return handler.Policy{Approvals: 1, ApprovedBy: "sre"} }
		}})
		d := dice()
		alphabet := []string{"a", "b", " ", "  ", "\\", `"`, "'", "`", "```", "\n", "\t", "<U+200B>", "<U+", ">", "\u200b", "\u200d", "\u202e", "\u2066", "\u00ad", "\ufeff",
			"\U000e0041", "\u3164", "\u2800", "*", "_", "@all", "<!here>", "é", "日", "--wait", "$(x)", "\u0085", "\u2028", "\r", "\x00", "\x1b[31m", "\u00a0"}
		shown := map[string]string{}
		odd := 0
		for i := range n {
			var note strings.Builder
			for range 1 + d.IntN(8) {
				note.WriteString(alphabet[d.IntN(len(alphabet))])
			}
			bob := w.User("bob")
			ev := bob.Say(fmt.Sprint("#r", i), fmt.Sprintf("starling deploy s%d --note \"%s\"", i, quoted.Replace(note.String())))
			w.Idle()
			posts := w.Chat.Posts(fmt.Sprint("#r", i))
			require.Len(t, posts, 1, ev.Event.Text)
			post := posts[0]
			if !strings.Contains(post.Text, "asks to run") {
				continue // what the parser refuses
			}
			_, line, _ := strings.Cut(post.Text, "```\n")
			line = line[:strings.LastIndex(line, "\n```")]
			for _, c := range line {
				require.False(t, c < 0x20 || c == 0x7f || c == 0x200b || c == 0x202e || c == 0x2028 || c == 0x85, "%q", line)
			}
			require.NotContains(t, line, "\n")
			w.User("carol").Press(&post, "Approve")
			w.Idle()
			a := <-w.deploys
			exact := reveal(t, line)
			require.Contains(t, exact, fmt.Sprintf("deploy s%d ", i))
			// Bound again, the line that was shown gives the very arguments that ran.
			bob.Direct(exact)
			w.Idle()
			id := requestID(t, w.Chat.Posts("@bob")[len(w.Chat.Posts("@bob"))-1].Text)
			w.User("carol").Direct("approve " + id)
			w.Idle()
			require.Equal(t, a, <-w.deploys, "%q", line)
			key := fmt.Sprintf("%q", a)
			require.Contains(t, []string{"", key}, shown[line], "two commands look like %s", line)
			shown[line] = key
			if strings.Contains(line, "<U+") {
				odd++
			}
		}
		t.Logf("T16: %d lines put to consent, %d of them with what cannot be seen: 0 differ from what ran", len(shown), odd)
		require.Greater(t, odd, n/10)
	})
}

// T22: help shows exactly the commands that run.
func TestHelpIsWhatRuns(t *testing.T) {
	users, commands := 300, 200
	if os.Getenv("STARLING_FIGURES") == "full" {
		users = 10_000
	}
	people := &people{}
	d := dice()
	role := func() string { return fmt.Sprint("role", d.IntN(12)) }
	ran := ""
	_, tb := table(t, guard.Config{Roles: people}, func(rt *handler.Router) {
		for i := range commands {
			name := fmt.Sprint("c", i)
			r := rt.Command(name, "Do it.", func(context.Context, *handler.Request) error { ran = name; return nil })
			for range d.IntN(3) {
				r.Policy.Roles = append(r.Policy.Roles, role())
			}
			switch d.IntN(6) {
			case 0:
				r.Policy.In = []string{"x/ops"}
			case 1:
				r.Policy.Direct = true
			case 2:
				r.Policy.Roles = append(r.Policy.Roles, "member")
			}
		}
	})
	kinds := []adapter.UserKind{adapter.KindMember, adapter.KindMember, adapter.KindGuest, adapter.KindBot, adapter.KindDeactivated}
	places := []adapter.Room{{ID: "ops", Kind: adapter.RoomChannel}, {ID: "dev", Kind: adapter.RoomChannel}, {ID: "d", Kind: adapter.RoomDirect}}
	shown, hidden := 0, 0
	for i := range users {
		u := adapter.User{Adapter: "x", ID: fmt.Sprint("U", i), Kind: kinds[d.IntN(len(kinds))]}
		var own []string
		for range d.IntN(5) {
			own = append(own, role())
		}
		people.give(u.Key(), own...)
		ev := &adapter.Event{ID: "1", Kind: adapter.KindMessage, Adapter: "x", User: u, Room: places[d.IntN(len(places))], Text: "starling help"}
		out := &listing{}
		help := handler.NewRequest(ev, out)
		help.In(tb)
		help.Route, help.Text = tb.Route("help"), "help"
		require.NoError(t, help.Handle(ctx))
		listed := out.commands()
		for i := range commands {
			name := fmt.Sprint("c", i)
			r := handler.NewRequest(ev, out)
			r.Route, r.Text, ran = tb.Route(name), name, ""
			err := r.Handle(ctx)
			require.Equal(t, ran == name, err == nil)
			require.Equal(t, ran == name, listed[name], "%s for %v in %s", name, u, ev.Room.ID)
			if ran == name {
				shown++
			} else {
				hidden++
			}
		}
	}
	t.Logf("T22: %d users x %d commands: help shows the %d that run and none of the %d that do not", users, commands, shown, hidden)
	require.NotZero(t, shown)
	require.NotZero(t, hidden)
}

// listing takes what help says.
type listing struct {
	handler.Effects
	text strings.Builder
}

// Said remembers nothing.
func (*listing) Said(*handler.Request, string, bool) {}

func (l *listing) Send(_ context.Context, _ *handler.Request, _ string, m *adapter.Message) ([]adapter.Ref, error) {
	l.text.WriteString(adapter.PlainText(m.Text) + "\n")
	return nil, nil
}

func (*listing) Can(string, handler.Verb) bool                 { return false }
func (*listing) Features(string) adapter.Features              { return adapter.Features{} }
func (*listing) Begin(context.Context, *handler.Request) error { return nil }

func (l *listing) commands() map[string]bool {
	out := map[string]bool{}
	for line := range strings.Lines(l.text.String()) {
		name, _, _ := strings.Cut(line, " - ")
		out[name] = true
	}
	return out
}

// broken is a store whose part under a prefix can fail.
type broken struct {
	brain.Store
	down atomic.Bool
}

var errDown = errors.New("the store is down")

func (s *broken) Get(ctx context.Context, key string) (brain.Entry, error) {
	if s.down.Load() {
		return brain.Entry{}, errDown
	}
	return s.Store.Get(ctx, key)
}

func (s *broken) Apply(ctx context.Context, ops ...brain.Op) ([]uint64, error) {
	if s.down.Load() {
		return nil, errDown
	}
	return s.Store.Apply(ctx, ops...)
}

func (s *broken) List(ctx context.Context, prefix string) iter.Seq2[brain.Entry, error] {
	if s.down.Load() {
		return func(yield func(brain.Entry, error) bool) { yield(brain.Entry{}, errDown) }
	}
	return s.Store.List(ctx, prefix)
}

// directory makes Roles on a store, as the roles of one process are.
func directory(t *testing.T, s brain.Store) *roles.Roles {
	t.Helper()
	r, err := roles.New(roles.Config{Brain: brain.New(s).Namespace("roles"), CacheFor: time.Minute})
	require.NoError(t, err)
	return r
}

// T23: a role that another process takes away opens nothing a minute later, and a policy with an approval or Dangerous at once.
func TestRevokeToDeny(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New()
		here, there := directory(t, store), directory(t, store)
		bob := adapter.User{Adapter: "x", ID: "bob", Kind: adapter.KindMember}
		var ran bool
		_, tb := table(t, guard.Config{Roles: here, Audit: &book{}}, func(rt *handler.Router) {
			do := func(context.Context, *handler.Request) error { ran = true; return nil }
			rt.Command("plain", "P.", do).Policy = handler.Policy{Roles: []string{"ops"}}
			rt.Command("dangerous", "D.", do).Policy = handler.Policy{Roles: []string{"ops"}, Dangerous: true}
		})
		try := func(name string) bool {
			ran = false
			r := handler.NewRequest(&adapter.Event{ID: "1", Adapter: "x", User: bob, Room: adapter.Room{ID: "r"}, Text: name}, &listing{})
			r.Route = tb.Route(name)
			_ = r.Handle(ctx)
			return ran
		}
		worst := time.Duration(0)
		for i := range 50 {
			require.NoError(t, there.Grant(ctx, "ops", bob, adapter.User{}))
			time.Sleep(time.Minute)
			require.True(t, try("plain"))
			require.True(t, try("dangerous"))
			time.Sleep(time.Duration(i) * 1300 * time.Millisecond % time.Minute)
			require.NoError(t, there.Revoke(ctx, "ops", bob, adapter.User{}))
			revoked := time.Now()
			if i%2 == 0 {
				require.False(t, try("dangerous"), "read afresh")
				continue
			}
			for try("plain") {
				time.Sleep(100 * time.Millisecond)
			}
			worst = max(worst, time.Since(revoked))
			time.Sleep(time.Minute)
			require.False(t, try("plain"))
		}
		t.Logf("T23: a role revoked in another process denies after at most %v, a dangerous command at once", worst)
		require.LessOrEqual(t, worst, time.Minute)
	})
}

// T34: the brain of the roles is out for five minutes: what was known opens something for a minute at most, nothing that was not
// allowed runs, and all is well within seconds.
func TestBrainOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &broken{Store: memory.New()}
		people := directory(t, store)
		bob, eve := adapter.User{Adapter: "chat", ID: "bob", Kind: adapter.KindMember}, adapter.User{Adapter: "chat", ID: "eve", Kind: adapter.KindMember}
		require.NoError(t, people.Grant(ctx, "ops", bob, adapter.User{}))
		g, err := guard.New(guard.Config{Roles: people, Audit: &book{}})
		require.NoError(t, err)
		by := map[string]int{}
		rt := handler.NewRouter()
		rt.Use(g.Enforce)
		do := func(_ context.Context, r *handler.Request) error { by[r.Event.User.ID+" "+r.Route.ID]++; return nil }
		rt.Command("plain", "P.", do).Policy = handler.Policy{Roles: []string{"ops"}}
		rt.Command("dangerous", "D.", do).Policy = handler.Policy{Roles: []string{"ops"}, Dangerous: true}
		chat := newSource("chat")
		run(t, starling.Config{Router: rt}, chat) // its events wait in memory
		n := 0
		say := func(u adapter.User, what string) bool {
			n++
			name := u.ID + " " + what
			was := by[name]
			require.NoError(t, chat.feed(ctx, &adapter.Event{ID: fmt.Sprint(n), Kind: adapter.KindMessage, Room: adapter.Room{ID: u.ID + what}, User: u, Text: "starling " + what}))
			synctest.Wait()
			return by[name] > was
		}
		require.True(t, say(bob, "plain"))
		require.True(t, say(bob, "dangerous"))
		require.True(t, say(bob, "plain"))
		store.down.Store(true)
		cut := time.Now()
		last, tries := time.Duration(0), 0
		for time.Since(cut) < 5*time.Minute {
			tries++
			if say(bob, "plain") {
				last = time.Since(cut)
			}
			require.False(t, say(eve, "plain"))
			require.False(t, say(eve, "dangerous"))
			time.Sleep(time.Second)
		}
		require.False(t, say(bob, "dangerous"), "a dangerous command needs a live brain")
		store.down.Store(false)
		healed := time.Now()
		for !say(bob, "plain") {
			time.Sleep(100 * time.Millisecond)
		}
		recovered := time.Since(healed)
		require.False(t, say(eve, "plain"))
		require.True(t, say(bob, "dangerous"))
		t.Logf("T34: 5 min without the brain, %d tries: 0 unauthorised, known roles counted for %v, recovered in %v", tries, last, recovered)
		require.LessOrEqual(t, last, time.Minute)
		require.LessOrEqual(t, recovered, 5*time.Second)
	})
}

// crowd is a guard with 200 roles and 10,000 members, each with ten of them, all known.
func crowd(t testing.TB) (*guard.Guard, *handler.Route, []*adapter.Event) {
	store := memory.New()
	people, err := roles.New(roles.Config{Brain: brain.New(store).Namespace("roles"), Sources: []roles.Source{groups{}}, CacheFor: time.Minute})
	require.NoError(t, err)
	g, tb := table(t, guard.Config{Roles: people}, func(rt *handler.Router) {
		for i := range 200 {
			rt.Command(fmt.Sprint("c", i), "C.", nothing).Policy = handler.Policy{Roles: []string{fmt.Sprint("role", i)}}
		}
	})
	route := tb.Route("c7")
	var events []*adapter.Event
	for i := range 10_000 {
		ev := &adapter.Event{Adapter: "x", User: adapter.User{Adapter: "x", Tenant: "T", ID: fmt.Sprint("U", i), Kind: adapter.KindMember}}
		require.Equal(t, i%20 == 7, g.Allowed(ctx, ev, route))
		events = append(events, ev)
	}
	return g, route, events
}

// groups gives the members of crowd their roles.
type groups struct{}

func (groups) Roles(_ context.Context, u adapter.User) ([]string, error) {
	i, err := strconv.Atoi(u.ID[1:])
	if err != nil {
		return nil, err
	}
	var out []string
	for r := range 10 {
		out = append(out, fmt.Sprint("role", (i+r*20)%200))
	}
	return out, nil
}

// A plain role check takes under a microsecond with 200 roles and 10,000 members, and allocates nothing.
func TestSpeed(t *testing.T) {
	g, route, events := crowd(t)
	yes := slices.DeleteFunc(slices.Clone(events), func(ev *adapter.Event) bool { return !g.Allowed(ctx, ev, route) })
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		if !g.Allowed(ctx, yes[0], route) {
			t.Fatal("no")
		}
	}))
	if testing.Short() || raceEnabled {
		return // figures of no meaning
	}
	one, all := perDecision(g, route, yes[:1]), perDecision(g, route, events)
	t.Logf("a decision on a role, 200 roles and 10,000 members: %v for one member who may, %v over all members (cold memory), 0 allocations", one, all)
	const n = 20_000
	begun := time.Now()
	for range n {
		require.NoError(t, whole(yes[0], route))
	}
	t.Logf("a whole request through the guard, without an audit log, the making of the request included: %v", time.Since(begun)/n)
	require.Less(t, one, 50*time.Microsecond, "fifty times what is wanted: not the machine's fault")
}

// perDecision measures the best of five rounds: what others do on the machine is no part of it.
func perDecision(g *guard.Guard, route *handler.Route, events []*adapter.Event) time.Duration {
	const n = 40_000
	best := time.Hour
	for range 5 {
		begun := time.Now()
		for i := range n {
			g.Allowed(ctx, events[i%len(events)], route)
		}
		best = min(best, time.Since(begun)/n)
	}
	return best
}

func whole(ev *adapter.Event, route *handler.Route) error {
	r := handler.NewRequest(ev, &listing{})
	r.Route = route
	return r.Handle(ctx)
}

// BenchmarkDecision is a decision on a role, with 200 roles and 10,000 members.
func BenchmarkDecision(b *testing.B) {
	g, route, events := crowd(b)
	b.Run("one member", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			g.Allowed(ctx, events[7], route)
		}
	})
	b.Run("all members", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			if i++; i == len(events) {
				i = 0
			}
			g.Allowed(ctx, events[i], route)
		}
	})
	b.Run("whole request", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := whole(events[7], route); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// R11: while rules are reloaded, half of them bad, no decision is made without them, and a bad set leaves those before.
func TestReloads(t *testing.T) {
	const reloads = 500
	people := &people{}
	people.give("x//U1", "a", "b")
	people.give("x//U2", "a")
	g, tb := table(t, guard.Config{Roles: people}, func(rt *handler.Router) {
		rt.Command("wipe", "W.", nothing)
	})
	rule := func(role string) map[string]handler.Rule {
		return map[string]handler.Rule{"wipe": {Policy: handler.Policy{Roles: []string{role, "c"}}}}
	}
	require.NoError(t, tb.SetPolicies(rule("b"), []string{"x"}))
	var decisions, wrong atomic.Int64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			decisions.Add(2)
			if !g.Allowed(ctx, &adapter.Event{Adapter: "x", User: adapter.User{Adapter: "x", ID: "U1"}}, tb.Route("wipe")) ||
				g.Allowed(ctx, &adapter.Event{Adapter: "x", User: adapter.User{Adapter: "x", ID: "U2"}}, tb.Route("wipe")) {
				wrong.Add(1)
			}
		}
	}()
	bad := 0
	for i := range reloads {
		if i%2 == 0 {
			bad++
			rules := rule("a")
			rules["nonsense"] = handler.Rule{Policy: handler.Policy{Direct: true}}
			require.Error(t, tb.SetPolicies(rules, []string{"x"}))
			continue
		}
		require.NoError(t, tb.SetPolicies(rule("b"), []string{"x"}))
	}
	for decisions.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	close(stop)
	<-done
	t.Logf("R11: %d reloads, %d of them bad, during %d decisions: %d wrong", reloads, bad, decisions.Load(), wrong.Load())
	require.Zero(t, wrong.Load())
}
