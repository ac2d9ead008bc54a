package rate

import (
	"math/bits"
	"sync"
	"time"
)

// MaxSubjects is how many subjects a Limiter remembers at a time, so that a flood of them costs
// no more than a few megabytes.
const MaxSubjects = 1 << 16

// Limiter applies a Pace to each of many subjects. Its methods are safe for concurrent use. A
// nil *Limiter is no limit.
//
// It remembers MaxSubjects of them. When there are more, it forgets those that have used the
// least of their burst: however many newcomers there are, a subject that has reached its limit
// stays limited.
type Limiter[Subject comparable] struct {
	pace Pace

	mu   sync.Mutex
	full map[Subject]time.Duration // Guarded by mu. See Pace.Take.
}

// NewLimiter returns nil if p is no limit.
func NewLimiter[Subject comparable](p Pace) *Limiter[Subject] {
	if p.Unlimited() {
		return nil
	}
	return &Limiter[Subject]{pace: p, full: make(map[Subject]time.Duration)}
}

// Take counts n things of a subject at a time of a monotonic clock, and returns how long to
// wait before they may be done. If that is longer than maxWait they are refused and not
// counted: wait is then when to try again.
func (l *Limiter[Subject]) Take(s Subject, now time.Duration, n float64, maxWait time.Duration) (wait time.Duration) {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	full, known := l.full[s]
	next, wait := l.pace.Take(full, now, n, maxWait)
	if next == full {
		return wait
	}
	if !known && len(l.full) >= MaxSubjects {
		l.makeRoom(now)
	}
	l.full[s] = next
	return wait
}

// GiveBack undoes a Take of n things that was not refused and did not have to wait.
func (l *Limiter[Subject]) GiveBack(s Subject, now time.Duration, n float64) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	full, known := l.full[s]
	if !known {
		return // forgotten in the meantime
	}
	if full = l.pace.GiveBack(full, n); full > now {
		l.full[s] = full
	} else {
		delete(l.full, s)
	}
}

// Len returns how many subjects are remembered.
func (l *Limiter[Subject]) Len() int {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.full)
}

// makeRoom forgets the subjects that have been quiet. If there are few of those, it forgets a
// quarter of all, so that this is rare: those that have used least. Called with mu held.
func (l *Limiter[Subject]) makeRoom(now time.Duration) {
	var used [numDegrees]int
	for s, full := range l.full {
		if full <= now {
			delete(l.full, s)
		} else {
			used[degree(full-now)]++
		}
	}
	surplus := len(l.full) - MaxSubjects*3/4
	if surplus <= 0 {
		return
	}
	limit := 0 // degrees below it go, and of this one as many as needed
	for ; surplus > used[limit]; limit++ {
		surplus -= used[limit]
	}
	kept := make(map[Subject]time.Duration, MaxSubjects) // one that much was deleted from grows
	for s, full := range l.full {
		switch d := degree(full - now); {
		case d < limit:
		case d == limit && surplus > 0:
			surplus--
		default:
			kept[s] = full
		}
	}
	l.full = kept
}

// numDegrees is one more than the largest degree.
const numDegrees = 64 * 8

// degree orders durations in steps of an eighth, or less.
func degree(d time.Duration) int {
	n := uint64(max(d, 0))
	if n < 8 {
		return int(n)
	}
	exponent := bits.Len64(n) - 4 // n>>exponent is 8 to 15
	return exponent*8 + int(n>>exponent)
}
