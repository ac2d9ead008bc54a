package server

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// patience is how long a test waits for what must come. It is not a deadline
// that anything is measured by.
const patience = 20 * time.Second

// clock is an injected time. Advancing it wakes the loops.
type clock struct {
	t atomic.Int64
	s *Server
}

func (c *clock) now() time.Duration { return time.Duration(c.t.Load()) }

// advance moves the time in small steps and waits after each until every loop
// has done what was due.
func (c *clock) advance(d time.Duration) {
	const step = 100 * time.Millisecond
	for ; d > 0; d -= step {
		c.t.Add(int64(min(d, step)))
		c.settle()
	}
}

// settle waits until every loop has been through two whole iterations: the
// first takes in what is ready, the second what that led to.
func (c *clock) settle() {
	for _, l := range c.s.loops {
		for until := l.stats.iterations.Load() + 2; l.stats.iterations.Load() < until; {
			l.call(func() {})
		}
	}
}

// call runs f on the loop.
func (l *loop) call(f func()) {
	done := make(chan struct{})
	if l.post(task{kind: taskCall, call: func() { f(); close(done) }}, nil) == nil {
		<-done
	}
}

// testServer is a server on a loopback listener, with an injected clock.
type testServer struct {
	*Server
	clock  *clock
	scheme string // "" is ws
	addr   string
	log    *syncBuffer
}

func start(t testing.TB, cfg Config) *testServer {
	t.Helper()
	return startWith(t, cfg, func(*Server) {})
}

// startWith is start for a server that is prepared before it serves.
func startWith(t testing.TB, cfg Config, prepare func(*Server)) *testServer {
	t.Helper()
	ts := &testServer{clock: &clock{}, log: &syncBuffer{}}
	ts.clock.t.Store(int64(time.Hour))
	cfg.now = ts.clock.now
	if cfg.newKernel == nil {
		cfg.newKernel = testKernel
	}
	cfg.Logger = slog.New(slog.NewTextHandler(ts.log, nil))
	if cfg.Loops == 0 {
		cfg.Loops = 2
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ts.Server, ts.clock.s = s, s
	prepare(s)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ts.addr = ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // what the test left open is cut
		s.Shutdown(ctx)
		if err := <-served; err != ErrServerClosed {
			t.Errorf("Serve returned %v", err)
		}
	})
	return ts
}

// syncBuffer collects a log.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// funcs is a Handler of functions; nil ones do nothing.
type funcs struct {
	open    func(LoopConn)
	message func(LoopConn, frame.Opcode, []byte)
	close   func(LoopConn, error)
}

func (h funcs) OnOpen(c LoopConn) {
	if h.open != nil {
		h.open(c)
	}
}

func (h funcs) OnMessage(c LoopConn, op frame.Opcode, p []byte) {
	if h.message != nil {
		h.message(c, op, p)
	}
}

func (h funcs) OnClose(c LoopConn, err error) {
	if h.close != nil {
		h.close(c, err)
	}
}

func echo(c LoopConn, op frame.Opcode, p []byte) { c.Send(op, p) }

// pathValue is an Admit that makes the path the connection's value.
func pathValue(r *http.Request) (any, error) { return r.URL.Path, nil }

// client is a WebSocket client for tests: frames in, events out, nothing done
// by itself.
type client struct {
	t     testing.TB
	nc    net.Conn
	proto wsproto.Conn
	buf   []byte
	queue []wsproto.Event
}

func (ts *testServer) dial(t testing.TB, path string) *client { return ts.dialWith(t, path, nil) }

func (ts *testServer) dialWith(t testing.TB, path string, o *handshake.DialOptions) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	nc, left, res, err := handshake.Dial(ctx, cmp.Or(ts.scheme, "ws")+"://"+ts.addr+path, o)
	if err != nil {
		t.Fatal(err)
	}
	return newClient(t, nc, left, res)
}

// newClient is the client of a connection whose handshake is done.
func newClient(t testing.TB, nc net.Conn, left []byte, res handshake.Result) *client {
	t.Helper()
	c := &client{t: t, nc: nc, buf: make([]byte, 64<<10)}
	c.proto.Init(&wsproto.Config{Role: wsproto.Client, MaxMessage: 64 << 20, MaxFragments: Off, MaskKey: func() uint32 { return 0x01020304 }})
	if res.Deflate != nil {
		c.proto.UseDeflate(*res.Deflate)
	}
	t.Cleanup(func() { nc.Close() })
	c.feed(left)
	return c
}

// raw writes bytes as they are.
func (c *client) raw(b []byte) {
	c.t.Helper()
	c.nc.SetWriteDeadline(time.Now().Add(patience))
	if _, err := c.nc.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// frame writes one frame with the given first byte, masked.
func (c *client) frame(first byte, payload string) { c.t.Helper(); c.raw(masked(first, payload)) }

func (c *client) text(s string) { c.t.Helper(); c.frame(0x81, s) }

func masked(first byte, payload string) []byte {
	b := frame.Header{Masked: true, Key: 0x0a0b0c0d, Length: uint64(len(payload))}.Append(nil)
	b[0] = first
	n := len(b)
	b = append(b, payload...)
	frame.Mask(b[n:], 0x0a0b0c0d)
	return b
}

func (c *client) feed(p []byte) {
	c.proto.Feed(p)
	for {
		ev := c.proto.Next()
		if ev.Kind == wsproto.NeedData {
			return
		}
		ev.Payload = bytes.Clone(ev.Payload)
		c.queue = append(c.queue, ev)
	}
}

// next returns the next thing that arrives, in words; "EOF" at the end of the
// stream.
func (c *client) next() string {
	c.t.Helper()
	ev := c.event()
	switch ev.Kind {
	case wsproto.Message:
		if len(ev.Payload) > 40 {
			return fmt.Sprintf("%v %d bytes", ev.Opcode, len(ev.Payload))
		}
		return fmt.Sprintf("%v %q", ev.Opcode, ev.Payload)
	case wsproto.Ping:
		return "ping"
	case wsproto.Pong:
		return fmt.Sprintf("pong %q", ev.Payload)
	case wsproto.Closed:
		return fmt.Sprintf("close %d", ev.Code)
	}
	return fmt.Sprint(ev.Err)
}

// event returns the next event; NeedData, with Err, if reading fails.
func (c *client) event() wsproto.Event {
	c.t.Helper()
	for len(c.queue) == 0 {
		c.nc.SetReadDeadline(time.Now().Add(patience))
		n, err := c.nc.Read(c.buf)
		c.feed(c.buf[:n]) // a tls.Conn returns the last bytes with the error
		if err != nil && len(c.queue) == 0 {
			return wsproto.Event{Err: err}
		}
	}
	ev := c.queue[0]
	c.queue = c.queue[1:]
	return ev
}

// expect reads what arrives and compares.
func (c *client) expect(want ...string) {
	c.t.Helper()
	for _, w := range want {
		if got := c.next(); got != w {
			c.t.Fatalf("received %s; want %s", got, w)
		}
	}
}

// receive waits for a value.
func receive[T any](t testing.TB, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}
