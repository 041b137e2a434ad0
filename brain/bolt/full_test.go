//go:build linux

package bolt

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/starlingbot/starling/brain"
)

const fullVar = "STARLING_BOLT_FULL"

// R4, disk full: a child process under a real limit of the kernel on the size of
// a file. What was acknowledged stays, the error says what to do, and when there
// is room again the store goes on.
func TestDiskFull(t *testing.T) {
	if path := os.Getenv(fullVar); path != "" {
		fillUp(t, path)
		return
	}
	path := filepath.Join(t.TempDir(), "b.db")
	cmd := exec.Command(os.Args[0], "-test.run=^TestDiskFull$", "-test.v")
	cmd.Env = append(os.Environ(), fullVar+"="+path)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "full and empty again")
	s, err := Open(small(path))
	require.NoError(t, err)
	e, err := s.Get(context.Background(), "after")
	require.NoError(t, err)
	require.Equal(t, "1", string(e.Value))
	require.NoError(t, s.Close())
}

func fillUp(t *testing.T, path string) {
	ctx := context.Background()
	s, err := Open(small(path))
	require.NoError(t, err)
	var before syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before))
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1 << 20, Max: before.Max}))
	n := 0
	for ; n < 100; n++ {
		if _, err = s.Apply(ctx, put(fmt.Sprintf("k/%02d", n), strings.Repeat("v", 50_000))); err != nil {
			break
		}
	}
	require.ErrorContains(t, err, "free space")
	require.ErrorContains(t, err, path)
	require.False(t, brain.Certain(err))
	require.NotZero(t, n)
	for i := range n {
		_, err := s.Get(ctx, fmt.Sprintf("k/%02d", i))
		require.NoError(t, err)
	}
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before))
	_, err = s.Apply(ctx, put("after", "1"))
	require.NoError(t, err)
	require.NoError(t, s.Close())
	fmt.Println("full and empty again after", n, "keys")
}

// A file and a folder that the process may not write: the error says so. Root
// may do everything, so the thread takes another file system identity, which the
// kernel keeps per thread.
func TestOpenForbidden(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "b.db")
	require.NoError(t, os.WriteFile(path, filled(t, 1), 0o400))
	require.NoError(t, os.Chmod(dir, 0o555))
	t.Cleanup(func() { require.NoError(t, os.Chmod(dir, 0o755)) })
	for d := dir; d != "/" && strings.HasPrefix(d, os.TempDir()+"/"); d = filepath.Dir(d) {
		info, err := os.Stat(d)
		require.NoError(t, err)
		require.NoError(t, os.Chmod(d, info.Mode()|0o111))
	}
	errs := make(chan error, 2)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with us
		if os.Geteuid() == 0 {
			if err := syscall.Setfsuid(65534); err != nil {
				errs <- err
				errs <- err
				return
			}
		}
		_, err := Open(small(path))
		errs <- err
		_, err = Open(small(filepath.Join(dir, "new.db")))
		errs <- err
	}()
	for range 2 {
		err := <-errs
		require.ErrorIs(t, err, os.ErrPermission)
		require.ErrorContains(t, err, "give the file and its folder to the user of the process")
	}
}
