package rate

import "net/netip"

// Address returns what limits by address count addr as: an IPv6 address as its /64, which is
// what one customer has, and an IPv4-mapped address as IPv4. It is the zero Prefix for the zero
// Addr.
func Address(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.Prefix(bits) // bits is right for the family
	return p
}
