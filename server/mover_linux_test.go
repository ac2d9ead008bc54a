package server

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// mover is a Handler that echoes and moves: its connections' values are strings.
type mover struct {
	funcs
	opened, thawed, closed atomic.Int32
	why                    chan error
}

func newMover() *mover {
	m := &mover{why: make(chan error, 100)}
	m.open = func(LoopConn) { m.opened.Add(1) }
	m.message = func(c LoopConn, op frame.Opcode, p []byte) {
		c.Send(op, p)
		if string(p) == "pause" {
			c.Pause(true)
		}
	}
	m.close = func(_ LoopConn, err error) { m.closed.Add(1); m.why <- err }
	return m
}

func (m *mover) Freeze(c LoopConn) []byte { return []byte(c.Value().(string)) }

func (m *mover) Thaw(c LoopConn, state []byte) error {
	m.thawed.Add(1)
	if len(state) == 0 {
		return errors.New("no value")
	}
	c.SetValue(string(state))
	if string(state) == "/hello" {
		c.Send(frame.Text, []byte("moved"))
	}
	return nil
}

func moverConfig(m *mover) Config {
	cfg := Config{Handler: m, Admit: pathValue, newKernel: func() (kernel, error) { return newKernel(0) }, Loops: 2}
	cfg.Upgrader.Deflate = &handshake.DeflateOptions{ServerContextTakeover: true}
	return cfg
}

// startNew starts a server without a listener, with a clock that differs.
func startNew(t *testing.T, cfg Config) *testServer {
	t.Helper()
	ts := &testServer{clock: &clock{}, log: &syncBuffer{}}
	ts.clock.t.Store(int64(time.Duration(1+rand.IntN(100)) * time.Hour))
	cfg.now = ts.clock.now
	cfg.Logger = slog.New(slog.NewTextHandler(ts.log, nil))
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ts.Server, ts.clock.s = s, s
	return ts
}

func freeze(t *testing.T, s *Server) *Frozen {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	f, err := s.Freeze(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// sendTo gives a Thawing everything that a Frozen has, as SCM_RIGHTS would.
func sendTo(t *testing.T, f *Frozen, to *Thawing) {
	t.Helper()
	for m, err := range f.Messages(StateFormat.Newest) {
		if err != nil {
			t.Fatal(err)
		}
		m.Data = bytes.Clone(m.Data)
		var fds []int
		for _, fd := range m.Descriptors {
			dup, err := duplicate(fd)
			if err != nil {
				t.Fatal(err)
			}
			fds = append(fds, dup)
		}
		m.Descriptors = fds
		if ok, err := to.Receive(m); !ok || err != nil {
			t.Fatalf("message %x: %t, %v", m.Kind, ok, err)
		}
	}
	if err := to.Complete(); err != nil {
		t.Fatal(err)
	}
}

// move moves everything to a new server.
func (ts *testServer) move(t *testing.T, cfg Config) *testServer {
	t.Helper()
	return ts.moveTo(t, startNew(t, cfg))
}

func (ts *testServer) moveTo(t *testing.T, next *testServer) *testServer {
	t.Helper()
	f := freeze(t, ts.Server)
	to, err := next.Thaw()
	if err != nil {
		t.Fatal(err)
	}
	sendTo(t, f, to)
	if err := f.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	next.addr = ts.addr
	for _, ln := range to.Start() {
		next.serve(t, ln)
	}
	// The end of a process closes its listeners without removing the files of Unix sockets.
	ts.mu.Lock()
	for _, ln := range ts.listeners {
		if u, ok := ln.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(false)
		}
		ln.Close()
	}
	ts.mu.Unlock()
	ts.barrier.open()
	return next
}

func (ts *testServer) serve(t *testing.T, ln net.Listener) {
	served := make(chan error, 1)
	go func() { served <- ts.Serve(ln) }()
	waitFor(t, func() bool {
		ts.mu.Lock()
		defer ts.mu.Unlock()
		return len(ts.listeners) > 0
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		ts.Shutdown(ctx)
		ln.Close()
		<-served
	})
}

// startMover starts the first server. The listener is not closed by its end.
func startMover(t *testing.T, cfg Config) *testServer {
	t.Helper()
	ts := startNew(t, cfg)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ts.addr = ln.Addr().String()
	ts.serve(t, ln)
	return ts
}

// onLoops runs f with each connection whose value is v.
func onLoops(ts *testServer, v string, f func(c *conn)) {
	for _, l := range ts.loops {
		l.call(func() {
			for c := range l.present() {
				if c.value == v {
					f(c)
				}
			}
		})
	}
}

func closeAll(ts *testServer, v string, code wsproto.CloseCode, reason string) {
	onLoops(ts, v, func(c *conn) { c.handle().Close(code, reason) })
}

func resumeAll(ts *testServer, v string) {
	onLoops(ts, v, func(c *conn) { c.handle().Pause(false) })
}
