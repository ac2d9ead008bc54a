package server

import (
	"bytes"
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
			open: func(c Conn) { g.Join(c) },
			message: func(c Conn, op frame.Opcode, p []byte) {
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
