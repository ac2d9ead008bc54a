package handshake

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// An application's refusal has its header, and what the status demands unless the
// application says something else.
func TestRefuse(t *testing.T) {
	for name, c := range map[string]struct {
		e    Error
		want int
		text string
		has  map[string]string
	}{
		"401":     {Error{Status: 401, Reason: "log in first", Header: http.Header{"www-authenticate": {"Bearer"}}}, 401, "log in first", map[string]string{"Www-Authenticate": "Bearer", "Allow": ""}},
		"405":     {Error{Status: 405, Reason: "no"}, 405, "no", map[string]string{"Allow": "GET"}},
		"405 own": {Error{Status: 405, Reason: "no", Header: http.Header{"Allow": {"GET, HEAD"}}}, 405, "no", map[string]string{"Allow": "GET, HEAD"}},
		"426":     {Error{Status: 426, Reason: "no"}, 426, "no", map[string]string{"Upgrade": "websocket", "Sec-Websocket-Version": "13"}},
		"307":     {Error{Status: 307, Reason: "over there", Header: http.Header{"Location": {"/b"}}}, 307, "over there", map[string]string{"Location": "/b"}},
		"503":     {Error{Status: 503, Reason: "later", Header: http.Header{"Retry-After": {"5"}}}, 503, "later", map[string]string{"Retry-After": "5"}},
		"500":     {Error{Status: 500, Reason: "dsn=secret"}, 500, "Internal Server Error", nil},
		"none":    {Error{Reason: "secret"}, 500, "Internal Server Error", nil},
		"101":     {Error{Status: 101, Reason: "secret"}, 500, "Internal Server Error", nil},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { Refuse(w, r, &c.e) }))
			defer srv.Close()
			rep := send(t, srv.Listener.Addr().String(), hello+"\r\n")
			if rep.StatusCode != c.want || strings.TrimSpace(rep.body) != c.text || !rep.Close {
				t.Errorf("%s, %q, close %t", rep.Status, rep.body, rep.Close)
			}
			for header, want := range c.has {
				if got := rep.Header.Get(header); got != want {
					t.Errorf("%s: %q, want %q", header, got, want)
				}
			}
		})
	}
}

// The answer to a request over HTTP/2 says what it should be, and its connection
// goes on.
func TestHTTP2(t *testing.T) {
	var conns atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/page" {
			io.WriteString(w, "page")
			return
		}
		if _, _, _, err := new(Upgrader).Upgrade(w, r); err == nil {
			t.Error("there is a WebSocket")
		}
	}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	for _, path := range []string{"/page", "/ws", "/page", "/ws"} {
		resp, err := srv.Client().Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.ProtoMajor != 2 {
			t.Fatalf("%s over %s", path, resp.Proto)
		}
		if path == "/ws" && (resp.StatusCode != 505 || !strings.Contains(string(b), "begins with an HTTP/1.1 request")) {
			t.Errorf("%s, %q", resp.Status, b)
		}
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections, want one", n)
	}
}

// Between Verify and Accept, the application may still refuse.
func TestVerify(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := (&Upgrader{Subprotocols: []string{"chat"}}).Verify(w, r)
		if err != nil {
			return
		}
		if p.Subprotocol() == "" {
			p.Refuse(&Error{Status: 400, Reason: "speak chat"})
			return
		}
		nc, _, res, err := p.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		io.WriteString(nc, res.Subprotocol)
		nc.Close()
	}))
	defer srv.Close()
	addr := srv.Listener.Addr().String()
	if rep := send(t, addr, edit(t, "Version: 13", "Version: 8")); rep.StatusCode != 426 {
		t.Errorf("%s %q", rep.Status, rep.body)
	}
	if rep := send(t, addr, hello+"\r\n"); rep.StatusCode != 400 || strings.TrimSpace(rep.body) != "speak chat" {
		t.Errorf("%s %q", rep.Status, rep.body)
	}
	rep := send(t, addr, with("Sec-WebSocket-Protocol: chat"))
	if b, _ := io.ReadAll(rep.rest); rep.StatusCode != 101 || string(b) != "chat" {
		t.Errorf("%s %q", rep.Status, b)
	}
}
