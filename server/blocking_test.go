package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// blockingFuncs is a BlockingHandler of functions; nil ones do nothing.
type blockingFuncs struct {
	open    func(context.Context, *BlockingConn)
	message func(context.Context, *BlockingConn, frame.Opcode, []byte)
	close   func(*BlockingConn, error)
}

func (h blockingFuncs) OnOpen(ctx context.Context, c *BlockingConn) {
	if h.open != nil {
		h.open(ctx, c)
	}
}

func (h blockingFuncs) OnMessage(ctx context.Context, c *BlockingConn, op frame.Opcode, p []byte) {
	if h.message != nil {
		h.message(ctx, c, op, p)
	}
}

func (h blockingFuncs) OnClose(c *BlockingConn, err error) {
	if h.close != nil {
		h.close(c, err)
	}
}

// Calls may block: each connection's are made one after the other, another connection's in the
// meantime, and an idle connection has no goroutine.
func TestBlockingOrder(t *testing.T) {
	for _, max := range []int{0, 2} {
		t.Run(fmt.Sprintf("at most %d goroutines", max), func(t *testing.T) {
			var running, most atomic.Int64
			release := make(chan struct{})
			closed := make(chan string, 3)
			h := blockingFuncs{
				open: func(_ context.Context, c *BlockingConn) {
					c.Value = fmt.Sprint(c.Value, " ", c.Handshake().Subprotocol, " ", c.RemoteAddr().IsValid())
				},
				message: func(_ context.Context, c *BlockingConn, op frame.Opcode, p []byte) {
					n := running.Add(1)
					defer running.Add(-1)
					for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
					}
					if string(p) == "0" {
						<-release
					}
					c.Send(op, p)
				},
				close: func(c *BlockingConn, err error) { closed <- c.Value.(string) },
			}
			ts := start(t, Config{Loops: 1, Admit: pathValue, Upgrader: handshake.Upgrader{Subprotocols: []string{"rpc"}},
				Handler: Blocking(h, &BlockingOptions{MaxGoroutines: max})})
			o := &handshake.DialOptions{Subprotocols: []string{"rpc"}}
			var cs []*client
			for range 3 {
				cs = append(cs, ts.dialWith(t, "/path", o))
			}
			const n = 100
			for _, c := range cs {
				c.raw(burst(n))
			}
			for range 3 {
				release <- struct{}{}
			}
			for i := range n {
				for _, c := range cs {
					c.expect(fmt.Sprintf("text \"%d\"", i))
				}
			}
			if max > 0 && most.Load() > int64(max) {
				t.Errorf("%d calls at once; want %d at most", most.Load(), max)
			}
			for _, c := range cs {
				c.nc.Close()
				if s := receive(t, closed); s != "/path rpc true" {
					t.Errorf("the connection's value is %q", s)
				}
			}
		})
	}
}

func TestBlockingIdle(t *testing.T) {
	opened := make(chan struct{}, 100)
	ts := start(t, Config{Handler: Blocking(blockingFuncs{open: func(context.Context, *BlockingConn) { opened <- struct{}{} }}, nil)})
	if onGoroutines() {
		t.Skip("the portable kernel has goroutines of its own")
	}
	ts.dial(t, "/")
	receive(t, opened)
	before := runtime.NumGoroutine()
	for range 50 {
		ts.dial(t, "/")
		receive(t, opened)
	}
	waitFor(t, func() bool { return runtime.NumGoroutine() <= before })
}

