package server

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
)

// pieces is a FragmentHandler that tells what it is given.
type pieces struct {
	funcs
	fragment func(c LoopConn, op frame.Opcode, p []byte, fin bool)
}

func (h pieces) OnFragment(c LoopConn, op frame.Opcode, p []byte, fin bool) {
	h.fragment(c, op, p, fin)
}

// A message is delivered as it arrives, with no limit for the whole of it and nothing held.
func TestFragmentsIn(t *testing.T) {
	got := make(chan string, 100)
	h := pieces{fragment: func(c LoopConn, op frame.Opcode, p []byte, fin bool) {
		got <- fmt.Sprintf("%v %q %v", op, p, fin)
	}}
	h.message = func(LoopConn, frame.Opcode, []byte) { t.Error("OnMessage was called") }
	ts := start(t, Config{Loops: 1, MaxMessage: 10, MaxFragments: Off, Handler: h})
	c := ts.dial(t, "/")
	c.frame(0x01, "twice as long as ")
	for _, want := range []string{`text "twice as long as " false`} {
		if s := receive(t, got); s != want {
			t.Errorf("%s; want %s", s, want)
		}
	}
	ts.clock.settle()
	if n := ts.Stats().Assembling; n > 10 {
		t.Errorf("%d bytes are said to be held", n)
	}
	c.frame(0x89, "between")
	c.frame(0x00, "a message may be")
	c.frame(0x80, "")
	c.expect(`pong "between"`)
	for _, want := range []string{`text "a message may be" false`, `text "" true`} {
		if s := receive(t, got); s != want {
			t.Errorf("%s; want %s", s, want)
		}
	}
	c.text("whole")
	if s := receive(t, got); s != `text "whole" true` {
		t.Error(s)
	}
	c.frame(0x81, "\xff")
	c.expect("close 1007")
	if n := ts.Stats().MessagesIn; n != 2 {
		t.Errorf("%d messages were counted", n)
	}
}

// Pausing between two pieces holds back the rest of the message.
func TestFragmentsPaused(t *testing.T) {
	const size = 1 << 20
	paused := make(chan LoopConn, 1)
	done := make(chan int, 1)
	conns := make(chan Conn, 1000)
	total := 0
	ts := start(t, Config{Loops: 1, Handler: pieces{fragment: func(c LoopConn, _ frame.Opcode, p []byte, fin bool) {
		if len(paused) > 0 {
			t.Error("a piece was delivered while paused")
		}
		if total += len(p); fin {
			done <- total
			return
		}
		c.Pause(true)
		paused <- c
		conns <- c.Conn()
	}}})
	c := ts.dial(t, "/")
	go c.nc.Write(masked(0x82, strings.Repeat("x", size)))
	for {
		select {
		case n := <-done:
			if n != size {
				t.Errorf("%d bytes; want %d", n, size)
			}
			return
		case h := <-conns:
			<-paused
			h.Pause(false)
		}
	}
}

// A connection's limit changes while it lives, and no other's does.
func TestSetMaxMessage(t *testing.T) {
	ts := start(t, Config{Loops: 1, MaxMessage: 10, Upgrader: handshake.Upgrader{Deflate: &handshake.DeflateOptions{}}, Handler: funcs{
		message: func(c LoopConn, op frame.Opcode, p []byte) {
			if string(p) == "log in" {
				c.SetMaxMessage(100)
			}
			c.Send(op, p)
		},
	}})
	for _, o := range []*handshake.DialOptions{nil, {Deflate: &handshake.DeflateOptions{}}} {
		a, b := ts.dialWith(t, "/", o), ts.dialWith(t, "/", o)
		a.text("log in")
		a.expect(`text "log in"`)
		a.text(strings.Repeat("a", 100))
		a.expect("text 100 bytes")
		b.text(strings.Repeat("b", 11))
		b.expect("close 1009")
		a.text(strings.Repeat("a", 101))
		a.expect("close 1009")
	}
	e := ts.endpoint
	e.mu.Lock()
	defer e.mu.Unlock()
	if n := len(e.other); n != 1 {
		t.Errorf("%d configurations are kept; want one that is shared", n)
	}
}

// A FragmentHandler's messages may have any number of frames, unless there is a limit.
func TestFragmentsUnlimited(t *testing.T) {
	fins := make(chan int, 1)
	n := 0
	h := pieces{fragment: func(_ LoopConn, _ frame.Opcode, _ []byte, fin bool) {
		if n++; fin {
			fins <- n
		}
	}}
	message := append(masked(0x02, "x"), bytes.Repeat(masked(0x00, "x"), 3000)...)
	message = append(message, masked(0x80, "")...)
	ts := start(t, Config{Loops: 1, Handler: h})
	ts.dial(t, "/").raw(message)
	if n := receive(t, fins); n != 3002 {
		t.Errorf("%d pieces", n)
	}
	ts = start(t, Config{Loops: 1, MaxFragments: 100, Handler: h})
	c := ts.dial(t, "/")
	c.raw(message)
	c.expect("close 1008")
}
