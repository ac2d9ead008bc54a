package chat

import (
	"container/heap"
	"sync"
	"time"
)

const (
	// expiryNotice is how long before its token expires a connection is told.
	expiryNotice = time.Minute

	// The wall clock is checked this often while a token may expire, because it can be set.
	expiryCheck = time.Minute
)

// expiries ends each connection when the token with which it authenticated expires, and
// warns it some time before. One timer serves all connections.
type expiries struct {
	hub *Hub

	mu sync.Mutex
	// Guarded by mu.
	due  dueConnections
	stop func() bool // of the timer; nil: it does not run
	next int64       // when it fires, in ms since 1970
}

// expiry is a connection's place among them. Guarded by expiries.mu, except for at, which is
// immutable once the connection has entered.
type expiry struct {
	at     int64 // when the token expires, in ms since 1970
	due    int64 // when to check the connection next
	index  int   // in the heap, or -1
	warned bool
}

// latestExpiry stands for later times. A token's seconds reach further than milliseconds do,
// and an overflow would look like a token that expired long ago.
var latestExpiry = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// add registers a connection whose token expires at the given time, in ms since 1970.
func (e *expiries) add(s *Connection, at int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s.expiry = &expiry{at: at, due: at - expiryNotice.Milliseconds()}
	heap.Push(&e.due, s)
	e.arm(e.hub.now())
}

// restore is add for a connection that another process had, and may have warned.
func (e *expiries) restore(s *Connection, at int64, warned bool) {
	e.add(s, at)
	e.mu.Lock()
	defer e.mu.Unlock()
	if warned && s.expiry.index >= 0 {
		s.expiry.warned, s.expiry.due = true, at
		heap.Fix(&e.due, s.expiry.index)
	}
}

func (e *expiries) remove(s *Connection) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s.expiry != nil && s.expiry.index >= 0 {
		heap.Remove(&e.due, s.expiry.index)
	}
	if len(e.due) == 0 && e.stop != nil {
		e.stop()
		e.stop = nil
	}
}

// arm sets the timer to the time at which the first connection is due. Called with mu held.
func (e *expiries) arm(now int64) {
	if len(e.due) == 0 || e.stop != nil && e.next <= e.due[0].expiry.due {
		return
	}
	if e.stop != nil {
		e.stop()
	}
	wait := min(time.Duration(max(e.due[0].expiry.due-now, 0))*time.Millisecond, expiryCheck)
	e.next = now + wait.Milliseconds()
	e.stop = e.hub.clock.AfterFunc(wait, e.fire)
}

// fire warns and ends the connections that are due.
func (e *expiries) fire() {
	now := e.hub.now()
	var warn, end []*Connection
	e.mu.Lock()
	e.stop = nil
	for len(e.due) > 0 && e.due[0].expiry.due <= now {
		s := e.due[0]
		x := s.expiry
		if now >= x.at {
			heap.Pop(&e.due)
			end = append(end, s)
			continue
		}
		if !x.warned {
			warn = append(warn, s)
		}
		x.warned, x.due = true, x.at
		heap.Fix(&e.due, 0)
	}
	e.arm(now)
	e.mu.Unlock()
	for _, s := range warn {
		if s.features&featureSystem != 0 {
			s.send(appendExpiring(nil, s.expiry.at, now))
		}
	}
	for _, s := range end {
		s.expire()
	}
}

// dueConnections is a heap.Interface, the first of which is due first.
type dueConnections []*Connection

func (d dueConnections) Len() int           { return len(d) }
func (d dueConnections) Less(i, j int) bool { return d[i].expiry.due < d[j].expiry.due }

func (d dueConnections) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].expiry.index, d[j].expiry.index = i, j
}

func (d *dueConnections) Push(x any) {
	s := x.(*Connection)
	s.expiry.index = len(*d)
	*d = append(*d, s)
}

func (d *dueConnections) Pop() any {
	last := len(*d) - 1
	s := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	s.expiry.index = -1
	return s
}
