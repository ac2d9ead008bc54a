package server

import (
	"net"
	"net/netip"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// setAcceptOptions sets on a listening socket what the connections inherit that are
// accepted from it: what package net sets on each, with a system call for each option.
func setAcceptOptions(raw syscall.RawConn, network string, keepAlive bool) error {
	if network != "tcp" {
		return nil
	}
	var err error
	if e := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		if err == nil && keepAlive {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
		}
	}); e != nil {
		return e
	}
	return err
}

// acceptFrom accepts a connection from a non-blocking listening socket. peer is invalid on
// a Unix socket.
func acceptFrom(ln uintptr) (fd int, peer netip.AddrPort, err error) {
	var sa unix.RawSockaddrAny
	size := uint32(unix.SizeofSockaddrAny)
	for {
		// The raw form does without Go's scheduler: the call does not block.
		n, _, e := unix.RawSyscall6(unix.SYS_ACCEPT4, ln, uintptr(unsafe.Pointer(&sa)), uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		switch e {
		case 0:
			return int(n), peerOf(&sa), nil
		case unix.EINTR, unix.ECONNABORTED:
		default:
			return 0, netip.AddrPort{}, e
		}
	}
}

func peerOf(sa *unix.RawSockaddrAny) netip.AddrPort {
	switch sa.Addr.Family {
	case unix.AF_INET:
		in := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(in.Addr), port(&in.Port))
	case unix.AF_INET6:
		in := (*unix.RawSockaddrInet6)(unsafe.Pointer(sa))
		addr := netip.AddrFrom16(in.Addr).Unmap()
		if in.Scope_id != 0 && addr.Is6() {
			if i, err := net.InterfaceByIndex(int(in.Scope_id)); err == nil {
				addr = addr.WithZone(i.Name)
			}
		}
		return netip.AddrPortFrom(addr, port(&in.Port))
	}
	return netip.AddrPort{}
}

// localOf returns the local address of a socket.
func localOf(fd int) netip.AddrPort {
	var sa unix.RawSockaddrAny
	size := uint32(unix.SizeofSockaddrAny)
	if _, _, e := unix.RawSyscall(unix.SYS_GETSOCKNAME, uintptr(fd), uintptr(unsafe.Pointer(&sa)), uintptr(unsafe.Pointer(&size))); e != 0 {
		return netip.AddrPort{}
	}
	return peerOf(&sa)
}

// port reads a port in network byte order.
func port(p *uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(p))
	return uint16(b[0])<<8 | uint16(b[1])
}

// connOf makes a net.Conn of a descriptor, which it closes if it cannot.
func connOf(fd int) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "connection")
	defer f.Close() // FileConn duplicates it
	return net.FileConn(f)
}

func closeDescriptor(fd int) { unix.Close(fd) }
