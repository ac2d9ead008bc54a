//go:build linux

package faults

import (
	"fmt"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/cmd/hawser/internal/consistency"
)

// recorder is the history of a run. Its methods may be called from any goroutine.
type recorder struct {
	start time.Time

	mu sync.Mutex
	// Guarded by mu.
	events   []consistency.Event
	conns    int
	problems []string // faults that are not events
	counts   map[string]int
}

func newRecorder() *recorder {
	return &recorder{start: time.Now(), counts: map[string]int{}}
}

func (r *recorder) now() time.Duration { return time.Since(r.start) }

// add adds events that have just happened.
func (r *recorder) add(events ...consistency.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range events {
		e.At = r.now()
		r.events = append(r.events, e)
		r.counts[string(e.Kind)]++
	}
}

// connection returns the number of a new connection.
func (r *recorder) connection() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns++
	return r.conns
}

func (r *recorder) problem(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problems = append(r.problems, fmt.Sprintf("%7.2f s: ", r.now().Seconds())+fmt.Sprintf(format, args...))
}

// count counts something that is only of interest in the summary.
func (r *recorder) count(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[what]++
}
