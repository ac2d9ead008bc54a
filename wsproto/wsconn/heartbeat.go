package wsconn

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// ErrNoHeartbeat is the error of a connection whose peer has not answered the
// pings of a Reconnector.
var ErrNoHeartbeat = errors.New("wsconn: peer does not answer heartbeats")

// heartbeat pings a connection at intervals, and ends it when nothing comes back.
type heartbeat struct {
	// Immutable.
	c         *Conn
	interval  time.Duration
	maxMisses int // misses in a row after which the peer is dead

	// handled counts the starts and ends of calls of Message. During a call nothing is
	// read, so silence says nothing about the peer.
	handled atomic.Uint64

	mu sync.Mutex
	// Guarded by mu.
	timer  *time.Timer // nil before start and after stop
	pinged bool
	misses int
	heard  uint64 // c.heard and handled at the last tick
	worked uint64
}

func (h *heartbeat) start() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.heard = h.c.heard.Load()
	h.timer = time.AfterFunc(h.interval, h.tick)
}

// stop ends the heartbeat. A tick that has already started does nothing.
func (h *heartbeat) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.timer.Stop()
	h.timer = nil
}

// tick evaluates the interval that has passed and begins the next one.
func (h *heartbeat) tick() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.timer == nil {
		return
	}
	heard, worked := h.c.heard.Load(), h.handled.Load()
	switch handling := worked%2 == 1; {
	case heard != h.heard || worked != h.worked || handling:
		h.misses = 0
	case h.pinged:
		h.misses++
	}
	h.heard, h.worked = heard, worked
	h.timer = time.AfterFunc(h.interval, h.tick)
	if h.misses >= h.maxMisses {
		h.c.abort(ErrNoHeartbeat)
		return
	}
	h.c.sendPing()
	h.pinged = true
}
