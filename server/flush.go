package server

import "syscall"

// maxVector is how many segments one write takes.
const maxVector = 64

// gather is the size up to which segments are copied together rather than
// written by a vector: 16 frames of 130 bytes go out in three quarters of the
// time.
const gather = 4 << 10

// flush writes what the iteration queued, each connection once, and does what
// follows from an empty or a full queue.
func (l *loop) flush() {
	for i := 0; i < len(l.dirties); i++ {
		slot := l.dirties[i]
		c := l.at(slot)
		c.flags &^= flagDirty
		if !c.has(flagGone) {
			l.settle(slot, c)
		}
	}
	l.dirties = l.dirties[:0]
	l.arena = l.arena[:0]
	if cap(l.arena) > 4*arenaSize {
		l.arena = nil
	}
}

func (l *loop) settle(slot uint32, c *conn) {
	if err := l.write(c); err != nil {
		l.lost(slot, c, err)
		return
	}
	if o := c.out; o != nil {
		o.keep()
		if c.has(flagBlocked) && l.cfg.WriteTimeout > 0 {
			l.arm(slot, c, o.moved+ticks(l.cfg.WriteTimeout))
		}
	}
	l.level(slot, c)
	if c.out == nil && l.settleEnd(slot, c) {
		return
	}
	l.interest(slot, c)
}

// write writes the outbox until it is empty or the kernel's buffer is full.
func (l *loop) write(c *conn) error {
	o := c.out
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
			o.moved = l.now
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

// wrote notes that the kernel, or TLS, has taken n bytes of an outbox.
func (l *loop) wrote(o *outbox, n int) {
	o.advance(n)
	l.traffic[bytesOut] += uint64(n)
	l.traffic[queued] -= uint64(n)
}

// writeSome makes one system call for as much of the outbox as it can take.
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

// settleEnd does the next step of ending once nothing waits to be written. It
// reports whether the connection is gone.
func (l *loop) settleEnd(slot uint32, c *conn) bool {
	if c.has(flagEOF) {
		l.teardown(slot, c)
		return true
	}
	if !c.has(flagShut) && (c.has(flagEnding) || c.proto.Finished()) {
		if c.tls != nil && !l.notifyEnd(slot, c) {
			return c.has(flagGone)
		}
		// Closing with unread input would make the kernel send a reset, and the
		// peer might lose the Close frame to it: end our half, and wait for
		// the peer to end its own.
		c.flags |= flagShut
		if err := l.k.shutdown(int(c.fd)); err != nil {
			l.lost(slot, c, err)
			return true
		}
	}
	return false
}

// interest tells the kernel what to wait for, if that changed.
func (l *loop) interest(slot uint32, c *conn) {
	var mask uint8
	if !c.has(flagEOF|flagFull|flagPaused) || c.has(flagShut) && !c.has(flagEOF) {
		if c.has(flagUnread) {
			l.anotherTurn(slot, c)
		} else {
			mask |= wantRead
		}
	}
	if c.has(flagBlocked) {
		mask |= wantWrite
	}
	if mask == c.mask {
		return
	}
	if err := l.k.mod(int(c.fd), mask, slot, c.word.Load()>>1); err != nil {
		l.lost(slot, c, err)
		return
	}
	if c.tls != nil && mask&wantRead > c.mask&wantRead {
		// What its tls.Conn held back meanwhile, the kernel cannot see.
		l.anotherTurn(slot, c)
	}
	c.mask = mask
}
