package wsproto

import (
	"fmt"
	"math"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto/snapshot"
)

// Versions of the format in which AppendState writes. RestoreState reads all from OldestState
// to NewestState; there are never more than two of them.
const (
	OldestState = 1
	NewestState = 1
)

// StateError says why RestoreState refused a state.
type StateError struct{ Reason string }

func (e *StateError) Error() string { return "wsproto: restore state: " + e.Reason }

var errState = &StateError{"malformed"}

// The state, version 1:
//
//	state   = version flags sending [codec] [message frame]
//	codec   = direction direction            ; in, out. With stateDeflate.
//	direction = bits-and-takeover window
//	message = received opcode [fragments compressed utf8 payload]   ; With stateUnfinished.
//	frame   = inNone / inHead head / inPayload fin-and-opcode [key] left [control]
const (
	stateClient = 1 << iota
	stateStream
	stateCloseSent
	stateCloseReceived
	stateFailed
	stateDeflate
	stateUnfinished
)

// Where in a frame an unfinished connection is.
const (
	betweenFrames = iota
	inHead
	inPayload
)

// AppendState appends the state of the connection to dst and returns the extended slice, so that
// another process can go on from there with RestoreState: the negotiated compression, the received
// part of an incomplete frame or message, the message that is being sent in fragments, the windows
// of both compressors, and how far the closing handshake has come. It is in the format of the given
// version, which both processes must know. c is not modified, and may also go on itself.
//
// The state contains message data and must be kept as secret as that. Its size is that of the
// incomplete message plus, with compression, up to 64 KiB.
//
// AppendState panics if input from Feed has not been read (Unread takes it back), if Output has
// not been taken, or if the version is not known.
func (c *Conn) AppendState(dst []byte, version int) []byte {
	w := c.w
	switch {
	case version < OldestState || version > NewestState:
		panic(fmt.Sprintf("wsproto: AppendState in the unknown version %d", version))
	case len(c.in) > 0:
		panic("wsproto: AppendState before Next returned NeedData")
	case w != nil && len(w.out) > 0:
		panic("wsproto: AppendState before Output")
	}
	// If no more is read, an unfinished message will not be read either; see forgetInput.
	unfinished := w.unfinished() && !c.failed && !c.closeReceived
	flags := c.configFlags()
	for _, f := range []struct {
		on  bool
		bit byte
	}{
		{c.closeSent, stateCloseSent}, {c.closeReceived, stateCloseReceived}, {c.failed, stateFailed},
		{c.z != nil, stateDeflate}, {unfinished, stateUnfinished},
	} {
		if f.on {
			flags |= f.bit
		}
	}
	dst = append(dst, byte(version), flags, byte(c.sending))
	if c.z != nil {
		dst = c.z.in.appendState(dst)
		dst = c.z.out.appendState(dst)
	}
	if unfinished {
		dst = w.appendMessage(dst)
		dst = w.appendFrame(dst)
	}
	return dst
}

// configFlags are what both sides' Configs must have in common.
func (c *Conn) configFlags() (flags byte) {
	if c.cfg.Role == Client {
		flags |= stateClient
	}
	if c.cfg.Stream {
		flags |= stateStream
	}
	return flags
}

func (d *direction) appendState(dst []byte) []byte {
	b := d.bits
	if d.takeover {
		b |= 0x80
	}
	return snapshot.AppendBytes(append(dst, b), d.window.b)
}

func (w *work) appendMessage(dst []byte) []byte {
	dst = snapshot.AppendInt(dst, w.received)
	dst = append(dst, byte(w.op))
	if w.op == frame.Continuation {
		return dst
	}
	dst = snapshot.AppendInt(dst, w.fragments)
	dst = snapshot.AppendBool(dst, w.deflated)
	if u := w.utf8; u.need > 0 {
		dst = append(dst, u.need, u.lo, u.hi)
	} else {
		dst = append(dst, 0)
	}
	return snapshot.AppendBytes(dst, w.msg.bytes())
}

func (w *work) appendFrame(dst []byte) []byte {
	switch {
	case w.headLen > 0:
		return snapshot.AppendBytes(append(dst, inHead), w.head[:w.headLen])
	case !w.inFrame:
		return append(dst, betweenFrames)
	}
	b := byte(w.h.Opcode)
	if w.h.Fin {
		b |= 0x80
	}
	dst = append(dst, inPayload, b)
	if w.h.Masked {
		dst = snapshot.AppendUint(dst, uint64(w.h.Key))
	}
	dst = snapshot.AppendUint(dst, w.h.Length)
	if w.h.Opcode.IsControl() {
		dst = snapshot.AppendBytes(dst, w.control)
	}
	return dst
}

