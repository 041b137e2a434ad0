package handler_test

import (
	"context"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

// around is a middleware that notes when it begins and ends.
func around(tr *trace, name string) handler.Middleware {
	return func(next handler.Handler) handler.Handler {
		return handler.Func(func(ctx context.Context, r *handler.Request) error {
			*tr = append(*tr, name)
			defer func() { *tr = append(*tr, "/"+name) }()
			return next.Handle(ctx, r)
		})
	}
}

func TestOrderOfMiddleware(t *testing.T) {
	var tr trace
	mw := func(name string) handler.Middleware { return around(&tr, name) }
	rt, sub, deep := handler.NewRouter(), handler.NewRouter(), handler.NewRouter()
	rt.Use(mw("a"), mw("b"))
	rt.Use(mw("c"))
	rt.Hear(`plain`, tr.note("plain"))
	rt.With(mw("d"), mw("e")).Hear(`with`, tr.note("with"))
	rt.With(mw("d")).With(mw("e")).Hear(`twice`, tr.note("twice"))
	rt.Group(func(rt *handler.Router) {
		rt.Use(mw("g"))
		rt.Hear(`group`, tr.note("group"))
		rt.Group(func(rt *handler.Router) {
			rt.Use(mw("h"))
			rt.Hear(`inner`, tr.note("inner"))
		})
		rt.Hear(`outer`, tr.note("outer"))
	})
	sub.Use(mw("s"))
	sub.Hear(`mounted`, tr.note("mounted"))
	deep.Use(mw("t"))
	deep.Hear(`deep`, tr.note("deep"))
	sub.With(mw("u")).Mount("deep", deep)
	rt.With(mw("m")).Mount("sub", sub)
	rt.Hear(`after`, tr.note("after"))
	tb := build(t, rt)
	for input, want := range map[string]string{
		"plain":   "a b c plain /c /b /a",
		"with":    "a b c d e with /e /d /c /b /a",
		"twice":   "a b c d e twice /e /d /c /b /a",
		"group":   "a b c g group /g /c /b /a",
		"inner":   "a b c g h inner /h /g /c /b /a",
		"outer":   "a b c g outer /g /c /b /a",
		"mounted": "a b c m s mounted /s /m /c /b /a",
		"deep":    "a b c m s u t deep /t /u /s /m /c /b /a",
		"after":   "a b c after /c /b /a",
	} {
		require.NoError(t, dispatch(tb, &recorder{}, message(input)))
		require.Equal(t, want, strings.Join(tr.take(), " "), input)
	}
}

// With keeps the middleware it was given, whatever becomes of the caller's slice.
func TestWithKeepsItsOwnList(t *testing.T) {
	var tr trace
	list := make([]handler.Middleware, 1, 4)
	list[0] = around(&tr, "a")
	rt := handler.NewRouter()
	one, two := rt.With(list...), rt.With(list...)
	one.Use(around(&tr, "one"))
	two.Use(around(&tr, "two"))
	list[0] = around(&tr, "changed")
	one.Hear(`x`, tr.note("x"))
	require.NoError(t, dispatch(build(t, rt), &recorder{}, message("x")))
	require.Equal(t, []string{"a", "one", "x", "/one", "/a"}, tr.take())
}

func TestMiddlewareIsMadeOncePerRoute(t *testing.T) {
	made := 0
	rt := handler.NewRouter()
	rt.Use(func(next handler.Handler) handler.Handler { made++; return next })
	rt.Hear(`a`, nothing)
	rt.Hear(`b`, nothing)
	tb := build(t, rt)
	require.Equal(t, 3, made, "two routes and help")
	require.NoError(t, dispatch(tb, &recorder{}, message("a b")))
	require.Equal(t, 3, made)
}

func TestRouteIDs(t *testing.T) {
	add := func(rt *handler.Router, prefix string) {
		rt.Command(prefix+"ping", "Say pong.", nothing)
		rt.Command(prefix+"run sub", "Run.", nothing)
		rt.Command(prefix+"run-sub", "Run.", nothing)
		rt.Hear(`(?i)\bbadger\b`, nothing)
		rt.Hear(`badger`, nothing)
		rt.Respond(`open the (?P<door>.+) doors`, nothing)
		rt.Hear(`\?+`, nothing)
		rt.Hear(strings.Repeat("long ", 50), nothing)
		rt.On(adapter.KindReaction, nothing)
		rt.On(adapter.KindReaction, nothing)
		rt.Hear(`Привет`, nothing)
	}
	rt, sub, deep := handler.NewRouter(), handler.NewRouter(), handler.NewRouter()
	add(rt, "")
	rt.Fallback(nothing)
	add(sub, "k")
	deep.Command("dping", "Say pong.", nothing)
	sub.Mount("deep", deep)
	rt.Mount("karma", sub)
	rt.Hear(`mine`, nothing).ID = "ping" // given ids win over made ones, whatever the order
	tb := build(t, rt)

	own := []string{"ping-2", "run-sub", "run-sub-2", "hear-badger", "hear-badger-2", "respond-open-the-door-doors", "hear", "hear-" + strings.TrimSuffix(strings.Repeat("long-", 10), "-")[:48], "on-reaction", "on-reaction-2", "hear-привет"}
	var mounted []string
	for _, id := range own {
		mounted = append(mounted, "karma/"+id)
	}
	mounted[0], mounted[1], mounted[2] = "karma/kping", "karma/krun-sub", "karma/krun-sub-2"
	want := slices.Concat(own, []string{"fallback"}, mounted, []string{"karma/deep/dping", "ping", "help"})
	var got []string
	for _, r := range tb.Routes() {
		got = append(got, r.ID)
		require.Same(t, r, tb.Route(r.ID))
	}
	require.Equal(t, want, got)
	require.Nil(t, tb.Route("nobody"))

	again := build(t, rt) // a second table gives the same ids
	for i, r := range again.Routes() {
		require.Equal(t, want[i], r.ID)
	}
}

func TestRoutesInOrder(t *testing.T) {
	rt, sub := handler.NewRouter(), handler.NewRouter()
	rt.Hear(`a`, nothing)
	sub.Respond(`b`, nothing)
	rt.Mount("sub", sub)
	rt.With().On("join", nothing)
	rt.Command("c", "C.", nothing)
	rt.Fallback(nothing)
	var got []string
	for r := range rt.Routes() {
		got = append(got, fmt.Sprintf("%s %s mount=%s", r.Kind(), r, r.Mount()))
		require.Regexp(t, `^router_test\.go:\d+$`, r.Where())
	}
	require.Equal(t, []string{`hear hear "a" mount=`, `respond respond "b" mount=sub`, "on on join mount=", "command command c mount=", "fallback fallback mount="}, got)
	for r := range rt.Routes() { // a consumer may stop, also inside a mounted router
		require.NotEqual(t, "on", r.Kind())
		if r.Mount() == "sub" {
			break
		}
	}
	tb := build(t, rt)
	name, ok := tb.Route("c").CommandName()
	require.Equal(t, "c", name)
	require.True(t, ok)
	_, ok = tb.Route("hear-a").CommandName()
	require.False(t, ok)
}

// next gives file:line of the line after the call.
func next(skip int) string {
	_, _, line, _ := runtime.Caller(skip)
	return fmt.Sprintf("router_test.go:%d", line+1)
}

// All mistakes of registration come together, each with the line that made it.
func TestMistakesAreReportedTogether(t *testing.T) {
	type mistake struct{ where, text string }
	var want []mistake
	at := func(text string) { want = append(want, mistake{next(2), text}) } // the line after says it
	rt := handler.NewRouter()

	first := next(1)
	rt.Command("ping", "Say pong.", nothing)
	at("the handler is nil")
	rt.Hear(`nil`, nil)
	at("the handler is nil")
	rt.With().Command("nil", "Nil.", nil)
	at(`missing closing )`)
	rt.Hear(`bad(`, nothing)
	at(`missing closing ]`)
	rt.Respond(`bad[`, nothing)
	at("more than the limit")
	rt.Respond(`(x{0,30}y?){0,30}z`, nothing)
	at("Use after a route")
	rt.Use(around(nil, "late"))
	at("Use: middleware 1 is nil")
	rt.With().Use(nil)
	at("With: middleware 2 is nil")
	rt.With(around(nil, "a"), nil)
	at("Group: the function is nil")
	rt.Group(nil)
	at("Rewrite: the function is nil")
	rt.Rewrite(nil)
	at("Outgoing: the function is nil")
	rt.Outgoing(nil)
	at("already registered at " + first)
	rt.Command("Ping", "Again.", nothing)
	at("a command's name is")
	rt.Command("", "None.", nothing)
	at("a command's name is")
	rt.Command("two  spaces", "Odd.", nothing)
	at("a command's name is")
	rt.Command("deploy <env>", "Odd.", nothing)
	at("at most 255 bytes")
	rt.Command(strings.Repeat("x", 256), "Long.", nothing)
	at("the kind of event is empty")
	rt.On("  ", nothing)
	id := next(1)
	rt.Hear(`a`, nothing).ID = "mine"
	at(`the id "mine" is already that of the route at ` + id)
	rt.Hear(`b`, nothing).ID = "mine"
	fallback := next(1)
	rt.Fallback(nothing)
	at("there is already a fallback at " + fallback)
	rt.Fallback(nothing)
	at("nothing enforces it")
	rt.Hear(`policy`, nothing).Policy = handler.Policy{Roles: []string{"ops"}}
	at("both Background and Ordered")
	both := rt.Hear(`both`, nothing)
	both.Background, both.Ordered = true, true
	at("a middleware returned nil")
	rt.With(func(handler.Handler) handler.Handler { return nil }).Hear(`gone`, nothing)

	sub, other, empty := handler.NewRouter(), handler.NewRouter(), handler.NewRouter()
	at("the handler is nil")
	sub.Hear(`in a mounted router`, nil)
	at("missing closing )")
	other.Hear(`in a router with a bad name (`, nothing)
	mount := next(1)
	rt.Mount("sub", sub)
	at("already mounted at " + mount)
	rt.Mount("again", sub)
	at("the router is nil")
	rt.Mount("none", nil)
	at("the name must be")
	rt.Mount("Bad Name", other)
	at("the name must be")
	rt.Mount("", empty)
	at("cannot be mounted on itself")
	rt.Mount("self", rt)
	at("cannot be mounted on itself")
	rt.Mount("group", rt.With())
	at("cannot be mounted on itself")
	sub.Mount("cycle", rt)
	at("mount the router that NewRouter made")
	rt.Mount("part", other.With())
	at("Use after a route")
	sub.Use(around(nil, "late"))

	_, err := rt.Build("starling", nil)
	require.Error(t, err)
	lines := strings.Split(err.Error(), "\n")
	for _, m := range want {
		require.True(t, slices.ContainsFunc(lines, func(line string) bool {
			return strings.HasPrefix(line, m.where+": ") && strings.Contains(line, m.text)
		}), "%s: %s\nis missing in\n%s", m.where, m.text, err)
	}
	require.Len(t, lines, len(want), "no more than that:\n%s", err)
	for _, line := range lines {
		require.Regexp(t, regexp.MustCompile(`^router_test\.go:\d+: `), line)
	}
}

func TestUseIsTooLateAfterAnyRoute(t *testing.T) {
	late := around(nil, "late")
	for name, c := range map[string]struct {
		f    func(rt *handler.Router)
		late bool
	}{
		"nothing yet":           {func(*handler.Router) {}, false},
		"after Hear":            {func(rt *handler.Router) { rt.Hear(`a`, nothing) }, true},
		"after With":            {func(rt *handler.Router) { rt.With() }, false},
		"after a route of With": {func(rt *handler.Router) { rt.With().Hear(`a`, nothing) }, true},
		"after a Group":         {func(rt *handler.Router) { rt.Group(func(rt *handler.Router) { rt.Hear(`a`, nothing) }) }, true},
		"after an empty Group":  {func(rt *handler.Router) { rt.Group(func(*handler.Router) {}) }, false},
		"after Mount":           {func(rt *handler.Router) { rt.Mount("sub", handler.NewRouter()) }, true},
		"after Rewrite":         {func(rt *handler.Router) { rt.Rewrite(func(ev adapter.Event) (adapter.Event, bool) { return ev, true }) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			rt := handler.NewRouter()
			c.f(rt)
			rt.Use(late)
			_, err := rt.Build("starling", nil)
			require.Equal(t, c.late, err != nil, "%v", err)
		})
	}
}

func TestMountCycleOfTwo(t *testing.T) {
	a, b, c := handler.NewRouter(), handler.NewRouter(), handler.NewRouter()
	a.Mount("b", b)
	b.Mount("c", c)
	c.Mount("a", a)
	_, err := a.Build("starling", nil)
	require.ErrorContains(t, err, "cannot be mounted on itself")
}
