package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/server"
	"github.com/hawser-ws/hawser/wsproto"
)

// patience is how long a test waits for what must come. Nothing is measured by
// it.
const patience = 30 * time.Second

// TestMain makes the test binary the program itself where a test wants to send
// it a signal.
func TestMain(m *testing.M) {
	if os.Getenv("WSCAT_TEST_MAIN") != "" {
		main()
	}
	os.Exit(m.Run())
}

// outcome is the result of a run of the program.
type outcome struct {
	status         int
	stdout, stderr string
}

// wscat runs the program on an input that ends. Unless the test is about that, it
// closes then.
func wscat(t testing.TB, stdin string, args ...string) outcome {
	t.Helper()
	if !slices.Contains(args, "--once") && !slices.Contains(args, "--wait") {
		args = append([]string{"--wait", "0"}, args...)
	}
	return wscatFrom(t.Context(), strings.NewReader(stdin), args...)
}

func wscatFrom(ctx context.Context, stdin io.Reader, args ...string) outcome {
	var stdout, stderr bytes.Buffer
	status := run(ctx, args, stdin, &stdout, &stderr)
	return outcome{status, stdout.String(), stderr.String()}
}

// funcs is a server.Handler of functions; nil ones do nothing.
type funcs struct {
	open    func(server.LoopConn)
	message func(server.LoopConn, frame.Opcode, []byte)
}

func (h funcs) OnOpen(c server.LoopConn) {
	if h.open != nil {
		h.open(c)
	}
}

func (h funcs) OnMessage(c server.LoopConn, op frame.Opcode, p []byte) {
	if h.message != nil {
		h.message(c, op, p)
	}
}

func (h funcs) OnClose(server.LoopConn, error) {}

func echo(c server.LoopConn, op frame.Opcode, p []byte) { c.Send(op, p) }

// serve starts package server on a loopback address and returns its URL.
func serve(t testing.TB, cfg server.Config) string {
	t.Helper()
	cfg.Loops = 1
	cfg.Logger = slog.New(slog.DiscardHandler)
	s, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // what the test left open is cut
		s.Shutdown(ctx)
		<-served
	})
	return "ws://" + ln.Addr().String() + "/"
}

func serveEcho(t testing.TB) string {
	return serve(t, server.Config{Handler: funcs{message: echo}})
}

// peer is a server that does only what its script says, wrong or right.
type peer struct {
	t     testing.TB
	nc    net.Conn
	proto wsproto.Conn
	buf   []byte
}

// scripted starts an HTTP server, under TLS if asked, that runs the script on
// each connection and then closes it. The test does not end before the script.
func scripted(t testing.TB, secure bool, script func(*peer)) (url string, srv *httptest.Server) {
	t.Helper()
	var running sync.WaitGroup
	srv = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		running.Add(1)
		defer running.Done()
		nc, left, _, err := new(handshake.Upgrader).Upgrade(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		defer nc.Close()
		nc.SetDeadline(time.Now().Add(patience))
		p := &peer{t: t, nc: nc, buf: make([]byte, 64<<10)}
		p.proto.Init(&wsproto.Config{MaxMessage: 64 << 20})
		p.proto.Feed(left)
		script(p)
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	if secure {
		srv.StartTLS()
	} else {
		srv.Start()
	}
	t.Cleanup(srv.Close)
	t.Cleanup(running.Wait)
	return "ws" + strings.TrimPrefix(srv.URL, "http") + "/", srv
}

// script is scripted for the usual case.
func script(t testing.TB, f func(*peer)) (url string) {
	t.Helper()
	url, _ = scripted(t, false, f)
	return url
}

// raw writes bytes as they are.
func (p *peer) raw(b []byte) {
	if _, err := p.nc.Write(b); err != nil {
		p.t.Errorf("peer: %v", err)
	}
}

// frame writes one frame with the given first byte, as a server does.
func (p *peer) frame(first byte, payload string) {
	b := frame.Header{Length: uint64(len(payload))}.Append(nil)
	b[0] = first
	p.raw(append(b, payload...))
}

// next says in words what arrives next; "EOF" at the end of the stream. It
// answers nothing.
func (p *peer) next() string {
	for {
		switch ev := p.proto.Next(); ev.Kind {
		case wsproto.NeedData:
			n, err := p.nc.Read(p.buf)
			if err == io.EOF {
				return "EOF"
			}
			if err != nil {
				return err.Error()
			}
			p.proto.Feed(p.buf[:n])
		case wsproto.Message:
			return fmt.Sprintf("%v %q", ev.Opcode, ev.Payload)
		case wsproto.Ping:
			return "ping"
		case wsproto.Pong:
			return fmt.Sprintf("pong %q", ev.Payload)
		case wsproto.Closed:
			return fmt.Sprintf("close %d %q", ev.Code, ev.Payload)
		case wsproto.Failed:
			return ev.Err.Error()
		}
	}
}

// expect compares what arrives.
func (p *peer) expect(want ...string) {
	p.t.Helper()
	for _, w := range want {
		if got := p.next(); got != w {
			p.t.Errorf("peer received %s; want %s", got, w)
			return
		}
	}
}

// finish ends the connection as a server should: it is the first, and leaves
// nothing unread.
func (p *peer) finish() {
	p.nc.(interface{ CloseWrite() error }).CloseWrite()
	io.Copy(io.Discard, p.nc)
}

// watch is a Writer that calls a function once, when the text has been written.
type watch struct {
	b    bytes.Buffer
	text string
	call func()
}

func (w *watch) Write(p []byte) (int, error) {
	w.b.Write(p)
	if w.call != nil && strings.Contains(w.b.String(), w.text) {
		w.call()
		w.call = nil
	}
	return len(p), nil
}
