package server

// WritableHandler is a Handler that is told when a slow connection has caught up, so
// that it need not guess how much to send: it sends until it is refused, and goes on when
// OnWritable is called. It may also stop earlier, when Buffered or a count of its own says that
// more than a quarter of Config.WriteQueue waits.
type WritableHandler interface {
	Handler

	// OnWritable is called on c's loop when there is room, after a message was refused with
	// ErrQueueFull or ErrBusy, and otherwise each time after more than a quarter of
	// Config.WriteQueue was sent. There is room when no more than a quarter of Config.WriteQueue
	// waits and the message that was refused fits, or when nothing waits.
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
	if c.has(flagTellWriter) && waiting <= limit/4 { // also if there is no limit
		c.flags &^= flagTellWriter
		l.waiters.wake(c.handle())
	}
	waiting += c.behind()
	if waiting > 0 || c.has(flagHolds) {
		l.noteHeld(c)
	}
	if limit > 0 && waiting > limit/2 {
		c.flags |= flagFull
	} else if c.has(flagTell) && l.hasRoom(c, waiting) || c.has(flagFull) && waiting <= limit/4 {
		l.noticeRoom(c, waiting)
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
