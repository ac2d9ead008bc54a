package autobahn

import (
	"encoding/base64"
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
//	/getCaseCount                   how many cases there are
//	/getCaseInfo?case=N             a case's id and what it does
//	/runCase?case=N&agent=A         plays a case
//	/getCaseStatus?case=N&agent=A   what became of it
//	/updateReports?agent=A          calls Report
//	/stopServer                     calls Stop
//
// Instead of case=N, which counts from 1, casetuple=ID is taken everywhere.
type ClientTester struct {
	Cases   []*Case
	Options *Options
	// Report is called at /updateReports, before that is answered. May be nil.
	Report func(agent string)
	// Stop is called at /stopServer. May be nil.
	Stop func()

	mu sync.Mutex
	// Guarded by mu.
	results map[string]map[string]*Result // by agent and id
	changed chan struct{}                 // closed at the next result
	conns   map[net.Conn]struct{}
	closed  bool
	wg      sync.WaitGroup
}

// Serve takes clients from ln until that fails or the tester is closed.
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

// Results are an agent's results in the order of the cases.
func (t *ClientTester) Results(agent string) []*Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []*Result
	for _, c := range t.Cases {
		if r := t.results[agent][c.ID]; r != nil {
			list = append(list, r)
		}
	}
	return list
}

// Agents are the agents that have results.
func (t *ClientTester) Agents() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []string
	for a := range t.results {
		list = append(list, a)
	}
	return list
}

func (t *ClientTester) store(r *Result) {
	t.mu.Lock()
	defer t.mu.Unlock()
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
	if t.Options.Done != nil {
		t.Options.Done(r)
	}
}

