package drive

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// spareDescriptors is what a process needs beside its connections: those being
// dialled have two for a moment.
const spareDescriptors = 600

// RaiseDescriptors raises this process's limit of open files as far as it goes,
// at most to what the kernel allows, and returns how many connections fit.
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

// MostDescriptors is the kernel's own limit for a process (fs.nr_open).
func MostDescriptors() int {
	b, _ := os.ReadFile("/proc/sys/fs/nr_open")
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 1 << 20
	}
	return n
}

// quietCollector has the garbage collector run seldom: what a run allocates, it
// allocates at its beginning.
func quietCollector() { debug.SetGCPercent(400) }
