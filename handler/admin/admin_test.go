package admin_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/admin"
	"github.com/starlingbot/starling/testutil"
)

var _ = flag.Bool("update", false, "rewrite the golden transcripts")

var ctx = context.Background()

func space(s brain.Store) *brain.Brain { return brain.New(s).Namespace("admin") }

// world is a bot with the commands, a deploy and a badger.
type world struct {
	*testutil.Bot
	t     *testing.T
	store brain.Store
	off   *admin.Switch
	level *slog.LevelVar
	cfg   admin.Config
	audit []string
	fail  error // of the audit
	mayBe error // of May
}

func begin(t *testing.T, change ...func(*admin.Config)) *world {
	t.Helper()
	w := plan(t, change...)
	w.Bot = testutil.Start(t, starling.Config{Router: w.router(), Brain: brain.New(w.store)})
	return w
}

func plan(t *testing.T, change ...func(*admin.Config)) *world {
	t.Helper()
	w := &world{t: t, store: memory.New(), level: new(slog.LevelVar)}
	w.cfg = admin.Config{
		Bot: admin.Of(func() *starling.Bot { return w.Bot.Bot() }), Level: w.level, Backup: brain.New(w.store), Version: "v1.2.3",
		May: func(_ context.Context, u adapter.User) (bool, error) { return u.Key() == "chat//u-alice", w.mayBe },
		Audit: func(_ context.Context, a admin.Action) error {
			require.NotEmpty(t, a.Correlation)
			require.Equal(t, "chat//u-alice", a.By.Key())
			w.audit = append(w.audit, strings.TrimSpace(a.Command+" "+a.Args)+" in "+a.Room.Room)
			return w.fail
		},
	}
	for _, f := range change {
		f(&w.cfg)
	}
	return w
}

// router makes the bot's router; a second life has its own.
func (w *world) router() *handler.Router {
	var err error
	w.off, err = admin.NewSwitch(admin.SwitchConfig{Brain: space(w.store)})
	require.NoError(w.t, err)
	w.cfg.Switch = w.off
	return routerOf(w.t, w.cfg)
}

func routerOf(t testing.TB, cfg admin.Config) *handler.Router {
	t.Helper()
	rt := handler.NewRouter()
	if cfg.Switch != nil {
		rt.Use(cfg.Switch.Enforce)
	}
	rt.Command("deploy", "Ship it.", func(ctx context.Context, r *handler.Request) error { return r.Reply(ctx, "deployed") })
	rt.Hear("badger", func(ctx context.Context, r *handler.Request) error { return r.Reply(ctx, "BADGER") }).ID = "honey"
	routes, err := admin.New(cfg)
	require.NoError(t, err)
	rt.Mount("admin", routes)
	return rt
}

// settled is a bot that counts when nothing else is under way: an event may be handled a moment before it is counted as accepted.
type settled struct{ admin.Bot }

func (s settled) Stats() admin.Stats {
	time.Sleep(time.Nanosecond) // on the fake clock, which stands still until all others wait
	return s.Bot.Stats()
}

func TestTranscript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := plan(t)
		w.cfg.Bot = settled{w.cfg.Bot}
		chat := testutil.NewChat(testutil.ChatConfig{ID: "transcript"})
		w.Bot = testutil.Start(t, starling.Config{Router: w.router(), Brain: brain.New(w.store), Adapters: []adapter.Adapter{chat}})
		w.Play("testdata/admin.txt")
		require.Equal(t, slog.LevelDebug, w.level.Level())
	})
}

func TestMistakesOfTheConfiguration(t *testing.T) {
	_, err := admin.New(admin.Config{})
	require.ErrorContains(t, err, "Config.Bot is nil")
	require.ErrorContains(t, err, "everybody would be an admin")
	_, err = admin.New(admin.Config{Bot: &fake{}, Policy: handler.Policy{Roles: []string{"admin"}}})
	require.NoError(t, err, "the guard asks")
	_, err = admin.NewSwitch(admin.SwitchConfig{CacheFor: time.Minute + 1})
	require.ErrorContains(t, err, "SwitchConfig.Brain is nil")
	require.ErrorContains(t, err, "SwitchConfig.CacheFor is 1m0.000000001s")
	_, err = admin.NewSwitch(admin.SwitchConfig{Brain: space(memory.New()), CacheFor: -1})
	require.Error(t, err)
}

