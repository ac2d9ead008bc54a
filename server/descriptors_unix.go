//go:build unix

package server

import "golang.org/x/sys/unix"

// descriptorLimit returns how many descriptors the process may have, or 0 if that is
// unknown. Some systems report infinity, which is capped.
func descriptorLimit() int {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) != nil {
		return 0
	}
	return int(min(uint64(l.Cur), 1<<30))
}
