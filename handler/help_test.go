package handler_test

import (
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
	tb := build(t, rt, "!")

	all := "ping - Say pong.\nopen the (.+) doors - Open *doors*.\nclose the WHICH doors - Close doors.\nkarma:\ntop - Show the best.\nversion - Say my version.\nhelp [WORD] - Show what I can do."
	for _, c := range []struct{ id, input, want string }{
		{"all", "!help", all},
		{"any case", "starling HELP  ", all},
		{"D37", "!help zzz", "There is nothing about zzz. Type help for all I can do."},
		{"D37 by name", "!help ping", "ping - Say pong."},
		{"D37 by summary, any case", "!help PONG", "ping - Say pong."},
		{"D37 by mount", "!help karma", "karma:\ntop - Show the best."},
		{"D37 several words", "!help  the which doors ", "close the WHICH doors - Close doors."},
		{"D38", "!help (", "open the (.+) doors - Open *doors*."},
		{"D38 no match", "!help [", "help [WORD] - Show what I can do."},
		{"D38 no expression", "!help p.ng", "There is nothing about p.ng. Type help for all I can do."},
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
