package server

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// kernel is what a loop asks of the operating system, each loop its own: the
// seam between what a connection is and what carries it, and for tests that
// make it fail. There are two: epoll (kernel_linux.go), and goroutines over
// net.Conn (kernel_portable.go), which is the default elsewhere than on Linux.
//
// A descriptor is a number that only the kernel which gave it out can read.
// Reads and writes never block: where there is nothing to read, or no room to
// write, the error is syscall.EAGAIN. What the other end or the network did is a
// syscall.Errno where the system has one for it.
type kernel interface {
	// attach takes nc over, from any goroutine, and returns its descriptor. nc
	// must not be used any more; if there is an error, it has been closed.
	attach(nc net.Conn) (fd int, err error)

	// add has wait report events of fd under a slot and its generation. The mask
	// is of wantRead and wantWrite; mod changes it.
	add(fd int, mask uint8, slot, gen uint32) error
	mod(fd int, mask uint8, slot, gen uint32) error

	// wait returns what is ready, at once if something is, else after wake or ms
	// milliseconds, or never if ms is negative. What is not dealt with is
	// reported again. The events are valid until the next call.
	wait(ms int) ([]event, error)

	// wake makes wait return, now or when it is called next. Any goroutine may
	// call it, until release.
	wake()

	read(fd int, p []byte) (int, error) // 0 is the end of the stream
	write(fd int, p []byte) (int, error)
	writev(fd int, p [][]byte) (int, error) // at most maxVector slices
	shutdown(fd int) error                  // of the writing side, behind what was written
	close(fd int) error                     // what was written still goes out; any goroutine

	// peer returns the other end's address, or the zero AddrPort.
	peer(fd int) netip.AddrPort

	// release gives back what the kernel itself holds, once every descriptor is
	// closed.
	release()
}

// What a descriptor can be watched for.
const (
	wantRead = 1 << iota
	wantWrite
)

// event is what wait reports of one descriptor.
type event struct {
	ready     uint8
	slot, gen uint32
}

// What a descriptor can be ready for.
const (
	canRead = 1 << iota // there is input, or its end
	canWrite
	hungUp // both directions have ended, or an error has come; reported unasked
)

// rawConn returns the way to nc's descriptor. Every kernel refuses what has
// none, so that a program which works on one works on the others.
func rawConn(nc net.Conn) (syscall.RawConn, error) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("server: adopt: %T has no descriptor to take over", nc)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("server: adopt: %w", err)
	}
	return raw, nil
}
