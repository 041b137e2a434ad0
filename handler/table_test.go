package handler_test

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/handler"
)

// declared is a route as the oracle sees it.
type declared struct {
	kind, text string
	re         *regexp.Regexp
	id         string
}

// oracle finds the routes for ev by trying one after the other, in words as close to the documentation as can be.
type oracle struct {
	names  []string
	routes []declared
}

func (o oracle) match(ev *adapter.Event) []string {
	var found []string
	heads := 0
	for _, d := range o.routes {
		switch {
		case d.kind == "on" && d.text == string(ev.Kind):
			found = append(found, d.id)
		case d.kind == "hear" && ev.Kind == adapter.KindMessage && d.re.MatchString(first4K(ev.Text)):
			if heads++; len(ev.Text) <= 4096 || heads <= 16 && d.re.MatchString(ev.Text) {
				found = append(found, d.id)
			}
		}
	}
	rest, ok := "", false
	switch ev.Kind {
	case adapter.KindMessage:
		rest, ok = o.addressed(ev)
	case adapter.KindInvocation:
		rest, ok = strings.TrimSpace(ev.Invocation.Command+" "+ev.Invocation.Text), true
		said := message(rest)
		if after, addressed := o.addressed(said); addressed && after != "" { // /starling ping
			rest = after
		}
	}
	if !ok {
		return found
	}
	words, best := strings.Fields(rest), declared{}
	for _, d := range o.routes {
		name := strings.Fields(strings.ToLower(d.text))
		switch {
		case d.kind == "command" && asciiLower(strings.Join(words, " ")) == asciiLower(d.text),
			d.kind == "help" && len(words) > 0 && asciiLower(words[0]) == "help":
			if best.id == "" || len(name) > len(strings.Fields(best.text)) {
				best = d
			}
		}
	}
	if best.id != "" {
		return append(found, best.id)
	}
	heads = 0
	for _, d := range o.routes {
		if d.kind != "respond" || d.re.FindStringIndex(first4K(rest)) == nil {
			continue
		}
		if heads++; len(rest) <= 4096 || heads <= 16 && d.re.MatchString(rest) {
			return append(found, d.id)
		}
	}
	alone := regexp.MustCompile(`^\s*\?\s*$`)
	if alone.MatchString(rest) && (ev.Kind != adapter.KindMessage || alone.MatchString(ev.Text) || regexp.MustCompile(`\pL`).MatchString(ev.Text)) ||
		regexp.MustCompile(`(?i)^\s*(?:(?:(?:--?|/)?help|-h)(?:[.,;:!?…]*\s*$|[:,]*\s+\S)|/\?\s*$)`).MatchString(rest) {
		return append(found, "help")
	}
	for _, d := range o.routes {
		if d.kind == "fallback" && len(found) == 0 {
			return append(found, d.id)
		}
	}
	return found
}

func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

func first4K(s string) string {
	for n := min(len(s), 4096); ; n-- {
		if n == len(s) || s[n]&0xC0 != 0x80 {
			return s[:n]
		}
	}
}

func (o oracle) addressed(ev *adapter.Event) (string, bool) {
	names := slices.Clone(o.names)
	slices.SortStableFunc(names, func(a, b string) int { return len(b) - len(a) })
	for _, name := range names {
		literal := `(?is)^\s*` + regexp.QuoteMeta(name)
		if regexp.MustCompile(`\w$`).MatchString(name) {
			m := regexp.MustCompile(`(?is)^\s*@?` + regexp.QuoteMeta(name) + `(?:[:,]\s*|\s+|$)(.*)$`).FindStringSubmatch(ev.Text)
			if m != nil {
				return m[1], true
			}
			continue
		}
		if regexp.MustCompile(literal + regexp.QuoteMeta(name)).MatchString(ev.Text) {
			continue
		}
		if m := regexp.MustCompile(literal + `\s*(.*)$`).FindStringSubmatch(ev.Text); m != nil {
			return m[1], m[1] != ""
		}
	}
	return strings.TrimLeft(ev.Text, " \t\n"), ev.Room.Kind == adapter.RoomDirect
}

