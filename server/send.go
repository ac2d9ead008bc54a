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
		l.traffic[messagesOut]++
		l.queue(slot, c, b[from:])
	} else {
		l.arena = b[:from]
		l.evict(slot, c, ErrQueueFull)
	}
}

// sendPrepared queues a shared message, of a group or of none. What happens where
// it does not fit is the policy's choice.
func (l *loop) sendPrepared(slot uint32, c *conn, m *wsproto.Prepared, p Policy, of *members) {
	if c.proto.CloseExpected() {
		return // what is queued, the Close frame at its end, stays
	}
	if p == Coalesce && c.out != nil {
		if n := c.out.remove(of); n > 0 {
			l.traffic[queued] -= uint64(n)
			l.stats.coalesced.Add(1)
		}
	}
	// Asked for before the frame is: with context takeover, the frame enters the
	// connection's window, and then it has to be sent.
	if !l.fits(c, frame.MaxHeaderSize+len(m.Payload())) {
		if p == Drop {
			l.stats.dropped.Add(1)
		} else {
			l.evict(slot, c, ErrQueueFull)
		}
		return
	}
	var b []byte
	var err error
	if p == Coalesce {
		b, err = c.proto.FramePlain(m) // which may be taken back
	} else {
		b, err = c.proto.Frame(m)
		of = nil
	}
	if err == nil {
		l.queueOf(slot, c, b, of)
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
	if err := l.write(c); err != nil {
		// The descriptor failed; when the iteration ends, so does the connection.
		l.blame(c, &CloseError{Code: wsproto.CloseAbnormal, Err: err})
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
	l.queue(slot, c, l.arena[from:])
}

// sendClose queues a Close frame. It returns false if one was sent before.
func (l *loop) sendClose(slot uint32, c *conn, code wsproto.CloseCode, reason string, cause error) bool {
	l.room(frame.MaxHeaderSize + frame.MaxControlPayload)
	from := len(l.arena)
	b, err := c.proto.AppendClose(l.arena, code, reason)
	if err == nil {
		l.arena = b
		l.queue(slot, c, b[from:])
	}
	l.closing(slot, c, &CloseError{Code: code, Reason: reason, Local: true, Err: cause})
	return err == nil
}

// queue puts whole frames that lie in the arena at the end of the outbox.
func (l *loop) queue(slot uint32, c *conn, b []byte) {
	l.outboxOf(c).push(b)
	l.grew(slot, c, len(b))
}

// queueOf puts a frame at the end of the outbox that lies elsewhere, and that may
// be taken back if it is a group's.
func (l *loop) queueOf(slot uint32, c *conn, b []byte, of *members) {
	l.outboxOf(c).pushOf(b, of)
	l.traffic[messagesOut]++
	l.grew(slot, c, len(b))
}

// grew notes that n more bytes wait.
func (l *loop) grew(slot uint32, c *conn, n int) {
	l.traffic[queued] += uint64(n)
	l.dirty(slot, c)
}

// dirty has the connection looked at when the iteration ends.
func (l *loop) dirty(slot uint32, c *conn) {
	if !c.has(flagDirty) {
		c.flags |= flagDirty
		l.dirties = append(l.dirties, slot)
	}
}
