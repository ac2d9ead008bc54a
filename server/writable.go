package server

// WritableHandler is a Handler that is told when a slow connection has caught up, so
// that it need not guess how much to send.
type WritableHandler interface {
	Handler

	// OnWritable is called on c's loop when its write queue, after exceeding half of
	// Config.WriteQueue, has come down to a quarter of it. It is never called if
	// Config.WriteQueue is Off.
	OnWritable(c LoopConn)
}

// updateBackpressure records what waits to be written after a write. Reading stops when
// that exceeds half of Config.WriteQueue, and resumes at a quarter.
func (l *loop) updateBackpressure(c *conn) {
	waiting := c.waiting()
	if c.tls != nil {
		l.countCiphertext(c, len(c.tls.sock.out))
	}
	if n := uint32(min(uint64(waiting), 1<<32-1)); n != c.buffered.Load() {
		c.buffered.Store(n)
	}
	limit := l.cfg.WriteQueue
	switch {
	case limit == 0:
	case waiting > limit/2:
		c.flags |= flagFull
	case waiting <= limit/4 && c.has(flagFull):
		c.flags &^= flagFull
		if c.endpoint.writable != nil && c.phase < closing {
			l.writables = append(l.writables, c.handle())
		}
	}
}

// tellWritable calls OnWritable for the connections that caught up in the previous
// iteration.
func (l *loop) tellWritable() {
	told := l.writables
	l.writables = nil
	for _, c := range told {
		if !c.closed() {
			l.onWritable(c.conn)
			l.deliver()
		}
	}
}
