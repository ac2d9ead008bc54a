package server

import (
	"net/netip"
	"sync"

	"github.com/hawser-ws/hawser/server/rate"
)

// addresses counts WebSockets by where they come from: an IPv4 address, or an IPv6
// /64, which is what one customer is given. It never holds more entries than there are
// connections.
type addresses struct {
	mu    sync.Mutex
	count map[netip.Prefix]*address // Guarded by mu.
}

// address is one entry. A nil *address stands for a connection that is not counted.
type address struct {
	in  *addresses
	key netip.Prefix
	n   int // Guarded by in.mu.
}

// acquire counts one more connection from addr, unless it already has limit of them.
// Every acquired entry needs one release.
func (a *addresses) acquire(addr netip.Addr, limit int) (entry *address, ok bool) {
	key := rate.Address(addr)
	a.mu.Lock()
	defer a.mu.Unlock()
	entry = a.count[key]
	if entry != nil && entry.n >= limit {
		return nil, false
	}
	if entry == nil {
		if a.count == nil {
			a.count = map[netip.Prefix]*address{}
		}
		entry = &address{in: a, key: key}
		a.count[key] = entry
	}
	entry.n++
	return entry, true
}

func (e *address) release() {
	if e == nil {
		return
	}
	e.in.mu.Lock()
	defer e.in.mu.Unlock()
	if e.n--; e.n == 0 {
		delete(e.in.count, e.key)
	}
}
