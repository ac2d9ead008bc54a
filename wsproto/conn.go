package wsproto

// Everything that changes a connection's protocol state is in this file and in
// send.go: receiving here, sending there.

import (
	"sync"
	"unicode/utf8"

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
	w   *work  // nil while nothing is unfinished
	z   *codec // nil without permessage-deflate

	closeSent     bool
	closeReceived bool
	failed        bool
	sending       fragments // of the message that AppendFragment has begun
}

// work is what a connection needs only while something is unfinished: input
// that is being read, output to be taken, a frame or a message in pieces.
type work struct {
	in   []byte // what Feed gave and Next has not read
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
	if c.w == nil {
		c.w = works.Get().(*work)
	}
	if len(c.w.in) > 0 {
		panic("wsproto: Feed before Next returned NeedData")
	}
	c.w.in = p
}

// Next returns the next event in what was fed. What an event refers to is
// valid until the next call of Next or Feed.
func (c *Conn) Next() Event {
	w := c.w
	if w == nil {
		return Event{}
	}
	if w.delivered {
		w.delivered = false
		w.drop()
	}
	for {
		// 1.4: after a Close frame "any further data received" is discarded;
		// 7.1.7: a failed connection must not process any more of it.
		if len(w.in) == 0 || c.closeReceived || c.failed {
			c.rest()
			return Event{}
		}
		if !w.inFrame {
			if err := c.header(); err != nil {
				return c.fail(err)
			}
			if !w.inFrame {
				continue
			}
		}
		if ev := c.payload(); ev.Kind != NeedData {
			return ev
		}
	}
}

// rest forgets the input and, if nothing is unfinished, everything else.
func (c *Conn) rest() {
	w := c.w
	w.in = nil
	if w.headLen > 0 || w.inFrame || w.op != frame.Continuation {
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
	if w := c.w; w != nil {
		c.abandon()
		w.in, w.out = nil, w.out[:0]
		c.w = nil
		works.Put(w)
	}
}

// drop gives the message's buffer back.
func (w *work) drop() {
	w.msg.release()
	w.msg = nil
}

// header reads a frame header from the input: w.inFrame says that it is whole.
func (c *Conn) header() *PeerError {
	w := c.w
	b := w.in
	if w.headLen == 0 {
		if w.op == frame.Continuation {
			w.unit++
			w.got = 0
		}
	} else {
		n := copy(w.head[w.headLen:], w.in)
		b = w.head[:w.headLen+n]
	}
	h, n, err := frame.ParseHeader(b)
	if err != nil {
		return headerError(err)
	}
	if len(b) >= 2 {
		if err := c.check(&h); err != nil {
			return err
		}
	}
	if n == 0 {
		if w.headLen == 0 {
			copy(w.head[:], b)
		}
		w.got += len(b) - w.headLen
		w.headLen = len(b)
		w.in = nil
		return nil
	}
	w.in = w.in[n-w.headLen:]
	w.got += n - w.headLen
	w.headLen = 0
	w.h = h
	w.inFrame = true
	if !h.Opcode.IsControl() {
		return c.begin(&h)
	}
	return nil
}

// headerError words what package frame found.
func headerError(err error) *PeerError {
	const prefix = len("frame: ")
	return &PeerError{CloseProtocolError, err.Error()[prefix:]}
}

// check judges what a header's first two bytes say in this connection.
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
		return &PeerError{CloseProtocolError, "continuation of no message"}
	}
	if h.Opcode.IsData() && inMessage {
		return &PeerError{CloseProtocolError, "new message inside a fragmented one"}
	}
	return nil
}

// begin admits a data frame's header to the message it starts or continues.
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
		// Empty blocks inflate to nothing: bound what comes over the wire, too.
		limit += limit/128 + 64
	}
	if !c.streams() && h.Length > uint64(limit-len(w.msg.bytes())) {
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

// payload reads what the input holds of the current frame's payload. The event
// is NeedData unless the frame completed something.
func (c *Conn) payload() Event {
	w := c.w
	n := len(w.in)
	if w.h.Length < uint64(n) {
		n = int(w.h.Length)
	}
	p := w.in[:n:n]
	w.in = w.in[n:]
	w.got += n
	w.h.Length -= uint64(n)
	if w.h.Masked {
		w.h.Key = frame.Mask(p, w.h.Key)
	}
	whole := w.h.Length == 0
	w.inFrame = !whole
	if w.h.Opcode.IsControl() {
		return c.controlFrame(p, whole)
	}

	if whole && w.h.Fin && w.fragments == 1 && w.msg == nil && !w.deflated && !c.cfg.Stream {
		// The usual case: one frame, all of it here. Deliver it where it is.
		if w.op == frame.Text && !utf8.Valid(p) {
			return c.fail(&PeerError{CloseInvalidPayload, "text is not UTF-8"})
		}
		return c.message(Event{Kind: Message, Payload: p})
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
		return c.fail(&PeerError{CloseInvalidPayload, "text ends inside a character"})
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

// message ends the current message with the event that delivers it.
func (c *Conn) message(ev Event) Event {
	ev.Opcode = c.w.op
	c.w.op = frame.Continuation
	return ev
}

// deflatedPayload takes a piece of a compressed message and, when it is whole,
// delivers what it says.
func (c *Conn) deflatedPayload(p []byte, done bool) Event {
	w := c.w
	w.msg = w.msg.append(p)
	if !done {
		return Event{}
	}
	if err := c.inflate(c.maxMessage()); err != nil {
		return c.fail(err)
	}
	if w.op == frame.Text && !utf8.Valid(w.msg.bytes()) {
		return c.fail(&PeerError{CloseInvalidPayload, "text is not UTF-8"})
	}
	w.delivered = true
	if c.cfg.Stream {
		return c.message(Event{Kind: Piece, Payload: w.msg.bytes(), Fin: true})
	}
	return c.message(Event{Kind: Message, Payload: w.msg.bytes()})
}

// controlFrame takes a piece of a control frame's payload and, when the frame
// is whole, acts on it.
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
		return c.fail(&PeerError{CloseProtocolError, "close frame with half a code"})
	case len(p) >= 2:
		code, reason = CloseCode(p[0])<<8|CloseCode(p[1]), p[2:]
		if !code.Sendable() {
			return c.fail(&PeerError{CloseProtocolError, "close code that may not be sent"})
		}
		if !utf8.Valid(reason) {
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

// fail is _Fail the WebSocket Connection_ (RFC 6455 §7.1.7): say why, if a
// Close may still be sent, and read nothing more.
func (c *Conn) fail(err *PeerError) Event {
	c.failed = true
	c.abandon()
	if !c.closeSent {
		c.closeSent = true
		c.w.out = c.appendClose(c.w.out, err.Code, err.Reason)
	}
	return Event{Kind: Failed, Err: err}
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
	if w == nil || w.headLen == 0 && !w.inFrame && w.op == frame.Continuation {
		return 0, 0, false
	}
	return w.unit, w.got, true
}
