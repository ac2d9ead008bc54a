package server

import (
	"bytes"
	"net/http"
	"syscall"
	"time"

	"github.com/hawser-ws/hawser/wsproto"
)

// A loop reads the opening handshakes of the connections that Serve's listener gives it
// (doorway.go), and answers those that are beyond doubt: then a connection has never had a
// goroutine or a buffer of its own. All others it hands back, with every byte that it has
// read, and net/http judges them. So whatever is refused is refused by net/http, and the
// rules are the same for both ways in:
//
//	accepted → arriving     take: counted by httpConns, and posted to a loop
//	arriving → opening      answered: the 101 is written, the connection counts as a WebSocket
//	arriving → net/http     handBack: the request is incomplete or refused, a limit is reached,
//	                        or it is no opening handshake at all
//	arriving → gone         dropArriving: HandshakeTimeout has passed, the stream has ended
//	                        before the first byte, or another connection took the place
//
// While a connection is arriving, its conn.value is its *accepted.

// maxPieces is the number of pieces in which a request may arrive. It is parsed anew for each,
// so more of them are left to net/http.
const maxPieces = 8

// arrive takes the connections that the listener posted in this iteration.
func (l *loop) arrive() {
	arrivals := l.arrivals
	l.arrivals = l.arrivals[:0]
	for i, a := range arrivals {
		arrivals[i] = nil
		c := a.place.conn
		c.move(arriving)
		c.fd, c.value, c.mask = int32(a.fd), a, 0
		l.arriving++
		if l.stopping {
			l.dropArriving(c)
			continue
		}
		// Where many connect at once, the request has often come by now.
		l.readOpening(c)
		if c.phase != arriving || c.value != any(a) {
			continue
		}
		judging := a.judgement != nil
		if err := l.k.add(int(c.fd), wantRead, c.slot, c.gen()); err != nil {
			l.cfg.Logger.Error("the system cannot watch another descriptor", "error", err)
			if judging {
				continue // it is only not noticed if the client gives up
			}
			l.handBack(c, a, a.head)
			continue
		}
		c.mask = wantRead
		if judging {
			continue
		}
		if l.cfg.HandshakeTimeout > 0 {
			l.arm(c, uint32(a.since/time.Millisecond)+ticks(l.cfg.HandshakeTimeout))
		}
	}
}

// readOpening reads a part of a request, and answers it if it is complete.
func (l *loop) readOpening(c *conn) {
	a := c.value.(*accepted)
	had := copy(l.input, a.head)
	var n int
	err := error(syscall.EINTR)
	for err == syscall.EINTR {
		n, err = l.k.read(int(c.fd), l.input[had:])
	}
	switch {
	case err == syscall.EAGAIN:
		return
	case err != nil, n == 0 && had == 0:
		l.dropArriving(c)
		return
	case n == 0: // the end of the stream, which net/http finds as well
		l.handBack(c, a, a.head)
		return
	}
	p := l.input[:had+n]
	a.pieces++
	switch v := l.request.parse(p); {
	case v == complete:
		l.answerOpening(c, a, p)
	case v == doubtful, a.pieces == maxPieces:
		l.handBack(c, a, p)
	default:
		a.head = append(a.head, p[had:]...)
	}
}

// answerOpening answers the request that was parsed from the beginning of p.
func (l *loop) answerOpening(c *conn, a *accepted, p []byte) {
	s := a.s
	e, declared := s.endpointAt(l.request.path)
	if e == nil || l.request.length > a.door.maxHead || s.banOf(a.peer.Addr()) != nil {
		l.handBack(c, a, p)
		return
	}
	if e.asks || s.cfg.Probe != nil && !declared {
		l.judge(c, a, e, p)
		return
	}
	answer, res, ok := e.upgrader.AppendAnswer(l.answer[:0], &l.request.fields)
	l.answer = answer
	if !ok && e.upgrader.CheckOrigin != nil { // which may have to be asked
		l.judge(c, a, e, p)
		return
	}
	o := l.newAdoption()
	o.endpoint, o.role, o.peer = e, wsproto.Server, a.peer
	if !ok || !s.admitOpening(a, o) {
		l.recycleAdoption(o)
		l.handBack(c, a, p)
		return
	}
	o.res = res
	l.accept(c, a, o, answer, p[l.request.length:])
}

