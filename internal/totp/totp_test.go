package totp

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// RFC 6238, appendix B: 8 digits, the secret repeated to the length of the hash.
func TestRFC6238(t *testing.T) {
	const seed = "1234567890123456789012345678901234567890123456789012345678901234"
	hashes := []struct {
		new  func() hash.Hash
		size int
	}{{sha1.New, 20}, {sha256.New, 32}, {sha512.New, 64}}
	for _, c := range []struct {
		unix int64
		want [3]string
	}{
		{59, [3]string{"94287082", "46119246", "90693936"}},
		{1111111109, [3]string{"07081804", "68084774", "25091201"}},
		{1111111111, [3]string{"14050471", "67062674", "99943326"}},
		{1234567890, [3]string{"89005924", "91819424", "93441116"}},
		{2000000000, [3]string{"69279037", "90698825", "38618901"}},
		{20000000000, [3]string{"65353130", "77737706", "47863826"}},
	} {
		for i, h := range hashes {
			require.Equal(t, c.want[i], code(h.new, []byte(seed[:h.size]), StepAt(time.Unix(c.unix, 0)), 8), "%d, hash %d", c.unix, i)
		}
	}
}

// RFC 4226, appendix D: 6 digits.
func TestRFC4226(t *testing.T) {
	for i, want := range []string{"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"} {
		require.Equal(t, want, At([]byte("12345678901234567890"), int64(i)))
	}
}

func TestCheck(t *testing.T) {
	secret := NewSecret()
	require.Len(t, secret, 20)
	require.NotEqual(t, secret, NewSecret())
	now := time.Unix(1_800_000_015, 0)
	current := StepAt(now)
	for d := int64(-5); d <= 5; d++ {
		step, ok := Check(secret, At(secret, current+d), now, -1)
		require.Equal(t, d >= -1 && d <= 1, ok, "the code of %d steps away", d)
		if ok {
			require.Equal(t, current+d, step)
		}
	}
	typed := At(secret, current)
	for _, c := range []struct {
		typed string
		last  int64
		want  bool
	}{
		{typed, current - 1, true},
		{typed, current, false},
		{typed, current + 1, false},
		{" " + typed[:3] + " " + typed[3:] + "\n", -1, true},
		{"", -1, false},
		{typed[:5], -1, false},
		{typed + "0", -1, false},
		{"000000" + typed, -1, false},
		{"abcdef", -1, false},
	} {
		_, ok := Check(secret, c.typed, now, c.last)
		require.Equal(t, c.want, ok, "%q after %d", c.typed, c.last)
	}
	_, ok := Check(secret, At(secret, -1), time.Unix(0, 0), -1)
	require.False(t, ok, "no step before 1970")
	require.EqualValues(t, -1, StepAt(time.Unix(-1, 0)))
	require.EqualValues(t, 1, StepAt(time.Unix(59, 999_999_999)))
}

func TestText(t *testing.T) {
	secret := []byte("12345678901234567890")
	require.Equal(t, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", Text(secret))
	for _, s := range []string{"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "gezd gnbv gy3t qojq gezd gnbv gy3t qojq", " GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ==\n"} {
		got, err := ParseText(s)
		require.NoError(t, err)
		require.Equal(t, secret, got)
	}
	for _, s := range []string{"", "0189", "GEZDGNBVGY3TQOJQ!"} {
		_, err := ParseText(s)
		require.Error(t, err)
		if s != "" {
			require.NotContains(t, err.Error(), s)
		}
	}
}

func TestURI(t *testing.T) {
	secret := []byte("12345678901234567890")
	require.Equal(t, "otpauth://totp/Ops%20bot:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Ops%20bot&algorithm=SHA1&digits=6&period=30", URI("Ops bot", "alice", secret))
	require.Equal(t, "otpauth://totp/alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&algorithm=SHA1&digits=6&period=30", URI("", "alice", secret))
	for _, name := range []string{"a&secret=X", "a?b#c", "é/ü", "a:b", "50% off", "a+b", "<a@b>"} {
		u, err := url.Parse(URI(name, name, secret))
		require.NoError(t, err)
		want := name
		if name == "a:b" {
			want = "ab"
		}
		require.Equal(t, "/"+want+":"+want, u.Path)
		q := u.Query()
		require.Equal(t, want, q.Get("issuer"))
		require.Equal(t, []string{Text(secret)}, q["secret"])
	}
}
