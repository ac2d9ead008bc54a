package proxy

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// unixPeer stands for all clients of a Unix socket.
const unixPeer = "unix"

// Trusted is a set of trusted proxies. Its zero value is empty.
type Trusted struct {
	prefixes []netip.Prefix
	unix     bool
}

// ParseTrusted reads a list of addresses and networks, such as 10.0.0.0/8 or ::1.
// "unix" stands for all clients of a Unix socket.
func ParseTrusted(list []string) (t Trusted, err error) {
	for _, s := range list {
		if s == unixPeer {
			t.unix = true
			continue
		}
		p, err := parsePrefix(s)
		if err != nil {
			return Trusted{}, fmt.Errorf("%q %w", s, err)
		}
		t.prefixes = append(t.prefixes, p)
	}
	return t, nil
}

// CheckTrusted returns what is wrong with an entry of ParseTrusted's list.
func CheckTrusted(s string) error {
	if s == unixPeer {
		return nil
	}
	return CheckNetwork(s)
}

// CheckNetwork is CheckTrusted without "unix".
func CheckNetwork(s string) error {
	_, err := parsePrefix(s)
	return err
}

func parsePrefix(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, errors.New("is not an address or network such as 10.0.0.0/8")
	}
	if p != p.Masked() {
		return p, errors.New("has bits beyond its network; that is " + p.Masked().String())
	}
	if p.Addr().Is4In6() {
		return p, errors.New("is an IPv4 network written as IPv6; write it as IPv4")
	}
	return p, nil
}

// Networks returns the networks in the set; a single address is one, too.
func (t Trusted) Networks() []netip.Prefix { return slices.Clone(t.prefixes) }

// None reports whether no proxy is trusted.
func (t Trusted) None() bool { return t.prefixes == nil && !t.unix }

// Has reports whether a proxy at this address is trusted. An IPv4-mapped address counts as
// IPv4.
func (t Trusted) Has(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, p := range t.prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

func (t Trusted) hasPeer(a net.Addr) bool {
	switch a := a.(type) {
	case *net.TCPAddr:
		return t.Has(a.AddrPort().Addr())
	case *net.UnixAddr:
		return t.unix
	}
	return false
}
