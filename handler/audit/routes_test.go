package audit_test

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

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

// anybody mounts the commands for every member.
func anybody(t *testing.T, rt *handler.Router, l *audit.Log) {
	t.Helper()
	g, err := guard.New(guard.Config{Roles: noRoles{}})
	require.NoError(t, err)
	rt.Use(g.Enforce)
	audit.Routes(rt, l, handler.Policy{Roles: []string{handler.MemberRole}})
}

type noRoles struct{}

func (noRoles) Of(context.Context, adapter.User) ([]string, error) { return nil, nil }

// Where nothing says who may read the log nobody may; a rule of the operator does say it.
func TestAttackRoutesWithoutPolicy(t *testing.T) { synctest.Test(t, routesWithoutPolicy) }

func routesWithoutPolicy(t *testing.T) {
	_, l := interleaved(t, 3)
	defer closed(t, l)
	for _, ruled := range []bool{false, true} {
		g, err := guard.New(guard.Config{Roles: noRoles{}})
		require.NoError(t, err)
		rt := handler.NewRouter()
		rt.Use(g.Enforce)
		audit.Routes(rt, l, handler.Policy{})
		var rules starling.Rules
		if ruled {
			rules = starling.Rules{}
			for _, id := range []string{"audit", "audit-verify", "audit-export"} {
				rules[id] = handler.Rule{Policy: handler.Policy{Direct: true}}
			}
		}
		b := testutil.Start(t, starling.Config{Router: rt, Policies: rules})
		for line, want := range map[string]string{"audit": "deploy", "audit verify": "nothing is missing", "audit export": "3 records"} {
			b.User("alice").Say("@alice", line)
			text := b.ExpectMatch("@alice", `(?s).*`).Text
			if ruled {
				require.Contains(t, text, want)
			} else {
				require.Contains(t, text, "Nobody may read the audit log: nothing says who may.")
			}
		}
		b.Stop()
	}
}

func TestRoutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, l := interleaved(t, 30)
		defer closed(t, l)
		rt := handler.NewRouter()
		anybody(t, rt, l)
		b := testutil.Start(t, starling.Config{Router: rt})
		alice := b.User("alice")

		ask := func(line string) string {
			t.Helper()
			alice.Say("@alice", line)
			return b.ExpectMatch("@alice", `(?s).*`).Text
		}
		text := ask("audit")
		require.Len(t, strings.Split(text, "\n"), 20)
		require.Regexp(t, "^2000-01-01 00:29:00 before alice \\(test/T1/U1\\) in test/C1: `deploy api to prod` allowed by rule role deployer after 29ms id \\w{8}\n2000-01-01 00:28:00", text)
		require.Len(t, strings.Split(ask("audit --limit 3"), "\n"), 3)
		require.Len(t, strings.Split(ask("audit --limit 100"), "\n"), 30)
		require.Len(t, strings.Split(ask("audit --user test/T1/U2"), "\n"), 6)
		require.Len(t, strings.Split(ask("audit --user @Bob"), "\n"), 6)
		require.Len(t, strings.Split(ask("audit --route status -n 5"), "\n"), 5)
		require.Len(t, strings.Split(ask("audit --since 10m"), "\n"), 10)
		require.Contains(t, ask("audit --limit 101"), "--limit is from 1 to 100.")
		require.Contains(t, ask("audit --since -1h"), "--since is a span of time back from now")
		require.Equal(t, "No such records.", ask("audit --route nothing"))
		require.Contains(t, ask("audit --user test/T1/U3"), "approved by carol (test/T1/U3)")

		require.Regexp(t, "^30 records in 2 chains, \\d+ anchors: nothing is missing or changed. The newest anchor is `\\d+:[0-9a-f]{64}`.$", ask("audit verify"))

		alice.Say("@alice", "audit export")
		post := b.ExpectMatch("@alice", `30 records\.`)
		require.Len(t, post.Files, 1)
		require.Regexp(t, `^audit-20000101T\d{6}Z\.jsonl$`, post.Files[0].Name)
		require.Equal(t, 30, strings.Count(string(post.Files[0].Data), "\n"))
		alice.Say("@alice", "audit export --since 10m")
		require.Equal(t, 10, strings.Count(string(b.ExpectMatch("@alice", `10 records\.`).Files[0].Data), "\n"))

		// In a room nobody else sees what the log holds.
		one, all := ask("audit --limit 1"), ask("audit verify")
		alice.Say("#ops", "starling audit --limit 1")
		b.ExpectWhisper("#ops", "alice", one)
		alice.Say("#ops", "starling audit verify")
		b.ExpectWhisper("#ops", "alice", all)
		alice.Say("#ops", "starling audit export")
		b.ExpectMatch("#ops", "Everybody here would see the file")

		// Damage.
		keys := under(t, m, "audit/record/")
		e, err := m.Get(ctx, keys[2])
		require.NoError(t, err)
		e.Value[20] ^= 1
		put(t, m, e.Key, e.Value)
		remove(t, m, keys[7])
		text = ask("audit verify")
		require.Contains(t, text, "29 records in 2 chains")
		require.Contains(t, text, "2 findings")
		require.Regexp(t, `record/\S+/0000000000000003.: its hash is wrong: it was changed`, text)
		require.Regexp(t, `record/\S+/0000000000000008.: record 8 is missing`, text)
		require.Regexp(t, regexp.MustCompile(`record 8 of \S+ is missing`), ask("audit --limit 100"))
		alice.Say("@alice", "audit export")
		require.Len(t, b.ExpectMatch("@alice", `28 records\. Not all could be read: audit: record 3 of .* See .audit verify.\.`).Files, 1)
	})
}

