package autobahn_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// memnet is a network within the process: a listener and its clients. It blocks
// only in ways that a synctest bubble recognises, so that time passes there when
// both ends wait for it, and never because the machine is busy.
type memnet struct {
	arrivals chan net.Conn
	done     chan struct{}
	once     sync.Once
}

func newMemnet() *memnet { return &memnet{arrivals: make(chan net.Conn), done: make(chan struct{})} }

func (n *memnet) dial() (net.Conn, error) {
	ours, theirs := newMemPair()
	select {
	case n.arrivals <- theirs:
		return ours, nil
	case <-n.done:
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
}

func (n *memnet) DialContext(context.Context, string, string) (net.Conn, error) { return n.dial() }

func (n *memnet) Accept() (net.Conn, error) {
	select {
	case nc := <-n.arrivals:
		return nc, nil
	case <-n.done:
		return nil, net.ErrClosed
	}
}

func (n *memnet) Close() error {
	n.once.Do(func() { close(n.done) })
	return nil
}

func (n *memnet) Addr() net.Addr { return memAddr }

var memAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9001}

// memStream is one direction of a connection.
type memStream struct {
	mu   sync.Mutex
	cond sync.Cond
	// Guarded by mu.
	buf           []byte
	ended, gone   bool // by the writer; by the reader
	reset         bool // by the writer, in place of an end
	readBy, putBy time.Time
}

// memRoom is how many bytes a direction holds, like a socket's buffers.
const memRoom = 256 << 10

func newMemPair() (a, b *memConn) {
	x, y := new(memStream), new(memStream)
	x.cond.L, y.cond.L = &x.mu, &y.mu
	return &memConn{in: x, out: y}, &memConn{in: y, out: x}
}

// memConn is one end. As with TCP, data written before the close is delivered, and
// writing to an end that is closed gives a reset.
type memConn struct {
	in, out *memStream
	resets  bool
}

func passed(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }

func (c *memConn) Read(p []byte) (int, error) {
	s := c.in
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.gone:
			return 0, net.ErrClosed
		case passed(s.readBy):
			return 0, os.ErrDeadlineExceeded
		case len(s.buf) > 0:
			n := copy(p, s.buf)
			s.buf = s.buf[n:]
			s.cond.Broadcast()
			return n, nil
		case s.reset:
			return 0, syscall.ECONNRESET
		case s.ended:
			return 0, io.EOF
		}
		s.cond.Wait()
	}
}

func (c *memConn) Write(p []byte) (n int, err error) {
	s := c.out
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.ended:
			return n, net.ErrClosed
		case s.gone:
			return n, syscall.ECONNRESET
		case passed(s.putBy):
			return n, os.ErrDeadlineExceeded
		}
		room := min(len(p), memRoom-len(s.buf))
		s.buf = append(s.buf, p[:room]...)
		s.cond.Broadcast()
		n += room
		if p = p[room:]; len(p) == 0 {
			return n, nil
		}
		s.cond.Wait()
	}
}

func (s *memStream) change(how func()) {
	s.mu.Lock()
	how()
	s.mu.Unlock()
	s.cond.Broadcast()
}

func (c *memConn) CloseWrite() error {
	c.out.change(func() { c.out.ended = true })
	return nil
}

// SetLinger makes Close reset the connection, as TCP does for 0.
func (c *memConn) SetLinger(sec int) error {
	c.resets = sec == 0
	return nil
}

func (c *memConn) Close() error {
	if c.resets {
		c.out.change(func() { c.out.reset = true })
	}
	c.in.change(func() { c.in.gone = true })
	return c.CloseWrite()
}

func (c *memConn) LocalAddr() net.Addr  { return memAddr }
func (c *memConn) RemoteAddr() net.Addr { return memAddr }

func (s *memStream) deadline(which *time.Time, t time.Time) {
	s.change(func() { *which = t })
	if !t.IsZero() {
		time.AfterFunc(time.Until(t), func() { s.change(func() {}) })
	}
}

func (c *memConn) SetReadDeadline(t time.Time) error {
	c.in.deadline(&c.in.readBy, t)
	return nil
}

func (c *memConn) SetWriteDeadline(t time.Time) error {
	c.out.deadline(&c.out.putBy, t)
	return nil
}

func (c *memConn) SetDeadline(t time.Time) error {
	c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

// The network behaves as the tests that use it assume.
func TestMemnet(t *testing.T) {
	a, b := newMemPair()
	a.Write([]byte("early"))
	a.CloseWrite()
	p := make([]byte, 16)
	if n, err := b.Read(p); string(p[:n]) != "early" || err != nil {
		t.Errorf("read %q, %v", p[:n], err)
	}
	if _, err := b.Read(p); err != io.EOF {
		t.Errorf("behind the end: %v", err)
	}
	if _, err := a.Write(p); !errors.Is(err, net.ErrClosed) {
		t.Errorf("writing behind our end: %v", err)
	}
	b.Write([]byte("late"))
	b.Close()
	if n, err := a.Read(p); string(p[:n]) != "late" || err != nil {
		t.Errorf("read %q, %v, from an end that is closed", p[:n], err)
	}
	a.SetReadDeadline(time.Now().Add(-1))
	if _, err := a.Read(p); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("past the deadline: %v", err)
	}
	a, b = newMemPair()
	b.Close()
	if _, err := a.Write(p); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("writing to an end that is closed: %v", err)
	}
}
