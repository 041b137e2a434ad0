package markdown_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/adapter"
	"github.com/starlingbot/starling/adapter/markdown"
)

var units = []adapter.TextUnit{adapter.UnitRunes, adapter.UnitBytes, adapter.UnitUTF16}

func renderers() map[string]*markdown.Renderer {
	return map[string]*markdown.Renderer{"slack": markdown.Slack(), "slack-block": markdown.SlackBlock(), "discord": markdown.Discord(),
		"mattermost": markdown.Mattermost(), "plain": markdown.Plain(), "ansi": markdown.ANSI(0, true), "ansi-40": markdown.ANSI(40, true)}
}

func TestSplitCases(t *testing.T) {
	r := markdown.Discord()
	t.Run("S9 length and limit", func(t *testing.T) {
		for _, n := range []int{10, 100, 2000} {
			text := strings.Repeat("a", n)
			require.Equal(t, []string{text}, r.Split(text, n, adapter.UnitRunes))
			require.Equal(t, []string{text}, r.Split(text, n+1, adapter.UnitRunes))
			parts := r.Split(text, n-1, adapter.UnitRunes)
			require.Len(t, parts, 2)
			require.Equal(t, text, strings.Join(parts, ""))
		}
	})
	t.Run("S10 three lines", func(t *testing.T) {
		require.Equal(t, []string{"one", "two", "six"}, r.Split("one\ntwo\nsix", 3, adapter.UnitRunes))
		require.Equal(t, []string{"one", "two", "six"}, r.Split("one\ntwo\nsix\n", 3, adapter.UnitRunes))
		require.Equal(t, []string{"one", "two", "six"}, r.Split("one\ntwo\nsix", 4, adapter.UnitRunes))
		require.Equal(t, []string{"one", "two", "six"}, markdown.Split("one\ntwo\nsix", 3, adapter.UnitRunes))
	})
	t.Run("S11 nothing at all", func(t *testing.T) {
		require.Empty(t, r.Split("", 3, adapter.UnitRunes))
		require.Empty(t, r.Split(" \n\n ", 3, adapter.UnitRunes))
		require.Empty(t, r.Split("\u2000 "+adapter.Data(" \u3000"), 3, adapter.UnitRunes))
		require.Empty(t, markdown.Split("", 3, adapter.UnitRunes))
	})
	t.Run("S12 a fence under the limit", func(t *testing.T) {
		text := "```\n" + "0123456789 abcdefghi klmnopqrst" + "\n```" // 38 characters and an opening fence
		parts := r.Split(text, 20, adapter.UnitRunes)
		require.Equal(t, []string{"```\n0123456789 \n```", "```\nabcdefghi \n```", "```\nklmnopqrst\n```"}, parts)
	})
	t.Run("S13 a fence over three parts", func(t *testing.T) {
		text := "Look:\n\n```go\none\ntwo\nthree\nfour\nfive\nsix\n```\n\nDone."
		parts := r.Split(text, 24, adapter.UnitRunes)
		require.Equal(t, []string{"Look:", "```go\none\ntwo\nthree\n```", "```go\nfour\nfive\nsix\n```", "Done."}, parts)
		for _, p := range r.Split("a b c\n\n```c++\n"+strings.Repeat("x y\n", 12)+"```", 30, adapter.UnitRunes)[1:] {
			require.True(t, strings.HasPrefix(p, "```c++\n") && strings.HasSuffix(p, "\n```"), "%q", p)
		}
	})
	t.Run("S14 order of preference", func(t *testing.T) {
		require.Equal(t, []string{"aa bb", "cc dd\nee"}, r.Split("aa bb\n\ncc dd\nee", 12, adapter.UnitRunes)) // paragraph before line
		require.Equal(t, []string{"aa bb", "cc dd ee"}, r.Split("aa bb\ncc dd ee", 9, adapter.UnitRunes))      // line before word
		require.Equal(t, []string{"aa bb", "cccccccc"}, r.Split("aa bb cccccccc", 8, adapter.UnitRunes))       // word before character
		require.Equal(t, []string{"aaaa", "aaaa", "a"}, r.Split("aaaaaaaaa", 4, adapter.UnitRunes))
		require.Equal(t, []string{"aa `bb cc `", "`dd`"}, r.Split("aa `bb cc dd`", 11, adapter.UnitRunes)) // the last word that fits, in code too
	})
	t.Run("quotes and marks are opened again", func(t *testing.T) {
		require.Equal(t, []string{"> one two", "> three"}, r.Split("> one two three", 10, adapter.UnitRunes))
		require.Equal(t, []string{"**one two**", "**three**"}, r.Split("**one two three**", 12, adapter.UnitRunes))
		require.Equal(t, []string{"> **aa bb**", "> **cc dd**"}, r.Split("> **aa bb cc dd**", 12, adapter.UnitRunes))
	})
	t.Run("a table repeats its header", func(t *testing.T) {
		table := "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n| 5 | 6 |"
		for _, p := range markdown.Mattermost().Split(table, 48, adapter.UnitRunes) {
			require.True(t, strings.HasPrefix(p, "| a | b |\n| --- | --- |\n| "), "%q", p)
		}
		for _, p := range r.Split(table, 25, adapter.UnitRunes) {
			require.True(t, strings.HasPrefix(p, "```\na  b\n-  -\n") && strings.HasSuffix(p, "\n```"), "%q", p)
		}
	})
	t.Run("never inside an entity, a mention or a link", func(t *testing.T) {
		text := "see " + adapter.Mention(adapter.User{ID: "U12345678", Name: "alice"}) + adapter.Data("<<<<<&&&&&>>>>>") + " [a label](https://example.com/x)"
		for limit := 8; limit < 120; limit++ {
			for _, p := range markdown.Slack().Split(text, limit, adapter.UnitRunes) {
				rest := strings.NewReplacer("&lt;", "", "&gt;", "", "&amp;", "", "<@U12345678>", "", "<https://example.com/x|a label>", "").Replace(p)
				require.NotContains(t, rest, "<", p)
				require.NotContains(t, rest, ">", p)
				require.NotContains(t, rest, "&", p)
			}
		}
	})
	t.Run("what was written before a link that is too long stays", func(t *testing.T) {
		for _, marks := range []string{"*", "**", "~~", "***"} {
			for limit := 20; limit < 60; limit++ {
				// The mark after punctuation needs a zero-width space for the link, which is taken back with it.
				text := "x " + marks + "a>" + marks + "[label](https://example.com/" + strings.Repeat("y", 20) + ") " + marks + "b" + marks
				for _, r := range []*markdown.Renderer{markdown.Mattermost(), markdown.SlackBlock()} {
					got := ""
					for _, p := range r.Parts(markdown.Parse(text), limit, adapter.UnitRunes) {
						require.True(t, utf8.ValidString(p.Text), "%q", p.Text)
						got += p.Text[p.Head:len(p.Text)-p.Tail] + p.Gap
					}
					if n := strings.Count(got, marks[:1]) + strings.Count(got, "_"); n > 0 { // else all is plain text
						require.Equal(t, 4*len(marks), n, "%d %q", limit, got)
					}
				}
			}
		}
	})
	t.Run("no part is white space", func(t *testing.T) {
		spaces := strings.Repeat(" ", 40)
		for _, text := range []string{"```\n" + spaces + "x\n```", adapter.Data(spaces + "x"), "`" + adapter.Data(spaces+"x") + "`", "a\n\n```\n" + spaces + "x\n```"} {
			for name, r := range renderers() {
				parts := r.Parts(markdown.Parse(text), 15, adapter.UnitBytes)
				checkParts(t, name, text, nil, parts, 15, adapter.UnitBytes)
				whole := r.Document(markdown.Parse(text))
				require.Equal(t, whole.Text(), markdown.Join(whole.Split(15, adapter.UnitBytes)), name)
			}
		}
	})
	t.Run("never inside an escape sequence, in lines that were wrapped", func(t *testing.T) {
		mention := "\x1b[33m@alice\x1b[39m"
		for n := range 200 {
			text := strings.Repeat("x", n) + " y " + strings.Repeat(adapter.Mention(adapter.User{ID: "U1", Name: "alice"}), 3) + " z"
			for _, p := range markdown.ANSI(30, true).Split(text, 20+n%7, adapter.UnitBytes) {
				require.NotContains(t, strings.ReplaceAll(p, mention, ""), "\x1b", "%d %q", n, p)
			}
		}
	})
	t.Run("never inside a cluster", func(t *testing.T) {
		family := "👩‍👩‍👧‍👦"
		for _, u := range units {
			n := u.Len(family)
			for _, p := range r.Split(strings.Repeat(family, 9), 2*n+1, u) {
				require.Empty(t, strings.ReplaceAll(p, family, ""))
			}
		}
	})
	t.Run("a link that is too long becomes text", func(t *testing.T) {
		address := "https://example.com/" + strings.Repeat("x", 100)
		text := strings.Join(r.Split("[label]("+address+")", 50, adapter.UnitRunes), "")
		require.Equal(t, `label (https\://example.com/`+strings.Repeat("x", 100)+")", strings.ReplaceAll(text, "label(", "label ("))
	})
}

