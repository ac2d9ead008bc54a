package server

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// end is a Handler's close function that reports why connections ended.
func end(causes chan<- error) func(LoopConn, error) {
	return func(_ LoopConn, err error) { causes <- err }
}

// C07: a peer that never answers our Close is cut after 5 s.
func TestC07CloseTimeout(t *testing.T) {
	causes := make(chan error, 1)
	opened := make(chan Conn, 1)
	ts := start(t, Config{Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }, close: end(causes)}})
	c := ts.dial(t, "/")
	receive(t, opened).Close(wsproto.CloseGoingAway, "")
	c.expect("close 1001")
	ts.clock.settle()
	ts.clock.advance(4900 * time.Millisecond)
	if len(causes) > 0 {
		t.Fatal("cut before 5 s")
	}
	ts.clock.advance(300 * time.Millisecond)
	receive(t, causes)
	c.expect("EOF")
	if n := ts.Stats().Open; n != 0 {
		t.Errorf("%d connections open; want 0", n)
	}
}

// The same for a peer that answers but does not end its stream, and for one
// that broke the protocol.
func TestC07LingerTimeout(t *testing.T) {
	for name, f := range map[string]string{"after close": "\x88\x80\x00\x00\x00\x00", "after failure": "\x83\x80"} {
		t.Run(name, func(t *testing.T) {
			causes := make(chan error, 1)
			ts := start(t, Config{Handler: funcs{close: end(causes)}})
			c := ts.dial(t, "/")
			c.raw([]byte(f))
			c.next()
			c.expect("EOF") // our half is shut at once
			c.text("more")  // and what comes is read and thrown away
			ts.clock.settle()
			if len(causes) > 0 {
				t.Fatal("torn down with the peer's half open")
			}
			ts.clock.advance(5200 * time.Millisecond)
			receive(t, causes)
		})
	}
}

func TestPing(t *testing.T) {
	causes := make(chan error, 1)
	ts := start(t, Config{Loops: 1, Handler: funcs{message: echo, close: end(causes)}})
	c := ts.dial(t, "/")
	c.text("x") // once it is answered, the connection is open
	c.expect(`text "x"`)
	ts.clock.advance(29 * time.Second)
	c.text("life")
	c.expect(`text "life"`)
	ts.clock.advance(29 * time.Second)
	c.text("again")
	c.expect(`text "again"`) // and no ping before it
	ts.clock.advance(30200 * time.Millisecond)
	if ev := c.event(); ev.Kind != wsproto.Ping {
		t.Fatalf("received %v; want a ping", ev)
	} else if ms, err := strconv.ParseInt(string(ev.Payload), 10, 64); err != nil || ms < 1e12 {
		t.Errorf("ping payload %q; want Unix milliseconds", ev.Payload)
	}
	c.frame(0x8a, "")
	ts.until(t, 0, func(p *conn) bool { return p.pinged == 0 })
	ts.clock.advance(30200 * time.Millisecond)
	c.expect("ping")
	ts.clock.advance(30 * time.Second)
	c.expect("ping")
	ts.clock.advance(29 * time.Second)
	if len(causes) > 0 {
		t.Fatal("given up before the second miss")
	}
	ts.clock.advance(1200 * time.Millisecond)
	if err := receive(t, causes); !errors.Is(err, ErrPingTimeout) {
		t.Errorf("OnClose got %v; want ErrPingTimeout", err)
	}
	c.expect("EOF")
}

// F22: one byte a second inside a frame is cut at the assembly deadline, and
// others on that loop are served meanwhile.
func TestF22Assembly(t *testing.T) {
	causes := make(chan error, 2)
	ts := start(t, Config{Loops: 1, Handler: funcs{message: echo, close: end(causes)}})
	slow, other := ts.dial(t, "/"), ts.dial(t, "/")
	f := masked(0x81, strings.Repeat("a", 100))
	sent := 0
	for ; sent < 15; sent++ {
		slow.raw(f[sent : sent+1])
		other.text("ok")
		other.expect(`text "ok"`)
		ts.until(t, 0, func(p *conn) bool { _, n, _ := p.proto.Unfinished(); return n == sent+1 })
		if len(causes) > 0 {
			t.Fatalf("cut after %d s", sent)
		}
		ts.clock.advance(time.Second)
	}
	ts.clock.advance(200 * time.Millisecond)
	slow.expect("close 1008", "EOF")
	slow.nc.Close()
	if err := receive(t, causes); !errors.Is(err, ErrAssemblyTimeout) {
		t.Errorf("OnClose got %v; want ErrAssemblyTimeout", err)
	}
}

