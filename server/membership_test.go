package server

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// Members are counted and listed, some are left out of a message, and all leave or close at
// once.
func TestGroupMembers(t *testing.T) {
	opened, closed := make(chan Conn, 5), make(chan error, 5)
	ts := start(t, Config{Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }, close: end(closed)}})
	g := ts.NewGroup()
	cs, hs := openMany(t, ts, opened, 5)
	check := func(want ...Conn) {
		t.Helper()
		ts.clock.settle()
		var got []Conn
		for c := range g.Members() {
			got = append(got, c)
		}
		if len(got) != len(want) || g.Len() != len(want) {
			t.Errorf("%d listed, Len %d; want %d", len(got), g.Len(), len(want))
		}
		for _, c := range want {
			if !slices.Contains(got, c) {
				t.Errorf("%v is not listed", c)
			}
		}
	}
	check()
	for _, h := range hs {
		g.Join(h)
	}
	g.Join(hs[0])
	check(hs...)
	if err := g.Send(text("not to all"), Evict, hs[1], hs[3]); err != nil {
		t.Error(err)
	}
	g.Send(text("to all"), Evict)
	for i, c := range cs {
		if i != 1 && i != 3 {
			c.expect(`text "not to all"`)
		}
		c.expect(`text "to all"`)
	}
	for range g.Members() {
		break // is allowed
	}
	g.LeaveAll()
	check()
	g.Join(hs[2])
	g.Join(hs[4])
	check(hs[2], hs[4])
	if err := g.Close(1005, "no code"); err == nil {
		t.Error("a reason without a code was taken")
	}
	if err := g.Close(4000, "over"); err != nil {
		t.Error(err)
	}
	for _, i := range []int{2, 4} {
		cs[i].expect("close 4000")
		cs[i].frame(0x88, "\x0f\xa0")
		cs[i].nc.Close()
		receive(t, closed)
	}
	check()
	if err := hs[0].Send(frame.Text, nil); err != nil {
		t.Errorf("one that had left: %v", err)
	}
}

// If one loop cannot take a message, no member is sent it, and SendWait waits.
func TestGroupBusy(t *testing.T) {
	opened := make(chan Conn, 2)
	ts := start(t, Config{Loops: 2, MemoryBudget: 1 << 20, WriteQueue: Off, Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }}})
	g := ts.NewGroup()
	cs, hs := openMany(t, ts, opened, 2)
	if hs[0].conn.loop == hs[1].conn.loop {
		t.Fatal("both are on one loop")
	}
	g.Join(hs[0])
	g.Join(hs[1])
	held, release := make(chan struct{}), make(chan struct{})
	go hs[1].conn.loop.call(func() { close(held); <-release })
	<-held
	m := wsproto.NewPrepared(frame.Binary, make([]byte, 10<<10))
	sent := 0
	var err error
	for ; err == nil && sent < 1000; sent++ {
		if err = g.Send(m, Evict); err == nil {
			cs[0].expect("binary 10240 bytes")
		}
	}
	if err != ErrBusy || sent < 20 || sent > 30 {
		t.Errorf("%v after %d messages of 10 KiB; want ErrBusy at a quarter of 1 MiB", err, sent)
	}
	if n := ts.Stats().Queued; n < 200<<10 || n > 1<<20 {
		t.Errorf("Stats.Queued is %d; want what waits for the loop", n)
	}
	if n := ts.budget.used.Load(); n < 200<<10 {
		t.Errorf("the budget counts %d", n)
	}
	done := make(chan error, 1)
	go func() { done <- g.SendWait(t.Context(), m, Evict) }()
	waitFor(t, func() bool { return hs[1].conn.loop.waiters.count.Load() == 1 })
	close(release)
	if err := receive(t, done); err != nil {
		t.Error(err)
	}
	cs[0].expect("binary 10240 bytes")
	for range sent {
		cs[1].expect("binary 10240 bytes")
	}
	waitFor(t, func() bool { return ts.Stats().Queued == 0 && ts.budget.used.Load() == 0 })
}

// However many places a connection has, each is found; the index agrees with the list.
func TestMembershipsModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	var m memberships
	model := map[uint32]uint32{}
	for range 20_000 {
		group := r.Uint32N(100)
		i := m.find(group)
		if at, ok := model[group]; ok != (i >= 0) || ok && m.places[i] != (place{group, at}) {
			t.Fatalf("group %d: index %d; want %d, %v", group, i, at, ok)
		}
		switch {
		case i < 0:
			model[group] = r.Uint32()
			m.add(place{group, model[group]})
		case r.IntN(3) > 0:
			m.remove(i)
			delete(model, group)
		}
		if len(m.places) != len(model) || m.index != nil && len(m.index) != len(model) {
			t.Fatalf("%d places, %d indexed; want %d", len(m.places), len(m.index), len(model))
		}
	}
}
