package wsconn

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// patience is how long a test waits for what must come. It is not a deadline
// that anything is measured by.
const patience = 20 * time.Second

// bounded is a context for what must not wait forever.
func bounded(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// receive waits for a value.
func receive[T any](t testing.TB, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// started runs f in a goroutine and returns where its result comes.
func started[T any](f func() T) <-chan T {
	ch := make(chan T, 1)
	go func() { ch <- f() }()
	return ch
}

// peer is the server's end of a connection: frames in, events out, nothing done
// by itself.
type peer struct {
	t     testing.TB
	nc    net.Conn
	proto wsproto.Conn
	buf   []byte
	queue []wsproto.Event
}

func newPeer(t testing.TB, nc net.Conn, left []byte) *peer {
	p := &peer{t: t, nc: nc, buf: make([]byte, 64<<10)}
	p.proto.Init(&wsproto.Config{Role: wsproto.Server, MaxMessage: 64 << 20, MaxFragments: -1})
	t.Cleanup(func() { nc.Close() })
	p.feed(left)
	return p
}

// pair is a connection and its peer, on a pipe that holds nothing: what is
// written waits until it is read.
func pair(t testing.TB, o *Options) (*Conn, *peer) {
	t.Helper()
	ours, theirs := net.Pipe()
	if o == nil {
		o = &Options{}
	}
	c := newConn(ours, nil, handshake.Result{}, o)
	t.Cleanup(c.CloseNow)
	return c, newPeer(t, theirs, nil)
}

// raw writes bytes as they are.
func (p *peer) raw(b []byte) {
	p.t.Helper()
	p.nc.SetWriteDeadline(time.Now().Add(patience))
	if _, err := p.nc.Write(b); err != nil {
		p.t.Error(err)
	}
}

// frame writes one frame with the given first byte.
func (p *peer) frame(first byte, payload string) {
	p.t.Helper()
	b := frame.Header{Length: uint64(len(payload))}.Append(nil)
	b[0] = first
	p.raw(append(b, payload...))
}

func (p *peer) text(s string) { p.t.Helper(); p.frame(0x81, s) }

func (p *peer) feed(b []byte) {
	p.proto.Feed(b)
	for {
		ev := p.proto.Next()
		p.proto.Output()
		if ev.Kind == wsproto.NeedData {
			return
		}
		ev.Payload = bytes.Clone(ev.Payload)
		p.queue = append(p.queue, ev)
	}
}

// event returns the next event; NeedData, with Err, if reading fails.
func (p *peer) event() wsproto.Event {
	p.t.Helper()
	for len(p.queue) == 0 {
		p.nc.SetReadDeadline(time.Now().Add(patience))
		n, err := p.nc.Read(p.buf)
		if err != nil {
			return wsproto.Event{Err: err}
		}
		p.feed(p.buf[:n])
	}
	ev := p.queue[0]
	p.queue = p.queue[1:]
	return ev
}

// next returns the next thing that arrives, in words; "EOF" at the end of the
// stream.
func (p *peer) next() string {
	p.t.Helper()
	ev := p.event()
	switch ev.Kind {
	case wsproto.Message:
		if len(ev.Payload) > 40 {
			return fmt.Sprintf("%v %d bytes", ev.Opcode, len(ev.Payload))
		}
		return fmt.Sprintf("%v %q", ev.Opcode, ev.Payload)
	case wsproto.Ping:
		return fmt.Sprintf("ping %q", ev.Payload)
	case wsproto.Pong:
		return fmt.Sprintf("pong %q", ev.Payload)
	case wsproto.Closed:
		return fmt.Sprintf("close %d %q", ev.Code, ev.Payload)
	}
	return fmt.Sprint(ev.Err)
}

// expect reads what arrives and compares.
func (p *peer) expect(want ...string) {
	p.t.Helper()
	for _, w := range want {
		if got := p.next(); got != w {
			p.t.Errorf("the peer received %s; want %s", got, w)
		}
	}
}

// readText reads a message in words.
func readText(t testing.TB, c *Conn) string {
	t.Helper()
	op, p, err := c.Read(bounded(t))
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%v %q", op, p)
}

func expectText(t testing.TB, c *Conn, want string) {
	t.Helper()
	if got := readText(t, c); got != want {
		t.Fatalf("Read = %s; want %s", got, want)
	}
}
