package guard_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling"
	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/terminal"
	"github.com/starlingbot/starling/handler"
	"github.com/starlingbot/starling/middleware/guard"
)

var requestForm = regexp.MustCompile(`req-[a-z0-9]+`)

func TestConfigMistakes(t *testing.T) {
	_, err := guard.New(guard.Config{})
	require.ErrorContains(t, err, "Config.Roles is nil")
	_, err = guard.New(guard.Config{Roles: &people{}, Factor: &codes{}})
	require.ErrorContains(t, err, "Config.Factor without Config.Brain")
	_, err = guard.New(guard.Config{Roles: &people{}, ApprovalsFor: -1})
	require.ErrorContains(t, err, "Config.ApprovalsFor")
	_, err = guard.New(guard.Config{Roles: &people{}, BreakGlass: "@alice"})
	require.ErrorContains(t, err, "is a person and not a role")
	require.ErrorContains(t, err, "Config.BreakGlass without Config.Audit")
}

// A role decides, by text, and the refusal is said and audited.
func TestRole(t *testing.T) {
	w := newWorld(t, options{})
	w.User("bob").Say("#ops", "starling deploy api")
	w.Expect("#ops", "deployed api to staging")
	w.User("alice").Say("#ops", "starling deploy api")
	w.Expect("#ops", "@alice: that needs the role deployer.")
	require.Equal(t, []string{
		"before bob deploy: allowed ", "after bob deploy: allowed done", "denied alice deploy: denied ",
	}, w.recorded())
	records := w.records()
	require.Equal(t, "deploy api staging --wait 10m", records[0].Command)
	require.Equal(t, map[string]string{"service": "api", "env": "staging", "wait": "10m"}, records[0].Args)
	require.Equal(t, "roles=deployer", records[0].Rule)
	require.Equal(t, key("bob"), records[0].Who.Key)
	require.Equal(t, "role deployer", records[2].Rule)
	require.EqualValues(t, 1, w.ran.Load())
}

// Roles that cannot be read are no.
func TestRolesFail(t *testing.T) {
	w := newWorld(t, options{})
	w.people.break_(errors.New("directory down"))
	w.User("bob").Say("#ops", "starling deploy api")
	w.ExpectMatch("#ops", "I cannot look up now who may do that, so the answer is no")
	require.Zero(t, w.ran.Load())
	require.Equal(t, "directory down", w.records()[0].Error)
	w.people.break_(nil)
	w.User("bob").Say("#ops", "starling deploy api")
	w.Expect("#ops", "deployed api to staging")
}

func TestSilent(t *testing.T) {
	w := newWorld(t, options{guard: func(c *guard.Config) { c.Silent = true }})
	w.User("alice").Say("#ops", "starling deploy api")
	w.ExpectSilence()
	require.Equal(t, []string{"denied alice deploy: denied "}, w.recorded())
}

// What was only overheard is refused in silence, and audited.
func TestHearIsRefusedInSilence(t *testing.T) {
	w := newWorld(t, options{routes: func(w *world, rt *handler.Router) {
		rt.Hear("secret", func(ctx context.Context, r *handler.Request) error { return r.Reply(ctx, "heard") }).Policy = handler.Policy{Roles: []string{"deployer"}}
	}})
	w.User("alice").Say("#ops", "what is the secret")
	w.ExpectSilence()
	w.User("bob").Say("#ops", "what is the secret")
	w.Expect("#ops", "heard")
	require.Equal(t, []string{"denied alice hear-secret: denied ", "before bob hear-secret: allowed ", "after bob hear-secret: allowed done"}, w.recorded())
}

// build makes a bot of routes and gives what New says.
func build(cfg starling.Config, routes func(rt *handler.Router)) error {
	rt := handler.NewRouter()
	routes(rt)
	cfg.Router = rt
	if cfg.Adapters == nil {
		cfg.Adapters = []adapter.Adapter{terminal.New(terminal.Config{})}
	}
	_, err := starling.New(cfg)
	return err
}

func quiet(*testing.T) guard.Config { return guard.Config{Roles: &people{}} }

func must(t *testing.T, cfg guard.Config) *guard.Guard {
	t.Helper()
	g, err := guard.New(cfg)
	require.NoError(t, err)
	return g
}

func nothing(context.Context, *handler.Request) error { return nil }

