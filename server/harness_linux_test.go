package server

import (
	"crypto/tls"
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// arrived waits until the other end's kernel has acknowledged what nc wrote.
func arrived(t *testing.T, nc net.Conn) {
	t.Helper()
	if c, ok := nc.(*tls.Conn); ok {
		nc = c.NetConn()
	}
	raw, err := nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() (empty bool) {
		raw.Control(func(fd uintptr) {
			n, err := unix.IoctlGetInt(int(fd), unix.TIOCOUTQ)
			empty = n == 0 || err != nil
		})
		return empty
	})
}
