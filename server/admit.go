package server

import (
	"net/netip"
	"sync"
	"time"
)

// addresses counts WebSockets by where they come from: an IPv4 address, or an IPv6
// /64, which is what one customer is given. It holds as many entries as there are
// connections, never more.
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

// acquire counts one more connection from addr, unless there are as many as there
// may be. Every one needs a release.
func (a *addresses) acquire(addr netip.Addr, limit int) (entry *address, ok bool) {
	key := addressKey(addr)
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

func addressKey(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.Prefix(bits) // bits is right for the family
	return p
}

// reserve gives a handshake the place of the connection that it asks for, before it
// is answered: those in progress can then not exceed the limits together. why says
// that there is none. Every place needs one unreserve, by the handshake if it
// fails, otherwise by the loop when the connection has ended.
func (s *Server) reserve(o *opening, addr netip.Addr) (why *refusal) {
	if s.scarce(1) && (s.http.dropIdle(1) == 0 || s.scarce(1)) {
		s.logExhausted(errScarce)
		return refusedScarce
	}
	for {
		n := s.conns.Load()
		if limit := s.cfg.MaxConns; limit > 0 && n >= int64(limit) {
			return refusedFull
		}
		if s.conns.CompareAndSwap(n, n+1) {
			break
		}
	}
	if limit := s.cfg.MaxConnsPerAddress; limit > 0 && addr.IsValid() {
		entry, ok := s.addresses.acquire(addr, limit)
		if !ok {
			s.conns.Add(-1)
			return refusedSurplus
		}
		o.address = entry
	}
	return nil
}

// unreserve gives the place back.
func (s *Server) unreserve(o *opening) {
	o.address.release()
	s.conns.Add(-1)
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