// Whole messages are never late, however long the connection lives.
func TestAssemblyOfWholeMessages(t *testing.T) {
	causes := make(chan error, 1)
	ts := start(t, Config{Loops: 1, PingInterval: Off, MaxMessage: 1 << 20, Handler: funcs{message: echo, close: end(causes)}})
	c := ts.dial(t, "/")
	one := masked(0x81, "abc")
	c.raw(one[:4])
	for range 10 { // always in the middle of one, but each done in time
		ts.clock.settle()
		ts.clock.advance(10 * time.Second)
		c.raw(append(one[4:len(one):len(one)], one[:4]...))
		c.expect(`text "abc"`)
	}
	c.raw(one[4:])
	c.expect(`text "abc"`)
	if len(causes) > 0 {
		t.Error(<-causes)
	}
}

// A long message gets a second more for each 64 KiB that came.
func TestAssemblyGrows(t *testing.T) {
	causes := make(chan error, 1)
	ts := start(t, Config{Loops: 1, PingInterval: Off, MaxMessage: 1 << 20, Handler: funcs{message: echo, close: end(causes)}})
	c := ts.dial(t, "/")
	big := masked(0x82, strings.Repeat("b", 10<<16))
	c.raw(big[:len(big)-1])
	ts.until(t, 0, func(p *conn) bool { _, n, _ := p.proto.Unfinished(); return n == len(big)-1 })
	ts.clock.advance(24 * time.Second) // 15 s and 9 for what came
	c.raw(big[len(big)-1:])
	c.expect("binary 655360 bytes")
}

// C10: control frames beyond the rate close with 1008, and their pongs do not
// pile up.
func TestC10ControlRate(t *testing.T) {
	causes := make(chan error, 1)
	ts := start(t, Config{Handler: funcs{close: end(causes)}})
	c := ts.dial(t, "/")
	c.raw([]byte(strings.Repeat(string(masked(0x89, "")), 1000)))
	for range 100 {
		c.expect(`pong ""`)
	}
	if got := c.next(); got != `pong ""` && got != "close 1008" {
		t.Fatalf("received %s", got)
	} else if got != "close 1008" {
		c.expect("close 1008")
	}
	c.expect("EOF")
	c.nc.Close()
	if err := receive(t, causes); !errors.Is(err, ErrControlRate) {
		t.Errorf("OnClose got %v; want ErrControlRate", err)
	}

	d := ts.dial(t, "/")
	for range 3 { // the same number spread over seconds is fine
		for range 90 {
			d.frame(0x89, "")
			d.expect(`pong ""`)
		}
		ts.clock.advance(time.Second)
	}
}

func TestF10FragmentsAndF11(t *testing.T) {
	for name, frames := range map[string][2]string{"F10": {"a", "a"}, "F11": {"", ""}} {
		ts := start(t, Config{Handler: funcs{}})
		c := ts.dial(t, "/")
		c.raw(append(masked(0x01, frames[0]), strings.Repeat(string(masked(0x00, frames[1])), 1024)...))
		if got := c.next(); got != "close 1008" {
			t.Errorf("%s: received %s; want close 1008", name, got)
		}
	}
}

// until lets the loop go on until f holds for one of its connections.
func (ts *testServer) until(t *testing.T, loop int, f func(*conn) bool) {
	t.Helper()
	l := ts.loops[loop]
	for deadline := time.Now().Add(patience); ; {
		ok := false
		l.call(func() {
			for c := range l.present() {
				ok = ok || f(c)
			}
		})
		if ok {
			return
		}
		if time.Now().After(deadline) {
			l.call(func() {
				for c := range l.present() {
					waiting := 0
					if c.out != nil {
						waiting = c.out.bytes
					}
					t.Logf("slot %d: %v, flags %b, mask %b, %d bytes waiting", c.slot, c.phase, c.flags, c.mask, waiting)
				}
			})
			t.Fatal("it never came to that")
		}
	}
}

