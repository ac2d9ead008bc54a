//go:build !linux

package server

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
)

// Elsewhere no kernel is native, so there are no doorways.

func setAcceptOptions(syscall.RawConn, string, bool) error { return errors.ErrUnsupported }

func acceptFrom(uintptr) (int, netip.AddrPort, error) {
	return 0, netip.AddrPort{}, errors.ErrUnsupported
}

func connOf(int) (net.Conn, error) { return nil, errors.ErrUnsupported }
func closeDescriptor(int)          {}

func localOf(int) netip.AddrPort { return netip.AddrPort{} }
