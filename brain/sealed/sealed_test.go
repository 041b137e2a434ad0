package sealed_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/brain"
	"github.com/starlingbot/starling/brain/bolt"
	"github.com/starlingbot/starling/brain/memory"
	"github.com/starlingbot/starling/brain/sealed"
	"github.com/starlingbot/starling/internal/canary"
	"github.com/starlingbot/starling/testutil/braintest"
)

var ctx = context.Background()

const (
	secretA = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="                     // 0, 1, ... 31
	secretB = "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f" // 32, 33, ... 63
)

func keys(t testing.TB, text string) sealed.Keys {
	t.Helper()
	k, err := sealed.ParseKeys(text)
	require.NoError(t, err)
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(" ,\n:", r) }) {
		if raw, err := base64.StdEncoding.DecodeString(word); err == nil && len(raw) == sealed.KeySize {
			canary.Watch(raw)
		}
	}
	return k
}

func seal(t testing.TB, cfg sealed.Config) *sealed.Store {
	t.Helper()
	s, err := sealed.New(cfg)
	require.NoError(t, err)
	return s
}

func put(t testing.TB, s brain.Store, key, value string) {
	t.Helper()
	_, err := s.Apply(ctx, brain.Op{Key: key, Value: []byte(value), If: brain.Any})
	require.NoError(t, err)
}

func get(t testing.TB, s brain.Store, key string) string {
	t.Helper()
	e, err := s.Get(ctx, key)
	require.NoError(t, err)
	return string(e.Value)
}

// The two cases about the largest sizes cannot hold over a store that has the same limits: a sealed value is longer. What
// holds instead is TestSizes.
var grows = map[string]string{
	"size/value": "a sealed value is longer than its plain one; TestSizes proves the limit that is left",
	"size/apply": "a sealed Apply is longer than its plain one; TestSizes proves the limit that is left",
}

func TestConformanceOverMemory(t *testing.T) {
	braintest.Run(t, braintest.Harness{Bubble: true, Skip: grows, Open: func(string) (brain.Store, error) {
		return sealed.New(sealed.Config{Store: memory.New(), Keys: keys(t, "a:"+secretA)})
	}})
}

func TestConformanceOverBolt(t *testing.T) {
	braintest.Run(t, braintest.Harness{Features: braintest.Features{Durable: true}, Skip: grows, Open: func(dir string) (brain.Store, error) {
		db, err := bolt.Open(bolt.Config{Path: filepath.Join(dir, "brain.db")})
		if err != nil {
			return nil, err
		}
		return sealed.New(sealed.Config{Store: db, Keys: keys(t, "a:"+secretA)})
	}})
}

// Where nothing is sealed the limits are those of the store below, and all cases hold.
func TestConformanceOfWhatIsNotSealed(t *testing.T) {
	braintest.Run(t, braintest.Harness{Bubble: true, Open: func(string) (brain.Store, error) {
		return sealed.New(sealed.Config{Store: memory.New(), Keys: keys(t, "a:"+secretA), Prefixes: []string{"elsewhere/"}})
	}})
}

func TestSizes(t *testing.T) {
	k := keys(t, "a:"+secretA)
	require.Equal(t, 34, k.Overhead())
	m := memory.New()
	s := seal(t, sealed.Config{Store: m, Keys: k})
	largest := strings.Repeat("v", brain.MaxValue-k.Overhead())
	put(t, s, "big", largest)
	require.Equal(t, largest, get(t, s, "big"))
	_, err := s.Apply(ctx, brain.Op{Key: "small", Value: []byte("x")}, brain.Op{Key: "big", Value: []byte(largest + "v"), If: brain.Any})
	require.ErrorIs(t, err, brain.ErrTooLarge)
	require.ErrorContains(t, err, `"big": the value has 524255 bytes, the limit is 524254 where it is sealed`)
	_, err = s.Get(ctx, "small")
	require.ErrorIs(t, err, brain.ErrNotFound, "nothing is written")

	half := strings.Repeat("v", brain.MaxApply/2-1-k.Overhead())
	_, err = s.Apply(ctx, brain.Op{Key: "c", Value: []byte(half)}, brain.Op{Key: "d", Value: []byte(half + "v")})
	require.ErrorIs(t, err, brain.ErrTooLarge)
	require.ErrorContains(t, err, "786433 bytes when it is sealed, the limit is 786432")
	_, err = s.Apply(ctx, brain.Op{Key: "c", Value: []byte(half)}, brain.Op{Key: "d", Value: []byte(half)})
	require.NoError(t, err)

	// Which error it is does not depend on the store below: nothing reaches it.
	none := seal(t, sealed.Config{Store: broken{}, Keys: k})
	for _, ops := range [][]brain.Op{
		{{Key: "big", Value: []byte(largest + "v")}},
		{{Key: "c", Value: []byte(half)}, {Key: "d", Value: []byte(half + "v")}},
	} {
		_, err := none.Apply(ctx, ops...)
		require.ErrorIs(t, err, brain.ErrTooLarge)
	}
}