// accept answers a handshake with a 101. What the client has sent after its request is left.
func (l *loop) accept(c *conn, a *accepted, o *adoption, answer, left []byte) {
	s := a.s
	lost := !s.http.claim(a) // another connection has its place
	var n int
	if !lost {
		var err error
		n, err = l.k.write(int(c.fd), answer)
		lost = err != nil && err != syscall.EAGAIN && err != syscall.EINTR
	}
	if lost {
		s.unreserve(o)
		o.admission.fail()
		l.dropArriving(c)
		return
	}
	s.answers.count(http.StatusSwitchingProtocols)
	s.onLoops.Add(1)
	a.used.Store(true)
	o.conn, o.fd, o.watched = c.handle(), int(c.fd), c.mask != 0
	if o.admission != nil {
		o.admission.attach(o.conn)
	}
	if len(left) > 0 {
		o.left = bytes.Clone(left)
	}
	l.disarm(c)
	l.arriving--
	l.register(c, o)
	if rest := answer[max(n, 0):]; len(rest) > 0 {
		l.queueHead(c, rest)
	}
}

// queueHead queues the rest of an answer that the kernel did not take, although the send
// buffer of a new connection is empty, and far larger. In the outbox it is what completes a
// frame that is partly written.
func (l *loop) queueHead(c *conn, rest []byte) {
	out := l.outboxOf(c)
	out.push(segment{b: bytes.Clone(rest)})
	out.torn = len(rest)
	c.flags |= flagBlocked
	l.noteQueued(c, len(rest))
}

// admitOpening reserves the place of a connection, and counts its request. If that exceeds
// a limit, nothing is reserved; net/http will find out again, and say so.
func (s *Server) admitOpening(a *accepted, o *adoption) bool {
	if s.budget.exceeded() || s.reserve(o, a.peer.Addr()) != nil {
		return false
	}
	if s.tooManyFrom(a.peer.Addr()) != nil {
		s.unreserve(o)
		return false
	}
	if s.handshakes != nil && s.handshakes.Take(s.cfg.now()) > 0 {
		a.counted = true
		s.unreserve(o)
		return false
	}
	return true
}

// handBack gives an arriving connection to net/http, with what has been read of it.
func (l *loop) handBack(c *conn, a *accepted, read []byte) {
	a.head = append(a.head, read[len(a.head):]...)
	if l.cfg.HandshakeTimeout > 0 {
		a.due = time.Now().Add(a.since + l.cfg.HandshakeTimeout - l.cfg.now())
	}
	if c.mask != 0 {
		l.k.remove(int(c.fd))
	}
	l.leaveSlot(c)
	a.door.giveBack(a)
}

// dropArriving closes an arriving connection.
func (l *loop) dropArriving(c *conn) {
	a := c.value.(*accepted)
	if a.judgement != nil {
		a.judgement.cancel()
		a.judgement.giveUp()
		a.judgement = nil
	}
	a.s.http.gone(a)
	a.noteUnused()
	l.k.close(int(c.fd))
	l.leaveSlot(c)
}

// dropArrivals closes all of them.
func (l *loop) dropArrivals() {
	if l.arriving == 0 {
		return
	}
	for c := range l.inSlots() {
		if c.phase == arriving {
			l.dropArriving(c)
		}
	}
}

// leaveSlot frees the slot of an arriving connection. Nothing else of the loop knows it, and
// events of this batch have its old generation.
func (l *loop) leaveSlot(c *conn) {
	l.disarm(c)
	l.arriving--
	c.move(gone)
	c.recycle()
	l.freeSlot(c)
}

// newAdoption returns an adoption that openAll takes back.
func (l *loop) newAdoption() *adoption {
	if n := len(l.adopted); n > 0 {
		o := l.adopted[n-1]
		l.adopted = l.adopted[:n-1]
		return o
	}
	return &adoption{recycled: true}
}

// maxAdopted bounds the adoptions that a loop keeps.
const maxAdopted = 256

func (l *loop) recycleAdoption(o *adoption) {
	if o.recycled && len(l.adopted) < maxAdopted {
		*o = adoption{recycled: true}
		l.adopted = append(l.adopted, o)
	}
}
