//go:build unix && !solaris && !aix

package bolt

import (
	"os"
	"syscall"
)

// unlock gives back bbolt's lock on a file that bbolt cannot close itself. To
// close the file is not enough: the mapping that bbolt leaves behind holds on to
// it, and to its flock.
func unlock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
