package handler_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

type shipping struct {
	Service string        `arg:"service" help:"what to ship" complete:"services"`
	Env     string        `arg:"env" word:"to" enum:"staging,prod" default:"staging" help:"where to"`
	Wait    time.Duration `flag:"wait" short:"w" default:"10m" help:"give up after"`
	Force   bool          `flag:"force" help:"skip the checks"`
}

func shipIt(context.Context, *handler.Request, shipping) error { return nil }

func ship() handler.Command[shipping] {
	return handler.Command[shipping]{Name: "deploy", Aliases: []string{"ship it"}, Summary: "Ship a service.", Examples: []string{"deploy api to prod", "ship it api"}, Run: shipIt}
}

// Every mistake of a declaration is reported, with the file and line of Add.
func TestDeclarationMistakes(t *testing.T) {
	type badTags struct {
		A string `arg:"a" enum:"x,y" default:"z"`
		B int    `arg:"a"`
	}
	change := func(f func(c *handler.Command[shipping])) func(rt *handler.Router) {
		return func(rt *handler.Router) {
			c := ship()
			f(&c)
			rt.Complete("services", func(context.Context, string) []string { return nil })
			rt.Add(c)
		}
	}
	cases := map[string]struct {
		add  func(rt *handler.Router)
		want []string
	}{
		"nil":           {func(rt *handler.Router) { rt.Add(nil) }, []string{"the command is nil"}},
		"no name":       {change(func(c *handler.Command[shipping]) { c.Name = "" }), []string{`the name ""`}},
		"odd alias":     {change(func(c *handler.Command[shipping]) { c.Aliases = []string{"dëploy"} }), []string{"plain ASCII"}},
		"alias twice":   {change(func(c *handler.Command[shipping]) { c.Aliases = []string{"Deploy"}; c.Examples = nil }), []string{"given twice"}},
		"no summary":    {change(func(c *handler.Command[shipping]) { c.Summary = "" }), []string{"no Summary"}},
		"no Run":        {change(func(c *handler.Command[shipping]) { c.Run = nil }), []string{"Run is nil"}},
		"bad example":   {change(func(c *handler.Command[shipping]) { c.Examples = []string{"deploy api to mars", "launch api"} }), []string{"deploy api to mars", "staging, prod", "launch api"}},
		"policy":        {change(func(c *handler.Command[shipping]) { c.Policy.Roles = []string{"ops"} }), []string{"nothing enforces it"}},
		"when":          {change(func(c *handler.Command[shipping]) { c.When = func(shipping) handler.Policy { return handler.Policy{} } }), []string{"nothing enforces it"}},
		"needs":         {change(func(c *handler.Command[shipping]) { c.Needs = []handler.Verb{"fly"} }), []string{`"fly"`}},
		"both lines":    {change(func(c *handler.Command[shipping]) { c.Background, c.Ordered = true, true }), []string{"both Background and Ordered"}},
		"no completer":  {func(rt *handler.Router) { rt.Add(ship()) }, []string{`completed by "services"`, "Router.Complete"}},
		"nil completer": {func(rt *handler.Router) { rt.Complete("x", nil) }, []string{"the function is nil"}},
		"tags": {func(rt *handler.Router) {
			rt.Add(handler.Command[badTags]{Name: "x", Summary: "X.", Run: func(context.Context, *handler.Request, badTags) error { return nil }})
		}, []string{"A", "B"}},
		"not a struct": {func(rt *handler.Router) {
			rt.Add(handler.Command[int]{Name: "x", Summary: "X.", Run: func(context.Context, *handler.Request, int) error { return nil }})
		}, []string{"fields of a struct"}},
		"twice in a bot": {func(rt *handler.Router) {
			rt.Command("ship it", "", nothing)
			c := ship()
			rt.Complete("services", func(context.Context, string) []string { return nil })
			rt.Add(c)
		}, []string{`the command "ship it" is already registered`}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			rt := handler.NewRouter()
			c.add(rt)
			_, err := rt.Build("starling", nil)
			require.Error(t, err)
			require.ErrorContains(t, err, "command_test.go:")
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

// From one declaration come name, arguments, types, choices and descriptions for every platform.
func TestSpec(t *testing.T) {
	spec, err := ship().Spec()
	require.NoError(t, err)
	got, err := json.MarshalIndent(spec, "", "  ")
	require.NoError(t, err)
	require.JSONEq(t, `{
	  "name": "deploy", "aliases": ["ship it"], "summary": "Ship a service.",
	  "usage": "deploy SERVICE [[to] ENV] [--wait DURATION] [--force]",
	  "args": [
	    {"name": "service", "type": "string", "help": "what to ship", "required": true},
	    {"name": "env", "type": "string", "help": "where to", "word": "to", "choices": ["staging", "prod"], "default": "staging"},
	    {"name": "wait", "type": "duration", "help": "give up after", "short": "w", "default": "10m", "flag": true},
	    {"name": "force", "type": "bool", "help": "skip the checks", "flag": true}
	  ]
	}`, string(got))
	_, err = handler.Command[shipping]{}.Spec()
	require.Error(t, err)
}

func TestCompletion(t *testing.T) {
	rt := handler.NewRouter()
	rt.Complete("services", func(_ context.Context, prefix string) []string { return []string{"api", "apps", "web"} })
	rt.Add(ship())
	tb, err := rt.Build("starling", nil)
	require.NoError(t, err)
	i := slices.IndexFunc(tb.Specs(), func(s adapter.CommandSpec) bool { return s.Name == "deploy" })
	complete := tb.Specs()[i].Complete
	for typed, want := range map[string][]string{
		"":                      {"api", "apps", "web"},
		"ap":                    {"api", "apps"},
		"A":                     {"api", "apps"},
		"api ":                  {"staging", "prod", "to"},
		"api to ":               {"staging", "prod"},
		"api t":                 {"to"},
		"api to p":              {"prod"},
		"api env:":              {"env:staging", "env:prod"},
		"api --env=s":           {"--env=staging"},
		"api --env ":            {"staging", "prod"},
		"--env prod ":           {"api", "apps", "web"},
		"api prod --":           {"--service", "--env", "--wait", "--force"},
		"api prod --fo":         {"--force"},
		"--force ap":            {"api", "apps"},
		"api prod --wait 5m ":   nil,
		"api prod --nothing= ":  nil,
		"api prod x y z ":       nil,
		"service:api --env=no ": nil,
		"-w 5m ap":              {"api", "apps"},
		"api -w ":               nil,
		"-w5m ap":               {"api", "apps"},
		"--no-force ap":         {"api", "apps"},
		"-- ap":                 {"api", "apps"},
		"-- api p":              {"prod"},
		"-- -w p":               {"prod"},
	} {
		require.Equal(t, want, complete(context.Background(), typed), "%q", typed)
	}
}

// T22: help shows exactly what the asker may run, and suggestions name nothing else.
func TestT22HelpShowsWhatIsAllowed(t *testing.T) {
	users, commands := 10_000, 200
	if raceEnabled {
		users = 500 // the full number runs without the race detector
	}
	rt := handler.NewRouter()
	rt.Authorize(byNumber{})
	all := map[string]string{}
	for i := range commands {
		name := fmt.Sprintf("task%03d", i)
		r := rt.Add(handler.Command[handler.None]{Name: name, Summary: "A task.", Run: func(context.Context, *handler.Request, handler.None) error { return nil }})
		r.ID = name
		all[name] = name
	}
	tb, err := rt.Build("starling", nil)
	require.NoError(t, err)
	help := tb.Route("help")
	wrong := 0
	for u := range users {
		e := &recorder{noDirect: true}
		ev := message("starling help")
		ev.User.ID = fmt.Sprint(u)
		r := handler.NewRequest(ev, e)
		r.Text, r.Route = "help", help
		require.NoError(t, r.Handle(context.Background()))
		text := strings.Join(e.texts(), "\n")
		want := 0
		for name := range maps.Keys(all) {
			if mayRun(ev.User.ID, name) {
				want++
				if !strings.Contains(text, name+" -") {
					wrong++
				}
			}
		}
		if strings.Count(text, " - A task.") != want {
			wrong++
		}
	}
	t.Logf("%d users, %d commands: %d wrong lines", users, commands, wrong)
	require.Zero(t, wrong)
	ev := message("starling task00")
	ev.User.ID = "1"
	r := handler.NewRequest(ev, &recorder{})
	r.In(tb)
	r.Text = "task00"
	require.True(t, mayRun("1", r.Suggest(context.Background())))
}

type byNumber struct{}

func (byNumber) Allowed(_ context.Context, ev *adapter.Event, r *handler.Route) bool {
	return mayRun(ev.User.ID, r.ID)
}

func mayRun(user, command string) bool {
	return len(command) == 7 && (user + command)[0]%3 != command[6]%3
}

// A bot's own "help me find" wins over help, as the longest name does.
func TestLongestNameWins(t *testing.T) {
	rt := handler.NewRouter()
	type find struct {
		What string `arg:"what" rest:""`
	}
	rt.Add(handler.Command[find]{Name: "help me find", Summary: "Find.", Run: func(context.Context, *handler.Request, find) error { return nil }}).ID = "find"
	rt.Add(handler.Command[find]{Name: "tickets create", Summary: "Create.", Run: func(context.Context, *handler.Request, find) error { return nil }}).ID = "create"
	tb, err := rt.Build("starling", nil)
	require.NoError(t, err)
	for text, want := range map[string]string{
		"starling help me find my keys": "find", "starling help me": "help", "starling HELP Me  Find x": "find",
		"starling tickets create a b": "create", "starling tickets": "unknown",
	} {
		routes := tb.Match(message(text)).Routes
		require.Len(t, routes, 1, text)
		require.Equal(t, want, routes[0].ID, text)
	}
}

// The native form and the text form of a command give the same arguments.
func TestNativeAndTextAgree(t *testing.T) {
	var got []shipping
	c := ship()
	c.Run = func(_ context.Context, _ *handler.Request, a shipping) error { got = append(got, a); return nil }
	rt := handler.NewRouter()
	rt.Complete("services", func(context.Context, string) []string { return nil })
	rt.Add(c)
	tb, err := rt.Build("starling", nil)
	require.NoError(t, err)
	rapid.Check(t, func(rt *rapid.T) {
		options := map[string]string{"service": rapid.StringMatching(`[a-z][a-z0-9-]{0,10}`).Draw(rt, "service")}
		text := "starling deploy " + options["service"]
		if rapid.Bool().Draw(rt, "env given") {
			options["env"] = rapid.SampledFrom([]string{"staging", "prod"}).Draw(rt, "env")
			text += rapid.SampledFrom([]string{" to ", " ", " env:", " --env ", " --env="}).Draw(rt, "form") + options["env"]
		}
		if rapid.Bool().Draw(rt, "wait given") {
			options["wait"] = fmt.Sprintf("%dm", rapid.IntRange(1, 600).Draw(rt, "wait"))
			text += rapid.SampledFrom([]string{" --wait ", " -w ", " —wait ", " wait:"}).Draw(rt, "flag") + options["wait"]
		}
		if rapid.Bool().Draw(rt, "force") {
			options["force"] = "true"
			text += " --force"
		}
		native := &adapter.Event{ID: "1", Kind: adapter.KindInvocation, Adapter: "chat", Room: adapter.Room{ID: "C1"}, User: adapter.User{ID: "U1"}, Invocation: &adapter.Invocation{Command: "deploy", Options: options}}
		got = nil
		for _, ev := range []*adapter.Event{message(text), native} {
			sel := tb.Match(ev)
			require.Len(t, sel.Routes, 1)
			r := handler.NewRequest(ev, &commands{})
			r.Text, r.Route = sel.Text, sel.Routes[0]
			require.NoError(t, r.Handle(context.Background()), text)
		}
		require.Len(t, got, 2)
		require.Equal(t, got[0], got[1], text)
	})
}

// commands are effects for commands that ask nothing.
type commands struct{ recorder }

func (*commands) Directory(string) adapter.Directory                { return nil }
func (*commands) Zone() *time.Location                              { return time.UTC }
func (*commands) Begin(context.Context, *handler.Request) error     { return nil }
func (*commands) Said(r *handler.Request, line string, secret bool) {}

// A wrong argument never runs the handler, and the answer shows where it is wrong.
func TestUsageErrors(t *testing.T) {
	ran := false
	c := ship()
	c.Run = func(context.Context, *handler.Request, shipping) error { ran = true; return nil }
	rt := handler.NewRouter()
	rt.Complete("services", func(context.Context, string) []string { return nil })
	rt.Add(c)
	tb, err := rt.Build("starling", nil)
	require.NoError(t, err)
	for text, want := range map[string]string{
		"starling deploy api to porod":                       "deploy api to porod\n              ^^^^^\n",
		"starling ship it api --wait soon":                   "ship it api --wait soon\n                   ^^^^\n",
		"starling deploy api prod extra":                     "extra",
		"starling deploy api --nothing":                      "--nothing",
		"starling deploy api to \u200bprod":                  "U+200B",
		"starling deploy api to prоd":                        "U+043E",
		"starling deploy " + strings.Repeat("word ", 10_000): "too",
	} {
		sel := tb.Match(message(text))
		require.Len(t, sel.Routes, 1)
		r := handler.NewRequest(message(text), &commands{})
		r.Text, r.Route = sel.Text, sel.Routes[0]
		err := r.Handle(context.Background())
		var user *handler.UserError
		require.ErrorAs(t, err, &user, text)
		require.Contains(t, adapter.PlainText(user.Text), want)
		require.False(t, ran)
	}
}

// A command that needs what the platform lacks says so and does not run.
func TestNeeds(t *testing.T) {
	ran := 0
	c := handler.Command[handler.None]{Name: "dm", Summary: "Write to you.", Needs: []handler.Verb{handler.VerbDirect},
		Run: func(context.Context, *handler.Request, handler.None) error { ran++; return nil }}
	rt := handler.NewRouter()
	rt.Add(c)
	tb, err := rt.Build("starling", nil)
	require.NoError(t, err)
	for _, lacks := range []bool{false, true} {
		ran = 0
		r := handler.NewRequest(message("starling dm"), &commands{recorder{noDirect: lacks}})
		r.Text, r.Route = "dm", tb.Route("dm")
		err := r.Handle(context.Background())
		if !lacks {
			require.NoError(t, err)
			require.Equal(t, 1, ran)
			continue
		}
		require.ErrorContains(t, err, "does not let me open direct rooms")
		require.Zero(t, ran)
	}
}
