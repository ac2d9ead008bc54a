package chat

import (
	"net/netip"
	"slices"

	"github.com/hawser-ws/hawser/server/rate"
)

// locate puts a connection among those from its address, so that they are found without a look
// at all others. Called with mu held.
func (h *Hub) locate(c *Connection) {
	at := c.info.address()
	if !at.IsValid() {
		return
	}
	first := h.addresses[at]
	if first != nil {
		first.near.last = c
	}
	c.near.next = first
	h.addresses[at] = c
}

// dislocate undoes locate. Called with mu held.
func (h *Hub) dislocate(c *Connection) {
	at := c.info.address()
	next, last := c.near.next, c.near.last
	switch {
	case last != nil:
		last.near.next = next
	case h.addresses[at] != c: // it is nowhere
		return
	case next == nil:
		delete(h.addresses, at)
	default:
		h.addresses[at] = next
	}
	if next != nil {
		next.near.last = last
	}
	c.near.next, c.near.last = nil, nil
}

// from returns the connections from a network. Only for one that is larger than an address does
// it look at all of them. Called with mu held.
func (h *Hub) from(network netip.Prefix) (found []*Connection) {
	if AddressSubject(network.Addr()) == network {
		for c := h.addresses[network]; c != nil; c = c.near.next {
			found = append(found, c)
		}
		return found
	}
	for at, c := range h.addresses {
		if !network.Overlaps(at) && !(network.Addr().Is6() && at.Addr().Is4()) { // which an IPv6 address may stand for
			continue
		}
		for ; c != nil; c = c.near.next {
			if addr := c.info.RemoteAddr.Addr(); network.Contains(addr.Unmap().WithZone("")) || network.Contains(rate.Canonical(addr)) {
				found = append(found, c)
			}
		}
	}
	return found
}

// UsersAt returns at most limit users who are connected to this node from a network.
func (h *Hub) UsersAt(network netip.Prefix, limit int) (ids []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.from(network) {
		if c.person != nil && !slices.Contains(ids, c.person.id) {
			if ids = append(ids, c.person.id); len(ids) == limit {
				break
			}
		}
	}
	return ids
}