// P19: roles are declared and nothing provides for them: New refuses.
func TestNewRefusesWhatIsNotGuarded(t *testing.T) {
	ops := handler.Policy{Roles: []string{"ops"}}
	cases := map[string]struct {
		routes func(rt *handler.Router)
		want   string
	}{
		"P19 no guard": {func(rt *handler.Router) { rt.Command("x", "X.", nothing).Policy = ops }, "nothing enforces it"},
		"Hear":         {func(rt *handler.Router) { rt.Hear("x", nothing).Policy = ops }, "nothing enforces it"},
		"Respond":      {func(rt *handler.Router) { rt.Respond("x", nothing).Policy = ops }, "nothing enforces it"},
		"On":           {func(rt *handler.Router) { rt.On(adapter.KindJoin, nothing).Policy = ops }, "nothing enforces it"},
		"Fallback":     {func(rt *handler.Router) { rt.Fallback(nothing).Policy = ops }, "nothing enforces it"},
		"a group beside it": {func(rt *handler.Router) {
			rt.With(must(t, quiet(t)).Enforce).Command("y", "Y.", nothing)
			rt.Command("x", "X.", nothing).Policy = ops
		}, "nothing enforces it"},
		"When": {func(rt *handler.Router) {
			rt.Add(handler.Command[handler.None]{Name: "x", Summary: "X.", When: func(handler.None) handler.Policy { return ops }, Run: none})
		}, "nothing enforces it"},
		"two guards": {func(rt *handler.Router) {
			rt.Use(must(t, quiet(t)).Enforce, must(t, quiet(t)).Enforce)
			rt.Command("x", "X.", nothing).Policy = ops
		}, "two guards"},
		"Dangerous, no audit": {func(rt *handler.Router) {
			rt.Use(must(t, quiet(t)).Enforce)
			rt.Command("x", "X.", nothing).Policy = handler.Policy{Dangerous: true}
		}, "guard.Config.Audit"},
		"Elevate, no factor": {func(rt *handler.Router) {
			rt.Use(must(t, quiet(t)).Enforce)
			rt.Command("x", "X.", nothing).Policy = handler.Policy{Elevate: 1}
		}, "guard.Config.Factor"},
		"T2 a name as a role": {func(rt *handler.Router) {
			rt.Use(must(t, quiet(t)).Enforce)
			rt.Command("x", "X.", nothing).Policy = handler.Policy{Roles: []string{"@alice"}}
		}, "person's key (whoami shows it)"},
		"P10 a pattern of names as a role": {func(rt *handler.Router) {
			rt.Use(must(t, quiet(t)).Enforce)
			rt.Command("x", "X.", nothing).Policy = handler.Policy{Roles: []string{"*err"}}
		}, `"*err" is no role`},
		"T2 a key as a role": {func(rt *handler.Router) {
			rt.Use(must(t, quiet(t)).Enforce)
			rt.Command("x", "X.", nothing).Policy = handler.Policy{Roles: []string{"slack/T1/U1"}}
		}, "is a person's key and not a role"},
		"T2 a room's name": {func(rt *handler.Router) {
			rt.Use(must(t, quiet(t)).Enforce)
			rt.Command("x", "X.", nothing).Policy = handler.Policy{In: []string{"#ops"}}
		}, "use the room's id"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := build(starling.Config{}, c.routes)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "guard_test.go:", "the place of the mistake")
		})
	}
	require.NoError(t, build(starling.Config{}, func(rt *handler.Router) {
		rt.Use(must(t, quiet(t)).Enforce)
		rt.Command("x", "X.", nothing).Policy = ops
	}))
}

// A room for announcements on a platform that the bot does not have would hear of nothing: an override in private, of nobody.
func TestNewRefusesARoomNowhere(t *testing.T) {
	for name, want := range map[string]string{"terminal": "", "slak": `guard.Config.Room is on the adapter "slak", and the bot has none of that name: it has terminal`} {
		cfg := quiet(t)
		cfg.Room = adapter.Address{Adapter: name, Room: "ops"}
		err := build(starling.Config{}, func(rt *handler.Router) {
			rt.Use(must(t, cfg).Enforce)
			rt.Command("x", "X.", nothing)
			rt.Command("y", "Y.", nothing)
		})
		if want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, want)
			require.Equal(t, 1, strings.Count(err.Error(), name), "said once")
		}
	}
}

