package server

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

func text(s string) *wsproto.Prepared { return wsproto.NewPrepared(frame.Text, []byte(s)) }

// openMany dials n clients and returns their handles in the same order.
func openMany(t *testing.T, ts *testServer, opened <-chan Conn, n int) (cs []*client, hs []Conn) {
	for range n {
		cs = append(cs, ts.dial(t, "/"))
		hs = append(hs, receive(t, opened))
	}
	return cs, hs
}

func TestGroupJoinLeave(t *testing.T) {
	opened, closed := make(chan Conn, 10), make(chan error, 10)
	ts := start(t, Config{Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }, close: end(closed)}})
	g := ts.NewGroup()
	g.Send(text("to nobody"), Evict)
	cs, hs := openMany(t, ts, opened, 6)
	for i, h := range hs {
		h.Send(frame.Text, []byte("before"))
		if i < 5 {
			g.Join(h)
			g.Join(h) // once is enough
		}
	}
	g.Send(text("one"), Evict)
	g.Leave(hs[1])
	g.Leave(hs[1])
	g.Leave(hs[5])
	g.Send(text("two"), Evict)
	cs[2].frame(0x88, "") // leaves by itself
	cs[2].expect(`text "before"`, `text "one"`, `text "two"`, "close 1005", "EOF")
	cs[2].nc.Close()
	receive(t, closed)
	g.Send(text("three"), Drop)
	for _, h := range hs {
		h.Send(frame.Text, []byte("after"))
	}
	for _, i := range []int{0, 3, 4} {
		cs[i].expect(`text "before"`, `text "one"`, `text "two"`, `text "three"`, `text "after"`)
	}
	cs[1].expect(`text "before"`, `text "one"`, `text "after"`)
	cs[5].expect(`text "before"`, `text "after"`)
	if err := g.Join(hs[2]); err != ErrClosed {
		t.Errorf("Join of a closed connection: %v", err)
	}
	g.Leave(Conn{})

	for _, i := range []int{0, 3, 4} {
		g.Leave(hs[i])
	}
	ts.clock.settle()
	for i, m := range g.loops {
		if m.count != 0 || len(m.slots) != 0 {
			t.Errorf("loop %d: count %d, %d members; want none", i, m.count, len(m.slots))
		}
	}
}

// Every member sees a group's messages in one order, also if many goroutines
// send while others join, and receives exactly what is sent after its join.
func TestGroupOneOrder(t *testing.T) {
	const members, senders, each = 8, 4, 200
	opened := make(chan Conn, members)
	ts := start(t, Config{Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }}})
	g := ts.NewGroup()
	cs, hs := openMany(t, ts, opened, members)
	g.Join(hs[0])
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for i := range each {
				g.Send(text(fmt.Sprintf("%d.%d", s, i)), Evict)
				if i%50 == 10 && s == 0 {
					g.Join(hs[1+i/50])
				}
			}
		})
	}
	wg.Wait()
	g.Send(text("end"), Evict)
	read := func(c *client) (got []string) {
		for s := ""; s != `text "end"`; got = append(got, s) {
			s = c.next()
		}
		return got
	}
	all := read(cs[0])
	if len(all) != senders*each+1 {
		t.Fatalf("the first member received %d messages; want %d", len(all), senders*each+1)
	}
	next := [senders]int{}
	for _, s := range all[:len(all)-1] {
		var sender, i int
		fmt.Sscanf(s, `text "%d.%d"`, &sender, &i)
		if i != next[sender] {
			t.Fatalf("sender %d: message %d came where %d was next", sender, i, next[sender])
		}
		next[sender]++
	}
	for k := 1; k <= each/50; k++ {
		got := read(cs[k])
		tail := all[len(all)-len(got):]
		for i := range got {
			if got[i] != tail[i] {
				t.Fatalf("member %d: message %d is %s; the first member saw %s there", k, i, got[i], tail[i])
			}
		}
	}
}

// A member that does not read is left out or evicted, as the policy says, and
// nobody else notices.
func TestGroupPolicy(t *testing.T) {
	for _, policy := range []Policy{Evict, Drop} {
		opened := make(chan Conn, 2)
		ts := start(t, Config{Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }}, WriteQueue: 256 << 10})
		g := ts.NewGroup()
		cs, hs := openMany(t, ts, opened, 2)
		g.Join(hs[0])
		g.Join(hs[1])
		big := wsproto.NewPrepared(frame.Binary, make([]byte, 64<<10))
		const n = 200 // 12.5 MiB; the kernel alone takes about 4
		for range n {
			g.Send(big, policy)
			cs[0].expect("binary 65536 bytes")
		}
		g.Send(text("end"), policy)
		cs[0].expect(`text "end"`)
		want, evicted := "close 1013", uint64(1)
		if policy == Drop {
			want, evicted = `text "end"`, 0
		}
		got := 0
		s := cs[1].next()
		for ; s == "binary 65536 bytes"; s = cs[1].next() {
			got++
		}
		if s != want || got == n || ts.Stats().Evicted != evicted {
			t.Errorf("policy %d: %d messages, then %s, %d evicted; want fewer than %d, then %s, %d", policy, got, s, ts.Stats().Evicted, n, want, evicted)
		}
	}
}

