package server

import (
	"errors"
	"syscall"
)

// maxVector is the maximum number of segments in one write.
const maxVector = 64

// gather is the average size of segments below which they are copied together rather
// than written as a vector: for 16 frames of 130 bytes, that takes three quarters of
// the time.
const gather = 4 << 10

// flush writes what the iteration queued, once for each connection.
func (l *loop) flush() {
	for i := 0; i < len(l.dirty); i++ {
		c := l.dirty[i]
		c.flags &^= flagDirty
		if c.phase != gone {
			l.flushConn(c)
		}
	}
	l.dirty = l.dirty[:0]
	l.arena = l.arena[:0]
	if cap(l.arena) > 4*arenaSize {
		l.arena = nil
	}
}

// flushConn writes a connection's outbox, and does what follows from an empty or a full
// queue.
func (l *loop) flushConn(c *conn) {
	if err := l.write(c); err != nil {
		l.lost(c, err)
		return
	}
	if o := c.out; o != nil {
		o.copyOutOfArena()
		if c.has(flagBlocked) && l.cfg.WriteTimeout > 0 {
			l.arm(c, o.lastProgress+ticks(l.cfg.WriteTimeout))
		}
	}
	l.updateBackpressure(c)
	if c.proto.Finished() {
		c.endInput()
	}
	if l.advanceClose(c) {
		return
	}
	l.updateInterest(c)
}

// errFailed is what writing returns after it failed; the cause is recorded already.
var errFailed = errors.New("writing has failed before")

// write writes the outbox until it is empty or the kernel's buffer is full.
func (l *loop) write(c *conn) error {
	o := c.out
	if c.has(flagFailed) {
		return errFailed
	}
	if o == nil || c.has(flagBlocked) {
		return nil
	}
	if c.tls != nil {
		return l.writeTLS(c)
	}
	for o.bytes > 0 {
		n, tried, err := l.writeSome(int(c.fd), o)
		switch err {
		case nil:
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			c.flags |= flagBlocked
			return nil
		default:
			return err
		}
		if n > 0 {
			o.lastProgress = l.now
			l.wrote(o, n)
		}
		if n < tried {
			c.flags |= flagBlocked
			return nil
		}
	}
	l.dropOutbox(c)
	return nil
}

// wrote records that the kernel, or TLS, has taken n bytes of an outbox.
func (l *loop) wrote(o *outbox, n int) {
	o.advance(n)
	l.traffic[bytesOut] += uint64(n)
	l.traffic[queued] -= uint64(n)
}

// writeSome writes as much of the outbox as one system call can take.
func (l *loop) writeSome(fd int, o *outbox) (n, tried int, err error) {
	segs := o.segs[o.head:]
	if len(segs) == 1 {
		n, err = l.k.write(fd, segs[0].b)
		return n, len(segs[0].b), err
	}
	if o.bytes/len(segs) < gather {
		buf := l.scratch[:0]
		for _, s := range segs {
			if len(buf)+len(s.b) > cap(buf) {
				break
			}
			buf = append(buf, s.b...)
		}
		if len(buf) > 0 {
			n, err = l.k.write(fd, buf)
			return n, len(buf), err
		}
	}
	vector := l.vector[:min(len(segs), maxVector)]
	for i := range vector {
		vector[i] = segs[i].b
		tried += len(segs[i].b)
	}
	n, err = l.k.writev(fd, vector)
	clear(vector)
	return n, tried, err
}

// updateInterest tells the kernel what to watch the descriptor for, if that changed.
func (l *loop) updateInterest(c *conn) {
	var mask uint8
	if !c.has(flagEOF) && (c.phase == shut || !c.has(flagFull|flagPaused)) {
		if c.has(flagUnread) {
			l.queueTurn(c)
		} else {
			mask |= wantRead
		}
	}
	if c.has(flagPaused) && !c.has(flagEOF) && mask&wantRead == 0 {
		mask |= wantEnd // the input before it is read then, although the connection is paused
	}
	if c.has(flagBlocked) {
		mask |= wantWrite
	}
	if mask == c.mask {
		return
	}
	if err := l.k.mod(int(c.fd), mask, c.slot, c.gen()); err != nil {
		l.lost(c, err)
		return
	}
	if c.tls != nil && mask&^c.mask&wantRead != 0 {
		// The kernel cannot see what the tls.Conn has buffered meanwhile.
		l.queueTurn(c)
	}
	c.mask = mask
}
