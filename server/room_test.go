package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// A refusal leaves the connection as it was, and is followed by a notice once there is room
// for what was refused.
func TestQueueFull(t *testing.T) {
	for name, send := range map[string]func(Conn, int) error{
		"from elsewhere": func(c Conn, n int) error { return c.Send(frame.Binary, make([]byte, n)) },
		"prepared": func(c Conn, n int) error {
			return c.SendPrepared(wsproto.NewPrepared(frame.Binary, make([]byte, n)))
		},
		"on the loop": func(c Conn, n int) (err error) {
			c.conn.loop.call(func() { err = c.conn.loop.enter(c.conn).Send(frame.Binary, make([]byte, n)) })
			return err
		},
		"on the loop, prepared": func(c Conn, n int) (err error) {
			c.conn.loop.call(func() {
				// What is posted must not be mistaken for what is sent directly.
				c.conn.loop.delivering = false
				err = c.conn.loop.enter(c.conn).SendPrepared(wsproto.NewPrepared(frame.Binary, make([]byte, n)))
				c.conn.loop.delivering = true
			})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := noticing{writable: make(chan Conn, 10)}
			ts, peer, cs, hs := slow(t, 1, Config{Handler: h, WriteQueue: 64 << 10}, nil)
			c := hs[0]
			if err := send(c, 100<<10); err != nil { // an empty queue takes anything
				t.Fatal(err)
			}
			ts.clock.settle()
			for range 3 {
				if err := send(c, 60<<10); err != ErrQueueFull {
					t.Fatalf("sending to a full queue: %v", err)
				}
			}
			ts.clock.settle()
			if len(h.writable) != 0 || ts.Stats().Evicted != 0 {
				t.Error("a notice or an eviction came though nothing was read")
			}
			peer.open.Store(true)
			c.Pause(false) // so that the loop looks again
			cs[0].expect("binary 102400 bytes")
			if told := receive(t, h.writable); told != c {
				t.Errorf("told of %v", told)
			}
			if err := send(c, 60<<10); err != nil {
				t.Errorf("after the notice: %v", err)
			}
			cs[0].expect("binary 61440 bytes")
			ts.clock.settle()
			if n := len(h.writable); n > 1 { // 60 KiB are more than half of the queue
				t.Errorf("%d more notices", n)
			}
			if n := c.Buffered(); n != 0 {
				t.Errorf("%d bytes are said to wait", n)
			}
		})
	}
}

// What is posted is known before the loop has taken it.
func TestBufferedPosted(t *testing.T) {
	opened := make(chan Conn, 1)
	ts := start(t, Config{Loops: 1, WriteQueue: 64 << 10, Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }}})
	c := ts.dial(t, "/")
	h := receive(t, opened)
	var full error
	var buffered int
	ts.loops[0].call(func() {
		for range 4 {
			h.Send(frame.Binary, make([]byte, 15<<10))
		}
		buffered = h.Buffered()
		full = h.Send(frame.Binary, make([]byte, 15<<10))
	})
	if buffered < 60<<10 || buffered > 61<<10 || full != ErrQueueFull {
		t.Errorf("%d bytes wait, then %v", buffered, full)
	}
	for range 4 {
		c.expect("binary 15360 bytes")
	}
	ts.clock.settle()
	if n := h.Buffered(); n != 0 {
		t.Errorf("%d bytes wait at the end", n)
	}
}

// paced sends as long as little waits, and goes on when it is told.
type paced struct {
	funcs
	send func(LoopConn)
}

func (h *paced) OnOpen(c LoopConn)     { h.send(c) }
func (h *paced) OnWritable(c LoopConn) { h.send(c) }

