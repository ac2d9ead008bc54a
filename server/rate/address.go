package rate

import (
	"encoding/binary"
	"net/netip"
)

// Address returns what limits by address count addr as: an IPv6 address as its /64, which is
// what one customer has, and one that stands for an IPv4 address (Canonical) as that. It is the zero
// Prefix for the zero Addr.
func Address(addr netip.Addr) netip.Prefix {
	addr = Canonical(addr)
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.Prefix(bits) // bits is right for the family
	return p
}

var (
	nat64  = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052 2.1
	teredo = netip.MustParsePrefix("2001::/32")    // RFC 4380 2.6
	sixTo4 = netip.MustParsePrefix("2002::/16")    // RFC 3056 2
)

// Canonical returns addr without a zone, and the IPv4 address for an IPv6 one that stands for it. In
// these networks a /64 is not one customer's, but everybody's or a part of one's:
//
//	::ffff:0:0/96   IPv4-mapped: the last 32 bits
//	64:ff9b::/96    NAT64, the well-known prefix: the last 32 bits. All of IPv4 is in one /64
//	2001::/32       Teredo: the last 32 bits, inverted, are the client's. All clients of a Teredo server
//	                are in one /64
//	2002::/16       6to4: 32 bits after the prefix. Each host has 65,536 networks of /64
//
// Answers to such an address go to that IPv4 address, so nobody completes a TCP handshake with
// that of somebody else. Of the local prefix 64:ff9b:1::/48 (RFC 8215) and a network's own ones it is
// not known where the IPv4 address is: they count as their /64. So does an address in which there is
// one that nobody on the internet has.
func Canonical(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if !addr.Is6() {
		return addr
	}
	b := addr.As16()
	var v4 [4]byte
	switch {
	case nat64.Contains(addr):
		v4 = [4]byte(b[12:16])
	case sixTo4.Contains(addr):
		v4 = [4]byte(b[2:6])
	case teredo.Contains(addr):
		binary.BigEndian.PutUint32(v4[:], ^binary.BigEndian.Uint32(b[12:16]))
	}
	if stands := netip.AddrFrom4(v4); stands.IsGlobalUnicast() && !stands.IsPrivate() {
		return stands
	}
	return addr
}
