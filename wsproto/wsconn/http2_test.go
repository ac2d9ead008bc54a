package wsconn_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
	. "github.com/hawser-ws/hawser/wsproto/wsconn"
	_ "github.com/hawser-ws/hawser/wsproto/wsconn/enablehttp2"
	"github.com/hawser-ws/hawser/wsproto/wstest"
)

//lint:file-ignore SA1019 net/http's client has no extended CONNECT.

// overHTTP2 serves connections by handle on streams of HTTP/2.
func overHTTP2(t *testing.T, o *AcceptOptions, handle func(ctx context.Context, c *Conn)) (srv *httptest.Server, client *http2.Transport) {
	srv = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := Accept(w, r, o)
		if err != nil {
			return
		}
		defer c.CloseNow()
		handle(r.Context(), c)
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	client = &http2.Transport{TLSClientConfig: srv.Client().Transport.(*http.Transport).TLSClientConfig.Clone()}
	t.Cleanup(client.CloseIdleConnections)
	return srv, client
}

// extendedConnect opens a stream (RFC 8441 §4) and returns what the client has of it.
func extendedConnect(t *testing.T, srv *httptest.Server, client *http2.Transport, header http.Header) (net.Conn, *http.Response) {
	t.Helper()
	out, outEnd := io.Pipe()
	req, err := http.NewRequestWithContext(bounded(t), http.MethodConnect, srv.URL+"/ws", out)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{":protocol": {"websocket"}, "Sec-Websocket-Version": {"13"}}
	for name, values := range header {
		req.Header[name] = values
	}
	resp, err := client.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { outEnd.Close(); resp.Body.Close() })
	// A pipe gives the two directions the deadlines of a net.Conn.
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close() })
	go func() { io.Copy(outEnd, theirs); outEnd.Close() }()
	go func() { io.Copy(theirs, resp.Body); theirs.Close() }()
	return ours, resp
}

func TestHTTP2(t *testing.T) {
	o := &AcceptOptions{Subprotocols: []string{"chat"}, Deflate: &handshake.DeflateOptions{}}
	returned := make(chan struct{}, 16)
	srv, client := overHTTP2(t, o, func(ctx context.Context, c *Conn) {
		if c.RemoteAddr() == nil || c.LocalAddr() == nil {
			t.Error("the connection has no addresses")
		}
		echoMessages(ctx, c)
		returned <- struct{}{}
	})
	nc, resp := extendedConnect(t, srv, client, http.Header{
		"Sec-Websocket-Protocol": {"other, chat"}, "Sec-Websocket-Extensions": {"permessage-deflate"},
	})
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Sec-WebSocket-Protocol") != "chat" || !strings.HasPrefix(resp.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate") {
		t.Fatalf("response %v %v", resp.Status, resp.Header)
	}
	c := New(nc, wsproto.Client, nil, handshake.Result{Deflate: &wsproto.Deflate{ServerNoContextTakeover: true}}, &Options{CompressFrom: 1})
	defer c.CloseNow()
	for _, n := range []int{0, 1, 126, 65536} {
		sent := strings.Repeat("x", n)
		if err := c.Write(bounded(t), frame.Text, []byte(sent)); err != nil {
			t.Fatal(err)
		}
		if op, p, err := c.Read(bounded(t)); op != frame.Text || string(p) != sent || err != nil {
			t.Fatalf("Read = %v, %d bytes, %v; want %d", op, len(p), err, n)
		}
	}
	if err := c.Close(4000, "done"); err != nil {
		t.Errorf("Close = %v", err)
	}
	receive(t, returned)
}

// A Read whose context has ended goes on later, and the answer to a Close is sent before
// the handler returns.
func TestHTTP2ReadContext(t *testing.T) {
	cancelled := make(chan struct{})
	srv, client := overHTTP2(t, nil, func(ctx context.Context, c *Conn) {
		for range 3 {
			short, cancel := context.WithCancel(ctx)
			read := started(func() error { _, _, err := c.Read(short); return err })
			cancel()
			if err := receive(t, read); err != context.Canceled {
				t.Errorf("Read = %v; want context.Canceled", err)
			}
		}
		close(cancelled)
		echoMessages(ctx, c)
	})
	nc, _ := extendedConnect(t, srv, client, nil)
	p := wstest.NewPeer(t, nc, wsproto.Client, nil, handshake.Result{})
	receive(t, cancelled)
	p.Text("still there")
	p.Expect(`text "still there"`)
	p.Frame(0x88, "\x0f\xa1")
	p.Expect(`close 4001 ""`, "EOF")
}

// A Write that the peer does not read ends with its context, and the stream with it.
func TestHTTP2WriteContext(t *testing.T) {
	result := make(chan error, 2)
	srv, client := overHTTP2(t, nil, func(ctx context.Context, c *Conn) {
		short, cancel := context.WithCancel(ctx)
		go func() {
			c.Reader(ctx) // the client has seen that much
			cancel()
		}()
		result <- c.Write(short, frame.Binary, make([]byte, 32<<20))
		result <- c.Write(context.Background(), frame.Binary, nil)
	})
	nc, _ := extendedConnect(t, srv, client, nil)
	if _, err := io.ReadFull(nc, make([]byte, 1<<10)); err != nil {
		t.Fatal(err)
	}
	wstest.NewPeer(t, nc, wsproto.Client, nil, handshake.Result{}).Text("stop")
	if err := receive(t, result); !errors.Is(err, context.Canceled) || !errors.Is(err, ErrClosed) {
		t.Errorf("Write = %v; want context.Canceled and ErrClosed", err)
	}
	if err := receive(t, result); !errors.Is(err, ErrClosed) {
		t.Errorf("the next Write = %v; want ErrClosed", err)
	}
}

// A client that resets the stream has disappeared.
func TestHTTP2Reset(t *testing.T) {
	result := make(chan error, 1)
	srv, client := overHTTP2(t, nil, func(ctx context.Context, c *Conn) {
		_, _, err := c.Read(context.Background())
		result <- err
	})
	_, resp := extendedConnect(t, srv, client, nil)
	resp.Body.Close()
	if err := receive(t, result); !errors.Is(err, io.EOF) {
		t.Errorf("Read = %v; want 1006", err)
	}
}

func TestHTTP2Refuses(t *testing.T) {
	srv, client := overHTTP2(t, nil, func(context.Context, *Conn) { t.Error("accepted") })
	for _, tt := range []struct {
		header http.Header
		status int
	}{
		{http.Header{"Sec-Websocket-Version": {"12"}}, http.StatusUpgradeRequired},
		{http.Header{"Origin": {"https://evil.example"}}, http.StatusForbidden},
		{http.Header{"Sec-Websocket-Extensions": {"\x22"}}, http.StatusBadRequest},
		{http.Header{":protocol": {"connect-udp"}}, http.StatusHTTPVersionNotSupported},
	} {
		if _, resp := extendedConnect(t, srv, client, tt.header); resp.StatusCode != tt.status {
			t.Errorf("%v: status %d; want %d", tt.header, resp.StatusCode, tt.status)
		}
	}
}
