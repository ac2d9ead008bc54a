package server

// unread is what was read from a connection and not yet given to the protocol,
// because a callback paused the connection between two messages. Nothing more is read
// until that is taken, except after a hang-up. Loop only.
type unread struct{ b []byte }

// size is the number of bytes; a nil unread has none.
func (u *unread) size() int {
	if u == nil {
		return 0
	}
	return len(u.b)
}

// keepUnread copies what the protocol has not read out of the loop's buffer.
func (c *conn) keepUnread() {
	if rest := c.proto.Unread(); len(rest) > 0 {
		c.unread = &unread{append([]byte(nil), rest...)}
	}
}

// takeUnread gives the protocol what was kept, up to where it is paused again.
func (l *loop) takeUnread(slot uint32, c *conn) {
	u := c.unread
	c.unread = nil
	if c.has(flagEnding | flagShut) {
		l.hold(c, 0)
	} else {
		l.feed(slot, c, u.b)
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
		if c.unread != nil && !c.has(flagPaused|flagFull|flagGone) {
			l.takeUnread(slot, c)
		}
		if c.tls != nil && c.unread == nil && !c.has(flagEOF|flagPaused|flagFull|flagGone) {
			l.readableTLS(slot, c)
		}
	}
}