// Match says what a loop over all routes says, whatever filters and maps it uses.
func TestMatchIsALinearLoop(t *testing.T) {
	words := []string{"ping", "deploy", "api", "prod", "kick", "badger", "s3", "Привет", "a", "b"}
	word := rapid.SampledFrom(words)
	phrase := func(min, max int) *rapid.Generator[string] {
		return rapid.Map(rapid.SliceOfN(word, min, max), func(w []string) string { return strings.Join(w, " ") })
	}
	pattern := rapid.OneOf(
		phrase(1, 2),
		rapid.Map(word, func(w string) string { return `(?i)` + w }),
		rapid.Map(word, func(w string) string { return `(?i)\b` + w + `\b` }),
		rapid.Map(word, func(w string) string { return `^` + w + ` (?P<x>\S+)$` }),
		rapid.Map(word, func(w string) string { return w + `|` + w + w }),
		rapid.Map(word, func(w string) string { return `(?:` + w + `)?x` }),
		rapid.SampledFrom([]string{`.`, `.*`, ``, `^$`, `\d+`, `[a-c]{2}`, `(?m)^ping$`, `(?s)a.*b`, `\?`, `x*`, `(?i)[ks]`, `\s\s`, `[^a-z ]`, `(a|b|ping|k)`}),
	)
	kinds := []adapter.Kind{adapter.KindMessage, adapter.KindEdit, adapter.KindTopic, adapter.KindInvocation}
	rapid.Check(t, func(t *rapid.T) {
		rt := handler.NewRouter()
		o := oracle{names: []string{"starling", "!", "star"}}
		seen := map[string]bool{"help": true}
		fallback := false
		for i := range rapid.IntRange(0, 60).Draw(t, "routes") {
			d := declared{kind: rapid.SampledFrom([]string{"hear", "hear", "respond", "respond", "command", "on", "fallback"}).Draw(t, "kind"), id: fmt.Sprintf("r%d", i)}
			var r *handler.Route
			switch d.kind {
			case "hear":
				d.text = pattern.Draw(t, "pattern")
				d.re = regexp.MustCompile(d.text)
				r = rt.Hear(d.text, nothing)
			case "respond":
				d.text = pattern.Draw(t, "pattern")
				d.re = regexp.MustCompile(`\A(?:` + d.text + `)`)
				r = rt.Respond(d.text, nothing)
			case "command":
				d.text = rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]string{"ping", "Deploy", "api", "help", "a", "b"}), 1, 3), func(w []string) string { return strings.Join(w, " ") }).Draw(t, "command")
				if seen[strings.ToLower(d.text)] {
					continue
				}
				seen[strings.ToLower(d.text)] = true
				r = rt.Command(d.text, "", nothing)
			case "on":
				kind := rapid.SampledFrom(kinds).Draw(t, "event")
				d.text = string(kind)
				r = rt.On(kind, nothing)
			case "fallback":
				if fallback {
					continue
				}
				fallback = true
				r = rt.Fallback(nothing)
			}
			r.ID = d.id
			o.routes = append(o.routes, d)
		}
		o.routes = append(o.routes, declared{kind: "help", text: "help", id: "help"})
		tb, err := rt.Build("starling", []string{"!", "star"})
		require.NoError(t, err)

		noise := rapid.OneOf(word, rapid.SampledFrom([]string{"PING", "Deploy", "\u212Aick", "\u017F3", "help", "HELP", "help!", "--help", "/help", "-h", "/?", "12", "ab", "!", "!!", "@", ":", ",", "x", "?", "\n", "\xff", "starling", strings.Repeat("z", 4090)}))
		for range 8 {
			front := rapid.SampledFrom([]string{"", "", "starling ", "Starling: ", "@star, ", "!", "! ", " !", "\tstar\n", "starlings ", "!!", "@!"}).Draw(t, "front")
			space := rapid.SampledFrom([]string{" ", " ", "  ", "", "\n"}).Draw(t, "space")
			text := front + strings.Join(rapid.SliceOfN(noise, 0, 5).Draw(t, "text"), space)
			ev := message(text)
			if rapid.Bool().Draw(t, "direct") {
				ev = direct(text)
			}
			ev.Kind = rapid.SampledFrom(append(kinds, adapter.KindMessage, adapter.KindMessage)).Draw(t, "kind of event")
			if ev.Kind == adapter.KindInvocation {
				command, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
				ev.Invocation = &adapter.Invocation{Command: command, Text: rest}
			}
			before := *ev
			var got []string
			for _, r := range tb.Match(ev).Routes {
				got = append(got, r.ID)
			}
			require.Equal(t, o.match(ev), got, "%s %q", ev.Kind, text)
			require.Equal(t, before, *ev, "Match must be pure")
		}
	})
}