// A sender that stops because of what Buffered says, and not because it is refused, is told when
// there is room, too.
func TestBufferedPaces(t *testing.T) {
	const messages, size, queue = 100, 10 << 10, 128 << 10
	p := make([]byte, size)
	for _, stop := range []int{queue / 3, queue / 2, queue * 3 / 4} {
		t.Run(fmt.Sprintf("on the loop, %d", stop), func(t *testing.T) {
			left := messages
			ts := start(t, Config{Loops: 1, WriteQueue: queue, Handler: &paced{send: func(c LoopConn) {
				for left > 0 && c.Buffered() < stop {
					if err := c.Send(frame.Binary, p); err != nil {
						t.Errorf("%d left: %v", left, err)
						return
					}
					left--
				}
			}}})
			c := ts.dial(t, "/")
			for range messages {
				c.expect("binary 10240 bytes")
			}
		})
		t.Run(fmt.Sprintf("from elsewhere, %d", stop), func(t *testing.T) {
			opened, told := make(chan Conn, 1), make(chan struct{}, 1)
			ts := start(t, Config{Loops: 1, WriteQueue: queue, Handler: &paced{send: func(c LoopConn) {
				select {
				case opened <- c.Conn():
				default:
				}
				select {
				case told <- struct{}{}:
				default:
				}
			}}})
			c := ts.dial(t, "/")
			h := receive(t, opened)
			<-told
			var wg sync.WaitGroup
			defer wg.Wait()
			wg.Go(func() {
				for i := range messages {
					for h.Buffered() >= stop {
						select {
						case <-told:
						case <-t.Context().Done():
							return
						}
					}
					if err := h.Send(frame.Binary, p); err != nil {
						t.Errorf("message %d: %v", i, err)
					}
				}
			})
			for range messages {
				c.expect("binary 10240 bytes")
			}
		})
	}
}

// So is one that counts by itself what it has sent since it was told the last time, whatever the
// system took at once.
func TestOwnCountPaces(t *testing.T) {
	const messages, size, queue = 100, 10 << 10, 128 << 10
	p := make([]byte, size)
	left := messages
	ts := start(t, Config{Loops: 1, WriteQueue: queue, Handler: &paced{send: func(c LoopConn) {
		for n := 0; n <= queue/4 && left > 0; n += size {
			if err := c.Send(frame.Binary, p); err != nil {
				t.Errorf("%d left: %v", left, err)
			}
			left--
		}
	}}})
	c := ts.dial(t, "/")
	for range messages {
		c.expect("binary 10240 bytes")
	}
}

// SendWait paces any number of goroutines by what the peer reads; nothing is lost and each
// one's messages keep their order.
func TestSendWait(t *testing.T) {
	opened := make(chan Conn, 1)
	ts := start(t, Config{Loops: 1, WriteQueue: 32 << 10, Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }}})
	c := ts.dial(t, "/")
	h := receive(t, opened)
	const senders, each, size = 4, 500, 4 << 10
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for i := range each {
				p := make([]byte, size)
				p[0], p[1], p[2] = byte(s), byte(i>>8), byte(i)
				if err := h.SendWait(t.Context(), frame.Binary, p); err != nil {
					t.Errorf("sender %d, message %d: %v", s, i, err)
					return
				}
			}
		})
	}
	var next [senders]int
	for range senders * each {
		ev := c.event()
		if len(ev.Payload) != size {
			t.Fatalf("%v", ev)
		}
		s, i := ev.Payload[0], int(ev.Payload[1])<<8|int(ev.Payload[2])
		if i != next[s] {
			t.Fatalf("sender %d: message %d came where %d was next", s, i, next[s])
		}
		next[s]++
	}
	wg.Wait()
	if s := ts.Stats(); s.Evicted != 0 || ts.loops[0].waiters.count.Load() != 0 {
		t.Errorf("%d evicted, %d wait", s.Evicted, ts.loops[0].waiters.count.Load())
	}
}

