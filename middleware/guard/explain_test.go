package guard_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/admin"
	"github.com/starlingbot/starling/handler/roles"
	"github.com/starlingbot/starling/middleware/guard"
)

// Why tells rule by rule what would become of a very line, and does nothing.
func TestExplain(t *testing.T) {
	var steps []roles.Step
	var allowed bool
	var failed error
	w := newWorld(t, options{
		config: func(c *starling.Config) {
			c.Policies = starling.Rules{"deploy": {Policy: handler.Policy{Roles: []string{"staff"}, Elevate: time.Minute}}}
		},
		deploy: func(c *handler.Command[deployArgs]) {
			c.Confirm = func(deployArgs) string { return "Sure?" }
			c.Exclusive = func(a deployArgs) string { return a.Service }
		},
		routes: func(w *world, rt *handler.Router) {
			rt.Respond("judge (?P<line>.*)", func(ctx context.Context, r *handler.Request) error {
				steps, allowed, failed = w.guard.Explain(ctx, r, r.Event.User, r.Arg("line"))
				return nil
			})
		},
	})
	judge := func(who, line string) {
		t.Helper()
		w.User(who).Say("#ops", "starling judge "+line)
		w.Idle()
	}
	judge("bob", "deploy api to prod")
	require.NoError(t, failed)
	require.False(t, allowed)
	require.Equal(t, []roles.Step{
		{Rule: "policy", Verdict: roles.Says, Detail: "for deploy api prod --wait 10m: roles=deployer roles=staff approvals=1:sre elevate=1m0s"},
		{Rule: "identity", Verdict: roles.Allows, Detail: "chat//u-bob"},
		{Rule: "role", Verdict: roles.Allows, Detail: "deployer"},
		{Rule: "role", Verdict: roles.Refuses, Detail: "needs staff; has deployer"},
		{Rule: "confirmation", Verdict: roles.Skips, Detail: "Sure?"},
		{Rule: "second factor", Verdict: roles.Skips, Detail: "at most 1m0s old"},
		{Rule: "approval", Verdict: roles.Skips, Detail: "1 other person with the role sre"},
		{Rule: "exclusive", Verdict: roles.Skips, Detail: "one at a time: api"},
	}, steps)
	w.people.give(key("bob"), "deployer", "staff")
	judge("bob", "deploy api")
	require.True(t, allowed)
	require.Equal(t, roles.Step{Rule: "second factor", Verdict: roles.Asks, Detail: "at most 1m0s old"}, steps[5])
	for line, want := range map[string]string{
		"dance": "That is no command of mine.", "deploy": "Say the whole line: service is missing", "deploy api to mars": "env is one of staging, prod", "deploy --help": "That shows help",
	} {
		judge("bob", line)
		require.ErrorContains(t, failed, want)
		require.False(t, allowed)
	}
	require.Zero(t, w.ran.Load())
	w.ExpectSilence()
	require.Empty(t, held(t, w.store))
}

