package main

import (
	"bytes"
	"io"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/brain/bolt"
)

// -check tests the rest beside a bot that runs.
func TestCheckBesideARunningBot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bot.db")
	store, err := bolt.Open(bolt.Config{Path: file})
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-check", "-brain", file}, &out))
	require.Regexp(t, `^held brain: .+ has .+bot\.db\. If that is the bot, it runs .+\nok   terminal\n$`, out.String())
	require.ErrorContains(t, run(t.Context(), []string{"-brain", file}, io.Discard), "has my memory, "+file)
	require.NoError(t, store.Close())
	out.Reset()
	require.NoError(t, run(t.Context(), []string{"-check", "-brain", file}, &out))
	require.Equal(t, "ok   brain\nok   terminal\n", out.String())
}
