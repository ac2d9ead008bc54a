package autobahn

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// ClientTester is a server that tests the clients that connect to it. They ask
// for cases by the URLs of the original suite:
//
//	/getCaseCount                   the largest N
//	/getCaseInfo?case=N             a case's id and what it does
//	/runCase?case=N&agent=A         plays a case
//	/getCaseStatus?case=N&agent=A   what became of it
//	/updateReports?agent=A          calls Report
//	/stopServer                     calls Stop
//
// Instead of case=N, which counts from 1, casetuple=ID is taken everywhere. A case that
// needs several connections has a number for each of them.
type ClientTester struct {
	Cases   []*Case
	Options *Options
	// Report is called at /updateReports, before that is answered. May be nil.
	Report func(agent string)
	// HTTP2 also accepts clients that use HTTP/2, with a stream for each URL (RFC 8441).
	HTTP2 bool
	// Stop is called at /stopServer. May be nil.
	Stop func()

	mu sync.Mutex
	// Guarded by mu.
	results map[string]map[string]*Result     // by agent and id
	parts   map[string]map[string]*partStatus // by agent and case, of those that have parts
	numbers []play                            // what each case number plays
	changed chan struct{}                     // closed at the next result
	conns   map[net.Conn]struct{}
	closed  bool
	aborted bool
	wg      sync.WaitGroup
}

// Serve accepts clients from ln until that fails or the tester is closed.
func (t *ClientTester) Serve(ln net.Listener) error {
	for {
		nc, err := ln.Accept()
		if err != nil {
			if t.isClosed() {
				return nil
			}
			return err
		}
		t.mu.Lock()
		if t.conns == nil {
			t.conns = map[net.Conn]struct{}{}
		}
		if t.closed {
			t.mu.Unlock()
			nc.Close()
			return nil
		}
		t.conns[nc] = struct{}{}
		t.wg.Add(1)
		t.mu.Unlock()
		go func() {
			defer t.wg.Done()
			t.handle(nc)
			nc.Close()
			t.mu.Lock()
			delete(t.conns, nc)
			t.mu.Unlock()
		}()
	}
}

func (t *ClientTester) isClosed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.closed
}

// Close ends every connection and waits for them. The caller closes the listener
// afterwards.
func (t *ClientTester) Close() {
	t.mu.Lock()
	t.closed = true
	for nc := range t.conns {
		nc.Close()
	}
	t.mu.Unlock()
	t.wg.Wait()
}

func (t *ClientTester) excluded(agent string, c *Case) bool {
	return t.Options.Excluded != nil && t.Options.Excluded(agent, c)
}

// Missing is how many cases an agent has not played, of those that are not excluded
// for it.
func (t *ClientTester) Missing(agent string) (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.Cases {
		if t.results[agent][c.ID] == nil && !t.excluded(agent, c) {
			n++
		}
	}
	return n
}

// Abort is Close, but the cases that it interrupts get no results.
func (t *ClientTester) Abort() {
	t.mu.Lock()
	t.aborted = true
	t.mu.Unlock()
	t.Close()
}

// Results are an agent's results in the order of the cases, without those of
// excluded cases.
func (t *ClientTester) Results(agent string) []*Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []*Result
	for _, c := range t.Cases {
		if r := t.results[agent][c.ID]; r != nil && !r.Skipped {
			list = append(list, r)
		}
	}
	return list
}

// Agents are the agents that have played a case, or asked for an excluded one.
func (t *ClientTester) Agents() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []string
	for a := range t.results {
		list = append(list, a)
	}
	return list
}

func (t *ClientTester) store(o *order, r *Result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.aborted {
		return
	}
	t.put(r)
	if o.c.parts != nil {
		whole := t.storePart(o, r)
		if whole == nil {
			return
		}
		r = whole
		t.put(r)
	}
	if t.Options.Done != nil && !r.Skipped {
		t.Options.Done(r)
	}
}

// put keeps a result, of a case or of a part. mu is held.
func (t *ClientTester) put(r *Result) {
	if t.results == nil {
		t.results = map[string]map[string]*Result{}
	}
	if t.results[r.Agent] == nil {
		t.results[r.Agent] = map[string]*Result{}
	}
	t.results[r.Agent][r.Case.ID] = r
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
}

// await waits for a result.
func (t *ClientTester) await(o *order) *Result {
	deadline := time.NewTimer(t.Options.scale(30 * time.Second))
	defer deadline.Stop()
	for {
		t.mu.Lock()
		r := t.results[o.agent][o.play.ID]
		if p := t.parts[o.agent][o.c.ID]; r == nil && p != nil && p.whole {
			r = t.results[o.agent][o.c.ID]
		}
		if t.changed == nil {
			t.changed = make(chan struct{})
		}
		changed := t.changed
		t.mu.Unlock()
		if r != nil {
			return r
		}
		select {
		case <-changed:
		case <-deadline.C:
			return nil
		}
	}
}

