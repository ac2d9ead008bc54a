package chat

import (
	"bytes"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

const (
	// maxUnread bounds the operations that may still arrive after Pause, from data already
	// read. More means that the driver ignores Pause.
	maxUnread = 1024
)

// Connection is one WebSocket's part in the chat. This file owns the order of its
// operations, from arrival to answer.
//
//	auth expected --auth--> open --end--> closing --all answered, or closingTime--> ended
//	                                  (Closed ends it from every state)
//
// Messages that need no look-up go to the sequencer of their conversation. Several may be
// there at once, as long as it is the same sequencer. Every other operation runs alone, in a
// pool, because it may wait for the engine. Operations that must wait for that, or for the
// limits, are in queue. When the queue is long, reading stops.
type Connection struct {
	// Immutable.
	hub    *Hub
	socket Socket
	info   ConnectionInfo

	mu sync.Mutex
	// Guarded by mu.
	state     connectionState
	stopTimer func() bool   // of the time for auth, or of a throttle; nil: neither runs
	timerAt   time.Duration // when that fires, by the monotonic clock
	queue     []*Operation  // arrived, not begun
	admitted  bool          // the first of them has passed the limits
	throttled bool          // the first of them waits for the limits
	refusal   *Failure      // how it is answered after that; nil: it begins
	running   int           // begun, not finished
	lane      *shard        // the sequencer of those that run; nil: one runs alone
	paused    bool          // the socket was told to stop reading
	pace      time.Duration // see Subject
	errors    errorBudget
	userID    string        // whose offences are counted; "" before log-in
	fast      time.Duration // since when it has been too fast; 0: it is not
	closing   *closing      // nil unless the state is closing
	closed    bool          // Closed was called; when nothing runs, it departs
	departed  bool          // see Hub.depart

	loggingOut bool // a logout is running
	loggedOut  bool // it has ended this connection's session

	catching *catchUp // between its steps, or in one; nil: none is under way
	parked   bool     // its next step waits until the hub is frozen no more
	written  bool     // Freeze was called

	// Guarded by hub.mu. person, session, role and features are set once, when auth succeeds,
	// before any other operation begins. So operations read them without the lock.
	person   *person
	session  string // its id
	role     string
	features feature
	gone     bool                             // Closed was called
	near     struct{ next, last *Connection } // neighbours among those from the same address
	listing  *talkList                        // nil: it hears every private conversation
	expiry   *expiry                          // nil if its token never expires; set with person

	// Owned by the operation that runs alone. While none does, guarded by mu.
	rooms []*room   // that the connection is in
	muted []string  // rooms of the user that it does not want to hear
	ahead []*behind // private conversations of which its client had more than this node had delivered
}

type connectionState byte

const (
	authExpected connectionState = iota
	connectionOpen
	connectionClosing
	connectionEnded
)

// User implements Actor.
func (c *Connection) User() User { return *c.person.profile.Load() }

// Subject implements Actor. Its Pace is guarded by mu.
func (c *Connection) Subject() Subject {
	return Subject{UserID: c.person.id, Role: c.role, Address: c.info.address(), Pace: &c.pace}
}

// Answer implements Actor.
func (c *Connection) Answer(op *Operation, answer []byte, fail *Failure) {
	switch {
	case fail != nil:
		c.reject(fail, op.ref)
	case answer != nil:
		c.send(answer)
	}
}

// in returns the room with this name if the connection is in it, otherwise nil.
func (c *Connection) in(name string) *room {
	for _, r := range c.rooms {
		if r.name == name {
			return r
		}
	}
	return nil
}

// Handle takes one message from the peer, with the opcode Text or Binary. It must be called
// for one message at a time, in order of arrival. It never blocks, and does not keep p. A
// text must be UTF-8, which package wsproto ensures.
func (c *Connection) Handle(opcode frame.Opcode, p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state >= connectionClosing {
		return
	}
	if opcode != frame.Text {
		c.offended(BrokeProtocol)
		c.fail(failBinaryMessage, "", wsproto.CloseUnsupportedData)
		return
	}
	op, fail := c.hub.Parse(p)
	c.accept(op, fail)
	if n := len(c.queue); n > 0 && c.queue[n-1] == op {
		op.text = bytes.Clone(p)
	}
}

// accept answers an operation, or lets it begin. Called with mu held.
func (c *Connection) accept(op *Operation, fail *Failure) {
	switch {
	case c.state == authExpected && fail != nil:
		// A client that speaks the protocol does not begin like this, but its author
		// should be told what is wrong with its auth.
		c.offended(NoAuth)
		c.sendFailure(fail, op.ref)
		c.end(wsproto.ClosePolicyViolation, failAuthRequired.Reason)
	case fail != nil:
		c.refuse(fail, op.ref)
	case op.kind.immediate:
		c.send(appendHeartbeat(nil, c.hub.now(), op.ref))
	case c.state == authExpected && !op.kind.opens:
		c.offended(NoAuth)
		c.fail(failAuthRequired, op.ref, wsproto.ClosePolicyViolation)
	case c.state == authExpected:
		c.state = connectionOpen
		c.clearTimer()
		c.arrive(op)
	case op.kind.opens:
		c.refuse(failAuthTwice, op.ref)
	default:
		c.arrive(op)
	}
}

// Closed tells the connection that its WebSocket has ended. It must be called exactly once,
// and no other method after it.
func (c *Connection) Closed() {
	c.mu.Lock()
	if c.state == authExpected {
		c.offended(Unused)
	}
	c.forget()
	c.closed = true
	idle := c.running == 0
	c.mu.Unlock()
	c.hub.closed(c)
	if idle {
		c.hub.depart(c)
	}
}

// arrive begins an operation, or lets it wait. Called with mu held.
func (c *Connection) arrive(op *Operation) {
	c.queue = append(c.queue, op)
	c.advance()
	if full := c.hub.cfg.ConnectionQueue; len(c.queue) >= full+maxUnread {
		c.queue = nil
		c.end(wsproto.ClosePolicyViolation, reasonQueueIgnored)
	} else if len(c.queue) >= full && !c.paused {
		c.paused = true
		c.socket.Pause(true)
	}
}

// advance begins the operations that may begin. Called with mu held.
func (c *Connection) advance() {
	for len(c.queue) > 0 {
		op := c.queue[0]
		if c.throttled || c.hub.frozen.Load() || c.running >= c.hub.cfg.ConnectionQueue || c.running > 0 && c.lane == nil {
			return
		}
		// While messages are running, only another one for the same sequencer may begin.
		var lane *shard
		if op.kind.lane != nil {
			lane = op.kind.lane(c, op)
		}
		if c.running > 0 && lane != c.lane {
			return
		}
		fail := c.admit(op)
		if c.throttled {
			return
		}
		c.queue[0] = nil
		c.queue = c.queue[1:]
		c.admitted = false
		if fail == nil {
			fail = c.begin(op, lane)
		}
		switch {
		case fail == nil:
		case op.kind.internal:
			c.retryMembership("")
		case op.kind.opens:
			c.queue = nil
			c.fail(fail, op.ref, wsproto.CloseTryAgainLater)
		default:
			c.refuse(fail, op.ref)
		}
	}
	c.queue = nil // an idle connection owns no queue
	c.finishClosing()
}

// admit asks the limits whether the first operation in the queue may begin. If the operation
// or its refusal has to wait, the connection is throttled. Called with mu held.
func (c *Connection) admit(op *Operation) *Failure {
	switch {
	case c.admitted:
		fail := c.refusal
		c.refusal = nil
		return fail
	case op.kind.opens, op.kind.internal, c.hub.closing.Load(): // when the hub is closing, begin refuses the operation
		return nil
	}
	wait, by, fail := c.hub.limits.Take(c.Subject(), op.cost())
	c.admitted = true
	c.judge(wait, by, fail)
	if fail == nil && c.hub.shaped(op) {
		r := c.in(op.receiver)
		if r == nil {
			r = c.hub.room(op.receiver)
		}
		var more time.Duration
		var room Limit
		if more, room, fail = c.hub.shape(r); more > wait {
			wait, by = more, room
		}
	}
	if wait > 0 {
		c.hub.cfg.Observer.HeldBack(by)
		c.throttled, c.refusal = true, fail
		c.startTimer(wait, c.unthrottle)
	}
	return fail
}

func (c *Connection) unthrottle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.throttled {
		c.clearTimer()
		c.throttled = false
		c.advance()
		c.readOn()
	}
}

