package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

func TestEcho(t *testing.T) {
	ts := start(t, Config{Handler: funcs{message: echo}, MaxMessage: 1 << 20})
	c := ts.dial(t, "/")
	c.text("hello")
	c.frame(0x82, strings.Repeat("x", 1<<20))
	c.frame(0x01, "in ")
	c.frame(0x89, "ping")
	c.frame(0x80, "pieces")
	c.expect(`text "hello"`, "binary 1048576 bytes", `pong "ping"`, `text "in pieces"`)
	c.frame(0x88, "\x03\xe8bye")
	c.expect("close 1000", "EOF")
}

// Pongs and the answer to a Close stand behind the answers to what came before
// them, also when everything arrives in one read.
func TestOutputOrder(t *testing.T) {
	ts := start(t, Config{Handler: funcs{message: echo}})
	c := ts.dial(t, "/")
	var burst []byte
	for _, f := range [][]byte{masked(0x81, "1"), masked(0x89, "2"), masked(0x81, "3"), masked(0x81, "4"), masked(0x88, "\x0f\xa0")} {
		burst = append(burst, f...)
	}
	c.raw(burst)
	c.expect(`text "1"`, `pong "2"`, `text "3"`, `text "4"`, "close 4000", "EOF")
}

func TestGluedToTheHandshake(t *testing.T) {
	for _, c := range []struct {
		name string
		glue int // bytes of the frame that come with the request
	}{
		{"H16 whole frame", -1},
		{"H17 half a frame", 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			ts := start(t, Config{Handler: funcs{message: echo}})
			nc, err := net.Dial("tcp", ts.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			f := masked(0x81, "glued")
			if c.glue < 0 {
				c.glue = len(f)
			}
			fmt.Fprintf(nc, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n%s", ts.addr, f[:c.glue])
			cl := &client{t: t, nc: nc, buf: make([]byte, 4096)}
			cl.proto.Init(&wsproto.Config{Role: wsproto.Client, MaskKey: func() uint32 { return 1 }})
			head := ""
			for !strings.HasSuffix(head, "\r\n\r\n") {
				b := make([]byte, 1)
				if _, err := io.ReadFull(nc, b); err != nil {
					t.Fatal(err)
				}
				head += string(b)
			}
			cl.raw(f[c.glue:])
			cl.expect(`text "glued"`)
			cl.text("next")
			cl.expect(`text "next"`) // and not the first once more
		})
	}
}

// R20: OnOpen, then messages, then OnClose, each connection's own.
func TestR20CallbackOrder(t *testing.T) {
	var mu sync.Mutex
	calls := map[Conn][]string{}
	closed := make(chan Conn, 100)
	note := func(c Conn, what string) {
		mu.Lock()
		calls[c] = append(calls[c], what)
		mu.Unlock()
	}
	ts := start(t, Config{Handler: funcs{
		open:    func(c LoopConn) { note(c.Conn(), "open") },
		message: func(c LoopConn, op frame.Opcode, p []byte) { note(c.Conn(), string(p)) },
		close:   func(c LoopConn, err error) { note(c.Conn(), "close"); closed <- c.Conn() },
	}})
	for i := range 20 {
		c := ts.dial(t, "/")
		c.text("a")
		c.text("b")
		if i%2 == 0 {
			c.frame(0x88, "")
			c.expect("close 1005", "EOF")
		}
		c.nc.Close()
	}
	for range 20 {
		receive(t, closed)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(calls) != 20 {
		t.Errorf("%d connections; want 20", len(calls))
	}
	for c, got := range calls {
		if s := strings.Join(got, " "); s != "open a b close" {
			t.Errorf("%v: %s", c, s)
		}
	}
}

// R01: an event still in hand for a connection that ended does nothing to the
// one that got its slot and its descriptor number.
func TestR01StaleEvent(t *testing.T) {
	opened, closed := make(chan Conn, 2), make(chan error, 2)
	ts := start(t, Config{Loops: 1, Handler: funcs{
		open: func(c LoopConn) { opened <- c.Conn() }, message: echo,
		close: func(c LoopConn, err error) { closed <- err },
	}})
	l := ts.loops[0]
	a := ts.dial(t, "/")
	ha := receive(t, opened)
	var fdA int32
	l.call(func() { fdA = l.at(ha.conn.slot).fd })
	a.frame(0x88, "")
	a.expect("close 1005", "EOF")
	a.nc.Close()
	receive(t, closed)
	ts.clock.settle()

	b := ts.dial(t, "/")
	hb := receive(t, opened)
	if ha.conn.slot != hb.conn.slot || ha.gen == hb.gen {
		t.Fatalf("A was %+v, B is %+v; want the same slot and another generation", ha, hb)
	}
	l.call(func() {
		t.Logf("descriptors: A %d, B %d", fdA, l.at(hb.conn.slot).fd)
		l.event(event{canRead | canWrite | hungUp, ha.conn.slot, ha.gen})
	})
	if err := ha.Send(frame.Text, []byte("to A")); err != ErrClosed {
		t.Errorf("Send through A's handle: %v; want ErrClosed", err)
	}
	if err := ha.Close(wsproto.CloseNormal, ""); err != ErrClosed {
		t.Errorf("Close through A's handle: %v; want ErrClosed", err)
	}
	ha.Pause(true)
	b.text("still here")
	b.expect(`text "still here"`)
}

// R03: however many close it, a connection is closed once.
func TestR03CloseOnce(t *testing.T) {
	var closes int
	opened, closed := make(chan Conn, 1), make(chan error, 200)
	var k *countingKernel
	ts := start(t, Config{Loops: 1, newKernel: wrapped(func(under kernel) kernel { k = &countingKernel{kernel: under}; return k }), Handler: funcs{
		open:  func(c LoopConn) { opened <- c.Conn() },
		close: func(c LoopConn, err error) { closes++; closed <- err },
	}})
	c := ts.dial(t, "/")
	h := receive(t, opened)
	var wg sync.WaitGroup
	won := make(chan bool, 100)
	for range 100 {
		wg.Go(func() { won <- h.Close(wsproto.CloseGoingAway, "") == nil })
	}
	c.nc.(*net.TCPConn).SetLinger(0)
	c.nc.Close() // a reset
	wg.Wait()
	receive(t, closed)
	ts.clock.settle()
	winners := 0
	for range 100 {
		if <-won {
			winners++
		}
	}
	if winners > 1 || closes != 1 || k.closes != 1 {
		t.Errorf("%d calls of Close succeeded, OnClose ran %d times, close(2) %d times; want at most 1, 1, 1", winners, closes, k.closes)
	}
}

type countingKernel struct {
	kernel
	closes int
}

func (k *countingKernel) close(fd int) error { k.closes++; return k.kernel.close(fd) }

// R04: nothing can be sent in OnClose or after it, nor after Close.
func TestR04SendAfterClose(t *testing.T) {
	type result struct{ afterClose, inOnClose, prepared error }
	results := make(chan result, 1)
	var r result
	handles := make(chan Conn, 1)
	ts := start(t, Config{Handler: funcs{
		message: func(c LoopConn, op frame.Opcode, p []byte) {
			c.Send(op, []byte("last"))
			c.Close(4001, "enough")
			r.afterClose = c.Send(op, p)
		},
		close: func(c LoopConn, err error) {
			r.inOnClose = c.Send(frame.Text, nil)
			r.prepared = c.SendPrepared(wsproto.NewPrepared(frame.Text, nil))
			handles <- c.Conn()
			results <- r
		},
	}})
	c := ts.dial(t, "/")
	c.raw(append(masked(0x81, "one"), masked(0x81, "never delivered")...))
	c.expect(`text "last"`, "close 4001")
	c.frame(0x88, "\x0f\xa1")
	c.expect("EOF")
	c.nc.Close()
	got := receive(t, results)
	if got != (result{ErrClosed, ErrClosed, ErrClosed}) {
		t.Errorf("%+v; want ErrClosed everywhere", got)
	}
	if err := receive(t, handles).Send(frame.Text, nil); err != ErrClosed {
		t.Errorf("after OnClose: %v; want ErrClosed", err)
	}
	if err := (Conn{}).Send(frame.Text, nil); err != ErrClosed {
		t.Errorf("zero Conn: %v; want ErrClosed", err)
	}
}

// R05: a panic ends its own connection with 1011, after what it had sent.
func TestR05Panic(t *testing.T) {
	for _, where := range []string{"open", "message", "close"} {
		t.Run(where, func(t *testing.T) {
			causes := make(chan error, 2)
			ts := start(t, Config{Loops: 1, Handler: funcs{
				open: func(c LoopConn) {
					if where == "open" && c.Value() == "/bad" {
						panic("in open")
					}
				},
				message: func(c LoopConn, op frame.Opcode, p []byte) {
					c.Send(op, p)
					if where == "message" && c.Value() == "/bad" {
						panic("in message")
					}
				},
				close: func(c LoopConn, err error) {
					causes <- err
					if where == "close" {
						panic("in close")
					}
				},
			}, Admit: pathValue})
			good, bad := ts.dial(t, "/"), ts.dial(t, "/bad")
			switch where {
			case "open":
				bad.expect("close 1011", "EOF")
			case "message":
				bad.text("boom")
				bad.expect(`text "boom"`, "close 1011", "EOF")
			case "close":
				bad.frame(0x88, "")
				bad.expect("close 1005", "EOF")
			}
			bad.nc.Close()
			if err := receive(t, causes); where != "close" && !errors.Is(err, ErrPanic) {
				t.Errorf("OnClose got %v; want ErrPanic", err)
			}
			good.text("alive")
			good.expect(`text "alive"`)
			if n := ts.Stats().Panics; n != 1 || !strings.Contains(ts.log.String(), "in "+where) {
				t.Errorf("%d panics counted, log:\n%s", n, ts.log)
			}
		})
	}
}

// R06: a callback that holds the loop for over 100 ms is counted and logged.
func TestR06SlowHandler(t *testing.T) {
	var ts *testServer
	ts = start(t, Config{Handler: funcs{message: func(c LoopConn, op frame.Opcode, p []byte) {
		if string(p) == "slow" {
			ts.clock.t.Add(int64(150 * time.Millisecond))
		}
		c.Send(op, p)
	}}})
	c := ts.dial(t, "/")
	c.text("quick")
	c.expect(`text "quick"`)
	if n := ts.Stats().SlowHandlers; n != 0 {
		t.Errorf("%d slow handlers counted; want 0", n)
	}
	for range 3 {
		c.text("slow")
		c.expect(`text "slow"`)
	}
	if n := ts.Stats().SlowHandlers; n != 3 {
		t.Errorf("%d slow handlers counted; want 3", n)
	}
	if n := strings.Count(ts.log.String(), "blocked its event loop"); n != 1 {
		t.Errorf("logged %d times; want once in 5 s:\n%s", n, ts.log)
	}
}

// A peer that vanishes without a Close frame is reported as 1006, after what
// it sent was delivered.
func TestAbnormalEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(*client)
		want error
	}{
		{"end of stream", func(c *client) { c.nc.(*net.TCPConn).CloseWrite() }, io.EOF},
		{"reset", func(c *client) {
			c.expect(`text "sent before"`)
			c.nc.(*net.TCPConn).SetLinger(0)
			c.nc.Close()
		}, syscall.ECONNRESET},
	} {
		t.Run(c.name, func(t *testing.T) {
			causes := make(chan error, 1)
			ts := start(t, Config{Handler: funcs{message: echo, close: func(_ LoopConn, err error) { causes <- err }}})
			cl := ts.dial(t, "/")
			cl.text("sent before")
			c.end(cl)
			err := receive(t, causes)
			var ce *CloseError
			if !errors.As(err, &ce) || ce.Code != wsproto.CloseAbnormal || !errors.Is(err, c.want) {
				t.Errorf("OnClose got %v; want 1006 and %v", err, c.want)
			}
			if c.name == "end of stream" {
				cl.expect(`text "sent before"`, "EOF") // flushed all the same
			}
		})
	}
}

