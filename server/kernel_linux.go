package server

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// kernel is what the loops ask of the operating system: a seam for tests that
// make it fail. Errors are unix.Errno. Reads and writes never block, because
// every descriptor is non-blocking.
type kernel interface {
	read(fd int, p []byte) (int, error)
	write(fd int, p []byte) (int, error)
	writev(fd int, p [][]byte) (int, error)
	shutdown(fd int) error // of the writing side
	close(fd int) error
	// add and mod name what events of fd carry: a slot and its generation.
	add(epfd, fd int, events uint32, slot, gen uint32) error
	mod(epfd, fd int, events uint32, slot, gen uint32) error
	wait(epfd int, events []unix.EpollEvent, ms int) (int, error)
	// linger waits for a moment without leave of Go's scheduler. Where every
	// processor waits in the kernel, that takes their goroutines away within
	// 20 µs and gives them back, which costs more than the wait; a loop with
	// much to do is called again sooner. It may do nothing.
	linger(epfd int, events []unix.EpollEvent) (int, error)
}

type systemCalls struct{}

// The raw forms skip the Go scheduler's bookkeeping. That is safe for calls
// that do not block: the loop's thread comes back in microseconds.

func (systemCalls) read(fd int, p []byte) (int, error) {
	// Every descriptor is a socket's, and recv(2) is a shorter way than read(2).
	n, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), 0, 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}

func (systemCalls) write(fd int, p []byte) (int, error) {
	// MSG_NOSIGNAL: a peer's reset is an error here and not a signal.
	n, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_NOSIGNAL, 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}

func (systemCalls) writev(fd int, p [][]byte) (int, error) {
	var iov [maxVector]unix.Iovec
	for i, b := range p {
		iov[i].Base = unsafe.SliceData(b)
		iov[i].SetLen(len(b))
	}
	msg := unix.Msghdr{Iov: &iov[0]}
	msg.SetIovlen(len(p))
	n, _, e := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), unix.MSG_NOSIGNAL)
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}

func (systemCalls) shutdown(fd int) error { return unix.Shutdown(fd, unix.SHUT_WR) }
func (systemCalls) close(fd int) error    { return unix.Close(fd) }

func (systemCalls) add(epfd, fd int, events, slot, gen uint32) error {
	ev := unix.EpollEvent{Events: events, Fd: int32(slot), Pad: int32(gen)}
	return unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, &ev)
}

func (systemCalls) mod(epfd, fd int, events, slot, gen uint32) error {
	ev := unix.EpollEvent{Events: events, Fd: int32(slot), Pad: int32(gen)}
	return unix.EpollCtl(epfd, unix.EPOLL_CTL_MOD, fd, &ev)
}

func (systemCalls) wait(epfd int, events []unix.EpollEvent, ms int) (int, error) {
	if ms == 0 {
		n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epfd), uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0)
		if e != 0 {
			return 0, e
		}
		return int(n), nil
	}
	return unix.EpollWait(epfd, events, ms)
}

// lingering is how long a busy loop waits without the scheduler's knowledge.
const lingering = 50 * time.Microsecond

func (systemCalls) linger(epfd int, events []unix.EpollEvent) (int, error) {
	ts := unix.NsecToTimespec(int64(lingering))
	n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(epfd), uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), uintptr(unsafe.Pointer(&ts)), 0, 0)
	switch e {
	case 0:
		return int(n), nil
	case unix.ENOSYS: // before Linux 5.11
		return 0, nil
	}
	return 0, e
}
