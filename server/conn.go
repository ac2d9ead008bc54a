package server

import (
	"net/netip"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// Conn is a handle of a connection: the loop it lives on, its slot there, and
// the generation of the slot. It is small, comparable, and may be kept and
// copied; once the connection is gone the handle reaches nobody.
//
// Methods may be called from any goroutine unless they say otherwise.
type Conn struct {
	loop *loop
	slot uint32
	gen  uint32
}

// Send queues one message. It copies p, never blocks, and costs no system call
// in a callback. Messages arrive in the order in which they were sent. A nil
// error means that the message was queued, not that it arrived. The error is
// ErrClosed once Close was called or the connection is ending, ErrBusy if the
// loop cannot keep up, or a *wsproto.UsageError. That text is UTF-8 is not checked: a
// peer fails the connection where it is not.
func (c Conn) Send(op frame.Opcode, p []byte) error {
	if !op.IsData() {
		return &wsproto.UsageError{Reason: "a message is text or binary, not " + op.String()}
	}
	if c.closed() {
		return ErrClosed
	}
	if c.loop.direct() {
		c.loop.sendMessage(c.slot, c.loop.at(c.slot), op, p)
		return nil
	}
	return c.loop.post(task{kind: taskSend, slot: c.slot, gen: c.gen, op: op}, p)
}

// SendPrepared queues m, as Send does, without copying it.
func (c Conn) SendPrepared(m *wsproto.Prepared) error {
	if m == nil {
		return &wsproto.UsageError{Reason: "a nil *wsproto.Prepared"}
	}
	if c.closed() {
		return ErrClosed
	}
	if c.loop.direct() {
		c.loop.sendPrepared(c.slot, c.loop.at(c.slot), m, Evict, nil)
		return nil
	}
	return c.loop.post(task{kind: taskPrepared, slot: c.slot, gen: c.gen, m: m}, nil)
}

// Close sends a Close frame behind everything sent before, and ends the
// connection when the peer has answered or Config.CloseTimeout is over. From
// the call on no message is delivered. The error is ErrClosed if the
// connection is already closing, or a *wsproto.UsageError for a code or reason
// that may not be sent.
func (c Conn) Close(code wsproto.CloseCode, reason string) error {
	if err := wsproto.CheckClose(code, reason); err != nil {
		return err
	}
	if c.loop == nil || !c.loop.at(c.slot).word.CompareAndSwap(c.gen<<1, c.gen<<1|1) {
		return ErrClosed
	}
	return c.loop.post(task{kind: taskClose, slot: c.slot, gen: c.gen, code: code}, []byte(reason))
}

// Pause stops reading from the peer, or resumes it. When it is called in OnMessage,
// the next message is delivered after the connection was resumed; from elsewhere, those
// of the turn at hand still arrive. Pings rest meanwhile, because the silence is not the
// peer's; closing goes on, and what had been read when the peer ended the
// connection is delivered before OnClose.
func (c Conn) Pause(paused bool) {
	if c.closed() {
		return
	}
	kind := taskResume
	if paused {
		kind = taskPause
	}
	c.loop.post(task{kind: kind, slot: c.slot, gen: c.gen}, nil)
}

// Buffered returns how many bytes waited to be written after the loop had last
// written what the connection's socket would take; 0 once the connection has
// ended. What was sent since then is not in it.
func (c Conn) Buffered() int {
	if c.loop == nil {
		return 0
	}
	p := c.loop.at(c.slot)
	n := p.buffered.Load()
	if p.word.Load()>>1 != c.gen {
		return 0
	}
	return int(n)
}

func (c Conn) closed() bool {
	return c.loop == nil || c.loop.at(c.slot).word.Load() != c.gen<<1
}

// here returns the connection, or nil if it is gone. Loop only.
func (c Conn) here() *conn {
	if c.loop == nil {
		return nil
	}
	if p := c.loop.at(c.slot); p.word.Load()>>1 == c.gen && p.fd >= 0 {
		return p
	}
	return nil
}

// Value returns what Config.Admit or SetValue gave this connection. It may be
// called only in a callback of this connection.
func (c Conn) Value() any {
	if p := c.here(); p != nil {
		return p.value
	}
	return nil
}

// SetValue keeps v with the connection until its OnClose has returned. It may
// be called only in a callback of this connection.
func (c Conn) SetValue(v any) {
	if p := c.here(); p != nil {
		p.value = v
	}
}

// Handshake returns what the opening handshake negotiated. It may be called
// only in the connection's OnOpen; later it is the zero Result.
func (c Conn) Handshake() handshake.Result {
	if p := c.here(); p != nil && p.has(flagOpening) {
		return c.loop.opening
	}
	return handshake.Result{}
}

// RemoteAddr returns the other end's address, or the zero AddrPort if it has
// none or is gone: the client's where a proxy named it (Config.ClientAddr, or a
// listener whose connections do), else what the kernel says. It may be called only
// in a callback of this connection.
func (c Conn) RemoteAddr() netip.AddrPort {
	p := c.here()
	if p == nil {
		return netip.AddrPort{}
	}
	if addr, ok := c.loop.remotes[c.slot]; ok {
		return addr
	}
	return c.loop.k.peer(int(p.fd))
}
