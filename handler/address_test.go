package handler_test

import (
	"context"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

// The A rows of the behaviour cases. Not here: A34 and A35, own messages and look-alikes of the bot, are what the bot's
// intake drops by id (Event.Self) before Match.
func TestAddressCases(t *testing.T) {
	type row struct {
		id      string
		name    string
		aliases []string
		direct  bool
		input   string
		ran     string // "" nothing; else the route that ran and what it saw; "rest" is the fallback: addressed and no route
	}
	hubot := func(id, input, ran string) row { return row{id: id, name: "hubot", input: input, ran: ran} }
	lita := func(id, input, ran string) row {
		return row{id: id, name: "Lita", aliases: []string{"."}, input: input, ran: ran}
	}
	err := func(id, input, ran string) row {
		return row{id: id, name: "bot", aliases: []string{"!", "err", "errbot"}, input: input, ran: ran}
	}
	rows := []row{
		hubot("A1", "hubot ping", "ping"),
		hubot("A1 any case", "HuBot PING", "ping"),
		hubot("A2", "@hubot: ping", "ping"),
		hubot("A2 @", "@hubot ping", "ping"),
		hubot("A2 :", "hubot: ping", "ping"),
		hubot("A4", "  hubot ping", "ping"),
		hubot("A5 ;", "hubot; ping", ""),
		hubot("A5 !", "hubot!ping", ""),
		hubot("A5 space before :", "hubot :ping", "rest :ping"),
		hubot("A5 @@", "@@hubot ping", ""),
		hubot("A7", "x\nhubot ping", ""),
		hubot("A8 before", "hey hubot ping", ""),
		hubot("A8 between", "hubot please ping", "rest please ping"),
		hubot("A10", "hubotping", ""),
		hubot("A10 digit", "hubot1 ping", ""),
		hubot("A11", "hubots say x", ""),
		{"A13", "hubot", []string{"/"}, false, "/ping", "ping"},
		{"A13 space", "hubot", []string{"/"}, false, "/ ping", "ping"},
		{"A14 name", "william", []string{"will"}, false, "william say x", "say x"},
		{"A14 alias", "william", []string{"will"}, false, "will say x", "say x"},
		{"A14 longest alias", "will", []string{"william"}, false, "william say x", "say x"},
		{"A16 alias", "h.b", []string{"."}, false, ".ping", "ping"},
		{"A16 alias is no pattern", "h.b", []string{"."}, false, "xping", ""},
		{"A16 name is no pattern", "h.b", []string{"."}, false, "hxb ping", ""},
		{"A16 name", "h.b", []string{"."}, false, "h.b ping", "ping"},
		lita("A17 :", "Lita: say hello", "say hello"),
		lita("A17 lower", "lita say hello", "say hello"),
		lita("A17 ,", "@lita, say hello", "say hello"),
		lita("A17 alias", ".say hello", "say hello"),
		lita("A17 alias and space", ". say hello", "say hello"),
		lita("A17 spaces and alias", "  .say hello", "say hello"),
		lita("A19", "...wait", ""),
		lita("A19 two", "..say x", ""),
		{"A20", "sa", nil, false, "salmon", ""},
		lita("A22", "Lita: Lita: hi", "rest Lita: hi"),
		err("A23", "!say a  b", "say a  b"),
		err("A25 the decisions win", "  !say a", "say a"),  // leading spaces do not hide a command
		err("A26 the decisions win", "!RUN a", "run a"),    // command names in any case
		err("A26 the decisions win", "!Run   A ", "run a"), //
		err("A28 errbot", "errbot run a", "run a"),
		err("A28 err", "err run a", "run a"),
		err("A28 upper", "ERRBOT: run a", "run a"),
		err("A28 ,", "err, run a", "run a"),
		err("A29 ;", "err;run a", ""),
		err("A29 longer word", "errata run a", ""),
		err("A29 address twice", "err !run a", "rest !run a"), // addressed, and no command
		{"A31 direct", "bot", []string{"!"}, true, "run a", "run a"},
		{"A31 direct chatter", "bot", []string{"!"}, true, "hello there", "rest hello there"},
		{"A31 direct with prefix", "bot", []string{"!"}, true, "!run a", "run a"},
		{"A31 direct with name", "bot", []string{"!"}, true, "bot: run a", "run a"},
		err("A31 room", "run a", ""),
		err("A31 room with prefix", "!run a", "run a"),
		err("A32", "!", ""),
		err("A32 spaces", " ! \n", ""),
		{"A32 direct", "bot", []string{"!"}, true, "!", ""},
		{"the longest alias wins", "bot", []string{"!", "!?"}, false, "!?run a", "run a"},
		{"the longest name wins", "bot", []string{"bot of ops"}, false, "bot of ops run a", "run a"},
		{"a name alone is a call", "bot", nil, false, "bot", "rest "},
		{"a name and a colon alone", "bot", nil, false, "@bot: ", "rest "},
		{"an alias with @ before it", "bot", []string{"!"}, false, "@!run a", ""},
		{"an alias that is an @", "bot", []string{"@"}, false, "@run a", "run a"},
		{"a word-like alias that begins with @", "bot", []string{"@crew"}, false, "@crew run a", "run a"},
		{"which must be there", "bot", []string{"@crew"}, false, "crew run a", ""},
		{"a name outside ASCII", "Spréé", nil, false, "SPRÉÉ run a", "run a"},
		{"a letter after a name outside ASCII", "spré", nil, false, "sprée run a", ""},
		{"the Kelvin sign is a k", "kit", nil, false, "\u212Ait run a", "run a"},
		{"a Cyrillic look-alike is not the name", "bot", nil, false, "b\u043Et run a", ""},
		{"a combining mark belongs to the name", "bot", nil, false, "bot\u0301 run a", ""},
		{"a no-break space is a space", "bot", nil, false, "bot\u00A0run a", "run a"},
		{"a line break is a space", "bot", nil, false, "bot\nrun a", "run a"},
		{"an emoji is punctuation", "bot", []string{"🐦"}, false, "🐦run a", "run a"},
		{"two of them are not", "bot", []string{"🐦"}, false, "🐦🐦run a", ""},
		{"an empty alias addresses nothing", "bot", []string{""}, false, "run a", ""},
		{"empty text", "bot", []string{"!"}, false, "", ""},
		{"empty direct text", "bot", []string{"!"}, true, " ", "rest "},
	}
	for _, c := range rows {
		t.Run(c.id, func(t *testing.T) {
			var ran string
			note := func(r *handler.Request, s string) { ran += s }
			rt := handler.NewRouter()
			rt.Respond(`(?i)ping`, func(_ context.Context, r *handler.Request) error { note(r, "ping"); return nil })
			rt.Respond(`say (.*)`, func(_ context.Context, r *handler.Request) error { note(r, "say "+r.Arg("1")); return nil })
			rt.Command("run a", "Run a.", func(_ context.Context, r *handler.Request) error { note(r, "run a"); return nil })
			rt.Fallback(func(_ context.Context, r *handler.Request) error { note(r, "rest "+r.Text); return nil })
			tb, err := rt.Build(c.name, c.aliases)
			require.NoError(t, err)
			ev := message(c.input)
			if c.direct {
				ev = direct(c.input)
			}
			require.NoError(t, dispatch(tb, &recorder{}, ev))
			require.Equal(t, c.ran, ran)
		})
	}
}

func TestAddressedText(t *testing.T) {
	tb := build(t, handler.NewRouter(), "!")
	mentioned := func(botName, text string) *adapter.Event {
		ev := message(text)
		ev.Mentioned, ev.BotName = true, botName
		return ev
	}
	edited := message("starling ping")
	edited.Kind = adapter.KindEdit
	wrongName := mentioned("Ops Bot", "@Ops Bot ping")
	wrongName.Mentioned = false
	for _, c := range []struct {
		name      string
		ev        *adapter.Event
		text      string
		addressed bool
	}{
		{"chatter is untouched (A20)", message(" salmon !x"), " salmon !x", false},
		{"by the name on the platform", mentioned("Ops Bot", "@Ops Bot, ping"), "ping", true},
		{"in any case", mentioned("Ops Bot", " @OPS bot ping"), "ping", true},
		{"only where the platform says so", wrongName, "@Ops Bot ping", false},
		{"only with an @", mentioned("Ops Bot", "Ops Bot ping"), "Ops Bot ping", false},
		{"only at the front", mentioned("Ops Bot", "ask @Ops Bot ping"), "ask @Ops Bot ping", false},
		{"with a boundary", mentioned("Ops", "@Opsy ping"), "@Opsy ping", false},
		{"the longest name wins: the platform's", mentioned("Starling of Ops", "@Starling of Ops ping"), "ping", true},
		{"the longest name wins: ours", mentioned("Star", "@Starling ping"), "ping", true},
		{"the longest name wins: both", mentioned("Starling", "@Starling: ping"), "ping", true},
		{"an edited message never is", edited, "starling ping", false},
		{"a click is", &adapter.Event{Kind: adapter.KindClick, Click: &adapter.Click{Command: " deploy api "}}, "deploy api", true},
		{"a click with the name", &adapter.Event{Kind: adapter.KindClick, Click: &adapter.Click{Command: "starling deploy api"}}, "deploy api", true},
		{"a click of nothing", &adapter.Event{Kind: adapter.KindClick}, "", false},
		{"an invocation is", &adapter.Event{Kind: adapter.KindInvocation, Invocation: &adapter.Invocation{Command: "deploy", Text: "api to prod"}}, "deploy api to prod", true},
		{"an invocation without text", &adapter.Event{Kind: adapter.KindInvocation, Invocation: &adapter.Invocation{Command: "deploy"}}, "deploy", true},
		{"a topic is not", &adapter.Event{Kind: adapter.KindTopic, Text: "starling ping"}, "starling ping", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, addressed := tb.Text(c.ev)
			require.Equal(t, c.text, text)
			require.Equal(t, c.addressed, addressed)
		})
	}
}

