package terminal

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestClean(t *testing.T) { // T10, T16
	for _, c := range []struct{ name, in, want string }{
		{"plain", "a b\tc\nd~", "a b\tc\nd~"},
		{"letters of the world", "zażółć 日本 👍 ﷺ e\u0301", "zażółć 日本 👍 ﷺ e\u0301"},
		{"variation selector stays", "❤\ufe0f", "❤\ufe0f"},
		{"C0", "a\x00b\x01\x07\x08c\x0b\x0c\x0e\x1f", "abc"},
		{"CR", "a\r\nb\rc", "a\nbc"},
		{"DEL", "a\x7fb", "ab"},
		{"C1", "a\u0080\u0085\u0099b", "ab"},
		{"CSI colour", "\x1b[1;31mred\x1b[0m", "red"},
		{"CSI private", "\x1b[?25lx\x1b[?1049h", "x"},
		{"CSI intermediate", "\x1b[0 qx\x1b[!p", "x"},
		{"CSI 8-bit", "\u009b2Jx", "x"},
		{"CSI broken by a line", "\x1b[12\nx", "\nx"},
		{"CSI broken by a letter", "\x1b[12é", "é"},
		{"CSI at the end", "x\x1b[12", "x"},
		{"OSC title, BEL", "\x1b]0;title\ax", "x"},
		{"OSC link, ST", "\x1b]8;;http://evil/\x1b\\text\x1b]8;;\x1b\\", "text"},
		{"OSC 8-bit", "\u009d0;title\u009cx", "x"},
		{"OSC not ended eats its line alone", "a\x1b]0;title\nb", "a\nb"},
		{"OSC cancelled", "\x1b]0;ti\x18x", "x"},
		{"OSC and a sequence", "\x1b]0;ti\x1b[31mx", "x"},
		{"DCS", "\x1bPq#0\x1b\\x", "x"},
		{"APC, PM, SOS", "\x1b_a\x1b\\\x1b^b\x1b\\\x1bXc\x1b\\x", "x"},
		{"ESC and one", "\x1bcx\x1b7\x1b=", "x"},
		{"charset", "\x1b(0x\x1b#8", "x"},
		{"ESC alone", "a\x1b", "a"},
		{"ESC ESC", "a\x1b\x1b[31mb", "ab"},
		{"ESC and a line", "a\x1b\nb", "a\nb"},
		{"sequence from pieces", "\x1b\x1b[[31m31m", "31m31m"},
		{"no UTF-8", "a\xffb\xc3\x28", "a\uFFFDb\uFFFD("},
		{"8-bit CSI as a byte", "\x9b31mx", "\uFFFD31mx"},
		{"bidi", "a\u202e\u202a\u202b\u202c\u202d\u2066\u2067\u2068\u2069\u200e\u200f\u061cb", "ab"},
		{"zero-width", "a\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u180e\u3164b", "ab"},
		{"tags", "a\U000e0001\U000e0041\U000e007fb", "ab"},
		{"line separators", "a\u2028b\u2029c", "a\nb\nc"},
		{"noncharacters", "a\ufdd0\ufdd5\uffff\U0001fffeb", "ab"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := clean(c.in)
			require.Equal(t, c.want, got)
			require.Equal(t, got, clean(got))
		})
	}
}

func TestCleanLogLeavesColours(t *testing.T) {
	require.Equal(t, "\x1b[31mWARN\x1b[0m x\x1b[38:5:1m\n", cleanLog("\x1b[31mWARN\x1b[0m x\x1b[2J\x1b]0;t\a\x1b[?1m\x1b[1 m\u009b31m\x1b[38:5:1m\r\n"))
}

func TestWord(t *testing.T) {
	require.Equal(t, "a b c", word(" a\tb\n\x1b[2J c\u2028"))
	require.Empty(t, word("\x1b[2J\u200b"))
}

// FuzzStrip: what is shown has no escape, no control but \n and \t, nothing that rewrites or hides, and is stable.
func FuzzStrip(f *testing.F) {
	for _, s := range []string{"", "a\x1b[31mb", "\x1b]0;x\a", "\x1b]8;;u\x1b\\", "\x9b1m", "\u009b1m", "\u202e\u200b", "\xff\xe2\x82", "\x1bP\x1b\x1b[", "\x1b[\x1b]\x1b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		for what, got := range map[string]string{"clean": clean(in), "word": word(in)} {
			require.True(t, utf8.ValidString(got), what)
			for _, r := range got {
				control := r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r >= 0x80 && r <= 0x9f
				require.False(t, control || invisible(r) || r == '\u2028' || r == '\u2029', "%s: %q has %q", what, got, r)
			}
			require.Equal(t, got, clean(got), what)
		}
		require.NotContains(t, word(in), "\n")
		plain := !strings.ContainsFunc(in, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f })
		if plain {
			require.Equal(t, in, clean(in))
		}
		for _, r := range cleanLog(in) {
			require.False(t, r < ' ' && r != '\n' && r != '\t' && r != esc || r >= 0x80 && r <= 0x9f)
		}
		require.Equal(t, clean(in), clean(cleanLog(in)), "colours alone are left")
	})
}
