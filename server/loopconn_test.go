package server

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// A LoopConn that is kept beyond its callback says so when it is used.
func TestLoopConnKept(t *testing.T) {
	kept := make(chan LoopConn, 1)
	ts := start(t, Config{Loops: 1, Handler: funcs{open: func(c LoopConn) { kept <- c }}})
	ts.dial(t, "/")
	c := receive(t, kept)
	ts.clock.settle()
	for _, use := range []func(){
		func() { c.Send(frame.Text, nil) }, func() { c.Value() }, func() { c.Conn() }, func() { c.Pause(true) },
		func() { LoopConn{}.Value() },
	} {
		var said any
		ts.loops[0].call(func() {
			defer func() { said = recover() }()
			use()
		})
		if s, _ := said.(string); !strings.Contains(s, "after its callback") {
			t.Errorf("panic %v; want one that says why", said)
		}
	}
}

// What Do runs keeps its order with what is sent, and has what a callback has.
func TestDo(t *testing.T) {
	opened, closed := make(chan Conn, 1), make(chan error, 1)
	ts := start(t, Config{Handler: funcs{open: func(c LoopConn) { c.SetValue("mine"); opened <- c.Conn() }, close: end(closed)}})
	c := ts.dial(t, "/")
	h := receive(t, opened)
	h.Send(frame.Text, []byte("before"))
	if err := h.Do(func(c LoopConn) {
		if c.Ended() || c.Conn() != h {
			t.Error("Do gave another connection")
		}
		c.Send(frame.Text, fmt.Append(nil, c.Value()))
	}); err != nil {
		t.Fatal(err)
	}
	c.expect(`text "before"`, `text "mine"`)

	h.Do(func(c LoopConn) { c.Send(frame.Text, []byte("last words")); panic("on purpose") })
	c.expect(`text "last words"`, "close 1011")
	c.frame(0x88, "\x03\xf3")
	c.nc.Close()
	receive(t, closed)
	if err := h.Do(func(LoopConn) { t.Error("it was called") }); err != ErrClosed {
		t.Errorf("Do on a closed connection: %v", err)
	}
	if n := ts.Stats().Panics; n != 1 {
		t.Errorf("%d panics counted; want 1", n)
	}
}

// What was given to Do is called even if the connection ends first.
func TestDoTooLate(t *testing.T) {
	opened, closed := make(chan Conn, 1), make(chan error, 1)
	ts := start(t, Config{Loops: 1, Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }, close: end(closed)}})
	ts.dial(t, "/")
	h := receive(t, opened)
	ended := make(chan error, 1)
	ts.loops[0].call(func() { // the loop tears the connection down before it takes its mail
		h.Do(func(c LoopConn) {
			if !c.Ended() || c.Value() != nil || c.RemoteAddr().IsValid() || c.Handshake().Subprotocol != "" {
				t.Error("the connection is not said to have ended")
			}
			c.SetValue("to nobody")
			c.Pause(true)
			ended <- c.Send(frame.Text, nil)
		})
		ts.loops[0].teardown(h.conn)
	})
	receive(t, closed)
	if err := receive(t, ended); err != ErrClosed {
		t.Errorf("Send: %v", err)
	}
}

// A Do that follows an adoption at once comes after OnOpen, also where OnOpen closes the
// connection.
func TestDoAfterAdopt(t *testing.T) {
	for _, closes := range []bool{false, true} {
		said := make(chan string, 10)
		ts := start(t, Config{Loops: 1, Handler: funcs{
			open: func(c LoopConn) {
				said <- "open"
				c.SetValue("opened")
				if closes {
					c.Close(wsproto.CloseNormal, "")
				}
			},
			message: echo,
			close:   func(LoopConn, error) { said <- "closed" },
		}})
		const n = 5
		began, goOn := make(chan struct{}), make(chan struct{})
		ts.loops[0].post(task{kind: taskCall, call: func() { close(began); <-goOn }}, nil)
		receive(t, began)
		var peers []net.Conn
		for range n {
			nc, peer := tcpPair(t)
			peers = append(peers, peer)
			c, err := ts.Adopt(nc, nil, handshake.Result{}, wsproto.Server)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Do(func(c LoopConn) { said <- fmt.Sprint(c.Value()) }); err != nil {
				t.Error(err)
			}
		}
		close(goOn)
		for range n {
			for _, want := range []string{"open", "opened"} {
				if s := receive(t, said); s != want {
					t.Errorf("%s; want %s", s, want)
				}
			}
		}
		for _, peer := range peers {
			peer.Close()
			if s := receive(t, said); s != "closed" {
				t.Error(s)
			}
		}
	}
}

// Handshake answers for as long as the connection lives, and costs nothing where nothing
// was negotiated.
func TestHandshakeStays(t *testing.T) {
	said := make(chan string, 3)
	ts := start(t, Config{Loops: 1, Upgrader: handshake.Upgrader{Subprotocols: []string{"a", "b"}}, Handler: funcs{
		message: func(c LoopConn, _ frame.Opcode, _ []byte) { said <- c.Handshake().Subprotocol },
		close:   func(c LoopConn, _ error) { said <- c.Handshake().Subprotocol },
	}})
	for _, want := range []string{"a", "b", ""} {
		var o *handshake.DialOptions
		if want != "" {
			o = &handshake.DialOptions{Subprotocols: []string{want}}
		}
		c := ts.dialWith(t, "/", o)
		c.text("go")
		if got := receive(t, said); got != want {
			t.Errorf("in OnMessage: %q; want %q", got, want)
		}
		c.nc.Close()
		if got := receive(t, said); got != want {
			t.Errorf("in OnClose: %q; want %q", got, want)
		}
	}
}

// An echo allocates nothing.
func TestEchoAllocatesNothing(t *testing.T) {
	if onGoroutines() {
		t.Skip("the portable kernel's own goroutines allocate")
	}
	opened := make(chan Conn, 1)
	ts := start(t, Config{Loops: 1, PingInterval: Off, Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }, message: echo}})
	c := ts.dial(t, "/")
	h := receive(t, opened)
	in, buf := masked(0x82, strings.Repeat("x", 100)), make([]byte, 1<<10)
	got := make(chan float64, 1)
	ts.loops[0].call(func() {
		l := ts.loops[0]
		p := make([]byte, len(in))
		got <- testing.AllocsPerRun(100, func() {
			copy(p, in)
			l.arrived(h.conn, p)
			l.flush()
			if _, err := c.nc.Read(buf); err != nil {
				t.Error(err)
			}
		})
	})
	if n := receive(t, got); n != 0 {
		t.Errorf("%v allocations for an echo; want none", n)
	}
}

// A connection does not move from one phase to another that cannot follow.
func TestPhases(t *testing.T) {
	for from := vacant; from <= gone; from++ {
		for to := vacant; to <= gone; to++ {
			ok := func() (ok bool) {
				defer func() { ok = recover() == nil }()
				(&conn{phase: from}).move(to)
				return
			}()
			next := to == from+1 || from == vacant && to == opening || from == gone && to == vacant
			early := from < closing && from > arriving && to == closing
			cut := to == gone && from > vacant && from < gone
			if want := next || early || cut; ok != want {
				t.Errorf("%v to %v: allowed %v; want %v", from, to, ok, want)
			}
		}
	}
}
