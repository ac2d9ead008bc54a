package server

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// says answers every message with its name and the connection's value.
func says(name string) funcs {
	return funcs{message: func(c LoopConn, op frame.Opcode, p []byte) {
		c.Send(op, fmt.Appendf(nil, "%s %v", name, c.Value()))
	}}
}

// Each endpoint has its handler, its Admit, its upgrader and its limits.
func TestEndpoints(t *testing.T) {
	mux := http.NewServeMux()
	ts := start(t, Config{Handler: says("default"), HTTP: mux, MaxMessage: 100, MaxConnsPerAddress: Off})
	mux.Handle("/", ts.Server)
	mux.Handle("/chat", ts.Endpoint(Endpoint{
		Handler:  says("chat"),
		Upgrader: handshake.Upgrader{Subprotocols: []string{"v1"}},
		Admit: func(r *http.Request) (any, error) {
			if r.Header.Get("User") == "" {
				return nil, &handshake.Error{Status: 401, Reason: "who are you?"}
			}
			return r.Header.Get("User"), nil
		},
		MaxConns: 1,
	}))
	mux.Handle("/large", ts.Endpoint(Endpoint{Handler: says("large"), MaxMessage: 1000}))
	ada := &handshake.DialOptions{Header: http.Header{"User": {"ada"}}, Subprotocols: []string{"v1"}}

	c := ts.dial(t, "/")
	c.text("x")
	c.expect(`text "default <nil>"`)
	c.text(strings.Repeat("x", 101))
	c.expect("close 1009")
	c.nc.Close()

	c = ts.dial(t, "/large")
	c.text(strings.Repeat("x", 1000))
	c.expect(`text "large <nil>"`)
	c.text(strings.Repeat("x", 1001))
	c.expect("close 1009")
	c.nc.Close()

	if resp, body := ask(t, ts.addr, upgradeRequest("/chat", "")); resp.StatusCode != 401 || body != "who are you?\n" {
		t.Errorf("%s %q", resp.Status, body)
	}
	for range 3 { // the place is free again each time
		c = ts.dialWith(t, "/chat", ada)
		c.text("x")
		c.expect(`text "chat ada"`)
		if resp, _ := ask(t, ts.addr, upgradeRequest("/chat", "User: eve\r\n")); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
			t.Errorf("beyond MaxConns: %s %v", resp.Status, resp.Header)
		}
		c.frame(0x88, "\x03\xe8")
		c.expect("close 1000")
		c.nc.Close()
		waitFor(t, func() bool { return ts.Stats().Open == 0 })
		ts.clock.settle()
	}
	ts.Endpoint(Endpoint{Name: "one", Handler: funcs{}})
	for _, e := range []Endpoint{{}, {Name: "one", Handler: funcs{}}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Endpoint %+v is accepted", e)
				}
			}()
			ts.Endpoint(e)
		}()
	}
}

// After Shutdown, an endpoint refuses like the server.
func TestEndpointAfterShutdown(t *testing.T) {
	ts := start(t, Config{Handler: funcs{}})
	h := ts.Endpoint(Endpoint{Handler: funcs{}})
	hs := &http.Server{Handler: h}
	addr := listen(t, hs)
	ts.Shutdown(t.Context())
	resp, body := ask(t, addr, upgradeRequest("/", ""))
	if resp.StatusCode != 503 || !strings.Contains(body, "shutting down") || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%s %q", resp.Status, body)
	}
}

// listen serves hs on loopback.
func listen(t *testing.T, hs *http.Server) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go hs.Serve(ln)
	t.Cleanup(func() { hs.Close() })
	return ln.Addr().String()
}

// A connection may be adopted for an endpoint, and counts there until it has ended.
func TestEndpointAdopt(t *testing.T) {
	var h *EndpointHandler
	ts := startWith(t, Config{Handler: greets("Config's")}, func(s *Server) {
		h = s.Endpoint(Endpoint{Handler: greets("the endpoint's"), MaxConns: 1, MaxMessage: 100})
	})
	adopt := func(by func(net.Conn, []byte, handshake.Result, wsproto.Role) (Conn, error)) *client {
		ours, theirs := tcpPair(t)
		if _, err := by(ours, nil, handshake.Result{}, wsproto.Server); err != nil {
			t.Fatal(err)
		}
		return newClient(t, theirs, nil, handshake.Result{})
	}
	config := adopt(ts.Adopt)
	config.expect(`text "Config's"`)
	one, two := adopt(h.Adopt), adopt(h.Adopt) // MaxConns limits handshakes
	for _, c := range []*client{one, two} {
		c.expect(`text "the endpoint's"`)
	}
	if n := h.own.conns.Load(); n != 2 {
		t.Errorf("the endpoint counts %d connections", n)
	}
	one.frame(0x82, strings.Repeat("x", 101))
	one.expect("close 1009")
	one.nc.Close()
	two.nc.Close()
	waitFor(t, func() bool { return h.own.conns.Load() == 0 })
	config.nc.Close()
	ts.Shutdown(t.Context())
	ours, _ := tcpPair(t)
	if _, err := h.Adopt(ours, nil, handshake.Result{}, wsproto.Server); err != ErrServerClosed {
		t.Errorf("Adopt after Shutdown: %v", err)
	}
	if n, all := h.own.conns.Load(), ts.conns.Load(); n != 0 || all != 0 {
		t.Errorf("%d and %d connections are counted", n, all)
	}
}
