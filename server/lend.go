package server

import "time"

// While many connections come, a loop accepts them itself: doorway.acceptAll lends it the listener,
// and waits until it is given back. The loop wakes up for the sockets that it serves anyhow, so a
// connection costs no change to another goroutine and back.

// lent is a listener that a loop was lent. Loop only.
type lent struct {
	door   *doorway
	looked time.Time // by the system's clock, as the wait in epoll is
	empty  int       // times in a row that no connection was there
	more   bool      // there were as many as are accepted at a time
}

// maxEmpty is how often a loop looks for connections in vain, gatherTime after the last time, until
// it gives the listener back.
const maxEmpty = 4

// lend has a loop accept for as long as connections come. It returns false if the listener is closed
// before the loop gives it back: a callback may occupy the loop.
func (d *doorway) lend() bool {
	l := d.s.loops[d.s.next.Load()%uint64(len(d.s.loops))] // which has been given the last one
	if l.post(task{kind: taskLend, door: d}, nil) != nil { // it has ended, and Shutdown closes the listener
		<-d.shut.Done()
		return false
	}
	select {
	case <-d.returned:
		return true
	case <-d.shut.Done():
		return false
	}
}

// borrow takes what lend offers.
func (l *loop) borrow(d *doorway) {
	if l.stopping {
		d.returned <- struct{}{}
		return
	}
	l.lent = append(l.lent, lent{door: d, looked: time.Now()})
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
			n, paced := lt.door.acceptWaiting()
			lt.looked, lt.more = now, n == maxBatch
			if lt.empty++; n > 0 {
				lt.empty = 0
			}
			if paced || lt.empty == maxEmpty {
				lt.door.returned <- struct{}{}
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
		lt.door.returned <- struct{}{}
	}
	l.lent = nil
}
