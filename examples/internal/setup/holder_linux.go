package setup

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// holder names the process that has the lock on a file; "" where /proc does not tell. Of its command line the program's name
// alone is shown: the rest may hold what others must not see.
//
// The form of /proc/locks is that of proc_locks(5): "1: FLOCK ADVISORY WRITE 4711 fe:00:10281042 0 EOF", with the device in
// hexadecimal and the inode in decimal digits.
func holder(path string) string {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return ""
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return ""
	}
	where := fmt.Sprintf("%02x:%02x:%d", unix.Major(st.Dev), unix.Minor(st.Dev), st.Ino)
	for line := range strings.Lines(string(locks)) {
		f := strings.Fields(line)
		if len(f) < 6 || f[1] != "FLOCK" || f[5] != where { // "->" is one who waits
			continue
		}
		pid := f[4]
		name, err := os.ReadFile("/proc/" + pid + "/comm")
		if err != nil { // of another namespace: the number says nothing here
			return ""
		}
		return fmt.Sprintf("process %s (%s)", pid, strings.TrimSpace(string(name)))
	}
	return ""
}
