package chat

import (
	"time"

	"github.com/hawser-ws/hawser/wsproto"
)

// This file is about how a connection ends, from the first reason to the Close.

// closingTime is how long a connection that is being closed may take to answer what it
// has accepted.
const closingTime = 10 * time.Second

// closing is how a connection will be closed.
type closing struct {
	code   wsproto.CloseCode
	reason string
	stop   func() bool   // of the timer that ends the waiting
	cutAt  time.Duration // when that fires, by the monotonic clock
}

// fail sends an error and ends the connection. Called with mu held.
func (c *Connection) fail(fail *Failure, ref string, code wsproto.CloseCode) {
	if c.state >= connectionClosing {
		return
	}
	c.sendFailure(fail, ref)
	c.end(code, fail.Reason)
}

// failAuth is like fail, for a refused auth: operations that were sent after it are dropped.
func (c *Connection) failAuth(fail *Failure, ref string, code wsproto.CloseCode) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = nil
	c.fail(fail, ref, code)
}

// expire ends a connection whose token has expired.
func (c *Connection) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail(failTokenExpired, "", wsproto.ClosePolicyViolation)
}

// sessionEnded ends a connection together with its session: at once, except that the logout
// that has ended it is acknowledged first.
func (c *Connection) sessionEnded(why Ending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.loggingOut && why == LoggedOut {
		c.loggedOut = true
		return
	}
	c.endSession(why)
}

// endingFailure returns what a client of a user is told whose session has ended.
func (h *Hub) endingFailure(userID string, why Ending) *Failure {
	switch why {
	case UserBanned:
		if fail := h.banned(userID); fail != nil {
			return fail
		}
		return failBanned
	case UserDeleted:
		return failUserDeleted
	}
	return failSessionEnded
}

// endSession is sessionEnded, with mu held. Nothing that waits is done any more.
func (c *Connection) endSession(why Ending) {
	c.queue = nil
	c.fail(c.hub.endingFailure(c.person.id, why), "", wsproto.ClosePolicyViolation)
	if c.state == connectionClosing {
		c.closeNow()
	}
}

// end accepts no more messages from the peer, and closes the connection when everything
// accepted before has been answered. Called with mu held.
func (c *Connection) end(code wsproto.CloseCode, reason string) {
	if c.state >= connectionClosing {
		return
	}
	if c.state == authExpected {
		c.clearTimer()
	}
	c.state = connectionClosing
	c.closing = &closing{code: code, reason: reason}
	c.hub.logLimited(&c.hub.lines.closing, "chat: closing a connection", "remote", c.info.remote(), "code", int(code), "reason", reason)
	if c.finishClosing(); c.state == connectionClosing {
		c.cutAfter(closingTime)
	}
}

// cutAfter has a connection that is being closed cut after d. Called with mu held.
func (c *Connection) cutAfter(d time.Duration) {
	c.closing.cutAt = c.hub.clock.Monotonic() + d
	c.closing.stop = c.hub.clock.AfterFunc(d, c.cut)
}

// finishClosing closes the connection if everything has been answered. Called with mu held.
func (c *Connection) finishClosing() {
	if c.state != connectionClosing || c.running > 0 || len(c.queue) > 0 {
		return
	}
	c.closeNow()
}

func (c *Connection) closeNow() {
	how := c.closing
	c.forget()
	c.socket.Close(how.code, how.reason)
}

// cut closes the connection although something has not been answered.
func (c *Connection) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == connectionClosing {
		c.closeNow()
	}
}

// forget drops the queue. Called with mu held.
func (c *Connection) forget() {
	c.state = connectionEnded
	c.queue = nil
	c.throttled, c.refusal = false, nil
	c.clearTimer()
	if c.closing != nil && c.closing.stop != nil {
		c.closing.stop()
	}
	c.closing = nil
}

// startTimer has f called after d, unless clearTimer is called before. Called with mu held.
func (c *Connection) startTimer(d time.Duration, f func()) {
	c.timerAt = c.hub.clock.Monotonic() + d
	c.stopTimer = c.hub.clock.AfterFunc(d, f)
}

func (c *Connection) clearTimer() {
	if c.stopTimer != nil {
		c.stopTimer()
		c.stopTimer = nil
	}
}

func (c *Connection) authTimedOut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == authExpected { // otherwise auth arrived just as the timer fired
		c.stopTimer = nil
		c.offended(NoAuth)
		c.fail(failAuthTimeout, "", wsproto.ClosePolicyViolation)
	}
}
