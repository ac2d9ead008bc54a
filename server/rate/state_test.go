package rate

import (
	"testing"
	"time"
)

// A Limiter with another clock goes on where the first one was.
func TestUsedElsewhere(t *testing.T) {
	p := NewPace(1, time.Second, 3)
	a, b := NewLimiter[string](p), NewLimiter[string](p)
	const now, there = time.Hour, time.Minute
	a.Take("ada", now, 2, 0)
	a.Take("bob", now-10*time.Second, 3, 0) // is full again
	n := 0
	for s, left := range a.Used(now) {
		b.SetUsed(s, there, left)
		n++
	}
	if n != 1 || b.Len() != 1 {
		t.Errorf("%d subjects are used, %d arrive", n, b.Len())
	}
	for i, l := range []*Limiter[string]{a, b} {
		at := []time.Duration{now, there}[i]
		if w := l.Take("ada", at, 1, 0); w != 0 {
			t.Errorf("limiter %d: the third has to wait %v", i, w)
		}
		if w := l.Take("ada", at, 1, 0); w != time.Second {
			t.Errorf("limiter %d: the fourth has to wait %v", i, w)
		}
	}
	var none *Limiter[string]
	for range none.Used(now) {
		t.Error("no limit has a subject")
	}
	none.SetUsed("ada", now, time.Second)
}
