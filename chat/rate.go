package chat

import (
	"net/netip"
	"sync"
	"time"
)

// Pace is a rate with a burst. The zero value is no limit.
//
// It is the generic cell rate algorithm (ITU-T I.371): all that has to be remembered
// of one subject is the time at which it may do the whole burst at once again. Times are
// those of Clock.Monotonic, so that setting the clock neither blocks anybody nor
// frees them.
type Pace struct {
	each  float64       // ns that one of them takes; 0: no limit
	burst time.Duration // what may be done ahead of time
}

// NewPace allows n things in a period, and burst of them at once. It is no limit if n is
// 0; a burst of 0 is the same as n.
func NewPace(n int, period time.Duration, burst int) Pace {
	if n <= 0 {
		return Pace{}
	}
	if burst <= 0 {
		burst = n
	}
	each := float64(period) / float64(n)
	return Pace{each: each, burst: time.Duration(each * float64(burst))}
}

// take counts n things of a subject whose burst is whole again at full. They may be done
// after wait. If that is longer than patience they are not counted, and next is full.
func (p Pace) take(full, now time.Duration, n int, patience time.Duration) (next, wait time.Duration) {
	if p.each == 0 {
		return full, 0
	}
	next = max(full, now) + p.cost(n)
	wait = max(next-now-p.burst, 0)
	if wait > patience {
		return full, wait
	}
	return next, wait
}

// cost is the time that n things take. What is larger than the burst fits when everything
// is free.
func (p Pace) cost(n int) time.Duration {
	return min(time.Duration(p.each*float64(n)), p.burst)
}

// maxSubjects is how many subjects a Rate remembers at a time, so that a flood of
// them costs a few megabytes and no more.
const maxSubjects = 1 << 16

// Rate holds each of many subjects to a Pace. Its methods are safe for concurrent use;
// a nil *Rate is no limit.
type Rate[Subject comparable] struct {
	pace Pace

	mu   sync.Mutex
	full map[Subject]time.Duration // Guarded by mu. See Pace.take.
}

// NewRate returns nil if p is no limit.
func NewRate[Subject comparable](p Pace) *Rate[Subject] {
	if p.each == 0 {
		return nil
	}
	return &Rate[Subject]{pace: p, full: make(map[Subject]time.Duration)}
}

// Take counts n things of a subject at a time of Clock.Monotonic, and says how long to
// wait before they are done. If that is longer than patience they are refused, and
// not counted: wait is then when to try again.
func (r *Rate[Subject]) Take(s Subject, now time.Duration, n int, patience time.Duration) (wait time.Duration) {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	full, known := r.full[s]
	next, wait := r.pace.take(full, now, n, patience)
	if next == full {
		return wait
	}
	if !known && len(r.full) >= maxSubjects {
		r.makeRoom(now)
	}
	r.full[s] = next
	return wait
}

// GiveBack undoes a Take of n things that was not refused and did not have to wait.
func (r *Rate[Subject]) GiveBack(s Subject, now time.Duration, n int) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	full, known := r.full[s]
	if !known {
		return // forgotten meanwhile
	}
	if full -= r.pace.cost(n); full > now {
		r.full[s] = full
	} else {
		delete(r.full, s)
	}
}

// makeRoom forgets the subjects that have been quiet. If few have, it forgets any, a
// quarter at once so that this is rare: those who have so many names are not held
// back by this limit.
func (r *Rate[Subject]) makeRoom(now time.Duration) {
	for s, full := range r.full {
		if full <= now {
			delete(r.full, s)
		}
	}
	for s := range r.full {
		if len(r.full) <= maxSubjects*3/4 {
			return
		}
		delete(r.full, s)
	}
}

// AddressSubject is what limits by address count addr as: an IPv6 address as its /64,
// which is what one customer has, and an IPv4 address within IPv6 as what it is.
func AddressSubject(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.Prefix(bits) // the zero Prefix for the zero Addr
	return p
}
