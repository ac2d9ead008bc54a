package server

import (
	"strconv"
	"time"

	"github.com/hawser-ws/hawser/wsproto"
)

// ticks is a period in ticks. It is cut at 12 days, so that two times can be
// compared by their difference.
func ticks(d time.Duration) uint32 { return uint32(min(d/time.Millisecond, 1<<30)) }

// due does what a connection's time has come for, and arms its timer for what
// comes next. The timer fires at the earliest time at which something may be
// due; bytes that arrived since then may have put it off.
func (l *loop) due(slot uint32, c *conn) {
	if c.has(flagClosing) {
		if l.cfg.CloseTimeout > 0 && l.reached(slot, c, c.began+ticks(l.cfg.CloseTimeout)) {
			l.teardown(slot, c)
			return
		}
	} else {
		if c.mask&wantRead == 0 {
			// It is we who do not read: the peer may be as lively as ever.
			c.heard, c.began, c.pinged = l.now, l.now, 0
		}
		l.duePing(slot, c)
		l.dueMessage(slot, c)
	}
	if c.has(flagGone) {
		return
	}
	if c.has(flagBlocked) && !c.has(flagClosing) && l.cfg.WriteTimeout > 0 {
		if l.reached(slot, c, c.out.moved+ticks(l.cfg.WriteTimeout)) {
			l.evict(slot, c, ErrWriteTimeout)
		}
	}
}

// reached reports whether the time has come, and arms the timer if it has not.
func (l *loop) reached(slot uint32, c *conn, at uint32) bool {
	if before(l.now, at) {
		l.arm(slot, c, at)
		return false
	}
	return true
}

// duePing pings a silent peer, or gives it up.
func (l *loop) duePing(slot uint32, c *conn) {
	every := ticks(l.cfg.PingInterval)
	if every == 0 || !l.reached(slot, c, c.heard+every*uint32(c.pinged+1)) {
		return
	}
	if l.cfg.PingMisses > 0 && int(c.pinged) >= l.cfg.PingMisses {
		l.blame(c, &CloseError{Code: wsproto.CloseAbnormal, Local: true, Err: ErrPingTimeout})
		l.teardown(slot, c)
		return
	}
	c.pinged++
	if c.pinged == 0 { // misses are not limited
		c.pinged, c.heard = 1, l.now
	}
	var text [20]byte
	payload := strconv.AppendInt(text[:0], l.unixMilli(), 10)
	l.room(2 + 4 + len(payload))
	from := len(l.arena)
	if b, err := c.proto.AppendPing(l.arena, payload); err == nil && l.fits(c, len(b)-from) {
		l.arena = b
		l.queue(slot, c, b[from:])
	}
	l.arm(slot, c, c.heard+every*uint32(c.pinged+1))
}

// dueMessage closes a connection whose message takes too long to arrive.
func (l *loop) dueMessage(slot uint32, c *conn) {
	if c.has(flagGone) || !c.has(flagAssembling) || l.cfg.AssemblyTimeout <= 0 {
		return
	}
	_, received, _ := c.proto.Unfinished()
	allowed := l.cfg.AssemblyTimeout + time.Duration(received>>16)*time.Second
	if l.reached(slot, c, c.began+ticks(allowed)) {
		l.expel(slot, c, wsproto.ClosePolicyViolation, "message not complete in time", ErrAssemblyTimeout)
	}
}

// watch starts the clock of a message that is not complete, and stops that of
// one that is.
func (l *loop) watch(slot uint32, c *conn) {
	unit, received, ok := c.proto.Unfinished()
	if c.has(flagUnread) {
		received += len(l.unread[slot])
	}
	l.hold(c, received)
	if !ok || l.cfg.AssemblyTimeout <= 0 || c.has(flagClosing) {
		c.flags &^= flagAssembling
		return
	}
	if c.has(flagAssembling) && c.unit == unit {
		return
	}
	c.flags |= flagAssembling
	c.unit, c.began = unit, l.now
	l.arm(slot, c, l.now+ticks(l.cfg.AssemblyTimeout))
}
