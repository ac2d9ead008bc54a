package server

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Connections beyond the server's share are answered 503 until there is room, on
// its own listener and on another's.
func TestMaxConns(t *testing.T) {
	ts := start(t, Config{Handler: funcs{message: echo}, MaxConns: 2})
	hs := httptest.NewServer(ts.Server)
	defer hs.Close()
	foreign := strings.TrimPrefix(hs.URL, "http://")
	a, b := ts.dial(t, "/"), ts.dial(t, "/")
	b.text("x")
	b.expect(`text "x"`)
	for _, addr := range []string{ts.addr, foreign} {
		resp, _ := ask(t, addr, upgradeRequest("/", ""))
		if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Errorf("third connection: %d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
		}
	}
	a.frame(0x88, "")
	a.expect("close 1005", "EOF")
	a.nc.Close()
	waitFor(t, func() bool {
		return ts.conns.Load() == 1 && ts.Stats().Handshaking == 0
	})
	c := ts.dial(t, "/")
	c.text("again")
	c.expect(`text "again"`)
}

// endlessListener has a connection for every Accept.
type endlessListener struct{ net.Listener }

func (endlessListener) Accept() (net.Conn, error) {
	nc, _ := net.Pipe()
	return nc, nil
}

// Connections beyond the rate wait in the system's queue: two are accepted at once, and every one after
// them half a second after the one before.
func TestAcceptRate(t *testing.T) {
	testAcceptRate(t, 2, 6, func(i int) time.Duration { return time.Duration(max(0, i-1)) * 500 * time.Millisecond })
}

// Where many connections are allowed, those beyond the rate come in groups, and at the rate.
func TestAcceptRateInGroups(t *testing.T) {
	testAcceptRate(t, 500, 600, func(i int) time.Duration { return time.Duration(max(0, i-490)/10) * 20 * time.Millisecond })
}

// testAcceptRate accepts n connections. want says how long after the beginning each must come.
func testAcceptRate(t *testing.T, rate, n int, want func(i int) time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{Handler: funcs{}, AcceptRate: rate, Loops: 1, newKernel: func() (kernel, error) { return newPortable(), nil }})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Shutdown(t.Context())
		ln := s.listener(endlessListener{})
		defer ln.spare.Close()
		began := time.Now()
		for i := range n {
			nc, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			if got, due := time.Since(began), want(i); got < due || got > due+time.Millisecond {
				t.Errorf("connection %d was accepted after %v; want %v", i, got, due)
			}
		}
	})
}

// Drain closes the connections evenly over its time.
func TestDrain(t *testing.T) {
	const n = 100
	var opened atomic.Int32
	ts := start(t, Config{Handler: funcs{open: func(LoopConn) { opened.Add(1) }}, Loops: 1, CloseTimeout: time.Hour})
	var cs []*client
	for range n {
		cs = append(cs, ts.dial(t, "/"))
	}
	waitFor(t, func() bool { return opened.Load() == n }) // who comes later is closed at once
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- ts.Drain(ctx, 10*time.Second) }()
	waitFor(t, func() bool { return ts.loops[0].draining() })
	for _, at := range []int{0, 25, 50, 100} {
		for ts.clock.now() < time.Hour+time.Duration(at)*100*time.Millisecond {
			ts.clock.t.Add(int64(100 * time.Millisecond))
		}
		ts.loops[0].call(func() {})
		waitFor(t, func() bool { c := ts.Stats().Closing; return c >= at-1 && c <= at+2 })
	}
	for _, c := range cs[1:] {
		c.expect("close 1001")
		c.frame(0x88, "\x03\xe9")
		c.expect("EOF")
		c.nc.Close()
	}
	waitFor(t, func() bool { return ts.Stats().Open == 1 })
	cancel() // cs[0] has not answered
	if err := receive(t, done); err == nil || err.Error() != "server: 1 connections were cut: context canceled" {
		t.Errorf("Drain: %v", err)
	}
}

// Who cannot wait for the end of a Drain calls Shutdown, and a later Drain takes
// nothing back.
func TestShutdownDuringDrain(t *testing.T) {
	ts := start(t, Config{Handler: funcs{}, Loops: 1})
	c := ts.dial(t, "/")
	waitFor(t, func() bool { return ts.Stats().Open == 1 })
	done := make(chan error, 3)
	stop := func(over time.Duration) { done <- ts.Drain(t.Context(), over) }
	go stop(time.Hour)
	waitFor(t, func() bool { return ts.loops[0].draining() })
	go stop(0)
	c.expect("close 1001")
	go stop(time.Hour)
	c.frame(0x88, "\x03\xe9")
	c.expect("EOF")
	c.nc.Close()
	for range 3 {
		if err := receive(t, done); err != nil {
			t.Error(err)
		}
	}
}

func (l *loop) draining() (yes bool) {
	l.call(func() { yes = l.stopping })
	return yes
}

// A spare descriptor that somebody else got is replaced when there are some again.
func TestSpareComesBack(t *testing.T) {
	ts := start(t, Config{Handler: funcs{}})
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	ln := ts.listener(inner)
	ln.spare.Close()
	ln.spare = nil
	far, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	near, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	near.Close()
	if ln.spare == nil {
		t.Fatal("there is none")
	}
	ln.spare.Close()
}