// RestoreState makes c, which must be as Init left it, go on where AppendState was called on another
// connection, usually in another process. The Config must have the same Role and Stream. Its
// limits may differ: they apply from the next frame on. UseDeflate must not be called; the
// state says what was negotiated.
//
// The error is a *StateError: for a state that AppendState has not made, for a version that is not
// known, or for another Config. c is then as Init left it. RestoreState copies what it keeps, and
// allocates no more than that.
func (c *Conn) RestoreState(state []byte) error {
	r := snapshot.NewReader(state)
	if v := int(r.Byte()); v < OldestState || v > NewestState {
		return &StateError{fmt.Sprintf("version %d is not one of %d to %d", v, OldestState, NewestState)}
	}
	flags := r.Byte()
	if flags&(stateClient|stateStream) != c.configFlags() {
		return &StateError{"it is of the other role, or differs in Config.Stream"}
	}
	c.closeSent = flags&stateCloseSent != 0
	c.closeReceived = flags&stateCloseReceived != 0
	c.failed = flags&stateFailed != 0
	c.sending = fragments(r.Byte())
	if flags&stateDeflate != 0 {
		c.z = &codec{in: readDirection(r), out: readDirection(r)}
	}
	if !c.plausible(flags) {
		r.Fail()
	}
	if flags&stateUnfinished != 0 && r.Err() == nil {
		c.needWork()
		c.readMessage(r)
		c.readFrame(r)
	}
	if r.End() != nil {
		c.Release()
		c.Init(c.cfg)
		return errState
	}
	return nil
}

// plausible reports whether a connection can be in such a state.
func (c *Conn) plausible(flags byte) bool {
	ended := c.failed || c.closeReceived
	switch {
	case flags&0x80 != 0, c.sending > compressed:
		return false
	case ended && (!c.closeSent || flags&stateUnfinished != 0):
		return false
	case c.z == nil:
		return c.sending != compressed
	case len(c.z.in.window.b) > 0 && !c.z.in.takeover:
		return false
	}
	return len(c.z.out.window.b) == 0 || c.z.out.takeover || c.sending == compressed
}

func readDirection(r *snapshot.Reader) (d direction) {
	b := r.Byte()
	d.takeover, d.bits = b&0x80 != 0, b&0x7F
	if d.bits < minWindowBits || d.bits > maxWindowBits {
		r.Fail()
		return direction{}
	}
	d.window.add(r.Bytes(1<<d.bits), 1<<d.bits)
	return d
}

func (c *Conn) readMessage(r *snapshot.Reader) {
	w := c.w
	w.received = r.Int(math.MaxInt)
	op := frame.Opcode(r.Byte())
	if op == frame.Continuation {
		return
	}
	w.fragments = r.Int(math.MaxInt)
	w.deflated = r.Bool()
	w.utf8 = utf8Check{need: r.Byte()}
	if w.utf8.need > 0 {
		w.utf8.lo, w.utf8.hi = r.Byte(), r.Byte()
	}
	p := r.Bytes(r.Len())
	checksUTF8 := op == frame.Text && !w.deflated
	if r.Err() != nil || !op.IsData() || w.fragments == 0 || w.deflated && c.z == nil ||
		!w.utf8.plausible() || w.utf8.need > 0 && !checksUTF8 || len(p) > 0 && c.cfg.Stream && !w.deflated {
		r.Fail()
		return
	}
	w.op = op
	w.msg = w.msg.append(p)
}

// plausible reports whether lo and hi are a range in which the next byte can lie.
func (u *utf8Check) plausible() bool {
	switch [3]byte{u.need, u.lo, u.hi} {
	case [3]byte{}, [3]byte{1, 0x80, 0xBF}, [3]byte{2, 0x80, 0xBF}, [3]byte{3, 0x80, 0xBF},
		[3]byte{2, 0xA0, 0xBF}, [3]byte{2, 0x80, 0x9F}, [3]byte{3, 0x90, 0xBF}, [3]byte{3, 0x80, 0x8F}:
		return true
	}
	return false
}

func (c *Conn) readFrame(r *snapshot.Reader) {
	w := c.w
	switch r.Byte() {
	case betweenFrames:
		if w.op == frame.Continuation {
			r.Fail() // then nothing is unfinished
		}
	case inHead:
		head := r.Bytes(len(w.head) - 1)
		h, n, err := frame.ParseHeader(head)
		if len(head) == 0 || n != 0 || err != nil || len(head) >= 2 && c.check(&h) != nil {
			r.Fail()
			return
		}
		w.headLen = copy(w.head[:], head)
	case inPayload:
		c.readPayload(r)
	default:
		r.Fail()
	}
}

func (c *Conn) readPayload(r *snapshot.Reader) {
	w := c.w
	b := r.Byte()
	h := frame.Header{Fin: b&0x80 != 0, Opcode: frame.Opcode(b &^ 0x80), Masked: c.cfg.Role == Server}
	if h.Masked {
		h.Key = r.Uint32()
	}
	h.Length = r.Uint(math.MaxInt64)
	ok := h.Length > 0
	switch h.Opcode {
	case frame.Continuation:
		ok = ok && w.op != frame.Continuation
	case frame.Text, frame.Binary:
		ok = ok && w.op == h.Opcode && w.fragments == 1
	case frame.Ping, frame.Pong, frame.Close:
		control := r.Bytes(frame.MaxControlPayload)
		ok = ok && h.Fin && h.Length+uint64(len(control)) <= frame.MaxControlPayload
		w.control = append(w.control[:0], control...)
	default:
		ok = false
	}
	if !ok || r.Err() != nil {
		w.control = w.control[:0]
		r.Fail()
		return
	}
	w.h, w.inFrame = h, true
}