func none(context.Context, *handler.Request, handler.None) error { return nil }

// The route refuses at run time too: a request that no guard has let through, and one with a word for another.
func TestTheRouteItselfRefuses(t *testing.T) {
	var ran int
	rt := handler.NewRouter()
	rt.Use(must(t, guard.Config{Roles: &people{roles: map[string][]string{"x//U1": {"ops"}}}}).Enforce)
	run := func(context.Context, *handler.Request) error { ran++; return nil }
	rt.Command("plain", "P.", run).Policy = handler.Policy{Roles: []string{"ops"}}
	rt.Add(handler.Command[handler.None]{Name: "declared", Summary: "D.", When: func(handler.None) handler.Policy { return handler.Policy{Roles: []string{"ops"}} },
		Run: func(context.Context, *handler.Request, handler.None) error { ran++; return nil }})
	// A middleware inside the guard that hands the word for one request to another one of its own.
	var other *handler.Request
	inside := rt.With(func(next handler.Handler) handler.Handler {
		return handler.Func(func(ctx context.Context, r *handler.Request) error {
			other = handler.NewRequest(r.Event, nil)
			other.Route = r.Route
			return next.Handle(ctx, other)
		})
	})
	inside.Command("borrowed", "B.", run).Policy = handler.Policy{Roles: []string{"ops"}}
	tb, err := rt.Build("starling", nil)
	require.NoError(t, err)
	ev := &adapter.Event{ID: "1", Kind: adapter.KindMessage, Adapter: "x", User: adapter.User{Adapter: "x", ID: "U1", Kind: adapter.KindMember}, Text: "starling borrowed"}
	r := handler.NewRequest(ev, nil)
	r.Route = tb.Route("borrowed")
	require.ErrorContains(t, r.Handle(ctx), "no guard has let this through")
	require.Zero(t, ran)
}

