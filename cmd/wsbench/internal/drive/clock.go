package drive

import (
	"fmt"
	"os"
	"syscall"
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

// alarm wakes one goroutine on time.
//
// The goroutine waits for a timer of the kernel as others wait for a socket. A timer of
// the Go runtime may be a millisecond late. A goroutine that sleeps in a system call has
// its processor taken away after 10 ms, and whenever that happens the runtime's monitor
// looks for more of it every 20 µs for a while: on the core of a loop, that takes a
// twelfth of the core.
type alarm struct {
	file *os.File
	raw  syscall.RawConn
}

func newAlarm() (*alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("timerfd_create: %w", err)
	}
	a := &alarm{file: os.NewFile(uintptr(fd), "timer")}
	if a.raw, err = a.file.SyscallConn(); err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

// sleepUntil sleeps to a moment of Now.
func (a *alarm) sleepUntil(t int64) {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(max(t, 1))} // 0 would switch it off
	set := false
	a.raw.Read(func(fd uintptr) (ready bool) {
		if set {
			return true // setting the timer again takes back that it has expired
		}
		set = true
		return unix.TimerfdSettime(int(fd), unix.TFD_TIMER_ABSTIME, &spec, nil) != nil
	})
}

func (a *alarm) close() { a.file.Close() }
