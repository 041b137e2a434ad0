//go:build !unix || solaris || aix

package bolt

import "os"

// unlock does nothing here: the lock of the system ends when the file is closed.
func unlock(*os.File) error { return nil }
