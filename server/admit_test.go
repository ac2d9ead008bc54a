package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
)

// Admit sees valid handshakes only.
func TestAdmitOrder(t *testing.T) {
	asked := make(chan string, 10)
	ts := start(t, Config{Handler: funcs{}, Admit: func(r *http.Request) (any, error) {
		asked <- r.URL.Path
		return nil, nil
	}})
	for _, c := range []struct {
		request string
		status  int
		header  string
	}{
		{"GET /plain HTTP/1.1\r\nHost: h\r\n\r\n", 400, ""},
		{strings.Replace(upgradeRequest("/post", ""), "GET", "POST", 1), 405, "Allow"},
		{strings.Replace(upgradeRequest("/version", ""), "Version: 13", "Version: 8", 1), 426, "Sec-Websocket-Version"},
		{strings.Replace(upgradeRequest("/key", ""), "AAAA==", "==", 1), 400, ""},
		{upgradeRequest("/origin", "Origin: http://evil.example\r\n"), 403, ""},
	} {
		resp, body := ask(t, ts.addr, c.request)
		if resp.StatusCode != c.status || c.header != "" && resp.Header.Get(c.header) == "" {
			t.Errorf("%.20q: %s %v %q; want %d and %s", c.request, resp.Status, resp.Header, body, c.status, c.header)
		}
		for _, prefix := range []string{"handshake:", "server:", "Config"} {
			if strings.Contains(body, prefix) {
				t.Errorf("%.20q: a client is told %q", c.request, body)
			}
		}
	}
	if resp, _ := ask(t, ts.addr, upgradeRequest("/good", "Origin: http://h\r\n")); resp.StatusCode != 101 {
		t.Errorf("a page of the host: %s", resp.Status)
	}
	if path := receive(t, asked); path != "/good" || len(asked) > 0 {
		t.Errorf("Admit was asked about %s", path)
	}
}

// An Admit refuses with a status, a header and a text of its own.
func TestAdmitRefuses(t *testing.T) {
	ts := start(t, Config{Handler: funcs{}, Admit: func(r *http.Request) (any, error) {
		return nil, fmt.Errorf("auth: %w", &handshake.Error{
			Status: 401, Reason: "log in first", Header: http.Header{"WWW-Authenticate": {`Bearer realm="chat"`}},
		})
	}})
	resp, body := ask(t, ts.addr, upgradeRequest("/", ""))
	if resp.StatusCode != 401 || body != "log in first\n" || resp.Header.Get("WWW-Authenticate") != `Bearer realm="chat"` {
		t.Errorf("%s %q %v", resp.Status, body, resp.Header)
	}
}

// derived is a context below ctx that nothing but ctx ends.
func derived(t *testing.T, ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	t.Cleanup(cancel)
	return ctx
}

type userKey struct{}

// The context of Admit's request has the values that middleware gave it, and ends after
// OnClose, whether its end is asked for early, late or too late.
func TestAdmitContext(t *testing.T) {
	contexts, opened, closing := make(chan context.Context, 2), make(chan struct{}), make(chan error, 2)
	var early context.Context
	ts := start(t, Config{
		Admit: func(r *http.Request) (any, error) {
			if r.URL.Path == "/early" {
				early = derived(t, r.Context()) // asks for Done at once
			}
			return r.Context(), nil
		},
		Handler: funcs{
			open: func(c LoopConn) { contexts <- c.Value().(context.Context); opened <- struct{}{} },
			close: func(c LoopConn, err error) {
				closing <- c.Value().(context.Context).Err()
			},
		},
	})
	hs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ts.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, "ada")))
	}))
	defer hs.Close()
	for _, path := range []string{"/early", "/late", "/toolate"} {
		c := (&testServer{Server: ts.Server, addr: hs.Listener.Addr().String()}).dial(t, path)
		receive(t, opened)
		ctx := receive(t, contexts)
		if user := ctx.Value(userKey{}); user != "ada" {
			t.Errorf("%s: user %v", path, user)
		}
		var ended context.Context
		switch path {
		case "/early":
			ended = early
		case "/late":
			ended = derived(t, ctx)
		}
		if ended != nil && ended.Err() != nil {
			t.Errorf("%s: it ended early: %v", path, ended.Err())
		}
		c.frame(0x88, "\x03\xe8")
		c.expect("close 1000")
		c.nc.Close()
		if err := receive(t, closing); err != nil && path != "/toolate" {
			t.Errorf("%s: in OnClose: %v", path, err)
		}
		if ended != nil {
			receive(t, ended.Done())
		}
		receive(t, ctx.Done())
		if ctx.Err() != context.Canceled {
			t.Errorf("%s: %v", path, ctx.Err())
		}
	}
	for _, l := range ts.loops {
		l.whenGone.mu.Lock()
		if n := len(l.whenGone.calls); n != 0 {
			t.Errorf("loop %d keeps calls for %d connections", l.index, n)
		}
		l.whenGone.mu.Unlock()
	}
}