// Every route has the policy, and what is not configured is not there.
func TestRoutes(t *testing.T) {
	policy := handler.Policy{Roles: []string{"admin"}, Dangerous: true}
	off, err := admin.NewSwitch(admin.SwitchConfig{Brain: space(memory.New())})
	require.NoError(t, err)
	names := func(cfg admin.Config) (out []string) {
		rt, err := admin.New(cfg)
		require.NoError(t, err)
		for r := range rt.Routes() {
			name, _ := r.CommandName()
			require.Equal(t, policy, r.Policy, name)
			out = append(out, name)
		}
		return out
	}
	require.Equal(t, []string{"status", "dead list", "dead show", "dead replay"}, names(admin.Config{Bot: &fake{}, Policy: policy}))
	require.Equal(t, []string{"status", "dead list", "dead show", "dead replay", "disable", "enable", "loglevel", "backup"},
		names(admin.Config{Bot: &fake{}, Policy: policy, Switch: off, Level: new(slog.LevelVar), Backup: brain.New(memory.New())}))
}

var lines = []string{
	"status", "dead list", "dead show x", "dead replay x", "disable deploy", "enable deploy", "loglevel debug", "backup",
}

// Nobody but those who may runs any of the commands, and nothing is audited as if they had.
func TestOnlyThoseWhoMay(t *testing.T) {
	w := begin(t)
	for _, line := range lines {
		w.User("bob").Direct(line)
		w.ExpectDirect("bob", "That is for those who run the bot.")
	}
	w.mayBe = errors.New("nobody knows")
	for _, line := range lines {
		w.User("alice").Direct(line)
		require.Regexp(t, "^Sorry|wrong|failed", w.next("alice"))
	}
	require.Empty(t, w.audit)
	require.Equal(t, slog.LevelInfo, w.level.Level())
	off, err := w.off.Off(ctx)
	require.NoError(t, err)
	require.Empty(t, off)
}

// next gives the bot's next post in a direct room.
func (w *world) next(user string) string {
	w.t.Helper()
	return w.ExpectMatch("@"+user, "").Text
}

// Every command is audited before it has an effect, and has none when that fails.
func TestAudit(t *testing.T) {
	w := begin(t)
	w.fail = errors.New("the log is full")
	for _, line := range lines {
		if line == "enable deploy" {
			continue // it is on: there is nothing to do
		}
		w.User("alice").Direct(line)
		w.ExpectDirect("alice", "Nothing was done, because it could not be audited.")
	}
	require.Equal(t, slog.LevelInfo, w.level.Level())
	w.User("bob").Direct("deploy")
	w.ExpectDirect("bob", "deployed")
	require.Equal(t, []string{
		"status in d-alice", "dead list in d-alice", "dead show x in d-alice", "dead replay x in d-alice", "disable admin in d-alice",
		"loglevel debug in d-alice", "backup in d-alice",
	}, replaced(w.audit, "disable deploy", "disable admin"))

	w.fail, w.audit = nil, nil
	w.User("alice").Direct("disable deploy because I say so")
	w.next("alice")
	w.User("alice").Direct("disable deploy")
	w.next("alice")
	w.fail = errors.New("the log is full")
	w.User("alice").Direct("enable deploy")
	w.ExpectDirect("alice", "Nothing was done, because it could not be audited.")
	w.fail = nil
	w.User("bob").Direct("deploy")
	require.Contains(t, w.next("bob"), "is switched off by alice")
	w.User("alice").Direct("enable deploy")
	w.next("alice")
	require.Equal(t, []string{"disable deploy because I say so in d-alice", "enable deploy in d-alice", "enable deploy in d-alice"}, w.audit, "what changes nothing is no change")
}

func replaced(list []string, old, now string) (out []string) {
	for _, s := range list {
		out = append(out, strings.ReplaceAll(s, old, now))
	}
	return out
}

// The change of a command is made once, and its answer is that of the change, also when the process dies in between.
func TestDisableSurvivesAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := plan(t)
		table, err := w.router().Build("starling", nil)
		require.NoError(t, err)
		w.cfg.Bot = &fake{routes: table.Routes()} // the second life is not known yet when the command comes again
		w.Bot = testutil.Start(t, starling.Config{Router: w.router(), Brain: brain.New(w.store)})
		w.Chat.FailSends(func(int, *adapter.Message) error { return adapter.ErrUnavailable })
		w.User("alice").Say("#ops", "starling disable deploy")
		synctest.Wait()
		w.Kill()
		w.Chat.FailSends(nil)
		w.Start(func(c *starling.Config) { c.Router = w.router() })
		w.ExpectMatch("#ops", `^\*\*deploy\*\* is off\.`)
		require.Len(t, w.audit, 1)
		w.User("bob").Say("#ops", "starling deploy")
		w.ExpectMatch("#ops", "is switched off by alice")
	})
}

