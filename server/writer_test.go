package server

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// A message in fragments is paced by its reader and goes out as it comes; only control frames
// go between its fragments, and other messages follow in their order.
func TestMessageWriter(t *testing.T) {
	for name, deflate := range map[string]*handshake.DeflateOptions{"plain": nil, "compressed": {ServerContextTakeover: true}} {
		t.Run(name, func(t *testing.T) {
			opened := make(chan Conn, 1)
			ts := start(t, Config{Loops: 1, WriteQueue: 32 << 10, CompressFrom: 1, Upgrader: handshake.Upgrader{Deflate: deflate},
				Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }}})
			c := ts.dialWith(t, "/", &handshake.DialOptions{Deflate: deflate})
			h := receive(t, opened)
			g := ts.NewGroup()
			g.Join(h)
			w, err := h.NewWriter(t.Context(), frame.Binary)
			if err != nil {
				t.Fatal(err)
			}
			body := noise(1 << 20)
			if _, err := w.Write(body[:1000]); err != nil {
				t.Fatal(err)
			}
			c.frame(0x89, "between")
			c.expect(`pong "between"`)
			h.Send(frame.Text, []byte("first behind"))
			g.SendNewest(text("old"), "state")
			g.Send(text("from the group"), Evict)
			g.SendNewest(text("new"), "state")
			ts.clock.settle()
			if n := h.Buffered(); n < 20 || n > 100 {
				t.Errorf("%d bytes wait behind the message", n)
			}
			done := make(chan error, 1)
			go func() {
				_, err := w.Write(body[1000:])
				done <- errors.Join(err, w.Close())
			}()
			ev := c.event()
			if ev.Kind != wsproto.Message || string(ev.Payload) != string(body) {
				t.Fatalf("%v: %d bytes", ev.Kind, len(ev.Payload))
			}
			c.expect(`text "first behind"`, `text "from the group"`, `text "new"`)
			if err := receive(t, done); err != nil {
				t.Error(err)
			}
			h.Send(frame.Text, []byte("afterwards"))
			c.expect(`text "afterwards"`)
			if err := w.Close(); err != ErrClosed {
				t.Errorf("closing it again: %v", err)
			}
			ts.clock.settle()
			if s := ts.Stats(); s.Queued != 0 || s.Evicted != 0 || s.Coalesced != 1 || h.Buffered() != 0 {
				t.Errorf("%d queued, %d buffered, %d evicted, %d coalesced", s.Queued, h.Buffered(), s.Evicted, s.Coalesced)
			}
		})
	}
}

// What waits behind a message uses the room of the queue, but not that of the message itself.
func TestMessageWriterQueueFull(t *testing.T) {
	opened := make(chan Conn, 1)
	ts := start(t, Config{Loops: 1, WriteQueue: 32 << 10, Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }}})
	c := ts.dial(t, "/")
	h := receive(t, opened)
	w, _ := h.NewWriter(t.Context(), frame.Text)
	w.Write([]byte("a"))
	ts.clock.settle()
	var err error
	sent := 0
	for ; err == nil; sent++ {
		err = h.Send(frame.Binary, make([]byte, 1000))
	}
	if err != ErrQueueFull || sent != 33 {
		t.Errorf("%v after %d messages", err, sent)
	}
	waited := make(chan error, 1)
	go func() { waited <- h.SendWait(t.Context(), frame.Binary, make([]byte, 1001)) }()
	waitFor(t, func() bool { return ts.loops[0].waiters.count.Load() == 1 })
	for range 10 {
		if _, err := w.Write([]byte(strings.Repeat("b", 10_000))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	c.expect("text 100001 bytes")
	for range sent - 1 {
		c.expect("binary 1000 bytes")
	}
	c.expect("binary 1001 bytes")
	if err := receive(t, waited); err != nil {
		t.Error(err)
	}
}

// The second writer waits for the first one; an unfinished message ends the connection.
func TestMessageWriterEnds(t *testing.T) {
	opened, closed := make(chan Conn, 2), make(chan error, 2)
	ts := start(t, Config{Loops: 1, Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }, close: end(closed)}})
	c := ts.dial(t, "/")
	h := receive(t, opened)
	if _, err := h.NewWriter(t.Context(), frame.Ping); err == nil {
		t.Error("a ping in fragments was begun")
	}
	first, err := h.NewWriter(t.Context(), frame.Text)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	second := make(chan *MessageWriter, 1)
	go func() {
		w, err := h.NewWriter(ctx, frame.Text)
		if err != nil {
			t.Error(err)
		}
		second <- w
	}()
	waitFor(t, func() bool { return ts.loops[0].waiters.count.Load() == 1 })
	first.Write([]byte("first"))
	first.Close()
	w := receive(t, second)
	w.Write([]byte("second, "))
	h.Send(frame.Text, []byte("is never sent"))
	c.expect(`text "first"`)
	cancel()
	c.expect("close 1011")
	c.frame(0x88, "\x03\xf3")
	c.nc.Close()
	receive(t, closed)
	if _, err := w.Write([]byte("more")); !errors.Is(err, context.Canceled) {
		t.Errorf("Write after the context: %v", err)
	}
	if _, err := h.NewWriter(t.Context(), frame.Text); err != ErrClosed {
		t.Errorf("NewWriter on a closed connection: %v", err)
	}

	// A writer that sent nothing leaves the connection as it was.
	c = ts.dial(t, "/")
	h = receive(t, opened)
	ctx, cancel = context.WithCancel(t.Context())
	if _, err := h.NewWriter(ctx, frame.Text); err != nil {
		t.Fatal(err)
	}
	cancel()
	w, err = h.NewWriter(t.Context(), frame.Text)
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	c.expect(`text ""`)
	w, _ = h.NewWriter(t.Context(), frame.Text)
	w.Write([]byte("cut"))
	c.nc.Close()
	receive(t, closed)
	ts.clock.settle()
	if n := ts.loops[0].waiters.claims.Load(); n != 0 || len(ts.loops[0].waiters.chans) != 0 {
		t.Errorf("%d claims are left", n)
	}
	if s := ts.Stats(); s.Queued != 0 {
		t.Errorf("%d bytes queued", s.Queued)
	}
}
