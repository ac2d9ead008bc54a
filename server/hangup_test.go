package server

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/frame"
)

// reporting is a kernel that counts the events which it reported, but for one in each
// iteration that moved bytes: the system may have room for more at any time.
type reporting struct {
	kernel
	events *atomic.Int64
	moved  bool
}

func (k *reporting) wait(ms int) ([]event, error) {
	if k.moved {
		k.moved = false
		k.events.Add(-1)
	}
	events, err := k.kernel.wait(ms)
	k.events.Add(int64(len(events)))
	return events, err
}

func (k *reporting) write(fd int, p []byte) (int, error) {
	n, err := k.kernel.write(fd, p)
	k.moved = k.moved || n > 0
	return n, err
}

func (k *reporting) writev(fd int, p [][]byte) (int, error) {
	n, err := k.kernel.writev(fd, p)
	k.moved = k.moved || n > 0
	return n, err
}

// R10: where a hang-up or an error is all that is reported, because nothing is
// asked for, the connection ends at once, and the loop does not turn for it again
// and again. (make faults measures the processor time.)
func TestR10HangUp(t *testing.T) {
	reset := func(c *client) {
		c.nc.(*net.TCPConn).SetLinger(0)
		c.nc.Close()
	}
	for _, c := range []struct {
		name  string
		ready func(t *testing.T, ts *testServer, c *client, h Conn)
	}{
		{"reset while not reading", func(t *testing.T, ts *testServer, c *client, h Conn) {
			h.Pause(true)
			ts.until(t, 0, func(p *conn) bool { return p.mask&wantRead == 0 })
		}},
		{"reset while not reading, with input", func(t *testing.T, ts *testServer, c *client, h Conn) {
			if onGoroutines() {
				t.Skip("a goroutine that holds input reads no further, and sees no reset behind it until it is resumed")
			}
			h.Pause(true)
			ts.until(t, 0, func(p *conn) bool { return p.mask&wantRead == 0 })
			c.text("never read")
		}},
		{"end of stream, then reset, behind a full queue", func(t *testing.T, ts *testServer, c *client, h Conn) {
			h.Send(frame.Binary, make([]byte, 16<<20))
			ts.until(t, 0, func(p *conn) bool { return p.has(flagBlocked) })
			c.nc.(*net.TCPConn).CloseWrite()
			ts.until(t, 0, func(p *conn) bool { return p.has(flagEOF) && p.mask == wantWrite })
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var events atomic.Int64
			opened, closed := make(chan Conn, 1), make(chan error, 1)
			ts := start(t, Config{Loops: 1, WriteQueue: Off, Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }, close: end(closed)},
				newKernel: wrapped(func(k kernel) kernel { return &reporting{kernel: k, events: &events} })})
			cl := ts.dial(t, "/")
			c.ready(t, ts, cl, receive(t, opened))
			// The system may still move bytes to the peer and report room for more;
			// a loop that spins is never quiet.
			var before int64
			waitFor(t, func() bool {
				before = events.Load()
				ts.clock.settle()
				ts.clock.settle()
				return events.Load() == before
			})
			reset(cl)
			receive(t, closed)
			ts.clock.settle()
			if n := events.Load() - before; n > 3 {
				t.Errorf("%d events until it is closed, and behind that", n)
			}
			if n := ts.Stats().Open; n != 0 {
				t.Errorf("%d connections open", n)
			}
		})
	}
}

// A peer that has sent more than a paused connection takes, and is gone, resets the connection when it
// is pinged: the end of its stream never arrives.
func TestPausedPeerGone(t *testing.T) {
	opened, closed := make(chan Conn, 1), make(chan error, 1)
	ts := start(t, Config{Loops: 1, PingInterval: 30 * time.Second, PingMisses: 1, Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }, close: end(closed)}})
	if onGoroutines() {
		t.Skip("a goroutine that holds input reads no further, and sees no reset behind it until it is resumed")
	}
	c := ts.dial(t, "/")
	receive(t, opened).Pause(true)
	ts.until(t, 0, func(p *conn) bool { return p.mask&wantRead == 0 })
	frame := masked(0x82, strings.Repeat("x", 60000))
	nc := c.nc.(*net.TCPConn)
	sent := 0
	for err := error(nil); err == nil; sent++ { // until both systems' buffers are full
		nc.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		_, err = nc.Write(frame)
	}
	// The silence is ours, however long it is: the peer is pinged, and not given up.
	ts.clock.advance(5 * time.Minute)
	if len(closed) > 0 {
		t.Fatalf("closed with %v although the peer is there", <-closed)
	}
	pings := 0
	for { // what is unread when a socket is closed resets the connection at once
		nc.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		n, err := nc.Read(c.buf)
		if c.feed(c.buf[:n]); err != nil {
			break
		}
	}
	for ; len(c.queue) > 0; pings++ {
		c.expect("ping")
	}
	if pings < 9 || pings > 11 {
		t.Errorf("%d pings in 5 minutes", pings)
	}
	nc.Close()
	ts.clock.settle()
	if len(closed) > 0 {
		t.Errorf("closed with %v before the peer was pinged", <-closed)
	}
	ts.clock.advance(31 * time.Second)
	if err := receive(t, closed); !errors.Is(err, io.EOF) {
		t.Errorf("after %d frames: %v", sent, err)
	}
}
