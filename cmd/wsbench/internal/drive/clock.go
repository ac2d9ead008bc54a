package drive

import (
	"time"

	"golang.org/x/sys/unix"
)

// Now returns the machine's monotonic clock in nanoseconds. It is the same for all
// processes of the machine.
func Now() int64 { return offset + int64(time.Since(base)) }

var (
	base   = time.Now()
	offset = monotonic()
)

// monotonic asks the kernel for its clock. Now adds time.Since to it, which needs no
// system call.
func monotonic() int64 {
	best := int64(1 << 62)
	var at int64
	for range 16 {
		before := time.Since(base)
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
			panic("drive: internal error: clock_gettime: " + err.Error())
		}
		if took := int64(time.Since(base) - before); took < best {
			best, at = took, ts.Nano()-int64(before)-took/2
		}
	}
	return at
}

// sleepUntil sleeps to a moment of Now. It is called on a thread of its own, set
// up by sharpen.
func sleepUntil(t int64) {
	ts := unix.NsecToTimespec(t)
	for unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &ts, nil) == unix.EINTR {
	}
}

// sharpen makes the calling thread wake on time. By default the kernel may wake it up to
// 50 µs late.
func sharpen() { unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) }
