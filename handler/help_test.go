package handler_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

func TestHelp(t *testing.T) {
	rt, karma := handler.NewRouter(), handler.NewRouter()
	rt.Command("ping", "Say pong.", nothing)
	rt.Hear(`badger`, nothing)
	rt.Respond(`open the (.+) doors`, nothing).Summary = "Open *doors*."
	doors := rt.Respond(`close the (.+) doors`, nothing)
	doors.Summary, doors.Usage = "Close doors.", "close the WHICH doors"
	hidden := rt.Command("debug", "Show the inside.", nothing)
	hidden.Hidden = true
	karma.Command("top", "Show the best.", nothing)
	rt.Mount("karma", karma)
	rt.Command("version", "Say my version.", nothing)
	rt.Add(handler.Command[struct {
		What string `arg:"what"`
		Fast bool   `flag:"fast" help:"at once"`
	}]{Name: "find", Summary: "Find it.", Run: func(context.Context, *handler.Request, struct {
		What string `arg:"what"`
		Fast bool   `flag:"fast" help:"at once"`
	}) error {
		return nil
	}})
	tb := build(t, rt, "!")

	all := "**general:**\nping - Say pong.\nopen the (.+) doors - Open *doors*.\nclose the WHICH doors - Close doors.\nversion - Say my version.\n" +
		"find WHAT - Find it.\nhelp [WORD] - Show what I can do.\n\n**karma:**\ntop - Show the best."
	for _, c := range []struct{ id, input, want string }{
		{"all", "!help", all},
		{"any case", "starling HELP  ", all},
		{"D37", "!help zzz", "There is nothing about zzz. Type help for all I can do."},
		{"D37 by name", "!help ping", "ping - Say pong."},
		{"D37 by summary, any case", "!help PONG", "ping - Say pong."},
		{"D37 by mount", "!help karma", "top - Show the best."},
		{"D37 several words", "!help  the which doors ", "close the WHICH doors - Close doors."},
		{"D38", "!help (", "open the (.+) doors - Open *doors*."},
		{"D38 a bracket", "!help [", "find WHAT - Find it.\nhelp [WORD] - Show what I can do."},
		{"D38 no expression", "!help p.ng", "There is nothing about p.ng. Did you mean help ping?"},
		{"D38 not even near", "!help v.*n", "There is nothing about v.*n. Type help for all I can do."},
		{"two groups", "!help show", "**general:**\nhelp [WORD] - Show what I can do.\n\n**karma:**\ntop - Show the best."},
		{"all of one", "!help find", "`find WHAT [--fast]`\nFind it.\n\n- `WHAT` (required)\n- `--fast`: at once"},
		{"hidden", "!help inside", "There is nothing about inside. Type help for all I can do."},
	} {
		t.Run(c.id, func(t *testing.T) {
			e := &recorder{}
			require.NoError(t, dispatch(tb, e, message(c.input)))
			require.Equal(t, []string{c.want}, e.texts())
			for _, n := range adapter.Nodes(e.sent[0].m.Text) {
				require.False(t, n.Kind == adapter.NodeMarkup && n.Text == "*doors*", "what a route says about itself is data")
			}
		})
	}

	e := &recorder{}
	require.NoError(t, dispatch(tb, e, message("!help *zzz* \uFDD1U1\uFDD5")))
	require.Equal(t, "There is nothing about "+adapter.Data("*zzz* U1")+". Type help for all I can do.", e.sent[0].m.Text)
}

// The commands of a mount stand below one heading wherever they were registered, in as many messages as they take, and a
// heading stays with what it is of.
func TestHelpHasGroups(t *testing.T) {
	for n := 20; n < 60; n++ { // a page ends wherever it may
		rt, a, b := handler.NewRouter(), handler.NewRouter(), handler.NewRouter()
		rt.Mount("aaa", a)
		rt.Command("first", "First.", nothing)
		rt.Mount("bbb", b)
		for i := range n {
			a.Command(fmt.Sprintf("a%d", i), strings.Repeat("a", 100), nothing)
			rt.Command(fmt.Sprintf("c%d", i), strings.Repeat("c", 100), nothing)
			b.Command(fmt.Sprintf("b%d", i), strings.Repeat("b", 100), nothing)
		}
		sub := handler.NewRouter()
		sub.Command("deep", "Deep.", nothing)
		a.Mount("sub", sub)
		e := &recorder{noDirect: true}
		require.NoError(t, dispatch(build(t, rt, "!"), e, message("!help")))
		require.Greater(t, len(e.texts()), 2)
		var headings, rest []string
		for _, text := range e.texts() {
			require.Less(t, len(text), 3200)
			require.Equal(t, strings.TrimSpace(text), text)
			for line := range strings.SplitSeq(text, "\n") {
				if strings.HasPrefix(line, "**") {
					headings = append(headings, line)
					require.False(t, strings.HasSuffix(text, line), "a heading alone at the end of a message")
				} else if line != "" {
					rest = append(rest, line)
				}
			}
		}
		require.Equal(t, []string{"**general:**", "**aaa:**", "**aaa/sub:**", "**bbb:**"}, headings)
		require.Len(t, rest, 3*n+3)
	}
}

// Help of many lines is for the asker alone where that is possible.
func TestLongHelpIsForTheAsker(t *testing.T) {
	for _, n := range []int{14, 15} { // and help itself
		rt := handler.NewRouter()
		for i := range n {
			rt.Command(fmt.Sprintf("c%d", i), "Do it.", nothing)
		}
		e := &recorder{features: adapter.Features{Ephemeral: true}}
		require.NoError(t, dispatch(build(t, rt, "!"), e, message("!help")))
		require.Len(t, e.sent, 1)
		require.Equal(t, n+1 > 15, e.sent[0].m.Only == "U1", "%d lines", n+1)
	}
}

func TestOwnHelpReplacesTheBuiltIn(t *testing.T) {
	var tr trace
	rt := handler.NewRouter()
	rt.Command("Help", "My own.", tr.note("own"))
	tb := build(t, rt)
	require.Len(t, tb.Routes(), 1)
	require.NoError(t, dispatch(tb, &recorder{}, message("starling help")))
	require.Equal(t, []string{"own"}, tr.take())
}

// The built-in help has the middleware of the router, so a policy and a log see it.
func TestHelpHasTheMiddleware(t *testing.T) {
	var tr trace
	rt := handler.NewRouter()
	rt.Use(around(&tr, "log"))
	rt.Command("ping", "Say pong.", nothing)
	require.NoError(t, dispatch(build(t, rt), &recorder{}, message("starling help ping")))
	require.Equal(t, []string{"log", "/log"}, tr.take())
}
