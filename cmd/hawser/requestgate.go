package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// requestGate lets requests to handlers through while it is open. While it is closed, they wait.
type requestGate struct {
	mu sync.Mutex
	// Guarded by mu.
	running int
	shut    chan struct{} // closed when it opens; nil: it is open
	refused bool          // another process answers
}

// gatePoll is how often to look whether the requests have ended.
const gatePoll = time.Millisecond

// through returns a handler behind the gate.
func (g *requestGate) through(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !g.enter(r.Context()) {
			w.Header().Set("Connection", "close")
			w.Header().Set("Retry-After", "0")
			http.Error(w, "another process answers now; try again", http.StatusServiceUnavailable)
			return
		}
		defer g.leave()
		next.ServeHTTP(w, r)
	})
}

// enter waits until the gate is open. It reports whether it is.
func (g *requestGate) enter(ctx context.Context) bool {
	for {
		g.mu.Lock()
		shut := g.shut
		if g.refused {
			g.mu.Unlock()
			return false
		}
		if shut == nil {
			g.running++
			g.mu.Unlock()
			return true
		}
		g.mu.Unlock()
		select {
		case <-shut:
		case <-ctx.Done():
			return false
		}
	}
}

func (g *requestGate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running--
}

// close closes the gate, and waits for the requests that are being answered. The caller opens it
// again, also after an error.
func (g *requestGate) close(ctx context.Context) error {
	g.mu.Lock()
	g.shut = make(chan struct{})
	g.mu.Unlock()
	tick := time.NewTicker(gatePoll)
	defer tick.Stop()
	for {
		g.mu.Lock()
		n := g.running
		g.mu.Unlock()
		if n == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s of administrators, such as a backup, do not end: %w", plural(uint64(n), "request"), ctx.Err())
		}
	}
}

func (g *requestGate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.shut)
	g.shut = nil
}

// refuse refuses what waits, because another process answers now.
func (g *requestGate) refuse() {
	g.mu.Lock()
	g.refused = true
	g.mu.Unlock()
	g.open()
}
