package mattermost

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/mattermost/mattermost-server/v6/model"
	"github.com/stretchr/testify/require"
)

const someUser = "user0000000000000000000000"

// TestTrigger is T6: the stamp of a trigger id counts on both sides, at the edges of its type too; and one that the server's own
// code makes is read.
func TestTrigger(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	now := time.UnixMilli(1_700_000_000_000)
	at := func(millis int64) string {
		data := fmt.Sprintf("id:%s:%d:", someUser, millis)
		sum := sha256.Sum256([]byte(data))
		sig, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
		require.NoError(t, err)
		return base64.StdEncoding.EncodeToString([]byte(data + base64.StdEncoding.EncodeToString(sig)))
	}
	for _, c := range []struct {
		millis int64
		ok     bool
	}{
		{now.UnixMilli(), true}, {now.Add(-maxSkew).UnixMilli(), true}, {now.Add(maxSkew).UnixMilli(), true},
		{now.Add(-maxSkew).UnixMilli() - 1, false}, {now.Add(maxSkew).UnixMilli() + 1, false},
		{0, false}, {-1, false}, {math.MaxInt64, false}, {math.MinInt64, false}, {math.MaxInt64 - now.UnixMilli(), false},
	} {
		got, err := readTrigger(&key.PublicKey, at(c.millis), someUser, now)
		require.Equal(t, c.ok, err == nil, c.millis)
		if c.ok {
			require.Equal(t, trigger{id: "id", user: someUser, at: time.UnixMilli(c.millis).UTC()}, got)
		}
	}
	_, made, appErr := model.GenerateTriggerId(someUser, key)
	require.Nil(t, appErr)
	_, err = readTrigger(&key.PublicKey, made, someUser, time.Now())
	require.NoError(t, err)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	for _, bad := range []string{"", "x", strings.Repeat("A", 2000), base64.StdEncoding.EncodeToString([]byte("a:b:c:d:e")), made[:len(made)-4], " " + made, made + "\n"} {
		_, err = readTrigger(&key.PublicKey, bad, someUser, time.Now())
		require.ErrorIs(t, err, errTrigger, bad)
	}
	_, err = readTrigger(&other.PublicKey, made, someUser, time.Now())
	require.ErrorIs(t, err, errTrigger)
}

// TestSeals: what one kind of seal closes no other opens, and a seal has one form.
func TestSeals(t *testing.T) {
	t.Parallel()
	s := newSealer(Config{Secrets: []string{"cnrymark, the new secret", "cnrymark, the old secret"}})
	old := newSealer(Config{Secrets: []string{"cnrymark, the old secret"}})
	v := sealed{Room: "r", Nonce: "n", Command: "é <&> \x00", Label: "L"}
	for _, by := range []*sealer{s, old} {
		text, err := by.seal(sealClick, v)
		require.NoError(t, err)
		got, err := s.open(sealClick, text)
		require.NoError(t, err)
		require.Equal(t, v.Room, got.Room)
		_, err = s.open(sealForm, text)
		require.ErrorIs(t, err, errSeal)
		for _, bad := range []string{"", ".", text + "=", text + " ", text + ".", strings.Replace(text, ".", "..", 1), strings.ToUpper(text), "A" + text, text[:len(text)-1]} {
			_, err = s.open(sealClick, bad)
			require.ErrorIs(t, err, errSeal, bad)
		}
	}
	text, err := s.seal(sealClick, v)
	require.NoError(t, err)
	_, err = old.open(sealClick, text)
	require.ErrorIs(t, err, errSeal)
	empty, err := s.seal(sealClick, sealed{})
	require.NoError(t, err)
	_, err = s.open(sealClick, empty)
	require.ErrorIs(t, err, errSeal, "a seal of nothing")
	byToken := newSealer(Config{Token: "cnrymark-t"})
	text, err = byToken.seal(sealClick, v)
	require.NoError(t, err)
	_, err = newSealer(Config{Token: "cnrymark-u"}).open(sealClick, text)
	require.ErrorIs(t, err, errSeal)
	_, err = newSealer(Config{Secrets: []string{"of the token: cnrymark-u"}}).open(sealClick, text)
	require.ErrorIs(t, err, errSeal)
}

// TestTokens: an empty token is never one, whatever the list holds.
func TestTokens(t *testing.T) {
	t.Parallel()
	require.True(t, anyToken([]string{"a", "b"}, "b"))
	require.False(t, anyToken([]string{"a", "b"}, "c"))
	require.False(t, anyToken(nil, ""))
	require.False(t, anyToken([]string{""}, ""))
	require.False(t, anyToken([]string{"ab"}, "a"))
}
