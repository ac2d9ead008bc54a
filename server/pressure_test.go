package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// slow starts a server behind a gate, with n connections and their handles.
func slow(t *testing.T, n int, cfg Config, close func(LoopConn, error)) (ts *testServer, peer *gate, cs []*client, hs []Conn) {
	t.Helper()
	peer = new(gate)
	opened := make(chan Conn, n)
	h := funcs{open: func(c LoopConn) { opened <- c.Conn() }, close: close}
	if w, ok := cfg.Handler.(noticing); ok {
		w.funcs = h
		cfg.Handler = w
	} else {
		cfg.Handler = h
	}
	cfg.Loops, cfg.newKernel = 1, peer.kernels()
	cfg.WriteTimeout, cfg.PingInterval = Off, Off
	ts = start(t, cfg)
	for range n {
		cs = append(cs, ts.dialWith(t, "/", &handshake.DialOptions{Deflate: cfg.Upgrader.Deflate}))
		hs = append(hs, receive(t, opened))
	}
	return ts, peer, cs, hs
}

// Of a state that a group sends, a member that is behind gets the newest version, in
// its place among everything else.
func TestSendNewest(t *testing.T) {
	takeover := &handshake.DeflateOptions{ServerContextTakeover: true}
	for name, deflate := range map[string]*handshake.DeflateOptions{"plain": nil, "takeover": takeover} {
		t.Run(name, func(t *testing.T) {
			ts, peer, cs, hs := slow(t, 1, Config{Upgrader: handshake.Upgrader{Deflate: deflate}, CompressFrom: 1}, nil)
			a, b := ts.NewGroup(), ts.NewGroup()
			a.Join(hs[0])
			b.Join(hs[0])
			hs[0].Send(frame.Binary, noise(200_000)) // more than goes through the gate
			a.SendNewest(text("a1"), "state")
			hs[0].Send(frame.Text, []byte("between"))
			a.SendNewest(text("a2"), "state")
			b.SendNewest(text("b1"), "state")
			a.SendNewest(text("a3"), "state")
			a.Send(text("not a state"), Evict)
			ts.clock.settle()
			if n := ts.Stats().Coalesced; n != 2 {
				t.Errorf("%d coalesced; want 2", n)
			}
			peer.open.Store(true)
			hs[0].Pause(false) // so that the loop looks again
			cs[0].expect("binary 200000 bytes", `text "between"`, `text "b1"`, `text "a3"`, `text "not a state"`)
			// What was written is not taken back, and windows still agree.
			a.SendNewest(text("a4"), "state")
			cs[0].expect(`text "a4"`)
			hs[0].Send(frame.Text, []byte(strings.Repeat("a3 a4 ", 20)))
			cs[0].expect("text 120 bytes")
			if held := ts.Stats().Queued; held != 0 {
				t.Errorf("%d bytes counted as waiting", held)
			}
		})
	}
}

// A state that is written in part stays; where there is no room for the newest one
// either, the member is closed.
func TestSendNewestNoRoom(t *testing.T) {
	ts, peer, cs, hs := slow(t, 1, Config{WriteQueue: 64 << 10}, nil)
	g := ts.NewGroup()
	g.Join(hs[0])
	g.SendNewest(text(strings.Repeat("s", 60_000)), "state") // 10,000 of it go through
	ts.clock.settle()
	g.SendNewest(text("newer"), "state")
	g.SendNewest(text("newest"), "state")
	g.SendNewest(text(strings.Repeat("t", 40_000)), "state")
	ts.clock.settle()
	if n := ts.Stats().Coalesced; n != 2 {
		t.Errorf("%d coalesced; want 2", n)
	}
	peer.open.Store(true)
	hs[0].Pause(false)
	cs[0].expect("text 60000 bytes", "close 1013")
}

// noticing is a Handler that is told when a connection can be written to again.
type noticing struct {
	funcs
	writable chan Conn
}

func (h noticing) OnWritable(c LoopConn) { h.writable <- c.Conn() }