// C06: what follows the peer's Close is ignored; C04: and it is answered alike.
func TestC04C06Close(t *testing.T) {
	causes := make(chan error, 1)
	ts := start(t, Config{Handler: funcs{message: echo, close: func(_ LoopConn, err error) { causes <- err }}})
	c := ts.dial(t, "/")
	c.raw(append(append(masked(0x88, ""), masked(0x81, "late")...), masked(0x89, "late")...))
	c.expect("close 1005", "EOF")
	c.nc.Close()
	var ce *CloseError
	if err := receive(t, causes); !errors.As(err, &ce) || ce.Code != wsproto.CloseNoStatus || ce.Local {
		t.Errorf("OnClose got %v; want 1005 from the peer", err)
	}
}

func TestShutdown(t *testing.T) {
	closed := make(chan error, 10)
	ts := start(t, Config{Handler: funcs{close: func(_ LoopConn, err error) { closed <- err }}})
	var cs []*client
	for range 10 {
		cs = append(cs, ts.dial(t, "/"))
	}
	waitFor(t, func() bool { return ts.Stats().Open == 10 }) // the 101 comes a little before that
	done := make(chan error, 1)
	go func() { done <- ts.Shutdown(context.Background()) }()
	for _, c := range cs {
		c.expect("close 1001")
		c.frame(0x88, "\x03\xe9")
		c.expect("EOF")
		c.nc.Close()
	}
	if err := receive(t, done); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	for range 10 {
		var ce *CloseError
		if err := receive(t, closed); !errors.As(err, &ce) || ce.Code != wsproto.CloseGoingAway || !ce.Local {
			t.Errorf("OnClose got %v; want a local 1001", err)
		}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := ts.Serve(ln); err != ErrServerClosed {
		t.Errorf("Serve after Shutdown: %v", err)
	}
	if _, err := ln.Accept(); err == nil {
		t.Error("Serve after Shutdown leaves the listener open")
	}
}

func TestShutdownCuts(t *testing.T) {
	closed := make(chan error, 1)
	opened := make(chan Conn, 1)
	ts := start(t, Config{Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }, close: func(_ LoopConn, err error) { closed <- err }}})
	c := ts.dial(t, "/") // never answers the Close
	h := receive(t, opened)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- ts.Shutdown(ctx) }()
	c.expect("close 1001")
	cancel()
	if err := receive(t, done); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown: %v; want context.Canceled", err)
	}
	receive(t, closed)
	if n := ts.Stats().Cut; n != 1 {
		t.Errorf("%d cut; want 1", n)
	}
	if err := h.Send(frame.Text, nil); err != ErrClosed {
		t.Errorf("Send after Shutdown: %v", err)
	}
}

