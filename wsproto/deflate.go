package wsproto

// Deflate holds the negotiated parameters of permessage-deflate (RFC 7692 §7.1).
type Deflate struct {
	// ServerNoContextTakeover and ClientNoContextTakeover: that side compresses
	// each message independently.
	ServerNoContextTakeover bool
	ClientNoContextTakeover bool

	// ServerMaxWindowBits and ClientMaxWindowBits: that side refers back by at most
	// 1<<bits bytes. 8 to 15; 0 means 15, as without the parameter.
	ServerMaxWindowBits uint8
	ClientMaxWindowBits uint8
}

const (
	minWindowBits = 8
	maxWindowBits = 15
)

// codec is the compression state of one connection. It owns no deflater and no
// inflater, because they are large. For context takeover it keeps the last bytes of the
// messages as plaintext, and primes a pooled deflater or inflater with them for each
// message.
type codec struct {
	in, out direction
}

// direction is the compression of one direction of a connection.
type direction struct {
	takeover bool
	bits     uint8
	window   window // used with takeover, and within a message that is sent in fragments
}

// window holds the last bytes of the plaintext in one direction.
type window struct{ b []byte }

// add appends p, and drops everything but the last size bytes.
func (w *window) add(p []byte, size int) {
	if len(p) > size {
		p = p[len(p)-size:]
	}
	if surplus := len(w.b) + len(p) - size; surplus > 0 {
		w.b = w.b[:copy(w.b, w.b[surplus:])]
	}
	if need := len(w.b) + len(p); need > cap(w.b) {
		// Double, but never beyond the window's size: append would round up.
		b := make([]byte, len(w.b), min(max(need, 2*cap(w.b)), size))
		copy(b, w.b)
		w.b = b
	}
	w.b = append(w.b, p...)
}

// UseDeflate enables permessage-deflate with the parameters that the opening handshake
// negotiated. It must be called after Init, before anything is fed or sent. It panics if
// a number of window bits is not 0 or 8 to 15.
func (c *Conn) UseDeflate(d Deflate) {
	server := direction{takeover: !d.ServerNoContextTakeover, bits: windowBits(d.ServerMaxWindowBits)}
	client := direction{takeover: !d.ClientNoContextTakeover, bits: windowBits(d.ClientMaxWindowBits)}
	if c.cfg.Role == Server {
		c.z = &codec{in: client, out: server}
	} else {
		c.z = &codec{in: server, out: client}
	}
}

func windowBits(bits uint8) uint8 {
	switch {
	case bits == 0:
		return maxWindowBits
	case bits < minWindowBits || bits > maxWindowBits:
		panic("wsproto: UseDeflate: window bits must be 8 to 15")
	}
	return bits
}

// deflateTail ends every compressed message and is left out on the wire (RFC 7692
// §7.2.1): an empty stored block without its first byte.
const deflateTail = "\x00\x00\xff\xff"
