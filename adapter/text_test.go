package adapter_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/starlingbot/starling/adapter"
)

var (
	bob  = adapter.User{Adapter: "slack", ID: "U1", Name: "bob"}
	ops  = adapter.Room{ID: "C1", Name: "ops"}
	noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.FixedZone("east", 3600))
)

func TestStrip(t *testing.T) {
	for in, want := range map[string]string{
		"":                        "",
		"plain":                   "plain",
		"\uFDCF\uFDF0\uFDFA":      "\uFDCF\uFDF0\uFDFA", // Arabic neighbours stay
		"a\uFDD0b\uFDEFc":         "abc",
		"\uFDD1U1\uFDD4bob\uFDD5": "U1bob",
		"\uFFFE\uFFFF\U0001FFFE":  "\uFFFE\uFFFF\U0001FFFE", // other noncharacters carry nothing
		"\xEF\uFDD0\xB7\x91":      "\uFFFD\uFFFD\uFFFD",     // what is left must not come together as another one
		"\xEF\xB7":                "\uFFFD\uFFFD",
		"\xFF without any":        "\xFF without any",
	} {
		require.Equal(t, want, adapter.Strip(in), "%q", in)
	}
}

func TestNodes(t *testing.T) {
	type nodes = []adapter.Node
	markup := func(s string) adapter.Node { return adapter.Node{Text: s} }
	data := func(s string) adapter.Node { return adapter.Node{Kind: adapter.NodeData, Text: s} }
	mention := adapter.Node{Kind: adapter.NodeMention, ID: "U1", Text: "bob"}
	for _, c := range []struct {
		name, text string
		want       nodes
		plain      string
	}{
		{"nothing", "", nil, ""},
		{"markup", "**hi** @here", nodes{markup("**hi** @here")}, "**hi** @here"},
		{"data", adapter.Data("*x*"), nodes{data("*x*")}, "*x*"},
		{"empty data", adapter.Data(""), nodes{data("")}, ""},
		{"data of nothing but noncharacters", adapter.Data("\uFDD1\uFDD5"), nodes{data("")}, ""},
		{"data between markup", "a " + adapter.Data("b") + " c", nodes{markup("a "), data("b"), markup(" c")}, "a b c"},
		{"data in data", adapter.Data(adapter.Data("x")), nodes{data("x")}, "x"},
		{"a mention", adapter.Mention(bob), nodes{mention}, "@bob"},
		{"a mention without a name", adapter.Mention(adapter.User{ID: "U1"}), nodes{{Kind: adapter.NodeMention, ID: "U1", Text: "U1"}}, "@U1"},
		{"a mention of nobody", adapter.Mention(adapter.User{Name: "bob"}), nodes{data("bob")}, "bob"},
		{"a hostile name", adapter.Mention(adapter.User{ID: "U1", Name: "\uFDD5\uFDD1U2\uFDD4eve"}), nodes{{Kind: adapter.NodeMention, ID: "U1", Text: "U2eve"}}, "@U2eve"},
		{"a room", adapter.RoomLink(ops), nodes{{Kind: adapter.NodeRoom, ID: "C1", Text: "ops"}}, "#ops"},
		{"a room without a name", adapter.RoomLink(adapter.Room{ID: "C1"}), nodes{{Kind: adapter.NodeRoom, ID: "C1"}}, "C1"},
		{"a room without an id", adapter.RoomLink(adapter.Room{Name: "ops"}), nodes{data("#ops")}, "#ops"},
		{"a time", adapter.Timestamp(noon), nodes{{Kind: adapter.NodeTime, Time: noon.UTC()}}, "2026-05-01 11:00 UTC"},
		{"a time before 1970", adapter.Timestamp(time.Unix(-1, 0)), nodes{{Kind: adapter.NodeTime, Time: time.Unix(-1, 0).UTC()}}, "1969-12-31 23:59 UTC"},
		{"no number in a time", "\uFDD3x\uFDD5after", nodes{markup("after")}, "after"},
		{"no id in a mention", "\uFDD1\uFDD4bob\uFDD5", nodes{}, ""},
		{"cut off in data", "a\uFDD0**b", nodes{markup("a"), data("**b")}, "a**b"},
		{"cut off in a mention", "\uFDD1U1\uFDD4bo", nodes{data("U1bo")}, "U1bo"},
		{"ends that end nothing", "a\uFDD5b\uFDD4c\uFDD6d", nodes{markup("abcd")}, "abcd"},
		{"a node in a node", "\uFDD0a\uFDD1U2\uFDD5b", nodes{data("aU2"), markup("b")}, "aU2b"},
		{"Arabic neighbours", "\uFDFA", nodes{markup("\uFDFA")}, "\uFDFA"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, adapter.Nodes(c.text))
			require.Equal(t, c.plain, adapter.PlainText(c.text))
		})
	}
}

