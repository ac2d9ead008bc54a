package server

import (
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// Callbacks act on connections at once. Here are the places where what they act on
// is what the loop has in hand.

// An OnClose in the middle of a turn of the wheel may close another connection,
// whose timer stands in the same list.
func TestTurnReentered(t *testing.T) {
	var peer gate
	var full Conn
	opened, closed := make(chan Conn, 3), make(chan Conn, 3)
	ts := start(t, Config{
		Loops: 1, PingInterval: 60 * time.Second, CloseTimeout: 5 * time.Second, WriteTimeout: Off, WriteQueue: 64 << 10,
		newKernel: peer.kernels(),
		Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }, close: func(c LoopConn, _ error) {
			full.Evict()
			closed <- c.Conn()
		}},
	})
	cs, hs := openMany(t, ts, opened, 3)
	silent, full, ending := cs[0], hs[1], hs[2]
	full.Send(frame.Binary, make([]byte, 60<<10)) // 10,000 of it go through
	// All are looked at where the wheel ends, because a minute is further than it
	// reaches; at that very time one has been closing for 5 s.
	ts.clock.advance((wheelSlots-1)<<wheelGrain*time.Millisecond - 5*time.Second)
	ending.Close(wsproto.CloseNormal, "")
	ts.clock.settle()
	ts.clock.advance(5*time.Second + 100*time.Millisecond)
	if c := receive(t, closed); c != ending {
		t.Fatalf("%v closed; want %v", c, ending)
	}
	peer.open.Store(true)
	ts.clock.advance(5*time.Second + 200*time.Millisecond)
	if c := receive(t, closed); c != full {
		t.Errorf("%v closed; want %v", c, full)
	}
	ts.clock.advance(25 * time.Second)
	silent.expect("ping")
	ts.loops[0].call(func() {
		if n := ts.loops[0].wheel.count; n != 1 {
			t.Errorf("%d timers are armed; want 1", n)
		}
	})
}

// cuts is a kernel that fails to write to one connection, and stands still before
// it waits when it is told to.
type cuts struct {
	kernel
	port *atomic.Uint32 // the peer's
	hold chan chan struct{}
}

func (k *cuts) wait(ms int) ([]event, error) {
	select {
	case release := <-k.hold:
		release <- struct{}{}
		<-release
		return k.kernel.wait(0)
	default:
		return k.kernel.wait(ms)
	}
}

func (k *cuts) write(fd int, p []byte) (int, error) {
	if uint32(k.peer(fd).Port()) == k.port.Load() {
		return 0, syscall.EPIPE
	}
	return k.kernel.write(fd, p)
}

// A connection that is lost before its OnOpen has neither that nor an OnClose.
func TestLostBeforeOpen(t *testing.T) {
	var port atomic.Uint32
	hold := make(chan chan struct{}, 1)
	opened, closed := make(chan Conn, 3), make(chan error, 3)
	ts := start(t, Config{
		Loops: 1, newKernel: wrapped(func(k kernel) kernel { return &cuts{k, &port, hold} }),
		Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }, close: end(closed), message: func(c LoopConn, op frame.Opcode, p []byte) {
			c.Send(frame.Binary, make([]byte, flushAt)) // is written before the next event
		}},
	})
	c := ts.dial(t, "/")
	receive(t, opened)
	near, far := tcpPair(t)
	defer far.Close()
	port.Store(uint32(addrPort(near.RemoteAddr()).Port()))
	release := make(chan struct{})
	hold <- release
	go ts.clock.settle()
	<-release
	lost, err := ts.Adopt(near, nil, handshake.Result{}, wsproto.Server)
	if err != nil {
		t.Fatal(err)
	}
	lost.Send(frame.Text, []byte("never written"))
	c.text("go")
	arrived(t, c.nc)
	close(release)
	c.expect("binary 16384 bytes")
	ts.clock.settle()
	if len(opened) != len(closed) {
		t.Errorf("%d OnOpen, %d OnClose", len(opened), len(closed))
	}
	ts.loops[0].call(func() {
		if n := ts.loops[0].wheel.count; n != 1 {
			t.Errorf("%d timers are armed; want 1", n)
		}
	})
	if s := ts.Stats(); s.Open != 1 || s.Queued != 0 || s.Ended.Lost != 1 {
		t.Errorf("%+v", s)
	}
}