// A connection whose calls take long is not read from; when they are done, nothing is missing.
func TestBlockingBackpressure(t *testing.T) {
	const n = 2000
	got := make(chan int, n)
	release := make(chan struct{})
	var conn atomic.Pointer[BlockingConn]
	ts := start(t, Config{Loops: 1, PingInterval: Off, Handler: Blocking(blockingFuncs{
		message: func(_ context.Context, c *BlockingConn, _ frame.Opcode, p []byte) {
			conn.Store(c)
			<-release
			var i int
			fmt.Sscan(string(p), &i)
			got <- i
		},
	}, &BlockingOptions{MaxQueued: 1000})})
	c := ts.dial(t, "/")
	go c.nc.Write(burst(n))
	waitFor(t, func() bool {
		c := conn.Load()
		if c == nil {
			return false
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.queued > 1000+100 {
			t.Errorf("%d bytes are queued", c.queued)
		}
		return c.paused
	})
	close(release)
	for i := range n {
		if j := receive(t, got); j != i {
			t.Fatalf("message %d came where %d was next", j, i)
		}
	}
}

// The context of a call ends with the connection, also while the connection is paused; what
// the peer sent before it left is delivered, and OnClose comes last.
func TestBlockingContext(t *testing.T) {
	calls, closed := make(chan string, 10), make(chan error, 1)
	ts := start(t, Config{Loops: 1, PingInterval: Off, Handler: Blocking(blockingFuncs{
		message: func(ctx context.Context, c *BlockingConn, _ frame.Opcode, p []byte) {
			calls <- string(p)
			<-ctx.Done()
			if ctx != c.Context() {
				t.Error("the context is another one")
			}
			calls <- "done"
		},
		close: func(c *BlockingConn, err error) { calls <- "closed"; closed <- err },
	}, &BlockingOptions{MaxQueued: 1})})
	c := ts.dial(t, "/")
	c.raw(burst(20))
	if s := receive(t, calls); s != "0" {
		t.Fatal(s)
	}
	c.nc.Close()
	want := []string{"done"}
	for i := 1; i < 20; i++ {
		want = append(want, fmt.Sprint(i), "done")
	}
	for _, want := range append(want, "closed") {
		if s := receive(t, calls); s != want {
			t.Errorf("%s; want %s", s, want)
		}
	}
	var ce *CloseError
	if err := receive(t, closed); !errors.As(err, &ce) {
		t.Error(err)
	}
}

// A panic ends its connection only.
func TestBlockingPanic(t *testing.T) {
	ts := start(t, Config{Loops: 1, Handler: Blocking(blockingFuncs{
		message: func(_ context.Context, c *BlockingConn, op frame.Opcode, p []byte) {
			if string(p) == "panic" {
				panic("on purpose")
			}
			c.Send(op, p)
		},
	}, &BlockingOptions{MaxGoroutines: 1})})
	a, b := ts.dial(t, "/"), ts.dial(t, "/")
	a.text("panic")
	a.expect("close 1011")
	b.text("still here")
	b.expect(`text "still here"`)
}

// What the peer sent before its Close is delivered, however busy the handler is.
func TestBlockingDeliversBeforeClose(t *testing.T) {
	for _, max := range []int{0, 1} {
		got, closed, release := make(chan string, 20), make(chan error, 1), make(chan struct{})
		ts := start(t, Config{Loops: 1, Handler: Blocking(blockingFuncs{
			message: func(_ context.Context, _ *BlockingConn, _ frame.Opcode, p []byte) {
				<-release
				got <- string(p)
			},
			close: func(_ *BlockingConn, err error) { closed <- err },
		}, &BlockingOptions{MaxGoroutines: max})})
		c := ts.dial(t, "/")
		c.raw(burst(20))
		c.frame(0x88, "\x03\xe8")
		c.expect("close 1000", "EOF")
		c.nc.Close()
		waitFor(t, func() bool { return ts.Stats().Open == 0 })
		close(release)
		for i := range 20 {
			if s := receive(t, got); s != fmt.Sprint(i) {
				t.Fatalf("message %s came where %d was next", s, i)
			}
		}
		if err := receive(t, closed); !isNormal(err) {
			t.Error(err)
		}
	}
}

// Once the handler has closed the connection, no message comes any more.
func TestBlockingClose(t *testing.T) {
	calls := make(chan string, 20)
	ts := start(t, Config{Loops: 1, Handler: Blocking(blockingFuncs{
		message: func(_ context.Context, c *BlockingConn, _ frame.Opcode, p []byte) {
			calls <- string(p)
			c.Close(wsproto.CloseNormal, "")
		},
		close: func(*BlockingConn, error) { calls <- "closed" },
	}, nil)})
	c := ts.dial(t, "/")
	c.raw(burst(20))
	c.expect("close 1000")
	c.frame(0x88, "\x03\xe8")
	c.nc.Close()
	for _, want := range []string{"0", "closed"} {
		if s := receive(t, calls); s != want {
			t.Errorf("%s; want %s", s, want)
		}
	}
}

// A handler that resumes a connection does not lose what comes while too much waits.
func TestBlockingResumed(t *testing.T) {
	const n = 200
	got, release := make(chan string, n), make(chan struct{})
	conns := make(chan *BlockingConn, 1)
	ts := start(t, Config{Loops: 1, PingInterval: Off, Handler: Blocking(blockingFuncs{
		open: func(_ context.Context, c *BlockingConn) { conns <- c },
		message: func(_ context.Context, c *BlockingConn, _ frame.Opcode, p []byte) {
			<-release
			got <- string(p)
		},
	}, &BlockingOptions{MaxQueued: 200})})
	c := ts.dial(t, "/")
	h := receive(t, conns)
	c.raw(burst(n))
	for range 5 {
		h.Pause(false)
		ts.clock.settle()
	}
	close(release)
	for i := range n {
		if s := receive(t, got); s != fmt.Sprint(i) {
			t.Fatalf("message %s came where %d was next", s, i)
		}
	}
}

// A call that ends its goroutine ends its connection only, and the goroutine is replaced.
func TestBlockingGoexit(t *testing.T) {
	closed := make(chan error, 1)
	ts := start(t, Config{Loops: 1, Handler: Blocking(blockingFuncs{
		message: func(_ context.Context, c *BlockingConn, op frame.Opcode, p []byte) {
			if string(p) == "exit" {
				runtime.Goexit()
			}
			c.Send(op, p)
		},
		close: func(_ *BlockingConn, err error) { closed <- err; runtime.Goexit() },
	}, &BlockingOptions{MaxGoroutines: 1, Logger: slog.New(slog.DiscardHandler)})})
	for range 2 {
		a, b := ts.dial(t, "/"), ts.dial(t, "/")
		a.text("exit")
		a.expect("close 1011")
		a.nc.Close()
		receive(t, closed)
		b.text("still here")
		b.expect(`text "still here"`)
		b.nc.Close()
		receive(t, closed)
	}
}
