package server

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// With permessage-deflate, echo and groups say the same to clients with and
// without it, and with small windows.
func TestDeflate(t *testing.T) {
	var g *Group
	ts := start(t, Config{
		Handler: funcs{
			open: func(c LoopConn) { g.Join(c.Conn()) },
			message: func(c LoopConn, op frame.Opcode, p []byte) {
				c.Send(op, p)
				if bytes.HasPrefix(p, []byte("all")) {
					g.Send(wsproto.NewPrepared(op, p), Evict)
				}
			},
		},
		Upgrader: handshake.Upgrader{Deflate: &handshake.DeflateOptions{ServerContextTakeover: true}},
	})
	g = ts.NewGroup()
	var cs []*client
	for _, o := range []*handshake.DeflateOptions{nil, {}, {ServerContextTakeover: true}, {ServerContextTakeover: true, ServerMaxWindowBits: 9, ClientMaxWindowBits: 10}} {
		c := ts.dialWith(t, "/", &handshake.DialOptions{Deflate: o})
		c.send(frame.Text, "open")
		c.expect(`text "open"`)
		cs = append(cs, c)
	}
	long := strings.Repeat("compress me ", 500)
	for range 3 {
		for _, c := range cs {
			c.send(frame.Text, long)
			c.send(frame.Binary, "short")
			c.expect("text 6000 bytes", `binary "short"`)
			c.send(frame.Text, "all "+long)
			c.expect("text 6004 bytes")
			for _, member := range cs {
				member.expect("text 6004 bytes")
			}
		}
	}
}

// send writes one message as the client's core encodes it.
func (c *client) send(op frame.Opcode, s string) {
	c.t.Helper()
	b, err := c.proto.AppendMessage(nil, op, []byte(s))
	if err != nil {
		c.t.Fatal(err)
	}
	c.raw(b)
}

// A message that is left out because it does not fit must not have entered the
// window of a connection with context takeover.
func TestDropTakeover(t *testing.T) {
	opened := make(chan Conn, 1)
	var peer gate
	ts := start(t, Config{Loops: 1, WriteTimeout: Off, PingInterval: Off, WriteQueue: 64 << 10, Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }},
		Upgrader: handshake.Upgrader{Deflate: &handshake.DeflateOptions{ServerContextTakeover: true}}, newKernel: peer.kernels()})
	g := ts.NewGroup()
	c := ts.dialWith(t, "/", &handshake.DialOptions{Deflate: &handshake.DeflateOptions{ServerContextTakeover: true}})
	h := receive(t, opened)
	g.Join(h)
	h.Send(frame.Binary, make([]byte, 100)) // both windows are in use
	// Incompressible: goes raw, and fills the queue.
	r := rand.New(rand.NewPCG(3, 4))
	junk := make([]byte, 4<<10)
	for i := range junk {
		junk[i] = byte(r.Uint32())
	}
	raw := wsproto.NewPrepared(frame.Binary, junk)
	for range 30 {
		g.Send(raw, Drop)
	}
	waiting := func() (n int) {
		ts.loops[0].call(func() { n = h.conn.out.bytes })
		return n
	}
	before := waiting()
	secret := noise(30 << 10)
	g.Send(wsproto.NewPrepared(frame.Text, secret), Drop) // does not fit: left out
	if n := waiting(); n != before {
		t.Fatalf("it fits: %d, then %d bytes wait", before, n)
	}
	peer.open.Store(true)
	h.Pause(false)                                // so that the loop looks again
	h.Send(frame.Text, secret[len(secret)-4000:]) // compressed against what the peer never got
	ev := c.event()
	for ev.Kind == wsproto.Message && ev.Opcode != frame.Text {
		ev = c.event()
	}
	if string(ev.Payload) != string(secret[len(secret)-4000:]) {
		t.Errorf("the client cannot inflate the message, or reads another: %d bytes, %v", len(ev.Payload), ev.Err)
	}
}

// noise is n bytes in which a deflater finds something, and not everything.
func noise(n int) (b []byte) {
	r := rand.New(rand.NewPCG(1, 2))
	for len(b) < n {
		b = fmt.Appendf(b, "{\"seq\":%d,\"user\":\"u%x\"}", r.IntN(1e6), r.Uint64())
	}
	return b[:n]
}
