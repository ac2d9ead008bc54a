package redis

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// gate is what everything passes that a process does with Redis by itself, or hears from it. While it
// is shut, nothing is begun. The zero gate is open.
type gate struct {
	mu sync.Mutex
	// Guarded by mu.
	inside int
	shut   chan struct{} // closed when the gate opens; nil: it is open
}

// gatePoll is how often to look whether nothing is inside any more.
const gatePoll = 500 * time.Microsecond

// try passes the gate if it is open. Then leave must be called.
func (g *gate) try() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut != nil {
		return false
	}
	g.inside++
	return true
}

// enter passes the gate when it is open. If there is no error, leave must be called.
func (g *gate) enter(ctx context.Context) error {
	for !g.try() {
		if err := g.wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// wait waits until the gate is open.
func (g *gate) wait(ctx context.Context) error {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut == nil {
		return nil
	}
	select {
	case <-shut:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stay is for something that is inside and begins something that goes on after it has left. That has to
// leave, too.
func (g *gate) stay() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside++
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
}

// close shuts the gate, and returns when nothing is inside. If ctx ends first, it returns an error, and the gate
// stays shut: what was turned away meanwhile must be looked at when it opens.
func (g *gate) close(ctx context.Context) error {
	g.mu.Lock()
	if g.shut == nil {
		g.shut = make(chan struct{})
	}
	g.mu.Unlock()
	tick := time.NewTicker(gatePoll)
	defer tick.Stop()
	for {
		g.mu.Lock()
		n := g.inside
		g.mu.Unlock()
		if n == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%d things that are under way do not end: %w", n, ctx.Err())
		}
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut != nil {
		close(g.shut)
		g.shut = nil
	}
}

func (g *gate) isShut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.shut != nil
}
