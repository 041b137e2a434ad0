package brain_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/starlingbot/starling/brain"
)

func TestKey(t *testing.T) {
	long := strings.Repeat("x", 600)
	for _, c := range []struct {
		parts []string
		want  string
	}{
		{nil, "%"},
		{[]string{""}, "%"},
		{[]string{"a"}, "a"},
		{[]string{"a", "b c", "@room:srv", "é", "a.b", "a*>"}, "a/b c/@room:srv/é/a.b/a*>"},
		{[]string{"a", "", "b"}, "a/%/b"},
		{[]string{"a/b", "50%"}, "a%2Fb/50%25"},
		{[]string{"\x00", "\xff\xfe", "é\xc3"}, "%00/%FF%FE/é%C3"},
		{[]string{"%"}, "%25"},
		{[]string{"\uFFFD"}, "\uFFFD"},
	} {
		require.Equal(t, c.want, brain.Key(c.parts...), "%q", c.parts)
		if c.parts != nil {
			back, ok := brain.SplitKey(c.want)
			require.True(t, ok)
			require.Equal(t, c.parts, back)
		}
	}
	hashed := brain.Key("seen", "slack", long)
	require.True(t, strings.HasPrefix(hashed, "seen/slack/%~"), hashed)
	require.NotEqual(t, hashed, brain.Key("seen", "slack", long+"y"))
	require.NotEqual(t, hashed, brain.Key("seen", "slack", long[:599], "x"))
	_, ok := brain.SplitKey(hashed)
	require.False(t, ok)
	require.NoError(t, brain.CheckKey(brain.Key(long, "a")))
	require.Len(t, brain.Key(long[:512]), 512, "exactly 512 bytes is not hashed")
	require.Equal(t, long[:510]+"/a", brain.Key(long[:510], "a"))
	for _, bad := range []string{"%4", "%zz", "a/%%", "", "a//b"} {
		_, ok := brain.SplitKey(bad)
		require.False(t, ok, bad)
	}
}

// Any parts give a valid key; it can be split again if nothing was hashed; and
// different parts give different keys.
func TestKeyProperties(t *testing.T) {
	part := rapid.OneOf(rapid.StringN(0, 8, 20), rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 12), func(b []byte) string { return string(b) }),
		rapid.SampledFrom([]string{"", "/", "%", "%~", "a%2Fb", "\x00", "_", ".."}), rapid.StringN(100, 300, 600))
	parts := rapid.SliceOfN(part, 1, 6)
	rapid.Check(t, func(t *rapid.T) {
		a, b := parts.Draw(t, "a"), parts.Draw(t, "b")
		ka, kb := brain.Key(a...), brain.Key(b...)
		require.NoError(t, brain.CheckKey(ka))
		require.NoError(t, brain.CheckPrefix(ka+"/"))
		require.Equal(t, fmt.Sprintf("%q", a) == fmt.Sprintf("%q", b), ka == kb, "%q and %q", a, b)
		if back, ok := brain.SplitKey(ka); ok {
			require.Equal(t, a, back)
		} else {
			require.Contains(t, ka, "%~")
		}
	})
}

func TestCheckOps(t *testing.T) {
	value := func(n int) []byte { return make([]byte, n) }
	for name, c := range map[string]struct {
		ops  []brain.Op
		want error
	}{
		"nothing":          {nil, nil},
		"largest value":    {[]brain.Op{{Key: "a", Value: value(brain.MaxValue)}}, nil},
		"too large value":  {[]brain.Op{{Key: "a", Value: value(brain.MaxValue + 1)}}, brain.ErrTooLarge},
		"value of delete":  {[]brain.Op{{Key: "a", Value: value(brain.MaxValue + 1), Delete: true, TTL: -1}}, nil},
		"largest apply":    {[]brain.Op{{Key: "a", Value: value(brain.MaxApply/2 - 1)}, {Key: "b", Value: value(brain.MaxApply/2 - 1)}}, nil},
		"too large apply":  {[]brain.Op{{Key: "aa", Value: value(brain.MaxApply/2 - 1)}, {Key: "b", Value: value(brain.MaxApply/2 - 1)}}, brain.ErrTooLarge},
		"twice":            {[]brain.Op{{Key: "a"}, {Key: "b"}, {Key: "a"}}, brain.ErrInvalidKey},
		"bad key":          {[]brain.Op{{Key: "a"}, {Key: "b/"}}, brain.ErrInvalidKey},
		"negative TTL":     {[]brain.Op{{Key: "a", TTL: -time.Second}}, brain.ErrInvalidOp},
		"too many":         {make([]brain.Op, brain.MaxOps+1), brain.ErrTooLarge},
		"fractional TTL":   {[]brain.Op{{Key: "a", TTL: 1}}, nil},
		"largest TTL":      {[]brain.Op{{Key: "a", TTL: math.MaxInt64}}, nil},
		"key of 513 bytes": {[]brain.Op{{Key: strings.Repeat("k", 513)}}, brain.ErrInvalidKey},
	} {
		t.Run(name, func(t *testing.T) { require.ErrorIs(t, brain.CheckOps(c.ops), c.want) })
	}
}

func TestWholeSeconds(t *testing.T) {
	for in, want := range map[time.Duration]time.Duration{
		0: 0, 1: time.Second, time.Second: time.Second, time.Second + 1: 2 * time.Second, time.Hour: time.Hour,
		math.MaxInt64: time.Duration(math.MaxInt64).Truncate(time.Second),
	} {
		require.Equal(t, want, brain.WholeSeconds(in), in)
	}
}

func TestCond(t *testing.T) {
	require.True(t, brain.Absent.Holds(false, 0))
	require.False(t, brain.Absent.Holds(true, 7))
	require.True(t, brain.Any.Holds(true, 7))
	require.True(t, brain.Any.Holds(false, 0))
	require.True(t, brain.At(7).Holds(true, 7))
	require.False(t, brain.At(7).Holds(true, 8))
	require.False(t, brain.At(7).Holds(false, 7))
	require.Equal(t, brain.Absent, brain.Op{}.If, "a forgotten condition refuses to overwrite")
}
