package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/brain/bolt"
)

// -check tests the rest beside a bot that runs, and who starts a second one is told which process has the memory.
func TestCheckBesideARunningBot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bot.db")
	store, err := bolt.Open(bolt.Config{Path: file})
	require.NoError(t, err)
	t.Setenv(auditKeyVar, "cnrymark audit key of at least 32 characters")
	t.Setenv(factorKeyVar, "")
	for name, args := range map[string][]string{"bare": nil, "team": {"-team", "testdata/team.json"}} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			require.NoError(t, run(t.Context(), append([]string{"-check", "-brain", file}, args...), &out))
			require.Regexp(t, `^held brain: .+ has .+bot\.db\. If that is the bot, it runs .+\nok   terminal\n$`, out.String())
			err := run(t.Context(), append([]string{"-brain", file}, args...), io.Discard)
			require.ErrorContains(t, err, "has my memory, "+file)
			if runtime.GOOS == "linux" {
				require.Contains(t, out.String(), fmt.Sprintf("process %d (opsbot.test)", os.Getpid()))
				require.ErrorContains(t, err, fmt.Sprintf("process %d (opsbot.test)", os.Getpid()))
			}
		})
	}
	require.NoError(t, store.Close())
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-check", "-brain", file}, &out))
	require.Equal(t, "ok   brain\nok   terminal\n", out.String())
}

// loglevel changes what this process logs, at once.
func TestLoglevel(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-brain", "memory", "-team", "testdata/team.json")
	cmd.Env = append(os.Environ(), "OPSBOT_TEST_MAIN=1", "OPSBOT_AUDIT_KEY=cnrymark audit key of at least 32 characters", "OPSBOT_FACTOR_KEYS=")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	errs, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	said, logged := lines(out), lines(errs)
	say := func(line, want string) {
		t.Helper()
		_, err := fmt.Fprintln(in, line)
		require.NoError(t, err)
		await(t, said, want)
	}
	_, err = fmt.Fprintln(in, "/as carol")
	require.NoError(t, err)
	say("ping", "PONG")
	say("loglevel info", "This process logs from info on, until it ends; it was warn.")
	say("whoami", "You are carol")
	select {
	case line := <-logged:
		require.Contains(t, line, "route=admin/loglevel", "ping was not logged")
	case <-time.After(20 * time.Second):
		t.Fatal("nothing is logged")
	}
	await(t, logged, "route=roles/whoami")
	require.NoError(t, in.Close())
	require.NoError(t, cmd.Wait())
}
