package adminapi

import (
	"fmt"
	"net/netip"

	"github.com/hawser-ws/hawser/cmd/internal/proxy"
	"github.com/hawser-ws/hawser/server/rate"
)

// Protected are networks that cannot be banned. The zero value has none.
type Protected struct{ lists []protectedList }

type protectedList struct {
	setting  string
	networks []netip.Prefix
}

// Protect returns the protected networks: those that the settings trusted_proxies and
// bans.allow list.
func Protect(trustedProxies, bansAllow []string) (p Protected, err error) {
	for _, l := range []struct {
		setting string
		entries []string
	}{{"trusted_proxies", trustedProxies}, {"bans.allow", bansAllow}} {
		set, err := proxy.ParseTrusted(l.entries)
		if err != nil {
			return Protected{}, fmt.Errorf("%s: %w", l.setting, err)
		}
		p.lists = append(p.lists, protectedList{l.setting, set.Networks()})
	}
	return p, nil
}

// Contains reports whether an address is protected, or the IPv4 address that it stands for.
func (p Protected) Contains(addr netip.Addr) bool {
	for _, a := range []netip.Addr{addr.Unmap().WithZone(""), rate.Canonical(addr)} {
		if a.IsValid() && p.Check(netip.PrefixFrom(a, a.BitLen())) != nil {
			return true
		}
	}
	return false
}

// Check returns an error if a network must not be banned, because it contains all addresses, or
// protected ones.
func (p Protected) Check(network netip.Prefix) error {
	if network.Bits() == 0 {
		return fmt.Errorf("%s cannot be banned: it is everybody", network)
	}
	for _, l := range p.lists {
		for _, n := range l.networks {
			if n.Overlaps(network) {
				return fmt.Errorf("%s cannot be banned: %s in the setting %s protects %s", network, n, l.setting, part(n, network))
			}
		}
	}
	return nil
}

// part returns the part of a network that another one contains, if they overlap.
func part(n, network netip.Prefix) string {
	if n.Bits() > network.Bits() {
		return "a part of it"
	}
	return "it"
}
