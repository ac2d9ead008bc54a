package drive

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// spareDescriptors is how many descriptors a process needs besides one for each
// connection: a connection that is being dialled has two for a moment.
const spareDescriptors = 600

// RaiseDescriptors raises this process's limit of open files as far as possible and
// needed, and returns how many connections fit.
func RaiseDescriptors(want int) (conns int) {
	need := uint64(want + spareDescriptors)
	var lim unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &lim) != nil {
		return want
	}
	if lim.Cur < need {
		try := unix.Rlimit{Cur: need, Max: max(need, lim.Max)}
		if lim.Max >= need || unix.Setrlimit(unix.RLIMIT_NOFILE, &try) != nil {
			try = unix.Rlimit{Cur: min(need, lim.Max), Max: lim.Max}
			unix.Setrlimit(unix.RLIMIT_NOFILE, &try)
		}
		unix.Getrlimit(unix.RLIMIT_NOFILE, &lim)
	}
	return int(min(lim.Cur, 1<<30)) - spareDescriptors
}

// MaxDescriptors returns the kernel's limit for a process (fs.nr_open).
func MaxDescriptors() int {
	b, _ := os.ReadFile("/proc/sys/fs/nr_open")
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 1 << 20
	}
	return n
}

// quietCollector makes the garbage collector run rarely: a run allocates most of its
// memory at its beginning.
func quietCollector() { debug.SetGCPercent(400) }
