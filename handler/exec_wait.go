//go:build !linux

package handler

import (
	"os"
	"os/exec"
)

// awaitExit blocks until the process has ended, and forgets it. For a moment after that its number could be given to another
// one; systems give numbers in turn, so that takes tens of thousands of new processes.
func awaitExit(cmd *exec.Cmd) (reap func() *os.ProcessState) {
	state, _ := cmd.Process.Wait()
	return func() *os.ProcessState { return state }
}
