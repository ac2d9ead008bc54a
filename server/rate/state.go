package rate

import (
	"iter"
	"time"
)

// Used ranges over the subjects whose buckets are not full at a time of the monotonic clock,
// and how long each takes to fill: what a process that takes over has to know. The Limiter must not
// be used meanwhile.
func (l *Limiter[Subject]) Used(now time.Duration) iter.Seq2[Subject, time.Duration] {
	return func(yield func(Subject, time.Duration) bool) {
		if l == nil {
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		for s, full := range l.full {
			if full > now && !yield(s, full-now) {
				return
			}
		}
	}
}

// SetUsed says that a subject's bucket takes so long to fill, as Used of another Limiter did. A
// Limiter that allows less may have to wait longer.
func (l *Limiter[Subject]) SetUsed(s Subject, now, left time.Duration) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.full) < MaxSubjects {
		l.full[s] = now + left
	}
}
