package server

import (
	"sync"
	"sync/atomic"
	"time"
)

// While many connections come, a loop accepts them itself: doorway.acceptAll lends it the listener,
// and waits until it is given back. The loop wakes up for the sockets that it serves anyhow, so a
// connection costs no change to another goroutine and back.

// lease is a listener's being lent to a loop, once.
type lease struct {
	door   *doorway
	ended  chan struct{} // closed when the listener is acceptAll's again
	looked atomic.Bool   // the loop has looked for connections since acceptAll last asked

	mu   sync.Mutex // held while the loop accepts
	over bool       // Guarded by mu. ended is closed.
}

// end gives the listener back, or takes it back. When it returns, the loop accepts nothing more.
func (le *lease) end() {
	le.mu.Lock()
	defer le.mu.Unlock()
	if !le.over {
		le.over = true
		close(le.ended)
	}
}

// accept is doorway.acceptWaiting, for the loop. over says that the loop does not have the listener
// any more.
func (le *lease) accept() (n int, paced, over bool) {
	le.mu.Lock()
	defer le.mu.Unlock()
	if le.over {
		return 0, false, true
	}
	le.looked.Store(true)
	n, paced = le.door.acceptWaiting()
	return n, paced, false
}

// lent is a listener that a loop was lent. Loop only.
type lent struct {
	lease  *lease
	looked time.Time // by the system's clock, as the wait in epoll is
	empty  int       // times in a row that no connection was there
	more   bool      // there were as many as are accepted at a time
}

// maxEmpty is how often a loop looks for connections in vain, gatherTime after the last time, until
// it gives the listener back.
const maxEmpty = 4

// lend has a loop accept for as long as connections come. If a callback occupies the loop, lend
// takes the listener back: the other loops can go on, and a health probe is answered. It returns
// false if the listener is closed.
func (d *doorway) lend() bool {
	l := d.s.loops[d.s.next.Load()%uint64(len(d.s.loops))] // which has been given the last one
	le := &lease{door: d, ended: make(chan struct{})}
	if l.post(task{kind: taskLend, lease: le}, nil) != nil { // it has ended, and Shutdown closes the listener
		<-d.shut.Done()
		return false
	}
	defer le.end()
	ask := time.NewTicker(d.s.cfg.leaseTime)
	defer ask.Stop()
	for {
		select {
		case <-le.ended:
			return true
		case <-d.shut.Done():
			return false
		case <-ask.C:
			if !le.looked.Swap(false) {
				return true
			}
		}
	}
}

// borrow takes what lend offers.
func (l *loop) borrow(le *lease) {
	if l.stopping {
		le.end()
		return
	}
	l.lent = append(l.lent, lent{lease: le, looked: time.Now()})
}

// acceptLent accepts from the listeners that the loop was lent.
func (l *loop) acceptLent() {
	if len(l.lent) == 0 {
		return
	}
	now := time.Now()
	kept := l.lent[:0]
	for _, lt := range l.lent {
		if lt.more || now.Sub(lt.looked) >= gatherTime {
			n, paced, over := lt.lease.accept()
			lt.looked, lt.more = now, n == maxBatch
			if lt.empty++; n > 0 {
				lt.empty = 0
			}
			if over || paced || lt.empty == maxEmpty {
				lt.lease.end()
				continue
			}
		}
		kept = append(kept, lt)
	}
	clear(l.lent[len(kept):])
	l.lent = kept
}

// giveBackLent gives back what the loop was lent, when it stops.
func (l *loop) giveBackLent() {
	for _, lt := range l.lent {
		lt.lease.end()
	}
	l.lent = nil
}