// A text shows in its first 4 KiB what it is for, and nothing that is captured of it is cut.
func TestExpressionsOnLongTexts(t *testing.T) {
	rt := handler.NewRouter()
	rt.Hear(`needle`, nothing).ID = "hear"
	rt.Hear(`END$`, nothing).ID = "end"
	rt.Hear(`^(?:x|é|€|🐦)+$`, nothing).ID = "whole"
	rt.Hear(`(?P<name>\w+)\+\+`, nothing).ID = "karma"
	rt.Respond(`.*respondle`, nothing).ID = "respond"
	rt.Respond(`(?s)echo (?P<text>.+)`, nothing).ID = "echo"
	rt.Respond(`store (?P<key>.+) is (?P<value>.+)`, nothing).ID = "store"
	rt.Respond(`end with (?P<what>.+) now$`, nothing).ID = "now"
	rt.Command("ping", "Ping.", nothing).ID = "command"
	tb := build(t, rt, "!")
	pad := func(n int, s string) string { return strings.Repeat(".", n-len(s)) + s }
	long := strings.Repeat("lorem ", 10_000)
	for _, c := range []struct {
		name, text string
		want       []string
		captured   string // the whole match, or the group text or value
	}{
		{"shows at the limit", pad(handler.MaxMatch, "needle") + "more", []string{"hear"}, "needle"},
		{"crosses it", pad(handler.MaxMatch+1, "needle"), nil, ""},
		{"lies behind it", pad(adapter.MaxText, "needle"), nil, ""},
		{"no end where only the head ends", pad(handler.MaxMatch, "END") + strings.Repeat("x", 1000), nil, ""},
		{"a respond counts from the address", "! " + pad(handler.MaxMatch, "respondle"), []string{"respond"}, pad(handler.MaxMatch, "respondle")},
		{"and shows there too", "! " + pad(handler.MaxMatch+1, "respondle"), nil, ""},
		{"two bytes", "x" + strings.Repeat("é", handler.MaxMatch), []string{"whole"}, "x" + strings.Repeat("é", handler.MaxMatch)},
		{"three bytes", "x" + strings.Repeat("€", handler.MaxMatch), []string{"whole"}, "x" + strings.Repeat("€", handler.MaxMatch)},
		{"four bytes", "xxx" + strings.Repeat("🐦", handler.MaxMatch), []string{"whole"}, "xxx" + strings.Repeat("🐦", handler.MaxMatch)},
		{"what is captured is whole", "!echo " + long, []string{"echo"}, long},
		{"and as in the whole", "!store a is b, " + long + "is c", []string{"store"}, "c"},
		{"an end behind the limit does not show", "!end with " + long + "now", nil, ""},
		{"spaces around a command", "!" + strings.Repeat(" ", 10_000) + "ping" + strings.Repeat(" ", 10_000), []string{"command"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			sel := tb.Match(message(c.text))
			var got []string
			for _, r := range sel.Routes {
				got = append(got, r.ID)
			}
			require.Equal(t, c.want, got)
			for _, route := range sel.Routes {
				if route.Kind() == "command" {
					continue
				}
				r := handler.NewRequest(message(c.text), &recorder{})
				r.Text, r.Route = sel.Text, route
				captured := cmp.Or(r.Arg("text"), r.Arg("value"), r.Arg("0"))
				require.True(t, c.captured == captured, "%d bytes of %d: %.50q", len(captured), len(c.captured), captured)
			}
		})
	}
}

