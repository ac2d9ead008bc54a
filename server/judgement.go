package server

import (
	"bufio"
	"bytes"
	"context"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// Functions of the program that want a handshake's request as an *http.Request (Admit, Probe,
// and those of an Upgrader) may block. So where there are any, a goroutine of a pool judges
// the requests that a loop has read:
//
//	arriving              judge: the request is complete, its place is reserved, it waits for
//	                      a goroutine
//	arriving → opening    judged: it is accepted, and the loop answers it
//	arriving → net/http   judged: it is refused, and net/http says so (denial); or it is a
//	                      health probe. waitedTooLong: no goroutine was free in time
//	arriving → gone       dropArriving: another connection took the place, the server stops,
//	                      or a function panicked
//
// Meanwhile the loop reads what follows the request, and ends the request's context when the
// client gives up.

// judgement is a request that is being judged.
type judgement struct {
	// Immutable.
	s       *Server
	to      Conn // the slot
	e       *endpoint
	remote  string
	request []byte // the head
	ctx     context.Context
	cancel  context.CancelFunc

	state atomic.Uint32 // of judgeWaiting and so on

	// Loop only.
	adoption *adoption // with the reserved place

	// The goroutine's, and the loop's after that.
	answer    []byte // the 101; nil: it is not accepted
	res       handshake.Result
	value     any
	admission *admission
	denial    *denial // says why it is refused; nil without an answer: net/http must ask
	broken    bool    // a function has panicked
}

// The states of a judgement. Who moves it from judgeWaiting owns it.
const (
	judgeWaiting = iota
	judgeRunning
	judgeAbandoned // the loop has given it up
)

// denial is a refusal that net/http is to say.
type denial struct {
	limit  *refusal // or, if it is nil,
	answer *handshake.Error
	reason string // what the program is told
	err    error
}

// refuse answers the request.
func (d *denial) refuse(s *Server, w http.ResponseWriter, r *http.Request) {
	if d.limit != nil {
		s.refuseFor(w, r, d.limit)
		return
	}
	s.refused(r, d.answer.Status, d.reason)
	handshake.Refuse(w, r, d.answer)
	s.logFailedUpgrade(r, d.err)
}

// maxEarly is how many bytes after a request are read before it has been answered.
const maxEarly = 16 << 10

// judge has the pool judge the request that begins p.
func (l *loop) judge(c *conn, a *accepted, e *endpoint, p []byte) {
	s := a.s
	o := l.newAdoption()
	o.endpoint, o.role, o.peer = e, wsproto.Server, a.peer
	if !s.admitOpening(a, o) {
		l.recycleAdoption(o)
		l.handBack(c, a, p)
		return
	}
	a.counted = true
	a.head = append(a.head, p[len(a.head):]...)
	a.used.Store(true)
	n := l.request.length
	j := &judgement{s: s, to: c.handle(), e: e, remote: a.remoteText(), request: a.head[:n:n], adoption: o}
	if why := s.http.serving(a, a.peer.Addr()); why != nil {
		s.unreserve(o)
		a.denial = &denial{limit: why}
		l.handBack(c, a, a.head)
		return
	}
	j.ctx, j.cancel = context.WithCancel(a.door.requestContext(a.fd))
	a.judgement = j
	l.disarm(c)
	if l.cfg.HandshakeTimeout > 0 {
		l.arm(c, l.now+ticks(l.cfg.HandshakeTimeout))
	}
	s.judges.submit(j)
}

// readEarly reads what follows a request that is being judged.
func (l *loop) readEarly(c *conn, a *accepted) {
	n, err := l.k.read(int(c.fd), l.input[:maxEarly])
	switch {
	case err == syscall.EAGAIN || err == syscall.EINTR:
		return
	case err != nil || n == 0:
		a.judgement.cancel()
	default:
		a.head = append(a.head, l.input[:n]...)
		if len(a.head)-len(a.judgement.request) < maxEarly {
			return
		}
	}
	l.k.remove(int(c.fd)) // an end is found again when the connection has been answered
	c.mask = 0
}

// giveUp abandons a judgement that no goroutine has begun, and gives back its place. It
// reports false if one has; then the goroutine's result comes.
func (j *judgement) giveUp() bool {
	if !j.state.CompareAndSwap(judgeWaiting, judgeAbandoned) {
		return false
	}
	j.cancel()
	j.s.unreserve(j.adoption)
	return true
}

// waitedTooLong refuses a request for which no goroutine was free in time.
func (l *loop) waitedTooLong(c *conn, a *accepted) {
	if a.judgement.giveUp() {
		a.judgement = nil
		a.denial = &denial{limit: refusedAdmitting}
		l.handBack(c, a, a.head)
	}
}

// judged does what a goroutine has found.
func (l *loop) judged(j *judgement) {
	c, o := j.to.conn, j.adoption
	if c.gen() != j.to.gen || c.phase != arriving {
		j.discard()
		return
	}
	a := c.value.(*accepted)
	a.judgement = nil
	if j.answer != nil {
		o.value, o.admission, o.res = j.value, j.admission, j.res
		l.accept(c, a, o, j.answer, a.head[len(j.request):])
		j.cancel()
		return
	}
	j.discard()
	l.recycleAdoption(o)
	if j.broken {
		l.dropArriving(c)
		return
	}
	a.denial = j.denial
	l.handBack(c, a, a.head)
}

// discard gives back what a judgement holds that leads to no connection.
func (j *judgement) discard() {
	j.cancel()
	j.s.unreserve(j.adoption)
	j.admission.fail()
}

// run judges the request. Its goroutine may end here (runtime.Goexit).
func (j *judgement) run() {
	j.s.barrier.enter(context.Background())
	defer j.s.barrier.leave()
	if !j.state.CompareAndSwap(judgeWaiting, judgeRunning) {
		return
	}
	done := false
	defer func() {
		if p := recover(); p != nil && p != http.ErrAbortHandler {
			j.s.cfg.Logger.Error("HTTP handler panicked", "panic", p, "remote", j.remote, "stack", string(debug.Stack()))
		}
		if !done {
			j.broken, j.answer, j.denial = true, nil, nil
		}
		if j.to.conn.loop.post(task{kind: taskJudged, judgement: j}, nil) != nil {
			j.discard() // the loop has ended, and so has the connection
		}
	}()
	j.ask()
	done = true
}

// requestReaders are for http.ReadRequest.
var requestReaders = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 512) }}

