package wsproto

// Everything that changes a connection's protocol state is in this file, in
// receive.go, which parses frames, and in send.go and fragment.go, which build them.
// What is added to it must also be added to state.go, which moves it to another process.

import (
	"encoding/binary"
	"sync"

	"github.com/hawser-ws/hawser/frame"
)

// Role says which end of the connection this is. A client must mask the frames that
// it sends, and a server must not (RFC 6455 §5.1).
type Role uint8

const (
	Server Role = iota
	Client
)

// Defaults of Config.
const (
	DefaultMaxMessage   = 64 << 10
	DefaultMaxFragments = 1024
	DefaultCompressFrom = 128
)

// Config holds the settings of connections. It may be shared by any number of
// connections, and must then not be modified after the first Init. If it belongs to one
// connection, all but Role and Stream may be modified between two calls of its methods.
// MaxMessage and MaxFragments then apply from the next frame on, CompressFrom and
// CompressLevel from the next message on.
type Config struct {
	Role Role

	// MaxMessage is the maximum size of a received message in bytes, over all its
	// fragments. A larger one fails the connection with 1009 as soon as a header
	// shows it. 0 means DefaultMaxMessage.
	MaxMessage int

	// MaxFragments is the maximum number of frames in one received message, empty
	// ones included. One more fails the connection with 1008. 0 means
	// DefaultMaxFragments, a negative value no limit.
	MaxFragments int

	// Stream delivers uncompressed messages piece by piece, as they arrive, in
	// events of kind Piece. They are not held in memory, and MaxMessage does not
	// apply to them. Compressed messages are delivered whole.
	Stream bool

	// CompressFrom is the length in bytes from which messages are compressed, on
	// connections with permessage-deflate. 0 means DefaultCompressFrom; 1 compresses
	// every message that becomes shorter by it; a negative value compresses none.
	CompressFrom int

	// CompressLevel is the level of compression, from 1, the fastest, to 9. 0 means 1.
	// It has no effect on a window smaller than 32 KiB, nor on a Prepared.
	CompressLevel int

	// MaskKey returns the masking key for each frame that a Client sends. RFC 6455
	// §5.3 requires keys that an attacker cannot predict. A Server does not use it.
	MaskKey func() uint32
}

// Conn is the protocol state of one connection. It is meant to be embedded by value,
// must be initialised by Init, and must not be copied after that.
type Conn struct {
	cfg *Config
	in  []byte // input from Feed that Next has not read
	w   *work  // nil while nothing is unfinished
	z   *codec // nil without permessage-deflate

	closeSent     bool
	closeReceived bool
	failed        bool
	sending       fragments // of the message that AppendFragment has begun
}

// work is what a connection needs only while something is unfinished: output that
// has not been taken, or an incomplete frame or message.
type work struct {
	out      []byte // for Output
	unit     uint32 // counts the frames and messages begun, for Unfinished
	received int    // bytes received of the incomplete message, headers included

	// The frame being read.
	head    [frame.MaxHeaderSize]byte // its header, until that is complete
	headLen int
	inFrame bool         // the header is read, the payload is not
	h       frame.Header // Key rotated, Length what is still to come
	control []byte       // payload of a control frame, so far

	// The message being assembled.
	op        frame.Opcode // Continuation while there is none
	fragments int
	deflated  bool
	utf8      utf8Check
	msg       *buffer
	delivered bool // msg was handed out, and is released by the next call of Next
}

var works = sync.Pool{New: func() any { return &work{control: make([]byte, 0, frame.MaxControlPayload)} }}

// Init makes c a new open connection. It panics if cfg.MaskKey is nil in the client
// role.
func (c *Conn) Init(cfg *Config) {
	if cfg.Role == Client && cfg.MaskKey == nil {
		panic("wsproto: Config.MaskKey is nil in the client role")
	}
	*c = Conn{cfg: cfg}
}

// SetConfig replaces the settings, as if the Config were modified: Role and Stream must be the
// same. So one of the connections that share a Config can be given another one.
func (c *Conn) SetConfig(cfg *Config) {
	if cfg.Role != c.cfg.Role || cfg.Stream != c.cfg.Stream {
		panic("wsproto: SetConfig with another Role or Stream")
	}
	c.cfg = cfg
}

// Config returns the settings, which must not be modified if they are shared.
func (c *Conn) Config() *Config { return c.cfg }

// Feed gives input to the connection, which modifies p (unmasking happens in place)
// and owns it until Next returns NeedData. Feed panics if it is called again before
// that.
func (c *Conn) Feed(p []byte) {
	if len(c.in) > 0 {
		panic("wsproto: Feed before Next returned NeedData")
	}
	c.in = p
}

// Unread takes back the input that Next has not read, so that a driver can stop
// between two messages. To go on, it must feed these bytes again before any others.
// They are a part of the slice that was fed, and have not been modified.
func (c *Conn) Unread() []byte {
	p := c.in
	c.in = nil
	return p
}

// Next returns the next event in the input. The event's Payload is valid until the
// next call of Next, TakeMessage or Feed.
func (c *Conn) Next() Event {
	if ev, ok := c.TakeMessage(); ok {
		return ev
	}
	for {
		// 1.4: after a Close frame "any further data received" is discarded;
		// 7.1.7: a failed connection must not process any more of it.
		if len(c.in) == 0 || c.closeReceived || c.failed {
			c.forgetInput()
			return Event{}
		}
		c.needWork()
		if !c.w.inFrame {
			if err := c.header(); err != nil {
				return c.fail(err)
			}
			if !c.w.inFrame {
				continue
			}
		}
		if ev := c.payload(); ev.Kind != NeedData {
			return ev
		}
	}
}

