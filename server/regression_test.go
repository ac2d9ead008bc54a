package server

import (
	"context"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// Drop + server context takeover.
func TestDropTakeover(t *testing.T) {
	opened := make(chan Conn, 1)
	ts := start(t, Config{Loops: 1, WriteTimeout: Off, PingInterval: Off, WriteQueue: 64 << 10, Handler: funcs{open: func(c Conn) { opened <- c }},
		Upgrader: handshake.Upgrader{Deflate: &handshake.DeflateOptions{ServerContextTakeover: true}}})
	g := ts.NewGroup()
	c := ts.dialWith(t, "/", &handshake.DialOptions{Deflate: &handshake.DeflateOptions{ServerContextTakeover: true}})
	h := receive(t, opened)
	g.Join(h)
	h.Send(frame.Binary, make([]byte, 100)) // both windows are in use
	// Incompressible: goes raw, fills the kernel and the queue.
	r := mathrand.New(mathrand.NewPCG(3, 4))
	junk := make([]byte, 4<<10)
	for i := range junk {
		junk[i] = byte(r.Uint32())
	}
	raw := wsproto.NewPrepared(frame.Binary, junk)
	for range 100 {
		for range 30 {
			g.Send(raw, Drop)
		}
		ts.clock.settle()
	}
	ts.until(t, 0, func(p *conn) bool { return p.has(flagBlocked) && p.out.bytes > 55<<10 })
	secret := noise(30 << 10)
	waiting := func() (n int) {
		ts.loops[0].call(func() { n = ts.loops[0].at(h.slot).out.bytes })
		return n
	}
	before := waiting()
	g.Send(wsproto.NewPrepared(frame.Text, secret), Drop) // does not fit: left out
	if n := waiting(); n != before {
		t.Fatalf("it fits: %d, then %d bytes wait", before, n)
	}
	evs := make(chan wsproto.Event, 10000)
	go func() { // the peer reads again
		for ev := c.event(); ev.Kind == wsproto.Message; ev = c.event() {
			if ev.Opcode == frame.Text {
				evs <- ev
			}
		}
		close(evs)
	}()
	ts.until(t, 0, func(p *conn) bool { return p.out == nil })
	h.Send(frame.Text, secret[len(secret)-4000:]) // compressed against what the peer never got
	if ev := receive(t, evs); string(ev.Payload) != string(secret[len(secret)-4000:]) {
		t.Errorf("the client cannot inflate the message, or reads another: %d bytes", len(ev.Payload))
	}
}

// TLS: paused and resumed within one iteration.
func TestTLSPauseResume(t *testing.T) {
	got := make(chan string, 100)
	opened := make(chan Conn, 2)
	var a Conn
	ts, o, _ := startTLS(t, Config{Loops: 1, Admit: pathValue, PingInterval: Off, Handler: funcs{
		open: func(c Conn) { opened <- c },
		message: func(c Conn, op frame.Opcode, p []byte) {
			switch string(p) {
			case "pause":
				c.Pause(true)
			case "resume":
				a.Pause(false)
			default:
				got <- string(p)
			}
		},
	}})
	ca := ts.dialWith(t, "/a", o)
	a = receive(t, opened)
	cb := ts.dialWith(t, "/b", o)
	receive(t, opened)
	held, release := make(chan struct{}), make(chan struct{})
	go ts.loops[0].call(func() { close(held); <-release })
	<-held
	ca.text("pause")
	ca.text("after") // in the kernel with the first: tls.Conn reads both records at once
	time.Sleep(50 * time.Millisecond)
	cb.text("resume")
	time.Sleep(50 * time.Millisecond)
	close(release)
	select {
	case s := <-got:
		t.Logf("%q", s)
	case <-time.After(2 * time.Second):
		t.Fatal("the record behind the pause is never delivered")
	}
}

// After the cut a connection that comes late holds Shutdown up.
func TestShutdownCutOnce(t *testing.T) {
	var ts *testServer
	var adopt func()
	opened := make(chan Conn, 2)
	ts = start(t, Config{Loops: 1, CloseTimeout: 3600 * time.Second, Handler: funcs{
		open:  func(c Conn) { opened <- c },
		close: func(c Conn, err error) { adopt() },
	}})
	ln, _ := net.Listen("tcp", "127.0.0.1:0")
	defer ln.Close()
	far, _ := net.Dial("tcp", ln.Addr().String())
	defer far.Close()
	near, _ := ln.Accept()
	adopt = func() { // stands for an upgrade that net/http finishes at this moment
		adopt = func() {}
		ts.Adopt(near, nil, handshake.Result{}, wsproto.Server)
	}
	ts.dial(t, "/")
	receive(t, opened)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	done := make(chan error, 1)
	go func() { done <- ts.Shutdown(ctx) }()
	select {
	case <-done:
	case <-time.After(2 * time.Second):
		t.Error("Shutdown has not returned 2 s after its context was done")
	}
	far.Close()
}

// WriteTimeout discards a queued Close.
func TestWriteTimeoutWhileClosing(t *testing.T) {
	opened := make(chan Conn, 1)
	ts := start(t, Config{Loops: 1, WriteQueue: Off, PingInterval: Off, CloseTimeout: 30 * time.Second, Handler: funcs{open: func(c Conn) { opened <- c }}})
	c := ts.dial(t, "/")
	h := receive(t, opened)
	h.Send(frame.Binary, make([]byte, 16<<20))
	h.Close(wsproto.CloseGoingAway, "")
	ts.until(t, 0, func(p *conn) bool { return p.has(flagBlocked) })
	ts.clock.advance(10500 * time.Millisecond)
	c.expect("binary 16777216 bytes")
	if got := c.next(); !strings.HasPrefix(got, "close") {
		t.Errorf("received %s; want a Close frame", got)
	}
}

// A Pause that is posted behind a Close stops the reading for good.
func TestPauseBehindClose(t *testing.T) {
	opened, causes := make(chan Conn, 1), make(chan error, 1)
	ts := start(t, Config{Loops: 1, PingInterval: Off, Handler: funcs{open: func(c Conn) { opened <- c }, close: end(causes)}})
	c := ts.dial(t, "/")
	h := receive(t, opened)
	// Pause checks closed(), another goroutine closes, Pause posts.
	h.Close(wsproto.CloseNormal, "")
	h.loop.post(task{kind: taskPause, slot: h.slot, gen: h.gen}, nil)
	c.expect("close 1000")
	c.frame(0x88, "\x03\xe8")
	c.nc.SetReadDeadline(time.Now().Add(time.Second))
	if n, err := c.nc.Read(make([]byte, 1)); n != 0 || !strings.Contains(fmt.Sprint(err), "EOF") {
		t.Errorf("the answer to the Close is not read: %v", err)
	}
}

func noise(n int) (b []byte) { // what a deflater finds something in
	r := mathrand.New(mathrand.NewPCG(1, 2))
	for len(b) < n {
		b = fmt.Appendf(b, "{\"seq\":%d,\"user\":\"u%x\"}", r.IntN(1e6), r.Uint64())
	}
	return b[:n]
}
