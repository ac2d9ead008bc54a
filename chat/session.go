package chat

import (
	"sync"

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
)

// Session is one connection's part in the chat. This file owns the order of its
// operations, from arrival to answer.
//
//	auth expected --auth--> open --close or Closed--> ended
//
// An operation runs in a lane. The committer keeps the order of what it is given, so
// it may have several operations of a session at a time; otherwise one is finished
// before the next begins. Those that must wait stand in queue.
type Session struct {
	// Immutable.
	hub  *Hub
	peer Peer
	info PeerInfo
	id   string

	mu sync.Mutex
	// Guarded by mu.
	state         sessionState
	stopAuthTimer func() bool // nil once auth has arrived
	queue         []*request  // arrived, not begun
	running       int         // begun, not finished
	lane          lane        // of those that run
	paused        bool
	bucket        tokenBucket
	errors        errorBudget

	// Guarded by hub.mu. user and features are set once, when auth succeeds, before
	// any other operation begins: these read them without the lock.
	user     *onlineUser
	features feature
	gone     bool // Closed was called

	// Committer only.
	rooms   map[string]*room // by name; nil until the first
	joining []string         // names that the batch at hand will add to rooms
}

type sessionState byte

const (
	authExpected sessionState = iota
	sessionOpen
	sessionEnded
)

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
	if op != frame.Text {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.fail(failBinaryMessage, "", wsproto.CloseUnsupportedData)
		return
	}
	req, fail := parseRequest(p)

	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.state == sessionEnded:
	case s.state == authExpected && fail != nil:
		// Nobody who speaks the protocol begins like this, but whoever writes a client
		// should read what is wrong with its auth.
		s.send(fail.AppendJSON(nil, req.ref))
		s.end(wsproto.ClosePolicyViolation, failAuthRequired.Reason)
	case fail != nil:
		s.refuse(fail, req.ref)
	case req.op == opHeartbeat:
		s.send(appendHeartbeat(nil, s.hub.now(), req.ref))
	case s.state == authExpected && req.op != opAuth:
		s.fail(failAuthRequired, req.ref, wsproto.ClosePolicyViolation)
	case s.state == authExpected:
		s.state = sessionOpen
		s.stopAuthTimer()
		s.stopAuthTimer = nil
		s.arrive(req)
	case req.op == opAuth:
		s.refuse(failAuthTwice, req.ref)
	default:
		if wait := s.bucket.take(s.hub.cfg.Clock.Monotonic()); wait > 0 {
			s.refuse(&Failure{Code: 429, Reason: "rate_limited", Message: "too many messages", RetryAfter: wait}, req.ref)
			return
		}
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
		if s.running > 0 && (s.lane != l || l != laneCommit) || s.running >= pauseAt {
			return
		}
		s.queue[0] = nil
		s.queue = s.queue[1:]
		switch fail := s.begin(req, l); {
		case fail == nil:
		case req.op == opAuth:
			s.fail(fail, req.ref, wsproto.CloseTryAgainLater)
		default:
			s.refuse(fail, req.ref)
		}
	}
	s.queue = nil // an idle session owns no queue
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
	if s.paused && len(s.queue) <= resumeAt {
		s.paused = false
		s.peer.Pause(false)
	}
}

// answer sends a message to this session.
func (s *Session) answer(p []byte) { s.peer.SendPrepared(text(p)) }

// reject answers an operation that failed in its lane.
func (s *Session) reject(fail *Failure, ref string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse(fail, ref)
}

// send sends p unless the session has ended. Called with mu held.
func (s *Session) send(p []byte) {
	if s.state != sessionEnded {
		s.answer(p)
	}
}

// refuse sends an error, and ends the session if it was one too many. Called with
// mu held.
func (s *Session) refuse(fail *Failure, ref string) {
	if s.state == sessionEnded {
		return
	}
	s.send(fail.AppendJSON(nil, ref))
	if fail.counts() && s.errors.spend(s.hub.cfg.Clock.Monotonic()) {
		s.end(wsproto.ClosePolicyViolation, reasonTooManyErrors)
	}
}

// fail sends an error and ends the session. Called with mu held.
func (s *Session) fail(fail *Failure, ref string, code wsproto.CloseCode) {
	s.send(fail.AppendJSON(nil, ref))
	s.end(code, fail.Reason)
}

// end closes the connection. Called with mu held.
func (s *Session) end(code wsproto.CloseCode, reason string) {
	if s.state == sessionEnded {
		return
	}
	s.forget()
	s.hub.cfg.Log.Info("chat: closing a session", "session", s.id, "remote", s.info.RemoteAddr, "code", int(code), "reason", reason)
	s.peer.Close(code, reason)
}

// forget drops what waits. Called with mu held.
func (s *Session) forget() {
	s.state = sessionEnded
	s.queue = nil
	if s.stopAuthTimer != nil {
		s.stopAuthTimer()
		s.stopAuthTimer = nil
	}
}

func (s *Session) authTimedOut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == authExpected { // and not: auth came just as the timer fired
		s.fail(failAuthTimeout, "", wsproto.ClosePolicyViolation)
	}
}
