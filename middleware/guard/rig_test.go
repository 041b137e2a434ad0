package guard_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/audit"
	"github.com/starlingbot/starling/middleware/guard"
	"github.com/starlingbot/starling/testutil"
)

var ctx = context.Background()

// people is the source of roles of these tests: by the key of the account, as a good source has it.
type people struct {
	mu    sync.Mutex
	roles map[string][]string
	fail  error
	reads int
}

func (p *people) give(key string, roles ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.roles == nil {
		p.roles = map[string][]string{}
	}
	slices.Sort(roles)
	p.roles[key] = roles
}

func (p *people) break_(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail = err
}

func (p *people) Of(_ context.Context, u adapter.User) ([]string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reads++
	if p.fail != nil {
		return nil, p.fail
	}
	return p.roles[u.Key()], nil
}

// book is the audit log of these tests.
type book struct {
	mu      sync.Mutex
	records []audit.Record
	fail    error
}

func (b *book) Append(_ context.Context, r audit.Record) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return b.fail
	}
	b.records = append(b.records, r)
	return nil
}

func (b *book) break_(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail = err
}

// lines gives the records in short: phase, who, decision, outcome.
func (b *book) lines() (out []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.records {
		out = append(out, fmt.Sprintf("%s %s %s: %s %s", r.Phase, r.Who.Name, r.Route, r.Decision, r.Outcome))
	}
	return out
}

func (b *book) all() []audit.Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.records)
}

// codes is the second factor of these tests: the code of everybody is their id and a number, each good once.
type codes struct {
	mu    sync.Mutex
	none  map[string]bool
	right string
	used  map[string]bool
	fail  error
}

func (*codes) Name() string { return "codes" }

func (c *codes) Enrolled(_ context.Context, key string) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.none[key], c.fail
}

func (c *codes) Verify(_ context.Context, key, code string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		return c.fail
	}
	if code != c.right || c.used[key+code] {
		return errors.New("codes: wrong")
	}
	if c.used == nil {
		c.used = map[string]bool{}
	}
	c.used[key+code] = true
	return nil
}

// recorded gives the records in short, when nothing is under way any more.
func (w *world) recorded() []string {
	w.t.Helper()
	w.Idle()
	return w.book.lines()
}

// records gives the records, when nothing is under way any more.
func (w *world) records() []audit.Record {
	w.t.Helper()
	w.Idle()
	return w.book.all()
}

type deployArgs struct {
	Service string        `arg:"service"`
	Env     string        `arg:"env" word:"to" enum:"staging,prod" default:"staging"`
	Note    string        `flag:"note" text:""`
	Wait    time.Duration `flag:"wait" default:"10m"`
}

// world is a bot with a guard, and what the tests look into.
type world struct {
	*testutil.Bot
	t       *testing.T
	people  *people
	book    *book
	codes   *codes
	guard   *guard.Guard
	store   brain.Store
	ran     atomic.Int32
	lines   sync.Map // what ran, by delivery
	deploys chan deployArgs
}

// options of a world.
type options struct {
	guard  func(*guard.Config)
	config func(*starling.Config)
	routes func(w *world, rt *handler.Router)
	inside func(w *world) handler.Middleware // between the guard and the routes
	deploy func(*handler.Command[deployArgs])
	chat   testutil.ChatConfig
	store  brain.Store
}

// key of a user of the chat.
func key(name string) string { return "chat//u-" + name }

// newWorld runs a bot: bob is a deployer, carol and dave are sre, eve has nothing.
func newWorld(t *testing.T, o options) *world {
	t.Helper()
	w := &world{t: t, people: &people{}, book: &book{}, codes: &codes{right: "123456"}, store: o.store, deploys: make(chan deployArgs, 4096)}
	if w.store == nil {
		w.store = memory.New()
	}
	w.people.give(key("bob"), "deployer")
	w.people.give(key("carol"), "sre")
	w.people.give(key("dave"), "deployer", "sre")
	w.people.give(key("root"), "breakglass")
	w.start(o)
	return w
}

// start runs the bot.
func (w *world) start(o options) {
	w.t.Helper()
	cfg := starling.Config{
		Router: w.router(o), Brain: brain.New(w.store), Adapters: []adapter.Adapter{testutil.NewChat(o.chat)},
		Limits: starling.Limits{UserRate: -1, RoomRate: -1},
	}
	if o.config != nil {
		o.config(&cfg)
	}
	w.Bot = testutil.Start(w.t, cfg)
}

// router makes the routes anew, as the program of a bot that starts again does.
func (w *world) router(o options) *handler.Router {
	w.t.Helper()
	gc := guard.Config{Roles: w.people, Audit: w.book, Factor: w.codes, Brain: brain.New(w.store).Namespace("guard")}
	if o.guard != nil {
		o.guard(&gc)
	}
	g, err := guard.New(gc)
	require.NoError(w.t, err)
	w.guard = g
	rt := handler.NewRouter()
	rt.Use(g.Enforce)
	if o.inside != nil {
		rt.Use(o.inside(w))
	}
	rt.Mount("guard", g.Routes())
	cmd := handler.Command[deployArgs]{
		Name: "deploy", Summary: "Ship a service.", Policy: handler.Policy{Roles: []string{"deployer"}},
		When: func(a deployArgs) handler.Policy {
			if a.Env == "prod" {
				return handler.Policy{Approvals: 1, ApprovedBy: "sre"}
			}
			return handler.Policy{}
		},
		Run: func(ctx context.Context, r *handler.Request, a deployArgs) error {
			w.ran.Add(1)
			w.lines.Store(r.Delivery, r.Intent().Line)
			select {
			case w.deploys <- a:
			default:
			}
			return r.Reply(ctx, "deployed %s to %s", a.Service, a.Env)
		},
	}
	if o.deploy != nil {
		o.deploy(&cmd)
	}
	rt.Add(cmd)
	if o.routes != nil {
		o.routes(w, rt)
	}
	return rt
}

// request waits for a request for consent in a place, and gives its id and the post.
func (w *world) request(where string) (string, *testutil.Post) {
	w.t.Helper()
	p := w.ExpectMatch(where, `(?s)asks to run.*approve (req-[a-z0-9]+)`)
	return requestID(w.t, p.Text), p
}

func requestID(t *testing.T, text string) string {
	t.Helper()
	id := requestForm.FindString(text)
	require.NotEmpty(t, id, text)
	return id
}

// await waits for what a test needs to go on, and fails it when that does not come.
func await(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(20 * time.Second):
		t.Fatal("what the test waits for has not happened")
	}
}
