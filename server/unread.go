package server

// What was read from a connection and not yet given to the protocol, because a callback
// paused the connection between two messages, is kept by the loop: few connections have
// any at a time, and a conn fills three cache lines exactly. Nothing more is read until
// that is taken, except after a hang-up.

// keepUnread copies what the protocol has not read, which may lie in the loop's buffer.
func (l *loop) keepUnread(slot uint32, c *conn, rest []byte) {
	if len(rest) == 0 {
		return
	}
	if l.unread == nil {
		l.unread = make(map[uint32][]byte)
	}
	l.unread[slot] = append([]byte(nil), rest...)
	c.flags |= flagUnread
}

// takeUnread gives the protocol what was kept, up to where it is paused again.
func (l *loop) takeUnread(slot uint32, c *conn) {
	rest := l.unread[slot]
	delete(l.unread, slot)
	c.flags &^= flagUnread
	if c.has(flagEnding | flagShut) {
		l.hold(c, 0)
	} else {
		l.feed(slot, c, rest)
	}
	l.dirty(slot, c) // so that it is read from again
}

// anotherTurn gives a connection another turn in the next iteration.
func (l *loop) anotherTurn(slot uint32, c *conn) {
	if !c.has(flagAgain) {
		c.flags |= flagAgain
		l.again = append(l.again, slot)
	}
}

// goOn gives another turn to the connections whose last one ended before their input
// did.
func (l *loop) goOn() {
	slots := l.again
	l.again = nil
	for _, slot := range slots {
		c := l.at(slot)
		if !c.has(flagAgain) {
			continue // it ended, and the slot may be another's
		}
		c.flags &^= flagAgain
		if c.has(flagUnread) && !c.has(flagPaused|flagFull|flagGone) {
			l.takeUnread(slot, c)
		}
		if c.tls != nil && !c.has(flagUnread|flagEOF|flagPaused|flagFull|flagGone) {
			l.readableTLS(slot, c)
		}
	}
}
