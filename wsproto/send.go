package wsproto

import (
	"unicode/utf8"

	"github.com/hawser-ws/hawser/frame"
)

// AppendMessage appends one message of p, as a single frame, to dst and returns
// the extended slice. op is Text or Binary; a Text payload must be UTF-8, which
// is not checked. p is not modified. The error is ErrClosed after a Close, or a
// *UsageError.
func (c *Conn) AppendMessage(dst []byte, op frame.Opcode, p []byte) ([]byte, error) {
	if !op.IsData() {
		return dst, &UsageError{"a message is text or binary, not " + op.String()}
	}
	switch {
	case c.closeSent:
		return dst, ErrClosed
	case c.sending != none:
		return dst, &UsageError{"a message inside a fragmented message"}
	case c.compresses(len(p)):
		return c.appendCompressed(dst, op, p), nil
	}
	return c.appendFrame(dst, op, p), nil
}

// AppendPing appends a Ping with payload p, at most 125 bytes, to dst.
func (c *Conn) AppendPing(dst, p []byte) ([]byte, error) {
	return c.appendControl(dst, frame.Ping, p)
}

// AppendPong appends an unsolicited Pong, a one-way heartbeat (RFC 6455 §5.5.3), with
// payload p, at most 125 bytes, to dst. Pongs that answer a Ping need no call: they are
// in Output.
func (c *Conn) AppendPong(dst, p []byte) ([]byte, error) {
	return c.appendControl(dst, frame.Pong, p)
}

func (c *Conn) appendControl(dst []byte, op frame.Opcode, p []byte) ([]byte, error) {
	if len(p) > frame.MaxControlPayload {
		return dst, &UsageError{"control frame payload over 125 bytes"}
	}
	if c.closeSent {
		return dst, ErrClosed
	}
	return c.appendFrame(dst, op, p), nil
}

// AppendClose appends a Close frame to dst. No message can be sent after it, but
// messages may still arrive until the peer's own Close. With CloseNoStatus the frame has
// no payload. The reason is UTF-8 of at most 123 bytes. The error is ErrClosed if a
// Close was sent before, or a *UsageError.
func (c *Conn) AppendClose(dst []byte, code CloseCode, reason string) ([]byte, error) {
	if c.closeSent {
		return dst, ErrClosed
	}
	if err := CheckClose(code, reason); err != nil {
		return dst, err
	}
	c.closeSent = true
	if code == CloseNoStatus {
		return c.appendFrame(dst, frame.Close, nil), nil
	}
	return c.appendClose(dst, code, reason), nil
}

// CheckClose returns a *UsageError if a Close frame must not have this code and reason
// (RFC 6455 §5.5.1, §7.4). CloseNoStatus stands for a frame with neither.
func CheckClose(code CloseCode, reason string) error {
	switch {
	case code == CloseNoStatus && reason != "":
		return &UsageError{"a close reason needs a code"}
	case code != CloseNoStatus && !code.Sendable():
		return &UsageError{"close code " + code.String() + " must not be sent"}
	case len(reason) > frame.MaxControlPayload-2:
		return &UsageError{"close reason over 123 bytes"}
	case !utf8.ValidString(reason):
		return &UsageError{"close reason is not UTF-8"}
	}
	return nil
}

// Frame returns m as a frame of this connection. In the server role the bytes are m's
// own, shared with other connections, and must not be modified; in the client role they
// are a masked copy. The error is ErrClosed after a Close, or a *UsageError.
func (c *Conn) Frame(m *Prepared) ([]byte, error) {
	switch {
	case c.closeSent:
		return nil, ErrClosed
	case c.sending != none:
		return nil, &UsageError{"a message inside a fragmented message"}
	}
	if c.cfg.Role == Client {
		return c.AppendMessage(nil, m.op, m.payload)
	}
	if !c.compresses(len(m.payload)) {
		return m.raw, nil
	}
	out := &c.z.out
	b := m.deflated(out.bits)
	if isCompressed := b[0]&0x40 != 0; isCompressed && out.takeover {
		// It was compressed with an empty window, which is always allowed. The peer
		// adds it to its window, so ours must have it as well.
		out.window.add(m.payload, 1<<out.bits)
	}
	return b, nil
}

// FramePlain is like Frame, but never compresses. So the frame does not change the
// connection's compression window, and need not be sent after all.
func (c *Conn) FramePlain(m *Prepared) ([]byte, error) {
	switch {
	case c.closeSent:
		return nil, ErrClosed
	case c.sending != none:
		return nil, &UsageError{"a message inside a fragmented message"}
	case c.cfg.Role == Client:
		return c.appendFrame(nil, m.op, m.payload), nil
	}
	return m.raw, nil
}

func (c *Conn) appendClose(dst []byte, code CloseCode, reason string) []byte {
	var p [frame.MaxControlPayload]byte
	p[0], p[1] = byte(code>>8), byte(code)
	n := 2 + copy(p[2:], reason)
	return c.appendFrame(dst, frame.Close, p[:n])
}

// appendFrame appends a final frame, masked if this is a client.
func (c *Conn) appendFrame(dst []byte, op frame.Opcode, p []byte) []byte {
	return c.append(dst, frame.Header{Fin: true, Opcode: op}, p)
}

// append appends a frame of p. It sets h's length and mask.
func (c *Conn) append(dst []byte, h frame.Header, p []byte) []byte {
	h.Length = uint64(len(p))
	if c.cfg.Role == Client {
		h.Masked = true
		h.Key = c.cfg.MaskKey()
	}
	dst = h.Append(dst)
	n := len(dst)
	dst = append(dst, p...)
	if h.Masked {
		frame.Mask(dst[n:], h.Key)
	}
	return dst
}