// P rows of the behaviour cases that are about who may do what.
func TestPolicyCases(t *testing.T) {
	runs := func(p handler.Policy) func(w *world, rt *handler.Router) {
		return func(w *world, rt *handler.Router) {
			rt.Command("admin", "A.", func(ctx context.Context, r *handler.Request) error { return r.Reply(ctx, "done") }).Policy = p
		}
	}
	admin := handler.Policy{Roles: []string{"admin"}}
	needs := "@alice: that needs the role admin."
	cases := map[string]struct {
		policy handler.Policy
		rules  starling.Rules
		kind   adapter.UserKind
		roles  []string
		where  string
		want   string
	}{
		"P1 in the group":                       {policy: admin, roles: []string{"admin"}, want: "done"},
		"P1 not in the group":                   {policy: admin, want: needs},
		"P3 spaces and case of a role":          {policy: handler.Policy{Roles: []string{" Admin "}}, roles: []string{"admin"}, want: "done"},
		"P9 private only, in private":           {policy: handler.Policy{Roles: []string{"admin"}, Direct: true}, roles: []string{"admin"}, where: "@alice", want: "done"},
		"P9 private only, in a room":            {policy: handler.Policy{Roles: []string{"admin"}, Direct: true}, roles: []string{"admin"}, want: "@alice: that works only in private. Say it to me there."},
		"P12 a rule for rooms leaves the rest":  {policy: handler.Policy{Direct: true}, rules: starling.Rules{"admin": {Policy: handler.Policy{Roles: []string{"admin"}}}}, roles: []string{"admin"}, want: "@alice: that works only in private. Say it to me there."},
		"P13 a wide no and a narrow yes":        {policy: handler.Policy{Roles: []string{"admin"}}, rules: starling.Rules{"admin": {Policy: handler.Policy{Roles: []string{"admin", "user"}}}}, roles: []string{"user"}, want: needs},
		"P13 the strictest of wide and narrow":  {rules: starling.Rules{"admin": {Policy: admin}}, roles: []string{"user"}, want: needs},
		"P18 roles are compared as a whole":     {policy: admin, roles: []string{"adm", "admin2", "administrator"}, want: needs},
		"one of several roles":                  {policy: handler.Policy{Roles: []string{"x", "admin"}}, roles: []string{"admin"}, want: "done"},
		"in the room":                           {policy: handler.Policy{In: []string{"c-ops"}}, want: "done"},
		"in another room":                       {policy: handler.Policy{In: []string{"c-ops"}}, where: "#dev", want: "@alice: that does not work in this room, but in c-ops."},
		"rules with no room in common":          {policy: handler.Policy{In: []string{"c-dev"}}, rules: starling.Rules{"admin": {Policy: handler.Policy{In: []string{"c-ops"}}}}, want: "@alice: that works nowhere: its rules have no room in common. Tell who runs me."},
		"in private and in no room":             {policy: handler.Policy{In: []string{"c-dev"}, Direct: true}, rules: starling.Rules{"admin": {Policy: handler.Policy{In: []string{"c-ops"}}}}, want: "@alice: that works nowhere: its rules have no room in common. Tell who runs me."},
		"in the room by its full name":          {policy: handler.Policy{In: []string{"chat/c-ops"}}, want: "done"},
		"T21 a room is not authority alone":     {policy: handler.Policy{Roles: []string{"admin"}, In: []string{"c-ops"}}, want: needs},
		"a rule replaces":                       {policy: admin, rules: starling.Rules{"admin": {Policy: handler.Policy{In: []string{"c-ops"}}, Replace: true}}, want: "done"},
		"T4 a member has the default role":      {policy: handler.Policy{Roles: []string{"member"}}, want: "done"},
		"T4 a guest has not":                    {policy: handler.Policy{Roles: []string{"member"}}, kind: adapter.KindGuest, want: "@alice: that needs the role member."},
		"T4 a guest with the role of that name": {policy: handler.Policy{Roles: []string{"member"}}, kind: adapter.KindGuest, roles: []string{"member"}, want: "@alice: that needs the role member."},
		"T4 a stranger of another organisation": {policy: handler.Policy{Roles: []string{"member"}}, kind: adapter.KindExternal, want: "@alice: that needs the role member."},
		"T4 a deactivated account with a role":  {policy: admin, kind: adapter.KindDeactivated, roles: []string{"admin"}, want: "@alice: I do not know this account as one that may do that."},
		"T4 a guest who was given the role":     {policy: admin, kind: adapter.KindGuest, roles: []string{"admin"}, want: "done"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, options{routes: runs(c.policy), config: func(cfg *starling.Config) { cfg.Policies = c.rules }})
			alice := w.User("alice")
			if c.kind != "" {
				alice.Kind = c.kind
			}
			w.people.give(key("alice"), c.roles...)
			if c.where == "" {
				c.where = "#ops"
			}
			alice.Say(c.where, "starling admin")
			w.Expect(c.where, c.want)
		})
	}
}

// P22, T22: help shows exactly what the asker may run, and asking has no effect.
func TestHelpShowsWhatIsAllowed(t *testing.T) {
	w := newWorld(t, options{})
	w.User("alice").Say("#ops", "starling help deploy")
	w.Expect("#ops", "There is nothing about deploy. Type help for all I can do.")
	w.User("bob").Say("#ops", "starling help deploy")
	p := w.ExpectMatch("#ops", "Ship a service")
	require.Contains(t, p.Text, "Needs the role deployer.")
	require.Contains(t, p.Text, "Some arguments ask for more than that.")
	require.Empty(t, w.recorded(), "looking is not audited")
	w.User("alice").Say("#ops", "starling deplyo api")
	w.Expect("#ops", "I don't know that. Type help for what I can do.")
	w.User("bob").Say("#ops", "starling deplyo api")
	w.Expect("#ops", "I don't know that. Did you mean deploy?")
}

