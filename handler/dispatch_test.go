package handler_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

// The D rows of the behaviour cases that are about which handlers run and in which order. What becomes of an error, of a
// panic and of the handlers after it (D4, D10, D11, D20, D22, D26) is the bot's part and tested there.

func TestD1EveryHearRunsInOrder(t *testing.T) {
	var tr trace
	rt := handler.NewRouter()
	for _, name := range []string{"1", "2", "3", "4"} {
		rt.Hear(`.`, tr.note(name))
	}
	require.NoError(t, dispatch(build(t, rt), &recorder{}, message("any")))
	require.Equal(t, []string{"1", "2", "3", "4"}, tr.take())
}

func TestD2StopKeepsTheRestAway(t *testing.T) {
	var tr trace
	rt := handler.NewRouter()
	rt.Hear(`any`, func(ctx context.Context, r *handler.Request) error {
		require.False(t, r.Stopped())
		r.Stop()
		return tr.note("1")(ctx, r)
	})
	rt.Hear(`any`, tr.note("2"))
	require.NoError(t, dispatch(build(t, rt), &recorder{}, message("any")))
	require.Equal(t, []string{"1"}, tr.take())
}

func TestD5FallbackGetsTheMessage(t *testing.T) {
	var got *handler.Request
	rt := handler.NewRouter()
	rt.Hear(`heard`, nothing)
	rt.Respond(`known`, nothing)
	rt.Fallback(func(_ context.Context, r *handler.Request) error { got = r; return nil })
	tb := build(t, rt)

	ev := message("starling: Unknown *thing*")
	require.NoError(t, dispatch(tb, &recorder{}, ev))
	require.Same(t, ev, got.Event)
	require.Equal(t, "Unknown *thing*", got.Text)

	for _, text := range []string{"chatter", "heard", "starling heard", "starling known"} {
		got = nil
		require.NoError(t, dispatch(tb, &recorder{}, message(text)))
		require.Nil(t, got, text)
	}
}

func TestD7AMiddlewareThatRefusesIsNoMiss(t *testing.T) {
	var tr trace
	rt := handler.NewRouter()
	refuse := func(handler.Handler) handler.Handler {
		return handler.Func(func(context.Context, *handler.Request) error { return handler.Refused("test") })
	}
	rt.With(refuse).Respond(`deploy`, tr.note("deploy"))
	rt.Fallback(tr.note("fallback"))
	var refused *handler.RefusedError
	require.ErrorAs(t, dispatch(build(t, rt), &recorder{}, message("starling deploy")), &refused)
	require.Equal(t, "test", refused.Reason)
	require.Empty(t, tr.take())
}

// D8 and D11: closed, whether it fails or panics.
func TestD8AMiddlewareThatFailsBlocks(t *testing.T) {
	var tr trace
	broken := errors.New("broken")
	rt := handler.NewRouter()
	rt.With(func(handler.Handler) handler.Handler {
		return handler.Func(func(context.Context, *handler.Request) error { return broken })
	}).Respond(`deploy`, tr.note("deploy"))
	rt.With(func(handler.Handler) handler.Handler {
		return handler.Func(func(context.Context, *handler.Request) error { panic(broken) })
	}).Respond(`destroy`, tr.note("destroy"))
	tb := build(t, rt)
	require.ErrorIs(t, dispatch(tb, &recorder{}, message("starling deploy")), broken)
	require.PanicsWithValue(t, broken, func() { _ = dispatch(tb, &recorder{}, message("starling destroy")) })
	require.Empty(t, tr.take())
}

