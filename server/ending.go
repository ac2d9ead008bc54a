package server

import (
	"io"

	"github.com/hawser-ws/hawser/wsproto"
)

// How connections end. A Close, of either side, a failure, or the peer's end
// of stream starts it (closing): nothing more may be sent, and the deadline
// runs. When the queue is empty the write side is shut, the rest of the input
// is read and thrown away, and at the peer's end of stream the connection is
// torn down. The deadline, or an error of the descriptor, does the same at once.

// closing begins the end, for the given cause unless there is one already.
func (l *loop) closing(slot uint32, c *conn, why *CloseError) {
	l.blame(c, why)
	c.word.Store(c.word.Load() | 1)
	if !c.has(flagClosing) {
		l.stats.closing.Add(1)
		c.flags |= flagClosing
		c.flags &^= flagAssembling | flagPaused
		c.began = l.now
		if l.cfg.CloseTimeout > 0 {
			l.arm(slot, c, l.now+ticks(l.cfg.CloseTimeout))
		}
	}
	l.dirty(slot, c)
}

// expel closes a connection that broke a rule: what the peer sends from now on
// is thrown away.
func (l *loop) expel(slot uint32, c *conn, code wsproto.CloseCode, reason string, cause error) {
	l.sendClose(slot, c, code, reason, cause)
	c.flags |= flagEnding
}

// evict closes a connection that does not keep up: what it was to be sent and
// of which nothing is written yet is discarded, in favour of the Close frame.
func (l *loop) evict(slot uint32, c *conn, cause error) {
	if c.out != nil {
		before := c.out.bytes
		c.out.discard()
		l.traffic[queued] -= uint64(before - c.out.bytes)
	}
	l.expel(slot, c, wsproto.CloseTryAgainLater, "not reading fast enough", cause)
}

// eof acts on the end of the peer's stream.
func (l *loop) eof(slot uint32, c *conn) {
	for c.has(flagUnread) { // what came before the end is delivered before OnClose
		c.flags &^= flagPaused
		l.takeUnread(slot, c)
	}
	c.flags |= flagEOF
	l.closing(slot, c, &CloseError{Code: wsproto.CloseAbnormal, Err: io.EOF})
}

// lost tears a connection down whose descriptor failed.
func (l *loop) lost(slot uint32, c *conn, err error) {
	l.blame(c, &CloseError{Code: wsproto.CloseAbnormal, Err: err})
	l.teardown(slot, c)
}

// teardown is the end: OnClose, then close(2). The slot is freed when the
// iteration is over, so that an event still in hand finds it dead.
func (l *loop) teardown(slot uint32, c *conn) {
	if c.has(flagGone) {
		return
	}
	gen := c.word.Load() >> 1
	c.word.Store(gen<<1 | 1)
	l.blame(c, &CloseError{Code: wsproto.CloseAbnormal, Local: true, Err: ErrServerClosed})
	c.flags |= flagGone
	if !c.has(flagOpening) {
		l.onClose(Conn{l, slot, gen}, c.why)
	}
	l.leaveAll(c)
	l.disarm(c)
	l.dropOutbox(c)
	if c.tls != nil {
		l.seal(c, 0)
	}
	c.proto.Release()
	l.k.close(int(c.fd))
	c.fd = -1
	c.address.release()
	l.hold(c, 0)
	delete(l.remotes, slot)
	delete(l.unread, slot)
	l.open--
	l.stats.open.Add(-1)
	if c.has(flagClosing) {
		l.stats.closing.Add(-1)
	}
	l.gone = append(l.gone, slot)
}