// SendWait ends with its context and with the connection.
func TestSendWaitEnds(t *testing.T) {
	ts, _, cs, hs := slow(t, 1, Config{WriteQueue: 32 << 10}, nil)
	full := make([]byte, 60<<10)
	if err := hs[0].SendWait(t.Context(), frame.Binary, full); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	wait := func() { done <- hs[0].SendWait(ctx, frame.Binary, full) }
	go wait()
	waitFor(t, func() bool { return ts.loops[0].waiters.count.Load() == 1 })
	cancel()
	if err := receive(t, done); !errors.Is(err, context.Canceled) {
		t.Errorf("its context ended: %v", err)
	}
	ctx = t.Context()
	go wait()
	waitFor(t, func() bool { return ts.loops[0].waiters.count.Load() == 1 })
	cs[0].nc.(*net.TCPConn).SetLinger(0) // a reset, which is heard although the queue is full
	cs[0].nc.Close()
	if err := receive(t, done); err != ErrClosed {
		t.Errorf("the connection ended: %v", err)
	}
	if err := (Conn{}).SendWait(ctx, frame.Binary, nil); err != ErrClosed {
		t.Errorf("the zero Conn: %v", err)
	}
	if n := len(ts.loops[0].waiters.chans); n != 0 {
		t.Errorf("%d connections are waited for", n)
	}
}

// A dead peer costs one failed write, however much is sent to it in one iteration.
func TestFailedWriteOnce(t *testing.T) {
	opened, closed := make(chan Conn, 1), make(chan error, 1)
	k := &brokenWrites{}
	ts := start(t, Config{Loops: 1, WriteQueue: 1 << 10, newKernel: wrapped(func(inner kernel) kernel { k.kernel = inner; return k }),
		Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }, close: end(closed)}})
	ts.dial(t, "/")
	g := ts.NewGroup()
	g.Join(receive(t, opened))
	ts.clock.settle()
	ts.loops[0].call(func() {
		k.broken = true
		for range 1000 {
			g.Send(wsproto.NewPrepared(frame.Binary, make([]byte, 500)), Drop)
		}
	})
	receive(t, closed)
	if k.writes != 1 {
		t.Errorf("%d writes to a dead peer; want 1", k.writes)
	}
	if n := ts.Stats().Dropped; n != 0 {
		t.Errorf("%d dropped; want none for a connection that is lost", n)
	}
}

// brokenWrites is a kernel whose writes fail once that is set.
type brokenWrites struct {
	kernel
	broken bool
	writes int
}

func (k *brokenWrites) write(fd int, p []byte) (int, error) {
	if !k.broken {
		return k.kernel.write(fd, p)
	}
	k.writes++
	return 0, errors.New("broken")
}

// A group's message that has no room in a mailbox which is not even half full waits for it, and
// does not try again and again.
func TestGroupSendWaitLarge(t *testing.T) {
	opened := make(chan Conn, 2)
	ts := start(t, Config{Loops: 1, MemoryBudget: 4 << 20, WriteQueue: 2 << 20, Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }}})
	a := ts.dial(t, "/")
	member := receive(t, opened)
	b := ts.dial(t, "/")
	other := receive(t, opened)
	g := ts.NewGroup()
	g.Join(member)
	ts.clock.settle()
	began, goOn := make(chan struct{}), make(chan struct{})
	ts.loops[0].post(task{kind: taskCall, call: func() { close(began); <-goOn }}, nil)
	receive(t, began)
	other.Send(frame.Binary, make([]byte, 800<<10))
	m := wsproto.NewPrepared(frame.Binary, make([]byte, 1500<<10))
	if err := g.Send(m, Evict); err != ErrBusy {
		t.Fatalf("Send: %v", err)
	}
	if err := ts.loops[0].hasMailRoom(m); err != ErrBusy {
		t.Errorf("there is said to be room: %v", err)
	}
	sent := make(chan error, 1)
	go func() { sent <- g.SendWait(t.Context(), m, Evict) }()
	waitFor(t, func() bool { return ts.loops[0].waiters.count.Load() == 1 })
	close(goOn)
	if err := receive(t, sent); err != nil {
		t.Error(err)
	}
	a.expect(fmt.Sprintf("binary %d bytes", 1500<<10))
	b.expect(fmt.Sprintf("binary %d bytes", 800<<10))
}