func TestD13RewriteComesBeforeMatching(t *testing.T) {
	var tr trace
	rt := handler.NewRouter()
	rt.Rewrite(func(ev adapter.Event) (adapter.Event, bool) {
		ev.Text = strings.ReplaceAll(ev.Text, "message123", "foo")
		return ev, true
	})
	rt.Rewrite(func(ev adapter.Event) (adapter.Event, bool) {
		ev.Text += "bar"
		return ev, !strings.Contains(ev.Text, "drop")
	})
	rt.Hear(`foobar`, tr.note("foobar"))
	rt.Hear(`.`, tr.note("any"))
	tb := build(t, rt)
	ev := message("message123")
	require.NoError(t, dispatch(tb, &recorder{}, ev))
	require.Equal(t, []string{"foobar", "any"}, tr.take())
	require.Equal(t, "message123", ev.Text, "a step gets a copy")

	require.NoError(t, dispatch(tb, &recorder{}, message("drop")))
	require.Empty(t, tr.take())
	_, ok := tb.Rewrite(message("drop"))
	require.False(t, ok)
}

func TestD14OutgoingStepsRunInOrderOnEveryMessage(t *testing.T) {
	rt, sub := handler.NewRouter(), handler.NewRouter()
	var tr trace
	step := func(name string) func(handler.Send) handler.Send {
		return func(next handler.Send) handler.Send {
			return func(ctx context.Context, m *adapter.Message) ([]adapter.Ref, error) {
				tr = append(tr, name)
				c := *m
				c.Text += name
				refs, err := next(ctx, &c)
				tr = append(tr, "/"+name)
				return refs, err
			}
		}
	}
	rt.Outgoing(step("a"))
	rt.Outgoing(step("b"))
	sub.Outgoing(step("c"))
	rt.Mount("sub", sub)
	var got []string
	send := build(t, rt).Outgoing(func(_ context.Context, m *adapter.Message) ([]adapter.Ref, error) {
		got = append(got, m.Text)
		return []adapter.Ref{{ID: "1"}}, nil
	})
	for _, text := range []string{"foo", "bar"} {
		refs, err := send(context.Background(), &adapter.Message{Text: text})
		require.NoError(t, err)
		require.Len(t, refs, 1)
	}
	require.Equal(t, []string{"fooabc", "barabc"}, got)
	require.Equal(t, []string{"a", "b", "c", "/c", "/b", "/a", "a", "b", "c", "/c", "/b", "/a"}, tr.take())
}

// D10's half that is here: an outgoing step that fails keeps the message in.
func TestD10AnOutgoingStepThatFailsBlocks(t *testing.T) {
	broken := errors.New("broken")
	rt := handler.NewRouter()
	rt.Outgoing(func(handler.Send) handler.Send {
		return func(context.Context, *adapter.Message) ([]adapter.Ref, error) { return nil, broken }
	})
	said := false
	send := build(t, rt).Outgoing(func(context.Context, *adapter.Message) ([]adapter.Ref, error) { said = true; return nil, nil })
	_, err := send(context.Background(), &adapter.Message{Text: "secret"})
	require.ErrorIs(t, err, broken)
	require.False(t, said)
}

// D16, D17, D23 and the decision on edited messages: a route sees its own kind of event alone.
func TestKindsOfEventAreApart(t *testing.T) {
	var tr trace
	rt := handler.NewRouter()
	rt.Hear(`.`, tr.note("hear"))
	rt.Hear(`new`, tr.note("hear new"))
	rt.Respond(`.`, tr.note("respond"))
	rt.Command("new", "New.", tr.note("command"))
	rt.Fallback(tr.note("fallback"))
	rt.On(" Join ", tr.note("join")) // D23: the name is normalised
	rt.On(adapter.KindTopic, tr.note("topic"))
	rt.On(adapter.KindEdit, tr.note("edit"))
	rt.On(adapter.KindMessage, tr.note("message"))
	rt.On(adapter.KindClick, tr.note("click"))
	rt.On(adapter.KindInvocation, tr.note("invocation"))
	rt.On("made-up", tr.note("made-up"))
	tb := build(t, rt)
	event := func(kind adapter.Kind, text string) *adapter.Event {
		ev := message(text)
		ev.Kind = kind
		return ev
	}
	inDirect := direct("new")
	inDirect.Kind = adapter.KindEdit
	click, invocation := event(adapter.KindClick, ""), event(adapter.KindInvocation, "")
	click.Click = &adapter.Click{Command: "NEW"}
	invocation.Invocation = &adapter.Invocation{Command: "no", Text: "such command"}
	for _, c := range []struct {
		name string
		ev   *adapter.Event
		want []string
	}{
		{"D16", event(adapter.KindJoin, "x"), []string{"join"}},
		{"D17", event(adapter.KindTopic, "new topic"), []string{"topic"}},
		{"an edited message", event(adapter.KindEdit, "starling new"), []string{"edit"}},
		{"an edited message in a direct room", inDirect, []string{"edit"}},
		{"a kind nobody waits for", event(adapter.KindLeave, "starling new"), nil},
		{"a kind of somebody else's", event("made-up", "starling new"), []string{"made-up"}},
		{"a message", event(adapter.KindMessage, "new"), []string{"hear", "hear new", "message"}},
		{"a message to the bot", event(adapter.KindMessage, "starling new"), []string{"hear", "hear new", "message", "command"}},
		{"a click is a command", click, []string{"click", "command"}},
		{"a native slash command is one", invocation, []string{"invocation", "respond"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.NoError(t, dispatch(tb, &recorder{}, c.ev))
			require.Equal(t, c.want, tr.take())
		})
	}
}

