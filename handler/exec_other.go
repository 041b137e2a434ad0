//go:build !unix

package handler

import (
	"os"
	"os/exec"
)

// ownGroup does nothing: there are no process groups as on Unix.
func ownGroup(*exec.Cmd) {}

// terminate and kill end the program itself.
func terminate(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

func kill(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

func signalName(*os.ProcessState) string { return "" }