type broken struct{ brain.Store }

func (broken) Apply(context.Context, ...brain.Op) ([]uint64, error) {
	return nil, errors.New("the store was reached")
}

func TestNothingIsPlainBelow(t *testing.T) {
	m := memory.New()
	s := seal(t, sealed.Config{Store: m, Keys: keys(t, "a:"+secretA)})
	canary := "cnrymark-5c1f0b"
	for i := range 50 {
		put(t, s, fmt.Sprintf("k/%d", i), strings.Repeat(canary, i))
	}
	n := 0
	for e, err := range m.List(ctx, "") {
		require.NoError(t, err)
		require.NotContains(t, string(e.Value), canary[:6])
		n++
	}
	require.Equal(t, 50, n)
	require.Equal(t, canary, get(t, s, "k/1"))
	require.Equal(t, m, s.Unwrap())
	_, ok := brain.As[brain.Expirer](s)
	require.True(t, ok, "what the store below can is reached through Unwrap")
}

// The caller's slices are its own: Apply changes none.
func TestApplyLeavesTheOpsAlone(t *testing.T) {
	s := seal(t, sealed.Config{Store: memory.New(), Keys: keys(t, "a:"+secretA)})
	ops := []brain.Op{{Key: "k", Value: []byte("value"), TTL: time.Hour}, {Key: "l", Delete: true, If: brain.Any}}
	_, err := s.Apply(ctx, ops...)
	require.NoError(t, err)
	require.Equal(t, []brain.Op{{Key: "k", Value: []byte("value"), TTL: time.Hour}, {Key: "l", Delete: true, If: brain.Any}}, ops)
}

// Every bit of every stored value counts, and so does its length and its key.
func TestEveryChangeIsFound(t *testing.T) {
	m := memory.New()
	s := seal(t, sealed.Config{Store: m, Keys: keys(t, "a:"+secretA+" b:"+secretB)})
	flips, cuts := 0, 0
	for i, value := range []string{"", "x", `{"secret":"cnrymark"}`} {
		key := fmt.Sprintf("k/%d", i)
		put(t, s, key, value)
		raw := get(t, m, key)
		for at := range len(raw) {
			for bit := range 8 {
				bent := []byte(raw)
				bent[at] ^= 1 << bit
				put(t, m, key, string(bent))
				refused(t, s, key)
				flips++
			}
			put(t, m, key, raw[:at])
			refused(t, s, key)
			cuts++
		}
		put(t, m, key, raw+"\x00")
		refused(t, s, key)
		put(t, m, key, raw)
		require.Equal(t, value, get(t, s, key))
		put(t, m, key+"/moved", raw)
		err := refused(t, s, key+"/moved")
		require.ErrorIs(t, err, sealed.ErrDamaged)
		require.ErrorContains(t, err, "moved")
		_, err = m.Apply(ctx, brain.Op{Key: key + "/moved", If: brain.Any, Delete: true})
		require.NoError(t, err)
	}
	t.Logf("sealed: %d flipped bits and %d cuts, 0 not found", flips, cuts)
}

// refused wants Get and List to give an error that names the key, and no value.
func refused(t testing.TB, s brain.Store, key string) error {
	t.Helper()
	e, err := s.Get(ctx, key)
	require.Error(t, err)
	require.True(t, errors.Is(err, sealed.ErrDamaged) || errors.Is(err, sealed.ErrNoKey) || errors.Is(err, sealed.ErrPlain), err)
	require.False(t, brain.Certain(err))
	require.Contains(t, err.Error(), fmt.Sprintf("%q", key))
	require.Zero(t, e)
	failed := false
	for e, lerr := range s.List(ctx, "k/") {
		if lerr != nil {
			require.Zero(t, e)
			require.Equal(t, err, lerr)
			failed = true
		}
	}
	require.True(t, failed, "the List does not fail")
	return err
}

func TestWrongAndMissingKeys(t *testing.T) {
	m := memory.New()
	put(t, seal(t, sealed.Config{Store: m, Keys: keys(t, "a:"+secretA)}), "k/1", "value")

	err := refused(t, seal(t, sealed.Config{Store: m, Keys: keys(t, "b:"+secretB)}), "k/1")
	require.ErrorIs(t, err, sealed.ErrNoKey)
	require.EqualError(t, err, `sealed: the value is sealed with a key that is not given: "k/1": it needs the key "a", and there are the keys ["b"]: add that key behind the first one`)

	err = refused(t, seal(t, sealed.Config{Store: m, Keys: keys(t, "a:"+secretB)}), "k/1")
	require.ErrorIs(t, err, sealed.ErrDamaged)
	require.ErrorContains(t, err, `the secret given for the key "a" is not the one that sealed it`)

	require.Equal(t, "value", get(t, seal(t, sealed.Config{Store: m, Keys: keys(t, "b:"+secretB+"\na:"+secretA)}), "k/1"), "all keys open")
}

