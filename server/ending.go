package server

import (
	"io"

	"github.com/hawser-ws/hawser/wsproto"
)

// How connections end. A Close from either side, a failure, or the peer's end of
// stream begins it (beginClosing): nothing more may be sent, and CloseTimeout runs. When
// the queue is empty, the write side is shut, the rest of the input is read and
// discarded, and at the peer's end of stream the connection is torn down. When the
// timeout has passed or the descriptor fails, it is torn down at once.

// beginClosing begins the end, with why as its cause unless there is one already.
func (l *loop) beginClosing(slot uint32, c *conn, why *CloseError) {
	l.setCause(c, why)
	c.genClosed.Store(c.genClosed.Load() | 1)
	if !c.has(flagClosing) {
		l.stats.closing.Add(1)
		c.flags |= flagClosing
		c.flags &^= flagAssembling | flagPaused
		c.began = l.now
		if l.cfg.CloseTimeout > 0 {
			l.arm(slot, c, l.now+ticks(l.cfg.CloseTimeout))
		}
	}
	l.markDirty(slot, c)
}

// expel closes a connection that broke a rule. What the peer sends from now on is
// discarded.
func (l *loop) expel(slot uint32, c *conn, code wsproto.CloseCode, reason string, cause error) {
	l.sendClose(slot, c, code, reason, cause)
	c.flags |= flagEnding
}

// evict closes a connection that does not keep up. Queued frames of which nothing has
// been written are discarded in favour of the Close frame.
func (l *loop) evict(slot uint32, c *conn, cause error) {
	if c.out != nil {
		before := c.out.bytes
		c.out.discard()
		l.traffic[queued] -= uint64(before - c.out.bytes)
	}
	l.expel(slot, c, wsproto.CloseTryAgainLater, "not reading fast enough", cause)
}

// eof handles the end of the peer's stream.
func (l *loop) eof(slot uint32, c *conn) {
	for c.has(flagUnread) { // input before the end is delivered before OnClose
		c.flags &^= flagPaused
		l.takeUnread(slot, c)
	}
	c.flags |= flagEOF
	l.beginClosing(slot, c, &CloseError{Code: wsproto.CloseAbnormal, Err: io.EOF})
}

// lost tears down a connection whose descriptor failed.
func (l *loop) lost(slot uint32, c *conn, err error) {
	l.setCause(c, &CloseError{Code: wsproto.CloseAbnormal, Err: err})
	l.teardown(slot, c)
}

// teardown ends the connection: OnClose, then close(2). The slot is freed only at the
// end of the iteration, so that events of this batch find it dead.
func (l *loop) teardown(slot uint32, c *conn) {
	if c.has(flagGone) {
		return
	}
	gen := c.genClosed.Load() >> 1
	c.genClosed.Store(gen<<1 | 1)
	l.setCause(c, &CloseError{Code: wsproto.CloseAbnormal, Local: true, Err: ErrServerClosed})
	c.flags |= flagGone
	if !c.has(flagOpening) {
		l.onClose(Conn{l, slot, gen}, c.why)
	}
	l.leaveAll(c)
	l.disarm(c)
	l.dropOutbox(c)
	if c.tls != nil {
		l.countCiphertext(c, 0)
	}
	c.proto.Release()
	l.k.close(int(c.fd))
	c.fd = -1
	c.address.release()
	l.setAssembling(c, 0)
	delete(l.remotes, slot)
	delete(l.unread, slot)
	l.endContext(slot)
	l.live--
	l.stats.open.Add(-1)
	if c.has(flagClosing) {
		l.stats.closing.Add(-1)
	}
	l.gone = append(l.gone, slot)
}
