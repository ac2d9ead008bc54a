package wsconn

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// NetConn returns c as a net.Conn, to carry another protocol. It then belongs to the
// net.Conn.
//
// Each Write sends one message with opcode op, or several if it is longer than 32 KiB, so
// that it does not depend on the peer's limit. Read reads the payloads of the messages
// that arrive, whose boundaries are lost; a message with another opcode closes the
// connection with 1003. If the peer closes with 1000, 1001 or without a code, Read
// returns io.EOF. Close closes with 1000, and waits for the peer as Conn.Close does.
//
// A deadline interrupts calls with os.ErrDeadlineExceeded. A Read that is interrupted
// loses nothing. A Write that is interrupted in the middle of a frame closes the
// connection. When ctx ends, all calls return its error.
func NetConn(ctx context.Context, c *Conn, op frame.Opcode) net.Conn {
	return &netConn{c: c, op: op, read: newDeadline(ctx), write: newDeadline(ctx), reading: make(chan struct{}, 1)}
}

// maxNetWrite is the size in bytes of the longest message that a net.Conn sends.
const maxNetWrite = 32 << 10

type netConn struct {
	// Immutable.
	c           *Conn
	op          frame.Opcode
	read, write *deadline

	reading chan struct{} // held by a Read
	// Holder of reading only.
	message *MessageReader // nil between two messages
}

func (n *netConn) Read(p []byte) (int, error) {
	ctx := n.read.context()
	select {
	case n.reading <- struct{}{}:
		defer func() { <-n.reading }()
	case <-ctx.Done():
		return 0, n.read.cause(ctx, ctx.Err())
	}
	for {
		if n.message == nil {
			op, r, err := n.c.Reader(ctx)
			if err != nil {
				return 0, n.read.cause(ctx, endOfStream(err))
			}
			if op != n.op {
				n.c.Close(wsproto.CloseUnsupportedData, "unexpected "+op.String()+" message")
				return 0, &CloseError{Code: wsproto.CloseUnsupportedData, Reason: "unexpected " + op.String() + " message", Local: true}
			}
			n.message = r
		}
		n.message.ctx = ctx // its own may have ended by an earlier deadline
		got, err := n.message.Read(p)
		if err == io.EOF {
			n.message = nil
			if len(p) == 0 {
				return 0, nil
			}
			continue
		}
		return got, n.read.cause(ctx, endOfStream(err))
	}
}

// endOfStream turns a Close that means a normal end into io.EOF.
func endOfStream(err error) error {
	var end *CloseError
	if errors.As(err, &end) && !end.Local {
		switch end.Code {
		case wsproto.CloseNormal, wsproto.CloseGoingAway, wsproto.CloseNoStatus:
			return io.EOF
		}
	}
	return err
}

func (n *netConn) Write(p []byte) (sent int, err error) {
	ctx := n.write.context()
	for sent < len(p) {
		part := p[sent:min(len(p), sent+maxNetWrite)]
		if n.op == frame.Text && sent+len(part) < len(p) {
			part = part[:lastRuneEnd(part)]
		}
		if err := n.c.Write(ctx, n.op, part); err != nil {
			return sent, n.write.cause(ctx, err)
		}
		sent += len(part)
	}
	return sent, nil
}

// lastRuneEnd returns where the last whole character of p ends.
func lastRuneEnd(p []byte) int {
	for i := 1; i < utf8.UTFMax; i++ {
		if last := p[len(p)-i:]; utf8.RuneStart(last[0]) {
			if utf8.FullRune(last) {
				break
			}
			return len(p) - i
		}
	}
	return len(p)
}

func (n *netConn) Close() error {
	err := n.c.Close(wsproto.CloseNormal, "")
	n.read.release()
	n.write.release()
	return err
}

func (n *netConn) LocalAddr() net.Addr  { return n.c.LocalAddr() }
func (n *netConn) RemoteAddr() net.Addr { return n.c.RemoteAddr() }

func (n *netConn) SetReadDeadline(t time.Time) error {
	n.read.set(t)
	return nil
}

func (n *netConn) SetWriteDeadline(t time.Time) error {
	n.write.set(t)
	return nil
}

func (n *netConn) SetDeadline(t time.Time) error {
	n.read.set(t)
	n.write.set(t)
	return nil
}

// deadline ends contexts at a time that can be changed.
type deadline struct {
	parent context.Context // Immutable.

	mu sync.Mutex
	// Guarded by mu.
	ctx    context.Context
	cancel context.CancelFunc
	timer  *time.Timer // nil without a deadline
	closed bool        // ctx does not end any more
}

func newDeadline(parent context.Context) *deadline {
	d := &deadline{parent: parent}
	d.ctx, d.cancel = context.WithCancel(parent)
	return d
}

// release ends the context, which parent would keep otherwise. Calls from now on have
// one that does not end: the connection is closed.
func (d *deadline) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
	d.cancel()
	d.ctx, d.closed = context.WithoutCancel(d.parent), true
}

// context returns the context of a call that begins now.
func (d *deadline) context() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ctx
}

// set changes the time, also for calls in progress. A zero time is never.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	if d.timer != nil && !d.timer.Stop() {
		<-d.ctx.Done() // the old time has passed, and must not end the new context
	}
	d.timer = nil
	if d.ctx.Err() != nil {
		d.ctx, d.cancel = context.WithCancel(d.parent)
	}
	if t.IsZero() {
		return
	}
	cancel := d.cancel
	if left := time.Until(t); left > 0 {
		d.timer = time.AfterFunc(left, cancel)
	} else {
		cancel()
	}
}

// cause returns the error of a call with ctx. An error that says that ctx has ended is
// replaced by the reason: the parent's end, a Close, or the deadline.
func (d *deadline) cause(ctx context.Context, err error) error {
	if !errors.Is(err, context.Canceled) || ctx.Err() == nil || d.parent.Err() != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return ErrClosed
	}
	return os.ErrDeadlineExceeded
}
