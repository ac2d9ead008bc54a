package server

// When a callback pauses a connection between two messages, the rest of what was read
// is kept here, with the loop and not with the connection: few connections have any at a
// time, and a conn fills exactly three cache lines. Nothing more is read until the rest
// has been processed, except after a hang-up.

// keepUnread copies what the protocol has not read, which may be in the loop's buffer, to
// the end of what is kept.
func (l *loop) keepUnread(c *conn, rest []byte) {
	if len(rest) == 0 {
		return
	}
	if l.unread == nil {
		l.unread = make(map[uint32][]byte)
	}
	l.unread[c.slot] = append(l.unread[c.slot], rest...)
	c.flags |= flagUnread
}

// takeUnread gives the protocol what was kept, until the connection is paused again.
func (l *loop) takeUnread(c *conn) {
	rest := l.unread[c.slot]
	delete(l.unread, c.slot)
	c.flags &^= flagUnread
	if c.phase >= draining {
		l.setAssembling(c, 0)
	} else {
		l.feed(c, rest)
	}
	l.markDirty(c) // so that it is read from again
}

// queueTurn gives a connection another turn in the next iteration.
func (l *loop) queueTurn(c *conn) {
	if !c.has(flagAgain) {
		c.flags |= flagAgain
		l.again = append(l.again, c)
	}
}

// resumeTurns gives another turn to the connections that queueTurn was called for.
func (l *loop) resumeTurns() {
	again := l.again
	l.again = nil
	for _, c := range again {
		if !c.has(flagAgain) {
			continue // the connection has ended; the slot may be in use by another one
		}
		c.flags &^= flagAgain
		if c.has(flagUnread) && !c.has(flagPaused|flagFull) && c.phase != gone {
			l.takeUnread(c)
		}
		if c.tls != nil && !c.has(flagUnread|flagEOF|flagPaused|flagFull) && c.phase != gone {
			l.readableTLS(c)
		}
	}
}
