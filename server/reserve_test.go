package server

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// ask sends a request and returns the status and the body.
func ask(t *testing.T, addr, request string) (*http.Response, string) {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(patience))
	io.WriteString(nc, request)
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return resp, ""
	}
	body, _ := io.ReadAll(resp.Body)
	return resp, string(body)
}

func upgradeRequest(path, extra string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" + extra + "\r\n"
}

// H25: a path that is not served is 404, and a refused upgrade is logged with
// its reason.
func TestH25Admit(t *testing.T) {
	ts := start(t, Config{Handler: funcs{}, Admit: func(r *http.Request) (any, error) {
		switch r.URL.Path {
		case "/":
			return nil, nil
		case "/secret":
			return nil, errors.New("not for you")
		}
		return nil, &handshake.Error{Status: 404, Reason: "no such path"}
	}})
	for _, c := range []struct {
		request string
		status  int
		body    string
		log     string
	}{
		{upgradeRequest("/", ""), 101, "", ""},
		{upgradeRequest("/other", ""), 404, "no such path", "no such path"},
		{upgradeRequest("/secret", ""), 403, "Forbidden", "not for you"},
		{"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 400, "Upgrade", "Upgrade"},
		{upgradeRequest("/", "Origin: http://evil.example\r\n"), 403, "evil.example", "evil.example"},
	} {
		resp, body := ask(t, ts.addr, c.request)
		if resp.StatusCode != c.status || !strings.Contains(body, c.body) {
			t.Errorf("%.20q: %d %q; want %d and %q", c.request, resp.StatusCode, body, c.status, c.body)
		}
		if c.status != 101 && !strings.Contains(ts.log.String(), c.log) {
			t.Errorf("the log does not say %q:\n%s", c.log, ts.log)
		}
	}
	want := map[int]uint64{101: 1, 400: 1, 403: 2, 404: 1}
	waitFor(t, func() bool { return cmp.Equal(ts.Stats().Handshakes, want) })
}

// Handshakes that a limit refuses are counted, too.
func TestRefusedHandshakesCounted(t *testing.T) {
	ts := start(t, Config{Handler: funcs{}, MaxConns: 1})
	ts.dial(t, "/")
	if resp, body := ask(t, ts.addr, upgradeRequest("/", "")); resp.StatusCode != 503 {
		t.Fatalf("%s %s", resp.Status, body)
	}
	want := map[int]uint64{101: 1, 503: 1} // a 101 is counted after it has been sent
	waitFor(t, func() bool { return cmp.Equal(ts.Stats().Handshakes, want) })
}

// A16: connections beyond an address's share are answered 429, and the count
// returns to zero.
func TestA16PerAddress(t *testing.T) {
	closed := make(chan error, 10)
	ts := start(t, Config{Handler: funcs{message: echo, close: end(closed)}, MaxConnsPerAddress: 3})
	var cs []*client
	for range 3 {
		cs = append(cs, ts.dial(t, "/"))
		cs[len(cs)-1].text("x")
		cs[len(cs)-1].expect(`text "x"`)
	}
	if resp, _ := ask(t, ts.addr, upgradeRequest("/", "")); resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" {
		t.Errorf("fourth connection: %d, Retry-After %q; want 429", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
	for _, c := range cs {
		c.frame(0x88, "")
		c.expect("close 1005", "EOF")
		c.nc.Close()
		receive(t, closed)
	}
	for deadline := time.Now().Add(patience); ; { // the refused one is net/http's to close
		ts.addresses.mu.Lock()
		n := len(ts.addresses.count)
		ts.addresses.mu.Unlock()
		if n == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d addresses are still counted", n)
		}
	}
	c := ts.dial(t, "/")
	c.text("again")
	c.expect(`text "again"`)
}

// P01: connections that a browser keeps open for its next request are no WebSockets:
// they take nobody's place.
func TestPerAddressKeepAlive(t *testing.T) {
	st := newSite(t, Config{MaxConnsPerAddress: 3, MaxConns: 3})
	for range 3 {
		for range 6 {
			st.visit(t).wants("/page", "page")
		}
		c := st.dial(t, "/")
		c.text("x")
		c.expect(`text "x"`)
	}
	for range 6 { // and the other way round
		st.visit(t).wants("/page", "page")
	}
	if resp, _ := ask(t, st.addr, upgradeRequest("/", "")); resp.StatusCode != 503 {
		t.Errorf("fourth WebSocket: %d; want 503", resp.StatusCode)
	}
}

// Handshakes have their place before they are answered, so that no number of them
// at once exceeds a limit, and give it back if they fail.
func TestHandshakesHavePlaces(t *testing.T) {
	for _, cfg := range []Config{{MaxConns: 2}, {MaxConnsPerAddress: 2}} {
		asked, verdict := make(chan struct{}, 10), make(chan error)
		cfg.Handler = funcs{message: echo}
		cfg.Admit = func(*http.Request) (any, error) {
			asked <- struct{}{}
			return nil, <-verdict
		}
		ts := start(t, cfg)
		answers := make(chan int, 2)
		for range 2 {
			go func() {
				resp, _ := ask(t, ts.addr, upgradeRequest("/", ""))
				answers <- resp.StatusCode
			}()
			receive(t, asked)
		}
		if resp, _ := ask(t, ts.addr, upgradeRequest("/", "")); resp.StatusCode != 503 && resp.StatusCode != 429 {
			t.Errorf("a third handshake: %s", resp.Status)
		}
		verdict <- errors.New("not you")
		verdict <- errors.New("nor you")
		for range 2 {
			if status := receive(t, answers); status != 403 {
				t.Errorf("%d; want 403", status)
			}
		}
		waitFor(t, func() bool { return ts.conns.Load() == 0 })
		close(verdict)
		c, d := ts.dial(t, "/"), ts.dial(t, "/")
		for _, c := range []*client{c, d} {
			c.text("x")
			c.expect(`text "x"`)
		}
	}
}

// A16, A19: of the requests from one address, opening handshakes included, a burst is answered at
// once, and then as many as its rate allows. The others are told when to come again, and are
// counted. Other addresses, and probes, notice nothing.
func TestA19RequestsPerAddress(t *testing.T) {
	ts := start(t, Config{Handler: funcs{}, MaxRequestRatePerAddress: 5, RequestBurstPerAddress: 20, ClientAddr: headerAddr,
		Probe: func(r *http.Request) http.Handler {
			if r.URL.Path != "/healthz" {
				return nil
			}
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
		}})
	request := func(addr string, upgrade bool) *http.Response {
		text := "GET /nothing HTTP/1.1\r\nHost: h\r\nClient: " + addr + ":1\r\n\r\n"
		if upgrade {
			text = upgradeRequest("/", "Client: "+addr+":1\r\n")
		}
		resp, _ := ask(t, ts.addr, text)
		return resp
	}
	const one, other = "192.0.2.1", "192.0.2.2"
	for i := range 20 {
		if resp := request(one, i%2 == 0); resp.StatusCode == 429 {
			t.Fatalf("request %d: %s", i+1, resp.Status)
		}
	}
	if resp := request(one, true); resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("a handshake too many: %s, Retry-After %q", resp.Status, resp.Header.Get("Retry-After"))
	}
	if resp := request(one, false); resp.StatusCode != 429 {
		t.Errorf("a request too many: %s", resp.Status)
	}
	if n := ts.Stats().Limited[LimitRequestsPerAddress]; n != 2 {
		t.Errorf("%d refusals are counted, want 2", n)
	}
	if resp := request(other, true); resp.StatusCode != 101 {
		t.Errorf("another address: %s", resp.Status)
	}
	if resp, _ := ask(t, ts.addr, "GET /healthz HTTP/1.1\r\nHost: h\r\nClient: "+one+":1\r\n\r\n"); resp.StatusCode != 200 {
		t.Errorf("a probe: %s", resp.Status)
	}
	ts.clock.advance(200 * time.Millisecond)
	for i, want := range []int{101, 429} {
		if resp := request(one, true); resp.StatusCode != want {
			t.Errorf("%d after 200 ms: %s, want %d", i+1, resp.Status, want)
		}
	}
}

