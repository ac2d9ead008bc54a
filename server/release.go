package server

import (
	"sync/atomic"
	"time"
)

// releaser returns to the system what bursts of handshakes have used. net/http needs
// ten times the memory for a handshake that the connection keeps. That is garbage once
// the connection is on its loop, but the runtime would hold on to it until it has
// another use for it.
type releaser struct {
	// Immutable.
	burst int64  // handshakes that make a burst; 0: never release
	free  func() // debug.FreeOSMemory, except in tests

	count atomic.Int64 // connections taken over since the last release
}

// quietPeriod is how long no connection must have been taken over for a burst to be
// over.
const quietPeriod = time.Second

// countUpgrade counts a connection that a loop has taken over.
func (r *releaser) countUpgrade() {
	if r.burst > 0 && r.count.Add(1) == r.burst {
		r.releaseWhenQuiet(r.burst)
	}
}

func (r *releaser) releaseWhenQuiet(seen int64) {
	time.AfterFunc(quietPeriod, func() {
		if n := r.count.Load(); n != seen {
			r.releaseWhenQuiet(n) // the burst goes on
			return
		}
		r.count.Store(0)
		r.free()
	})
}
