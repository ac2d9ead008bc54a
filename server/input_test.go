package server

import (
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// A message of the default limit fits into the loop's buffer with its header, so one read
// takes it, and it is delivered from there without a copy.
func TestLargestMessageInPlace(t *testing.T) {
	opened := make(chan Conn, 1)
	inPlace := make(chan bool, 1)
	ts := start(t, Config{Loops: 1, Handler: funcs{
		open: func(c LoopConn) { opened <- c.Conn() },
		message: func(c LoopConn, _ frame.Opcode, p []byte) {
			l := c.valid().loop
			inPlace <- &p[0] == &l.input[frame.MaxHeaderSize]
		},
	}})
	ts.dial(t, "/")
	c := receive(t, opened).conn
	raw := masked(0x82, strings.Repeat("x", wsproto.DefaultMaxMessage))
	c.loop.call(func() { c.loop.arrived(c, c.loop.input[:copy(c.loop.input, raw)]) })
	select {
	case ok := <-inPlace:
		if !ok {
			t.Error("the message was copied")
		}
	default:
		t.Error("the message did not fit")
	}
}