// T9: whatever people write is data and nothing but data, wherever it stands in a text.
func TestDataIsOnlyData(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := wild().Draw(t, "s")
		want := adapter.Strip(s)
		require.Equal(t, want, adapter.PlainText(adapter.Data(s)))
		require.Equal(t, []adapter.Node{{Kind: adapter.NodeData, Text: want}}, adapter.Nodes(adapter.Data(s)))
		require.Equal(t, adapter.Data(s), adapter.Data(adapter.Strip(s)))
		require.Equal(t, want, adapter.Strip(want))

		nodes := adapter.Nodes(adapter.Format("<%s|%v>", s, s))
		text := ""
		for _, n := range nodes {
			if n.Kind == adapter.NodeMarkup {
				require.Contains(t, "<|>", n.Text)
			} else {
				require.Equal(t, adapter.NodeData, n.Kind)
			}
			text += n.Text
		}
		require.Equal(t, "<"+want+"|"+want+">", text)
	})
}

// T9, T13: no verb and no type shows an argument as markup; what is left of the markup is what fmt itself writes.
func TestFormatArgumentsAreNeverMarkup(t *testing.T) {
	const evil = "*evil*\uFDD1U9\uFDD4eve\uFDD5"
	type inner struct{ secret string }
	values := []any{
		evil, []string{evil}, map[string]string{evil: evil}, inner{evil}, &inner{evil}, errors.New(evil), label(evil), fmt.Stringer(label(evil)),
		[]byte(evil), struct{ X any }{evil}, '*', 0xFDD1, []rune(evil), byte('*'), rune('`'), uint64('_'),
	}
	var formats []string
	for verb := range rune(128) {
		if strings.ContainsRune("*_`[+-# 0123456789.%", verb) {
			continue
		}
		for _, flags := range []string{"", "#", "+", "-20", "20", ".3", " ", "[1]", "+#v %-"} {
			formats = append(formats, "%"+flags+string(verb))
		}
	}
	formats = append(formats, "", "none", "%", "%z%", "%[5]s", "%*s", "%[2]*[1]s", "%.*s", "%!s", "%%", "%%%s", "%5%%T", "%[x]w")
	for _, v := range values {
		for _, format := range formats {
			for _, n := range adapter.Nodes(adapter.Format(format, v)) {
				require.Contains(t, []adapter.NodeKind{adapter.NodeMarkup, adapter.NodeData}, n.Kind, "%q of %#v", format, v)
				if n.Kind == adapter.NodeMarkup && !strings.Contains(format, "*") {
					require.NotContains(t, n.Text, "evil", "%q of %#v", format, v)
					require.False(t, strings.ContainsAny(n.Text, "*`_"), "%q of %#v is %q", format, v, n.Text)
				}
			}
		}
	}
}

type label string

func (l label) String() string { return "label " + string(l) }

