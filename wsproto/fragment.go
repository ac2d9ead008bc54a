package wsproto

import "github.com/hawser-ws/hawser/frame"

// fragments says what kind of message, if any, is being sent in fragments.
type fragments uint8

const (
	none fragments = iota
	plain
	compressed
)

// AppendFragment appends the next fragment of a message to dst and returns the
// extended slice: a frame of p, with opcode op in the first fragment and
// Continuation in those that follow (RFC 6455 §5.4). fin ends the message. With
// permessage-deflate the message is compressed whatever its length, because the length
// is not known in advance, unless Config.CompressFrom is negative. Control frames may be sent between fragments, other messages
// may not. p is not modified. The error is ErrClosed after a Close, or a *UsageError.
func (c *Conn) AppendFragment(dst []byte, op frame.Opcode, p []byte, fin bool) ([]byte, error) {
	first := c.sending == none
	switch {
	case c.closeSent:
		return dst, ErrClosed
	case first && !op.IsData():
		return dst, &UsageError{"a message begins with text or binary, not " + op.String()}
	case !first && op != frame.Continuation:
		return dst, &UsageError{"a fragment that follows is a continuation, not " + op.String()}
	}
	if first {
		c.sending = plain
		if c.z != nil && c.cfg.CompressFrom >= 0 {
			c.sending = compressed
		}
	}
	h := frame.Header{Fin: fin, Opcode: op}
	if c.sending == compressed {
		h.RSV1 = first
		dst = c.appendDeflatedFrame(dst, h, p)
	} else {
		dst = c.append(dst, h, p)
	}
	if fin {
		c.sending = none
	}
	return dst, nil
}

// appendDeflatedFrame compresses one fragment. Each fragment is flushed, so that it can
// be decompressed when it arrives, and each begins with a deflater that is primed with
// the plaintext before it, so that none has to be kept between two fragments.
func (c *Conn) appendDeflatedFrame(dst []byte, h frame.Header, p []byte) []byte {
	out := &c.z.out
	buf := newBuffer(len(p)/2 + 64)
	buf.b = appendDeflated(buf.b, p, out.window.b, out.bits, c.level())
	if h.Fin {
		// RFC 7692 §7.2.1: "Remove 4 octets (that are 0x00 0x00 0xff 0xff) from the
		// tail end."
		buf.b = buf.b[:len(buf.b)-len(deflateTail)]
	}
	dst = c.append(dst, h, buf.b)
	buf.release()
	if h.Fin && !out.takeover {
		out.window = window{}
	} else {
		out.window.add(p, 1<<out.bits)
	}
	return dst
}

// compresses reports whether a message of n bytes is compressed.
func (c *Conn) compresses(n int) bool {
	if c.z == nil {
		return false
	}
	from := c.cfg.CompressFrom
	if from == 0 {
		from = DefaultCompressFrom
	}
	return from > 0 && n >= from
}

// level returns the level of compression.
func (c *Conn) level() int { return min(max(c.cfg.CompressLevel, minLevel), maxLevel) }

// appendCompressed appends p as one frame, compressed if that makes it shorter.
func (c *Conn) appendCompressed(dst []byte, op frame.Opcode, p []byte) []byte {
	out := &c.z.out
	buf := newBuffer(len(p)/2 + 64)
	buf.b = appendDeflated(buf.b, p, out.window.b, out.bits, c.level())
	if z := buf.b[:len(buf.b)-len(deflateTail)]; len(z) < len(p) {
		dst = c.append(dst, frame.Header{Fin: true, RSV1: true, Opcode: op}, z)
		if out.takeover {
			out.window.add(p, 1<<out.bits)
		}
	} else {
		// The peer's inflater does not see this message, so it enters neither window.
		dst = c.appendFrame(dst, op, p)
	}
	buf.release()
	return dst
}
