package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// underTLS is an http.Server of somebody else's with TLS and HTTP/2, on which ts answers
// /ws, and the options to dial it.
func underTLS(t *testing.T, ts *testServer, adoptable bool) (hs *httptest.Server, secure *testServer, o *handshake.DialOptions) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/page", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "page") })
	mux.Handle("/ws", ts.Server)
	hs = httptest.NewUnstartedServer(mux)
	if adoptable {
		hs.Listener = AdoptableListener(hs.Listener)
	}
	hs.EnableHTTP2 = true
	hs.StartTLS()
	t.Cleanup(hs.Close)
	roots := x509.NewCertPool()
	roots.AddCert(hs.Certificate())
	return hs, &testServer{Server: ts.Server, scheme: "wss", addr: hs.Listener.Addr().String()}, &handshake.DialOptions{TLSConfig: &tls.Config{RootCAs: roots}}
}

// onLoopWithTLS counts the connections whose TLS is the loops' own.
func onLoopWithTLS(ts *testServer) (n int) {
	for _, l := range ts.loops {
		l.call(func() {
			for c := range l.present() {
				if c.tls != nil {
					n++
				}
			}
		})
	}
	return n
}

// Under somebody else's TLS everything works: on a loop if the listener is adoptable,
// otherwise with goroutines. Other paths have HTTP/2.
func TestForeignTLS(t *testing.T) {
	for name, adoptable := range map[string]bool{"adoptable": true, "as it is": false} {
		t.Run(name, func(t *testing.T) {
			opened, closed := make(chan Conn, 2), make(chan error, 2)
			ts := start(t, Config{MaxMessage: 4 << 20, WriteQueue: 8 << 20, Handler: funcs{
				open: func(c LoopConn) { opened <- c.Conn() }, message: echo, close: end(closed),
			}})
			hs, secure, o := underTLS(t, ts, adoptable)
			c := secure.dialWith(t, "/ws", o)
			c.text("hello")
			c.expect(`text "hello"`)
			for _, n := range []int{100, 70_000, 3 << 20} {
				go c.nc.Write(masked(0x82, strings.Repeat("x", n)))
				c.expect(fmt.Sprintf("binary %d bytes", n))
			}
			if n := onLoopWithTLS(ts); (n == 1) != adoptable {
				t.Errorf("%d connections with TLS on loops", n)
			}
			resp, err := hs.Client().Get(hs.URL + "/page")
			if err != nil {
				t.Fatal(err)
			}
			if b, _ := io.ReadAll(resp.Body); string(b) != "page" || resp.ProtoMajor != 2 {
				t.Errorf("%s %q", resp.Proto, b)
			}
			resp.Body.Close()
			c.frame(0x88, "\x03\xe8")
			c.expect("close 1000", "EOF") // close_notify, not an error
			c.nc.Close()
			receive(t, opened)
			if err := receive(t, closed); !isNormal(err) {
				t.Error(err)
			}

			// The server ends one, too.
			c = secure.dialWith(t, "/ws", o)
			receive(t, opened).Close(wsproto.CloseNormal, "")
			c.expect("close 1000")
			c.frame(0x88, "\x03\xe8")
			c.expect("EOF")
			c.nc.Close()
			receive(t, closed)
		})
	}
}

func isNormal(err error) bool {
	var closed *CloseError
	return errors.As(err, &closed) && closed.Code == wsproto.CloseNormal
}

// A connection that goroutines serve is paused, held back and evicted as any other, and
// leaves nothing behind.
func TestForeignTLSBackpressure(t *testing.T) {
	before := runtime.NumGoroutine()
	opened, closed, got := make(chan Conn, 1), make(chan error, 1), make(chan string, 100)
	ts := start(t, Config{Loops: 1, PingInterval: Off, WriteTimeout: Off, AssemblyTimeout: Off, Handler: funcs{
		open: func(c LoopConn) { opened <- c.Conn() },
		message: func(c LoopConn, op frame.Opcode, p []byte) {
			got <- string(p)
			if string(p) == "0" {
				c.Pause(true)
			}
		},
		close: end(closed),
	}})
	hs, secure, o := underTLS(t, ts, false)
	c := secure.dialWith(t, "/ws", o)
	h := receive(t, opened)
	for i := range 20 {
		c.text(fmt.Sprint(i))
	}
	if s := receive(t, got); s != "0" {
		t.Errorf("received %s", s)
	}
	ts.clock.settle()
	if len(got) != 0 {
		t.Error("it is not paused")
	}
	h.Pause(false)
	for i := 1; i < 20; i++ {
		if s := receive(t, got); s != fmt.Sprint(i) {
			t.Fatalf("received %s; want %d", s, i)
		}
	}
	var err error
	for err == nil {
		err = h.Send(frame.Binary, make([]byte, 64<<10))
		ts.clock.settle()
	}
	var cause *CloseError
	c.nc.Close()
	if err := receive(t, closed); !errors.As(err, &cause) {
		t.Error(err)
	}
	hs.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ts.Shutdown(ctx)
	waitFor(t, func() bool { return runtime.NumGoroutine() <= before })
}