func TestPlainValues(t *testing.T) {
	m := memory.New()
	put(t, m, "k/1", "plain")
	k := keys(t, "a:"+secretA)

	err := refused(t, seal(t, sealed.Config{Store: m, Keys: k}), "k/1")
	require.ErrorIs(t, err, sealed.ErrPlain)
	require.ErrorContains(t, err, "set Config.AllowPlain and call Rotate")
	require.NotContains(t, err.Error(), `"plain"`)

	moving := seal(t, sealed.Config{Store: m, Keys: k, AllowPlain: true})
	require.Equal(t, "plain", get(t, moving, "k/1"))
	count, err := moving.Count(ctx)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"": 1}, count)
	p, err := moving.Rotate(ctx, sealed.Rotation{})
	require.NoError(t, err)
	require.Equal(t, sealed.Progress{Last: "k/1", Seen: 1, Rewritten: 1}, p)
	require.Equal(t, "plain", get(t, seal(t, sealed.Config{Store: m, Keys: k}), "k/1"), "now it is sealed")

	// Without AllowPlain a rotation does not make somebody's plain value a sealed one.
	put(t, m, "k/2", "planted")
	_, err = seal(t, sealed.Config{Store: m, Keys: k}).Rotate(ctx, sealed.Rotation{})
	require.ErrorIs(t, err, sealed.ErrPlain)
	require.Equal(t, "planted", get(t, m, "k/2"))
}

func TestPrefixes(t *testing.T) {
	m := memory.New()
	k := keys(t, "a:"+secretA)
	s := seal(t, sealed.Config{Store: m, Keys: k, Prefixes: []string{"otp/", "api/keys/"}})
	for key, plain := range map[string]bool{"otp/1": false, "api/keys/x/y": false, "api/other": true, "otp": true, "otpx/1": true, "x/otp/1": true} {
		put(t, s, key, "value")
		require.Equal(t, "value", get(t, s, key))
		require.Equal(t, plain, get(t, m, key) == "value", key)
	}
	// A value that looks sealed stays what it is wherever it is written.
	looks := get(t, m, "otp/1")
	put(t, s, "free/1", looks)
	require.Equal(t, looks, get(t, s, "free/1"))
	// A prefix that is taken off the list leaves what was sealed readable.
	require.Equal(t, "value", get(t, seal(t, sealed.Config{Store: m, Keys: k, Prefixes: []string{"api/"}}), "otp/1"))
}

