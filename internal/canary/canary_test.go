package canary_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/brain/sealed"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/admin"
	"github.com/starlingbot/starling/handler/audit"
	"github.com/starlingbot/starling/handler/history"
	"github.com/starlingbot/starling/handler/jobs"
	"github.com/starlingbot/starling/handler/otp"
	"github.com/starlingbot/starling/handler/roles"
	"github.com/starlingbot/starling/internal/canary"
	"github.com/starlingbot/starling/middleware"
	"github.com/starlingbot/starling/middleware/guard"
	"github.com/starlingbot/starling/testutil"
)

// sink is a place that text leaves to. It is for several goroutines.
type sink struct {
	name  string
	kind  canary.Kind
	mu    sync.Mutex
	bytes int
	found []canary.Hit
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes += len(p)
	canary.Write(s.kind, p)
	if len(s.found) < 5 {
		s.found = append(s.found, canary.Find(p)...)
	}
	return len(p), nil
}

func (s *sink) json(t *testing.T, v any) {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	_, _ = s.Write(data)
}

type secretArgs struct {
	Service string         `arg:"service"`
	Token   handler.Secret `flag:"token" secret:""`
	Key     handler.Secret `arg:"key" secret:""`
}

// world is a bot with everything that could tell a secret.
type world struct {
	*testutil.Bot
	t                                       *testing.T
	store                                   brain.Store
	log                                     *audit.Log
	seen                                    map[string]uint64 // what was kept when it looked: the revisions
	posts, logs, audits, health, kept, errs *sink
	entered                                 chan struct{} // a command that hangs has begun
	resume                                  chan struct{}
}

func key(name string) string { return "chat//u-" + name }

func begin(t *testing.T, w *world) {
	t.Helper()
	w.store, w.seen = memory.New(), nil
	w.Bot = testutil.Start(t, w.config())
	for name, role := range map[string]string{"bob": "deployer", "carol": "sre"} {
		w.User(name)
		w.User("alice").Direct("role grant " + role + " --key " + key(name))
		w.ExpectMatch("@alice", role)
	}
}

// config makes the bot anew, as its program does when it starts again.
func (w *world) config() starling.Config {
	t := w.t
	state := brain.New(w.store)
	keys, err := sealed.ParseKeys("k1:Y25yeW1hcmstc2VhbGVkLWtleS1udW1iZXItb25lLXg=")
	require.NoError(t, err)
	log, err := audit.New(audit.Config{Brain: state.Namespace("audit"), Key: handler.NewSecret(canary.Secret("audit-key-of-more-than-32-bytes")), Logger: slog.New(slog.NewJSONHandler(w.logs, nil))})
	require.NoError(t, err)
	t.Cleanup(func() { _ = log.Close(context.Background()) })
	w.log = log
	people, err := roles.New(roles.Config{Brain: state.Namespace("roles"), Admins: []string{key("alice")}})
	require.NoError(t, err)
	factor, err := otp.New(otp.Config{Brain: state.Namespace("otp"), Keys: keys, Issuer: "Starling"})
	require.NoError(t, err)
	g, err := guard.New(guard.Config{Roles: people, Brain: state.Namespace("guard"), Audit: log, Factor: factor, BreakGlass: "sre"})
	require.NoError(t, err)
	people.UseExplainer(g)
	admins := handler.Policy{Roles: []string{roles.Admin}}
	rt := handler.NewRouter()
	rt.Use(middleware.Log(slog.New(slog.NewJSONHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))), middleware.Recover(), g.Enforce)
	rt.Outgoing(func(next handler.Send) handler.Send {
		return func(ctx context.Context, m *adapter.Message) ([]adapter.Ref, error) {
			w.posts.json(t, m)
			refs, err := next(ctx, m)
			if err != nil {
				_, _ = w.errs.Write([]byte(err.Error()))
			}
			return refs, err
		}
	})
	rt.Mount("guard", g.Routes())
	rt.Mount("roles", people.Routes())
	rt.Mount("jobs", jobs.New(jobs.Config{}))
	rt.Mount("history", history.New())
	audit.Routes(rt, log, admins)
	otp.Routes(rt, factor, admins)
	off, err := admin.NewSwitch(admin.SwitchConfig{Brain: state.Namespace("admin")})
	require.NoError(t, err)
	commands, err := admin.New(admin.Config{Bot: admin.Of(func() *starling.Bot { return w.Bot.Bot() }), Switch: off, Backup: state, Policy: admins})
	require.NoError(t, err)
	rt.Mount("admin", commands)
	w.commands(rt)
	return starling.Config{
		Router: rt, Brain: state, Adapters: w.adapters(), Attempts: 1, Logger: slog.New(slog.NewJSONHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true})),
		Limits: starling.Limits{UserRate: -1, RoomRate: -1}, MaxAge: time.Hour,
	}
}

