package handshake

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// assertTalk sends a word each way.
func assertTalk(t *testing.T, a, b net.Conn) {
	t.Helper()
	for _, pair := range [][2]net.Conn{{a, b}, {b, a}} {
		if _, err := pair[0].Write([]byte("ahoy")); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 4)
		if _, err := io.ReadFull(pair[1], got); err != nil || string(got) != "ahoy" {
			t.Fatalf("read %q, %v", got, err)
		}
	}
}

// Both roles against each other.
func TestDialUpgrade(t *testing.T) {
	seen := make(chan *http.Request, 1)
	u := &Upgrader{
		Subprotocols: []string{"b", "a"},
		Header: func(r *http.Request) http.Header {
			seen <- r
			return http.Header{"X-Server": {"1"}}
		},
	}
	addr, outcomes := serve(t, u)
	nc, left, res, err := Dial(t.Context(), "ws://"+addr+"/chat?room=1", &DialOptions{
		Header:       http.Header{"Cookie": {"a=1"}, "Origin": {"http://" + addr}},
		Subprotocols: []string{"a", "b"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	o := <-outcomes
	if o.err != nil || o.left != nil || left != nil {
		t.Fatalf("Upgrade: %v, left %q and %q", o.err, o.left, left)
	}
	if res.Subprotocol != "b" || o.res.Subprotocol != "b" || res.Header.Get("X-Server") != "1" {
		t.Errorf("client %+v, server %+v", res, o.res)
	}
	r := <-seen
	if r.Host != addr || r.RequestURI != "/chat?room=1" || r.Header.Get("Cookie") != "a=1" {
		t.Errorf("request to %q, %q with %v", r.Host, r.RequestURI, r.Header)
	}
	assertTalk(t, nc, o.nc)
}

func TestDialTLS(t *testing.T) {
	srv, outcomes := upgrading(t, &Upgrader{})
	srv.EnableHTTP2 = true // a client that offered it would get it
	srv.StartTLS()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	url := "wss" + strings.TrimPrefix(srv.URL, "https")

	cfg := &tls.Config{RootCAs: roots, NextProtos: []string{"h2", "http/1.1"}}
	nc, _, _, err := Dial(t.Context(), url, &DialOptions{
		TLSConfig: cfg,
		Header:    http.Header{"Origin": {srv.URL}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if got := nc.(*tls.Conn).ConnectionState().NegotiatedProtocol; got == "h2" {
		t.Errorf("negotiated %q", got)
	}
	if cfg.ServerName != "" || len(cfg.NextProtos) != 2 {
		t.Error("the caller's tls.Config was changed")
	}
	assertTalk(t, nc, (<-outcomes).nc)
}

func TestDialUnix(t *testing.T) {
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	srv, outcomes := upgrading(t, &Upgrader{})
	srv.Listener.Close()
	srv.Listener = ln
	srv.Start()
	var asked string
	nc, _, _, err := Dial(t.Context(), "ws://chat.example/", &DialOptions{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			asked = network + " " + addr
			return new(net.Dialer).DialContext(ctx, "unix", ln.Addr().String())
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if asked != "tcp chat.example:80" {
		t.Errorf("DialContext was asked for %q", asked)
	}
	assertTalk(t, nc, (<-outcomes).nc)
}

// The request, letter by letter.
func TestDialRequest(t *testing.T) {
	o := &DialOptions{
		Header:       http.Header{"X-B": {"1", "2"}, "Authorization": {"Basic bWU6c2VjcmV0"}},
		Subprotocols: []string{"a", "b"},
		Deflate:      &DeflateOptions{ServerMaxWindowBits: 9},
		Rand:         strings.NewReader("the sample nonce"),
	}
	dst, err := parseTarget("wss://h.example:8443/chat?room=1")
	if err != nil {
		t.Fatal(err)
	}
	got, p, err := o.request(dst, o.Header)
	if err != nil {
		t.Fatal(err)
	}
	want := "GET /chat?room=1 HTTP/1.1\r\n" +
		"Host: h.example:8443\r\n" +
		"Upgrade: websocket\r\n" +
		"Connection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
		"Sec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Protocol: a, b\r\n" +
		"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; server_max_window_bits=9; client_max_window_bits\r\n" +
		"Authorization: Basic bWU6c2VjcmV0\r\n" +
		"X-B: 1\r\n" +
		"X-B: 2\r\n" +
		"\r\n"
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Errorf("request (-want +got):\n%s", d)
	}
	if p.key != "dGhlIHNhbXBsZSBub25jZQ==" {
		t.Errorf("key %q", p.key)
	}
}

// Without a given source, two keys differ.
func TestDialKeyIsRandom(t *testing.T) {
	o := &DialOptions{}
	_, a, err1 := o.request(target{}, nil)
	_, b, err2 := o.request(target{}, nil)
	if err1 != nil || err2 != nil || a.key == b.key || !validKey(a.key) {
		t.Errorf("keys %q, %q; %v, %v", a.key, b.key, err1, err2)
	}
}

// A mistake in the call is reported before anything is dialed.
func TestDialMisuse(t *testing.T) {
	for name, c := range map[string]struct {
		url  string
		o    DialOptions
		want string
	}{
		"URL":                {"ftp://h/", DialOptions{}, `handshake: URL: scheme is "ftp"`},
		"header injection":   {"ws://h/", DialOptions{Header: http.Header{"X": {"a\r\nY: b"}}}, "X contains a control character"},
		"handshake's header": {"ws://h/", DialOptions{Header: http.Header{"Sec-WebSocket-Key": {"a"}}}, "Sec-WebSocket-Key is set by the handshake itself"},
		"Host":               {"ws://h/", DialOptions{Header: http.Header{"Host": {"g"}}}, "for the Host header there is DialOptions.Host"},
		"Host field":         {"ws://h/", DialOptions{Host: "g\r\nX: y"}, `Host "g\r\nX: y" is not valid`},
		"user with a colon":  {"ws://a%3Ab:secret@h/", DialOptions{}, "URL: the user name contains a colon"},
		"control character":  {"ws://a:secret%00@h/", DialOptions{}, "password contains a control character"},
		"subprotocol":        {"ws://h/", DialOptions{Subprotocols: []string{"a", "b,c"}}, `subprotocol "b,c" is not a token`},
		"subprotocol empty":  {"ws://h/", DialOptions{Subprotocols: []string{""}}, `subprotocol "" is not a token`},
		"subprotocol twice":  {"ws://h/", DialOptions{Subprotocols: []string{"a", "a"}}, `subprotocol "a" is offered twice`},
		"window bits":        {"ws://h/", DialOptions{Deflate: &DeflateOptions{ClientMaxWindowBits: 16}}, "deflate options: ClientMaxWindowBits is 16, want 8 to 15"},
		"no randomness":      {"ws://h/", DialOptions{Rand: strings.NewReader("short")}, "key: unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.DialContext = func(context.Context, string, string) (net.Conn, error) {
				t.Error("dialed")
				return nil, io.EOF
			}
			nc, _, _, err := Dial(t.Context(), c.url, &c.o)
			if nc != nil || err == nil || !strings.Contains(err.Error(), c.want) || errors.As(err, new(*Error)) {
				t.Errorf("got %v, %v; want %q", nc, err, c.want)
			}
		})
	}
}

func TestDialRefused(t *testing.T) {
	addr, outcomes := serve(t, &Upgrader{})
	_, _, _, err := Dial(t.Context(), "ws://"+addr, &DialOptions{Header: http.Header{"Origin": {"http://evil.example"}}})
	var refusal *Error
	if !errors.As(err, &refusal) || refusal.Status != 403 {
		t.Fatalf("error %v", err)
	}
	if got := (<-outcomes).err.(*Error).Reason + "\n"; string(refusal.Body) != got {
		t.Errorf("body %q, want %q", refusal.Body, got)
	}

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if _, _, _, err := Dial(t.Context(), "ws://"+ln.Addr().String(), nil); err == nil || errors.As(err, &refusal) {
		t.Errorf("nobody listens: %v", err)
	}
}

// A context that ends closes the connection at any stage of the handshake.
func TestDialCancel(t *testing.T) {
	// Each stage returns DialContext, and cancels when it is reached.
	stages := map[string]struct {
		url   string
		stage func(t *testing.T, cancel func()) dialer
	}{
		"connect": {"ws://h/", func(t *testing.T, cancel func()) dialer {
			return func(ctx context.Context, _, _ string) (net.Conn, error) {
				cancel()
				<-ctx.Done()
				return nil, ctx.Err()
			}
		}},
		"TLS": {"wss://h/", func(t *testing.T, cancel func()) dialer {
			return pipe(t, func(peer net.Conn) {
				peer.Read(make([]byte, 1)) // the ClientHello begins
				cancel()
			})
		}},
		"write": {"ws://h/", func(t *testing.T, cancel func()) dialer {
			return pipe(t, func(peer net.Conn) {
				peer.Read(make([]byte, 1)) // the request begins, and is never read
				cancel()
			})
		}},
		"read": {"ws://h/", func(t *testing.T, cancel func()) dialer {
			return pipe(t, func(peer net.Conn) {
				readRequest(t, peer)
				io.WriteString(peer, "HTTP/1.1 101 Switching")
				cancel()
			})
		}},
	}
	for name, c := range stages {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			nc, _, _, err := Dial(ctx, c.url, &DialOptions{DialContext: c.stage(t, cancel)})
			if nc != nil || !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, %v; want context.Canceled", nc, err)
			}
		})
	}
}

// Under TLS too, where the connection's own Close would write an alert first,
// and wait for a peer that does not read.
func TestDialCancelTLS(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	srv := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done() // the client has hung up
	}))
	defer srv.Close()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	w := &watched{ctx: ctx}
	nc, _, _, err := Dial(ctx, "wss"+strings.TrimPrefix(srv.URL, "https"), &DialOptions{
		TLSConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, addr string) (nc net.Conn, err error) {
			w.Conn, err = new(net.Dialer).DialContext(ctx, network, addr)
			return w, err
		},
	})
	if nc != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v; want context.Canceled", nc, err)
	}
	if w.late.Load() || !w.closed.Load() {
		t.Errorf("written to after the end: %t, closed: %t", w.late.Load(), w.closed.Load())
	}
}