// A sender is told when the queue that it filled has gone down.
func TestOnWritable(t *testing.T) {
	h := noticing{writable: make(chan Conn, 10)}
	ts, peer, cs, hs := slow(t, 1, Config{Handler: h, WriteQueue: 64 << 10}, nil)
	c := hs[0]
	if n := c.Buffered(); n != 0 {
		t.Errorf("%d bytes wait at first", n)
	}
	c.Do(func(c LoopConn) { // in one iteration: the first of them alone would rightly cause a notice
		for range 12 {
			c.Send(frame.Binary, make([]byte, 4<<10))
		}
	})
	ts.clock.settle()
	if n := c.Buffered(); n < 32<<10 || n > 48<<10 {
		t.Errorf("%d bytes wait", n)
	}
	if len(h.writable) != 0 {
		t.Error("told while the queue was full")
	}
	peer.open.Store(true)
	c.Pause(false)
	if told := receive(t, h.writable); told != c {
		t.Errorf("told of %v", told)
	}
	for range 12 {
		cs[0].expect("binary 4096 bytes")
	}
	ts.clock.settle()
	if n := c.Buffered(); n != 0 || len(h.writable) != 0 {
		t.Errorf("%d bytes wait, told %d times more", n, len(h.writable))
	}
}

// Over the memory budget, whoever holds most goes first, and nobody comes in.
func TestMemoryBudget(t *testing.T) {
	causes := make(chan error, 10)
	ts, peer, cs, hs := slow(t, 3, Config{MemoryBudget: 1 << 20, WriteQueue: Off}, end(causes))
	for i, n := range []int{1, 3, 9} {
		for range n {
			hs[i].SendWait(t.Context(), frame.Binary, make([]byte, 100_000))
		}
		ts.clock.settle()
	}
	var code *CloseError
	peer.open.Store(true)
	for i := range 2 {
		hs[i].Pause(false)
		for range []int{1, 3}[i] {
			cs[i].expect("binary 100000 bytes")
		}
	}
	cs[2].expect("close 1013")
	cs[2].frame(0x88, "\x03\xf5")
	cs[2].nc.Close()
	if err := receive(t, causes); !errors.Is(err, ErrOverBudget) || !errors.As(err, &code) || code.Code != 1013 {
		t.Errorf("OnClose got %v", err)
	}
	ts.clock.settle()
	if s := ts.Stats(); s.Ended.Shed != 1 || s.Evicted != 1 || s.Queued != 0 || s.Open != 2 || ts.budget.used.Load() != 0 {
		t.Errorf("%+v, %d used", s, ts.budget.used.Load())
	}

	ts.budget.used.Add(2 << 20)
	_, _, _, err := handshake.Dial(context.Background(), "ws://"+ts.addr+"/", nil)
	var refused *handshake.Error
	if !errors.As(err, &refused) || refused.Status != http.StatusServiceUnavailable {
		t.Errorf("dialling over the budget: %v", err)
	}
}

// What a peer sends of messages that it does not complete counts, too: such a peer
// is cut, since no Close frame would give the memory back.
func TestMemoryBudgetAssembling(t *testing.T) {
	causes := make(chan error, 10)
	ts := start(t, Config{Loops: 1, MemoryBudget: 256 << 10, MaxMessage: 1 << 20, Handler: funcs{close: end(causes)}})
	c := ts.dial(t, "/")
	whole := masked(0x82, string(make([]byte, 400_000)))
	c.raw(whole[:100_000])
	waitFor(t, func() bool { return ts.Stats().Assembling == 100_000 })
	c.nc.Write(whole[100_000:300_000]) // may fail: it is cut meanwhile
	if err := receive(t, causes); !errors.Is(err, ErrOverBudget) {
		t.Errorf("OnClose got %v", err)
	}
	waitFor(t, func() bool { return ts.Stats().Assembling == 0 && ts.budget.used.Load() == 0 })
}