// What a full queue has no room for is refused. When the connection is evicted, whole unsent
// frames are discarded, and the Close frame follows the one cut in two.
func TestWriteQueueFull(t *testing.T) {
	causes := make(chan error, 1)
	opened := make(chan Conn, 1)
	ts := start(t, Config{Loops: 1, Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }, close: end(causes)}})
	c := ts.dial(t, "/")
	h := receive(t, opened)
	var err error
	sent := 0
	for err == nil {
		err = h.Send(frame.Binary, make([]byte, 16<<10))
		ts.clock.settle()
		sent++
	}
	if err != ErrQueueFull || ts.Stats().Evicted != 0 {
		t.Fatalf("Send: %v, %d evicted", err, ts.Stats().Evicted)
	}
	if err := h.Evict(); err != nil {
		t.Error(err)
	}
	if err, again := h.Send(frame.Binary, nil), h.Evict(); err != ErrClosed || again != ErrClosed {
		t.Errorf("after Evict: Send %v, Evict %v; want ErrClosed", err, again)
	}
	got := 0
	for {
		s := c.next()
		if s != "binary 16384 bytes" {
			if s != "close 1013" {
				t.Fatalf("received %s after %d messages; want close 1013", s, got)
			}
			break
		}
		got++
	}
	if got >= sent-32 {
		t.Errorf("%d of %d messages arrived; want the unsent ones discarded", got, sent)
	}
	c.expect("EOF")
	c.nc.Close()
	if err := receive(t, causes); !errors.Is(err, ErrQueueFull) {
		t.Errorf("OnClose got %v; want ErrQueueFull", err)
	}
}

func TestWriteTimeout(t *testing.T) {
	causes := make(chan error, 1)
	opened := make(chan Conn, 1)
	ts := start(t, Config{Loops: 1, WriteQueue: Off, PingInterval: Off, Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }, close: end(causes)}, newKernel: new(gate).kernels()})
	ts.dial(t, "/")
	h := receive(t, opened)
	h.Send(frame.Binary, make([]byte, 16<<20))
	ts.until(t, 0, func(p *conn) bool { return p.has(flagBlocked) })
	ts.clock.advance(9500 * time.Millisecond)
	if n := ts.Stats().Evicted; n != 0 {
		t.Fatal("evicted before 10 s")
	}
	ts.clock.advance(800 * time.Millisecond)
	if n := ts.Stats().Evicted; n != 1 {
		t.Fatalf("%d evicted; want 1", n)
	}
	ts.clock.advance(5200 * time.Millisecond)
	if err := receive(t, causes); !errors.Is(err, ErrWriteTimeout) {
		t.Errorf("OnClose got %v; want ErrWriteTimeout", err)
	}
}

// A client that sends without reading has its messages processed until half its
// queue is full, gets everything when it reads, and slows nobody else.
func TestBackpressure(t *testing.T) {
	causes := make(chan error, 2)
	ts := start(t, Config{Loops: 1, PingInterval: Off, WriteTimeout: Off, AssemblyTimeout: Off, Handler: funcs{message: echo, close: end(causes)}})
	c := ts.dial(t, "/")
	const n = 1000
	go func() {
		f := masked(0x82, strings.Repeat("z", 16<<10))
		for range n {
			c.nc.Write(f)
		}
	}()
	ts.until(t, 0, func(p *conn) bool { return p.has(flagFull) && p.mask&wantRead == 0 })
	other := ts.dial(t, "/")
	for i := range 10 {
		other.text(fmt.Sprint(i))
		other.expect(fmt.Sprintf("text \"%d\"", i))
	}
	for range n {
		c.expect("binary 16384 bytes")
	}
	if len(causes) > 0 {
		t.Error(<-causes)
	}
}

func TestPause(t *testing.T) {
	opened := make(chan Conn, 1)
	got := make(chan string, 10)
	ts := start(t, Config{Loops: 1, Handler: funcs{
		open:    func(c LoopConn) { opened <- c.Conn() },
		message: func(c LoopConn, op frame.Opcode, p []byte) { got <- string(p) },
	}})
	c := ts.dial(t, "/")
	h := receive(t, opened)
	h.Pause(true)
	ts.clock.settle()
	c.text("held")
	ts.clock.advance(200 * time.Second) // it is not the peer's fault that it is not heard
	if len(got) > 0 {
		t.Fatal("delivered while paused")
	}
	h.Pause(false)
	if s := receive(t, got); s != "held" {
		t.Errorf("%q", s)
	}
}

