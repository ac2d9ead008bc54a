//go:build linux || darwin

package bolt

import (
	"os"

	"golang.org/x/sys/unix"
)

// freeSpace is how many bytes this process may still write to the file system of
// dir. Some file systems do not tell.
func freeSpace(dir string) (bytes uint64, ok bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil || st.Blocks == 0 {
		return 0, false
	}
	blocks := st.Bavail
	if os.Geteuid() == 0 {
		blocks = st.Bfree // what is reserved for the superuser, too
	}
	return blocks * uint64(st.Bsize), true
}
