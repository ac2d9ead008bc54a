package main

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// bannedListener closes connections from banned addresses before anything is read from them, or
// written: without TLS, without a request, for the price of an accept.
type bannedListener struct {
	net.Listener
	bans chat.Bans
}

// Accept implements net.Listener.
func (l *bannedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		addr, _ := netip.ParseAddrPort(c.RemoteAddr().String()) // there is none on a Unix socket
		if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
			addr = tcp.AddrPort()
		}
		if _, banned := l.bans.OfAddress(addr.Addr()); !banned {
			return c, nil
		}
		c.Close()
	}
}

// SyscallConn gives access to the descriptor (syscall.Conn), which another process may take over.
func (l *bannedListener) SyscallConn() (syscall.RawConn, error) {
	sc, ok := l.Listener.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return sc.SyscallConn()
}

// SetDeadline limits how long Accept waits.
func (l *bannedListener) SetDeadline(t time.Time) error {
	if d, ok := l.Listener.(interface{ SetDeadline(time.Time) error }); ok {
		return d.SetDeadline(t)
	}
	return nil
}
