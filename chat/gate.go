package chat

import (
	"sync"
	"time"
)

// gate is a Clock whose timers do not fire while it is shut: what was due fires when it opens.
type gate struct {
	Clock

	mu   sync.RWMutex // held for reading while a timer's function runs
	shut bool         // Guarded by mu.

	late struct {
		sync.Mutex
		fired []func()
	}
}

// AfterFunc implements Clock.
func (g *gate) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	return g.Clock.AfterFunc(d, func() { g.pass(f) })
}

// pass calls a timer's function, or keeps it. A function that is kept cannot be stopped any more,
// just as one that is running.
func (g *gate) pass(f func()) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if !g.shut {
		f()
		return
	}
	g.late.Lock()
	defer g.late.Unlock()
	g.late.fired = append(g.late.fired, f)
}

// close shuts the gate. When it returns, no timer's function runs.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = true
}

// open calls what was due, and lets timers fire again.
func (g *gate) open() {
	g.mu.Lock()
	g.shut = false
	fired := g.late.fired
	g.late.fired = nil
	g.mu.Unlock()
	for _, f := range fired {
		f()
	}
}