// why says "may" of what is refused all the same: whoever has no second factor, a line that is too long to be put to others, and
// what cannot be looked up.
func TestAttackWhyOfWhatCannotBeGiven(t *testing.T) {
	var steps []roles.Step
	var allowed bool
	w := newWorld(t, options{
		deploy: func(c *handler.Command[deployArgs]) {
			c.When = func(a deployArgs) handler.Policy {
				if a.Env == "prod" {
					return handler.Policy{Approvals: 1}
				}
				return handler.Policy{Elevate: time.Minute, Dangerous: true}
			}
		},
		routes: func(w *world, rt *handler.Router) {
			rt.Respond("judge (?P<line>.*)", func(ctx context.Context, r *handler.Request) (err error) {
				steps, allowed, err = w.guard.Explain(ctx, r, r.Event.User, r.Arg("line"))
				return err
			})
		},
	})
	judge := func(line string) {
		t.Helper()
		w.User("bob").Say("#ops", "starling judge "+line)
		w.Idle()
	}
	audited := func(v roles.Verdict) roles.Step {
		return roles.Step{Rule: "audit", Verdict: v, Detail: "runs only when it can be recorded"}
	}
	judge("deploy api")
	require.True(t, allowed)
	require.Equal(t, []roles.Step{{Rule: "second factor", Verdict: roles.Asks, Detail: "at most 1m0s old"}, audited(roles.Asks)}, steps[3:])
	w.codes.none = map[string]bool{key("bob"): true}
	judge("deploy api")
	require.False(t, allowed)
	require.Equal(t, []roles.Step{{Rule: "second factor", Verdict: roles.Refuses, Detail: "at most 1m0s old; there is none, and it has to be set up first"}, audited(roles.Skips)}, steps[3:])
	w.codes.none, w.codes.fail = nil, errors.New("down")
	judge("deploy api")
	require.False(t, allowed)
	require.Equal(t, roles.Refuses, steps[3].Verdict)
	require.Regexp(t, `^at most 1m0s old; it cannot be looked up now; my log has it under \w{8}$`, steps[3].Detail)
	require.Contains(t, w.Log(), "down")
	w.codes.fail = nil
	w.people.break_(errors.New("ldap://secret-host is down"))
	judge("deploy api")
	require.False(t, allowed)
	require.Regexp(t, `^roles cannot be read now; my log has it under \w{8}$`, steps[len(steps)-1].Detail, "and not what went wrong")
	require.Contains(t, w.Log(), "secret-host")
	w.people.break_(nil)
	judge("deploy api to prod --note " + strings.Repeat("x", 600))
	require.False(t, allowed)
	require.Equal(t, []roles.Step{{Rule: "approval", Verdict: roles.Refuses, Detail: "1 other person; the line is too long to be shown to them whole"}}, steps[3:])
	judge("deploy api to prod")
	require.True(t, allowed)
	require.Equal(t, []roles.Step{{Rule: "approval", Verdict: roles.Asks, Detail: "1 other person"}}, steps[3:])
	require.Zero(t, w.ran.Load())
	for _, line := range w.recorded() {
		require.NotContains(t, line, " deploy: ", "nothing was decided")
	}
}

// why says "may" of a route that somebody has switched off, which is refused.
func TestAttackWhyOfWhatIsOff(t *testing.T) {
	var down atomic.Bool
	var off *admin.Switch
	store := &failing{Store: memory.New(), down: &down}
	w := newWorld(t, options{
		store: store,
		guard: func(c *guard.Config) {
			var err error
			off, err = admin.NewSwitch(admin.SwitchConfig{Brain: brain.New(store).Namespace("admin"), CacheFor: time.Nanosecond})
			require.NoError(t, err)
			c.Obstacles = []guard.Obstacle{off}
		},
		routes: func(w *world, rt *handler.Router) {
			commands, err := admin.New(admin.Config{
				Bot: admin.Of(func() *starling.Bot { return w.Bot.Bot() }), Switch: off, May: func(context.Context, adapter.User) (bool, error) { return true, nil },
			})
			require.NoError(t, err)
			rt.Mount("admin", commands)
			ro, err := roles.New(roles.Config{Brain: brain.New(w.store).Namespace("roles")})
			require.NoError(t, err)
			ro.UseExplainer(w.guard)
			rt.Mount("roles", ro.Routes())
		},
	})
	why := func(who, line string) string {
		t.Helper()
		w.User(who).Direct("why me " + line)
		return w.ExpectMatch("@"+who, "run").Text
	}
	require.Contains(t, why("bob", "deploy api"), "**may** run")
	w.User("carol").Direct("disable deploy because the cluster is being moved")
	w.ExpectMatch("@carol", "is off")
	text := why("bob", "deploy api")
	require.Contains(t, text, "**may not** run")
	require.Regexp(t, `(?s)2\. \*\*identity\*\* allows.*3\. \*\*role\*\* allows.*4\. \*\*besides policy\*\* refuses: deploy is switched off by carol since .* UTC: the cluster is being moved$`, text)
	require.Regexp(t, `(?s)\*\*role\*\* refuses.*\*\*besides policy\*\* refuses`, why("eve", "deploy api"), "the guard's own decision comes first")
	require.NotContains(t, why("bob", "status"), "besides policy", "what cannot be off")
	down.Store(true)
	text = why("bob", "deploy api")
	require.Contains(t, text, "**may not** run")
	require.Contains(t, text, "**besides policy** refuses: nobody knows")
	down.Store(false)
	w.User("carol").Direct("enable deploy")
	w.ExpectMatch("@carol", "is on")
	require.Contains(t, why("bob", "deploy api"), "**may** run")
	require.Zero(t, w.ran.Load())
}

// failing is a store in which the routes that are off cannot be read.
type failing struct {
	brain.Store
	down *atomic.Bool
}

func (s *failing) Get(ctx context.Context, key string) (brain.Entry, error) {
	if s.down.Load() && strings.HasPrefix(key, "admin/") {
		return brain.Entry{}, errors.New("down")
	}
	return s.Store.Get(ctx, key)
}
