package server

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// R18: 5,000 messages that wait at once, each a slice of its own, arrive byte for
// byte: small ones gathered, large ones by vectors, both kinds mixed, also where the
// kernel takes any number of bytes at a time.
func TestR18ManySlices(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	kernels := map[string]func() (kernel, error){"": testKernel, " a bit at a time": moodyKernels(seed)}
	for name, size := range map[string]func(i int) int{
		"small": func(i int) int { return 8 + i%300 },
		"large": func(i int) int { return 4<<10 + i%3000 },
		"mixed": func(i int) int { return 8 + i%7*(i%7)*300 },
	} {
		for how, newKernel := range kernels {
			t.Run(name+how, func(t *testing.T) {
				const n = 5000
				of := func(i int) []byte {
					p := bytes.Repeat([]byte{byte(i), byte(i >> 8), byte(i * 7)}, size(i)/3+1)[:size(i)]
					binary.BigEndian.PutUint64(p, uint64(i))
					return p
				}
				waiting := make(chan int, 1)
				var l *loop
				ts := start(t, Config{Loops: 1, WriteQueue: Off, newKernel: newKernel, Handler: funcs{message: func(c LoopConn, op frame.Opcode, p []byte) {
					l.at(c.conn.slot).flags |= flagBlocked // otherwise they would be written meanwhile
					for i := range n {
						c.SendPrepared(wsproto.NewPrepared(frame.Binary, of(i)))
					}
					l.deliver() // where they were posted
					waiting <- len(l.at(c.conn.slot).out.segs)
					l.at(c.conn.slot).flags &^= flagBlocked
				}}})
				l = ts.loops[0]
				c := ts.dial(t, "/")
				c.text("go")
				if got := receive(t, waiting); got != n {
					t.Errorf("%d slices wait; want %d", got, n)
				}
				for i := range n {
					if got := c.event(); !bytes.Equal(got.Payload, of(i)) {
						t.Fatalf("message %d: %s", i, fmt.Sprint(got.Kind, len(got.Payload), got.Err))
					}
				}
				ts.clock.settle()
				if held := ts.Stats().Queued; held != 0 {
					t.Errorf("%d bytes counted as waiting", held)
				}
			})
		}
	}
}

// What waits in an iteration for a peer that reads is written before it is many
// segments, and what they needed is kept for the next ones within its bound.
func TestFewSegments(t *testing.T) {
	const n, conns = 1000, 40
	most := make(chan int, 1)
	var l *loop
	opened := make(chan Conn, conns)
	ts := start(t, Config{Loops: 1, WriteQueue: Off, Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }}})
	l = ts.loops[0]
	g := ts.NewGroup()
	cs, hs := openMany(t, ts, opened, conns)
	for _, h := range hs {
		g.Join(h)
	}
	l.post(task{kind: taskCall, call: func() {
		l.delivering = false // as in a callback of the loop
		found := 0
		for range n {
			g.Send(text("something"), Evict)
			for _, h := range hs {
				if o := l.at(h.conn.slot).out; o != nil {
					found = max(found, len(o.segs)-o.head)
				}
			}
		}
		most <- found
	}}, nil)
	if got := receive(t, most); got > maxVector {
		t.Errorf("up to %d segments wait; want at most %d", got, maxVector)
	}
	for range n {
		cs[conns-1].expect(`text "something"`)
	}
	spare := make(chan [2]int, 1)
	l.post(task{kind: taskCall, call: func() {
		sum := 0
		for _, o := range l.outboxes {
			sum += cap(o.segs)
		}
		spare <- [2]int{l.spareSegments, sum}
	}}, nil)
	if got := receive(t, spare); got[0] != got[1] || got[0] > maxSpareSegments || got[0] == 0 {
		t.Errorf("unused outboxes are counted as %d segments and have %d", got[0], got[1])
	}
}
