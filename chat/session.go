package chat

import (
	"sync"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

const (
	// pauseAt operations of one session may wait; then reading from it stops, and
	// goes on when resumeAt are left.
	pauseAt  = 32
	resumeAt = 16

	// maxWaiting is what a peer that was paused may still deliver of what it had
	// read before. More means that it does not pause.
	maxWaiting = 1024

	// closingTime is how long a session that is being closed may take to answer what it
	// has accepted.
	closingTime = 10 * time.Second
)

// Session is one connection's part in the chat. This file owns the order of its
// operations, from arrival to answer.
//
//	auth expected --auth--> open --end--> closing --all answered, or closingTime--> ended
//	                                  (Closed ends it from every state)
//
// An operation runs in a lane. The committer keeps the order of what it is given, so
// it may have several operations of a session at a time; otherwise one is finished
// before the next begins. Those that must wait stand in queue, and so do those that come
// faster than the limits allow. When the queue is long, reading stops.
type Session struct {
	// Immutable.
	hub  *Hub
	peer Peer
	info PeerInfo
	id   string

	mu sync.Mutex
	// Guarded by mu.
	state     sessionState
	stopTimer func() bool   // of the time for auth, or of a throttle; nil: neither runs
	queue     []*request    // arrived, not begun
	admitted  bool          // the first of them has passed the limits
	throttled bool          // the first of them waits for its time
	refusal   *Failure      // how it is answered then; nil: it begins
	running   int           // begun, not finished
	lane      lane          // of those that run
	paused    bool          // the peer was told to stop reading
	free      time.Duration // see Pace.take
	errors    errorBudget
	closing   *closing // nil unless the state is closing

	// Guarded by hub.mu. user and features are set once, when auth succeeds, before
	// any other operation begins: these read them without the lock.
	user     *onlineUser
	features feature
	gone     bool    // Closed was called
	expiry   *expiry // nil if its token never expires; set with user

	// Committer only.
	rooms   map[string]*room // by name; nil until the first
	joining []string         // names that the batch at hand will add to rooms
}

type sessionState byte

const (
	authExpected sessionState = iota
	sessionOpen
	sessionClosing
	sessionEnded
)

// closing is how a session's connection will be closed.
type closing struct {
	code   wsproto.CloseCode
	reason string
	stop   func() bool // of the timer that ends the waiting
}

// lane is where an operation runs.
type lane byte

const (
	laneCommit lane = iota // the committer, perhaps with others of the session in one batch
	laneAlone              // the committer, with no other of the session
	laneWork               // a worker, one at a time
)

func (o operation) lane() lane {
	switch o {
	case opMessage, opGroup, opJoin:
		return laneCommit
	case opLeave:
		// What a session may do depends on the rooms it is in, and the committer judges
		// that before it publishes a batch.
		return laneAlone
	}
	return laneWork
}

// Handle takes one message from the peer. It is called for one message at a time,
// in order of arrival, with the opcode Text or Binary. It never blocks and keeps
// nothing of p. A text must be UTF-8, as package wsproto sees to.
func (s *Session) Handle(op frame.Opcode, p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state >= sessionClosing {
		return
	}
	if op != frame.Text {
		s.fail(failBinaryMessage, "", wsproto.CloseUnsupportedData)
		return
	}
	req, fail := parseRequest(p)
	switch {
	case s.state == authExpected && fail != nil:
		// Nobody who speaks the protocol begins like this, but whoever writes a client
		// should read what is wrong with its auth.
		s.answer(fail.AppendJSON(nil, req.ref))
		s.end(wsproto.ClosePolicyViolation, failAuthRequired.Reason)
	case fail != nil:
		s.refuse(fail, req.ref)
	case req.op == opHeartbeat:
		s.answer(appendHeartbeat(nil, s.hub.now(), req.ref))
	case s.state == authExpected && req.op != opAuth:
		s.fail(failAuthRequired, req.ref, wsproto.ClosePolicyViolation)
	case s.state == authExpected:
		s.state = sessionOpen
		s.clearTimer()
		s.arrive(req)
	case req.op == opAuth:
		s.refuse(failAuthTwice, req.ref)
	default:
		s.arrive(req)
	}
}

// Closed ends the session after its connection has ended. It is called exactly
// once, and nothing is called after it.
func (s *Session) Closed() {
	s.mu.Lock()
	s.forget()
	s.mu.Unlock()
	s.hub.close(s)
}

// arrive begins an operation, or lets it wait. Called with mu held.
func (s *Session) arrive(req *request) {
	s.queue = append(s.queue, req)
	s.advance()
	if len(s.queue) >= maxWaiting {
		s.queue = nil
		s.end(wsproto.ClosePolicyViolation, reasonQueueIgnored)
	} else if len(s.queue) >= pauseAt && !s.paused {
		s.paused = true
		s.peer.Pause(true)
	}
}

// advance begins what may begin. Called with mu held.
func (s *Session) advance() {
	for len(s.queue) > 0 {
		req := s.queue[0]
		l := req.op.lane()
		if s.throttled || s.running > 0 && (s.lane != l || l != laneCommit) || s.running >= pauseAt {
			return
		}
		fail := s.admit(req)
		if s.throttled {
			return
		}
		s.queue[0] = nil
		s.queue = s.queue[1:]
		s.admitted = false
		if fail == nil {
			fail = s.begin(req, l)
		}
		switch {
		case fail == nil:
		case req.op == opAuth:
			s.queue = nil
			s.fail(fail, req.ref, wsproto.CloseTryAgainLater)
		default:
			s.refuse(fail, req.ref)
		}
	}
	s.queue = nil // an idle session owns no queue
	s.finishClosing()
}

// admit asks whether the first operation in the queue may begin. If it, or the answer that
// it may not, has to wait, for a limit, the session is throttled. Called with mu held.
func (s *Session) admit(req *request) *Failure {
	switch {
	case s.admitted:
		fail := s.refusal
		s.refusal = nil
		return fail
	case req.op == opAuth, s.hub.closing.Load(): // begin refuses what comes when the hub is closing
		return nil
	}
	wait, fail := s.hub.limits.operation(s, req)
	s.admitted = true
	if wait > 0 {
		s.throttled, s.refusal = true, fail
		s.stopTimer = s.hub.cfg.Clock.AfterFunc(wait, s.unthrottle)
	}
	return fail
}

func (s *Session) unthrottle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.throttled {
		s.clearTimer()
		s.throttled = false
		s.advance()
		s.readOn()
	}
}

