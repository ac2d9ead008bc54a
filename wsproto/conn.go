package wsproto

// Everything that changes a connection's protocol state is in this file, in
// receive.go, which takes frames apart, and in send.go and fragment.go, which
// put them together.

import (
	"encoding/binary"
	"sync"

	"github.com/hawser-ws/hawser/frame"
)

// Role is which end of the connection this is: a client masks what it sends
// and must not be sent masked frames; a server the other way round (RFC 6455
// §5.1).
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

// Config is what connections have in common. It is not modified after the
// first Init and may be shared by any number of connections.
type Config struct {
	Role Role

	// MaxMessage bounds a received message in bytes, over all its fragments:
	// a larger one fails the connection with 1009 as soon as a header shows
	// it. 0 means DefaultMaxMessage.
	MaxMessage int

	// MaxFragments bounds the frames of one received message, empty ones
	// included: one more fails the connection with 1008. 0 means
	// DefaultMaxFragments, a negative value no limit.
	MaxFragments int

	// Stream has uncompressed messages delivered piece by piece, as they
	// arrive, in events of kind Piece: none is held in memory, and MaxMessage
	// does not apply to them. A compressed message is delivered whole.
	Stream bool

	// CompressFrom is the length in bytes from which messages are compressed,
	// on a connection with permessage-deflate. 0 means DefaultCompressFrom, a
	// negative value every one.
	CompressFrom int

	// MaskKey supplies the masking key of each frame a Client sends. RFC 6455
	// §5.3 wants keys that a server cannot predict. Unused by a Server.
	MaskKey func() uint32
}

// Conn is the state of one connection. It is meant to be embedded by value and
// must be initialised by Init. It must not be copied after that.
type Conn struct {
	cfg *Config
	in  []byte // what Feed gave and Next has not read
	w   *work  // nil while nothing is unfinished
	z   *codec // nil without permessage-deflate

	closeSent     bool
	closeReceived bool
	failed        bool
	sending       fragments // of the message that AppendFragment has begun
}

// work is what a connection needs only while something is unfinished: output
// to be taken, a frame or a message in pieces.
type work struct {
	out  []byte // for Output
	unit uint32 // counts the frames and messages begun, for Unfinished
	got  int    // bytes received of the unfinished message, headers included

	// The frame being read.
	head    [frame.MaxHeaderSize]byte // its header, until that is whole
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
	delivered bool // msg was given out and goes back at the next call
}

var works = sync.Pool{New: func() any { return &work{control: make([]byte, 0, frame.MaxControlPayload)} }}

// Init makes c a new open connection. It panics if cfg lacks what its role
// needs.
func (c *Conn) Init(cfg *Config) {
	if cfg.Role == Client && cfg.MaskKey == nil {
		panic("wsproto: Config.MaskKey is nil in the client role")
	}
	*c = Conn{cfg: cfg}
}

// Feed hands p to the connection, which modifies it (unmasking happens in
// place) and owns it until Next returns NeedData. Feeding again before that is
// a misuse and panics.
func (c *Conn) Feed(p []byte) {
	if len(c.in) > 0 {
		panic("wsproto: Feed before Next returned NeedData")
	}
	c.in = p
}

// Unread takes back what was fed and Next has not read, so that a driver can stop
// between two messages and go on later: it feeds the same bytes again before any
// other. They lie in what was fed, and have not been modified.
func (c *Conn) Unread() []byte {
	p := c.in
	c.in = nil
	return p
}

