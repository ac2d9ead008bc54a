package server

import "testing"

// What one loop sheds, another sheds nothing for.
func TestMemoryBudgetLoops(t *testing.T) {
	opened, closed := make(chan Conn, 2), make(chan Conn, 2)
	release := make(chan struct{})
	ts := start(t, Config{Loops: 2, MemoryBudget: 256 << 10, MaxMessage: 1 << 20, Handler: funcs{
		open: func(c Conn) { opened <- c }, close: func(c Conn, _ error) { closed <- c; <-release },
	}})
	cs, hs := openMany(t, ts, opened, 2)
	cs[1].frame(0x02, string(make([]byte, 1000)))
	waitFor(t, func() bool { return ts.Stats().Assembling > 1000 })
	go cs[0].nc.Write(masked(0x82, string(make([]byte, 400_000)))) // may fail: it is cut meanwhile
	if c := receive(t, closed); c != hs[0] {
		t.Errorf("%v was cut; want %v", c, hs[0])
	}
	for range 3 {
		hs[1].loop.call(func() {})
	}
	close(release)
	ts.clock.settle()
	if s := ts.Stats(); s.Ended.Shed != 1 || s.Open != 1 {
		t.Errorf("%d shed, %d open; want 1, 1", s.Ended.Shed, s.Open)
	}
}
