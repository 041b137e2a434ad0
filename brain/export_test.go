package brain_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/bolt"
	"github.com/starlingbot/starling/brain/memory"
)

func TestExport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, ctx := newBrain(), context.Background()
		for _, o := range []brain.Op{
			{Key: "json", Value: []byte(`{"a":[1,"<é>"]}`)},
			{Key: "spaced", Value: []byte(`{ "a": 1 }`)},
			{Key: "null", Value: []byte("null")},
			{Key: "empty"},
			{Key: "bytes", Value: []byte("\x00\xff")},
			{Key: "broken", Value: []byte("\"\xff\"")},
			{Key: "short", Value: []byte("1"), TTL: time.Hour},
			{Key: "gone", Value: []byte("1"), TTL: time.Second},
			{Key: "_/seen/slack/1", Value: []byte("1")},
			{Key: "_/tick/job/1", Value: []byte("1")},
			{Key: "_/lease/conv", Value: []byte("1")},
			{Key: "_/role/admin/ann", Value: []byte("1")},
		} {
			_, err := b.Store().Apply(ctx, o)
			require.NoError(t, err)
		}
		time.Sleep(30*time.Minute + time.Millisecond)
		var out strings.Builder
		require.NoError(t, b.Export(ctx, &out))
		require.Equal(t, `{"k":"_/role/admin/ann","v":1}
{"k":"broken","b64":"Iv8i"}
{"k":"bytes","b64":"AP8="}
{"k":"empty","b64":""}
{"k":"json","v":{"a":[1,"<é>"]}}
{"k":"null","v":null}
{"k":"short","v":1,"ttl":1800}
{"k":"spaced","b64":"eyAiYSI6IDEgfQ=="}
`, out.String())

		other := brain.New(memory.New())
		require.NoError(t, other.Import(ctx, strings.NewReader(out.String())))
		var again strings.Builder
		require.NoError(t, other.Export(ctx, &again))
		require.Equal(t, out.String(), again.String())
		time.Sleep(time.Hour)
		_, err := other.Store().Get(ctx, "short")
		require.ErrorIs(t, err, brain.ErrNotFound, "the TTL came along")
	})
}

// What is exported from any store comes back the same from any other.
func TestExportRoundTrip(t *testing.T) {
	ctx, n := context.Background(), 0
	disk, err := bolt.Open(bolt.Config{Path: filepath.Join(t.TempDir(), "b.db")})
	require.NoError(t, err)
	defer disk.Close()
	values := rapid.OneOf(rapid.SliceOf(rapid.Byte()), rapid.SampledFrom([][]byte{[]byte("null"), []byte(`"\u2028"`), []byte("\"\u2028\""), []byte("1e400"), []byte("{}"), []byte("[1,\n2]"), []byte(`{"a":1,"a":2}`), []byte("123456789012345678901234567890"),
		bytes.Repeat([]byte("["), 9000), []byte(strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000))}))
	rapid.Check(t, func(t *rapid.T) {
		n++
		from, to := brain.New(memory.New()).Namespace("x"), brain.New(disk).Namespace(fmt.Sprint(n))
		want := rapid.MapOfN(rapid.Map(rapid.StringN(1, 20, 40), func(s string) string { return brain.Key("k", s) }), values, 0, 40).Draw(t, "data")
		for k, v := range want {
			_, err := from.Store().Apply(ctx, brain.Op{Key: from.Key(k), Value: v})
			require.NoError(t, err)
		}
		var out bytes.Buffer
		require.NoError(t, from.Export(ctx, &out))
		require.NoError(t, to.Import(ctx, &out))
		got := 0
		for e, err := range to.Store().List(ctx, to.Key("k")+"/") {
			require.NoError(t, err)
			k := strings.TrimPrefix(e.Key, fmt.Sprint(n)+"/")
			require.Equal(t, string(want[k]), string(e.Value), "%q", k)
			got++
		}
		require.Equal(t, len(want), got)
	})
}

