package server

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// visitor is a connection of HTTP's that is kept open.
type visitor struct {
	t  *testing.T
	nc net.Conn
	br *bufio.Reader
}

func (ts *testServer) visit(t *testing.T) *visitor {
	t.Helper()
	nc, err := net.Dial("tcp", ts.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(patience))
	return &visitor{t, nc, bufio.NewReader(nc)}
}

// get asks for a path and returns the answer's status and body.
func (v *visitor) get(path, extra string) (*http.Response, string) {
	v.t.Helper()
	io.WriteString(v.nc, "GET "+path+" HTTP/1.1\r\nHost: h\r\n"+extra+"\r\n")
	resp, err := http.ReadResponse(v.br, nil)
	if err != nil {
		v.t.Fatalf("GET %s: %v", path, err)
	}
	b, _ := io.ReadAll(resp.Body)
	return resp, string(b)
}

func (v *visitor) wants(path, body string) {
	v.t.Helper()
	if resp, got := v.get(path, ""); resp.StatusCode != 200 || got != body {
		v.t.Errorf("GET %s: %s %q; want 200 %q", path, resp.Status, got, body)
	}
}

// ended reports that the server has closed the connection without an answer.
func (v *visitor) ended() {
	v.t.Helper()
	if b, err := v.br.ReadByte(); err == nil || isTimeout(err) {
		v.t.Errorf("the connection is not closed: %q, %v", b, err)
	}
}

func isTimeout(err error) bool {
	ne, ok := err.(net.Error)
	return ok && ne.Timeout()
}

// site serves a page, one that waits, a probe, and WebSockets.
type site struct {
	*testServer
	entered chan struct{} // /slow was asked for
	leave   chan struct{} // and answers
}

func newSite(t *testing.T, cfg Config) *site {
	t.Helper()
	st := &site{entered: make(chan struct{}, 10), leave: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("/page", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "page") })
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		st.entered <- struct{}{}
		<-st.leave
		io.WriteString(w, "slow")
	})
	cfg.HTTP = mux
	cfg.Probe = func(r *http.Request) http.Handler {
		if r.URL.Path != "/probe" && r.URL.Path != "*" {
			return nil
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "alive") })
	}
	if cfg.Handler == nil {
		cfg.Handler = funcs{message: echo}
	}
	st.testServer = start(t, cfg)
	mux.Handle("/", st.Server)
	return st
}

// Beyond the bound it is the connection that is idle longest which makes room.
func TestHTTPConnsIdle(t *testing.T) {
	st := newSite(t, Config{MaxHTTPConns: 2})
	a, b := st.visit(t), st.visit(t)
	a.wants("/page", "page")
	b.wants("/page", "page")
	waitFor(t, func() bool { return st.idle() == 2 }) // which each is a moment after its answer
	a.wants("/page", "page")
	waitFor(t, func() bool { return st.idle() == 2 && st.longestIdle() == b.nc.LocalAddr().String() })
	c := st.visit(t)
	c.wants("/page", "page")
	b.ended()
	a.wants("/page", "page")
	if n := st.Stats().Handshaking; n != 2 {
		t.Errorf("%d connections; want 2", n)
	}
}

