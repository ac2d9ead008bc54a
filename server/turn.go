package server

import (
	"errors"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// slowTurn is how long one connection may occupy the loop before that is counted and
// logged.
const slowTurn = 100 * time.Millisecond

// event handles one event of a descriptor.
func (l *loop) event(ev event) {
	c := l.at(ev.slot)
	if c.genClosed.Load()>>1 != ev.gen || c.fd < 0 {
		return // it ended earlier in this batch
	}
	if ev.ready&canWrite != 0 {
		c.flags &^= flagBlocked
		l.markDirty(ev.slot, c)
	}
	// A hang-up or an error is reported whatever the mask, again and again, until it
	// has been read: the input before it is still delivered.
	if ev.ready&canRead != 0 && c.mask&wantRead != 0 || ev.ready&hungUp != 0 {
		l.readable(ev.slot, c)
	}
}

// readable reads one buffer of input, so that no connection keeps the others waiting
// for longer than that takes. The kernel reports what is left again.
func (l *loop) readable(slot uint32, c *conn) {
	if c.tls != nil {
		if !c.has(flagAgain) { // otherwise it has had its turn
			l.readableTLS(slot, c)
		}
		return
	}
	var n int
	err := error(syscall.EINTR)
	for err == syscall.EINTR {
		n, err = l.k.read(int(c.fd), l.input)
	}
	switch {
	case err == syscall.EAGAIN:
		return
	case err != nil:
		l.lost(slot, c, err)
		return
	case n == 0:
		l.eof(slot, c)
		return
	}
	l.arrived(slot, c, l.input[:n])
}

// arrived handles what was read.
func (l *loop) arrived(slot uint32, c *conn, p []byte) {
	l.traffic[bytesIn] += uint64(len(p))
	c.heard = l.now
	c.pinged = 0
	switch {
	case c.has(flagEnding | flagShut): // discarded: we only wait for the end of the stream
	case c.has(flagUnread): // read because of a hang-up, although the connection is paused
		l.unread[slot] = append(l.unread[slot], p...)
	default:
		l.feed(slot, c, p)
	}
}

// feed gives input to the protocol and handles the events that result.
func (l *loop) feed(slot uint32, c *conn, p []byte) {
	started := l.cfg.now()
	me := Conn{l, slot, c.genClosed.Load() >> 1}
	c.proto.Feed(p)
	for more := true; more; {
		ev := c.proto.Next()
		if out := c.proto.Output(); out != nil {
			l.sendOwn(slot, c, out)
		}
		switch ev.Kind {
		case wsproto.Message:
			if c.genClosed.Load()&1 == 0 {
				l.traffic[messagesIn]++
				l.onMessage(me, ev.Opcode, ev.Payload)
				// What it sent goes before what the next frame causes.
				l.deliver()
				if c.has(flagPaused) {
					l.keepUnread(slot, c, c.proto.Unread())
					more = false
				}
			}
		case wsproto.Ping, wsproto.Pong:
			l.countControl(slot, c)
		case wsproto.Closed:
			l.beginClosing(slot, c, &CloseError{Code: ev.Code, Reason: string(ev.Payload)})
		case wsproto.Failed:
			var peer *wsproto.PeerError
			errors.As(ev.Err, &peer)
			l.beginClosing(slot, c, &CloseError{Code: peer.Code, Reason: peer.Reason, Local: true, Err: peer})
			c.flags |= flagEnding
		case wsproto.NeedData:
			more = false
		}
	}
	l.trackAssembly(slot, c)
	if took := l.cfg.now() - started; took > slowTurn {
		l.noteSlow(me, took)
	}
}

// countControl limits the rate of control frames: they are work for us and none for the
// peer.
func (l *loop) countControl(slot uint32, c *conn) {
	if l.cfg.MaxControlRate == 0 {
		return
	}
	if second := l.now / 1000; second != c.window {
		c.window, c.control = second, 0
	}
	c.control++
	if int(c.control) > l.cfg.MaxControlRate && !c.has(flagEnding) {
		l.expel(slot, c, wsproto.ClosePolicyViolation, "too many control frames", ErrControlRate)
	}
}

func (l *loop) noteSlow(c Conn, took time.Duration) {
	l.stats.slow.Add(1)
	if l.loggedSlow == 0 || l.cfg.now()-l.loggedSlow > 5*time.Second {
		l.loggedSlow = l.cfg.now()
		l.cfg.Logger.Warn("handler blocked its event loop", "took", took, "remote", c.RemoteAddr(), "times", l.stats.slow.Load())
	}
}

// The callbacks. A panic in one ends its connection only.

func (l *loop) onOpen(c Conn) {
	defer l.recoverPanic(c)
	l.at(c.slot).endpoint.handler.OnOpen(c)
}

func (l *loop) onMessage(c Conn, op frame.Opcode, p []byte) {
	defer l.recoverPanic(c)
	l.at(c.slot).endpoint.handler.OnMessage(c, op, p)
}

func (l *loop) onWritable(c Conn) {
	defer l.recoverPanic(c)
	l.at(c.slot).endpoint.writable.OnWritable(c)
}

func (l *loop) onClose(c Conn, why *CloseError) {
	defer l.recoverPanic(c)
	l.at(c.slot).endpoint.handler.OnClose(c, why)
}

func (l *loop) recoverPanic(c Conn) {
	r := recover()
	if r == nil {
		return
	}
	l.stats.panics.Add(1)
	l.cfg.Logger.Error("handler panicked", "panic", r, "remote", c.RemoteAddr(), "stack", string(debug.Stack()))
	if p := l.at(c.slot); !p.has(flagGone) {
		// What the callback sent before it panicked goes first.
		l.deliver()
		l.expel(c.slot, p, wsproto.CloseInternalError, "internal error", ErrPanic)
	}
}
