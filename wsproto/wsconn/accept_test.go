package wsconn_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
	. "github.com/hawser-ws/hawser/wsproto/wsconn"
	"github.com/hawser-ws/hawser/wsproto/wstest"
)

// accepting serves connections by handle, until the test ends.
func accepting(t testing.TB, scheme string, o *AcceptOptions, handle func(ctx context.Context, c *Conn)) *listener {
	l := &listener{Server: httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := Accept(w, r, o)
		if err != nil {
			return
		}
		defer c.CloseNow()
		handle(r.Context(), c)
	}))}
	if scheme == "wss" {
		l.StartTLS()
	} else {
		l.Start()
	}
	t.Cleanup(l.Close)
	l.url = scheme + "://" + l.Listener.Addr().String()
	return l
}

// echoMessages sends back what it receives, whole.
func echoMessages(ctx context.Context, c *Conn) {
	for {
		op, p, err := c.Read(ctx)
		if err != nil {
			return
		}
		if c.Write(ctx, op, p) != nil {
			return
		}
	}
}

// echoStreams sends back what it receives as it arrives.
func echoStreams(ctx context.Context, c *Conn) {
	for {
		op, r, err := c.Reader(ctx)
		if err != nil {
			return
		}
		w, err := c.Writer(ctx, op)
		if err != nil {
			return
		}
		if _, err := io.Copy(w, r); err != nil {
			return
		}
		if w.Close() != nil {
			return
		}
	}
}

func TestAccept(t *testing.T) {
	for _, scheme := range []string{"ws", "wss"} {
		for _, deflate := range []*handshake.DeflateOptions{nil, {ServerContextTakeover: true}} {
			l := accepting(t, scheme, &AcceptOptions{Subprotocols: []string{"chat"}, Deflate: deflate}, echoMessages)
			d := &DialOptions{Subprotocols: []string{"chat"}, Deflate: deflate}
			if scheme == "wss" {
				d.TLSConfig = l.trust()
			}
			c, err := Dial(bounded(t), l.url, d)
			if err != nil {
				t.Fatal(err)
			}
			if c.Subprotocol() != "chat" || (c.Handshake().Deflate != nil) != (deflate != nil) {
				t.Errorf("%s: the handshake agreed on %+v", scheme, c.Handshake())
			}
			for _, n := range []int{0, 1, 125, 126, 200, 65535, 65536} {
				sent := strings.Repeat("é", n/2) + strings.Repeat("x", n%2)
				if err := c.Write(bounded(t), frame.Text, []byte(sent)); err != nil {
					t.Fatal(err)
				}
				if op, p, err := c.Read(bounded(t)); op != frame.Text || string(p) != sent || err != nil {
					t.Errorf("%s: Read = %v, %d bytes, %v; want %d", scheme, op, len(p), err, n)
				}
			}
			if err := c.Close(wsproto.CloseNormal, ""); err != nil {
				t.Errorf("%s: Close = %v", scheme, err)
			}
		}
	}
}

func TestAcceptRefuses(t *testing.T) {
	refused := make(chan error, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := Accept(w, r, nil)
		refused <- err
	}))
	defer srv.Close()
	resp, err := srv.Client().Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	var e *handshake.Error
	if err := receive(t, refused); !errors.As(err, &e) || e.Status != resp.StatusCode {
		t.Errorf("Accept = %v; the client received %d", err, resp.StatusCode)
	}
}

// The first frames may arrive together with the request.
func TestAcceptLeftover(t *testing.T) {
	l := accepting(t, "ws", nil, echoMessages)
	nc, err := net.Dial("tcp", l.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	io.WriteString(nc, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"+
		"\x81\x82\x00\x00\x00\x00hi")
	head := make([]byte, 0, 1024)
	for !strings.HasSuffix(string(head), "\r\n\r\n") {
		b := make([]byte, 1)
		if _, err := io.ReadFull(nc, b); err != nil {
			t.Fatal(err)
		}
		head = append(head, b...)
	}
	p := wstest.NewPeer(t, nc, wsproto.Client, nil, handshake.Result{})
	p.Expect(`text "hi"`)
}

// The server's Close arrives with its code, and its Close returns when the client has
// answered.
func TestAcceptCloses(t *testing.T) {
	for _, scheme := range []string{"ws", "wss"} {
		closed := make(chan error, 1)
		l := accepting(t, scheme, nil, func(ctx context.Context, c *Conn) { closed <- c.Close(4001, "expired") })
		d := &DialOptions{}
		if scheme == "wss" {
			d.TLSConfig = l.trust()
		}
		c, err := Dial(bounded(t), l.url, d)
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseNow()
		var end *CloseError
		if _, _, err := c.Read(bounded(t)); !errors.As(err, &end) || end.Code != 4001 || end.Reason != "expired" || end.Local {
			t.Errorf("%s: Read = %v; want 4001 of the peer", scheme, err)
		}
		if err := receive(t, closed); err != nil {
			t.Errorf("%s: the server's Close = %v", scheme, err)
		}
		receive(t, c.Gone())
	}
}

// Both directions stream a message far larger than the memory that they allocate.
func TestStreamLarge(t *testing.T) {
	const size = 16 << 20
	o := &AcceptOptions{Stream: true}
	l := accepting(t, "ws", o, echoStreams)
	c, err := Dial(bounded(t), l.url, &DialOptions{Stream: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	block := make([]byte, 1<<20)
	for i, r := 0, rand.New(rand.NewPCG(seed, 0)); i < len(block); i++ {
		block[i] = byte(r.Uint32())
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	writing := started(func() error {
		w, err := c.Writer(context.Background(), frame.Binary)
		if err != nil {
			return err
		}
		for range size / len(block) {
			if _, err := w.Write(block); err != nil {
				return err
			}
		}
		return w.Close()
	})
	_, r, err := c.Reader(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(block))
	for i := range size / len(block) {
		if _, err := io.ReadFull(r, got); err != nil || string(got) != string(block) {
			t.Fatalf("MiB %d: %v, equal: %v", i, err, string(got) == string(block))
		}
	}
	if n, err := r.Read(got); n != 0 || err != io.EOF {
		t.Errorf("Read after the end = %d, %v", n, err)
	}
	if err := receive(t, writing); err != nil {
		t.Error(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > size/8 {
		t.Errorf("%d bytes were allocated for %d sent and received", n, size)
	}
}
