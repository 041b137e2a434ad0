package slack

import (
	"bytes"
	"crypto/hmac"
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

func signed(secret, stamp string, body []byte) http.Header {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte("v0:" + stamp + ":"))
	m.Write(body)
	return http.Header{"X-Slack-Request-Timestamp": {stamp}, "X-Slack-Signature": {"v0=" + hex.EncodeToString(m.Sum(nil))}}
}

// TestMutations is T5: 10,000 changes of one bit, none accepted.
func TestMutations(t *testing.T) {
	t.Parallel()
	v := newVerifier([]string{"secret", "older"})
	now := time.Unix(1_700_000_000, 0)
	body := []byte(`{"type":"event_callback","event":{"type":"message","text":"deploy prod"}}`)
	good := signed("secret", "1700000000", body)
	_, ok := v.check(good, body, now)
	require.True(t, ok)
	rnd := rand.New(rand.NewPCG(3, 4))
	accepted := 0
	for range 10_000 {
		h, b := good.Clone(), bytes.Clone(body)
		flip := func(s string) string {
			raw := []byte(s)
			raw[rnd.IntN(len(raw))] ^= 1 << rnd.IntN(8)
			return string(raw)
		}
		switch rnd.IntN(3) {
		case 0:
			sig := flip(h.Get("X-Slack-Signature"))
			if sig[3:] != "" && hexEqual(sig, good.Get("X-Slack-Signature")) { // the case of a digit: the same number
				continue
			}
			h.Set("X-Slack-Signature", sig)
		case 1:
			h.Set("X-Slack-Request-Timestamp", flip(h.Get("X-Slack-Request-Timestamp")))
		default:
			b[rnd.IntN(len(b))] ^= 1 << rnd.IntN(8)
		}
		if _, ok := v.check(h, b, now); ok {
			accepted++
		}
	}
	t.Logf("10,000 mutations, %d accepted", accepted)
	require.Zero(t, accepted)
}

func hexEqual(a, b string) bool {
	if a[:3] != b[:3] {
		return false
	}
	x, err := hex.DecodeString(a[3:])
	y, _ := hex.DecodeString(b[3:])
	return err == nil && bytes.Equal(x, y)
}

// TestStampEdges is T6: stamps at the edges of int64, rightly signed.
func TestStampEdges(t *testing.T) {
	t.Parallel()
	v := newVerifier([]string{"secret"})
	for _, now := range []int64{0, 1_700_000_000, 1 << 40} {
		for _, at := range []int64{math.MinInt64, math.MinInt64 + 1, math.MinInt64 + 300, -1, 0, 1, math.MaxInt64 - 300, math.MaxInt64 - 1, math.MaxInt64, now - 301, now - 300, now, now + 300, now + 301} {
			_, ok := v.check(signed("secret", strconv.FormatInt(at, 10), nil), nil, time.Unix(now, 0))
			inside := at >= now-300 && at <= now+300
			require.Equal(t, inside, ok, "now %d stamp %d", now, at)
		}
	}
	_, ok := newVerifier([]string{"", ""}).check(signed("", "0", nil), nil, time.Unix(0, 0))
	require.False(t, ok, "an empty secret lets nobody in")
}

func FuzzVerifier(f *testing.F) {
	f.Add("1700000000", "v0=00", []byte("{}"))
	f.Add("-1", "v0=", []byte(""))
	good := signed("secret", "1700000000", []byte("{}"))
	f.Add("1700000000", good.Get("X-Slack-Signature"), []byte("{}"))
	now := time.Unix(1_700_000_000, 0)
	v := newVerifier([]string{"secret"})
	f.Fuzz(func(t *testing.T, stamp, sig string, body []byte) {
		_, ok := v.check(http.Header{"X-Slack-Request-Timestamp": {stamp}, "X-Slack-Signature": {sig}}, body, now)
		at, err := strconv.ParseInt(stamp, 10, 64)
		want := err == nil && at >= 1_699_999_700 && at <= 1_700_000_300 && len(sig) == 67 && hexEqual(sig, signed("secret", stamp, body).Get("X-Slack-Signature"))
		if ok != want {
			t.Fatalf("accepted %v, want %v", ok, want)
		}
	})
}