func (w *world) adapters() []adapter.Adapter {
	if w.Bot != nil {
		return []adapter.Adapter{w.Chat}
	}
	return []adapter.Adapter{testutil.NewChat(testutil.ChatConfig{Moderates: true})}
}

// commands are those that people write: they handle secrets badly.
func (w *world) commands(rt *handler.Router) {
	w.entered, w.resume = make(chan struct{}, 1), make(chan struct{}) // a bot that was killed hangs on its own
	deployer := handler.Policy{Roles: []string{"deployer"}}
	add := func(name string, change func(*handler.Command[secretArgs]), run func(ctx context.Context, r *handler.Request, a secretArgs) error) {
		c := handler.Command[secretArgs]{Name: name, Summary: "Take a secret.", Policy: deployer, Run: run}
		if change != nil {
			change(&c)
		}
		rt.Add(c)
	}
	say := func(ctx context.Context, r *handler.Request, a secretArgs) error {
		r.Log().Info("these are the arguments", "args", a, "token", a.Token, "all", fmt.Sprintf("%+v %#v %s %q %x", a, a, a.Token, a.Key, a.Key))
		return r.Reply(ctx, "done %s with %v and %v: %s", a.Service, a.Token, a, a.Key)
	}
	add("rotate", nil, say)
	add("confirm", func(c *handler.Command[secretArgs]) {
		c.Confirm = func(a secretArgs) string { return fmt.Sprintf("Really %s with %v %+v?", a.Service, a.Token, a) }
	}, say)
	add("approved", func(c *handler.Command[secretArgs]) {
		c.Policy.Approvals, c.Policy.ApprovedBy = 1, "sre"
		c.Exclusive = func(a secretArgs) string { return a.Service }
	}, say)
	add("dangerous", func(c *handler.Command[secretArgs]) { c.Policy.Dangerous = true }, say)
	add("elevated", func(c *handler.Command[secretArgs]) { c.Policy.Elevate = time.Minute }, say)
	add("late", func(c *handler.Command[secretArgs]) { c.Background = true }, say)
	add("panics", nil, func(_ context.Context, _ *handler.Request, a secretArgs) error { panic(a) })
	add("panics more", nil, func(_ context.Context, _ *handler.Request, a secretArgs) error {
		panic(fmt.Errorf("wrapped %v %w", a, fmt.Errorf("%+v", a.Key)))
	})
	add("fails", nil, func(_ context.Context, _ *handler.Request, a secretArgs) error {
		return fmt.Errorf("cannot log in as %s with %s: %+v", a.Service, a.Token, a)
	})
	add("keeps", nil, func(ctx context.Context, r *handler.Request, a secretArgs) error {
		_, err := handler.Change(ctx, r, "last", func(last *secretArgs) error { *last = a; return nil })
		return err
	})
	add("program", nil, func(ctx context.Context, r *handler.Request, a secretArgs) error {
		res, err := handler.Exec(ctx, r, handler.Program{Path: "false", SecretEnv: map[string]handler.Secret{"TOKEN": a.Key}})
		r.Log().Info("the program", "result", res)
		return err
	})
	add("program badly", nil, func(ctx context.Context, r *handler.Request, a secretArgs) error {
		_, err := handler.Exec(ctx, r, handler.Program{Path: "echo", Args: []handler.Arg{handler.Value(a.Key)}})
		return err
	})
	add("hangs", func(c *handler.Command[secretArgs]) { c.OnCrash = handler.OnCrashReport }, w.hang())
	add("hangs again", func(c *handler.Command[secretArgs]) { c.OnCrash = handler.OnCrashRerun }, w.hang())
}

