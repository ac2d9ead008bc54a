package wsproto

// Deflate is what permessage-deflate was agreed on (RFC 7692 §7.1).
type Deflate struct {
	// ServerNoContextTakeover and ClientNoContextTakeover: that side compresses
	// each message by itself.
	ServerNoContextTakeover bool
	ClientNoContextTakeover bool

	// ServerMaxWindowBits and ClientMaxWindowBits: that side refers back by at
	// most 1<<bits bytes; 8 to 15. 0 means 15, as without the parameter.
	ServerMaxWindowBits uint8
	ClientMaxWindowBits uint8
}

const (
	minWindowBits = 8
	maxWindowBits = 15
)

// codec is the compression of one connection. It owns no deflater and no
// inflater, which are large; what context takeover needs of the messages before
// is kept as plaintext, and a pooled one is primed with it for each message.
type codec struct {
	in, out direction
}

// direction is one way of a connection.
type direction struct {
	takeover bool
	bits     uint8
	window   window // in use with takeover, and within a message sent in fragments
}

// window holds the last bytes of what went one way, at most a number that is
// given with each addition.
type window struct{ b []byte }

// add appends p, and forgets what lies more than size bytes back.
func (w *window) add(p []byte, size int) {
	if len(p) > size {
		p = p[len(p)-size:]
	}
	if surplus := len(w.b) + len(p) - size; surplus > 0 {
		w.b = w.b[:copy(w.b, w.b[surplus:])]
	}
	if need := len(w.b) + len(p); need > cap(w.b) {
		// Doubling, but never beyond what the window can come to hold: append
		// would round up.
		b := make([]byte, len(w.b), min(max(need, 2*cap(w.b)), size))
		copy(b, w.b)
		w.b = b
	}
	w.b = append(w.b, p...)
}

// UseDeflate turns permessage-deflate on, as the opening handshake agreed on
// it. It is called after Init, before anything is fed or sent. It panics if a
// number of window bits is none that RFC 7692 knows.
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

// deflateTail is what a compressed message ends with, and is left out on the
// wire (RFC 7692 §7.2.1): an empty stored block without its first byte.
const deflateTail = "\x00\x00\xff\xff"
