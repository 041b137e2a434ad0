package guard_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/handler/roles"
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
