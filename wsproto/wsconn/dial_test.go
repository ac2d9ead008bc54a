package wsconn_test

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
	"testing"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
	. "github.com/hawser-ws/hawser/wsproto/wsconn"
	"github.com/hawser-ws/hawser/wsproto/wstest"
)

// listener serves opening handshakes and gives the peers out.
type listener struct {
	*httptest.Server
	url   string
	peers chan *wstest.Peer
}

// listen starts a listener, with TLS under wss.
func listen(t testing.TB, scheme string, ln net.Listener) *listener {
	l := &listener{peers: make(chan *wstest.Peer, 16)}
	u := &handshake.Upgrader{
		Subprotocols: []string{"chat"},
		Deflate:      &handshake.DeflateOptions{ServerContextTakeover: true},
	}
	l.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		if nc, left, res, err := u.Upgrade(w, r); err == nil {
			l.peers <- wstest.NewPeer(t, nc, wsproto.Server, left, res)
		}
	}))
	if ln != nil {
		l.Listener.Close()
		l.Listener = ln
	}
	if scheme == "wss" {
		l.StartTLS()
	} else {
		l.Start()
	}
	t.Cleanup(l.Close)
	l.url = scheme + "://" + l.Listener.Addr().String()
	return l
}

// trust is a tls.Config for l.
func (l *listener) trust() *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(l.Certificate())
	return &tls.Config{RootCAs: roots}
}

// dial connects and returns both ends.
func (l *listener) dial(t testing.TB, o *DialOptions) (*Conn, *wstest.Peer) {
	t.Helper()
	c, err := Dial(bounded(t), l.url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseNow)
	return c, receive(t, l.peers)
}

// converse says something both ways and closes.
func converse(t testing.TB, c *Conn, p *wstest.Peer) {
	t.Helper()
	if err := c.Write(bounded(t), frame.Text, []byte("ask")); err != nil {
		t.Error(err)
	}
	p.Expect(`text "ask"`)
	p.Text("answer")
	expectText(t, c, `text "answer"`)
	closed := started(func() error { return c.Close(wsproto.CloseNormal, "done") })
	p.Expect(`close 1000 "done"`)
	p.Frame(0x88, "\x03\xe8")
	p.Close()
	if err := receive(t, closed); err != nil {
		t.Errorf("Close = %v", err)
	}
}

func TestDial(t *testing.T) {
	l := listen(t, "ws", nil)
	c, p := l.dial(t, &DialOptions{Subprotocols: []string{"none", "chat"}})
	if c.Subprotocol() != "chat" || c.Handshake().Header.Get("Upgrade") != "websocket" {
		t.Errorf("Subprotocol %q, Handshake %v", c.Subprotocol(), c.Handshake())
	}
	converse(t, c, p)
}

func TestDialErrors(t *testing.T) {
	l := listen(t, "ws", nil)
	_, err := Dial(bounded(t), l.url+"/none", nil)
	var refused *handshake.Error
	if !errors.As(err, &refused) || refused.Status != http.StatusNotFound {
		t.Errorf("Dial = %v; want 404", err)
	}
	if _, err := Dial(bounded(t), "http://[", &DialOptions{Proxy: ProxyFromEnvironment}); err == nil || !strings.Contains(err.Error(), "URL") {
		t.Errorf("Dial = %v; want the URL to blame", err)
	}
}

// With permessage-deflate messages go compressed, whole and in fragments, and
// come back to what they were.
func TestDialDeflate(t *testing.T) {
	l := listen(t, "ws", nil)
	for _, stream := range []bool{false, true} {
		c, p := l.dial(t, &DialOptions{
			Deflate: &handshake.DeflateOptions{ServerContextTakeover: true},
			Stream:  stream,
		})
		if c.Handshake().Deflate == nil {
			t.Fatal("permessage-deflate was not agreed on")
		}
		text := strings.Repeat("all work and no play ", 2000)
		for range 2 {
			if err := c.Write(bounded(t), frame.Text, []byte(text)); err != nil {
				t.Fatal(err)
			}
			w, err := c.Writer(bounded(t), frame.Text)
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(w, text)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if ev := p.Event(); string(ev.Payload) != text {
					t.Errorf("the peer received %d bytes, %v; want %d", len(ev.Payload), ev.Err, len(text))
				}
			}
			if n := p.Message(frame.Text, []byte(text)); n > len(text)/10 {
				t.Fatalf("%d bytes on the wire; want them compressed", n)
			}
			if op, got, err := c.Read(bounded(t)); op != frame.Text || string(got) != text || err != nil {
				t.Errorf("Read = %v of %d bytes, %v; want %d", op, len(got), err, len(text))
			}
		}
	}
}

