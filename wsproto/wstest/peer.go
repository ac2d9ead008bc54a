package wstest

import (
	"bytes"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
)

// patience is how long a Peer waits for what must arrive. No measurement depends on it.
const patience = 20 * time.Second

// Peer is the other end of a connection. It sends only what the test tells it to send:
// no pongs and no answer to a Close. It keeps what it receives until the test asks for
// it. It must be used by one goroutine at a time for sending, and by one for receiving.
type Peer struct {
	// Immutable.
	t    testing.TB
	nc   net.Conn
	role wsproto.Role

	// For receiving.
	proto wsproto.Conn
	cfg   wsproto.Config
	buf   []byte
	queue []wsproto.Event

	sender wsproto.Conn // for Message
}

// Client returns a connection in the client's role and its peer, a server. Both are
// closed when the test ends.
//
// Nothing is buffered between them: what one side writes waits until the other side
// reads it.
func Client(t testing.TB, o *wsconn.Options) (*wsconn.Conn, *Peer) {
	return connect(t, wsproto.Client, o)
}

// Server is Client with the roles exchanged.
func Server(t testing.TB, o *wsconn.Options) (*wsconn.Conn, *Peer) {
	return connect(t, wsproto.Server, o)
}

func connect(t testing.TB, role wsproto.Role, o *wsconn.Options) (*wsconn.Conn, *Peer) {
	ours, theirs := net.Pipe()
	c := wsconn.New(ours, role, nil, handshake.Result{}, o)
	t.Cleanup(c.CloseNow)
	return c, NewPeer(t, theirs, 1-role, nil, handshake.Result{})
}

// NewPeer makes a Peer of a connection whose opening handshake is done, with what
// [handshake.Upgrader] or [handshake.Dial] returned. It is closed when the test ends.
func NewPeer(t testing.TB, nc net.Conn, role wsproto.Role, left []byte, res handshake.Result) *Peer {
	p := &Peer{t: t, nc: nc, role: role, buf: make([]byte, 64<<10)}
	p.cfg = wsproto.Config{Role: role, MaxMessage: 64 << 20, MaxFragments: -1, CompressFrom: 1, MaskKey: func() uint32 { return 0 }}
	p.proto.Init(&p.cfg)
	p.sender.Init(&p.cfg)
	if res.Deflate != nil {
		p.proto.UseDeflate(*res.Deflate)
		p.sender.UseDeflate(*res.Deflate)
	}
	t.Cleanup(func() { nc.Close() })
	p.feed(left)
	return p
}

// NetConn returns the connection below, for reading and writing bytes as they are.
func (p *Peer) NetConn() net.Conn { return p.nc }

// Close ends the connection below.
func (p *Peer) Close() { p.nc.Close() }

// Send writes frames that are given without masks, as bytes. If the Peer is a client, it
// adds masks of zeros to the headers, so that the payloads stay as they are. The last
// frame may be incomplete; write the rest of its payload by Write.
func (p *Peer) Send(frames string) {
	p.t.Helper()
	if p.role == wsproto.Client {
		frames = string(masked([]byte(frames)))
	}
	p.Write([]byte(frames))
}

// masked sets the mask bit of each frame, with a key of zeros.
func masked(b []byte) (out []byte) {
	for len(b) > 0 {
		h, n, err := frame.ParseHeader(b)
		if err != nil && len(b) >= 2 { // a header that is wrong, but no longer than this
			n = 2
		} else if n == 0 {
			return append(out, b...) // an incomplete header
		}
		head := bytes.Clone(b[:n])
		if head[1]&0x80 == 0 {
			head[1] |= 0x80
			head = append(head, 0, 0, 0, 0)
		}
		payload := int(min(h.Length, uint64(len(b)-n)))
		out = append(append(out, head...), b[n:n+payload]...)
		b = b[n+payload:]
	}
	return out
}

// Frame sends one frame with the given first byte: 0x80 for the end of a message, plus
// the opcode.
func (p *Peer) Frame(first byte, payload string) {
	p.t.Helper()
	b := frame.Header{Length: uint64(len(payload)), Masked: p.role == wsproto.Client}.Append(nil)
	b[0] = first
	p.Write(append(b, payload...))
}

// Text sends a text message.
func (p *Peer) Text(s string) { p.t.Helper(); p.Frame(0x81, s) }

// Message sends a message as a correct peer does, compressed if permessage-deflate was
// negotiated, and returns how many bytes that took.
func (p *Peer) Message(op frame.Opcode, payload []byte) int {
	p.t.Helper()
	b, err := p.sender.AppendMessage(nil, op, payload)
	if err != nil {
		p.t.Error(err)
	}
	p.Write(b)
	return len(b)
}

// Write writes bytes as they are.
func (p *Peer) Write(b []byte) {
	p.t.Helper()
	p.nc.SetWriteDeadline(time.Now().Add(patience))
	if _, err := p.nc.Write(b); err != nil {
		p.t.Errorf("the peer cannot write: %v", err)
	}
}

// Event returns the next thing that arrives. If the stream ends first, its Kind is
// NeedData and its Err says why.
func (p *Peer) Event() wsproto.Event {
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

func (p *Peer) feed(b []byte) {
	p.proto.Feed(b)
	for {
		ev := p.proto.Next()
		p.proto.Output() // which a Peer does not send
		if ev.Kind == wsproto.NeedData {
			return
		}
		ev.Payload = bytes.Clone(ev.Payload)
		p.queue = append(p.queue, ev)
	}
}

// Feed gives the Peer bytes that the test has read from NetConn itself.
func (p *Peer) Feed(b []byte) { p.feed(bytes.Clone(b)) }

// Next returns the next thing that arrives, in words: text "hello", binary 70000 bytes,
// ping "1", pong "1", close 1000 "bye", or the error that ended the stream, such as EOF.
// A payload above 40 bytes is shown by its length.
func (p *Peer) Next() string {
	p.t.Helper()
	ev := p.Event()
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

// Expect compares what arrives, in the words of Next.
func (p *Peer) Expect(want ...string) {
	p.t.Helper()
	for _, w := range want {
		if got := p.Next(); got != w {
			p.t.Errorf("the peer received %s; want %s", got, w)
		}
	}
}
