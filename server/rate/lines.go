package rate

import (
	"sync"
	"time"
)

const (
	maxLines   = 30
	linesEvery = time.Minute
)

// Lines keeps what strangers cause from filling a log: it lets through 30 lines a minute, and counts
// those that it does not. The zero value is ready for use, by any number of goroutines.
type Lines struct {
	mu sync.Mutex
	// Guarded by mu.
	began   time.Duration // when the first line of this minute came
	n       int           // how many came in it
	omitted int           // of the minutes before, how many were not let through
}

// Take reports whether a line may be written. omitted is how many were not since the last one
// that was, and belongs into the line if it is not 0.
func (l *Lines) Take(now time.Duration) (ok bool, omitted int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n == 0 || now-l.began >= linesEvery {
		l.began, l.n = now, 0
	}
	if l.n++; l.n > maxLines {
		l.omitted++
		return false, 0
	}
	omitted, l.omitted = l.omitted, 0
	return true, omitted
}
