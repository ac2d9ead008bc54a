package server

import (
	"io"

	"github.com/hawser-ws/hawser/wsproto"
)

// A connection's life is in this file, and nothing else changes conn.phase:
//
//	vacant    the slot holds no connection
//	arriving  its opening handshake is being read (opening.go); it is no WebSocket yet
//	opening   a loop has it, OnOpen has not returned
//	open      messages go both ways
//	closing   a Close was sent or received, and CloseTimeout runs. Nothing more may be
//	          sent; input is still read, for the peer's Close may be yet to come
//	draining  nothing is waited for but that the queue becomes empty. The peer's stream has
//	          ended, or what it sends is discarded
//	shut      the write side is shut. What the peer sends is discarded until its end of
//	          stream
//	gone      OnClose was called and the descriptor is closed; the slot becomes vacant at
//	          the end of the iteration
//
// and what moves a connection from one to the next:
//
//	vacant → arriving     arrive: a loop reads its handshake
//	vacant, arriving → opening   register: its loop takes it over. A connection from another
//	                      process then goes on to the phase that it had there (thawConn)
//	opening → open        openAll: OnOpen has returned
//	opening, open → closing   beginClosing: Conn.Close, the peer's Close or end of stream, a
//	                      violation of the protocol, a deadline or a limit
//	closing → draining    endInput: both Close frames have passed, the stream has ended, or
//	                      the peer broke a rule and is not heard any more
//	draining → shut       advanceClose: the queue is empty
//	any → gone            teardown: the stream has ended and the queue is empty, CloseTimeout
//	                      has passed, the descriptor failed, or the connection is cut
//	arriving → gone       leaveSlot: it is lost, or net/http has it
//	gone → vacant         clear
//
// What is independent of the phase is in conn.flags: that reading is paused, for instance,
// or that the peer's stream has ended.
type phase uint8

const (
	vacant phase = iota
	arriving
	opening
	open
	closing
	draining
	shut
	gone
)

// follow holds, for each phase, the set of those that may follow it.
var follow = [...]uint8{
	vacant:   1<<arriving | 1<<opening,
	arriving: 1<<opening | 1<<gone,
	opening:  1<<open | 1<<closing | 1<<gone,
	open:     1<<closing | 1<<gone,
	closing:  1<<draining | 1<<gone,
	draining: 1<<shut | 1<<gone,
	shut:     1 << gone,
	gone:     1 << vacant,
}

var phaseNames = [...]string{"vacant", "arriving", "opening", "open", "closing", "draining", "shut", "gone"}

func (p phase) String() string { return phaseNames[p] }

// move changes the connection's phase.
func (c *conn) move(to phase) {
	if follow[c.phase]&(1<<to) == 0 {
		panic("server: internal error: a connection moves from " + c.phase.String() + " to " + to.String())
	}
	c.phase = to
}

// present reports whether the slot holds a WebSocket that is not gone.
func (c *conn) present() bool { return c.phase > arriving && c.phase != gone }

// beginClosing begins the end, with why as its cause unless there is one already.
func (l *loop) beginClosing(c *conn, why *CloseError) {
	l.setCause(c, why)
	c.genClosed.Store(c.genClosed.Load() | 1)
	l.takeStream(c) // what waits behind it will never be sent
	l.waiters.release(c.handle())
	l.waiters.wake(c.handle())
	if c.phase < closing {
		c.move(closing)
		l.stats.closing.Add(1)
		c.flags &^= flagAssembling | flagPaused
		c.began = l.now
		if l.cfg.CloseTimeout > 0 {
			l.arm(c, l.now+ticks(l.cfg.CloseTimeout))
		}
	}
	l.markDirty(c)
}

// endInput makes a closing connection wait for nothing but its queue.
func (c *conn) endInput() {
	if c.phase == closing {
		c.move(draining)
	}
}

// expel closes a connection that broke a rule. What the peer sends from now on is
// discarded.
func (l *loop) expel(c *conn, code wsproto.CloseCode, reason string, cause error) {
	l.sendClose(c, code, reason, cause)
	c.endInput()
}

// evict closes a connection that does not keep up. Queued frames of which nothing has
// been written are discarded in favour of the Close frame.
func (l *loop) evict(c *conn, cause error) {
	if c.out != nil {
		before := c.out.bytes
		c.out.discard()
		l.traffic[queued] -= uint64(before - c.out.bytes)
	}
	l.expel(c, wsproto.CloseTryAgainLater, "not reading fast enough", cause)
}

// eof handles the end of the peer's stream.
func (l *loop) eof(c *conn) {
	for c.has(flagUnread) { // input before the end is delivered before OnClose
		c.flags &^= flagPaused
		l.takeUnread(c)
	}
	c.flags |= flagEOF
	l.beginClosing(c, &CloseError{Code: wsproto.CloseAbnormal, Err: io.EOF})
	c.endInput()
}

// advanceClose does the next step of draining once nothing waits to be written. It
// reports whether the connection is gone.
func (l *loop) advanceClose(c *conn) bool {
	switch {
	case c.phase < draining || c.out != nil:
		return false
	case c.has(flagEOF):
		l.teardown(c)
		return true
	case c.phase == shut:
		return false
	}
	if c.tls != nil && !l.notifyEnd(c) {
		return c.phase == gone
	}
	// Closing the descriptor with unread input would make the kernel send a
	// reset, which could destroy the Close frame before the peer reads it. So
	// end our half, and wait for the peer to end its own.
	c.move(shut)
	if err := l.k.shutdown(int(c.fd)); err != nil {
		l.lost(c, err)
		return true
	}
	return false
}

// lost tears down a connection whose descriptor failed.
func (l *loop) lost(c *conn, err error) {
	l.setCause(c, &CloseError{Code: wsproto.CloseAbnormal, Err: err})
	l.teardown(c)
}

// teardown ends the connection: OnClose, then close(2). The slot is freed only at the
// end of the iteration, so that events of this batch find it dead.
func (l *loop) teardown(c *conn) {
	if c.phase == gone {
		return
	}
	l.end(c)
	l.setCause(c, &CloseError{Code: wsproto.CloseAbnormal, Local: true, Err: ErrServerClosed})
	if c.has(flagOpened) {
		l.onClose(c)
	}
	l.forget(c)
	l.k.close(int(c.fd))
	c.fd = -1
}

// abandon forgets a connection that another process has taken over.
func (l *loop) abandon(c *conn) {
	l.end(c)
	l.forget(c)
	l.k.(movingKernel).abandon(int(c.fd))
	c.fd = -1
}

// end makes a connection gone.
func (l *loop) end(c *conn) {
	if c.phase >= closing {
		l.stats.closing.Add(-1)
	}
	c.move(gone)
	c.genClosed.Store(c.genClosed.Load() | 1)
}

// forget gives back what a connection has that is gone, except its descriptor. The slot is freed at the
// end of the iteration.
func (l *loop) forget(c *conn) {
	l.leaveAll(c)
	l.disarm(c)
	l.dropOutbox(c)
	if c.tls != nil {
		l.countCiphertext(c, 0)
	}
	c.proto.Release()
	c.address.release()
	c.endpoint.release()
	l.setAssembling(c, 0)
	delete(l.remotes, c.slot)
	delete(l.unread, c.slot)
	delete(l.wanted, c.slot)
	delete(l.unnoticed, c.slot)
	delete(l.causes, c.slot)
	delete(l.handshakes, c.slot)
	l.takeStream(c)
	l.waiters.release(c.handle())
	l.waiters.wake(c.handle())
	l.live--
	l.stats.open.Add(-1)
	l.gone = append(l.gone, c)
}
