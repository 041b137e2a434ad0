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

type actArgs struct {
	What string `arg:"what" enum:"pause,resume"`
}

type ticketArgs struct {
	ID   int    `arg:"id"`
	Text string `arg:"text" rest:"" optional:""`
}

// office is a bot with a command of each make.
func office() *handler.Router {
	rt := handler.NewRouter()
	rt.Add(handler.Command[actArgs]{Name: "act", Summary: "Change what runs.", Run: func(ctx context.Context, r *handler.Request, a actArgs) error {
		return r.Reply(ctx, "%s", a.What)
	}})
	for _, name := range []string{"tickets close", "tickets open", "tickets open again"} {
		rt.Add(handler.Command[ticketArgs]{Name: name, Summary: "Work on one.", Run: func(ctx context.Context, r *handler.Request, a ticketArgs) error {
			return r.Reply(ctx, "%d %s", a.ID, a.Text)
		}})
	}
	rt.Command("tickets mine", "List mine.", func(ctx context.Context, r *handler.Request) error { return r.Reply(ctx, "none") })
	rt.Command("ping", "Say pong.", func(ctx context.Context, r *handler.Request) error { return r.Reply(ctx, "pong") })
	rt.Command("jobs", "List what runs.", nothing)
	rt.Command("jobs old", "List what ran.", nothing)
	rt.Command("report", "Count the tickets.", nothing)
	rt.Command("office map", "Show where who sits.", nothing)
	hidden := rt.Command("tickets purge", "Delete all.", nothing)
	hidden.Hidden = true
	rt.Command("secret plan", "Show it.", nothing).Hidden = true
	stop := rt.Respond(`(?i)cancel\s+(\S+)\s*$`, nothing)
	stop.Usage, stop.Summary = "cancel ID", "End a job."
	return rt
}

// says gives what the bot answers, a usage error as what is said of it.
func says(t *testing.T, tb *handler.Table, text string) string {
	t.Helper()
	e := &commands{}
	err := dispatch(tb, e, message(text))
	var user *handler.UserError
	if errors.As(err, &user) {
		return adapter.PlainText(user.Text)
	}
	require.NoError(t, err)
	return strings.Join(e.texts(), "\n--\n")
}

const actHelp = "`act WHAT`\nChange what runs.\n\n- `WHAT` (pause, resume; required)"

// Help is found for a command with words after it, with marks around it, and in the words of other programs.
func TestHelpTopics(t *testing.T) {
	tb := build(t, office(), "!")
	all := says(t, tb, "!help")
	require.Contains(t, all, "act WHAT - Change what runs.")
	const tickets = "tickets close ID [TEXT] - Work on one.\ntickets open ID [TEXT] - Work on one.\n" +
		"tickets open again ID [TEXT] - Work on one.\ntickets mine - List mine."
	for input, want := range map[string]string{
		"!help act": actHelp, "!help act.": actHelp, "!help  ACT  pause ": actHelp, "!help \"act\"": actHelp, "!help `act`!": actHelp, "!help /act": actHelp,
		"!help: act": actHelp, "!--help act": actHelp, "!-h act": actHelp, "!/help act?": actHelp, "!help, act": actHelp,
		"!act help": actHelp, "!act ?": actHelp, "!act HELP": actHelp, "!act --help": actHelp,

		"starling ?": all, "@starling: ?": all, "!help?": all, "!Help!": all, "!help.": all, "!help…": all, "!help ?": all, "!help !": all, "!help me": all,
		"!--help": all, "!-h": all, "!/help": all, "!/?": all, "!help,": all,

		"!help tickets":                          tickets,
		"!help tickets.":                         tickets,
		"!help tickets open 5":                   "`tickets open ID [TEXT]`\nWork on one.\n\n- `ID` (integer; required)\n- `TEXT`\n\ntickets open again ID [TEXT] - Work on one.",
		"!help tickets mine please":              "tickets mine - List mine.",
		"!help tickets opn":                      "tickets has no opn. Did you mean tickets open?\n" + tickets,
		"!help tickets purge":                    "tickets has no purge.\n" + tickets,
		"!help ping pong":                        "ping - Say pong.",
		"!help atc":                              "There is nothing about atc. Did you mean help act?",
		"!help cancl":                            "There is nothing about cancl. Did you mean help cancel?",
		"!help secret":                           "There is nothing about secret. Type help for all I can do.",
		"!help secret plan":                      "There is nothing about secret plan. Type help for all I can do.",
		"!help what runs.":                       "act WHAT - Change what runs.\njobs - List what runs.",
		"!help what runs!":                       "act WHAT - Change what runs.\njobs - List what runs.",
		"!help z" + accents(59):                  "There is nothing about z" + accents(59) + ". Type help for all I can do.",
		"!help z" + accents(60):                  "There is nothing about z" + accents(59) + "…. Type help for all I can do.",
		"!help " + strings.Repeat("word ", 3000): "There is nothing about " + strings.Repeat("word ", 12) + "…. Type help for all I can do.",
	} {
		require.Equal(t, want, says(t, tb, input), "%.80q", input)
	}
}

