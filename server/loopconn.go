package server

import (
	"net/netip"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// LoopConn is a connection inside a callback of its own, on its loop. There it may be
// asked for what only the loop knows, and it sends without a lock. It is valid until the
// callback returns, and only on the callback's goroutine; using it later panics. What is to
// be kept is Conn.
type LoopConn struct {
	conn *conn
	call uint32 // the callback, counted by the loop
}

// enter begins a callback of c.
func (l *loop) enter(c *conn) LoopConn {
	l.callback++
	return LoopConn{c, l.callback}
}

// valid returns the connection, and panics if its callback has returned.
func (c LoopConn) valid() *conn {
	if c.conn == nil || c.conn.loop.callback != c.call {
		panic("server: a LoopConn is used after its callback; keep LoopConn.Conn instead")
	}
	return c.conn
}

// Conn returns the connection's handle, which may be kept.
func (c LoopConn) Conn() Conn { return c.valid().handle() }

// Ended reports whether the connection has ended: in OnClose, and in a function given to
// Do that was called too late.
func (c LoopConn) Ended() bool { return !c.valid().present() }

// Send queues one message, as Conn.Send does. What a callback sends is written with one
// system call when the loop has handled the other events of its iteration.
func (c LoopConn) Send(op frame.Opcode, p []byte) error {
	if !op.IsData() {
		return notData(op)
	}
	me := c.valid()
	if me.genClosed.Load()&1 != 0 {
		return ErrClosed
	}
	l := me.loop
	if !l.mayActDirectly() {
		return me.handle().post(task{kind: taskSend, op: op}, len(p), p)
	}
	if err := l.makeRoom(me, frameSize(len(p))); err != nil {
		return err
	}
	l.sendMessage(me, op, p)
	return nil
}

// SendPrepared queues m, as Send does, without copying it.
func (c LoopConn) SendPrepared(m *wsproto.Prepared) error {
	if m == nil {
		return errNilPrepared
	}
	me := c.valid()
	if me.genClosed.Load()&1 != 0 {
		return ErrClosed
	}
	l := me.loop
	if !l.mayActDirectly() {
		return me.handle().post(task{kind: taskPrepared, m: m}, len(m.Payload()), nil)
	}
	if err := l.makeRoom(me, frameSize(len(m.Payload()))); err != nil {
		return err
	}
	l.queuePrepared(me, m, nil, nil)
	return nil
}

// makeRoom returns an error unless n bytes may be sent now.
func (l *loop) makeRoom(c *conn, n int) error {
	switch {
	case l.fits(c, n, l.cfg.WriteQueue):
		return nil
	case c.has(flagFailed):
		return ErrClosed
	}
	l.tellRoom(c, n)
	return ErrQueueFull
}

// Close closes the connection; see Conn.Close.
func (c LoopConn) Close(code wsproto.CloseCode, reason string) error {
	return c.Conn().Close(code, reason)
}

// Evict closes a connection that does not keep up; see Conn.Evict.
func (c LoopConn) Evict() error { return c.Conn().Evict() }

// Pause stops (true) or resumes (false) reading from the peer; see Conn.Pause. If it is
// called in OnMessage, the next message is delivered only after the connection is resumed.
func (c LoopConn) Pause(paused bool) { c.Conn().Pause(paused) }

// Buffered returns how many bytes wait to be written, with what this callback has sent.
func (c LoopConn) Buffered() int {
	me := c.valid()
	return me.waiting() + me.behind() + int(me.posted.v.Load()&postedBytes)
}

// Value returns what Config.Admit or SetValue gave this connection.
func (c LoopConn) Value() any { return c.valid().value }

// SetValue keeps v with the connection until its OnClose has returned.
func (c LoopConn) SetValue(v any) {
	if me := c.valid(); me.phase != vacant {
		me.value = v
	}
}

// SetMaxMessage replaces Config.MaxMessage for this connection: a server may let a peer send
// little before it has logged in, and more then. It applies from the next frame on; of a message
// that has begun, all of its fragments count. It panics if n is not positive.
func (c LoopConn) SetMaxMessage(n int) {
	if n <= 0 {
		panic("server: SetMaxMessage: the maximum must be positive")
	}
	if me := c.valid(); me.present() {
		me.proto.SetConfig(me.endpoint.config(me.proto.Config(), n))
	}
}

// Handshake returns what the opening handshake negotiated. The Result is shared and must
// not be modified.
func (c LoopConn) Handshake() handshake.Result {
	if res := c.valid().negotiated(); res != nil {
		return *res
	}
	return handshake.Result{}
}

// RemoteAddr returns the peer's address, or the zero AddrPort if it has none. In OnClose it is
// the zero AddrPort if the system has forgotten the connection, as it has after a close
// handshake; a Handler that needs it there keeps it by SetValue. Behind a proxy that names
// the client (Config.ClientAddr, or the RemoteAddr of the listener's connections) it is the
// client's address.
func (c LoopConn) RemoteAddr() netip.AddrPort { return c.valid().remoteAddr() }

func (c *conn) remoteAddr() netip.AddrPort {
	l := c.loop
	if addr, ok := l.remotes[c.slot]; ok {
		return addr
	}
	if o := l.opening; o != nil && o.conn.conn == c && o.peer.IsValid() {
		return o.peer // which saves a system call for each connection
	}
	if c.phase == vacant {
		return netip.AddrPort{}
	}
	return l.k.peer(int(c.fd))
}