// While Admit runs, its context ends when the client gives up; and when the handshake
// fails.
func TestAdmitContextOfFailure(t *testing.T) {
	entered, ended := make(chan context.Context, 1), make(chan error, 1)
	ts := start(t, Config{Handler: funcs{}, Admit: func(r *http.Request) (any, error) {
		if r.URL.Path == "/refuse" {
			entered <- r.Context()
			r.Context().Done()
			return nil, errors.New("no")
		}
		entered <- r.Context()
		<-r.Context().Done()
		ended <- r.Context().Err()
		return nil, r.Context().Err()
	}})
	nc, err := net.Dial("tcp", ts.addr)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(nc, upgradeRequest("/", ""))
	receive(t, entered)
	nc.Close()
	if err := receive(t, ended); err != context.Canceled {
		t.Error(err)
	}
	ask(t, ts.addr, upgradeRequest("/refuse", ""))
	receive(t, receive(t, entered).Done())
}

// A RemoteAddr without a port, as middleware writes it, counts and is told like one with.
func TestRemoteAddrWithoutPort(t *testing.T) {
	ts := start(t, Config{MaxConnsPerAddress: 1, Handler: funcs{message: func(c LoopConn, op frame.Opcode, p []byte) {
		c.Send(op, []byte(c.RemoteAddr().Addr().String()))
	}}})
	hs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = r.URL.Query().Get("from")
		ts.ServeHTTP(w, r)
	}))
	defer hs.Close()
	addr := hs.Listener.Addr().String()
	for _, from := range []string{"10.0.0.1", "2001:db8::1"} {
		c := (&testServer{Server: ts.Server, addr: addr}).dial(t, "/?from="+from)
		c.text("who am I?")
		c.expect(`text "` + from + `"`)
		if resp, _ := ask(t, addr, upgradeRequest("/?from="+from, "")); resp.StatusCode != http.StatusTooManyRequests {
			t.Errorf("a second one from %s: %s; want 429", from, resp.Status)
		}
	}
	if strings.Contains(ts.log.String(), "not an address") {
		t.Errorf("it is complained of:\n%s", ts.log)
	}
	if resp, _ := ask(t, addr, upgradeRequest("/?from=proxy", "")); resp.StatusCode != 101 {
		t.Errorf("%s", resp.Status)
	}
	if !strings.Contains(ts.log.String(), "not an address") {
		t.Errorf("the log does not say that there is no address:\n%s", ts.log)
	}
}

// Over HTTP/2, Server says what it needs, and the connection goes on.
func TestServeHTTP2(t *testing.T) {
	ts := start(t, Config{Handler: funcs{}})
	hs := httptest.NewUnstartedServer(ts.Server)
	hs.EnableHTTP2 = true
	hs.StartTLS()
	defer hs.Close()
	for range 2 {
		resp, err := hs.Client().Get(hs.URL)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.ProtoMajor != 2 || resp.StatusCode != 505 || !strings.Contains(string(b), "HTTP/1.1") || strings.Contains(string(b), "TLS") {
			t.Errorf("%s %s %q", resp.Proto, resp.Status, b)
		}
	}
}