// accents gives n characters of two bytes each.
func accents(n int) string { return strings.Repeat("é", n) }

// What only looks as if help were asked for is for the bot's fallback, what is registered comes first, and a bot's own help has
// all of it.
func TestHelpWordsOfOthers(t *testing.T) {
	var tr trace
	rt := handler.NewRouter()
	rt.Command("-h", "No name of a command.", nothing)
	_, err := rt.Build("starling", nil)
	require.Error(t, err)

	rt = handler.NewRouter()
	rt.Respond(`\?$`, tr.note("own"))
	rt.Respond(`help!`, tr.note("alarm"))
	rt.Hear(`help\?`, tr.note("heard"))
	rt.Fallback(tr.note("fallback"))
	tb := build(t, rt, "!")
	for input, want := range map[string][]string{
		"starling ?": {"own"}, "!help!": {"alarm"}, "!help! It burns": {"alarm"}, "!help. It burns": {"fallback"}, "!? act": {"fallback"}, "!??": {"fallback"},
		"!helpless": {"fallback"}, "!--helpless": {"fallback"}, "!h": {"fallback"}, "?": nil, "help?": {"heard"}, "--help": nil, "!/": {"fallback"},
	} {
		says(t, tb, input)
		require.Equal(t, want, tr.take(), input)
	}
	require.Contains(t, says(t, tb, "!help?"), "help [WORD] - Show what I can do.")
	require.Equal(t, []string{"heard"}, tr.take())

	rt = handler.NewRouter()
	rt.Command("help", "My own.", tr.note("help"))
	rt.Fallback(tr.note("fallback"))
	says(t, build(t, rt, "!"), "!help?")
	require.Equal(t, []string{"fallback"}, tr.take())
}

// "help" is an argument where the command takes it as one.
func TestHelpAsArgument(t *testing.T) {
	type noteArgs struct {
		Text string `arg:"text" rest:""`
	}
	rt := handler.NewRouter()
	rt.Add(handler.Command[noteArgs]{Name: "note", Summary: "Take a note.", Run: func(ctx context.Context, r *handler.Request, a noteArgs) error {
		return r.Reply(ctx, "noted: %s", a.Text)
	}})
	tb := build(t, rt, "!")
	require.Equal(t, "noted: help", says(t, tb, "!note help"))
	require.Equal(t, "noted: ?", says(t, tb, "!note ?"))

	tb = build(t, office(), "!")
	require.NotContains(t, says(t, tb, "!act help me"), actHelp, "more than that may be a mistake in something else")
	ev := message("")
	ev.Kind, ev.Invocation = adapter.KindInvocation, &adapter.Invocation{Command: "act", Options: map[string]string{"what": "help"}}
	require.ErrorContains(t, dispatch(tb, &commands{}, ev), "what is one of pause, resume")
}