// S16: what the file does not have stays as it is; what it has replaces.
func TestImportS16(t *testing.T) {
	b, ctx := newBrain(), context.Background()
	require.NoError(t, brain.Set(ctx, b, "cnt", 7))
	require.NoError(t, brain.SetFor(ctx, b, "old", 1, time.Hour))
	require.NoError(t, b.Import(ctx, strings.NewReader("{\"k\":\"old\",\"v\":2}\n\n{\"k\":\"new\",\"v\":3}")))
	for k, want := range map[string]int{"cnt": 7, "old": 2, "new": 3} {
		n, err := brain.Get[int](ctx, b, k)
		require.NoError(t, err)
		require.Equal(t, want, n, k)
	}
	left, err := b.Store().(brain.Expirer).Remaining(ctx, "old")
	require.NoError(t, err)
	require.Zero(t, left, "a line without ttl makes the key permanent")
}

func TestImportLarge(t *testing.T) {
	from, to, ctx := newBrain(), newBrain(), context.Background()
	for i := range 20 {
		_, err := from.Store().Apply(ctx, brain.Op{Key: fmt.Sprintf("k/%02d", i), Value: bytes.Repeat([]byte{byte(i)}, brain.MaxValue)})
		require.NoError(t, err)
	}
	var out bytes.Buffer
	require.NoError(t, from.Export(ctx, &out))
	out.WriteString("{\"k\":\"k/19\",\"v\":\"a key named again\"}\n")
	require.NoError(t, to.Import(ctx, &out))
	n := 0
	for e, err := range to.Store().List(ctx, "k/") {
		require.NoError(t, err)
		if n < 19 {
			require.Len(t, e.Value, brain.MaxValue)
			require.Equal(t, byte(n), e.Value[0])
		} else {
			require.Equal(t, `"a key named again"`, string(e.Value))
		}
		n++
	}
	require.Equal(t, 20, n)
}

func TestImportRefuses(t *testing.T) {
	ctx := context.Background()
	for line, words := range map[string]string{
		`nonsense`:                         "not a line of an export",
		`{"k":"a"}`:                        "exactly one",
		`{"k":"a","v":1,"b64":""}`:         "exactly one",
		`{"k":"a","v":1,"rev":7}`:          "unknown field",
		`{"k":"a","v":1} {"k":"b","v":1}`:  "more than one JSON value",
		`{"k":"","v":1}`:                   "empty",
		`{"k":"a//b","v":1}`:               "empty segment",
		`{"k":"_/lease/x","v":1}`:          "this kind is not imported",
		`{"k":"_/seen/x","v":1}`:           "this kind is not imported",
		`{"k":"a","v":1,"ttl":-1}`:         "ttl",
		`{"k":"a","v":1,"ttl":9999999999}`: "ttl",
		`{"k":"a","b64":"***"}`:            "not a line of an export",
		`{"k":"a","v":"` + strings.Repeat("v", brain.MaxValue) + `"}`: "too large",
		`{"k":"a","v":"` + strings.Repeat("v", 1<<20) + `"}`:          "token too long",
	} {
		b := newBrain()
		err := b.Import(ctx, strings.NewReader("{\"k\":\"first\",\"v\":1}\n"+line+"\n"))
		require.ErrorContains(t, err, words)
		if words == "token too long" {
			require.ErrorContains(t, err, "after line 1")
		} else {
			require.ErrorContains(t, err, "line 2")
		}
		_, err = b.Store().Get(ctx, "a")
		require.ErrorIs(t, err, brain.ErrNotFound)
	}
	require.ErrorIs(t, newBrain().Namespace("x").Import(ctx, strings.NewReader(`{"k":"_/role/x","v":1}`)), brain.ErrInvalidKey)
}

type badWriter struct{}

func (badWriter) Write([]byte) (int, error) { return 0, errors.New("pipe is gone") }

func TestExportErrors(t *testing.T) {
	s, ctx := newFlaky(), context.Background()
	b := brain.New(s)
	require.NoError(t, brain.Set(ctx, b, "k", 1))
	require.ErrorContains(t, b.Export(ctx, badWriter{}), "pipe is gone")
	s.next(unsent)
	require.ErrorIs(t, b.Import(ctx, strings.NewReader(`{"k":"a","v":1}`)), errLost)
	require.NoError(t, s.Close())
	require.ErrorIs(t, b.Export(ctx, &strings.Builder{}), brain.ErrClosed)
}
