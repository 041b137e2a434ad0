package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/internal/canary"
)

func TestMain(m *testing.M) {
	if os.Getenv("SEARCH_TEST_MAIN") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestMinimum(t *testing.T) {
	m, err := minimum("500MB logs=10kB posts=1")
	require.NoError(t, err)
	require.Equal(t, canary.Minimum{Total: 500e6, Kinds: map[canary.Kind]int64{canary.Logs: 10e3, canary.Posts: 1}}, m)
	m, err = minimum("1")
	require.NoError(t, err)
	require.Len(t, m.Kinds, len(canary.Kinds()), "all kinds must be there")
	for _, bad := range []string{"x", "1GB", "-1", "logs=", "1e3", "posters=1", "99999999999999MB"} {
		_, err := minimum(bad)
		require.Error(t, err, bad)
	}
}

// The command ends as `make` and CI want it.
func TestSearchEnds(t *testing.T) {
	dir := t.TempDir()
	write := func(kind canary.Kind, text string) {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, string(kind)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, string(kind), "a.txt"), []byte(text), 0o600))
	}
	run := func(args ...string) (string, int) {
		cmd := exec.Command(os.Args[0], args...)
		cmd.Env = append(os.Environ(), "SEARCH_TEST_MAIN=1")
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	out, code := run(dir)
	require.Equal(t, 1, code, "there is nothing")
	require.Contains(t, out, "0 bytes were searched")
	for _, k := range canary.Kinds() {
		write(k, "0123456789")
	}
	out, code = run("-least", "70", dir)
	require.Equal(t, 0, code, out)
	require.Contains(t, out, ": 0 hits\n")
	out, code = run(dir)
	require.Equal(t, 1, code, "500 MB where nothing is said")
	require.Contains(t, out, "at least 500000000 must be")
	_, code = run("-least", "70 logs=11", dir)
	require.Equal(t, 1, code)
	write(canary.Audit, "x"+canary.Mark+"-of-somebody y")
	out, code = run("-least", "70", dir)
	require.Equal(t, 1, code)
	require.Contains(t, out, `audit/a.txt at 1, as it is: "x[secret] y"`)
	require.NotContains(t, out, "of-somebody")
	for _, args := range [][]string{{}, {dir, dir}, {"-least", "many", dir}} {
		_, code = run(args...)
		require.Equal(t, 2, code, args)
	}
}