func FuzzAddress(f *testing.F) {
	f.Add("starling", "!", "starling ping", "", false)
	f.Add("star", ".", "...wait", "Star Ling", false)
	f.Add("h.b", "/", "  @h.b: x", "h", true)
	f.Add("\u212A", "🐦", "k 🐦🐦", "🐦", false)
	f.Add("a\u0301", "@", "@@a\xff", "\xff", true)
	f.Fuzz(func(t *testing.T, name, alias, text, botName string, inDirect bool) {
		tb, err := handler.NewRouter().Build(name, []string{alias})
		require.NoError(t, err)
		ev := message(text)
		if inDirect {
			ev = direct(text)
		}
		ev.BotName, ev.Mentioned = botName, botName != ""
		before := *ev
		rest, addressed := tb.Text(ev)
		require.Equal(t, before, *ev, "parsing must not change the event")
		again, addressedAgain := tb.Text(ev)
		require.Equal(t, rest, again)
		require.Equal(t, addressed, addressedAgain)

		if !addressed {
			require.Equal(t, text, rest, "what is not addressed is untouched")
			return
		}
		require.True(t, strings.HasSuffix(text, rest))
		require.Equal(t, strings.TrimLeftFunc(rest, unicode.IsSpace), rest)
		taken := text[:len(text)-len(rest)]
		if last, _ := utf8.DecodeLastRuneInString(taken); unicode.IsLetter(last) || unicode.IsDigit(last) {
			require.Empty(t, rest, "a word-like name must end at a boundary")
		}
		// White space before the address and after the separator changes nothing.
		ev.Text = "\n\t" + text
		spaced, ok := tb.Text(ev)
		require.True(t, ok)
		require.Equal(t, rest, spaced)
		if rest != "" && strings.IndexFunc(name+alias+botName, unicode.IsSpace) < 0 { // else the space may complete a name
			ev.Text = taken + " " + rest
			spaced, ok = tb.Text(ev)
			require.True(t, ok)
			require.Equal(t, rest, spaced)
		}
	})
}