// Next returns the next event in what was fed. What an event refers to is
// valid until the next call of Next or Feed.
func (c *Conn) Next() Event {
	if w := c.w; w != nil && w.delivered {
		w.delivered = false
		w.drop()
	}
	for {
		// 1.4: after a Close frame "any further data received" is discarded;
		// 7.1.7: a failed connection must not process any more of it.
		if len(c.in) == 0 || c.closeReceived || c.failed {
			c.rest()
			return Event{}
		}
		if p, op := c.whole(c.in); op != frame.Continuation {
			if op == frame.Text && !validUTF8(p) {
				return c.fail(&PeerError{CloseInvalidPayload, "text is not UTF-8"})
			}
			return Event{Kind: Message, Opcode: op, Payload: p}
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

// whole takes a message that stands whole, in one frame and uncompressed, at
// the front of the input, and returns its unmasked payload where it is: the
// usual case, in a quarter of the time that header and payload take for it. It
// takes nothing and returns Continuation if there is anything else.
func (c *Conn) whole(b []byte) (p []byte, op frame.Opcode) {
	if len(b) < 6 || c.w.unfinished() || c.cfg.Stream {
		return nil, 0
	}
	first, length, n := b[0], int(b[1]&0x7F), 2
	masked := c.cfg.Role == Server
	if first != 0x80|byte(frame.Text) && first != 0x80|byte(frame.Binary) || b[1]&0x80 != 0 != masked {
		return nil, 0
	}
	if length >= 126 {
		length, n = int(b[2])<<8|int(b[3]), 4
		if b[1]&0x7F == 127 || length < 126 {
			return nil, 0
		}
	}
	if masked {
		n += 4
	}
	if n+length > len(b) || length > c.maxMessage() {
		return nil, 0
	}
	p = b[n : n+length : n+length]
	c.in = b[n+length:]
	if masked {
		frame.Mask(p, binary.LittleEndian.Uint32(b[n-4:]))
	}
	return p, frame.Opcode(first & 0x0F)
}

func (c *Conn) needWork() {
	if c.w == nil {
		c.w = works.Get().(*work)
	}
}

// rest forgets the input and, if nothing is unfinished, everything else.
func (c *Conn) rest() {
	c.in = nil
	w := c.w
	if w == nil {
		return
	}
	if w.unfinished() {
		if !c.failed && !c.closeReceived {
			return
		}
		c.abandon()
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

// abandon drops a frame or message of which the rest will not be read.
func (c *Conn) abandon() {
	w := c.w
	w.drop()
	w.headLen, w.inFrame, w.op, w.delivered = 0, false, frame.Continuation, false
	w.control = w.control[:0]
}

// Release gives back what an ended connection still holds. The connection
// must not be used afterwards, except by Init.
func (c *Conn) Release() {
	c.in = nil
	if w := c.w; w != nil {
		c.abandon()
		w.out = w.out[:0]
		c.w = nil
		works.Put(w)
	}
}

// drop gives the message's buffer back.
func (w *work) drop() {
	w.msg.release()
	w.msg = nil
}

// Output returns what the protocol itself has to say, and forgets it: the
// driver writes it in its place among the messages. It is valid until the next
// call of Next or Feed, and nil when there is nothing.
func (c *Conn) Output() []byte {
	w := c.w
	if w == nil || len(w.out) == 0 {
		return nil
	}
	out := w.out
	w.out = w.out[:0]
	return out
}

// CloseExpected reports whether a Close was sent or received, so that the
// connection is to end soon: a driver gives it a deadline.
func (c *Conn) CloseExpected() bool { return c.closeSent || c.closeReceived }

// Finished reports whether the protocol is over: Close frames went both ways,
// or the connection failed. The driver writes what is left and ends the
// connection below; a server closes first (RFC 6455 §7.1.1).
func (c *Conn) Finished() bool { return c.failed || c.closeSent && c.closeReceived }

// Unfinished tells of a message, or a control frame outside one, of which only
// a part has arrived: how many bytes (headers and masked payload), and a
// number that changes when another one begins. ok is false when there is none.
// A driver uses it to bound the time that a peer may take for one message.
func (c *Conn) Unfinished() (unit uint32, received int, ok bool) {
	w := c.w
	if !w.unfinished() {
		return 0, 0, false
	}
	return w.unit, w.got, true
}
