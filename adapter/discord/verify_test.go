package discord

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// keyOf makes a key pair of a name.
func keyOf(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func signed(key ed25519.PrivateKey, stamp string, body []byte) http.Header {
	sig := ed25519.Sign(key, append([]byte(stamp), body...))
	return http.Header{"X-Signature-Timestamp": {stamp}, "X-Signature-Ed25519": {hex.EncodeToString(sig)}}
}

func verifierOf(keys ...ed25519.PrivateKey) *verifier {
	var public []ed25519.PublicKey
	for _, k := range keys {
		public = append(public, k.Public().(ed25519.PublicKey))
	}
	return newVerifier(public)
}

// TestMutations is T5: 10,000 changes of one bit, none accepted.
func TestMutations(t *testing.T) {
	t.Parallel()
	key := keyOf("one")
	v := verifierOf(key, keyOf("older"))
	now := time.Unix(1_700_000_000, 0)
	body := []byte(`{"type":2,"data":{"name":"deploy","options":[{"name":"env","value":"prod"}]}}`)
	good := signed(key, "1700000000", body)
	_, ok := v.check(good, body, now)
	require.True(t, ok)
	_, ok = v.check(signed(keyOf("older"), "1700000000", body), body, now)
	require.True(t, ok, "while an application is changed both keys are good (T8)")
	_, ok = v.check(signed(keyOf("other"), "1700000000", body), body, now)
	require.False(t, ok)
	rnd := rand.New(rand.NewPCG(3, 4))
	accepted, tried := 0, 0
	for tried < 10_000 {
		h, b := good.Clone(), bytes.Clone(body)
		flip := func(s string) string {
			raw := []byte(s)
			raw[rnd.IntN(len(raw))] ^= 1 << rnd.IntN(8)
			return string(raw)
		}
		switch rnd.IntN(3) {
		case 0:
			sig := flip(h.Get("X-Signature-Ed25519"))
			if x, err := hex.DecodeString(sig); err == nil && hex.EncodeToString(x) == good.Get("X-Signature-Ed25519") { // the case of a digit: the same number
				continue
			}
			h.Set("X-Signature-Ed25519", sig)
		case 1:
			h.Set("X-Signature-Timestamp", flip(h.Get("X-Signature-Timestamp")))
		default:
			b[rnd.IntN(len(b))] ^= 1 << rnd.IntN(8)
		}
		tried++
		if _, ok := v.check(h, b, now); ok {
			accepted++
		}
	}
	t.Logf("%d mutations, %d accepted", tried, accepted)
	require.Zero(t, accepted)
	for name, h := range map[string]http.Header{
		"nothing": {}, "no stamp": {"X-Signature-Ed25519": good["X-Signature-Ed25519"]}, "no signature": {"X-Signature-Timestamp": {"1700000000"}},
		"two stamps":     {"X-Signature-Timestamp": {"1700000000", "1"}, "X-Signature-Ed25519": good["X-Signature-Ed25519"]},
		"two signatures": {"X-Signature-Timestamp": {"1700000000"}, "X-Signature-Ed25519": {good.Get("X-Signature-Ed25519"), "00"}},
		"short":          {"X-Signature-Timestamp": {"1700000000"}, "X-Signature-Ed25519": {good.Get("X-Signature-Ed25519")[:126]}},
	} {
		_, ok := v.check(h, body, now)
		require.False(t, ok, name)
	}
	_, ok = newVerifier(nil).check(good, body, now)
	require.False(t, ok, "without a key nobody gets in")
}

// TestStampEdges is T6: stamps at the edges of int64, rightly signed.
func TestStampEdges(t *testing.T) {
	t.Parallel()
	key := keyOf("one")
	v := verifierOf(key)
	for _, now := range []int64{0, 1_700_000_000, 1 << 40} {
		for _, at := range []int64{math.MinInt64, math.MinInt64 + 1, math.MinInt64 + 300, -1, 0, 1, math.MaxInt64 - 300, math.MaxInt64 - 1, math.MaxInt64, now - 301, now - 300, now, now + 300, now + 301} {
			_, ok := v.check(signed(key, strconv.FormatInt(at, 10), nil), nil, time.Unix(now, 0))
			require.Equal(t, at >= now-300 && at <= now+300, ok, "now %d stamp %d", now, at)
		}
	}
}

func FuzzVerifier(f *testing.F) {
	key := keyOf("one")
	f.Add("1700000000", "00", []byte("{}"))
	f.Add("-1", "", []byte(""))
	f.Add("1700000000", signed(key, "1700000000", []byte("{}")).Get("X-Signature-Ed25519"), []byte("{}"))
	now := time.Unix(1_700_000_000, 0)
	v := verifierOf(key)
	f.Fuzz(func(t *testing.T, stamp, sig string, body []byte) {
		_, ok := v.check(http.Header{"X-Signature-Timestamp": {stamp}, "X-Signature-Ed25519": {sig}}, body, now)
		at, err := strconv.ParseInt(stamp, 10, 64)
		raw, wrong := hex.DecodeString(sig)
		want := err == nil && wrong == nil && at >= 1_699_999_700 && at <= 1_700_000_300 && hex.EncodeToString(raw) == signed(key, stamp, body).Get("X-Signature-Ed25519")
		if ok != want {
			t.Fatalf("accepted %v, want %v", ok, want)
		}
	})
}
