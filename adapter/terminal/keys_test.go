package terminal

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func keysOf(t testing.TB, in io.Reader) (keys []string, k *keyReader) {
	k = &keyReader{src: &source{r: in}}
	for {
		key, err := k.next(t.Context())
		if err != nil {
			require.ErrorIs(t, err, io.EOF)
			return keys, k
		}
		keys = append(keys, key)
	}
}

func TestKeys(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{ // keys are separated by a space
		{"letters", "aé日👍~", "a é 日 👍 ~"},
		{"enter", "a\rb\nc\r\nd\n\n", "a \r b \r c \r d \r \r"},
		{"editing", "\x01\x05\x7f\x08\x17\x0b\x15\x04\t", "\x01 \x05 \x7f \x08 \x17 \x0b \x15 \x04 \t"},
		{"other controls", "a\x00\x07\x1a\x1c\x13b", "a b"},
		{"arrows", "\x1b[A\x1b[B\x1b[C\x1b[D", "\x1b[A \x1b[B \x1b[C \x1b[D"},
		{"arrows, application mode", "\x1bOA\x1bOD", "\x1b[A \x1b[D"},
		{"words", "\x1b[1;5C\x1b[1;3D\x1bb\x1bf", "\x1b[1;3C \x1b[1;3D \x1b[1;3D \x1b[1;3C"},
		{"home, end, delete", "\x1b[H\x1b[F\x1b[1~\x1b[4~\x1b[7~\x1b[8~\x1bOH\x1bOF\x1b[3~", "\x01 \x05 \x01 \x05 \x01 \x05 \x01 \x05 \x1b[3~"},
		{"unknown sequences", "a\x1b[15~\x1b[200~b\x1b[201~\x1bOP\x1b[I\x1b[<0;1;2M", "a b"},
		{"ESC alone", "\x1bx\x1b\ry", "x \r y"},
		{"ESC ESC", "\x1b\x1b[A", "\x1b[A"},
		{"broken sequence", "\x1b[12\rx", "\r x"},
		{"broken sequence, letters", "\x1b[é\x1bOé", "é é"},
		{"endless sequence", "\x1b[" + strings.Repeat("1", 40) + "\r", "1 1 1 1 1 1 1 1 \r"},
		{"C1", "a\u009b\u0085b", "a b"},
		{"no UTF-8", "a\xffb\xe2\x82\rc\xe2\x28d\xf0\x9f", "a \U0010fffd b \U0010fffd \r c \U0010fffd ( d"},
		{"broken lead bytes", "\xc0\xc1\xf5x", "\U0010fffd \U0010fffd \U0010fffd x"},
		{"surrogate", "\xed\xa0\x80x", "\U0010fffd \U0010fffd x"},
		{"stand-ins", "\u202e\u200b\ufeff\ufffd\U000e0041", "\U0010202e \U0010200b \U0010feff \U0010fffd \U0010e041"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _ := keysOf(t, strings.NewReader(c.in))
			require.Equal(t, strings.Split(c.want, " "), got)
			slow, _ := keysOf(t, iotest.OneByteReader(strings.NewReader(c.in)))
			require.Equal(t, got, slow)
		})
	}
}

func TestKeysOfALongLine(t *testing.T) {
	keys, k := keysOf(t, strings.NewReader(strings.Repeat("x", maxTyped+9)+"\ry"))
	require.Len(t, keys, maxTyped+2)
	require.True(t, k.over)
	_, k = keysOf(t, strings.NewReader(strings.Repeat("x", maxTyped)+"\r"))
	require.False(t, k.over)
	keys, k = keysOf(t, strings.NewReader("\x03"))
	require.Equal(t, []string{"\x03"}, keys)
	require.True(t, k.interrupted)
}

func TestStandIn(t *testing.T) {
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		s := standIn(r)
		require.True(t, utf8.ValidRune(s))
		if s == standBMP+utf8.RuneError { // these few cannot be told apart
			require.True(t, r == utf8.RuneError || r > utf8.RuneError && invisible(r) || r >= standBMP, "%U", r)
			continue
		}
		if standsFor(s) != r || invisible(s) || s == utf8.RuneError {
			t.Fatalf("%U: %U: %U", r, s, standsFor(s))
		}
	}
	require.Equal(t, utf8.RuneError, standsFor(standIn(utf8.RuneError)))
}

// FuzzKeys: whatever is typed, keys are of a kind that golang.org/x/term takes whole, and each Enter arrives.
func FuzzKeys(f *testing.F) {
	for _, s := range []string{"a\r", "\x1b[\r", "\xe2\x82\r", "\x1bO\r\n", "\xff\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		keys, _ := keysOf(t, bytes.NewReader(in))
		enters := 0
		for _, key := range keys {
			require.True(t, utf8.ValidString(key))
			if key == "\r" {
				enters++
				continue
			}
			r, n := utf8.DecodeRuneInString(key)
			require.True(t, n == len(key) || r == esc, "%q", key)
			require.False(t, r == utf8.RuneError || r >= 0x80 && r <= 0x9f || invisible(r), "%q", key)
		}
		want := bytes.Count(in, []byte("\r")) + bytes.Count(in, []byte("\n")) - bytes.Count(in, []byte("\r\n"))
		require.Equal(t, want, enters)
	})
}