func TestRulesOfTheOperator(t *testing.T) {
	routes := func(rt *handler.Router) {
		rt.Use(must(t, quiet(t)).Enforce)
		sub := handler.NewRouter()
		sub.Command("restart", "R.", nothing)
		rt.Mount("ops", sub)
		rt.Command("ping", "P.", nothing)
	}
	cases := map[string]struct {
		rules starling.Rules
		want  string
	}{
		"an id":                    {starling.Rules{"ping": {Policy: handler.Policy{Direct: true}}}, ""},
		"a group":                  {starling.Rules{"group:ops": {Policy: handler.Policy{Direct: true}}}, ""},
		"an id that no route has":  {starling.Rules{"pong": {Policy: handler.Policy{Direct: true}}}, `did you mean "ping"?`},
		"a group that is none":     {starling.Rules{"group:dev": {Policy: handler.Policy{Direct: true}}}, `rule for "group:dev"`},
		"a person as a role":       {starling.Rules{"ping": {Policy: handler.Policy{Roles: []string{"@bob"}}}}, "is a person and not a role"},
		"consent of nobody":        {starling.Rules{"ping": {Policy: handler.Policy{ApprovedBy: "sre"}}}, "without Approvals"},
		"a second factor, no such": {starling.Rules{"ping": {Policy: handler.Policy{Elevate: 1}}}, "guard.Config.Factor"},
		"dangerous, no audit":      {starling.Rules{"ping": {Policy: handler.Policy{Dangerous: true}}}, "guard.Config.Audit"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := build(starling.Config{Policies: c.rules}, routes)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
	two := []adapter.Adapter{terminal.New(terminal.Config{Name: "one"}), terminal.New(terminal.Config{Name: "two"})}
	err := build(starling.Config{Adapters: two, Policies: starling.Rules{"ping": {Policy: handler.Policy{In: []string{"ops"}}}}}, routes)
	require.ErrorContains(t, err, "write ADAPTER/ID with one of one, two")
	require.NoError(t, build(starling.Config{Adapters: two, Policies: starling.Rules{"ping": {Policy: handler.Policy{In: []string{"two/ops"}}}}}, routes))
	require.ErrorContains(t, build(starling.Config{Policies: starling.Rules{"ping": {Policy: handler.Policy{Direct: true}}}}, func(rt *handler.Router) {
		rt.Command("ping", "P.", nothing)
	}), "nothing enforces it")
}

// SetPolicies changes the rules of a running bot, all or nothing.
func TestSetPolicies(t *testing.T) {
	w := newWorld(t, options{})
	bob := w.User("bob")
	require.NoError(t, w.Bot.Bot().SetPolicies(starling.Rules{"deploy": {Policy: handler.Policy{In: []string{"c-ops"}}}}))
	bob.Say("#dev", "starling deploy api")
	w.Expect("#dev", "@bob: that does not work in this room, but in c-ops.")
	err := w.Bot.Bot().SetPolicies(starling.Rules{"deploy": {Policy: handler.Policy{In: []string{"c-dev"}}}, "nonsense": {}})
	require.ErrorContains(t, err, `rule for "nonsense"`)
	bob.Say("#dev", "starling deploy api")
	w.Expect("#dev", "@bob: that does not work in this room, but in c-ops.")
	bob.Say("#ops", "starling deploy api")
	w.Expect("#ops", "deployed api to staging")
	require.NoError(t, w.Bot.Bot().SetPolicies(nil))
	bob.Say("#dev", "starling deploy api")
	w.Expect("#dev", "deployed api to staging")
}

// A When that panics, or gives what is no policy, is no.
func TestWhenFails(t *testing.T) {
	for name, c := range map[string]func(deployArgs) handler.Policy{
		"panics":         func(deployArgs) handler.Policy { panic("boom") },
		"no policy":      func(deployArgs) handler.Policy { return handler.Policy{ApprovedBy: "sre"} },
		"a name":         func(deployArgs) handler.Policy { return handler.Policy{Roles: []string{"@bob"}} },
		"a room by name": func(deployArgs) handler.Policy { return handler.Policy{In: []string{"#ops"}} },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, options{deploy: func(c2 *handler.Command[deployArgs]) { c2.When = c }})
			w.User("bob").Say("#ops", "starling deploy api")
			w.ExpectMatch("#ops", "I could not find out what that asks for, so the answer is no")
			require.Zero(t, w.ran.Load())
			require.Equal(t, []string{"denied bob deploy: denied "}, w.recorded())
			require.NotEmpty(t, w.records()[0].Error)
		})
	}
}

// A route marked Dangerous does not run when its record cannot be written; others do.
func TestDangerousNeedsItsRecord(t *testing.T) {
	for _, dangerous := range []bool{true, false} {
		w := newWorld(t, options{deploy: func(c *handler.Command[deployArgs]) { c.Policy.Dangerous, c.When = dangerous, nil }})
		w.book.break_(errors.New("disk full"))
		w.User("bob").Say("#ops", "starling deploy api")
		if dangerous {
			w.ExpectMatch("#ops", "that runs only when it can be recorded, and it cannot now")
			require.Zero(t, w.ran.Load())
			w.book.break_(nil)
			w.User("bob").Say("#ops", "starling deploy api")
		}
		w.Expect("#ops", "deployed api to staging")
		require.EqualValues(t, 1, w.ran.Load())
	}
}

