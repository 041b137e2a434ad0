package handler

import (
	"os"
	"os/exec"
	"syscall"
)

// Of waitid(2).
const (
	idPID   = 1         // P_PID
	wExited = 0x4       // WEXITED
	wNoWait = 0x1000000 // WNOWAIT: the process stays to be waited for
)

// awaitExit blocks until the process has ended. Its number stays taken until reap is called, so a signal to its group reaches
// no other.
func awaitExit(cmd *exec.Cmd) (reap func() *os.ProcessState) {
	for {
		_, _, e := syscall.Syscall6(syscall.SYS_WAITID, idPID, uintptr(cmd.Process.Pid), 0, wExited|wNoWait, 0, 0)
		if e != syscall.EINTR {
			break
		}
	}
	return func() *os.ProcessState {
		state, _ := cmd.Process.Wait()
		return state
	}
}
