package server

import (
	"slices"
	"testing"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// One that is closing is cut like the others, and before those that hold less.
func TestMemoryBudgetClosing(t *testing.T) {
	for name, leave := range map[string]func(*client, Conn){
		"Close": func(c *client, h Conn) {
			h.Close(wsproto.CloseGoingAway, "")
			c.expect("close 1001")
		},
		"expelled": func(c *client, h Conn) {
			c.frame(0x89, "")
			c.frame(0x89, "one too many")
			c.expect(`pong ""`, `pong "one too many"`, "close 1008")
		},
	} {
		t.Run(name, func(t *testing.T) {
			opened, closed := make(chan Conn, 2), make(chan Conn, 2)
			ts := start(t, Config{Loops: 1, MemoryBudget: 256 << 10, MaxMessage: 1 << 20, MaxControlRate: 1, Handler: funcs{
				open: func(c LoopConn) { opened <- c.Conn() }, close: func(c LoopConn, _ error) { closed <- c.Conn() },
			}})
			cs, hs := openMany(t, ts, opened, 2)
			// A message in fragments, so that control frames come in between.
			cs[0].frame(0x02, string(make([]byte, 200_000)))
			waitFor(t, func() bool { return ts.Stats().Assembling > 200_000 })
			leave(cs[0], hs[0])
			cs[1].frame(0x02, string(make([]byte, 100_000)))
			if c := receive(t, closed); c != hs[0] {
				t.Errorf("%v was cut; want %v", c, hs[0])
			}
			waitFor(t, func() bool { n := ts.Stats().Assembling; return n > 100_000 && n < 101_000 })
		})
	}
}

// What one loop sheds, another sheds nothing for.
func TestMemoryBudgetLoops(t *testing.T) {
	opened, closed := make(chan Conn, 2), make(chan Conn, 2)
	release := make(chan struct{})
	ts := start(t, Config{Loops: 2, MemoryBudget: 256 << 10, MaxMessage: 1 << 20, Handler: funcs{
		open: func(c LoopConn) { opened <- c.Conn() }, close: func(c LoopConn, _ error) { closed <- c.Conn(); <-release },
	}})
	cs, hs := openMany(t, ts, opened, 2)
	cs[1].frame(0x02, string(make([]byte, 1000)))
	waitFor(t, func() bool { return ts.Stats().Assembling > 1000 })
	go cs[0].nc.Write(masked(0x82, string(make([]byte, 400_000)))) // may fail: it is cut meanwhile
	if c := receive(t, closed); c != hs[0] {
		t.Errorf("%v was cut; want %v", c, hs[0])
	}
	for range 3 {
		hs[1].conn.loop.call(func() {})
	}
	close(release)
	ts.clock.settle()
	if s := ts.Stats(); s.Ended.Shed != 1 || s.Open != 1 {
		t.Errorf("%d shed, %d open; want 1, 1", s.Ended.Shed, s.Open)
	}
}

// The connections that use some of the budget are listed, and no others.
func TestHolding(t *testing.T) {
	ts, peer, cs, hs := slow(t, 3, Config{MemoryBudget: 64 << 20}, nil)
	holding := func(want ...Conn) {
		t.Helper()
		ts.clock.settle()
		ts.loops[0].call(func() {
			l := ts.loops[0]
			if len(l.holding) != len(want) {
				t.Errorf("%d connections are listed; want %d", len(l.holding), len(want))
			}
			for c := range l.holding {
				if !c.has(flagHolds) || c.heldBytes() == 0 || !slices.Contains(want, c.handle()) {
					t.Errorf("slot %d: %d bytes", c.slot, c.heldBytes())
				}
			}
		})
	}
	holding()
	for _, h := range hs {
		h.Send(frame.Binary, make([]byte, 100_000))
	}
	cs[1].frame(0x02, "incomplete")
	waitFor(t, func() bool { return ts.Stats().Assembling > 0 })
	holding(hs...)
	hs[0].conn.loop.call(func() { ts.loops[0].teardown(hs[0].conn) })
	holding(hs[1], hs[2])
	peer.open.Store(true)
	for _, i := range []int{1, 2} {
		hs[i].Pause(false) // so that the loop looks again
		cs[i].expect("binary 100000 bytes")
	}
	holding(hs[1])
	cs[1].frame(0x80, "")
	waitFor(t, func() bool { return ts.Stats().Assembling == 0 })
	holding()
}
