package terminal

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
)

// show gives an event in one line.
func show(ev *adapter.Event) string {
	s := fmt.Sprintf("%s %s@%s", ev.Kind, ev.User.ID, ev.Address())
	switch {
	case ev.Reaction != nil:
		s += fmt.Sprintf(" %s by %s", ev.Reaction.Emoji, ev.Reaction.Author.Kind)
	case ev.Click != nil:
		s += fmt.Sprintf(" %s=%s", ev.Click.Label, ev.Click.Command)
	default:
		s += " " + ev.Text
	}
	return strings.ReplaceAll(s, "terminal/", "")
}

// The bot's messages in these tests.
func playground(t *testing.T, in string) (a *Adapter, errs *output, refs []adapter.Ref) {
	a, _, errs = piped(t, in, Config{Playground: true})
	yesNo := []adapter.Button{{Label: "Yes", Command: "approve 7"}, {Label: "No way", Command: "deny 7"}, {Label: "Again"}, {Label: "again"}}
	for _, m := range []*adapter.Message{
		{To: to("dm-you"), Text: "1", Buttons: yesNo},
		{To: to("ops"), Text: "2", Buttons: yesNo},
		{To: adapter.Address{Room: "ops", Thread: "2"}, Text: "3", Buttons: yesNo},
		{To: to("ops"), Text: "4"},
		{To: to("ops"), Text: "5", Only: "you"},
	} {
		ref, err := a.Send(t.Context(), m)
		require.NoError(t, err)
		refs = append(refs, ref)
	}
	require.NoError(t, a.Delete(t.Context(), refs[3]))
	return a, errs, refs
}