// Frames glued to the handshake are read, and so is a part of one.
func TestDialLeftover(t *testing.T) {
	l := listen(t, "ws", nil)
	nc, _, res, err := handshake.Dial(bounded(t), l.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := New(nc, wsproto.Client, []byte("\x81\x01a\x81\x02b"), res, nil)
	defer c.CloseNow()
	expectText(t, c, `text "a"`)
	receive(t, l.peers).Send("c")
	expectText(t, c, `text "bc"`)
}

func TestDialTLS(t *testing.T) {
	l := listen(t, "wss", nil)
	o := &DialOptions{TLSConfig: l.trust()}
	c, p := l.dial(t, o)
	// A cancelled Read leaves the records in order.
	ctx, cancel := context.WithCancel(context.Background())
	read := started(func() error { _, _, err := c.Read(ctx); return err })
	p.Send("\x81\x02h")
	cancel()
	if err := receive(t, read); err != context.Canceled {
		t.Fatalf("Read = %v", err)
	}
	p.Send("i")
	expectText(t, c, `text "hi"`)
	converse(t, c, p)

	c, p = l.dial(t, o)
	c.CloseNow()
	if ev := p.Event(); ev.Kind != wsproto.NeedData {
		t.Errorf("after CloseNow the peer received %v", ev)
	}
}

func TestDialUnix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Skip("no unix sockets: ", err)
	}
	l := listen(t, "ws", ln)
	l.url = "ws://localhost"
	c, p := l.dial(t, &DialOptions{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	})
	converse(t, c, p)
}

// A connection on which no deadline can be set is closed by a context that ends.
func TestWithoutDeadlines(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	c := New(deadlineless{ours}, wsproto.Client, nil, handshake.Result{}, nil)
	ctx, cancel := context.WithCancel(context.Background())
	read := started(func() error { _, _, err := c.Read(ctx); return err })
	cancel()
	if err := receive(t, read); err != ErrClosed && err != context.Canceled {
		t.Errorf("Read = %v; want ErrClosed", err)
	}
}

// deadlineless is a net.Conn that cannot set deadlines.
type deadlineless struct{ net.Conn }

func (deadlineless) SetReadDeadline(time.Time) error { return errors.ErrUnsupported }

// CompressFrom decides which messages go compressed.
func TestDialCompressFrom(t *testing.T) {
	l := listen(t, "ws", nil)
	text := strings.Repeat("again ", 15)
	for _, tt := range []struct {
		from       int
		compressed bool
	}{{0, false}, {-1, false}, {1, true}, {90, true}, {91, false}} {
		var wire *counted
		c, p := l.dial(t, &DialOptions{
			CompressFrom: tt.from,
			Deflate:      &handshake.DeflateOptions{},
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				nc, err := (&net.Dialer{}).DialContext(ctx, network, addr)
				wire = &counted{Conn: nc}
				return wire, err
			},
		})
		before := wire.written
		if err := c.Write(bounded(t), frame.Text, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if ev := p.Event(); string(ev.Payload) != text {
			t.Errorf("the peer received %q, %v", ev.Payload, ev.Err)
		}
		if n := wire.written - before; n < len(text) != tt.compressed {
			t.Errorf("CompressFrom %d: %d bytes were sent for %d", tt.from, n, len(text))
		}
	}
}

// counted counts what is written.
type counted struct {
	net.Conn
	written int
}

func (c *counted) Write(p []byte) (int, error) {
	c.written += len(p)
	return c.Conn.Write(p)
}
