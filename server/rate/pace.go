package rate

import (
	"sync"
	"time"
)

// Pace is a rate with a burst. The zero value is no limit.
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

// Unlimited reports whether p is no limit.
func (p Pace) Unlimited() bool { return p.each == 0 }

// Take counts n things, which need not be a whole number, of a subject whose bucket will be full
// at full. They may be done after wait. If that is longer than maxWait they are not counted, and
// next is full. More things than the burst count as the burst.
func (p Pace) Take(full, now time.Duration, n float64, maxWait time.Duration) (next, wait time.Duration) {
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

// GiveBack undoes a Take of n things.
func (p Pace) GiveBack(full time.Duration, n float64) (next time.Duration) { return full - p.cost(n) }

// cost returns the time that n things take, which is at most the whole burst.
func (p Pace) cost(n float64) time.Duration {
	return time.Duration(min(p.each*n, float64(p.burst)))
}

// Bucket applies a Pace to one subject. Its methods are safe for concurrent use. The zero value
// is no limit.
type Bucket struct {
	pace Pace

	mu   sync.Mutex
	full time.Duration // Guarded by mu. See Pace.Take.
}

// NewBucket returns a Bucket in which the whole burst is available.
func NewBucket(p Pace) *Bucket { return &Bucket{pace: p} }

// Take counts one thing, or returns how long to wait until it may be done.
func (b *Bucket) Take(now time.Duration) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.full, wait = b.pace.Take(b.full, now, 1, 0)
	return wait
}
