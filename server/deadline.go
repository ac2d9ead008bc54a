package server

import (
	"strconv"
	"time"

	"github.com/hawser-ws/hawser/wsproto"
)

// ticks converts a period to ticks. It is capped at 12 days, so that two times can be
// compared by their difference.
func ticks(d time.Duration) uint32 { return uint32(min(d/time.Millisecond, 1<<30)) }

// fireTimer handles the connection's deadlines that have passed, and arms its timer for
// the next one. The timer fires at the earliest time at which a deadline may have
// passed; bytes that have arrived since it was armed may have postponed the deadline.
func (l *loop) fireTimer(c *conn) {
	if c.phase == arriving {
		if a := c.value.(*accepted); a.judgement != nil {
			l.waitedTooLong(c, a)
		} else {
			l.dropArriving(c)
		}
		return
	}
	if c.phase >= closing {
		if l.cfg.CloseTimeout > 0 && l.reached(c, c.began+ticks(l.cfg.CloseTimeout)) {
			l.teardown(c)
			return
		}
	} else {
		if c.mask&wantRead == 0 {
			// We are not reading, so the silence says nothing about the peer.
			c.began, c.pinged = l.now, 0
			l.probe(c)
		}
		l.checkPing(c)
		l.checkAssembly(c)
	}
	if c.phase == gone {
		return
	}
	if c.has(flagBlocked) && c.phase < closing && l.cfg.WriteTimeout > 0 {
		if l.reached(c, c.out.lastProgress+ticks(l.cfg.WriteTimeout)) {
			l.evict(c, ErrWriteTimeout)
		}
	}
}

// reached reports whether the time has come, and arms the timer for it if not.
func (l *loop) reached(c *conn, at uint32) bool {
	if before(l.now, at) {
		l.arm(c, at)
		return false
	}
	return true
}

// checkPing pings a silent peer, or ends the connection after too many pings without
// an answer.
func (l *loop) checkPing(c *conn) {
	every := ticks(l.cfg.PingInterval)
	if every == 0 || !l.reached(c, c.heard+every*uint32(c.pinged+1)) {
		return
	}
	if l.cfg.PingMisses > 0 && int(c.pinged) >= l.cfg.PingMisses {
		l.setCause(c, &CloseError{Code: wsproto.CloseAbnormal, Local: true, Err: ErrPingTimeout})
		l.teardown(c)
		return
	}
	c.pinged++
	if c.pinged == 0 { // misses are not limited
		c.pinged, c.heard = 1, l.now
	}
	l.ping(c)
	l.arm(c, c.heard+every*uint32(c.pinged+1))
}

func (l *loop) ping(c *conn) {
	var text [20]byte
	payload := strconv.AppendInt(text[:0], l.unixMilli(), 10)
	l.growArena(2 + 4 + len(payload))
	from := len(l.arena)
	if b, err := c.proto.AppendPing(l.arena, payload); err == nil && l.fits(c, len(b)-from, l.cfg.WriteQueue) {
		l.arena = b
		l.queue(c, b[from:])
	}
}

// probe pings a peer from which nothing is read. No pong is awaited, but the peer's system
// must acknowledge the bytes, or reset the connection if the peer is gone. Otherwise we might
// never know: if more has been sent than our system takes, the end of the stream waits
// behind that.
func (l *loop) probe(c *conn) {
	every := ticks(l.cfg.PingInterval)
	if every == 0 || before(l.now, c.heard+every) {
		return
	}
	c.heard = l.now
	if c.out == nil { // otherwise what waits there is as good
		l.ping(c)
	}
}

// checkAssembly closes a connection whose message takes too long to arrive.
func (l *loop) checkAssembly(c *conn) {
	if c.phase == gone || !c.has(flagAssembling) || l.cfg.AssemblyTimeout <= 0 {
		return
	}
	_, received, _ := c.proto.Unfinished()
	allowed := l.cfg.AssemblyTimeout + time.Duration(received>>16)*time.Second
	if l.reached(c, c.began+ticks(allowed)) {
		l.expel(c, wsproto.ClosePolicyViolation, "message not complete in time", ErrAssemblyTimeout)
	}
}

// trackAssembly arms the AssemblyTimeout when the first part of a message has arrived,
// and disarms it when the message is complete.
func (l *loop) trackAssembly(c *conn) {
	unit, received, ok := c.proto.Unfinished()
	if c.endpoint.fragments != nil {
		received = min(received, c.proto.Config().MaxMessage) // no more than that is held
	}
	if c.has(flagUnread) {
		received += len(l.unread[c.slot])
	}
	l.setAssembling(c, received)
	if !ok || l.cfg.AssemblyTimeout <= 0 || c.phase >= closing {
		c.flags &^= flagAssembling
		return
	}
	if c.has(flagAssembling) && c.unit == uint16(unit) {
		return
	}
	c.flags |= flagAssembling
	c.unit, c.began = uint16(unit), l.now
	l.arm(c, l.now+ticks(l.cfg.AssemblyTimeout))
}
