package server

import (
	"net"
	"testing"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// shallow is a listener whose connections have small buffers of a fixed size: the system
// takes little of what is written, and no more of it later.
type shallow struct{ net.Listener }

func (l shallow) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return nc, nc.(*net.TCPConn).SetWriteBuffer(16 << 10)
}

// lagging returns a group with a member that does not read, and one that does. Over real
// sockets, the first has been sent what the system takes for it, and more than a quarter of
// its write queue waits: so much that it is still more than a quarter when acknowledgements
// that were delayed make room for a last window.
func lagging(t *testing.T) (ts *testServer, g *Group, slow, quick *client, sent int) {
	t.Helper()
	opened := make(chan Conn, 2)
	ts = start(t, Config{Loops: 1, PingInterval: Off, Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }}})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go ts.Serve(shallow{ln})
	ts.addr = ln.Addr().String()
	g = ts.NewGroup()
	cs, hs := openMany(t, ts, opened, 2)
	g.Join(hs[0])
	g.Join(hs[1])
	slow, quick = cs[0], cs[1]
	if err := slow.nc.(*net.TCPConn).SetReadBuffer(16 << 10); err != nil {
		t.Fatal(err)
	}
	for ; ts.Stats().Queued <= 700<<10; sent++ {
		g.Send(wsproto.NewPrepared(frame.Binary, make([]byte, 32<<10)), Evict)
		quick.expect("binary 32768 bytes")
		ts.clock.settle()
	}
	return ts, g, slow, quick, sent
}

// What may be dropped is the first to go: a member with a quarter of its queue full is left
// out, and still gets everything that must arrive.
func TestDropFirst(t *testing.T) {
	ts, g, slow, quick, sent := lagging(t)
	g.Send(text("typing"), Drop)
	g.Send(text("said"), Evict)
	quick.expect(`text "typing"`, `text "said"`)
	for range sent {
		slow.expect("binary 32768 bytes")
	}
	slow.expect(`text "said"`)
	g.Send(text("typing again"), Drop)
	slow.expect(`text "typing again"`)
	quick.expect(`text "typing again"`)
	if s := ts.Stats(); s.Dropped != 1 || s.Evicted != 0 {
		t.Errorf("%d dropped, %d evicted; want 1 and none", s.Dropped, s.Evicted)
	}
}

// Of each state, a member that does not read has one version waiting.
func TestNewestOfEachState(t *testing.T) {
	ts, g, slow, quick, sent := lagging(t)
	for _, version := range []struct{ key, text string }{
		{"ada", "ada 1"}, {"bob", "bob 1"}, {"ada", "ada 2"}, {"bob", "bob 2"}, {"ada", "ada 3"},
	} {
		g.SendNewest(text(version.text), version.key)
		quick.expect(`text "` + version.text + `"`)
	}
	for range sent {
		slow.expect("binary 32768 bytes")
	}
	slow.expect(`text "bob 2"`, `text "ada 3"`)
	if s := ts.Stats(); s.Coalesced != 3 || s.Evicted != 0 {
		t.Errorf("%d coalesced, %d evicted; want 3 and none", s.Coalesced, s.Evicted)
	}
}

// A state's key and message must be there.
func TestSendNewestMisuse(t *testing.T) {
	ts := start(t, Config{Handler: funcs{}})
	for name, call := range map[string]func(*Group){
		"no key":     func(g *Group) { g.SendNewest(text("x"), "") },
		"no message": func(g *Group) { g.SendNewest(nil, "x") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			call(ts.NewGroup())
		}()
	}
}

// Flushed tells how much waits, after what was sent before has been offered to the socket.
func TestFlushed(t *testing.T) {
	waiting := make(chan int, 1)
	ended := make(chan error, 1)
	opened := make(chan Conn, 1)
	ts := start(t, Config{Loops: 1, PingInterval: Off, Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }, close: end(ended)}})
	c := ts.dial(t, "/")
	h := receive(t, opened)
	h.Send(frame.Text, []byte("y"))
	h.Flushed(func(n int) { waiting <- n })
	if n := receive(t, waiting); n != 0 {
		t.Errorf("%d bytes wait although the client reads", n)
	}
	h.SendPrepared(wsproto.NewPrepared(frame.Binary, make([]byte, 64<<20)))
	h.Flushed(func(n int) { waiting <- n })
	if n := receive(t, waiting); n < 32<<20 {
		t.Errorf("%d bytes wait of 64 MiB that were just sent", n)
	}
	c.nc.Close()
	receive(t, ended)
	h.Flushed(func(n int) { waiting <- n })
	if n := receive(t, waiting); n != 0 {
		t.Errorf("%d bytes wait for a connection that has ended", n)
	}
	Conn{}.Flushed(func(n int) { waiting <- n })
	receive(t, waiting)
}