// Stats adds up.
func TestStats(t *testing.T) {
	ts := start(t, Config{Handler: funcs{message: echo}})
	c, d := ts.dial(t, "/"), ts.dial(t, "/")
	for i := range 10 {
		c.text(fmt.Sprint(i))
		c.expect(fmt.Sprintf("text \"%d\"", i))
	}
	d.frame(0x88, "\x03\xe8")
	d.expect("close 1000", "EOF")
	d.nc.Close()
	c.frame(0x83, "") // no opcode
	c.expect("close 1002")
	c.nc.Close()
	waitFor(t, func() bool { return ts.Stats().Open == 0 })
	ts.clock.settle()
	got := ts.Stats()
	iterations := uint64(0)
	for _, n := range got.Iterations {
		iterations += n
	}
	if iterations == 0 {
		t.Error("no iteration counted")
	}
	got.Iterations = [latencyBuckets]uint64{}
	want := Stats{Handshakes: map[int]uint64{101: 2}, Opened: 2, MessagesIn: 10, MessagesOut: 10, BytesIn: 10*7 + 8 + 6, BytesOut: got.BytesOut,
		Ended: Ended{ByPeer: 1, ProtocolError: 1}}
	if !onGoroutines() {
		want.HandshakesOnLoops = 2
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got.BytesOut < 10*3+2*4 {
		t.Errorf("%d bytes out", got.BytesOut)
	}
}

// R16: of 10,000 broadcasts of 4 KiB, a reader that stopped costs 1 MiB, beside what
// the system takes for it, and is cut; whoever reads gets every one.
func TestR16ReaderStops(t *testing.T) {
	const n, size, batch = 10_000, 4 << 10, 50
	causes, opened := make(chan error, 2), make(chan Conn, 2)
	ts := start(t, Config{Loops: 1, PingInterval: Off, Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }, close: end(causes)}})
	cs, hs := openMany(t, ts, opened, 2)
	g := ts.NewGroup()
	g.Join(hs[0])
	g.Join(hs[1])
	most, cut := int64(0), 0
	for sent := 0; sent < n; {
		for range batch {
			g.Send(wsproto.NewPrepared(frame.Binary, make([]byte, size)), Evict)
			sent++
		}
		for range batch {
			cs[0].expect("binary 4096 bytes")
		}
		ts.clock.settle()
		most = max(most, ts.Stats().Queued)
		if cut == 0 && ts.Stats().Ended.QueueFull == 1 {
			cut = sent
		}
	}
	t.Logf("cut after %d broadcasts, at most %d bytes waited", cut, most)
	if cut == 0 || most > 1<<20 || most < 1<<20-batch*(size+4) {
		t.Errorf("cut after %d broadcasts, at most %d bytes waited; want it cut at 1 MiB", cut, most)
	}
	if s := ts.Stats(); s.Queued > size || s.Evicted != 1 {
		t.Errorf("%d bytes wait for who was cut, %d evicted", s.Queued, s.Evicted)
	}
	ts.clock.advance(5200 * time.Millisecond) // it does not read the Close either
	if err := receive(t, causes); !errors.Is(err, ErrQueueFull) {
		t.Errorf("OnClose got %v", err)
	}
	if s := ts.Stats(); s.Open != 1 || s.Queued != 0 {
		t.Errorf("%d open, %d bytes wait", s.Open, s.Queued)
	}
}

// R16: below that bound, it is cut when the system has taken nothing for 10 s.
func TestR16ReaderStopsTimeout(t *testing.T) {
	causes, opened := make(chan error, 1), make(chan Conn, 1)
	ts := start(t, Config{Loops: 1, PingInterval: Off, Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }, close: end(causes)}, newKernel: new(gate).kernels()})
	ts.dial(t, "/")
	g := ts.NewGroup()
	g.Join(receive(t, opened))
	for i := range 100 { // 400 KiB, ten seconds and more, but nothing was taken after the first
		g.Send(wsproto.NewPrepared(frame.Binary, make([]byte, 4<<10)), Evict)
		ts.clock.advance(99 * time.Millisecond)
		if n := ts.Stats().Evicted; n != 0 {
			t.Fatalf("evicted after %d broadcasts", i+1)
		}
	}
	ts.clock.advance(400 * time.Millisecond)
	if s := ts.Stats(); s.Ended.WriteTimeout != 1 || s.Queued > 8<<10 {
		t.Errorf("%+v", s)
	}
	ts.clock.advance(5200 * time.Millisecond)
	if err := receive(t, causes); !errors.Is(err, ErrWriteTimeout) {
		t.Errorf("OnClose got %v", err)
	}
}

// An iteration is counted by the time it took, waiting excluded.
func TestIterationsByTime(t *testing.T) {
	var ts *testServer
	ts = start(t, Config{Loops: 1, Handler: funcs{message: func(c LoopConn, op frame.Opcode, p []byte) {
		ts.clock.t.Add(int64(5 * time.Millisecond))
		c.Send(op, p)
	}}})
	c := ts.dial(t, "/")
	for range 3 {
		c.text("x")
		c.expect(`text "x"`)
		ts.clock.settle()
	}
	s := ts.Stats()
	if s.Iterations[13] != 3 || s.Busy != 15*time.Millisecond { // 1<<12 µs ≤ 5 ms < 1<<13 µs
		t.Errorf("%d iterations of 5 ms, %v in all; want 3 and 15 ms", s.Iterations[13], s.Busy)
	}
}