// The end of a context may close the connection after Dial has returned.
func TestDialCancelLate(t *testing.T) {
	for range 500 {
		ctx, cancel := context.WithCancel(t.Context())
		_, _, _, err := Dial(ctx, "ws://host/", &DialOptions{DialContext: func(context.Context, string, string) (net.Conn, error) {
			return &brokenConn{broken: cancel}, nil
		}})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("error %v", err)
		}
	}
}

// brokenConn is a connection that cannot be written to.
type brokenConn struct {
	net.Conn
	broken func()
}

func (c *brokenConn) Write([]byte) (int, error) {
	c.broken()
	return 0, io.ErrClosedPipe
}

func (c *brokenConn) Close() error { return nil }

// A refusal that was read is worth more than the context's end.
func TestDialCancelInBody(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := &DialOptions{DialContext: pipe(t, func(peer net.Conn) {
		readRequest(t, peer)
		io.WriteString(peer, "HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\nlat")
		cancel()
	})}
	var refusal *Error
	if _, _, _, err := Dial(ctx, "ws://h/", o); !errors.As(err, &refusal) || refusal.Status != 503 || string(refusal.Body) != "lat" {
		t.Errorf("error %v", err)
	}
}

// Once the handshake is done, the context no longer matters.
func TestDialContextEndsLater(t *testing.T) {
	addr, outcomes := serve(t, &Upgrader{})
	ctx, cancel := context.WithCancel(t.Context())
	nc, _, _, err := Dial(ctx, "ws://"+addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	cancel()
	assertTalk(t, nc, (<-outcomes).nc)
}

// watched is a connection that records what Dial did to it.
type watched struct {
	net.Conn
	ctx    context.Context
	late   atomic.Bool // written to after ctx ended
	closed atomic.Bool
}

func (w *watched) Write(p []byte) (int, error) {
	if w.ctx.Err() != nil {
		w.late.Store(true)
	}
	return w.Conn.Write(p)
}

func (w *watched) Close() error {
	w.closed.Store(true)
	return w.Conn.Close()
}

// The connection is closed when the handshake fails.
func TestDialClosesOnFailure(t *testing.T) {
	dial := pipe(t, func(peer net.Conn) {
		readRequest(t, peer)
		io.WriteString(peer, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
	})
	w := &watched{ctx: t.Context()}
	_, _, _, err := Dial(t.Context(), "ws://h/", &DialOptions{
		DialContext: func(ctx context.Context, network, addr string) (nc net.Conn, err error) {
			w.Conn, err = dial(ctx, network, addr)
			return w, err
		},
	})
	if !errors.As(err, new(*Error)) || !w.closed.Load() {
		t.Errorf("error %v, closed %t", err, w.closed.Load())
	}
}

// pipe is a DialContext that connects to peer in memory. The test waits for
// peer to return.
func pipe(t *testing.T, peer func(net.Conn)) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			peer(there)
		}()
		t.Cleanup(func() {
			here.Close()
			there.Close()
			<-done
		})
		return here, nil
	}
}

// readRequest reads a client's request and returns its key.
func readRequest(t *testing.T, nc net.Conn) (key string) {
	return readHead(t, nc).Header.Get(keyHeader)
}

// readHead reads a client's request, and not a byte more.
func readHead(t *testing.T, nc net.Conn) *http.Request {
	var head strings.Builder
	for b := make([]byte, 1); !strings.HasSuffix(head.String(), "\r\n\r\n"); head.Write(b) {
		if _, err := nc.Read(b); err != nil {
			t.Errorf("read request: %v", err)
			return &http.Request{}
		}
	}
	return parsed(t, head.String())
}