// Who knows the expressions of a bot cannot have it search a long text for ever.
func TestLongTextsMatchSixteen(t *testing.T) {
	rt := handler.NewRouter()
	for i := range 20 {
		rt.Hear(`x.* now$`, nothing).ID = fmt.Sprint("hear", i)
		rt.Respond(fmt.Sprintf(`says .* now$|says.* %d$`, i), nothing).ID = fmt.Sprint("respond", i)
	}
	tb := build(t, rt, "!")
	sel := tb.Match(message("x now"))
	require.Len(t, sel.Routes, 20, "a short text matches all")
	require.Zero(t, sel.Over)
	sel = tb.Match(message("xxxx" + strings.Repeat(" now", 10_000)))
	require.Len(t, sel.Routes, 16)
	require.Equal(t, "hear15", sel.Routes[15].ID)
	require.Equal(t, 4, sel.Over)
	now := strings.Repeat(" now", handler.MaxMatch/4)
	require.Equal(t, "respond15", tb.Match(message("!says" + now + " 15")).Routes[0].ID)
	require.Empty(t, tb.Match(message("!says"+now+" 16")).Routes)
}

// What reached the bot without its end is not acted on: who addressed it is told, and a Hear whose match might be cut does not
// match.
func TestTruncatedTexts(t *testing.T) {
	var tr trace
	rt := handler.NewRouter()
	rt.Hear(`(?P<name>\w+)\+\+`, func(_ context.Context, r *handler.Request) error {
		tr = append(tr, fmt.Sprint(r.Matches()))
		return nil
	})
	rt.Hear(`log (.+)`, tr.note("log"))
	rt.Respond(`(?s)echo (.+)`, tr.note("echo"))
	rt.Command("ping", "Ping.", tr.note("ping"))
	tb := build(t, rt, "!")
	const told = "That is longer than what reaches me, and its end is lost. Nothing was done: say it shorter."
	for _, c := range []struct {
		name, text string
		cut        bool
		ran        []string
		told       string
	}{
		{"a respond", "!echo lorem ipsu", true, nil, told},
		{"a respond that has all", "!echo lorem ipsum", false, []string{"echo"}, ""},
		{"a command", "!ping   ", true, nil, told},
		{"the built-in help", "!help   ", true, nil, told},
		{"a hear up to the end", "please log what i sa", true, nil, ""},
		{"a hear up to the end that has all", "please log what i say", false, []string{"log"}, ""},
		{"a hear before the end", "alice++ bob++ and the res", true, []string{"[[alice++ alice] [bob++ bob]]"}, ""},
		{"the last match of several may be cut", "alice++ bob++", true, []string{"[[alice++ alice]]"}, ""},
		{"the only one, too", "bob++", true, nil, ""},
		{"all of them", "alice++ bob++", false, []string{"[[alice++ alice] [bob++ bob]]"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			ev := message(c.text)
			ev.Truncated = c.cut
			err := dispatch(tb, &recorder{}, ev)
			require.Equal(t, c.ran, []string(tr.take()))
			if c.told == "" {
				require.NoError(t, err)
				return
			}
			var user *handler.UserError
			require.ErrorAs(t, err, &user)
			require.Equal(t, c.told, user.Text)
		})
	}
}

func TestCommandNamesHaveALimit(t *testing.T) {
	longest, words := strings.Repeat("x", 255), strings.Repeat("ab ", 84)+"abc"
	rt := handler.NewRouter()
	rt.Command(longest, "Long.", nothing)
	rt.Command(words, "Many.", nothing)
	tb := build(t, rt)
	require.Len(t, words, 255)
	require.Len(t, tb.Match(message("starling "+longest)).Routes, 1)
	require.Len(t, tb.Match(message("starling "+words)).Routes, 1)
	require.Empty(t, tb.Match(message("starling "+longest+"x")).Routes)
	require.Empty(t, tb.Match(message("starling "+words+"d")).Routes)
}