func TestFormat(t *testing.T) {
	data := adapter.Data
	for _, c := range []struct {
		format string
		args   []any
		want   string
	}{
		{"**plain** 100", nil, "**plain** 100"},
		{"100%%", nil, "100%"},
		{"%s", []any{"a*b"}, data("a*b")},
		{"%s", []any{""}, adapter.Data("")},
		{"%v", []any{"a"}, data("a")},
		{"**%v**", []any{[]string{"a", "b"}}, "**" + data("[a b]") + "**"},
		{"%q", []any{"a\"b"}, data(`"a\"b"`)},
		{"%#v", []any{"a"}, data(`"a"`)},
		{"%x", []any{"hi"}, data("6869")},
		{"% X", []any{"hi"}, data("68 69")},
		{"%-10s|", []any{"a"}, data("a         ") + "|"},
		{"%10s|", []any{"a"}, data("         a") + "|"},
		{"%.2s", []any{"abc"}, data("ab")},
		{"%*s|", []any{3, "a"}, data("  a") + "|"},
		{"%[2]s%[1]s", []any{"a", "b"}, data("b") + data("a")},
		{"%d of %d", []any{1, uint8(2)}, "1 of 2"},
		{"%05d %+d %x %o %b", []any{7, 7, 255, 8, 5}, "00007 +7 ff 10 101"},
		{"%*d", []any{4, 7}, "   7"},
		{"%5.2f|%g|%e", []any{3.14159, 0.5, 1e6}, " 3.14|0.5|1.000000e+06"},
		{"%t %v", []any{true, false}, "true false"},
		{"%v", []any{2i}, "(0+2i)"},
		{"%c", []any{'*'}, data("*")},
		{"%q %d", []any{'`', 5}, data("'`'") + " " + data("5")},
		{"%#U", []any{'*'}, data("U+002A '*'")},
		{"%T", []any{"a"}, data("string")},
		{"%T %T %T", []any{1, nil, errors.New("x")}, data("int") + " " + data("<nil>") + " " + data("*errors.errorString")},
		{"100%%T %s", []any{"a"}, "100%T " + data("a")},
		{"%d", []any{"x"}, data("%!d(string=x)")},
		{"%w", []any{errors.New("no")}, data("%!w(*errors.errorString=&{no})")},
		{"%p", []any{"x"}, data("%!p(string=x)")},
		{"%s", nil, "%!s(MISSING)"},
		{"a", []any{"x"}, "a%!(EXTRA adapter.data=" + data("x") + ")"},
		{"%s", []any{bob}, adapter.Mention(bob)},
		{"%-20q", []any{bob}, adapter.Mention(bob)},
		{"%v in %v", []any{bob, ops}, adapter.Mention(bob) + " in " + adapter.RoomLink(ops)},
		{"%s", []any{noon}, adapter.Timestamp(noon)},
		{"%s", []any{&bob}, data("bob")},
		{"%s", []any{adapter.Markup("**b**")}, "**b**"},
		{"%-7s|", []any{adapter.Markup("**b**")}, "**b**  |"},
		{"%v", []any{nil}, data("<nil>")},
		{"%s", []any{(*label)(nil)}, data("<nil>")},
		{"%v", []any{errors.New("no *way*")}, data("no *way*")},
		{"%s", []any{label("a")}, data("label a")},
		{"%v", []any{90 * time.Second}, data("1m30s")},
		{"%s", []any{time.Hour}, data("1h")},
		{"%s", []any{10 * time.Minute}, data("10m")},
		{"%s", []any{time.Hour + time.Second}, data("1h0m1s")},
		{"%s", []any{time.Duration(0)}, data("0s")},
		{"%d", []any{time.Second}, data("1000000000")},
		{"%s", []any{"\uFDD1U1\uFDD4bob\uFDD5"}, data("U1bob")},
		{"%s", []any{adapter.Mention(bob)}, data("U1bob")}, // a mention is an argument of type User
		{"%s", []any{"%d %s"}, data("%d %s")},
	} {
		require.Equal(t, c.want, adapter.Format(c.format, c.args...), "Format(%q, %v)", c.format, c.args)
	}
}

// Format with nothing but plain verbs prints what Sprintf prints.
func TestFormatReadsAsSprintf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.Map(wild(), adapter.Strip).Draw(t, "s")
		n := rapid.Int().Draw(t, "n")
		f := rapid.Float64().Draw(t, "f")
		format := rapid.SampledFrom([]string{"%s %d %g", "%q|%5d|%8.3f", "%-12s%+d%e", "%x %x %v", "%v%v%v", "%#v %08d %.0f", "%.2s %d %t", "%T %T %T", "%d %s %s"}).Draw(t, "format")
		require.Equal(t, adapter.Strip(fmt.Sprintf(format, s, n, f)), adapter.PlainText(adapter.Format(format, s, n, f)))
	})
}

func FuzzNodes(f *testing.F) {
	for _, s := range []string{"", "a", adapter.Format("%s %s %s %s", bob, ops, noon, "*x*"), "\uFDD0", "\uFDD0\uFDD5", "\uFDD1\uFDD5", "\uFDD3-9\uFDD5", "\xEF\xB7\uFDD1a\uFDD5", "\uFDD1a\uFDD4\uFDD4\uFDD0\uFDD5\uFDD5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		nodes := adapter.Nodes(text)
		ids := 0
		for _, n := range nodes {
			require.Equal(t, adapter.Strip(n.Text), n.Text, "a node's text carries nodes")
			require.Equal(t, adapter.Strip(n.ID), n.ID)
			switch n.Kind {
			case adapter.NodeMarkup:
				require.NotEmpty(t, n.Text)
				require.Empty(t, n.ID)
			case adapter.NodeData: // may be empty
				require.Empty(t, n.ID)
			case adapter.NodeMention, adapter.NodeRoom:
				require.NotEmpty(t, n.ID)
				ids++
			case adapter.NodeTime:
				require.Equal(t, time.UTC, n.Time.Location())
				ids++
			default:
				t.Fatalf("kind %d", n.Kind)
			}
		}
		starts := strings.Count(text, "\uFDD1") + strings.Count(text, "\uFDD2") + strings.Count(text, "\uFDD3")
		require.LessOrEqual(t, ids, starts, "more mentions, rooms and times than were written")
		plain := adapter.PlainText(text)
		if utf8.ValidString(text) {
			require.True(t, utf8.ValidString(plain))
			if starts == 0 && !strings.Contains(text, "\uFDD0") {
				require.Equal(t, adapter.Strip(text), plain)
			}
		}
	})
}
