package server

import (
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// Conn is a handle to a connection. It is small, comparable, and may be kept and copied.
// Once the connection is gone the handle is stale: it does nothing, and never reaches
// another connection.
//
// Its methods may be called from any goroutine. What belongs to the connection's own loop
// is in LoopConn, which callbacks are given and Do gives to others.
type Conn struct {
	conn *conn // its slot; nil in the zero Conn
	gen  uint32
}

// Send queues one message. It copies p and never blocks. Messages arrive in the order in
// which they were sent. A nil error means that the message was queued, not that it arrived.
//
// The error is ErrQueueFull if the message would exceed Config.WriteQueue, because the peer
// does not read fast enough; ErrBusy if the loop cannot keep up; ErrClosed once Close was
// called or the connection is ending; or a *wsproto.UsageError. After ErrQueueFull and
// ErrBusy the connection is as it was: try again when OnWritable says so (WritableHandler),
// use SendWait, or Evict the connection.
//
// Send does not check that text is UTF-8; if it is not, the peer fails the connection.
func (c Conn) Send(op frame.Opcode, p []byte) error {
	if !op.IsData() {
		return notData(op)
	}
	if c.closed() {
		return ErrClosed
	}
	return c.post(task{kind: taskSend, op: op}, len(p), p)
}

// SendPrepared queues m, as Send does, without copying it.
func (c Conn) SendPrepared(m *wsproto.Prepared) error {
	if m == nil {
		return errNilPrepared
	}
	if c.closed() {
		return ErrClosed
	}
	return c.post(task{kind: taskPrepared, m: m}, len(m.Payload()), nil)
}

func notData(op frame.Opcode) error {
	return &wsproto.UsageError{Reason: "a message is text or binary, not " + op.String()}
}

var errNilPrepared = &wsproto.UsageError{Reason: "a nil *wsproto.Prepared"}

// Close sends a Close frame after everything sent before it, and ends the
// connection when the peer has answered or Config.CloseTimeout has passed. No
// message is delivered after the call. The error is ErrClosed if the
// connection is already closing, or a *wsproto.UsageError for a code or reason
// that must not be sent.
func (c Conn) Close(code wsproto.CloseCode, reason string) error {
	if err := wsproto.CheckClose(code, reason); err != nil {
		return err
	}
	if c.conn == nil || !c.conn.genClosed.CompareAndSwap(c.gen<<1, c.gen<<1|1) {
		return ErrClosed
	}
	return c.conn.loop.post(task{kind: taskClose, to: c, code: code}, []byte(reason))
}

// Evict closes a connection that does not keep up. The close code is 1013, and queued messages
// of which nothing has been written are discarded. The error is ErrClosed if the connection is
// already closing.
func (c Conn) Evict() error {
	if c.conn == nil || !c.conn.genClosed.CompareAndSwap(c.gen<<1, c.gen<<1|1) {
		return ErrClosed
	}
	return c.conn.loop.post(task{kind: taskEvict, to: c}, nil)
}

// Pause stops (true) or resumes (false) reading from the peer. Messages that have
// already been read may still be delivered after it; LoopConn.Pause in OnMessage is exact. Two
// pauses are ended by one resume.
//
// A paused connection still ends when the peer ends the network connection: what it had sent is
// delivered before OnClose. A Close frame alone is read only after the connection is resumed. If
// the peer has sent more than the system takes, a few MiB at most, its end is noticed when the
// next ping is answered by a reset. So a paused connection is pinged at PingInterval, but not
// closed because no pong is read. If the peer's machine or the network is gone, TCP gives up on
// that ping after its own retries, which take minutes.
func (c Conn) Pause(paused bool) {
	if c.closed() {
		return
	}
	kind := taskResume
	if paused {
		kind = taskPause
	}
	c.conn.loop.post(task{kind: kind, to: c}, nil)
}

// Do calls f once on the connection's loop, after everything sent before has been queued
// and before anything sent later is. f must not block. The error is ErrClosed, or ErrBusy if
// the loop cannot keep up; then f is not called. Otherwise f is called, even if the
// connection ends first: then LoopConn.Ended reports true.
func (c Conn) Do(f func(LoopConn)) error {
	if c.closed() {
		return ErrClosed
	}
	return c.conn.loop.post(task{kind: taskDo, to: c, do: f}, nil)
}

// Buffered returns how many bytes wait to be written: what was sent from other goroutines,
// and what was still waiting after the loop last wrote to the connection's socket. It does not
// include what callbacks and groups have sent since then. It is 0 once the connection has
// ended.
func (c Conn) Buffered() int {
	if c.conn == nil {
		return 0
	}
	v := c.conn.posted.v.Load()
	n, behind := c.conn.buffered.Load(), c.conn.behind()
	if uint32(v>>32) != c.gen || c.conn.gen() != c.gen {
		return 0
	}
	return int(n) + int(v&postedBytes) + behind
}

// Flushed calls f once everything that was sent before has been offered to the socket, with
// what Buffered says then. f is called on the connection's loop, so it must not block; or by
// Flushed itself, with 0, if the loop has stopped.
func (c Conn) Flushed(f func(buffered int)) {
	if c.conn == nil {
		f(0)
		return
	}
	l := c.conn.loop
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
			began, first = now, false
		case now != began:
			f(c.Buffered())
			return
		}
		post()
	}
	post()
}

// closed reports whether nothing more can be sent. Any goroutine.
func (c Conn) closed() bool {
	return c.conn == nil || c.conn.genClosed.Load() != c.gen<<1
}

// here returns the connection, or nil if it is gone. Loop only.
func (c Conn) here() *conn {
	if c.conn == nil || c.conn.gen() != c.gen || !c.conn.present() {
		return nil
	}
	return c.conn
}