// A connection that comes when Shutdown has begun to cut is cut, too.
func TestShutdownCutOnce(t *testing.T) {
	var ts *testServer
	var adopt func()
	opened := make(chan Conn, 2)
	ts = start(t, Config{Loops: 1, CloseTimeout: time.Hour, Handler: funcs{
		open:  func(c LoopConn) { opened <- c.Conn() },
		close: func(c LoopConn, err error) { adopt() },
	}})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	far, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	near, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
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
	receive(t, done)
}

// What a callback sends comes behind what another goroutine had sent before, though
// it need not go through the mailbox.
func TestSendBehindPosted(t *testing.T) {
	var ts *testServer
	var group *Group
	ts = start(t, Config{Loops: 1, Handler: funcs{
		open: func(c LoopConn) { group.Join(c.Conn()) },
		message: func(c LoopConn, op frame.Opcode, p []byte) {
			direct := ts.loops[0].mayActDirectly()
			c.Send(op, fmt.Append(nil, "1 ", direct))
			me := c.Conn()
			elsewhere := make(chan struct{})
			go func() {
				me.Send(op, []byte("2"))
				group.Send(wsproto.NewPrepared(op, []byte("3")), Evict)
				close(elsewhere)
			}()
			<-elsewhere
			c.Send(op, []byte("4"))
			group.Send(wsproto.NewPrepared(op, []byte("5")), Evict)
			c.SendPrepared(wsproto.NewPrepared(op, []byte("6")))
		},
	}})
	group = ts.NewGroup()
	c := ts.dial(t, "/")
	c.text("go")
	c.expect(`text "1 true"`, `text "2"`, `text "3"`, `text "4"`, `text "5"`, `text "6"`)
}
