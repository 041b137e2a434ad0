package main

import "syscall"

// limitFiles makes the disk full for this process: no file can be written past its first pages. It gives what ends that.
func limitFiles() func() {
	var before syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before) != nil {
		return func() {}
	}
	_ = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 16 << 10, Max: before.Max})
	return func() { _ = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before) }
}