func TestD19RoutesOfEveryRouterRun(t *testing.T) {
	var tr trace
	rt, one, two := handler.NewRouter(), handler.NewRouter(), handler.NewRouter()
	one.Hear(`one`, tr.note("one"))
	one.Hear(`two`, tr.note("two"))
	two.Hear(`three`, tr.note("three"))
	rt.Mount("first", one)
	rt.Hear(`.`, tr.note("any"))
	rt.Mount("second", two)
	tb := build(t, rt)
	require.NoError(t, dispatch(tb, &recorder{}, message("one two")))
	require.Equal(t, []string{"one", "two", "any"}, tr.take())
	require.NoError(t, dispatch(tb, &recorder{}, message("two three")))
	require.Equal(t, []string{"two", "any", "three"}, tr.take())
}

// D28, D29: several answers come in order, and a UserError says no more than its text.
func TestD28SeveralAnswersInOrder(t *testing.T) {
	rt := handler.NewRouter()
	cause := errors.New("secret-token=abc")
	rt.Command("count", "Count.", func(ctx context.Context, r *handler.Request) error {
		for _, n := range []int{1, 2, 3} {
			if err := r.Reply(ctx, "%d", n); err != nil {
				return err
			}
		}
		return &handler.UserError{Text: "the reason", Err: cause}
	})
	e := &recorder{}
	err := dispatch(build(t, rt), e, message("starling count"))
	require.Equal(t, []string{"1", "2", "3"}, e.texts())
	var shown *handler.UserError
	require.ErrorAs(t, err, &shown)
	require.Equal(t, "the reason", shown.Text)
	require.Equal(t, "the reason", shown.Error())
	require.ErrorIs(t, err, cause)
}

func TestD31FlagsAreTheExpressionsOwn(t *testing.T) {
	var tr trace
	rt := handler.NewRouter()
	rt.Hear(`(?i)mixed`, tr.note("hear i"))
	rt.Hear(`mixed`, tr.note("hear"))
	rt.Respond(`mixed`, tr.note("respond"))
	rt.Respond(`(?i)mixed|b`, tr.note("respond i"))
	tb := build(t, rt)
	require.NoError(t, dispatch(tb, &recorder{}, message("starling MiXed")))
	require.Equal(t, []string{"hear i", "respond i"}, tr.take())
	require.NoError(t, dispatch(tb, &recorder{}, message("starling a b"))) // the alternative is anchored too
	require.Empty(t, tr.take())
}

