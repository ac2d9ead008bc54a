package server

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/server/rate"
)

// crowded is a server with one loop, which is held and has been lent the listener, as several clients have
// connected at once.
func crowded(t *testing.T, cfg Config) (ts *testServer, l *loop, h *hold) {
	t.Helper()
	if onGoroutines() {
		t.Skip("the portable kernel reads no opening handshakes")
	}
	cfg.Loops, cfg.leaseTime = 1, time.Hour
	ts = start(t, cfg)
	l = ts.loops[0]
	h, err := l.holdLoop()
	if err != nil {
		t.Fatal(err)
	}
	<-h.held
	connected := 0
	for lent := false; !lent; { // the listener accepts a part of them one by one
		connectMany(t, ts, 5)
		connected += 5
		waitFor(t, func() bool { return int(ts.http.open()) == len(tasksOf(l, taskArrive)) })
		lent = len(tasksOf(l, taskLend)) > 0
	}
	h.do(func() { l.iterate(nil) })
	if n := len(l.lent); n != 1 {
		t.Fatalf("the loop has %d listeners", n)
	}
	l.lookUntil(t, h, func() bool { return int(ts.http.open()) == connected }) // the listener has not accepted all
	return ts, l, h
}

// connectMany connects n clients that say nothing.
func connectMany(t *testing.T, ts *testServer, n int) {
	t.Helper()
	for range n {
		nc, err := net.Dial("tcp", ts.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nc.Close() })
	}
}

// tasksOf returns the tasks of a kind that wait for a loop.
func tasksOf(l *loop, kind taskKind) (of []task) {
	l.box.mu.Lock()
	defer l.box.mu.Unlock()
	for _, t := range l.box.tasks {
		if t.kind == kind {
			of = append(of, t)
		}
	}
	return of
}

// look has the held loop look for connections.
func (l *loop) look(h *hold) {
	h.do(func() {
		for i := range l.lent {
			l.lent[i].looked = time.Time{}
		}
		l.iterate(nil)
	})
}

// lookUntil has the held loop look until ok: the system may not have the connections yet that clients have
// made. What it looks for in vain does not count.
func (l *loop) lookUntil(t *testing.T, h *hold, ok func() bool) {
	t.Helper()
	waitFor(t, func() bool {
		l.look(h)
		for i := range l.lent {
			l.lent[i].empty = 0
		}
		return ok()
	})
}

// The loop that has the listener accepts, as long as connections come, and gives it back when none do.
func TestLend(t *testing.T) {
	ts, l, h := crowded(t, Config{Handler: funcs{message: echo}})
	for range 2 {
		before := ts.http.open()
		connectMany(t, ts, 3)
		l.lookUntil(t, h, func() bool { return ts.http.open()-before == 3 })
		for range maxEmpty - 1 {
			l.look(h)
		}
		if len(l.lent) != 1 {
			t.Fatal("the listener was given back too early")
		}
	}
	l.look(h)
	if len(l.lent) != 0 {
		t.Errorf("the loop still has the listener, after %d times in vain", maxEmpty)
	}
	close(h.run)
	c := ts.dial(t, "/")
	c.text("accepted by the listener")
	c.expect(`text "accepted by the listener"`)
}

// A server that is frozen accepts nothing, and goes on.
func TestLendFrozen(t *testing.T) {
	ts, l, h := crowded(t, Config{Handler: funcs{message: echo}})
	finished := ts.pauseAccepting()
	<-finished
	before := ts.http.open()
	connectMany(t, ts, 3)
	for range maxEmpty {
		l.look(h)
	}
	if n := ts.http.open() - before; n != 0 || len(l.lent) != 0 {
		t.Errorf("%d connections were accepted while the server is frozen; the loop has %d listeners", n, len(l.lent))
	}
	ts.resumeAccepting()
	close(h.run)
	c := ts.dial(t, "/")
	c.text("later")
	c.expect(`text "later"`)
}

// Connections are accepted although a callback occupies the loop that was lent the listener.
func TestLendToBlockedLoop(t *testing.T) {
	if onGoroutines() {
		t.Skip("the portable kernel reads no opening handshakes")
	}
	ts := start(t, Config{Handler: funcs{message: echo}, Loops: 2, leaseTime: time.Millisecond})
	l := ts.loops[0]
	h, err := l.holdLoop()
	if err != nil {
		t.Fatal(err)
	}
	<-h.held
	n := 0
	for len(tasksOf(l, taskLend)) < 2 { // at the second time, the first is over
		n += 5
		connectMany(t, ts, 5)
		waitFor(t, func() bool { return int(ts.http.open()) == n })
	}
	if n, _, over := tasksOf(l, taskLend)[0].lease.accept(); n != 0 || !over {
		t.Errorf("the loop accepts %d connections, although the listener was taken back", n)
	}
	close(h.run)
	c := ts.dial(t, "/")
	c.text("later")
	c.expect(`text "later"`)
}

// A loop that AcceptRate stops gives the listener back, so that it is waited for elsewhere.
func TestLendPaced(t *testing.T) {
	ts, l, h := crowded(t, Config{Handler: funcs{}})
	before := ts.http.open()
	pace := rate.NewBucket(rate.NewPace(2, time.Hour, 0))
	l.lent[0].lease.door.pace = pace
	for pace.Take(ts.clock.now()) == 0 {
	}
	connectMany(t, ts, 1)
	l.look(h)
	if n := ts.http.open() - before; n != 0 || len(l.lent) != 0 {
		t.Errorf("%d connections were accepted beyond the rate; the loop has %d listeners", n, len(l.lent))
	}
	close(h.run)
}

// Serve ends although a loop has the listener, whether the loop can give it back or not.
func TestLendShutdown(t *testing.T) {
	for _, held := range []bool{false, true} {
		ts, l, h := crowded(t, Config{Handler: funcs{}})
		if !held {
			close(h.run)
		}
		ctx, cancel := context.WithCancel(t.Context())
		if held {
			cancel()
		}
		if err := ts.Shutdown(ctx); (err != nil) != held {
			t.Errorf("held %t: %v", held, err)
		}
		cancel()
		if nc, err := net.Dial("tcp", ts.addr); err == nil {
			nc.Close()
			t.Errorf("held %t: it still listens", held)
		}
		if held {
			close(h.run)
		}
		<-l.ended
		if len(l.lent) != 0 {
			t.Errorf("held %t: the loop has ended with the listener", held)
		}
	}
}