// order is what a client asks for.
type order struct {
	path  string
	agent string
	index int   // of the case, from 1
	c     *Case // what is asked for
	play  *Case // it, or one of its parts
}

// controlCase is what the control URLs play.
var controlCase = &Case{ID: "control", Close: Closing{}, anyMessages: true, keepOpen: true}

func (t *ClientTester) handle(nc net.Conn) {
	s := newSession(controlCase, false, t.Options)
	s.nc = nc
	h, left, err := s.readHead()
	if err != nil {
		return
	}
	if t.HTTP2 && h.Start == prefaceStart {
		t.serveHTTP2(nc, left)
		return
	}
	t.order(s, h, left)
}

// order carries out what a request asks for.
func (t *ClientTester) order(s *session, h *wire.Head, left []byte) {
	o, err := t.parse(h)
	if err != nil {
		s.refuse(400, err.Error())
		return
	}
	if o.path == "/runCase" {
		t.runCase(s, h, left, o)
		return
	}
	if err := s.checkRequest(h); err != nil {
		s.refuse(400, err.Error())
		return
	}
	answer, known := t.control(o)
	if !known {
		s.refuse(404, "no such path; there are /getCaseCount, /getCaseInfo, /runCase, /getCaseStatus and /updateReports")
		return
	}
	c := *controlCase
	if answer != "" {
		c.Script = append(c.Script, send(text(answer)))
	}
	c.Script = append(c.Script, closeWith(1000), killAfter(5*time.Second))
	s.c = &c
	s.writeHead(s.response(h))
	s.play(left)
	if o.path == "/stopServer" && t.Stop != nil {
		t.Stop()
	}
}

// parse reads a request's target.
func (t *ClientTester) parse(h *wire.Head) (*order, error) {
	f := strings.Fields(h.Start)
	if len(f) != 3 {
		return nil, fmt.Errorf("malformed request line %q", h.Start)
	}
	target, _, _ := strings.Cut(f[1], "#") // H10.1 tests that
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, err
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, err
	}
	for name, values := range q {
		if len(values) > 1 {
			return nil, fmt.Errorf("the parameter %s is there twice", name)
		}
	}
	o := &order{path: u.Path, agent: oneLine(q.Get("agent"))}
	if id := strings.TrimSpace(q.Get("casetuple")); id != "" {
		if !t.byID(o, id) {
			return nil, fmt.Errorf("there is no case %q in this run", id)
		}
	} else if n := q.Get("case"); n != "" {
		plays := t.plays()
		i, err := strconv.Atoi(n)
		if err != nil || i < 1 || i > len(plays) {
			return nil, fmt.Errorf("there is no case number %q in this run; there are 1 to %d", n, len(plays))
		}
		o.c, o.play, o.index = plays[i-1].c, plays[i-1].part, plays[i-1].index
	}
	switch o.path {
	case "/runCase", "/getCaseStatus":
		if o.agent == "" {
			return nil, errors.New("the parameter agent is missing")
		}
		fallthrough
	case "/getCaseInfo":
		if o.c == nil {
			return nil, errors.New("the parameter case, or casetuple, is missing")
		}
	case "/updateReports":
		if o.agent == "" {
			return nil, errors.New("the parameter agent is missing")
		}
	}
	return o, nil
}

// status is what /getCaseStatus answers.
func status(behavior, end Verdict) map[string]string {
	return map[string]string{"behavior": string(behavior), "behaviorClose": string(end)}
}

// control carries out an order and says what to answer.
func (t *ClientTester) control(o *order) (answer string, known bool) {
	object := func(v any) (string, bool) {
		b, _ := json.Marshal(v) // strings only
		return string(b), true
	}
	switch o.path {
	case "/getCaseCount":
		return strconv.Itoa(len(t.plays())), true
	case "/getCaseInfo":
		return object(map[string]string{"id": o.play.ID, "description": o.play.Title})
	case "/getCaseStatus":
		if t.excluded(o.agent, o.c) {
			return object(status(Unimplemented, Unimplemented)) // the closest of the original's words
		}
		if r := t.await(o); r != nil {
			return object(status(r.Behavior, r.BehaviorClose))
		}
		return "", true
	case "/updateReports":
		if t.Report != nil {
			t.Report(o.agent)
		}
		return "", true
	case "/stopServer":
		return "", true
	}
	return "", false
}