func TestPlayground(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     []string
		errs     string
	}{
		{"as", "a\n/as bob\nb\n/as @Ann\nc", []string{"message you@dm-you a", "message bob@dm-bob b", "message Ann@dm-Ann c"}, ""},
		{"as in a room", "/room ops\n/as bob\nb\n/dm\nc", []string{"message bob@ops b", "message bob@dm-bob c"}, ""},
		{"room", "/room ops\na\n/room #dev\nb\n/dm\nc", []string{"message you@ops a", "message you@dev b", "message you@dm-you c"}, ""},
		{"thread", "/thread 1\na\n/room ops\nb\n/thread 2\nc\n/as bob\nd\n/thread\ne\n/thread 3\nf\n/dm\ng", []string{
			"message you@dm-you/1 a", "message you@ops b", "message you@ops/2 c", "message bob@ops/2 d", "message bob@ops e", "message bob@ops/2 f", "message bob@dm-bob g"}, ""},
		{"react", "/react 2 👍\n/as bob\n/react 3 :tada:", []string{"reaction you@ops 👍 by bot", "reaction bob@ops/2 tada by bot"}, ""},
		{"press", "/press 1 1\n/press 1 YES\n/press 2 no  way\n/press 3 2", []string{
			"click you@dm-you Yes=approve 7", "click you@dm-you Yes=approve 7", "click you@ops No way=deny 7", "click you@ops/2 No way=deny 7"}, ""},
		{"edit", "one\n/as bob\nbobs\n/edit 1 bobs  new\n/as you\n/room ops\ntwo\n/edit 1  uno \n/edit 2 dos", []string{
			"message you@dm-you one", "message bob@dm-bob bobs", "edit bob@dm-bob bobs  new", "message you@ops two", "edit you@dm-you uno", "edit you@ops dos"}, ""},
		{"quit", "a\n/quit\nb", []string{"message you@dm-you a"}, ""},
		{"other words are text", "/deploy api\n/\n/ as\n/AS bob\n/asbob\n //quit", []string{
			"message you@dm-you /deploy api", "message you@dm-you /", "message you@dm-you / as", "message you@dm-you /AS bob", "message you@dm-you /asbob", "message you@dm-you  //quit"}, ""},
		{"tabs and spaces", "/as\tbob\n/room  ops \na", []string{"message bob@ops a"}, ""},
		{"wrong as", "/as\n/as a b\n/as \u202ebob\n/as b\u200bob\n/as " + strings.Repeat("x", 65) + "\nx", []string{"message you@dm-you x"},
			strings.Repeat("that is no name; usage: /as NAME\n", 5)},
		{"wrong room", "/room\n/room #\n/room dm-bob\n/room a b\nx", []string{"message you@dm-you x"},
			strings.Repeat("that is no name of a room; usage: /room NAME\n", 4)},
		{"wrong dm, quit", "/room ops\n/dm bob\n/quit now\nx", []string{"message you@ops x"},
			"/dm stands alone; usage: /dm\n/quit stands alone; usage: /quit\n"},
		{"wrong thread", "/thread x\n/thread 0\n/thread 2\n/thread 1 2\n/thread 99999999999999999999\nx", []string{"message you@dm-you x"},
			`the number of a message is needed; usage: /thread N, or /thread alone to leave it
the number of a message is needed; usage: /thread N, or /thread alone to leave it
message 2 is in another room; usage: /thread N, or /thread alone to leave it
there is something after the number; usage: /thread N, or /thread alone to leave it
the number of a message is needed; usage: /thread N, or /thread alone to leave it
`},
		{"wrong react", "/react\n/react 👍\n/react 1\n/react 1 a b\n/react 1 ::\n/react 4 👍", nil,
			`the number of a message is needed; usage: /react N EMOJI
the number of a message is needed; usage: /react N EMOJI
that is not one emoji; usage: /react N EMOJI
that is not one emoji; usage: /react N EMOJI
that is not one emoji; usage: /react N EMOJI
there is no message 4; usage: /react N EMOJI
`},
		{"wrong press", "/press\n/press 1\n/press 1 5\n/press 1 0\n/press 1 maybe\n/press 1 AGAIN\n/as bob\n/press 5 1", nil,
			`the number of a message is needed; usage: /press N BUTTON (its number or label)
there is no such button; usage: /press N BUTTON (its number or label)
there is no such button; usage: /press N BUTTON (its number or label)
there is no such button; usage: /press N BUTTON (its number or label)
there is no such button; usage: /press N BUTTON (its number or label)
several buttons are called AGAIN; usage: /press N BUTTON (its number or label)
there is no message 5; usage: /press N BUTTON (its number or label)
`},
		{"wrong edit", "one\n/edit\n/edit x y\n/edit 1\n/edit 2 x\n/as bob\n/edit 1 x", []string{"message you@dm-you one"},
			`a number and a text are needed; usage: /edit N TEXT (N: which of your lines, from 1)
a number and a text are needed; usage: /edit N TEXT (N: which of your lines, from 1)
a number and a text are needed; usage: /edit N TEXT (N: which of your lines, from 1)
there is no line 2 of yours; usage: /edit N TEXT (N: which of your lines, from 1)
there is no line 1 of yours; usage: /edit N TEXT (N: which of your lines, from 1)
`},
		{"too long to act", "/edit 1 " + strings.Repeat("x", maxLine) + "\n/as bob\nb", []string{"message bob@dm-bob b"},
			"the line is too long; usage: /edit N TEXT (N: which of your lines, from 1)\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, errs, _ := playground(t, c.in)
			var got recorder
			require.NoError(t, a.Run(t.Context(), got.sink))
			var shown []string
			for _, ev := range got.events {
				shown = append(shown, show(ev))
			}
			require.Equal(t, c.want, shown)
			require.Equal(t, c.errs, errs.String())
		})
	}
}

