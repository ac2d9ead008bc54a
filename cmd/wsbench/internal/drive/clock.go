package drive

import (
	"time"
	"unsafe"

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
//
// A goroutine that is in a system call for 10 ms has its processor taken away by the Go
// runtime's monitor, and the monitor then looks for more of that every 20 µs: on the core
// that the loop runs on, this costs a twelfth of it. So a long sleep parks the goroutine,
// and the short rest of it, which has to be exact, does not tell the runtime. The signal
// with which the runtime stops a goroutine ends that rest, too.
func sleepUntil(t int64) {
	if left := time.Duration(t - Now()); left > 2*exactSleep {
		time.Sleep(left - exactSleep)
	}
	ts := unix.NsecToTimespec(t)
	for {
		_, _, e := unix.RawSyscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
		if e != unix.EINTR {
			return
		}
	}
}

// exactSleep is longer than a timer of the Go runtime is late.
const exactSleep = 2 * time.Millisecond

// sharpen makes the calling thread wake on time. By default the kernel may wake it up to
// 50 µs late.
func sharpen() { unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) }