// A connection that was dialed with TLS is adopted, on a loop if it is adoptable, and also
// if it goes through a proxy with TLS of its own.
func TestAdoptDialedTLS(t *testing.T) {
	remote, o, _ := startTLS(t, Config{Handler: funcs{message: echo}})
	for name, dial := range map[string]func(net.Conn) net.Conn{
		"adoptable": Adoptable,
		"as it is":  func(nc net.Conn) net.Conn { return nc },
	} {
		t.Run(name, func(t *testing.T) {
			got := make(chan string, 1)
			ts := start(t, Config{Handler: funcs{
				open:    func(c LoopConn) { c.Send(frame.Text, []byte("hello")) },
				message: func(c LoopConn, op frame.Opcode, p []byte) { got <- string(p) },
			}})
			o := *o
			o.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				nc, err := new(net.Dialer).DialContext(ctx, network, addr)
				if err != nil {
					return nil, err
				}
				return dial(nc), nil
			}
			nc, left, res, err := handshake.Dial(t.Context(), "wss://"+remote.addr+"/", &o)
			if err != nil {
				t.Fatal(err)
			}
			c, err := ts.Adopt(nc, left, res, wsproto.Client)
			if err != nil {
				t.Fatal(err)
			}
			if s := receive(t, got); s != "hello" {
				t.Errorf("received %q", s)
			}
			if n := onLoopWithTLS(ts); (n == 1) != (name == "adoptable") {
				t.Errorf("%d connections with TLS on loops", n)
			}
			c.Close(wsproto.CloseNormal, "")
		})
	}
}

// Two layers of TLS, as with an https proxy, move to a loop together.
func TestAdoptNestedTLS(t *testing.T) {
	ca := newAuthority(t)
	config := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, x509.ExtKeyUsageServerAuth)}}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	inner := tls.NewListener(tls.NewListener(AdoptableListener(ln), config), config)
	ts := start(t, Config{Handler: funcs{message: echo}, MaxMessage: 1 << 20})
	hs := &http.Server{Handler: ts.Server}
	go hs.Serve(inner)
	defer hs.Close()
	roots := &tls.Config{RootCAs: ca.pool, ServerName: "127.0.0.1"}
	nc, left, res, err := handshake.Dial(t.Context(), "wss://"+ln.Addr().String()+"/", &handshake.DialOptions{TLSConfig: roots,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return (&tls.Dialer{Config: roots}).DialContext(ctx, network, addr)
		}})
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, nc, left, res)
	c.frame(0x82, strings.Repeat("x", 100_000))
	c.expect("binary 100000 bytes")
	if n := onLoopWithTLS(ts); n != 1 {
		t.Errorf("%d connections with TLS on loops", n)
	}
	c.frame(0x88, "\x03\xe8")
	c.expect("close 1000", "EOF")
}

// Serve offers HTTP/2 for the application's own requests if its TLS does.
func TestServeOffersHTTP2(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/page", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "page") })
	ts, o, _ := startTLS(t, Config{Handler: funcs{message: echo}, HTTP: mux, TLS: &tls.Config{NextProtos: []string{"h2", "http/1.1"}}})
	mux.Handle("/ws", ts.Server)
	c := ts.dialWith(t, "/ws", o)
	c.text("hello")
	c.expect(`text "hello"`)
	hc := &http.Client{Transport: &http.Transport{TLSClientConfig: o.TLSConfig, ForceAttemptHTTP2: true}}
	defer hc.CloseIdleConnections()
	for _, path := range []string{"/page", "/ws", "/page"} {
		resp, err := hc.Get("https://" + ts.addr + path)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.ProtoMajor != 2 || path == "/page" && string(b) != "page" || path == "/ws" && resp.StatusCode != 505 {
			t.Errorf("%s: %s %s %q", path, resp.Proto, resp.Status, b)
		}
	}
	waitFor(t, func() bool { return ts.Stats().Handshaking == 1 })
}