// A group of commands says what it has where somebody says what it has not; what was said comes back short and as data.
func TestGroups(t *testing.T) {
	tb := build(t, office(), "!")
	const list = "\ntickets close ID [TEXT] - Work on one.\ntickets open ID [TEXT] - Work on one.\n" +
		"tickets open again ID [TEXT] - Work on one.\ntickets mine - List mine."
	for input, want := range map[string]string{
		"!tickets foo":                        "tickets has no foo." + list,
		"!Tickets  FOO bar":                   "tickets has no foo." + list,
		"!tickets opne 5":                     "tickets has no opne. Did you mean tickets open?" + list,
		"!tickets purg":                       "tickets has no purg." + list,
		"!tickets":                            "There is more than one of that: tickets close, tickets open, tickets open again, tickets mine.",
		"!tickets z" + accents(60):            "tickets has no z" + accents(59) + "…." + list,
		"!jobs foo":                           "jobs has no foo.\njobs - List what runs.\njobs old - List what ran.",
		"!jobs odl":                           "jobs has no odl. Did you mean jobs old?\njobs - List what runs.\njobs old - List what ran.",
		"!office":                             "I don't know that. Did you mean office map?",
		"!offic":                              "I don't know that. Did you mean office?",
		"!office plan":                        "office has no plan.\noffice map - Show where who sits.",
		"!tickts open":                        "I don't know that. Did you mean tickets open?",
		"!tickts foo":                         "I don't know that. Did you mean tickets?",
		"!ping pong":                          "ping takes nothing after it: say ping alone.",
		"!tickets mine now":                   "tickets mine takes nothing after it: say tickets mine alone.",
		"!cancel":                             "That is said as cancel ID.",
		"!?":                                  "I don't know that. Type help for what I can do.",
		"! ?":                                 "I don't know that. Type help for what I can do.",
		"!cancel the job":                     "That is said as cancel ID.",
		"!cancl 5":                            "I don't know that. Did you mean cancel?",
		"!secret":                             "I don't know that. Type help for what I can do.",
		"!secret plans":                       "I don't know that. Type help for what I can do.",
		"!\U0001F600":                         "I don't know that. Type help for what I can do.",
		"!" + strings.Repeat("word ", 10_000): "I don't know that. What I am to do must show in the first 4 KiB of a message. Type help for what I can do.",
	} {
		require.Equal(t, want, says(t, tb, input), "%.80q", input)
	}
	e := &recorder{}
	require.NoError(t, dispatch(tb, e, message("!tickets *foo*")))
	require.Contains(t, e.sent[0].m.Text, adapter.Data("*foo*"))
}

// What a bot's own fallback gets to suggest is a command that can be said, and not what was said.
func TestSuggestForFallbacks(t *testing.T) {
	var near string
	rt := office()
	tb := (*handler.Table)(nil)
	rt.Fallback(func(ctx context.Context, r *handler.Request) error {
		r.In(tb)
		near = r.Suggest(ctx)
		return nil
	})
	tb = build(t, rt, "!")
	for input, want := range map[string]string{
		"!cancel": "", "!cancl": "", "!tickets": "", "!ticket": "", "!pign": "ping", "!tickets opn": "tickets open", "!tickets foo": "", "!secret plam": "",
	} {
		near = "none"
		says(t, tb, input)
		require.Equal(t, want, near, input)
	}
}

// A large group does not fill a room.
func TestLargeGroup(t *testing.T) {
	rt := handler.NewRouter()
	for c := 'a'; c <= 'z'; c++ {
		rt.Add(handler.Command[handler.None]{Name: "all " + string(c), Summary: "Do it.", Run: func(context.Context, *handler.Request, handler.None) error { return nil }})
	}
	got := says(t, build(t, rt, "!"), "!all foo")
	require.Equal(t, 13, strings.Count(got, "\n"))
	require.True(t, strings.HasSuffix(got, "\nThere is more: type help all."), got)
}

// Whatever is said gets one answer, which is short, and is none of the bot's errors.
func FuzzSaid(f *testing.F) {
	for _, seed := range []string{"?", "help", "help tickets.", "tickets foo", "act help", "--help tickets open", "cancel", "ping pong", "help \xff", "tickets \u202e", "open again 5 \"x", "act what:p"} {
		f.Add(seed)
	}
	tb, err := office().Build("starling", nil)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 8<<10 {
			return
		}
		e := &asking{}
		ev := direct(text)
		sel := tb.Match(ev)
		require.LessOrEqual(t, len(sel.Routes), 1)
		var user *handler.UserError
		if err := dispatch(tb, e, ev); err != nil {
			require.ErrorAs(t, err, &user)
			require.Less(t, len(user.Text), 4000)
		}
		for _, text := range e.texts() {
			if sel.Routes[0].ID == "help" || sel.Routes[0].ID == "unknown" {
				require.Less(t, len(text), helpMost)
				require.NotContains(t, text, "secret plan -")
			}
		}
	})
}

// asking are effects that may ask too; nobody answers.
type asking struct{ commands }

func (*asking) Ask(context.Context, *handler.Request, *handler.Question) error  { return nil }
func (*asking) Keep(context.Context, *handler.Request, *handler.Question) error { return nil }

// helpMost is more than the help of office, and what may be repeated of a text, take.
const helpMost = 1500