// T23: what is switched off in one process is off in another within CacheFor.
func TestSwitchOverReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := begin(t)
		two, err := admin.NewSwitch(admin.SwitchConfig{Brain: space(w.store)})
		require.NoError(t, err)
		off, err := two.Off(ctx)
		require.NoError(t, err)
		require.Empty(t, off)
		w.User("alice").Direct("disable deploy")
		w.next("alice")
		off, err = two.Off(ctx)
		require.NoError(t, err)
		require.Empty(t, off, "else the cache is not tested")
		begun := time.Now()
		for len(off) == 0 {
			time.Sleep(100 * time.Millisecond)
			require.LessOrEqual(t, time.Since(begun), 10*time.Second)
			off, err = two.Off(ctx)
			require.NoError(t, err)
		}
		require.Equal(t, "chat//u-alice", off["deploy"].By.Key())
		t.Logf("off on the other replica after %v", time.Since(begun))
	})
}

// shaky is a store that fails when it is told to.
type shaky struct {
	brain.Store
	fails *bool
}

func (s shaky) Get(ctx context.Context, key string) (brain.Entry, error) {
	if *s.fails {
		return brain.Entry{}, errors.New("the store is down")
	}
	return s.Store.Get(ctx, key)
}

// When nobody knows what is off, nothing passes but the commands of those who run the bot.
func TestSwitchFailsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := false
		off, err := admin.NewSwitch(admin.SwitchConfig{Brain: space(shaky{memory.New(), &down})})
		require.NoError(t, err)
		w := plan(t, func(c *admin.Config) { c.Switch = off })
		w.Bot = testutil.Start(t, starling.Config{Router: routerOf(t, w.cfg), Brain: brain.New(w.store)})
		w.User("bob").Say("#ops", "starling deploy")
		w.Expect("#ops", "deployed")
		down = true
		time.Sleep(10*time.Second - time.Millisecond)
		w.User("bob").Say("#ops", "starling deploy")
		w.Expect("#ops", "deployed")
		time.Sleep(time.Millisecond)
		w.User("bob").Say("#ops", "starling deploy")
		w.ExpectMatch("#ops", `^I cannot look up now whether \*\*deploy\*\* is switched off, so the answer is no\. Try again in a while\. My log has it under \w{8}\.$`)
		w.User("bob").Say("#ops", "what a badger") // nobody asked
		w.Idle()
		require.Contains(t, w.Log(), "nobody knows whether honey is switched off")
		require.Len(t, w.Chat.Posts("#ops"), 3, "and nobody is answered")
		require.Contains(t, w.Log(), "nobody knows whether deploy is switched off")
		w.User("alice").Say("#ops", "starling status")
		w.ExpectMatch("#ops", "nobody knows, so all are refused")
		down = false
		w.User("bob").Say("#ops", "starling deploy")
		w.Expect("#ops", "deployed")
	})
}

func TestNewerRecordIsRefused(t *testing.T) {
	w := begin(t)
	require.NoError(t, brain.Set(ctx, space(w.store), "off", map[string]any{"v": 2}))
	_, err := w.off.Off(ctx)
	require.ErrorContains(t, err, "newer version")
	w.User("alice").Direct("disable deploy")
	w.next("alice")
	require.Contains(t, w.Log(), "newer version")
}

func TestManyRoutesOff(t *testing.T) {
	w := begin(t)
	routes := map[string]any{}
	for i := range 256 {
		routes[fmt.Sprint("gone-", i)] = map[string]any{}
	}
	require.NoError(t, brain.Set(ctx, space(w.store), "off", map[string]any{"v": 1, "routes": routes}))
	w.User("alice").Direct("disable deploy")
	w.ExpectDirect("alice", "256 routes are off. Enable some first.")
	w.User("alice").Direct("enable gone-7")
	w.ExpectDirect("alice", "**gone-7** is on. In other processes within 10s.")
	w.User("alice").Direct("enable gone-7")
	require.Contains(t, w.next("alice"), "There is no route gone-7")
	w.User("alice").Direct("disable deploy because " + strings.Repeat("é", 400))
	w.next("alice")
	off, err := w.off.Off(ctx)
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("é", 250)+"…", off["deploy"].Reason)
}

// A bot whose state is elsewhere is told so, and nothing is switched.
func TestAnotherStore(t *testing.T) {
	w := plan(t)
	rt := w.router()
	w.Bot = testutil.Start(t, starling.Config{Router: rt, Brain: brain.New(memory.New())})
	w.User("alice").Direct("disable deploy")
	w.next("alice")
	require.Contains(t, w.Log(), "give both one brain")
	off, err := w.off.Off(ctx)
	require.NoError(t, err)
	require.Empty(t, off)
}