// A connection that is kept open for its next request counts for no address. While that
// arrives and is answered, it does again.
func TestHTTPConnsIdlePerAddress(t *testing.T) {
	st := newSite(t, Config{MaxHTTPConnsPerAddress: 1})
	var vs []*visitor
	for i := range 3 {
		v := st.visit(t)
		v.wants("/page", "page")
		waitFor(t, func() bool { return st.idle() == i+1 })
		vs = append(vs, v)
	}
	io.WriteString(vs[0].nc, "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
	receive(t, st.entered)
	if resp, _ := vs[1].get("/page", ""); resp.StatusCode != 429 {
		t.Errorf("a second request at once: %s; want 429", resp.Status)
	}
	close(st.leave)
	if resp, err := http.ReadResponse(vs[0].br, nil); err != nil || resp.StatusCode != 200 {
		t.Errorf("%v, %v", resp, err)
	}
	waitFor(t, func() bool { return st.idle() == 2 })
	vs[2].wants("/page", "page")
}

func (st *site) longestIdle() string {
	st.http.mu.Lock()
	defer st.http.mu.Unlock()
	e := st.http.waiting.idle.Front()
	if e == nil {
		return ""
	}
	return e.Value.(*accepted).RemoteAddr().String()
}

func (st *site) idle() int {
	st.http.mu.Lock()
	defer st.http.mu.Unlock()
	return st.http.waiting.idle.Len()
}

// Clients that do not send their request make room after a while, and not before.
func TestHTTPConnsSilent(t *testing.T) {
	st := newSite(t, Config{MaxHTTPConns: 1})
	silent := st.visit(t)
	waitFor(t, func() bool { return st.Stats().Handshaking == 1 })
	resp, body := st.visit(t).get("/page", "")
	if resp.StatusCode != 503 || !resp.Close || resp.Header.Get("Retry-After") == "" || !strings.Contains(body, "full") {
		t.Errorf("%s %q, Retry-After %q", resp.Status, body, resp.Header.Get("Retry-After"))
	}
	st.clock.t.Add(int64(headGrace))
	st.visit(t).wants("/page", "page")
	silent.ended()
	if log := st.log.String(); strings.Count(log, "MaxHTTPConns") != 1 {
		t.Errorf("the log names the bound another number of times than once:\n%s", log)
	}
}

// Where every connection is being served, a newcomer is refused; but a probe is
// answered, and nobody is cut off.
func TestHTTPConnsServing(t *testing.T) {
	for _, c := range []struct {
		cfg    Config
		status int
	}{{Config{MaxHTTPConns: 1}, 503}, {Config{MaxHTTPConnsPerAddress: 1}, 429}} {
		st := newSite(t, c.cfg)
		a := st.visit(t)
		io.WriteString(a.nc, "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
		receive(t, st.entered)
		for range 3 {
			resp, _ := st.visit(t).get("/page", "")
			if resp.StatusCode != c.status || !resp.Close || resp.Header.Get("Retry-After") == "" {
				t.Errorf("%s, Retry-After %q; want %d", resp.Status, resp.Header.Get("Retry-After"), c.status)
			}
			if resp, body := st.visit(t).get("/probe", ""); resp.StatusCode != 200 || body != "alive" || !resp.Close {
				t.Errorf("probe: %s %q, close %v; want 200 and close", resp.Status, body, resp.Close)
			}
		}
		close(st.leave)
		resp, err := http.ReadResponse(a.br, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(resp.Body); string(b) != "slow" {
			t.Errorf("it was answered %q", b)
		}
		a.nc.Close()
		waitFor(t, func() bool { return st.Stats().Handshaking == 0 })
		st.http.mu.Lock()
		if n := len(st.http.addresses); n != 0 {
			t.Errorf("%d addresses are still counted", n)
		}
		st.http.mu.Unlock()
	}
}

// A request that begins on an idle connection is not cut off by the next newcomer.
func TestHTTPConnsArriving(t *testing.T) {
	st := newSite(t, Config{MaxHTTPConns: 2})
	a, b := st.visit(t), st.visit(t)
	a.wants("/page", "page")
	waitFor(t, func() bool { return st.idle() == 1 })
	b.wants("/page", "page")
	waitFor(t, func() bool { return st.idle() == 2 && st.longestIdle() == a.nc.LocalAddr().String() })
	io.WriteString(a.nc, "GET /pa") // it was idle longest
	waitFor(t, func() bool { return st.idle() == 1 })
	st.visit(t).wants("/page", "page")
	b.ended()
	io.WriteString(a.nc, "ge HTTP/1.1\r\nHost: h\r\n\r\n")
	if resp, err := http.ReadResponse(a.br, nil); err != nil || resp.StatusCode != 200 {
		t.Errorf("%v, %v", resp, err)
	}
}

// Through a proxy that names its clients, a request counts for its client while it
// is answered, and the proxy's own connections for nobody.
func TestHTTPConnsNamed(t *testing.T) {
	st := newSite(t, Config{MaxHTTPConnsPerAddress: 1, ClientAddr: headerAddr})
	proxied := []*visitor{st.visit(t), st.visit(t), st.visit(t)}
	for i, v := range proxied {
		if resp, _ := v.get("/page", fmt.Sprintf("Client: 192.0.2.%d:1\r\n", i)); resp.StatusCode != 200 {
			t.Errorf("client %d: %s", i, resp.Status)
		}
	}
	waitFor(t, func() bool { return st.idle() == 3 })
	io.WriteString(proxied[0].nc, "GET /slow HTTP/1.1\r\nHost: h\r\nClient: 192.0.2.7:1\r\n\r\n")
	receive(t, st.entered)
	if resp, _ := proxied[1].get("/page", "Client: 192.0.2.7:2\r\n"); resp.StatusCode != 429 {
		t.Errorf("a second request of the same client: %s; want 429", resp.Status)
	}
	if resp, _ := proxied[2].get("/page", "Client: 192.0.2.8:2\r\n"); resp.StatusCode != 200 {
		t.Errorf("another client: %s", resp.Status)
	}
	close(st.leave)
	if resp, err := http.ReadResponse(proxied[0].br, nil); err != nil || resp.StatusCode != 200 {
		t.Errorf("%v, %v", resp, err)
	}
	direct, second := st.visit(t), st.visit(t)
	direct.wants("/page", "page")
	waitFor(t, func() bool { return st.idle() == 3 })
	second.wants("/page", "page")
	waitFor(t, func() bool { return st.idle() == 4 })
	direct.wants("/page", "page")
}

// Health probes pass every limit.
func TestProbePasses(t *testing.T) {
	st := newSite(t, Config{MaxConns: 1, MaxConnsPerAddress: 1, MaxHandshakeRate: 1, MemoryBudget: 1})
	c := st.dial(t, "/")
	c.text("x")
	c.expect(`text "x"`)
	st.budget.used.Add(100)
	for range 5 {
		st.visit(t).wants("/probe", "alive")
		if resp, _ := ask(t, st.addr, upgradeRequest("/", "")); resp.StatusCode != 503 {
			t.Errorf("upgrade: %s; want 503", resp.Status)
		}
	}
	resp, body := ask(t, st.addr, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n")
	if resp.StatusCode != 200 || body != "alive" {
		t.Errorf("OPTIONS *: %s %q", resp.Status, body)
	}
	st.budget.used.Add(-100)
}

// probesOnly is a listener's connection that did not say who it is.
type probesOnly struct{ net.Conn }

func (probesOnly) ProbesOnly() bool { return true }

type probesOnlyListener struct{ net.Listener }

func (ln probesOnlyListener) Accept() (net.Conn, error) {
	nc, err := ln.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return probesOnly{nc}, nil
}

func TestProbesOnly(t *testing.T) {
	st := newSite(t, Config{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go st.Serve(probesOnlyListener{ln}) // ends with the server
	only := &testServer{Server: st.Server, addr: ln.Addr().String()}
	if resp, body := only.visit(t).get("/probe", ""); resp.StatusCode != 200 || body != "alive" || !resp.Close {
		t.Errorf("%s %q, close %v", resp.Status, body, resp.Close)
	}
	for _, request := range []string{upgradeRequest("/", ""), "GET /page HTTP/1.1\r\nHost: h\r\n\r\n"} {
		if resp, body := ask(t, only.addr, request); resp.StatusCode != 400 || !resp.Close || !strings.Contains(body, "PROXY header") {
			t.Errorf("%.20q: %s %q", request, resp.Status, body)
		}
	}
}

// Whatever happens, the counts are those of the connections that are there, and
// the bounds hold.
func TestHTTPConnsCounts(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	now := time.Duration(0)
	h := &httpConns{max: 20, maxPerAddress: 6, maxSurplus: 4, now: func() time.Duration { return now }}
	var conns []*accepted
	addr := func() netip.Addr {
		if r.IntN(5) == 0 {
			return netip.Addr{}
		}
		return netip.AddrFrom4([4]byte{192, 0, 2, byte(r.IntN(6))})
	}
	for range 20_000 {
		now += time.Duration(r.IntN(200)) * time.Millisecond
		if len(conns) == 0 || r.IntN(3) == 0 {
			a := &accepted{Conn: &countedConn{}}
			if h.add(a, addr(), r.IntN(20) == 0) {
				conns = append(conns, a)
			}
		} else {
			i := r.IntN(len(conns))
			a := conns[i]
			switch r.IntN(6) {
			case 0:
				h.gone(a)
				a.Conn.Close()
			case 1:
				h.serving(a, netip.Addr{})
			case 2:
				h.serving(a, addr())
			case 3:
				h.answered(a)
			case 4:
				h.arrives(a)
			case 5:
				if r.IntN(4) == 0 {
					h.hijacked(a)
				}
			}
		}
		conns = checkCounts(t, h, conns)
	}
}

// checkCounts holds what the table says against the connections that are not closed,
// which it returns.
func checkCounts(t *testing.T, h *httpConns, conns []*accepted) (open []*accepted) {
	t.Helper()
	n, surplus, lines, served := 0, 0, 0, 0
	addresses := map[*httpAddress]int{}
	for _, a := range conns {
		if a.Conn.(*countedConn).closed {
			if a.http.state != httpGone {
				t.Fatalf("a closed connection is in state %d", a.http.state)
			}
			continue
		}
		open = append(open, a)
		if a.surplus {
			surplus++
		} else {
			n++
		}
		if a.http.address != nil {
			addresses[a.http.address]++
		}
		if !a.surplus && a.http.state != httpServing && a.http.state != httpGiven {
			lines++
		}
		if a.http.state == httpServing {
			served++
		}
	}
	if h.n != n || h.surplus != surplus || n > h.max || surplus > h.maxSurplus || h.waiting.idle.Len()+h.waiting.reading.Len() != lines {
		t.Fatalf("%d and %d surplus are counted, %d wait; there are %d, %d, %d", h.n, h.surplus, h.waiting.idle.Len()+h.waiting.reading.Len(), n, surplus, lines)
	}
	if h.served != served {
		t.Fatalf("%d are counted as being served; there are %d", h.served, served)
	}
	if len(addresses) != len(h.addresses) {
		t.Fatalf("%d addresses are counted; there are %d", len(h.addresses), len(addresses))
	}
	for own, n := range addresses {
		if h.addresses[own.key] != own || own.n != n || n > h.maxPerAddress {
			t.Fatalf("%v counts %d; it has %d", own.key, own.n, n)
		}
	}
	return open
}

type countedConn struct {
	net.Conn
	closed bool
}

func (c *countedConn) Close() error { c.closed = true; return nil }