// readOn ends a pause when little enough waits. Called with mu held.
func (s *Session) readOn() {
	if s.paused && len(s.queue) <= resumeAt && s.state == sessionOpen {
		s.paused = false
		s.peer.Pause(false)
	}
}

// begin hands an operation to its lane. Called with mu held.
func (s *Session) begin(req *request, l lane) *Failure {
	if req.op != opAuth && req.sender != "" && req.sender != s.user.ID {
		return failSender
	}
	if s.hub.closing.Load() {
		return failShuttingDown
	}
	var fail *Failure
	if l == laneWork {
		fail = s.hub.work.submit(func() {
			s.run(req)
			s.finished()
		})
	} else {
		fail = s.hub.commit.submit(s, req)
	}
	if fail == nil {
		s.running++
		s.lane = l
	}
	return fail
}

// finished is called by a lane when it has answered an operation.
func (s *Session) finished() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	s.advance()
	s.readOn()
}

// answer sends a message to this session.
func (s *Session) answer(p []byte) { s.peer.SendPrepared(text(p)) }

// reject answers an operation that failed in its lane.
func (s *Session) reject(fail *Failure, ref string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse(fail, ref)
}

// refuse sends an error, and ends the session if it was one too many. Called with
// mu held.
func (s *Session) refuse(fail *Failure, ref string) {
	if s.state == sessionEnded {
		return
	}
	s.answer(fail.AppendJSON(nil, ref))
	if fail.counts() && s.errors.spend(s.hub.cfg.Clock.Monotonic()) {
		s.end(wsproto.ClosePolicyViolation, reasonTooManyErrors)
	}
}

// fail sends an error and ends the session. Called with mu held.
func (s *Session) fail(fail *Failure, ref string, code wsproto.CloseCode) {
	if s.state >= sessionClosing {
		return
	}
	s.answer(fail.AppendJSON(nil, ref))
	s.end(code, fail.Reason)
}

// failAuth is fail for an auth that was refused: what was sent after it has no effect.
func (s *Session) failAuth(fail *Failure, ref string, code wsproto.CloseCode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = nil
	s.fail(fail, ref, code)
}

// expire ends a session whose token has expired.
func (s *Session) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail(failTokenExpired, "", wsproto.ClosePolicyViolation)
}

// end takes no more messages from the peer, and closes the connection when everything
// that was accepted before has been answered. Called with mu held.
func (s *Session) end(code wsproto.CloseCode, reason string) {
	if s.state >= sessionClosing {
		return
	}
	if s.state == authExpected {
		s.clearTimer()
	}
	s.state = sessionClosing
	s.closing = &closing{code: code, reason: reason}
	s.hub.cfg.Log.Info("chat: closing a session", "session", s.id, "remote", s.info.remote(), "code", int(code), "reason", reason)
	if s.finishClosing(); s.state == sessionClosing {
		s.closing.stop = s.hub.cfg.Clock.AfterFunc(closingTime, s.cut)
	}
}

// finishClosing closes the connection if nothing waits for an answer any more. Called
// with mu held.
func (s *Session) finishClosing() {
	if s.state != sessionClosing || s.running > 0 || len(s.queue) > 0 {
		return
	}
	s.closeNow()
}

func (s *Session) closeNow() {
	c := s.closing
	s.forget()
	s.peer.Close(c.code, c.reason)
}

// cut closes the connection although something waits for an answer.
func (s *Session) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == sessionClosing {
		s.closeNow()
	}
}

// forget drops what waits. Called with mu held.
func (s *Session) forget() {
	s.state = sessionEnded
	s.queue = nil
	s.throttled, s.refusal = false, nil
	s.clearTimer()
	if s.closing != nil && s.closing.stop != nil {
		s.closing.stop()
	}
	s.closing = nil
}

func (s *Session) clearTimer() {
	if s.stopTimer != nil {
		s.stopTimer()
		s.stopTimer = nil
	}
}

func (s *Session) authTimedOut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == authExpected { // and not: auth came just as the timer fired
		s.stopTimer = nil
		s.fail(failAuthTimeout, "", wsproto.ClosePolicyViolation)
	}
}