// ask asks the program's functions, in the order in which net/http's goroutine does.
func (j *judgement) ask() {
	br := requestReaders.Get().(*bufio.Reader)
	br.Reset(bytes.NewReader(j.request))
	r, err := http.ReadRequest(br)
	br.Reset(nil)
	requestReaders.Put(br)
	if err != nil {
		return // net/http says what is wrong with it
	}
	r.RemoteAddr = j.remote
	r = r.WithContext(j.ctx)
	if j.s.probeFor(r) != nil {
		return
	}
	answer, res, refusal := j.e.upgrader.AppendAnswerTo(nil, r)
	if refusal != nil {
		j.denial = &denial{answer: refusal, reason: refusal.Reason, err: refusal}
		return
	}
	if j.e.admit != nil {
		r, j.admission = forAdmit(r)
		if j.value, err = j.e.admit(r); err != nil {
			refusal, reason := refusalOf(err)
			j.denial = &denial{answer: refusal, reason: reason, err: err}
			return
		}
	}
	j.answer, j.res = answer, res
}

// judges is the pool of goroutines. They end when there is nothing to do.
type judges struct {
	max int // Immutable. 0: no limit.

	mu      sync.Mutex
	running int          // Guarded by mu.
	queue   []*judgement // Guarded by mu. Those that no goroutine has begun.
}

// submit has a request judged when a goroutine is free.
func (p *judges) submit(j *judgement) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, j)
	if p.max == 0 || p.running < p.max {
		p.running++
		go p.work()
	}
}

func (p *judges) work() {
	ended := false
	defer func() {
		if !ended {
			go p.work() // in place of this one, whose function called runtime.Goexit
		}
	}()
	for j := p.next(); j != nil; j = p.next() {
		j.run()
	}
	ended = true
}

// next returns the next request, or nil if the goroutine must end.
func (p *judges) next() *judgement {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		p.queue = nil
		p.running--
		return nil
	}
	j := p.queue[0]
	p.queue[0] = nil
	p.queue = p.queue[1:]
	return j
}
