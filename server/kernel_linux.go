package server

import (
	"fmt"
	"net"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// epoll is the kernel for Linux. Its descriptors are the process's file descriptors,
// and an idle one costs nothing here.
type epoll struct {
	// Immutable.
	epfd   int
	wakefd int

	// busyPoll is how long a busy loop blocks in epoll without telling the Go scheduler; 0:
	// it does not. Otherwise sysmon retakes the P after 20 µs, and getting it back costs more
	// than the wait: a loop that had much to do soon has more.
	busyPoll time.Duration

	bridge bridge // for connections without a descriptor

	// Loop only.
	raw    []unix.EpollEvent
	events []event
	busy   bool // the last wait returned more than busyEvents
}

func newKernel(busyPoll time.Duration) (kernel, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	wakefd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(epfd)
		return nil, err
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET} // slot 0 is no connection
	if err := unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, wakefd, &ev); err != nil {
		unix.Close(wakefd)
		unix.Close(epfd)
		return nil, err
	}
	return &epoll{epfd: epfd, wakefd: wakefd, busyPoll: busyPoll, raw: make([]unix.EpollEvent, 256)}, nil
}

func (k *epoll) release() {
	k.bridge.release()
	unix.Close(k.wakefd)
	unix.Close(k.epfd)
}

// attach returns a duplicate of nc's descriptor, which Go's poller does not know. It is
// non-blocking, because duplicates share that flag.
func (k *epoll) attach(nc net.Conn) (fd int, err error) {
	raw, err := rawConn(nc)
	if err != nil {
		return k.bridge.attach(nc, k)
	}
	defer nc.Close()
	var dup error
	if err := raw.Control(func(old uintptr) {
		fd, dup = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
	}); err != nil {
		return 0, fmt.Errorf("server: adopt: %w", err)
	}
	if dup != nil {
		return 0, fmt.Errorf("server: adopt: duplicate descriptor: %w", dup)
	}
	return fd, nil
}

// The raw forms skip the Go scheduler's bookkeeping. That is safe for calls
// that do not block: the loop's thread comes back in microseconds.

func (k *epoll) read(fd int, p []byte) (int, error) {
	if b, fd := k.bridge.of(fd); b != nil {
		return b.read(fd, p)
	}
	// Every descriptor is a socket, and recv(2) is a shorter path than read(2).
	n, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), 0, 0, 0)
	if e != 0 {
		return 0, e
	}
	afterRead(fd)
	return int(n), nil
}

func (k *epoll) write(fd int, p []byte) (int, error) {
	if b, fd := k.bridge.of(fd); b != nil {
		return b.write(fd, p)
	}
	beforeWrite(fd)
	// MSG_NOSIGNAL: a reset by the peer is an error here, not a signal.
	n, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_NOSIGNAL, 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}

func (k *epoll) writev(fd int, p [][]byte) (int, error) {
	if b, fd := k.bridge.of(fd); b != nil {
		return b.writev(fd, p)
	}
	var iov [maxVector]unix.Iovec
	for i, b := range p {
		iov[i].Base = unsafe.SliceData(b)
		iov[i].SetLen(len(b))
	}
	msg := unix.Msghdr{Iov: &iov[0]}
	msg.SetIovlen(len(p))
	beforeWrite(fd)
	n, _, e := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), unix.MSG_NOSIGNAL)
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}

func (k *epoll) shutdown(fd int) error {
	if b, fd := k.bridge.of(fd); b != nil {
		return b.shutdown(fd)
	}
	return unix.Shutdown(fd, unix.SHUT_WR)
}

func (k *epoll) close(fd int) error {
	if b, fd := k.bridge.of(fd); b != nil {
		return b.close(fd)
	}
	return unix.Close(fd)
}

func (k *epoll) peer(fd int) netip.AddrPort {
	if p, fd := k.bridge.of(fd); p != nil {
		return p.peer(fd)
	}
	sa, err := unix.Getpeername(fd)
	if err != nil {
		return netip.AddrPort{}
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

func (k *epoll) add(fd int, mask uint8, slot, gen uint32) error {
	if b, fd := k.bridge.of(fd); b != nil {
		return b.add(fd, mask, slot, gen)
	}
	return k.control(unix.EPOLL_CTL_ADD, fd, mask, slot, gen)
}

func (k *epoll) native() bool { return true }

func (k *epoll) remove(fd int) error {
	return unix.EpollCtl(k.epfd, unix.EPOLL_CTL_DEL, fd, nil)
}

func (k *epoll) mod(fd int, mask uint8, slot, gen uint32) error {
	if b, fd := k.bridge.of(fd); b != nil {
		return b.mod(fd, mask, slot, gen)
	}
	return k.control(unix.EPOLL_CTL_MOD, fd, mask, slot, gen)
}

func (k *epoll) control(op, fd int, mask uint8, slot, gen uint32) error {
	ev := unix.EpollEvent{Fd: int32(slot), Pad: int32(gen)}
	if mask&wantRead != 0 {
		ev.Events |= unix.EPOLLIN
	}
	if mask&wantWrite != 0 {
		ev.Events |= unix.EPOLLOUT
	}
	if mask&wantEnd != 0 {
		ev.Events |= unix.EPOLLRDHUP
	}
	return unix.EpollCtl(k.epfd, op, fd, &ev)
}

func (k *epoll) wait(ms int) ([]event, error) {
	n, err := k.epollWait(k.bridge.before(ms))
	events := k.bridge.after(k.events[:0])
	if err != nil {
		return nil, err
	}
	k.busy = n > busyEvents
	for i := range k.raw[:n] {
		raw := &k.raw[i]
		if raw.Fd == 0 {
			continue // wake
		}
		var ready uint8
		if raw.Events&unix.EPOLLIN != 0 {
			ready |= canRead
		}
		if raw.Events&unix.EPOLLOUT != 0 {
			ready |= canWrite
		}
		if raw.Events&(unix.EPOLLHUP|unix.EPOLLERR|unix.EPOLLRDHUP) != 0 {
			ready |= hungUp
		}
		events = append(events, event{ready, uint32(raw.Fd), uint32(raw.Pad)})
	}
	k.events = events
	if n == len(k.raw) && n < 8192 {
		k.raw = make([]unix.EpollEvent, 2*n)
	}
	return events, nil
}

func (k *epoll) epollWait(ms int) (int, error) {
	if ms == 0 {
		n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(k.epfd), uintptr(unsafe.Pointer(unsafe.SliceData(k.raw))), uintptr(len(k.raw)), 0, 0, 0)
		if e != 0 {
			return 0, e
		}
		return int(n), nil
	}
	if k.busy && k.busyPoll > 0 {
		if n, err := k.pollBusy(); n > 0 || err != nil {
			return n, err
		}
	}
	return unix.EpollWait(k.epfd, k.raw, ms)
}

// busyEvents is how many events at once a loop may have without being busy.
const busyEvents = 8

func (k *epoll) pollBusy() (int, error) {
	ts := [2]int64{0, int64(k.busyPoll)} // seconds and nanoseconds, in 64 bits on every processor
	n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(k.epfd), uintptr(unsafe.Pointer(unsafe.SliceData(k.raw))), uintptr(len(k.raw)), uintptr(unsafe.Pointer(&ts)), 0, 0)
	switch e {
	case 0:
		return int(n), nil
	case unix.ENOSYS: // before Linux 5.11
		return 0, nil
	}
	return 0, e
}

// wake writes to a descriptor that is registered edge-triggered, so it need not be
// read.
func (k *epoll) wake() {
	one := [8]byte{1}
	unix.Write(k.wakefd, one[:])
}
