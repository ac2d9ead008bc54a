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
	if c.phase == arriving && c.gen() == ev.gen {
		if a := c.value.(*accepted); a.judgement != nil {
			l.readEarly(c, a)
		} else {
			l.readOpening(c)
		}
		return
	}
	if c.gen() != ev.gen || !c.present() {
		return // it ended earlier in this batch
	}
	if ev.ready&canWrite != 0 {
		c.flags &^= flagBlocked
		l.markDirty(c)
	}
	// A hang-up or an error is reported whatever the mask, again and again, until it
	// has been read: the input before it is still delivered.
	if ev.ready&canRead != 0 && c.mask&wantRead != 0 || ev.ready&hungUp != 0 {
		l.readable(c)
	}
}

// readable reads one buffer of input, so that no connection keeps the others waiting
// for longer than that takes. The kernel reports what is left again.
func (l *loop) readable(c *conn) {
	if c.tls != nil {
		if !c.has(flagAgain) { // otherwise it has had its turn
			l.readableTLS(c)
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
		l.lost(c, err)
		return
	case n == 0:
		l.eof(c)
		return
	}
	l.arrived(c, l.input[:n])
}

// arrived handles what was read.
func (l *loop) arrived(c *conn, p []byte) {
	l.traffic[bytesIn] += uint64(len(p))
	c.heard = l.now
	c.pinged = 0
	switch {
	case c.phase >= draining: // discarded: we only wait for the end of the stream
	case c.has(flagUnread | flagPaused): // read because of a hang-up, although the connection is paused
		l.keepUnread(c, p)
		l.setAssembling(c, int(c.assembling)+len(p))
	default:
		l.feed(c, p)
	}
}

// feed gives input to the protocol and handles the events that result.
func (l *loop) feed(c *conn, p []byte) {
	started := l.cfg.now()
	c.proto.Feed(p)
	for more := true; more; {
		ev, ok := c.proto.TakeMessage()
		if !ok {
			// What the messages before it caused goes before what the next frame causes.
			l.deliver()
			ev = c.proto.Next()
			if out := c.proto.Output(); out != nil {
				l.sendOwn(c, out)
			}
		}
		switch ev.Kind {
		case wsproto.Message, wsproto.Piece:
			if c.genClosed.Load()&1 == 0 {
				if ev.Kind == wsproto.Message {
					l.traffic[messagesIn]++
					l.onMessage(c, ev.Opcode, ev.Payload)
				} else {
					if ev.Fin {
						l.traffic[messagesIn]++
					}
					l.onFragment(c, ev.Opcode, ev.Payload, ev.Fin)
				}
				if l.hasMore.Load() { // messages of groups may wait for more of them: see groupRun
					l.deliver()
				}
				if c.has(flagPaused) {
					l.keepUnread(c, c.proto.Unread())
					more = false
				}
			}
		case wsproto.Ping, wsproto.Pong:
			l.countControl(c)
		case wsproto.Closed:
			l.beginClosing(c, &CloseError{Code: ev.Code, Reason: string(ev.Payload)})
		case wsproto.Failed:
			var peer *wsproto.PeerError
			errors.As(ev.Err, &peer)
			l.beginClosing(c, &CloseError{Code: peer.Code, Reason: peer.Reason, Local: true, Err: peer})
			c.endInput()
		case wsproto.NeedData:
			more = false
		}
	}
	l.trackAssembly(c)
	if took := l.cfg.now() - started; took > slowTurn {
		l.noteSlow(c, took)
	}
}

// countControl limits the rate of control frames: they are work for us and none for the
// peer.
func (l *loop) countControl(c *conn) {
	if l.cfg.MaxControlRate == 0 {
		return
	}
	if second := uint16(l.now / 1000); second != c.window {
		c.window, c.control = second, 0
	}
	c.control++
	if int(c.control) > l.cfg.MaxControlRate && c.phase < draining {
		l.expel(c, wsproto.ClosePolicyViolation, "too many control frames", ErrControlRate)
	}
}

func (l *loop) noteSlow(c *conn, took time.Duration) {
	l.stats.slow.Add(1)
	if l.loggedSlow == 0 || l.cfg.now()-l.loggedSlow > 5*time.Second {
		l.loggedSlow = l.cfg.now()
		l.cfg.Logger.Warn("handler blocked its event loop", "took", took, "remote", c.remoteAddr(), "times", l.stats.slow.Load())
	}
}

// The callbacks. A panic in one ends its connection only.

func (l *loop) onOpen(c *conn) {
	defer l.leave(c)
	c.endpoint.handler.OnOpen(l.enter(c))
}

func (l *loop) onMessage(c *conn, op frame.Opcode, p []byte) {
	defer l.leave(c)
	c.endpoint.handler.OnMessage(l.enter(c), op, p)
}

func (l *loop) onWritable(c *conn) {
	defer l.leave(c)
	c.endpoint.writable.OnWritable(l.enter(c))
}

func (l *loop) onClose(c *conn) {
	defer l.leave(c)
	c.endpoint.handler.OnClose(l.enter(c), c.cause())
}

// leave ends a callback of c.
func (l *loop) leave(c *conn) {
	l.callback++
	r := recover()
	if r == nil {
		return
	}
	l.stats.panics.Add(1)
	l.cfg.Logger.Error("handler panicked", "panic", r, "remote", c.remoteAddr(), "stack", string(debug.Stack()))
	// What the callback sent before it panicked goes first.
	l.post(task{kind: taskPanicked, to: c.handle()}, nil)
	if !l.delivering {
		l.deliver()
	}
}
