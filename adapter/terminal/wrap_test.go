package terminal

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/starlingbot/starling/adapter/markdown"
)

func TestWrap(t *testing.T) {
	for name, c := range map[string]struct {
		in, want string
		hang     int
	}{
		"short":                 {"one two", "one two", 0},
		"at the width":          {"1234 67890", "1234 67890", 0},
		"one over":              {"1234 678901", "1234\n678901", 0},
		"set in":                {"1234 678901 3", "1234\n  678901 3", 2},
		"lines stay":            {"one\n\ntwo three four\nfive\n", "one\n\ntwo three\nfour\nfive\n", 0},
		"a long word is whole":  {"a 12345678901234 b", "a\n12345678901234\nb", 0},
		"a long word first":     {"12345678901234 b", "12345678901234\nb", 0},
		"spaces within stay":    {"a   b", "a   b", 0},
		"and in front":          {"    b", "    b", 0},
		"but not at a break":    {"1234567    890", "1234567\n890", 0},
		"colours have no width": {"\x1b[1;36m1234\x1b[0m 67890", "\x1b[1;36m1234\x1b[0m 67890", 0},
		"wide characters":       {"日本語 日本", "日本語\n日本", 0},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, wrap(c.in, 10, c.hang)) })
	}
}

// No line is wider than the screen, unless it is one word, and nothing but white space changes.
func TestWrapKeepsWords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringOfN(rapid.RuneFrom([]rune(" ab日\n")), 0, 80, -1).Draw(t, "text")
		width, hang := rapid.IntRange(4, 20).Draw(t, "width"), rapid.IntRange(0, 2).Draw(t, "hang")
		out := wrap(s, width, hang)
		require.Equal(t, strings.Fields(s), strings.Fields(out))
		for line := range strings.SplitSeq(out, "\n") {
			if strings.Contains(strings.TrimSpace(line), " ") {
				require.LessOrEqual(t, markdown.Columns(strings.TrimRight(line, " ")), width, "%q", out)
			}
		}
	})
}

func TestFlow(t *testing.T) {
	require.Equal(t, "[1] Yes  [2] No", flow([]string{"[1] Yes", "[2] No"}, 15))
	require.Equal(t, "[1] Yes\n[2] No", flow([]string{"[1] Yes", "[2] No"}, 14))
	require.Equal(t, "[1] Take it all back\n[2] No  [3] Why", flow([]string{"[1] Take it all back", "[2] No", "[3] Why"}, 15))
	require.Empty(t, flow(nil, 15))
}
