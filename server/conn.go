package server

import (
	"net/netip"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// Conn is a handle to a connection: the loop it lives on, its slot there, and
// the generation of the slot. It is small, comparable, and may be kept and
// copied; once the connection is gone the handle is stale and does nothing.
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
// loop cannot keep up, or a *wsproto.UsageError. Send does not check that text is
// UTF-8; if it is not, the peer fails the connection.
func (c Conn) Send(op frame.Opcode, p []byte) error {
	if !op.IsData() {
		return &wsproto.UsageError{Reason: "a message is text or binary, not " + op.String()}
	}
	if c.closed() {
		return ErrClosed
	}
	if c.loop.maySendDirectly() {
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
	if c.loop.maySendDirectly() {
		c.loop.sendPrepared(c.slot, c.loop.at(c.slot), m, Evict, nil)
		return nil
	}
	return c.loop.post(task{kind: taskPrepared, slot: c.slot, gen: c.gen, m: m}, nil)
}

// Close sends a Close frame after everything sent before it, and ends the
// connection when the peer has answered or Config.CloseTimeout has passed. No
// message is delivered after the call. The error is ErrClosed if the
// connection is already closing, or a *wsproto.UsageError for a code or reason
// that must not be sent.
func (c Conn) Close(code wsproto.CloseCode, reason string) error {
	if err := wsproto.CheckClose(code, reason); err != nil {
		return err
	}
	if c.loop == nil || !c.loop.at(c.slot).genClosed.CompareAndSwap(c.gen<<1, c.gen<<1|1) {
		return ErrClosed
	}
	return c.loop.post(task{kind: taskClose, slot: c.slot, gen: c.gen, code: code}, []byte(reason))
}

// Pause stops (true) or resumes (false) reading from the peer. If it is called in
// OnMessage, the next message is delivered only after the connection is resumed; if it
// is called elsewhere, messages that have already been read may still be delivered. A
// paused connection is not pinged, because the silence is ours. Closing still works:
// when the peer ends a paused connection, what had been read is delivered before
// OnClose.
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

// Buffered returns how many bytes were still waiting after the loop last wrote to the
// connection's socket; 0 once the connection has ended. It does not include what was
// sent since then.
func (c Conn) Buffered() int {
	if c.loop == nil {
		return 0
	}
	p := c.loop.at(c.slot)
	n := p.buffered.Load()
	if p.genClosed.Load()>>1 != c.gen {
		return 0
	}
	return int(n)
}

// Flushed calls f once everything that was sent before has been offered to the socket, with
// what Buffered says then. f is called on the connection's loop, so it must not block; or by
// Flushed itself, with 0, if the loop has stopped.
func (c Conn) Flushed(f func(buffered int)) {
	if c.loop == nil {
		f(0)
		return
	}
	l := c.loop
	began, first := uint64(0), true
	var call func()
	post := func() {
		if l.post(task{kind: taskCall, call: call}, nil) != nil {
			f(0)
		}
	}
	call = func() {
		// What was sent is in the queue of the connection now. The loop writes at the end
		// of its iteration.
		switch now := l.stats.iterations.Load(); {
		case first:
			began, first = uint64(now), false
		case uint64(now) != began:
			f(c.Buffered())
			return
		}
		post()
	}
	post()
}

func (c Conn) closed() bool {
	return c.loop == nil || c.loop.at(c.slot).genClosed.Load() != c.gen<<1
}

// here returns the connection, or nil if it is gone. Loop only.
func (c Conn) here() *conn {
	if c.loop == nil {
		return nil
	}
	if p := c.loop.at(c.slot); p.genClosed.Load()>>1 == c.gen && p.fd >= 0 {
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
// only in the connection's OnOpen; later it returns the zero Result.
func (c Conn) Handshake() handshake.Result {
	if p := c.here(); p != nil && p.has(flagOpening) {
		return c.loop.opening.res
	}
	return handshake.Result{}
}

// RemoteAddr returns the peer's address, or the zero AddrPort if it has none or the
// connection is gone. Behind a proxy that names the client (Config.ClientAddr, or the
// RemoteAddr of the listener's connections) it is the client's address. It may be
// called only in a callback of this connection.
func (c Conn) RemoteAddr() netip.AddrPort {
	p := c.here()
	if p == nil {
		return netip.AddrPort{}
	}
	if addr, ok := c.loop.remotes[c.slot]; ok {
		return addr
	}
	if p.has(flagOpening) && c.loop.opening.peer.IsValid() {
		return c.loop.opening.peer // which saves a system call for each connection
	}
	return c.loop.k.peer(int(p.fd))
}
