package main

import (
	"net"
	"net/netip"
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

// SetDeadline limits how long Accept waits.
func (l *bannedListener) SetDeadline(t time.Time) error {
	if d, ok := l.Listener.(interface{ SetDeadline(time.Time) error }); ok {
		return d.SetDeadline(t)
	}
	return nil
}
