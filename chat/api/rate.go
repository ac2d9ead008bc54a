package api

import (
	"net/netip"
	"sync"
	"time"
)

// maxAddresses is how many addresses are remembered at a time, so that a flood of
// them costs a few megabytes and no more.
const maxAddresses = 1 << 16

// Rate limits how often something may be done from one address. An IPv6 address
// counts as its /64, which is what one customer has, and an IPv4 address within IPv6
// as what it is.
type Rate struct {
	// Immutable.
	every time.Duration // between two
	burst int
	now   func() time.Duration // monotonic

	mu sync.Mutex
	// Guarded by mu.
	full map[netip.Prefix]time.Duration // when the address may do all burst at once again
}

// NewRate allows perMinute things a minute from each address, and as many at once.
// It returns nil, which is no limit, for 0. now is a monotonic clock, as
// chat.Clock.Monotonic is.
func NewRate(perMinute int, now func() time.Duration) *Rate {
	if perMinute <= 0 {
		return nil
	}
	return &Rate{
		every: time.Minute / time.Duration(perMinute),
		burst: perMinute,
		now:   now,
		full:  make(map[netip.Prefix]time.Duration),
	}
}

// Take counts one thing from an address, or says how long to wait.
func (r *Rate) Take(addr netip.Addr) (wait time.Duration) {
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	key, _ := addr.Prefix(bits) // the zero Prefix for the zero Addr

	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	full := max(r.full[key], now) + r.every
	if wait := full - now - time.Duration(r.burst)*r.every; wait > 0 {
		return wait
	}
	if _, known := r.full[key]; !known && len(r.full) >= maxAddresses {
		r.makeRoom(now)
	}
	r.full[key] = full
	return 0
}

// makeRoom forgets the addresses that have been quiet. If few have, it forgets any,
// a quarter at once so that this is rare: whoever has so many addresses is not held
// back by this limit.
func (r *Rate) makeRoom(now time.Duration) {
	for key, full := range r.full {
		if full <= now {
			delete(r.full, key)
		}
	}
	for key := range r.full {
		if len(r.full) <= maxAddresses*3/4 {
			return
		}
		delete(r.full, key)
	}
}