// R19: messages sent from many goroutines, control frames among them, arrive
// whole and in each sender's order.
func TestR19ConcurrentSend(t *testing.T) {
	const senders, each = 8, 300
	opened := make(chan Conn, 1)
	ts := start(t, Config{Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }}, MaxControlRate: Off})
	c := ts.dial(t, "/")
	h := receive(t, opened)
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for i := range each {
				h.Send(frame.Text, fmt.Appendf(nil, "%d.%d", s, i))
			}
		})
	}
	for range each {
		c.frame(0x89, "p")
	}
	next, pongs := [senders]int{}, 0
	for range senders*each + each {
		s := c.next()
		if s == `pong "p"` {
			pongs++
			continue
		}
		var sender, i int
		if _, err := fmt.Sscanf(s, `text "%d.%d"`, &sender, &i); err != nil || i != next[sender] {
			t.Fatalf("received %s; want message %d of that sender", s, next[sender])
		}
		next[sender]++
	}
	wg.Wait()
	if pongs != each {
		t.Errorf("%d pongs; want %d", pongs, each)
	}
}

// A loop that does not keep up refuses messages, and still takes a Close.
func TestBusy(t *testing.T) {
	opened := make(chan Conn, 1)
	ts := start(t, Config{Loops: 1, Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }}, WriteQueue: Off})
	c := ts.dial(t, "/")
	h := receive(t, opened)
	held, release := make(chan struct{}), make(chan struct{})
	go ts.loops[0].call(func() { close(held); <-release })
	<-held
	var err error
	n := 0
	for p := make([]byte, 16<<20); err == nil; n++ {
		err = h.Send(frame.Binary, p)
	}
	if err != ErrBusy || n != maxMail>>24 {
		t.Errorf("after %d messages: %v; want ErrBusy after %d", n, err, maxMail>>24)
	}
	if err := h.Close(wsproto.CloseNormal, ""); err != nil {
		t.Errorf("Close: %v", err)
	}
	for range 1 << 15 {
		ts.loops[0].post(task{kind: taskLeave}, nil)
	}
	close(release)
	for s := ""; s != "close 1013" && s != "close 1000"; s = c.next() {
	}
	ts.loops[0].call(func() {
		if b := &ts.loops[0].box; cap(ts.loops[0].spare.tasks) > 1<<14 || cap(b.tasks) > 1<<14 || cap(b.data) > 1<<20 {
			t.Error("the mailbox stays as large as it was")
		}
	})
}

// What is sent to a group does not undo the Close of a member.
func TestGroupSendBehindClose(t *testing.T) {
	for name, c := range map[string]struct {
		key   string
		size  int
		close func(*Group, Conn)
		want  []string
	}{
		"closed": {"", 50 << 10, func(_ *Group, h Conn) { h.Close(wsproto.CloseNormal, "") },
			[]string{"binary 40960 bytes", `text "state"`, `text "last"`, "close 1000", "EOF"}},
		"evicted": {"", 50 << 10, func(g *Group, _ Conn) { g.Send(wsproto.NewPrepared(frame.Binary, make([]byte, 50<<10)), Evict) },
			[]string{"binary 40960 bytes", "close 1013", "EOF"}},
		"coalescing": {"state", 10, func(_ *Group, h Conn) { h.Close(wsproto.CloseNormal, "") },
			[]string{"binary 40960 bytes", `text "state"`, `text "last"`, "close 1000", "EOF"}},
	} {
		t.Run(name, func(t *testing.T) {
			closed := make(chan error, 1)
			ts, peer, cs, hs := slow(t, 1, Config{WriteQueue: 64 << 10}, end(closed))
			g := ts.NewGroup()
			g.Join(hs[0])
			hs[0].Send(frame.Binary, make([]byte, 40<<10)) // 10,000 of it go through
			g.SendNewest(text("state"), "state")
			hs[0].Send(frame.Text, []byte("last"))
			c.close(g, hs[0])
			g.send(task{m: wsproto.NewPrepared(frame.Binary, make([]byte, c.size))}, c.key)
			ts.clock.settle()
			peer.open.Store(true)
			ts.loops[0].call(func() { ts.loops[0].markDirty(hs[0].conn) })
			for _, w := range c.want[:len(c.want)-1] {
				cs[0].expect(w)
			}
			cs[0].frame(0x88, "\x03\xe8")
			cs[0].expect("EOF")
			cs[0].nc.Close()
			var ce *CloseError
			if err := receive(t, closed); !errors.As(err, &ce) {
				t.Error(err)
			}
		})
	}
}

// still is a kernel that stands still in a write until it is released.
type still struct {
	kernel
	held, goOn chan struct{}
	now        *atomic.Bool
}

func (k *still) write(fd int, p []byte) (int, error) {
	if k.now.CompareAndSwap(true, false) {
		close(k.held)
		<-k.goOn
	}
	return k.kernel.write(fd, p)
}

// While one loop sends to its members, the group is free for others.
func TestGroupSendElsewhere(t *testing.T) {
	var g *Group
	var now atomic.Bool
	held, goOn := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(goOn) })
	opened := make(chan Conn, 2)
	ts := start(t, Config{WriteQueue: 64 << 10,
		newKernel: wrapped(func(k kernel) kernel { return &still{k, held, goOn, &now} }),
		Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }, message: func(c LoopConn, op frame.Opcode, p []byte) {
			now.Store(true)
			for range 2 { // the second one does not fit, and the first is written for it
				g.Send(wsproto.NewPrepared(op, make([]byte, 40<<10)), Evict)
			}
		}}})
	t.Cleanup(release)
	g = ts.NewGroup()
	cs, hs := openMany(t, ts, opened, 2)
	g.Join(hs[0])
	cs[0].frame(0x82, "go")
	<-held
	sent := make(chan struct{})
	go func() { g.Send(text("behind"), Evict); close(sent) }()
	receive(t, sent)
	release()
	cs[0].expect("binary 40960 bytes", "binary 40960 bytes", `text "behind"`)
}
