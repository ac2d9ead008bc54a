package server

import (
	"net/netip"
	"sync"
	"time"
)

// addresses counts connections by where they come from: an IPv4 address, or
// an IPv6 /64, which is what one customer is given. It holds as many entries
// as there are connections, never more.
type addresses struct {
	mu    sync.Mutex
	count map[netip.Prefix]*address // Guarded by mu.
}

// address is one entry. A nil one stands for what is not counted.
type address struct {
	in  *addresses
	key netip.Prefix
	n   int // Guarded by in.mu.
}

// acquire counts one more connection from addr and returns how many there are
// now. Every acquire needs one release.
func (a *addresses) acquire(addr netip.Addr) (entry *address, n int) {
	key := addressKey(addr)
	a.mu.Lock()
	defer a.mu.Unlock()
	entry = a.count[key]
	if entry == nil {
		if a.count == nil {
			a.count = map[netip.Prefix]*address{}
		}
		entry = &address{in: a, key: key}
		a.count[key] = entry
	}
	entry.n++
	return entry, entry.n
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

func addressKey(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.Prefix(bits) // bits is right for the family
	return p
}

// rate admits a number of things a second, and as many at once.
type rate struct {
	mu     sync.Mutex
	tokens float64       // Guarded by mu.
	last   time.Duration // Guarded by mu.
}

func (r *rate) allow(perSecond int, now time.Duration) bool { return r.take(perSecond, now) == 0 }

// take admits one, or says how long it is until there may be one.
func (r *rate) take(perSecond int, now time.Duration) (wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	most := float64(perSecond)
	if r.last == 0 {
		r.tokens = most
	}
	r.tokens = min(most, r.tokens+most*(now-r.last).Seconds())
	r.last = now
	if r.tokens < 1 {
		return max(time.Duration((1-r.tokens)/most*float64(time.Second)), 1)
	}
	r.tokens--
	return 0
}
