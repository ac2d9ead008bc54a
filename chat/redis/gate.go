package redis

import (
	"context"
	"fmt"
	"sync"
)

// gate keeps a process from doing anything with Redis by itself, and from acting on what it hears.
// Each such thing passes the gate first; while the gate is shut, none begins. What a process is asked for does not pass
// it, but the doorbells of that are inside until they are sent. The zero gate is open.
type gate struct {
	mu sync.Mutex
	// Guarded by mu.
	inside int
	shut   chan struct{} // closed when the gate opens; nil: it is open
	empty  chan struct{} // closed when nothing is inside; nil: nobody waits for that
}

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

// enter passes the gate when it is open. The error is ctx's; if there is none, leave must be called.
func (g *gate) enter(ctx context.Context) error {
	for ctx.Err() == nil {
		if g.try() {
			return nil
		}
		g.wait(ctx)
	}
	return ctx.Err()
}

// wait waits until the gate is open, or ctx has ended.
func (g *gate) wait(ctx context.Context) {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut == nil {
		return
	}
	select {
	case <-shut:
	case <-ctx.Done():
	}
}

// stay is for something that begins something else, which goes on after it has left. That has to leave, too.
func (g *gate) stay() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside++
}

// outside calls f outside of the gate, for something that is inside and takes long: meanwhile the gate may be shut, and
// another process may take over. The error is ctx's; after one, the caller must do nothing more than leave.
func (g *gate) outside(ctx context.Context, f func()) error {
	g.leave()
	f()
	err := g.enter(ctx)
	if err != nil {
		g.stay()
	}
	return err
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside--; g.inside == 0 && g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

// close shuts the gate, and returns when nothing is inside. If ctx ends first, it returns an error, and the gate
// stays shut: what was turned away meanwhile must be looked at when it opens.
func (g *gate) close(ctx context.Context) error {
	g.mu.Lock()
	if g.shut == nil {
		g.shut = make(chan struct{})
	}
	if g.inside == 0 {
		g.mu.Unlock()
		return nil
	}
	if g.empty == nil {
		g.empty = make(chan struct{})
	}
	empty := g.empty
	g.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		g.mu.Lock()
		defer g.mu.Unlock()
		return fmt.Errorf("%d operations are still under way: %w", g.inside, ctx.Err())
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