// The wheel calls each timer once its time has come, and not before.
func TestWheel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for _, began := range []uint32{0, 1<<32 - 40_000} { // the second wraps
		l := &loop{cfg: &Config{PingInterval: time.Hour, PingMisses: 0}}
		l.now = began
		l.wheel.done = began &^ (1<<wheelGrain - 1)
		l.slabs[0].Store(l.newSlab(0))
		armed := map[uint32]uint32{}
		for range 20_000 {
			slot := 1 + r.Uint32N(100)
			c := l.at(slot)
			switch r.IntN(3) {
			case 0:
				at := l.now + r.Uint32N(60_000)
				if old, ok := armed[slot]; !ok || before(at, old) {
					armed[slot] = at
				}
				l.arm(c, at)
			case 1:
				l.disarm(c)
				delete(armed, slot)
			case 2:
				l.now += r.Uint32N(300)
				var fired []uint32
				for s, at := range armed {
					c := l.at(s)
					c.heard = l.now // so that duePing arms an hour ahead and does no more
					if !before(l.now-128, at) {
						fired = append(fired, s)
					}
				}
				l.turnWheel(l.now)
				for _, s := range fired {
					if !before(armed[s], l.at(s).timer.at) {
						t.Fatalf("slot %d was due at %d and has not fired at %d", s, armed[s], l.now)
					}
				}
				for s, at := range armed {
					if got := l.at(s).timer.at; got != at {
						if before(l.now, at) {
							t.Fatalf("slot %d, due at %d, fired at %d", s, at, l.now)
						}
						armed[s] = got
					}
				}
			}
			if l.wheel.count != len(armed) {
				t.Fatalf("%d armed; want %d", l.wheel.count, len(armed))
			}
			if len(armed) > 0 {
				var first uint32 = 1 << 30
				for _, at := range armed {
					first = min(first, max(at-l.now, 0))
				}
				if idle := l.wheel.idle(l.now); first < 30_000 && uint32(idle) > first+128 {
					t.Fatalf("idle %d ms; the first is due in %d", idle, first)
				}
			} else if l.wheel.idle(l.now) != -1 {
				t.Fatal("idle although nothing is armed")
			}
		}
	}
}

func TestOutboxTorn(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		l := &loop{}
		c := &conn{}
		o := l.outboxOf(c)
		var all []byte
		var ends []int
		arena := make([]byte, 0, 1<<20)
		for range 1 + r.IntN(8) {
			f := frame.Header{Fin: true, Opcode: frame.Text, Length: uint64(r.IntN(300))}.Append(nil)
			f = append(f, make([]byte, lengthOf(t, f))...)
			all = append(all, f...)
			ends = append(ends, len(all))
			if r.IntN(2) == 0 {
				from := len(arena)
				arena = append(arena, f...)
				o.push(segment{b: arena[from:], arena: true})
			} else {
				o.push(segment{b: f})
			}
		}
		sent := 0
		for o.bytes > 0 && r.IntN(5) > 0 {
			n := 1 + r.IntN(o.bytes)
			o.advance(n)
			sent += n
			if r.IntN(3) == 0 {
				o.copyOutOfArena()
			}
		}
		i, whole := slices.BinarySearch(ends, sent)
		want := []byte{}
		if !whole && sent > 0 {
			want = all[sent:ends[i]]
		}
		o.discard()
		got := []byte{}
		for _, s := range o.segs[o.head:] {
			got = append(got, s.b...)
		}
		if d := cmp.Diff(want, got); d != "" || o.bytes != len(want) {
			t.Fatalf("%d bytes of frames that end at %v were written: discard left %d bytes; want %d", sent, ends, len(got), len(want))
		}
	}
}

func lengthOf(t *testing.T, b []byte) uint64 {
	h, _, err := frame.ParseHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	return h.Length
}

// A queue that ends with a Close frame is left to the close timeout.
func TestWriteTimeoutWhileClosing(t *testing.T) {
	opened := make(chan Conn, 1)
	var peer gate
	ts := start(t, Config{Loops: 1, WriteQueue: Off, PingInterval: Off, CloseTimeout: 30 * time.Second, Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }}, newKernel: peer.kernels()})
	c := ts.dial(t, "/")
	h := receive(t, opened)
	h.Send(frame.Binary, make([]byte, 16<<20))
	h.Close(wsproto.CloseGoingAway, "")
	ts.until(t, 0, func(p *conn) bool { return p.has(flagBlocked) })
	ts.clock.advance(10500 * time.Millisecond)
	peer.open.Store(true)
	h.Pause(false) // so that the loop looks again
	c.expect("binary 16777216 bytes")
	if got := c.next(); !strings.HasPrefix(got, "close") {
		t.Errorf("received %s; want a Close frame", got)
	}
}

// A Pause that was posted behind a Close does not keep its answer from being read.
func TestPauseBehindClose(t *testing.T) {
	opened := make(chan Conn, 1)
	ts := start(t, Config{Loops: 1, PingInterval: Off, Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }}})
	c := ts.dial(t, "/")
	h := receive(t, opened)
	// Pause checks closed(), another goroutine closes, Pause posts.
	h.Close(wsproto.CloseNormal, "")
	h.conn.loop.post(task{kind: taskPause, to: h}, nil)
	c.expect("close 1000")
	c.frame(0x88, "\x03\xe8")
	c.expect("EOF")
}