func (w *world) hang() func(ctx context.Context, r *handler.Request, a secretArgs) error {
	entered, resume := w.entered, w.resume
	return func(ctx context.Context, r *handler.Request, a secretArgs) error {
		if err := r.Progress(ctx, "working with %v", a); err != nil {
			return err
		}
		entered <- struct{}{}
		select {
		case <-resume:
			return r.Reply(ctx, "hung")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

var names = []string{"rotate", "confirm", "approved", "dangerous", "elevated", "late", "panics", "panics more", "fails", "keeps", "program", "program badly"}

// TestNoSecretLeaves is T19.
func TestNoSecretLeaves(t *testing.T) {
	want := 4 << 20 // bytes of its own outputs; what testutil writes beside them comes on top
	if os.Getenv("STARLING_FIGURES") == "full" {
		want = 300 << 20
	}
	w := &world{t: t}
	all := []**sink{&w.posts, &w.logs, &w.audits, &w.health, &w.kept, &w.errs}
	kinds := []canary.Kind{canary.Posts, canary.Logs, canary.Audit, canary.Logs, canary.Kept, canary.Logs}
	for i, name := range []string{"posts", "logs", "audit", "health", "what is kept", "errors"} {
		*all[i] = &sink{name: name, kind: kinds[i]}
	}
	total := func() (n int) {
		for _, s := range all {
			n += (*s).bytes
		}
		return n
	}
	const seed = 19
	rnd := rand.New(rand.NewPCG(seed, 1))
	said := 0
	for total() < want {
		synctest.Test(t, func(t *testing.T) {
			w.t, w.Bot = t, nil
			begin(t, w)
			w.Patience = time.Minute
			for range 40 {
				said += w.round(rnd)
			}
			w.search()
		})
		for _, s := range all {
			require.Empty(t, (*s).found, (*s).name)
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("T19: %d secrets said, seed %d: 0 in %d kB of posts, %d kB of logs, %d kB of audit, %d kB of health, %d kB of what is kept",
		said, seed, w.posts.bytes>>10, w.logs.bytes>>10, w.audits.bytes>>10, w.health.bytes>>10, w.kept.bytes>>10)
}

// round says some secrets, each in a way of its own, and tells how many.
func (w *world) round(rnd *rand.Rand) int {
	n := 0
	secret := func() string {
		n++
		return canary.Mark + fmt.Sprintf("%016x", rnd.Uint64())
	}
	who := w.User([]string{"bob", "bob", "bob", "eve", "alice"}[rnd.IntN(5)])
	name := names[rnd.IntN(len(names))]
	line := func() string { return fmt.Sprintf("%s api --token %s %s", name, secret(), secret()) }
	switch rnd.IntN(12) {
	case 0, 1:
		who.Direct(line())
	case 2:
		who.Say("#ops", "starling "+line())
	case 3:
		who.Invoke("#ops", name, fmt.Sprintf("api %s token:%s", secret(), secret()))
	case 4:
		w.Chat.Deliver(&adapter.Event{
			Kind: adapter.KindInvocation, User: who.User, Room: w.Room("#ops"),
			Invocation: &adapter.Invocation{Command: name, Options: map[string]string{"service": "api", "token": secret(), "key": secret()}},
		})
	case 5: // wrong in one way or another
		wrong := []string{" --bogus " + secret(), " --token " + secret(), ` "` + secret(), " " + secret() + " " + secret(), " --tokn=" + secret(), " --wait " + strings.Repeat(secret(), 5000)}
		where := []string{"@" + who.Name, "#ops"}[rnd.IntN(2)]
		prefix := map[byte]string{'#': "starling "}[where[0]]
		who.Say(where, prefix+line()+wrong[rnd.IntN(len(wrong))])
	case 6: // asked for
		where := []string{"@" + who.Name, "#ops"}[rnd.IntN(2)]
		who.Say(where, map[byte]string{'#': "starling "}[where[0]]+name+" api")
		w.Idle()
		who.Direct(secret())
	case 7: // a name that is none
		who.Direct("rotat api --token " + secret())
		who.Direct("code " + secret())
		who.Direct("factor confirm " + secret())
	case 8: // what a room is told of a request
		who.Direct("approved api " + secret())
		w.Idle()
		w.User("carol").Direct("pending")
	case 9: // canceled
		bob := w.User("bob")
		bob.Direct("hangs api " + secret())
		<-w.entered
		bob.Direct("jobs")
		w.User("alice").Direct("jobs")
		if rnd.IntN(2) == 0 {
			w.resume <- struct{}{}
			break
		}
		w.Kill()
		w.Start(func(c *starling.Config) { *c = w.config() })
		w.Idle()
	case 10: // a dead letter
		w.User("bob").Direct("hangs again api " + secret())
		for range 2 { // whoever takes it over counts the first attempt that is on record
			<-w.entered
			w.Kill()
			w.Start(func(c *starling.Config) { *c = w.config() })
		}
		w.Idle()
		letters, err := w.Bot.Bot().DeadLetters(context.Background())
		require.NoError(w.t, err)
		require.NotEmpty(w.t, letters, "an event that was begun once and not ended")
		w.User("alice").Direct("dead list")
		for _, l := range letters {
			w.User("alice").Direct("dead show " + l.ID)
			w.Idle()
			require.NoError(w.t, w.Bot.Bot().RemoveDeadLetter(context.Background(), l.ID))
		}
	case 11:
		who.Direct("history")
		who.Direct("!!")
		w.User("alice").Direct("status")
		w.User("alice").Direct("audit")
	}
	w.Idle()
	w.look()
	w.decide(rnd)
	return n
}

// decide answers what waits: questions, and requests for consent.
func (w *world) decide(rnd *rand.Rand) {
	for _, name := range []string{"bob", "alice"} {
		w.User(name).Direct([]string{"yes", "no", "cancel"}[rnd.IntN(3)])
	}
	if rnd.IntN(3) > 0 {
		return
	}
	w.Idle()
	for _, p := range w.Chat.Posts("#ops") {
		for _, b := range p.Message.Buttons {
			if b.Label == "Approve" && !p.Deleted {
				w.User("carol").Press(&p, []string{"Approve", "Deny"}[rnd.IntN(2)])
			}
		}
	}
	w.User("carol").Direct("pending")
	w.Idle()
}

// search looks into what is kept when all is over, into the audit log and into what the bot tells of itself.
func (w *world) search() {
	t, ctx := w.t, context.Background()
	t.Helper()
	for _, name := range []string{"bob", "alice", "eve"} {
		w.User(name).Direct("cancel")
	}
	w.Idle()
	w.health.json(t, w.Bot.Bot().Health())
	w.health.json(t, w.Bot.Bot().Stats())
	_, err := w.log.Export(ctx, w.audits, audit.Filter{})
	require.NoError(t, err)
	w.look()
}

// look looks into what is kept now and was not when it looked before: nothing is under way, and people may be waited for.
func (w *world) look() {
	w.t.Helper()
	seen := map[string]uint64{}
	for e, err := range w.store.List(context.Background(), "") {
		require.NoError(w.t, err)
		if seen[e.Key] = e.Rev; w.seen[e.Key] == e.Rev {
			continue
		}
		_, _ = fmt.Fprintf(w.kept, "%s %s\n", e.Key, e.Value)
	}
	w.seen = seen
}