func TestPlaygroundEvents(t *testing.T) {
	a, _, refs := playground(t, "/room ops\nhello\n/react 2 👍\n/press 2 yes\n/edit 1 bye")
	var got recorder
	require.NoError(t, a.Run(t.Context(), got.sink))
	said, reaction, click, edit := got.events[0], got.events[1], got.events[2], got.events[3]
	require.Equal(t, adapter.Room{ID: "ops", Name: "ops", Kind: adapter.RoomChannel}, said.Room)
	require.Equal(t, adapter.KindMember, said.User.Kind)
	require.Equal(t, &adapter.Reaction{Emoji: "👍", Message: refs[1], Author: adapter.User{Adapter: "terminal", ID: "bot:starling", Name: "starling", Kind: adapter.KindBot}}, reaction.Reaction)
	require.Equal(t, refs[1], reaction.Ref())
	require.Equal(t, &adapter.Click{Command: "approve 7", Label: "Yes", Message: refs[1]}, click.Click)
	require.Equal(t, refs[1], click.Ref())
	require.Equal(t, said.Ref(), edit.Ref())
	require.Equal(t, "bye", edit.Text)
	ids := map[string]bool{}
	for _, ev := range got.events {
		ids[ev.ID] = true
	}
	require.Len(t, ids, 4)
}

func TestPressAfterEdit(t *testing.T) {
	a, errs, refs := playground(t, "/press 1 yes\n/press 1 later")
	require.NoError(t, a.Edit(t.Context(), refs[0], &adapter.Message{Text: "x", Buttons: []adapter.Button{{Label: "Later", Command: "snooze"}}}))
	var got recorder
	require.NoError(t, a.Run(t.Context(), got.sink))
	require.Len(t, got.events, 1)
	require.Equal(t, "snooze", got.events[0].Click.Command)
	require.Contains(t, errs.String(), "there is no such button")
}

func TestQuitLeavesTheRest(t *testing.T) {
	a, _, errs := piped(t, "a\n/quit\nb\n", Config{Playground: true})
	var got recorder
	require.NoError(t, a.Run(t.Context(), got.sink))
	require.Equal(t, []string{"a"}, got.texts())
	require.NoError(t, a.Run(t.Context(), got.sink))
	require.Equal(t, []string{"a", "b"}, got.texts())
	require.Empty(t, errs.String())
}

func TestPipedNumberWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, out, errs := piped(t, "deploy\n/press 1 yes\n/press 2 yes\n", Config{Playground: true})
		var got recorder
		start := time.Now()
		require.NoError(t, a.Run(t.Context(), func(ctx context.Context, ev *adapter.Event) error {
			if ev.Text == "deploy" { // the bot answers later
				time.AfterFunc(time.Second, func() {
					_, err := a.Send(ctx, &adapter.Message{To: ev.Address(), Text: "sure?", Buttons: []adapter.Button{{Label: "Yes", Command: "y"}}})
					if err != nil {
						t.Error(err)
					}
				})
			}
			return got.sink(ctx, ev)
		}))
		require.Equal(t, "starling> sure?\n  [1] Yes\n", out.String())
		require.Len(t, got.events, 2)
		require.Equal(t, "y", got.events[1].Click.Command)
		require.Equal(t, "there is no message 2; usage: /press N BUTTON (its number or label)\n", errs.String())
		require.Equal(t, time.Second+patience, time.Since(start))
	})
}

func TestPipedNumberWaitsOverRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, errs := piped(t, "/press 1 yes\nafter\n", Config{Playground: true})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var got recorder
		require.NoError(t, a.Run(ctx, got.sink))
		require.Empty(t, got.events)
		_, err := a.Send(t.Context(), &adapter.Message{To: to("dm-you"), Buttons: []adapter.Button{{Label: "Yes", Command: "y"}}})
		require.NoError(t, err)
		require.NoError(t, a.Run(t.Context(), got.sink))
		require.Len(t, got.events, 2, "the line that waited is not lost")
		require.Equal(t, "y", got.events[0].Click.Command)
		require.Empty(t, errs.String())
	})
}

