package wsproto

import "github.com/hawser-ws/hawser/frame"

// header reads a frame header from the input. When it is complete, w.inFrame is set.
func (c *Conn) header() *PeerError {
	w := c.w
	b := c.in
	if w.headLen == 0 {
		if w.op == frame.Continuation {
			w.unit++
			w.received = 0
		}
	} else {
		n := copy(w.head[w.headLen:], c.in)
		b = w.head[:w.headLen+n]
	}
	h, n, err := frame.ParseHeader(b)
	// Errors in the first two bytes are reported first, so that the error does not
	// depend on how many bytes arrived at once.
	if len(b) >= 2 {
		if err := c.check(&h); err != nil {
			return err
		}
	}
	if err != nil {
		return headerError(err)
	}
	if n == 0 {
		if w.headLen == 0 {
			copy(w.head[:], b)
		}
		w.received += len(b) - w.headLen
		w.headLen = len(b)
		c.in = nil
		return nil
	}
	c.in = c.in[n-w.headLen:]
	w.received += n - w.headLen
	w.headLen = 0
	w.h = h
	w.inFrame = true
	if !h.Opcode.IsControl() {
		return c.begin(&h)
	}
	return nil
}

// headerError turns an error of package frame into a PeerError.
func headerError(err error) *PeerError {
	const prefix = len("frame: ")
	return &PeerError{CloseProtocolError, err.Error()[prefix:]}
}

// check verifies a header's first two bytes against the state of the connection.
func (c *Conn) check(h *frame.Header) *PeerError {
	// 5.2: "MUST be 0 unless an extension is negotiated that defines meanings
	// for non-zero values." RFC 7692 §6 gives RSV1 to the first frame of a
	// message.
	if h.RSV1 && (c.z == nil || !h.Opcode.IsData()) || h.RSV2 || h.RSV3 {
		return &PeerError{CloseProtocolError, "reserved bit set"}
	}
	// 5.1: "The server MUST close the connection upon receiving a frame that
	// is not masked", and "A client MUST close a connection if it detects a
	// masked frame."
	if h.Masked != (c.cfg.Role == Server) {
		if h.Masked {
			return &PeerError{CloseProtocolError, "masked frame from a server"}
		}
		return &PeerError{CloseProtocolError, "unmasked frame from a client"}
	}
	// 5.4: "The fragments of one message MUST NOT be interleaved between the
	// fragments of another message".
	inMessage := c.w.op != frame.Continuation
	if h.Opcode == frame.Continuation && !inMessage {
		return &PeerError{CloseProtocolError, "continuation frame without a message to continue"}
	}
	if h.Opcode.IsData() && inMessage {
		return &PeerError{CloseProtocolError, "new message inside a fragmented message"}
	}
	return nil
}

// begin checks a data frame's header against the limits of the message that it starts
// or continues.
func (c *Conn) begin(h *frame.Header) *PeerError {
	w := c.w
	if h.Opcode.IsData() {
		w.op = h.Opcode
		w.fragments = 0
		w.deflated = h.RSV1
		w.utf8 = utf8Check{}
	}
	limit := c.maxMessage()
	if w.deflated {
		// Empty blocks inflate to nothing, so limit the compressed size as well.
		limit += limit/128 + 64
	}
	// A connection from another process may already have received more than this one's
	// limit allows.
	if have := len(w.msg.bytes()); !c.streams() && (have > limit || h.Length > uint64(limit-have)) {
		return &PeerError{CloseMessageTooBig, "message over the size limit"}
	}
	fragments := c.cfg.MaxFragments
	if fragments == 0 {
		fragments = DefaultMaxFragments
	}
	w.fragments++
	if fragments > 0 && w.fragments > fragments {
		return &PeerError{ClosePolicyViolation, "too many fragments in one message"}
	}
	return nil
}

func (c *Conn) maxMessage() int {
	if c.cfg.MaxMessage == 0 {
		return DefaultMaxMessage
	}
	return c.cfg.MaxMessage
}

// streams reports whether the current message is delivered piece by piece.
func (c *Conn) streams() bool { return c.cfg.Stream && !c.w.deflated }