func TestNewRefuses(t *testing.T) {
	k, m := keys(t, "a:"+secretA), memory.New()
	for name, c := range map[string]struct {
		cfg  sealed.Config
		want string
	}{
		"no store":     {sealed.Config{Keys: k}, "Config.Store is nil"},
		"no keys":      {sealed.Config{Store: m}, "Config.Keys is empty"},
		"a bad prefix": {sealed.Config{Store: m, Keys: k, Prefixes: []string{"otp"}}, "Config.Prefixes"},
		"sealed twice": {sealed.Config{Store: seal(t, sealed.Config{Store: m, Keys: k}), Keys: k}, "sealed already"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := sealed.New(c.cfg)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestParseKeys(t *testing.T) {
	raw := make([]byte, 32)
	for i := range raw {
		raw[i] = byte(i)
	}
	same := keys(t, "a:"+secretA).Seal("k", []byte("v"))
	for _, text := range []string{"a:" + hex.EncodeToString(raw), "a:" + strings.ToUpper(hex.EncodeToString(raw)), "a:" + strings.TrimRight(secretA, "="), " a:" + secretA + "\n"} {
		v, err := keys(t, text).Open("k", same)
		require.NoError(t, err)
		require.Equal(t, "v", string(v))
	}
	k := keys(t, "2026b:"+secretB+",2026a:"+secretA)
	require.Equal(t, []string{"2026b", "2026a"}, k.IDs())
	require.True(t, bytes.HasPrefix(k.Seal("k", nil), []byte("\xffSL\x01\x052026b")), "the first seals")

	for text, want := range map[string]string{
		"":                                   "no keys",
		secretA:                              "not of the form ID:SECRET",
		"a:":                                 "has 0 bytes",
		"a:c2hvcnQ=":                         "has 5 bytes, it must have 32",
		"a:not base64 at all":                "key number 1",
		"a:!!!" + secretA:                    "neither base64 nor 64 hexadecimal digits",
		"a:" + secretA + " a:" + secretB:     `the id "a" is given twice`,
		"a:" + secretA + " b:" + secretA:     `"a" and "b" are the same secret`,
		":" + secretA:                        "the id must be 1 to 16",
		"0123456789abcdefg:" + secretA:       "the id must be 1 to 16",
		"ä:" + secretA:                       "the id must be 1 to 16",
		"a/b:" + secretA:                     "the id must be 1 to 16",
		"a:" + strings.Repeat("00", 32):      "one byte repeated",
		secretA + ":a":                       "neither base64 nor",
		"a:" + secretA + " b:" + secretB[1:]: "key number 2",
	} {
		_, err := sealed.ParseKeys(text)
		require.ErrorContains(t, err, want)
		for _, secret := range []string{secretA, secretB} {
			require.NotContains(t, err.Error(), secret[1:20])
		}
	}
	made, err := sealed.NewKeyText("new")
	require.NoError(t, err)
	other, err := sealed.NewKeyText("new")
	require.NoError(t, err)
	require.NotEqual(t, made, other)
	require.Equal(t, []string{"new"}, keys(t, made).IDs())
	_, err = sealed.NewKeyText("a b")
	require.Error(t, err)
}

// Keys show nothing of a secret: not as text, nor as bytes, however they are printed.
func TestKeysShowNothing(t *testing.T) {
	k := keys(t, "a:"+secretA)
	s := seal(t, sealed.Config{Store: memory.New(), Keys: k})
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%p"} {
		if text := fmt.Sprintf(verb, k); verb == "%p" { // which asks for no method
			out.WriteString(text)
		} else {
			require.Equal(t, `the keys ["a"]`, text)
		}
		fmt.Fprintf(&out, verb+"\n", &k)
		fmt.Fprintf(&out, verb+"\n", struct{ K sealed.Keys }{k})
		fmt.Fprintf(&out, verb+"\n", sealed.Config{Keys: k})
		fmt.Fprintf(&out, verb+"\n", s)
	}
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("x", "keys", k, "store", s, "config", sealed.Config{Keys: k})
	text, err := json.Marshal(map[string]any{"keys": k, "config": struct{ K sealed.Keys }{k}})
	require.NoError(t, err)
	out.Write(text)
	for _, form := range []string{secretA[:12], "00010203", "0 1 2 3 4", "0x0, 0x1, 0x2", `\x01\x02`} {
		require.NotContains(t, out.String(), form)
	}
	require.Contains(t, out.String(), `"keys":["a"]`)
}

// Each write has a nonce of its own: the same value twice gives two texts, from many goroutines too.
func TestNonces(t *testing.T) {
	const writers, each = 8, 20_000
	k := keys(t, "a:"+secretA)
	var mu sync.Mutex
	seen := make(map[string]bool, writers*each)
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			mine := make([]string, each)
			for i := range mine {
				v := k.Seal("k", []byte("v"))
				mine[i] = string(v[6:18]) // behind magic, length and id
			}
			mu.Lock()
			defer mu.Unlock()
			for _, n := range mine {
				seen[n] = true
			}
		})
	}
	wg.Wait()
	require.Len(t, seen, writers*each)
	t.Logf("sealed: %d nonces of 96 bits, all different", len(seen))
}

func TestExportAndImport(t *testing.T) {
	from := seal(t, sealed.Config{Store: memory.New(), Keys: keys(t, "a:"+secretA)})
	require.NoError(t, brain.SetFor(ctx, brain.New(from), "karma/go", 3, time.Hour))
	var out bytes.Buffer
	require.NoError(t, brain.New(from).Export(ctx, &out))
	require.Equal(t, `{"k":"karma/go","v":3,"ttl":3600}`+"\n", out.String())
	m := memory.New()
	to := seal(t, sealed.Config{Store: m, Keys: keys(t, "b:"+secretB)})
	require.NoError(t, brain.New(to).Import(ctx, &out))
	require.Equal(t, "3", get(t, to, "karma/go"))
	require.True(t, strings.HasPrefix(get(t, m, "karma/go"), "\xffSL\x01\x01b"))
}

func TestFigures(t *testing.T) {
	k := keys(t, "2026a:"+secretA)
	for _, size := range []int{100, 1 << 10, 64 << 10} {
		value := bytes.Repeat([]byte("v"), size)
		box := k.Seal("k", value)
		const n = 2_000
		start := time.Now()
		for range n {
			k.Seal("k", value)
		}
		sealing := time.Since(start) / n
		start = time.Now()
		for range n {
			_, err := k.Open("k", box)
			require.NoError(t, err)
		}
		opening := time.Since(start) / n
		require.Len(t, box, size+k.Overhead())
		t.Logf("%6d bytes: seal %v, open %v, grows by %d bytes", size, sealing, opening, len(box)-size)
	}
}