// checkParts checks what splitting promises for any document.
func checkParts(t testing.TB, name, source string, whole *markdown.Rendered, parts []markdown.Part, limit int, unit adapter.TextUnit) {
	t.Helper()
	for _, p := range parts {
		require.LessOrEqual(t, unit.Len(p.Text), limit, "%s, limit %d %s, source %q, part %q", name, limit, unit, source, p.Text)
		require.True(t, utf8.ValidString(p.Text))
		require.NotEmpty(t, strings.TrimSpace(p.Text[p.Head:len(p.Text)-p.Tail]), "%s, limit %d, source %q: empty part %q before %q", name, limit, source, p, p.Gap)
		require.Empty(t, strings.TrimFunc(p.Before+p.Gap, func(r rune) bool { return unicode.IsSpace(r) || r == '>' || r == '│' }), "gap %q", p.Gap)
	}
	if whole != nil {
		require.Equal(t, whole.Text(), markdown.Join(parts), "%s, limit %d", name, limit)
	}
}

// TestSplitProperties splits generated documents for all platforms, units and many limits.
func TestSplitProperties(t *testing.T) {
	n := uint64(1500)
	if testing.Short() {
		n = 100
	}
	for seed := uint64(1); seed <= n; seed++ {
		r := rand.New(rand.NewPCG(seed, 11))
		source := genDoc(r).source()
		doc := markdown.Parse(source)
		for name, renderer := range renderers() {
			unit := units[r.IntN(3)]
			whole := renderer.Document(doc)
			for _, limit := range []int{8 + r.IntN(30), 30 + r.IntN(100), 100 + r.IntN(1000)} {
				checkParts(t, name, source, nil, renderer.Parts(doc, limit, unit), limit, unit)
				if limit >= 60 {
					checkParts(t, name, source, whole, whole.Split(limit, unit), limit, unit)
				}
			}
		}
	}
}
