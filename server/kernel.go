package server

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// kernel is what a loop needs of the operating system; each loop has its own. Tests
// replace it by one that fails. There are two: epoll (kernel_linux.go), and goroutines
// over net.Conn (kernel_portable.go), the default on other systems.
//
// A descriptor is a number with a meaning only to the kernel that returned it. Reads
// and writes never block: if there is nothing to read, or no room to write, the error
// is syscall.EAGAIN. Errors of the peer or the network are a syscall.Errno if the system
// has one for them.
type kernel interface {
	// attach takes over nc and returns its descriptor. The caller must not use nc
	// again; if there is an error, nc has been closed. A connection that has no
	// descriptor of the operating system is read and written by goroutines. Any goroutine
	// may call it.
	attach(nc net.Conn) (fd int, err error)

	// add makes wait report events of fd, under a slot and its generation. The mask
	// consists of wantRead, wantWrite and wantEnd; mod changes it.
	add(fd int, mask uint8, slot, gen uint32) error
	mod(fd int, mask uint8, slot, gen uint32) error

	// wait returns the descriptors that are ready. If none is, it waits for one, for
	// wake, or for ms milliseconds; without a time limit if ms is negative. It is
	// level-triggered: what is still ready is reported again. The events are valid
	// until the next call.
	wait(ms int) ([]event, error)

	// native reports whether descriptors are the process's own: add then takes any
	// non-blocking socket, and remove undoes it.
	native() bool
	remove(fd int) error

	// wake makes wait return: the current call, or else the next. Any goroutine may
	// call it, until release.
	wake()

	read(fd int, p []byte) (int, error) // 0 is the end of the stream
	write(fd int, p []byte) (int, error)
	writev(fd int, p [][]byte) (int, error) // at most maxVector slices
	shutdown(fd int) error                  // ends the write side, after what was written
	close(fd int) error                     // what was written still goes out; any goroutine

	// peer returns the peer's address, or the zero AddrPort.
	peer(fd int) netip.AddrPort

	// release frees the kernel's own resources, once every descriptor is closed.
	release()
}

// What a descriptor can be watched for.
const (
	wantRead = 1 << iota
	wantWrite
	wantEnd // of the peer's stream, while there is no wantRead
)

// event is what wait reports about one descriptor.
type event struct {
	ready     uint8
	slot, gen uint32
}

// What a descriptor can be ready for.
const (
	canRead = 1 << iota // there is input, or its end
	canWrite
	hungUp // both directions have ended, or there is an error, whatever the mask; with wantEnd, the peer's stream has ended
)

// rawConn returns nc's raw connection.
func rawConn(nc net.Conn) (syscall.RawConn, error) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("%T has no descriptor", nc)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("descriptor: %w", err)
	}
	return raw, nil
}
