package server

import (
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// arenaSize is the capacity of an arena that is kept from one iteration to the
// next.
const arenaSize = 256 << 10

// flushAt is how much is encoded, between two events, before it is written: what
// lies in the processor's cache is written in four fifths of the time.
const flushAt = 16 << 10

// room makes space in the loop's arena for n more bytes. What was handed out
// of it stays valid until the iteration ends.
func (l *loop) room(n int) {
	if cap(l.arena)-len(l.arena) < n {
		l.arena = make([]byte, 0, max(n, arenaSize))
	}
}

// sendMessage encodes one message into the connection's outbox.
func (l *loop) sendMessage(slot uint32, c *conn, op frame.Opcode, p []byte) {
	l.room(frame.MaxHeaderSize + len(p))
	from := len(l.arena)
	b, err := c.proto.AppendMessage(l.arena, op, p)
	if err != nil {
		return // it is closing: the sender is told by OnClose
	}
	l.arena = b
	if l.fits(c, len(b)-from) {
		l.queue(slot, c, b[from:], true)
	} else {
		l.arena = b[:from]
		l.evict(slot, c, ErrQueueFull)
	}
}

// sendPrepared queues a shared message. What happens where it does not fit is
// the policy's choice.
func (l *loop) sendPrepared(slot uint32, c *conn, m *wsproto.Prepared, p Policy) {
	// Asked for before the frame is: with context takeover, the frame enters the
	// connection's window, and then it has to be sent.
	if !l.fits(c, frame.MaxHeaderSize+len(m.Payload())) {
		if p == Evict {
			l.evict(slot, c, ErrQueueFull)
		}
		return
	}
	if b, err := c.proto.Frame(m); err == nil {
		l.queue(slot, c, b, false)
	}
}

// fits reports whether n more bytes may wait: an empty queue takes anything.
// What the kernel would still take is written first, so that only a peer that
// does not read fills its queue, and not a burst in one iteration.
func (l *loop) fits(c *conn, n int) bool {
	limit := l.cfg.WriteQueue
	if c.out == nil || c.out.bytes == 0 || limit == 0 || c.out.bytes+n <= limit {
		return true
	}
	if err := l.drain(c); err != nil {
		// The descriptor failed; when the iteration ends, so does the connection.
		if c.why == nil {
			c.why = &CloseError{Code: wsproto.CloseAbnormal, Err: err}
		}
		return false
	}
	return c.out == nil || c.out.bytes+n <= limit
}

// sendOwn queues what the protocol itself says.
func (l *loop) sendOwn(slot uint32, c *conn, p []byte) {
	if !c.proto.CloseExpected() && !l.fits(c, len(p)) {
		l.evict(slot, c, ErrQueueFull)
		return
	}
	l.room(len(p))
	from := len(l.arena)
	l.arena = append(l.arena, p...)
	l.queue(slot, c, l.arena[from:], true)
}

// sendClose queues a Close frame. It returns false if one was sent before.
func (l *loop) sendClose(slot uint32, c *conn, code wsproto.CloseCode, reason string, cause error) bool {
	l.room(frame.MaxHeaderSize + frame.MaxControlPayload)
	from := len(l.arena)
	b, err := c.proto.AppendClose(l.arena, code, reason)
	if err == nil {
		l.arena = b
		l.queue(slot, c, b[from:], true)
	}
	l.closing(slot, c, &CloseError{Code: code, Reason: reason, Local: true, Err: cause})
	return err == nil
}

// queue puts whole frames at the end of the outbox.
func (l *loop) queue(slot uint32, c *conn, b []byte, arena bool) {
	l.outboxOf(c).push(b, arena)
	l.dirty(slot, c)
}

// dirty has the connection looked at when the iteration ends.
func (l *loop) dirty(slot uint32, c *conn) {
	if !c.has(flagDirty) {
		c.flags |= flagDirty
		l.dirties = append(l.dirties, slot)
	}
}