// readOn resumes reading when half of the queue is free. Called with mu held.
func (c *Connection) readOn() {
	if c.paused && len(c.queue) <= c.hub.cfg.ConnectionQueue/2 && c.state == connectionOpen {
		c.paused = false
		c.socket.Pause(false)
	}
}

// begin hands a message to its sequencer, and anything else to a pool. Called with mu
// held.
func (c *Connection) begin(op *Operation, lane *shard) *Failure {
	fail := permit(c, op)
	op.begun = time.Now()
	switch {
	case fail != nil:
		return fail
	case c.hub.closing.Load():
		return failShuttingDown
	case lane != nil:
		fail = lane.append(c, op, op.conversation(c), op.message(c, c.hub.now()))
	case op.kind.quick != nil && op.kind.quick(c, op):
		return nil
	default:
		fail = c.hub.pools[op.kind.pool].submit(job{c, op})
	}
	if fail == nil {
		c.running++
		c.lane = lane
	}
	return fail
}

// finished is called when an operation has been answered.
func (c *Connection) finished() {
	c.mu.Lock()
	c.running--
	c.advance()
	c.readOn()
	closed := c.closed && c.running == 0
	c.mu.Unlock()
	if closed {
		c.hub.depart(c)
	}
}

// ended reports whether nothing more can be sent.
func (c *Connection) ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state == connectionEnded
}

// send sends a message.
func (c *Connection) send(p []byte) { c.socket.SendPrepared(text(p)) }

// sendFailure sends an error.
func (c *Connection) sendFailure(fail *Failure, ref string) {
	c.send(fail.AppendJSON(nil, ref))
	c.hub.observe(fail)
}

// reject answers an operation that failed.
func (c *Connection) reject(fail *Failure, ref string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuse(fail, ref)
}

// refuse sends an error, and ends the connection if it has made too many. Called with mu
// held.
func (c *Connection) refuse(fail *Failure, ref string) {
	if c.state == connectionEnded {
		return
	}
	c.sendFailure(fail, ref)
	if fail.Limit.ofUser() && !fail.Limit.HoldsBack() {
		c.offended(OverQuota)
	}
	if fail.counts() && c.errors.spend(c.hub.cfg.Clock.Monotonic(), c.hub.cfg.Limits.Errors) {
		c.offended(TooManyErrors)
		c.hub.cfg.Observer.Limited(ErrorsLimit)
		c.end(wsproto.ClosePolicyViolation, reasonTooManyErrors)
	}
}