func TestD32EveryMatchIsGiven(t *testing.T) {
	var matches [][]string
	var arg, zero, missing string
	rt := handler.NewRouter()
	f := func(_ context.Context, r *handler.Request) error {
		matches, arg, zero, missing = r.Matches(), r.Arg("n"), r.Arg("0"), r.Arg("no")+r.Arg("3")+r.Arg("-1")+r.Arg("2")
		return nil
	}
	rt.Hear(`match_(?P<n>\w+)(opt)?`, f)
	require.NoError(t, dispatch(build(t, rt), &recorder{}, message("match_a, match_b and starling match_c")))
	require.Equal(t, [][]string{{"match_a", "a", ""}, {"match_b", "b", ""}, {"match_c", "c", ""}}, matches)
	require.Equal(t, "a", arg)
	require.Equal(t, "match_a", zero)
	require.Empty(t, missing)

	r := handler.NewRequest(message("x"), &recorder{})
	r.Route = build(t, rt).Routes()[0]
	require.Nil(t, r.Matches(), "a text that the expression does not match")
	require.Empty(t, r.Arg("n"))
	r.Route = nil
	require.Nil(t, r.Matches())
	require.Empty(t, r.Arg("0"))
	require.Equal(t, "x", r.Rest())
}

func TestD34LongestCommandWins(t *testing.T) {
	var tr trace
	rt := handler.NewRouter()
	rt.Command("run", "Run.", tr.note("run"))
	rt.Command("run_sub", "Run sub.", tr.note("run_sub"))
	rt.Respond(`run`, tr.note("respond"))
	rt.Command("Run Sub A", "Run sub a.", tr.note("run sub a"))
	rt.Command("run sub", "Run sub.", tr.note("run sub"))
	rt.Command("help me", "Help me.", tr.note("help me"))
	tb := build(t, rt, "!")
	for input, want := range map[string]string{
		"!run":               "run",
		"!RUN":               "run",
		"!run sub":           "run sub",
		"!run sub a":         "run sub a",
		"! Run\t sub \n A ":  "run sub a",
		"!run_sub":           "run_sub",
		"!run sub a b":       "respond", // a command without arguments is the whole text
		"!run x":             "respond",
		"!runs":              "respond",
		"!help me":           "help me", // before help, which takes words after it
		"!HELP  ME":          "help me",
		"!xrun":              "",
		"!\u017Fun":          "",
		"starling, run sub":  "run sub",
		"starling: run  SUB": "run sub",
	} {
		require.NoError(t, dispatch(tb, &recorder{}, message(input)))
		require.Equal(t, want, strings.Join(tr.take(), " "), input)
	}
	e := &recorder{}
	require.NoError(t, dispatch(tb, e, message("!help me now")))
	require.Empty(t, tr.take())
	require.Equal(t, []string{"There is nothing about me now. Type help for all I can do."}, e.texts())
}

// D35: what no command fits goes to the fallback, which says so in its own words; an expression is never a suggestion
// because the fallback gets none. Off switch: no fallback.
func TestD35UnknownCommand(t *testing.T) {
	rt := handler.NewRouter()
	rt.Respond(`blurb`, nothing)
	rt.Fallback(func(ctx context.Context, r *handler.Request) error { return r.Reply(ctx, "%q not found", r.Text) })
	e := &recorder{}
	require.NoError(t, dispatch(build(t, rt, "!"), e, message("!blah toto")))
	require.Equal(t, []string{`"blah toto" not found`}, e.texts())

	silent := build(t, handler.NewRouter(), "!")
	require.Nil(t, silent.Match(message("!blah toto")).Routes)
	require.True(t, silent.Match(message("!blah toto")).Addressed)
}

// A command comes before every Respond, wherever it was registered, and at most one of them runs.
func TestCommandsComeBeforeResponds(t *testing.T) {
	var tr trace
	rt := handler.NewRouter()
	rt.Respond(`ping`, tr.note("first respond"))
	rt.Hear(`ping`, tr.note("hear"))
	rt.Respond(`.*`, tr.note("second respond"))
	rt.Command("ping", "Ping.", tr.note("command"))
	tb := build(t, rt)
	for input, want := range map[string][]string{
		"starling ping":      {"hear", "command"},
		"starling ping pong": {"hear", "first respond"},
		"starling pong":      {"second respond"},
		"ping":               {"hear"},
		"pong":               nil,
	} {
		require.NoError(t, dispatch(tb, &recorder{}, message(input)))
		require.Equal(t, want, tr.take(), input)
	}
}
