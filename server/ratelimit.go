package server

import (
	"sync"
	"time"
)

// tokenBucket admits a number of events per second, and bursts of as many. The zero
// value is full.
type tokenBucket struct {
	mu      sync.Mutex
	started bool          // Guarded by mu.
	tokens  float64       // Guarded by mu.
	last    time.Duration // Guarded by mu.
}

func (b *tokenBucket) allow(perSecond int, now time.Duration) bool {
	return b.take(perSecond, now) == 0
}

// take admits one event, or returns how long to wait for the next token.
func (b *tokenBucket) take(perSecond int, now time.Duration) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	capacity := float64(perSecond)
	if !b.started {
		b.started, b.tokens = true, capacity
	}
	b.tokens = min(capacity, b.tokens+capacity*(now-b.last).Seconds())
	b.last = now
	if b.tokens < 1 {
		return max(time.Duration((1-b.tokens)/capacity*float64(time.Second)), 1)
	}
	b.tokens--
	return 0
}