// Who can write to the brain and damages the head of one chain does not take the others from who looks.
func TestADamagedHeadHidesNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, l := interleaved(t, 10)
		defer closed(t, l)
		var e brain.Entry
		for _, key := range under(t, m, "audit/head/") { // that of a process that has ended
			h, err := m.Get(ctx, key)
			require.NoError(t, err)
			if strings.Contains(string(h.Value), `"closed":true`) {
				e = h
			}
		}
		key := e.Key
		require.NotEmpty(t, key)
		e.Value[20] ^= 1
		put(t, m, key, e.Value)
		rt := handler.NewRouter()
		anybody(t, rt, l)
		b := testutil.Start(t, starling.Config{Router: rt})
		b.User("alice").Say("@alice", "audit")
		text := b.ExpectMatch("@alice", `(?s).*`).Text
		require.Len(t, strings.Split(text, "\n"), 6, "the damage, and the five of the other chain")
		require.Contains(t, text, `audit: the head of a chain, "`+key+`", does not verify: its hash is wrong: it was changed`)
		require.Equal(t, 5, strings.Count(text, "in test/C1"))
		for rec, err := range l.Latest(ctx, audit.Filter{}) {
			if err != nil {
				require.Equal(t, strings.TrimPrefix(key, "audit/head/"), rec.Writer)
				require.Zero(t, rec.Seq)
			}
		}
	})
}

// A reason is shown as one, and not as something that went wrong.
func TestReason(t *testing.T) {
	m := memory.New()
	l := open(t, m)
	defer closed(t, l)
	rec := record(1)
	rec.Reason = "the site is down " + strings.Repeat("x", 5000)
	rec.Decision, rec.Approvers = "overridden", []audit.Person{{Key: "test/T1/U3", Name: "carol"}}
	require.NoError(t, l.Append(ctx, rec))
	rt := handler.NewRouter()
	anybody(t, rt, l)
	b := testutil.Start(t, starling.Config{Router: rt})
	b.User("alice").Say("@alice", "audit")
	text := b.ExpectMatch("@alice", `because: the site is down x+`).Text
	require.NotContains(t, text, "error")
	require.Contains(t, text, "x... (5017 bytes)")
	require.Contains(t, text, "overridden by rule role deployer passed over by carol (test/T1/U3)", "she has not approved it")
}

// The policy is the caller's, on every command.
func TestRoutesPolicy(t *testing.T) {
	l := open(t, memory.New())
	defer closed(t, l)
	rt := handler.NewRouter()
	want := handler.Policy{Roles: []string{"auditor"}, Direct: true}
	audit.Routes(rt, l, want)
	n := 0
	for route := range rt.Routes() {
		require.Equal(t, want, route.Policy, route.ID)
		require.NotEmpty(t, route.Summary)
		n++
	}
	require.Equal(t, 3, n)
}
