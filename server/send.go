package server

import (
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// arenaSize is the capacity of an arena that is kept from one iteration to the
// next.
const arenaSize = 256 << 10

// flushAt is how many encoded bytes cause a flush between two events: writing takes four
// fifths of the time while they are still in the processor's cache.
const flushAt = 16 << 10

// growArena makes room in the loop's arena for n more bytes. Slices of the arena stay
// valid until the iteration ends.
func (l *loop) growArena(n int) {
	if cap(l.arena)-len(l.arena) < n {
		l.arena = make([]byte, 0, max(n, arenaSize))
	}
}

// sendMessage encodes one message, which has room, into the connection's outbox.
func (l *loop) sendMessage(c *conn, op frame.Opcode, p []byte) {
	if c.stream.Load() != nil {
		l.putBehind(c, behindMessage{op: op, p: p})
		return
	}
	l.growArena(frame.MaxHeaderSize + len(p))
	from := len(l.arena)
	b, err := c.proto.AppendMessage(l.arena, op, p)
	if err != nil {
		return // it is closing: OnClose tells the sender
	}
	l.arena = b
	l.traffic[messagesOut]++
	l.queue(c, b[from:])
}

// sendPrepared queues a group's message. The task's policy says what happens if it does not fit.
// joined is its frame next to those of other messages, or nil.
func (l *loop) sendPrepared(c *conn, t *task, joined []byte) {
	m, of := t.m, t.state
	if c.proto.CloseExpected() || c.has(flagFailed) {
		return // what is queued, the Close frame at its end, stays
	}
	if of != nil && c.stream.Load() != nil && l.removeBehind(c, of) {
		l.stats.coalesced.Add(1)
	} else if of != nil && c.out != nil {
		if n := c.out.remove(of); n > 0 {
			l.traffic[queued] -= uint64(n)
			l.stats.coalesced.Add(1)
		}
	}
	limit := l.cfg.WriteQueue
	if t.policy == Drop {
		limit = (limit + 3) / 4
	}
	// Check this before making the frame: with context takeover, making it changes
	// the connection's compression window, and then the frame has to be sent.
	if !l.fits(c, frame.MaxHeaderSize+len(m.Payload()), limit) {
		switch {
		case c.has(flagFailed):
		case t.policy == Drop:
			l.stats.dropped.Add(1)
		default:
			l.evict(c, ErrQueueFull)
		}
		return
	}
	l.queuePrepared(c, m, of, joined)
}

// queuePrepared queues a shared message that has room. of is the state that it is the newest
// version of, or nil; joined is as for sendPrepared.
func (l *loop) queuePrepared(c *conn, m *wsproto.Prepared, of *state, joined []byte) {
	if c.stream.Load() != nil {
		l.putBehind(c, behindMessage{m: m, of: of})
		return
	}
	var b []byte
	var err error
	if of != nil {
		b, err = c.proto.FramePlain(m) // uncompressed, so that it may be taken back
	} else {
		b, err = c.proto.Frame(m)
	}
	if err != nil {
		return
	}
	if joined != nil && b[0] == joined[0] && b[1] == joined[1] { // it is neither compressed nor masked
		b = joined
	}
	l.queueOf(c, b, of)
}

// fits reports whether n more bytes may wait, if the limit for all of them is limit
// (0: none). An empty queue takes anything. Before it says no, it writes what the kernel
// will take, so that a queue is filled only by a peer that does not read, not by a burst in
// one iteration.
func (l *loop) fits(c *conn, n, limit int) bool {
	if waiting := c.queuedBytes(); waiting == 0 || limit == 0 || waiting+n <= limit {
		return true
	}
	if l.writeEarly(c) != nil {
		return false
	}
	waiting := c.queuedBytes()
	return waiting == 0 || waiting+n <= limit
}

// writeEarly writes what the kernel will take before the iteration ends. If the descriptor
// has failed, the connection ends with the iteration; until then nothing is tried again.
func (l *loop) writeEarly(c *conn) error {
	err := l.write(c)
	if err != nil && !c.has(flagFailed) {
		c.flags |= flagFailed
		l.setCause(c, &CloseError{Code: wsproto.CloseAbnormal, Err: err})
		l.markDirty(c)
	}
	return err
}

// sendOwn queues frames that the protocol itself sends, such as pongs.
func (l *loop) sendOwn(c *conn, p []byte) {
	if !c.proto.CloseExpected() && !l.fits(c, len(p), l.cfg.WriteQueue) {
		if !c.has(flagFailed) {
			l.evict(c, ErrQueueFull)
		}
		return
	}
	l.growArena(len(p))
	from := len(l.arena)
	l.arena = append(l.arena, p...)
	l.queue(c, l.arena[from:])
}

// sendClose queues a Close frame. It returns false if one was sent before.
func (l *loop) sendClose(c *conn, code wsproto.CloseCode, reason string, cause error) bool {
	l.growArena(frame.MaxHeaderSize + frame.MaxControlPayload)
	from := len(l.arena)
	b, err := c.proto.AppendClose(l.arena, code, reason)
	if err == nil {
		l.arena = b
		l.queue(c, b[from:])
	}
	l.beginClosing(c, &CloseError{Code: code, Reason: reason, Local: true, Err: cause})
	return err == nil
}

// queue puts whole frames that are in the arena at the end of the outbox.
func (l *loop) queue(c *conn, b []byte) {
	l.outboxOf(c).push(segment{b: b, arena: true})
	l.noteQueued(c, len(b))
	l.oweNotice(c, len(b))
}

// queueOf puts a frame that is not in the arena at the end of the outbox. If it is a
// version of a state, a newer one may replace it.
func (l *loop) queueOf(c *conn, b []byte, of *state) {
	o := l.outboxOf(c)
	o.push(segment{b: b, of: of})
	l.traffic[messagesOut]++
	l.noteQueued(c, len(b))
	l.oweNotice(c, len(b))
	if len(o.segs)-o.head >= maxVector {
		// One system call takes no more segments, so they need not wait for the end of
		// the iteration. The list of them stays short, however many messages an
		// iteration has for one connection.
		l.writeEarly(c)
	}
}

// noteQueued counts n more bytes that wait.
func (l *loop) noteQueued(c *conn, n int) {
	l.traffic[queued] += uint64(n)
	l.markDirty(c)
}

// markDirty makes flush visit the connection.
func (l *loop) markDirty(c *conn) {
	if !c.has(flagDirty) {
		c.flags |= flagDirty
		l.dirty = append(l.dirty, c)
	}
}