// payload reads the part of the current frame's payload that the input holds. The event
// is NeedData unless that completed something.
func (c *Conn) payload() Event {
	w := c.w
	n := len(c.in)
	if w.h.Length < uint64(n) {
		n = int(w.h.Length)
	}
	p := c.in[:n:n]
	c.in = c.in[n:]
	w.received += n
	w.h.Length -= uint64(n)
	if w.h.Masked {
		w.h.Key = frame.Mask(p, w.h.Key)
	}
	whole := w.h.Length == 0
	w.inFrame = !whole
	if w.h.Opcode.IsControl() {
		return c.controlFrame(p, whole)
	}

	done := whole && w.h.Fin
	if w.deflated {
		return c.deflatedPayload(p, done)
	}
	// 8.1: "When an endpoint is to interpret a byte stream as UTF-8 but finds
	// that the byte stream is not, in fact, a valid UTF-8 stream, that
	// endpoint MUST _Fail the WebSocket Connection_."
	if w.op == frame.Text && !w.utf8.write(p) {
		return c.fail(&PeerError{CloseInvalidPayload, "text is not UTF-8"})
	}
	if done && w.op == frame.Text && !w.utf8.complete() {
		return c.fail(&PeerError{CloseInvalidPayload, "text is not UTF-8"})
	}
	if c.cfg.Stream {
		if done {
			return c.message(Event{Kind: Piece, Payload: p, Fin: true})
		}
		if len(p) == 0 {
			return Event{}
		}
		return Event{Kind: Piece, Opcode: w.op, Payload: p}
	}
	w.msg = w.msg.append(p)
	if !done {
		return Event{}
	}
	w.delivered = true
	return c.message(Event{Kind: Message, Payload: w.msg.bytes()})
}

// message ends the current message, and returns ev, which delivers it.
func (c *Conn) message(ev Event) Event {
	ev.Opcode = c.w.op
	c.w.op = frame.Continuation
	return ev
}

// deflatedPayload adds a piece to a compressed message and, when the message is
// complete, decompresses and delivers it.
func (c *Conn) deflatedPayload(p []byte, done bool) Event {
	w := c.w
	w.msg = w.msg.append(p)
	if !done {
		return Event{}
	}
	if err := c.inflate(c.maxMessage()); err != nil {
		return c.fail(err)
	}
	if w.op == frame.Text && !validUTF8(w.msg.bytes()) {
		return c.fail(&PeerError{CloseInvalidPayload, "text is not UTF-8"})
	}
	w.delivered = true
	if c.cfg.Stream {
		return c.message(Event{Kind: Piece, Payload: w.msg.bytes(), Fin: true})
	}
	return c.message(Event{Kind: Message, Payload: w.msg.bytes()})
}

// controlFrame adds a piece to a control frame's payload and, when the frame is
// complete, acts on it.
func (c *Conn) controlFrame(p []byte, whole bool) Event {
	w := c.w
	if !whole || len(w.control) > 0 {
		w.control = append(w.control, p...)
		if !whole {
			return Event{}
		}
		p = w.control
		w.control = w.control[:0]
	}
	switch w.h.Opcode {
	case frame.Ping:
		// 5.5.2: "Upon receipt of a Ping frame, an endpoint MUST send a Pong
		// frame in response, unless it already received a Close frame."
		if !c.closeSent {
			w.out = c.appendFrame(w.out, frame.Pong, p)
		}
		return Event{Kind: Ping, Payload: p}
	case frame.Pong:
		return Event{Kind: Pong, Payload: p}
	}
	return c.closeFrame(p)
}

// closeFrame acts on the peer's Close (RFC 6455 §5.5.1, §7.1.5).
func (c *Conn) closeFrame(p []byte) Event {
	code, reason := CloseNoStatus, []byte(nil)
	switch {
	case len(p) == 1:
		return c.fail(&PeerError{CloseProtocolError, "close frame with a one-byte payload"})
	case len(p) >= 2:
		code, reason = CloseCode(p[0])<<8|CloseCode(p[1]), p[2:]
		if !code.Sendable() {
			return c.fail(&PeerError{CloseProtocolError, "close code that must not be sent"})
		}
		if !validUTF8(reason) {
			return c.fail(&PeerError{CloseInvalidPayload, "close reason is not UTF-8"})
		}
	}
	c.closeReceived = true
	// 5.5.1: "If an endpoint receives a Close frame and did not previously
	// send a Close frame, the endpoint MUST send a Close frame in response.
	// (When sending a Close frame in response, the endpoint typically echos
	// the status code it received.)"
	if !c.closeSent {
		c.closeSent = true
		c.w.out = c.appendFrame(c.w.out, frame.Close, p[:min(len(p), 2)])
	}
	return Event{Kind: Closed, Code: code, Payload: reason}
}

// fail is _Fail the WebSocket Connection_ (RFC 6455 §7.1.7): send a Close with the
// reason, unless one was sent before, and read nothing more.
func (c *Conn) fail(err *PeerError) Event {
	c.failed = true
	c.needWork()
	c.dropUnfinished()
	if !c.closeSent {
		c.closeSent = true
		c.w.out = c.appendClose(c.w.out, err.Code, err.Reason)
	}
	return Event{Kind: Failed, Err: err}
}
