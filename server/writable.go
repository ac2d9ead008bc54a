package server

// WritableHandler is a Handler that wants to know when a slow connection has
// caught up, so that it need not guess how much to send.
type WritableHandler interface {
	Handler

	// OnWritable is called on c's loop when its write queue, which was over half
	// of Config.WriteQueue, has come down to a quarter of it. Without a bound on
	// the queue it is never called.
	OnWritable(c Conn)
}

// level notes what waits to be written on a connection after a write: reading
// stops while that is over half of the bound, and goes on at a quarter.
func (l *loop) level(slot uint32, c *conn) {
	waiting := c.waiting()
	if c.tls != nil {
		l.seal(c, len(c.tls.sock.out))
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
		if l.writable != nil && !c.has(flagClosing) {
			l.writables = append(l.writables, Conn{l, slot, c.word.Load() >> 1})
		}
	}
}

// tellWritable calls OnWritable for the connections that caught up in the last
// iteration.
func (l *loop) tellWritable() {
	told := l.writables
	l.writables = nil
	for _, c := range told {
		if !c.closed() {
			l.onWritable(c)
			l.deliver()
		}
	}
}