func TestComplete(t *testing.T) {
	a := New(Config{Out: io.Discard, Playground: true})
	line, pos, list := a.complete("x", 1)
	require.Equal(t, "x ", line)
	require.Equal(t, 2, pos)
	require.Empty(t, list)
	specs := []adapter.CommandSpec{{Name: "ping"}, {Name: "deploy"}, {Name: "deps"}, {Name: "incident open"}, {Name: "incident close"}, {Name: "ping"}, {Name: "\x1b[2J"}, {Name: "größe"}, {Name: "grün"}}
	require.NoError(t, a.RegisterCommands(t.Context(), specs))
	for _, c := range []struct {
		in, want string // the cursor is at |
		list     string
	}{
		{"pi|", "ping |", ""},
		{"PI|", "ping |", ""},
		{"ping|", "ping |", ""},
		{"pi| now", "ping| now", ""},
		{"de|", "dep|", "deploy deps"},
		{"depl|", "deploy |", ""},
		{"in|", "incident |", "incident close incident open"},
		{"incident o|", "incident open |", ""},
		{"gr|", "gr|", "größe grün"},
		{"grö|", "größe |", ""},
		{"|", "|", "deploy deps größe grün incident close incident open ping"},
		{"starling pi|", "starling ping |", ""},
		{"@Starling: pi|", "@Starling: ping |", ""},
		{"starling|", "starling |", ""},
		{"zzz|", "zzz |", ""},
		{"a|b", "a |b", ""},
		{"/r|", "/r|", "/react /room"},
		{"/q|", "/quit |", ""},
		{"starling /q|", "starling /q |", ""},
	} {
		before, after, _ := strings.Cut(c.in, "|")
		line, pos, list := a.complete(before+after, len(before))
		require.Equal(t, c.want, line[:pos]+"|"+line[pos:], c.in)
		require.Equal(t, c.list, strings.Join(list, " "), c.in)
	}
	plain := New(Config{Out: io.Discard})
	line, _, _ = plain.complete("/q", 2)
	require.Equal(t, "/q ", line, "no playground")

	require.NoError(t, a.RegisterCommands(t.Context(), []adapter.CommandSpec{{Name: "new"}}))
	_, _, list = a.complete("", 0)
	require.Equal(t, "new ", func() string { l, _, _ := a.complete("", 0); return l }())
	require.Empty(t, list)
}

func TestListingIsBounded(t *testing.T) {
	names := make([]string, maxListed+7)
	for i := range names {
		names[i] = fmt.Sprintf("c%d", i)
	}
	require.True(t, strings.HasSuffix(listing(names, 1000), "  c49  and 7 more\n"))
	require.Equal(t, "a  b\n", listing([]string{"a", "b"}, 1000))
}

// Tab goes on behind a command's name: what its arguments may become comes from its declaration.
func TestCompleteArguments(t *testing.T) {
	a := New(Config{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard})
	require.NoError(t, a.RegisterCommands(t.Context(), []adapter.CommandSpec{
		{Name: "deploy", Aliases: []string{"ship it"}, Complete: func(_ context.Context, typed string) []string {
			switch typed {
			case "api to ":
				return []string{"staging", "prod"}
			case "a":
				return []string{"api"}
			}
			return nil
		}},
		{Name: "ping"},
	}))
	for before, want := range map[string]struct {
		line string
		list []string
	}{
		"deploy a":           {"deploy api ", nil},
		"starling: deploy a": {"starling: deploy api ", nil},
		"ship it a":          {"ship it api ", nil},
		"deploy api to ":     {"deploy api to ", []string{"staging", "prod"}},
		"deploy x":           {"deploy x ", nil},
		"ping x":             {"ping x ", nil},
	} {
		line, pos, list := a.complete(before, len(before))
		require.Equal(t, want.line, line, before)
		require.Equal(t, len(want.line), pos, before)
		require.Equal(t, want.list, list, before)
	}
}
