package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMain is the program itself where a test runs it as a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv("OPSBOT_TEST_MAIN") == "1" {
		main()
		return
	}
	os.Exit(m.Run())
}

// lines gives what a program writes, line by line.
func lines(r io.Reader) <-chan string {
	c := make(chan string, 1000)
	go func() {
		defer close(c)
		for s := bufio.NewScanner(r); s.Scan(); {
			c <- s.Text()
		}
	}()
	return c
}

// await waits for a line that has want in it.
func await(t *testing.T, c <-chan string, want string) {
	t.Helper()
	limit := time.After(20 * time.Second)
	var seen []string
	for {
		select {
		case line, ok := <-c:
			seen = append(seen, line)
			if strings.Contains(line, want) {
				return
			}
			require.True(t, ok, "the program ended without %q: %q", want, seen)
		case <-limit:
			t.Fatalf("%q was not written; this was: %q", want, seen)
		}
	}
}

// The rules of the file are read again on SIGHUP; a file that is wrong leaves those that were in force.
func TestReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "team.json")
	write := func(text string) { require.NoError(t, os.WriteFile(path, []byte(text), 0o600)) }
	write(`{"admins": ["terminal//carol"], "rules": {"ping": {"roles": ["deployer"]}}}`)
	cmd := exec.Command(os.Args[0], "-brain", "memory", "-team", path)
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
	reload := func(text, want string) {
		t.Helper()
		write(text)
		require.NoError(t, cmd.Process.Signal(syscall.SIGHUP))
		await(t, logged, want)
	}
	say("ping", "that needs the role deployer")
	reload(`{"admins": ["terminal//carol"], "rules": {}}`, "the rules of the file are in force")
	say("ping", "PONG")
	reload(`{"admins": ["terminal//carol"], "rules": {"pong": {"roles": ["deployer"]}}}`, `those before stay" error="`)
	say("ping", "PONG")
	reload(`{"rules": {"ping": {"roles": ["deployer"`, "those before stay")
	say("ping", "PONG")
	reload(`{"admins": ["terminal//carol"], "rules": {"ping": {"roles": ["nobody"]}}}`, "the rules of the file are in force")
	say("ping", "that needs the role nobody")
	require.NoError(t, in.Close())
	require.NoError(t, cmd.Wait())
}