// Each refusal of a newcomer says when to try again, and is counted for its limit.
func TestLimitedCounts(t *testing.T) {
	var s Server
	for _, why := range []*refusal{refusedFull, refusedSurplus, refusedHTTPFull, refusedHTTPSurplus, refusedScarce, refusedRate, refusedRequests, refusedBudget} {
		s.cfg.Logger = slog.New(slog.DiscardHandler)
		w := httptest.NewRecorder()
		s.refuseFor(w, httptest.NewRequest("GET", "/", nil), why.after(1500*time.Millisecond))
		if w.Code != why.status || w.Header().Get("Retry-After") != "2" || why.seconds == "" {
			t.Errorf("%s: %d, Retry-After %q", why.reason, w.Code, w.Header().Get("Retry-After"))
		}
		if n := s.limited.counts()[why.limit]; n != 1 {
			t.Errorf("%s: counted %d times", why.reason, n)
		}
	}
}

// The same under somebody else's http.Server.
func TestPerAddressForeignServer(t *testing.T) {
	closed := make(chan error, 10)
	ts := start(t, Config{Handler: funcs{message: echo, close: end(closed)}, MaxConnsPerAddress: 1})
	hs := httptest.NewServer(ts.Server)
	defer hs.Close()
	foreign := &testServer{Server: ts.Server, addr: strings.TrimPrefix(hs.URL, "http://")}
	c := foreign.dial(t, "/")
	c.text("x")
	c.expect(`text "x"`)
	if resp, _ := ask(t, foreign.addr, upgradeRequest("/", "")); resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("second connection: %d; want 429", resp.StatusCode)
	}
	if resp, _ := ask(t, foreign.addr, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"); resp.StatusCode != 429 {
		t.Errorf("%d; want 429", resp.StatusCode)
	}
	c.nc.Close()
	receive(t, closed)
	ts.clock.settle()
	if n := len(ts.addresses.count); n != 0 {
		t.Errorf("%d addresses are still counted", n)
	}
}

