package chat

import (
	"net/netip"
	"sync"
	"time"
)

// Pace is a rate with a burst. The zero value is no limit.
//
// It uses the generic cell rate algorithm (ITU-T I.371): the only state of a subject is the
// time at which its whole burst will be available again. Times are those of Clock.Monotonic,
// so that setting the clock has no effect.
type Pace struct {
	each  float64       // ns that one thing takes; 0: no limit
	burst time.Duration // what may be done ahead of time
}

// NewPace returns a Pace that allows n things per period, and burst of them at once. If n is
// 0 there is no limit; if burst is 0 it is n.
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

// take counts n things of a subject whose whole burst is available at full. They may be done
// after wait. If that is longer than maxWait they are not counted, and next is full.
func (p Pace) take(full, now time.Duration, n int, maxWait time.Duration) (next, wait time.Duration) {
	if p.each == 0 {
		return full, 0
	}
	next = max(full, now) + p.cost(n)
	wait = max(next-now-p.burst, 0)
	if wait > maxWait {
		return full, wait
	}
	return next, wait
}

// cost returns the time that n things take, which is at most the whole burst.
func (p Pace) cost(n int) time.Duration {
	return min(time.Duration(p.each*float64(n)), p.burst)
}

// maxSubjects is how many subjects a Rate remembers at a time, so that a flood of them costs
// no more than a few megabytes.
const maxSubjects = 1 << 16

// Rate applies a Pace to each of many subjects. Its methods are safe for concurrent use. A
// nil *Rate is no limit.
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

// Take counts n things of a subject at a time of Clock.Monotonic, and returns how long to
// wait before they may be done. If that is longer than maxWait they are refused and not
// counted: wait is then when to try again.
func (r *Rate[Subject]) Take(s Subject, now time.Duration, n int, maxWait time.Duration) (wait time.Duration) {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	full, known := r.full[s]
	next, wait := r.pace.take(full, now, n, maxWait)
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
		return // forgotten in the meantime
	}
	if full -= r.pace.cost(n); full > now {
		r.full[s] = full
	} else {
		delete(r.full, s)
	}
}

// makeRoom forgets the subjects that have been quiet. If there are few of those, it forgets
// any quarter of the subjects, so that this is rare. An attacker with that many names cannot
// be stopped by this limit anyway.
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

// AddressSubject returns what limits by address count addr as: an IPv6 address as its /64,
// which is what one customer has, and an IPv4-mapped address as IPv4.
func AddressSubject(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.Prefix(bits) // the zero Prefix for the zero Addr
	return p
}
