package server

import (
	"context"
	"net"
	"slices"
	"sync"
	"time"
)

// barrier holds back what would begin while the server is frozen, and knows what has begun and
// not ended. Any goroutine.
type barrier struct {
	mu       sync.Mutex
	inside   int           // Guarded by mu.
	shut     chan struct{} // Guarded by mu. Closed when the barrier opens; nil while it is open.
	closings int           // Guarded by mu. How often it was shut.
	emptied  chan struct{} // Guarded by mu. Closed when nothing is inside; nil if nobody waits.
}

// enter waits until the barrier is open. Every enter that returns nil needs one leave.
func (b *barrier) enter(ctx context.Context) error {
	for {
		b.mu.Lock()
		shut := b.shut
		if shut == nil {
			b.inside++
		}
		b.mu.Unlock()
		if shut == nil {
			return nil
		}
		select {
		case <-shut:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (b *barrier) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.inside--; b.inside == 0 && b.emptied != nil {
		close(b.emptied)
		b.emptied = nil
	}
}

// isShut returns a channel that is closed when the barrier opens, or nil if it is open.
func (b *barrier) isShut() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.shut
}

// state returns what isShut does, and how often the barrier was shut.
func (b *barrier) state() (shut <-chan struct{}, closings int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.shut, b.closings
}

// close shuts the barrier, and returns a channel that is closed when nothing is inside; nil if
// it is shut already.
func (b *barrier) close() (empty <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shut != nil {
		return nil
	}
	b.shut = make(chan struct{})
	b.closings++
	ch := make(chan struct{})
	if b.inside == 0 {
		close(ch)
	} else {
		b.emptied = ch
	}
	return ch
}

func (b *barrier) open() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.shut)
	b.shut = nil
}

// count is how many are inside.
func (b *barrier) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.inside
}

// pauseAccepting makes requests and listeners wait. It returns a channel that is closed when no request
// is being answered, or nil if they wait already.
func (s *Server) pauseAccepting() (finished <-chan struct{}) {
	finished = s.barrier.close()
	if finished != nil {
		s.setAcceptDeadline(time.Unix(1, 0))
	}
	return finished
}

func (s *Server) resumeAccepting() {
	s.setAcceptDeadline(time.Time{})
	s.barrier.open()
}

// setAcceptDeadline interrupts Accept, or allows it.
func (s *Server) setAcceptDeadline(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ln := range s.listeners {
		if bounded, ok := ln.(interface{ SetDeadline(time.Time) error }); ok {
			bounded.SetDeadline(at)
		}
	}
}

func (s *Server) removeListener(ln net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners = slices.DeleteFunc(s.listeners, func(other net.Listener) bool { return other == ln })
}