// An Admit that panics, as a handler of net/http may, keeps no place of the address.
func TestPerAddressPanic(t *testing.T) {
	panics := true
	ts := start(t, Config{Handler: funcs{message: echo}, MaxConnsPerAddress: 1, Admit: func(*http.Request) (any, error) {
		if panics {
			panics = false
			panic(http.ErrAbortHandler)
		}
		return nil, nil
	}})
	hs := httptest.NewServer(ts.Server)
	defer hs.Close()
	addr := strings.TrimPrefix(hs.URL, "http://")
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	io.WriteString(nc, upgradeRequest("/", ""))
	if got, err := io.ReadAll(nc); len(got) > 0 || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	if resp, _ := ask(t, addr, upgradeRequest("/", "")); resp.StatusCode != http.StatusSwitchingProtocols {
		t.Errorf("%d; want 101", resp.StatusCode)
	}
}

func TestHandshakeRate(t *testing.T) {
	ts := start(t, Config{Handler: funcs{}, MaxHandshakeRate: 2})
	statuses := func(n int) (got []int) {
		for range n {
			resp, _ := ask(t, ts.addr, upgradeRequest("/", ""))
			got = append(got, resp.StatusCode)
			if resp.StatusCode == 503 && resp.Header.Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
		}
		return got
	}
	if d := cmp.Diff([]int{101, 101, 503}, statuses(3)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	ts.clock.advance(500 * time.Millisecond)
	if d := cmp.Diff([]int{101, 503}, statuses(2)); d != "" {
		t.Errorf("half a second later (-want +got):\n%s", d)
	}
}

// R12: an error of accept that passes does not end Serve.
func TestR12Accept(t *testing.T) {
	ts := start(t, Config{Handler: funcs{message: echo}})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go ts.Serve(&hiccup{Listener: ln, errs: []error{syscall.ENOBUFS, syscall.EPERM, syscall.ECONNABORTED, syscall.ENOMEM}})
	other := &testServer{Server: ts.Server, addr: ln.Addr().String()}
	c := other.dial(t, "/")
	c.text("x")
	c.expect(`text "x"`)
}

// hiccup is a listener that fails a few times first.
type hiccup struct {
	net.Listener
	errs []error
}

func (h *hiccup) Accept() (net.Conn, error) {
	if len(h.errs) > 0 {
		err := h.errs[0]
		h.errs = h.errs[1:]
		return nil, &net.OpError{Op: "accept", Err: err}
	}
	return h.Listener.Accept()
}

// A connection can be adopted in the client's role: two servers talk.
func TestAdoptClient(t *testing.T) {
	far := start(t, Config{Handler: funcs{message: echo}})
	got := make(chan string, 1)
	near := start(t, Config{Handler: funcs{
		open:    func(c LoopConn) { c.Send(1, []byte("from the client")) },
		message: func(c LoopConn, op frame.Opcode, p []byte) { got <- string(p); c.Close(wsproto.CloseNormal, "") },
	}})
	nc, left, res, err := handshake.Dial(t.Context(), "ws://"+far.addr+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := near.Adopt(nc, left, res, wsproto.Client); err != nil {
		t.Fatal(err)
	}
	if s := receive(t, got); s != "from the client" {
		t.Errorf("%q came back", s)
	}
	closed, err := net.Dial("tcp", far.addr)
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	if _, err := near.Adopt(closed, nil, res, wsproto.Client); err == nil {
		t.Error("a closed connection is adopted")
	}
	waitFor(t, func() bool { return near.conns.Load() == 0 })
	if _, err := New(Config{}); err == nil {
		t.Error("New without a Handler succeeds")
	}
}