// TakeMessage is Next for the usual case: if the input goes on with a whole message in one
// uncompressed frame, it returns that, and true. Otherwise it consumes nothing, and whatever comes
// next is Next's: a driver that still has to send something can do so before Next answers a Ping
// or a Close frame, or fails the connection.
func (c *Conn) TakeMessage() (Event, bool) {
	if w := c.w; w != nil && w.delivered {
		w.delivered = false
		w.releaseMessage()
	}
	if c.closeReceived || c.failed {
		return Event{}, false
	}
	b := c.in
	p, op, key := c.takeWhole(b)
	if op == frame.Continuation {
		return Event{}, false
	}
	if op == frame.Text && !validUTF8(p) {
		frame.Mask(p, key) // as it was
		c.in = b
		return Event{}, false
	}
	return Event{Kind: Message, Opcode: op, Payload: p}, true
}

// takeWhole takes the input's first message if it is a whole one in one uncompressed frame: it
// unmasks the payload in place and returns it, in a quarter of the time that header and payload
// take. key is what it was masked with, or 0. Otherwise it consumes nothing and returns
// Continuation.
func (c *Conn) takeWhole(b []byte) (p []byte, op frame.Opcode, key uint32) {
	if len(b) < 6 || c.w.unfinished() || c.cfg.Stream {
		return nil, 0, 0
	}
	first, length, n := b[0], int(b[1]&0x7F), 2
	masked := c.cfg.Role == Server
	if first != 0x80|byte(frame.Text) && first != 0x80|byte(frame.Binary) || b[1]&0x80 != 0 != masked {
		return nil, 0, 0
	}
	switch length {
	case 126:
		if length, n = int(b[2])<<8|int(b[3]), 4; length < 126 {
			return nil, 0, 0
		}
	case 127:
		if len(b) < 10 {
			return nil, 0, 0
		}
		long := binary.BigEndian.Uint64(b[2:10])
		if long < 1<<16 || long > uint64(len(b)) {
			return nil, 0, 0
		}
		length, n = int(long), 10
	}
	if masked {
		n += 4
	}
	if n+length > len(b) || length > c.maxMessage() {
		return nil, 0, 0
	}
	p = b[n : n+length : n+length]
	c.in = b[n+length:]
	if masked {
		key = binary.LittleEndian.Uint32(b[n-4:])
		frame.Mask(p, key)
	}
	return p, frame.Opcode(first & 0x0F), key
}

func (c *Conn) needWork() {
	if c.w == nil {
		c.w = works.Get().(*work)
	}
}

// forgetInput drops the input and, if nothing is unfinished, also c.w.
func (c *Conn) forgetInput() {
	c.in = nil
	w := c.w
	if w == nil {
		return
	}
	if w.unfinished() {
		if !c.failed && !c.closeReceived {
			return
		}
		c.dropUnfinished()
	}
	if len(w.out) == 0 {
		c.w = nil
		works.Put(w)
	}
}

// unfinished reports whether a frame or a message has begun and not ended.
func (w *work) unfinished() bool {
	return w != nil && (w.op != frame.Continuation || w.inFrame || w.headLen > 0)
}

// dropUnfinished drops an incomplete frame or message whose rest will not be read.
func (c *Conn) dropUnfinished() {
	w := c.w
	w.releaseMessage()
	w.headLen, w.inFrame, w.op, w.delivered = 0, false, frame.Continuation, false
	w.control = w.control[:0]
}

// Release returns the buffers of an ended connection to their pools. The connection
// must not be used afterwards, except by Init.
func (c *Conn) Release() {
	c.in = nil
	if w := c.w; w != nil {
		c.dropUnfinished()
		w.out = w.out[:0]
		c.w = nil
		works.Put(w)
	}
}

// releaseMessage releases the message's buffer.
func (w *work) releaseMessage() {
	w.msg.release()
	w.msg = nil
}

// Output returns the frames that the protocol itself sends, such as pongs, or nil. The
// driver must write them before the messages that it sends from now on. They are valid
// until the next call of Next or Feed, and are returned once.
func (c *Conn) Output() []byte {
	w := c.w
	if w == nil || len(w.out) == 0 {
		return nil
	}
	out := w.out
	w.out = w.out[:0]
	return out
}

// CloseExpected reports whether a Close was sent or received. The connection should
// then end soon, and a driver should give it a deadline.
func (c *Conn) CloseExpected() bool { return c.closeSent || c.closeReceived }

// Finished reports whether the protocol is over: Close frames went both ways, or the
// connection failed. The driver then writes what is left and ends the underlying
// connection; a server closes first (RFC 6455 §7.1.1).
func (c *Conn) Finished() bool { return c.failed || c.closeSent && c.closeReceived }

// Unfinished describes the message, or the control frame outside of a message, of which
// only a part has arrived. received counts its bytes, headers included; unit is a number
// that changes when another one begins. ok is false if there is none. A driver uses it
// to limit the time that a peer may take for one message.
func (c *Conn) Unfinished() (unit uint32, received int, ok bool) {
	w := c.w
	if !w.unfinished() {
		return 0, 0, false
	}
	return w.unit, w.received, true
}
