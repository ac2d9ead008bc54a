package wsconn

import (
	"context"
	"time"

	"github.com/hawser-ws/hawser/wsproto"
)

// What the tests in package wsconn_test need to see.

const (
	FragmentSize = fragmentSize
	MaxPending   = maxPending
)

// Gone is closed when the connection below has been closed.
func (c *Conn) Gone() <-chan struct{} { return c.gone }

// PendingBytes returns how many bytes of the protocol's own frames wait.
func (c *Conn) PendingBytes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.pending)
}

// PendingPings returns how many calls of Ping wait.
func (c *Conn) PendingPings() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.pings)
}

// Role returns the connection's role.
func (c *Conn) Role() wsproto.Role { return c.cfg.Role }

// PutWatched is Put of a connection that can be used again. The channel is closed when
// the connection is no longer watched.
func (p *Pool) PutWatched(c *Conn) <-chan struct{} {
	p.mu.Lock() // nothing is dropped before the watch can be seen
	defer p.mu.Unlock()
	delete(p.out, c)
	i := p.watchIdle(c)
	p.keepIdle(i)
	return i.watched
}

// Failure returns why the connection has ended, or nil.
func (c *Conn) Failure() error { return c.failure() }

// HoldReading makes the connection look as if a Read were in progress, until release is
// called.
func (c *Conn) HoldReading() (release func()) {
	c.reading <- struct{}{}
	return c.reading.give
}

// Queued returns how many calls of Get wait.
func (p *Pool) Queued() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.queue)
}

// PutBeforeCancel calls put while a Get waits whose context ends at the same moment, and
// lets the context win.
func (p *Pool) PutBeforeCancel(put func()) {
	_, w, _ := p.claim(true, false)
	put()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	turn := <-w.turn
	other := &waiting{turn: make(chan *idle, 1)} // which the queue does not have any more
	other.turn <- turn
	for i, err := p.wait(ctx, other); err == nil; i, err = p.wait(ctx, other) {
		other.turn <- i
	}
}

func (p *Pool) PingTimeout() time.Duration           { return p.cfg.PingTimeout }
func (r *Reconnector) RandInt64N() func(int64) int64 { return r.cfg.Rand }

// Busy reports whether the connection holds a large buffer. It must be waiting in a Read.
func (c *Conn) Busy() bool { return c.busy != nil }