// await waits for a result.
func (t *ClientTester) await(agent, id string) *Result {
	deadline := time.NewTimer(t.Options.scale(30 * time.Second))
	defer deadline.Stop()
	for {
		t.mu.Lock()
		r := t.results[agent][id]
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
	index int // of the case, from 1
	c     *Case
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
	o, err := t.parse(h)
	if err != nil {
		refuse(nc, 400, err.Error())
		return
	}
	if o.path == "/runCase" {
		t.runCase(s, h, left, o)
		return
	}
	if err := checkRequest(h); err != nil {
		refuse(nc, 400, err.Error())
		return
	}
	answer, known := t.control(o)
	if !known {
		refuse(nc, 404, "no such path; there are /getCaseCount, /getCaseInfo, /runCase, /getCaseStatus and /updateReports")
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
	u, err := url.ParseRequestURI(f[1])
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
	o := &order{path: u.Path, agent: q.Get("agent")}
	if id := strings.TrimSpace(q.Get("casetuple")); id != "" {
		for i, c := range t.Cases {
			if c.ID == id {
				o.c, o.index = c, i+1
			}
		}
		if o.c == nil {
			return nil, fmt.Errorf("there is no case %q in this run", id)
		}
	} else if n := q.Get("case"); n != "" {
		i, err := strconv.Atoi(n)
		if err != nil || i < 1 || i > len(t.Cases) {
			return nil, fmt.Errorf("there is no case number %q in this run; there are 1 to %d", n, len(t.Cases))
		}
		o.c, o.index = t.Cases[i-1], i
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

// control carries out an order and says what to answer.
func (t *ClientTester) control(o *order) (answer string, known bool) {
	object := func(v any) (string, bool) {
		b, _ := json.Marshal(v) // strings only
		return string(b), true
	}
	switch o.path {
	case "/getCaseCount":
		return strconv.Itoa(len(t.Cases)), true
	case "/getCaseInfo":
		return object(map[string]string{"id": o.c.ID, "description": o.c.Title})
	case "/getCaseStatus":
		if r := t.await(o.agent, o.c.ID); r != nil {
			return object(map[string]string{"behavior": string(r.Behavior), "behaviorClose": string(r.BehaviorClose)})
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

// runCase plays a case over a client's connection.
func (t *ClientTester) runCase(s *session, h *wire.Head, left []byte, o *order) {
	played := newSession(o.c, false, t.Options)
	played.nc, played.log = s.nc, s.log
	s = played
	r := &Result{Case: o.c, Index: o.index, Agent: o.agent, Started: time.Now(), Log: s.log, Request: string(h.Raw)}
	if t.Options.Excluded != nil && t.Options.Excluded(o.agent, o.c) {
		c := *controlCase
		c.Script = []Step{closeWith(1000), killAfter(5 * time.Second)}
		s.c = &c
		s.writeHead(s.response(h))
		s.play(left)
		return
	}
	s.openAsServer(h, left, r)
	r.Duration = time.Since(r.Started)
	t.store(r)
}

// openAsServer answers the opening handshake, plays the case and grades it.
func (s *session) openAsServer(h *wire.Head, left []byte, r *Result) {
	defer s.grade(r)
	if err := checkRequest(h); err != nil {
		refuse(s.nc, 400, err.Error())
		s.openingFailed(err)
		return
	}
	if o := s.c.Opening; o != nil && o.Verify != nil {
		if wrong := o.Verify(h); wrong != "" {
			s.forced, s.result = Failed, wrong
			s.end.Violation = wrong
		}
	}
	if o := s.c.Opening; o != nil && o.hold {
		if early := s.listen(); len(early)+len(left) > 0 {
			s.forced, s.result = Failed, "the client sent data before it had an answer"
			s.end.Violation = s.result
			left = append(left, early...)
		}
	}
	if err := s.acceptOffer(h); err != nil {
		refuse(s.nc, 400, err.Error())
		s.openingFailed(err)
		return
	}
	d := s.response(h)
	r.Response = string(d.Bytes())
	s.writeHead(d)
	s.play(left)
}

// listen reads what a client sends before it has an answer.
func (s *session) listen() []byte {
	s.nc.SetReadDeadline(time.Now().Add(s.opt.scale(200 * time.Millisecond)))
	defer s.nc.SetReadDeadline(time.Time{})
	b := make([]byte, 4096)
	n, _ := s.nc.Read(b)
	return b[:n]
}

// acceptOffer chooses among the client's offers of permessage-deflate.
func (s *session) acceptOffer(h *wire.Head) error {
	d := s.c.Deflate
	if d == nil {
		return nil
	}
	var offers []Params
	for _, v := range h.Values("Sec-WebSocket-Extensions") {
		list, err := wire.ParseExtensions(v)
		if err != nil {
			return err
		}
		for _, e := range list {
			if e.Name != extension {
				continue
			}
			p, err := parseParams(e, true)
			if err != nil {
				return fmt.Errorf("permessage-deflate with %w", err)
			}
			offers = append(offers, p)
		}
	}
	if p, ok := d.accept(offers); ok {
		s.negotiated = newAgreement(p, false)
	}
	return nil
}

// response drafts the tester's part of the opening handshake as a server.
func (s *session) response(h *wire.Head) *Draft {
	d := &Draft{Start: "HTTP/1.1 101 Switching Protocols", Key: h.Get("Sec-WebSocket-Key")}
	d.Add("Server", "wsconform/"+strconv.Itoa(Suite))
	d.Add("Upgrade", "WebSocket")
	d.Add("Connection", "Upgrade")
	d.Add("Sec-WebSocket-Accept", wire.Accept(h.Get("Sec-WebSocket-Key")))
	if s.negotiated != nil {
		d.Add("Sec-WebSocket-Extensions", s.negotiated.String())
	}
	if s.c.Opening != nil && s.c.Opening.Response != nil {
		s.c.Opening.Response(d)
	}
	return d
}

// checkRequest says what is wrong with a client's request (RFC 6455 §4.2.1).
func checkRequest(h *wire.Head) error {
	f := strings.Fields(h.Start)
	if len(f) != 3 || f[0] != "GET" || f[2] != "HTTP/1.1" {
		return fmt.Errorf("the request line is %q", h.Start)
	}
	for _, name := range []string{"Host", "Sec-WebSocket-Key", "Sec-WebSocket-Version"} {
		if n := len(h.Values(name)); n != 1 {
			return fmt.Errorf("the field %s is there %d times", name, n)
		}
	}
	if !h.HasToken("Upgrade", "websocket") {
		return fmt.Errorf("the field Upgrade is %q", h.Get("Upgrade"))
	}
	if !h.HasToken("Connection", "upgrade") {
		return fmt.Errorf("the field Connection is %q", h.Get("Connection"))
	}
	if v := h.Get("Sec-WebSocket-Version"); v != "13" {
		return fmt.Errorf("the field Sec-WebSocket-Version is %q", v)
	}
	if b, err := base64.StdEncoding.DecodeString(h.Get("Sec-WebSocket-Key")); err != nil || len(b) != 16 {
		return fmt.Errorf("the field Sec-WebSocket-Key is %q, which is not 16 bytes in base64", h.Get("Sec-WebSocket-Key"))
	}
	return nil
}

// refuse answers a request that is not carried out.
func refuse(nc net.Conn, status int, why string) {
	nc.SetWriteDeadline(time.Now().Add(time.Second))
	text := map[int]string{400: "Bad Request", 404: "Not Found"}[status]
	fmt.Fprintf(nc, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s\n",
		status, text, len(why)+1, why)
}
