package server

import (
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// burst is n numbered messages in one piece.
func burst(n int) (b []byte) {
	for i := range n {
		b = append(b, masked(0x81, fmt.Sprint(i))...)
	}
	return b
}

// A callback that pauses the connection gets no other message until it is resumed,
// although thousands came with the first one, over TLS as well.
func TestPauseWithinARead(t *testing.T) {
	const n = 3000
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %t", secure), func(t *testing.T) {
			var paused atomic.Bool
			got := make(chan int, n)
			resume := make(chan Conn, n)
			cfg := Config{Loops: 1, Handler: funcs{message: func(c LoopConn, op frame.Opcode, p []byte) {
				if paused.Load() {
					t.Errorf("%s was delivered while paused", p)
				}
				var i int
				fmt.Sscan(string(p), &i)
				got <- i
				if i%100 == 0 {
					paused.Store(true)
					c.Pause(true)
					resume <- c.Conn()
				}
			}}}
			var ts *testServer
			var c *client
			if secure {
				s, o, _ := startTLS(t, cfg)
				ts, c = s, s.dialWith(t, "/", o)
			} else {
				ts = start(t, cfg)
				c = ts.dial(t, "/")
			}
			c.raw(burst(n))
			for i := range n {
				if j := receive(t, got); j != i {
					t.Fatalf("message %d was delivered in place of %d", j, i)
				}
				if i%100 == 0 {
					h := receive(t, resume)
					ts.clock.settle()
					paused.Store(false)
					h.Pause(false)
				}
			}
			c.text("0")
			receive(t, got)
		})
	}
}

// What had been read when the peer ended its stream, or said Close, is not lost.
func TestPauseThenEnd(t *testing.T) {
	for _, last := range []string{"end of stream", "close"} {
		t.Run(last, func(t *testing.T) {
			opened := make(chan Conn, 1)
			order := make(chan string, 100)
			ts := start(t, Config{Loops: 1, Handler: funcs{
				open: func(c LoopConn) { opened <- c.Conn() },
				message: func(c LoopConn, op frame.Opcode, p []byte) {
					c.Pause(true)
					order <- string(p)
				},
				close: func(LoopConn, error) { order <- "closed" },
			}})
			c := ts.dial(t, "/")
			h := receive(t, opened)
			input := burst(3)
			if last == "close" {
				input = append(input, masked(0x88, "\x03\xe8")...)
			}
			c.raw(input)
			if last == "end of stream" {
				closeWrite(t, c)
			}
			for _, want := range []string{"0", "1", "2"} {
				if s := receive(t, order); s != want {
					t.Fatalf("%s, want %s", s, want)
				}
				ts.clock.settle() // so that the Pause was heard
				h.Pause(false)
			}
			if last == "close" {
				c.expect("close 1000")
			}
			c.nc.Close()
			if s := receive(t, order); s != "closed" {
				t.Errorf("%s, want closed", s)
			}
		})
	}
}

func closeWrite(t *testing.T, c *client) {
	t.Helper()
	if err := c.nc.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
}

// A connection that the application closes while input is kept hears the peer's
// answer to its Close, which comes after that input.
func TestCloseWhilePaused(t *testing.T) {
	closed := make(chan error, 1)
	ts := start(t, Config{Loops: 1, Handler: funcs{
		message: func(c LoopConn, op frame.Opcode, p []byte) {
			if string(p) != "0" {
				t.Errorf("%s was delivered after Close", p)
			}
			c.Pause(true)
			c.Close(wsproto.CloseNormal, "")
		},
		close: end(closed),
	}})
	c := ts.dial(t, "/")
	c.raw(append(burst(5), masked(0x88, "\x03\xe8")...))
	c.expect("close 1000", "EOF")
	c.nc.Close()
	receive(t, closed)
}

// What comes with the handshake's last bytes waits like everything else.
func TestPauseInOnOpen(t *testing.T) {
	opened := make(chan Conn, 1)
	got := make(chan string, 10)
	ts := start(t, Config{Loops: 1, Handler: funcs{
		open:    func(c LoopConn) { c.Pause(true); opened <- c.Conn() },
		message: func(c LoopConn, op frame.Opcode, p []byte) { got <- string(p) },
	}})
	nc, err := net.Dial("tcp", ts.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	fmt.Fprintf(nc, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n%s", ts.addr, burst(3))
	h := receive(t, opened)
	ts.clock.settle()
	if len(got) > 0 {
		t.Fatal("delivered while paused")
	}
	h.Pause(false)
	for _, want := range []string{"0", "1", "2"} {
		if s := receive(t, got); s != want {
			t.Errorf("%s, want %s", s, want)
		}
	}
}

// What is kept counts in the memory budget, and is given back.
func TestUnreadIsCounted(t *testing.T) {
	opened := make(chan Conn, 1)
	got := make(chan string, 4000)
	ts := start(t, Config{Loops: 1, Handler: funcs{
		open: func(c LoopConn) { opened <- c.Conn() },
		message: func(c LoopConn, op frame.Opcode, p []byte) {
			got <- string(p)
			if string(p) == "0" {
				c.Pause(true)
			}
		},
	}})
	c := ts.dial(t, "/")
	c.raw(burst(1000))
	h := receive(t, opened)
	receive(t, got)
	ts.until(t, 0, func(p *conn) bool {
		kept := 0
		for _, b := range ts.loops[0].unread {
			kept += len(b)
		}
		return p.has(flagPaused) && kept > 0 && int(p.assembling) == kept
	})
	h.Pause(false)
	for range 999 {
		receive(t, got)
	}
	ts.until(t, 0, func(p *conn) bool { return p.assembling == 0 && !p.has(flagUnread) })
}

// A paused connection hears that its peer has gone, and what came before is delivered.
func TestPausedPeerGoes(t *testing.T) {
	for _, secure := range []bool{false, true} {
		for name, c := range map[string]struct {
			leave func(*client)
			want  wsproto.CloseCode
		}{
			"without a word":     {func(c *client) { c.nc.Close() }, wsproto.CloseAbnormal},
			"with a Close frame": {func(c *client) { c.frame(0x88, "\x03\xe8"); c.nc.Close() }, wsproto.CloseNormal},
		} {
			for _, unread := range []int{0, 3, 300} {
				t.Run(fmt.Sprintf("TLS %t, %s, %d unread", secure, name, unread), func(t *testing.T) {
					got, closed := make(chan string, 1000), make(chan error, 1)
					cfg := Config{Loops: 1, PingInterval: Off, Handler: funcs{
						message: func(c LoopConn, _ frame.Opcode, p []byte) { c.Pause(true); got <- string(p) }, close: end(closed),
					}}
					var ts *testServer
					var cl *client
					if secure {
						s, o, _ := startTLS(t, cfg)
						ts, cl = s, s.dialWith(t, "/", o)
					} else {
						ts = start(t, cfg)
						cl = ts.dial(t, "/")
					}
					cl.text("pause")
					receive(t, got)
					ts.clock.settle()
					if unread > 0 {
						cl.raw(burst(unread))
					}
					ts.clock.settle()
					if len(got) > 0 {
						t.Errorf("%q was delivered while paused", <-got)
					}
					c.leave(cl)
					var ce *CloseError
					if err := receive(t, closed); !errors.As(err, &ce) || ce.Code != c.want {
						t.Errorf("OnClose got %v; want %v", err, c.want)
					}
					for i := range unread {
						if s := <-got; s != fmt.Sprint(i) {
							t.Fatalf("message %d is %q", i, s)
						}
					}
					waitFor(t, func() bool { return ts.Stats().Assembling == 0 })
				})
			}
		}
	}
}