// Every outcome of a handler is in the record after it.
func TestOutcomes(t *testing.T) {
	cases := map[string]struct {
		err     error
		outcome string
	}{
		"done": {nil, "done"}, "user": {handler.UserErrorf("no such service"), "not done"}, "error": {errors.New("x"), "failed"},
		"refused": {handler.Refused("late"), "refused"}, "panic": {errors.New("panic"), "panic"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, options{deploy: func(cmd *handler.Command[deployArgs]) {
				cmd.Run = func(context.Context, *handler.Request, deployArgs) error {
					if name == "panic" {
						panic("boom")
					}
					return c.err
				}
			}})
			w.User("bob").Say("#ops", "starling deploy api")
			w.Idle()
			require.Equal(t, []string{"before bob deploy: allowed ", "after bob deploy: allowed " + c.outcome}, w.recorded())
		})
	}
}

func TestParseRules(t *testing.T) {
	rules, err := handler.ParseRules([]byte(`{"deploy": {"roles": ["deployer"], "elevate": "10m", "approvals": 2, "approved_by": "sre"}, "group:ops": {"direct": true, "replace": true}}`))
	require.NoError(t, err)
	require.Len(t, rules, 2)
	require.True(t, rules["group:ops"].Replace)
	require.Equal(t, "10m0s", rules["deploy"].Elevate.String())
	for text, want := range map[string]string{
		`{"deploy": {"role": ["x"]}}`:                         "unknown field",
		`{"deploy": {"roles": "x"}}`:                          "not JSON as it should be",
		`{"deploy": {"direct": true}} {}`:                     "something follows",
		`{"deploy": null}`:                                    "is null",
		`{"deploy": {}}`:                                      "asks for nothing",
		`{"deploy": {"elevate": "soon"}}`:                     "no duration",
		`{"deploy": {"direct": true}, "deploy": {"in": []}}`:  `"deploy" twice`,
		`{"deploy": {"roles": ["a"], "Roles": ["b"]}}`:        `"Roles" twice`,
		`{"deploy": {"roles": ["a"], "role\u017f": ["b"]}}`:   `twice`,
		`{"deploy": {"roles": ["a"]}, "x": {"roles": ["b"]}}`: "",
	} {
		_, err := handler.ParseRules([]byte(text))
		if want == "" {
			require.NoError(t, err, text)
			continue
		}
		require.ErrorContains(t, err, want, text)
	}
}

// A bot without a brain has a guard all the same.
func TestWithoutABrain(t *testing.T) {
	w := newWorld(t, options{config: func(c *starling.Config) { c.Brain = nil }})
	w.User("bob").Say("#ops", "starling deploy api to prod")
	id, _ := w.request("#ops")
	w.User("carol").Say("#dev", "starling approve "+id)
	w.Expect("#dev", "@carol agreed to "+id+", which has all the consent it needs.")
	w.Expect("#ops", "deployed api to prod")
}

// panics is a source that does not know.
type panics struct{}

func (panics) Of(context.Context, adapter.User) ([]string, error) { panic("boom") }

// A source of roles that panics is one that does not know: no, with a record.
func TestRolesPanic(t *testing.T) {
	w := newWorld(t, options{guard: func(c *guard.Config) { c.Roles = panics{} }})
	w.User("bob").Say("#ops", "starling deploy api")
	w.ExpectMatch("#ops", "I cannot look up now who may do that, so the answer is no")
	require.Zero(t, w.ran.Load())
	require.Equal(t, "guard: panic: boom", w.records()[0].Error)
}

// P16: a rule on the values of arguments.
func TestRuleOnArguments(t *testing.T) {
	w := newWorld(t, options{deploy: func(c *handler.Command[deployArgs]) {
		c.When = func(a deployArgs) handler.Policy {
			if strings.HasPrefix(a.Service, "ec") {
				return handler.Policy{}
			}
			return handler.Policy{Roles: []string{"admin"}}
		}
	}})
	w.User("bob").Say("#ops", "starling deploy echo")
	w.Expect("#ops", "deployed echo to staging")
	w.User("bob").Say("#ops", "starling deploy nope")
	w.Expect("#ops", "@bob: that needs the role admin.")
}
