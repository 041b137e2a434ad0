package prefilter

import (
	"regexp/syntax"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func setOf(s string) byteSet { return bytesIn(s) }

func TestRequiredBytes(t *testing.T) {
	digits := setOf("0123456789")
	outside := byteSet{}
	outside.addRange(0x80, 0xff)
	for _, tc := range []struct {
		expr string
		want []byteSet
	}{
		{`\d`, []byteSet{digits}},
		{`\d+-\d+`, []byteSet{setOf("-"), digits}},
		{`\d*-`, []byteSet{setOf("-")}},
		{`(\d)?`, nil},
		{`[ab]|c`, []byteSet{setOf("abc")}},
		{`a|.`, nil},
		{`(?i)k`, []byteSet{setOf("kK\xe2")}},
		{`(?i)s`, []byteSet{setOf("sS\xc5")}},
		{`K`, []byteSet{setOf("K")}},
		{`a.b.c.d`, []byteSet{setOf("a"), setOf("b"), setOf("c")}}, // maxByteSets
		{`\x{FFFD}`, []byteSet{outside}},
		{`[\x{FFFD}a]`, nil}, // 129 bytes: too broad
		{`[\x70-\x{81}]`, []byteSet{setOf("pqrstuvwxyz{|}~\x7f\xc2")}},
		{`[\x{7ff}-\x{800}]`, []byteSet{setOf("\xdf\xe0")}},
		{`[\x{ffff}-\x{10000}]`, []byteSet{setOf("\xef\xf0")}},
		{`[^\x00-\x{10FFFF}]`, []byteSet{{}}},
		{`[^a]`, nil},
		{`\S`, nil},
	} {
		re, err := parse(tc.expr)
		require.NoError(t, err)
		require.Equal(t, tc.want, append([]byteSet(nil), requiredBytes(re)...), tc.expr)
	}
}

// TestFirstByte compares with the encoding over all runes that have one.
func TestFirstByte(t *testing.T) {
	last := byte(0)
	for r := rune(0); r <= utf8.MaxRune; r++ {
		got := firstByte(r)
		if utf8.ValidRune(r) && got != string(r)[0] || got < last {
			t.Fatalf("%U: %#x after %#x", r, got, last)
		}
		last = got
	}
}

func TestByteSet(t *testing.T) {
	s := setOf("a\x00\xff")
	require.Equal(t, 3, s.size())
	for b := range 256 {
		require.Equal(t, b == 'a' || b == 0 || b == 0xff, s.has(byte(b)))
	}
	other := setOf("bcd")
	require.False(t, s.meets(&other))
	both := s.union(other)
	require.Equal(t, 6, both.size())
	require.True(t, both.meets(&other))
	require.Less(t, setOf("#").weight(), setOf("e").weight())
	require.Less(t, setOf("e").weight(), setOf(" ").weight())
}

func TestSelective(t *testing.T) {
	re, err := syntax.Parse(`(\d)(\d)(\d)(\d)#`, syntax.Perl)
	require.NoError(t, err)
	require.Equal(t, []byteSet{setOf("#"), setOf("0123456789")}, requiredBytes(re), "each once, the rare first")
}
