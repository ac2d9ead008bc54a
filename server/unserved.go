package server

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/hawser-ws/hawser/wsproto/snapshot"
)

// Connections on which nothing has been answered yet can move to another process, too: those in their
// opening handshake above all. What net/http has read of the request is remembered until its handler
// begins. While the server is frozen, nothing is read from them.

// maxUnserved is how much is remembered; a connection that has sent more does not move.
const maxUnserved = 16 << 10

// unserved is what an accepted connection has read of its first request.
type unserved struct {
	mu       sync.Mutex
	begun    bool      // Guarded by mu. The request is being handled, or has been.
	head     []byte    // Guarded by mu. What was read before.
	reads    int       // Guarded by mu. Calls of Read that wait for the network.
	deadline time.Time // Guarded by mu. For reading, as net/http has set it.
	idle     chan struct{}
}

// begin forgets what was read: from now on the connection does not move.
func (u *unserved) begin() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.begun, u.head = true, nil
}

// enterRead waits while the server is frozen.
func (a *accepted) enterRead() {
	for {
		a.unserved.mu.Lock()
		shut := a.s.barrier.isShut()
		if shut == nil || a.unserved.begun {
			a.unserved.reads++
			a.unserved.mu.Unlock()
			return
		}
		a.unserved.mu.Unlock()
		<-shut
	}
}

// leaveRead remembers what was read. It reports whether to read again, because it was the
// server that interrupted the call.
func (a *accepted) leaveRead(p []byte, err error) (again bool) {
	u := &a.unserved
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.reads--; u.reads == 0 && u.idle != nil {
		close(u.idle)
		u.idle = nil
	}
	if !u.begun && len(u.head) <= maxUnserved {
		u.head = append(u.head, p...)
	}
	return len(p) == 0 && errors.Is(err, os.ErrDeadlineExceeded) && !u.begun && a.s.barrier.isShut() != nil
}

// readUnserved reads, and remembers what was read of the first request.
func (a *accepted) readUnserved(p []byte) (int, error) {
	for {
		a.enterRead()
		n, err := a.readPastEmptyLines(p)
		if !a.leaveRead(p[:n], err) {
			return n, err
		}
	}
}

// SetReadDeadline notes the deadline, which is set again after an interruption.
func (a *accepted) SetReadDeadline(t time.Time) error {
	t = a.dueBy(t)
	a.unserved.mu.Lock()
	defer a.unserved.mu.Unlock()
	a.unserved.deadline = t
	if !a.unserved.begun && a.s.barrier.isShut() != nil {
		return nil // resume sets it
	}
	return a.Conn.SetReadDeadline(t)
}

// SetDeadline sets both deadlines.
func (a *accepted) SetDeadline(t time.Time) error {
	return errors.Join(a.SetReadDeadline(t), a.Conn.SetWriteDeadline(t))
}

// interrupt makes a connection stop reading, and reports whether it can move. The barrier must be shut.
func (a *accepted) interrupt(ctx context.Context) (movable bool) {
	u := &a.unserved
	_, tcp := a.Conn.(*net.TCPConn)
	_, unix := a.Conn.(*net.UnixConn)
	_, resumed := a.Conn.(*resumedConn)
	u.mu.Lock()
	if u.begun || a.refusal != nil || !tcp && !unix && !resumed {
		u.mu.Unlock()
		return false
	}
	var wait chan struct{}
	if u.reads > 0 {
		wait = make(chan struct{})
		u.idle = wait
	}
	u.mu.Unlock()
	a.Conn.SetReadDeadline(time.Unix(1, 0))
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return false
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.head) <= maxUnserved
}

// resume lets a connection read again. The barrier is still shut.
func (a *accepted) resume() {
	if a.Conn == nil {
		return // its loop goes on
	}
	a.unserved.mu.Lock()
	defer a.unserved.mu.Unlock()
	a.Conn.SetReadDeadline(a.unserved.deadline)
}

// interruptUnserved stops reading from the connections that may move, and returns them.
func (f *Frozen) interruptUnserved(ctx context.Context) {
	if f.s.cfg.TLS != nil {
		return
	}
	for i, h := range f.holds {
		h.do(func() {
			for c := range f.s.loops[i].inSlots() {
				if c.phase == arriving {
					f.unserved = append(f.unserved, c.value.(*accepted))
				}
			}
		})
	}
	for _, a := range f.s.http.unanswered() {
		if a.interrupt(ctx) {
			f.unserved = append(f.unserved, a)
		} else {
			a.resume()
		}
	}
}

// unanswered returns the connections of net/http on which a request is awaited or arrives.
func (h *httpConns) unanswered() (all []*accepted) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for e := h.waiting.reading.Front(); e != nil; e = e.Next() {
		if a := e.Value.(*accepted); a.Conn != nil { // otherwise a loop has it
			all = append(all, a)
		}
	}
	return all
}

// appendUnserved appends what was read from a connection, and returns a duplicate of its descriptor.
func (a *accepted) appendUnserved(dst []byte) (b []byte, fd int, err error) {
	a.unserved.mu.Lock()
	defer a.unserved.mu.Unlock()
	if a.Conn == nil { // it is on a held loop
		fd, err = duplicate(a.fd)
		return snapshot.AppendBytes(dst, a.head), fd, err
	}
	raw, err := rawConn(a)
	if err != nil {
		return dst, 0, err
	}
	dup := errors.New("the connection is closed")
	if err := raw.Control(func(old uintptr) { fd, dup = duplicate(int(old)) }); err != nil {
		return dst, 0, err
	}
	head := append(a.unserved.head[:len(a.unserved.head):len(a.unserved.head)], a.head...)
	if r, ok := a.Conn.(*resumedConn); ok { // nobody reads from it now
		head = append(head[:len(head):len(head)], r.head...)
	}
	return snapshot.AppendBytes(dst, head), fd, dup
}

// resumedConn is a connection from another process, which has read a part of what it received.
type resumedConn struct {
	net.Conn
	head []byte // Reader only.
}

func (c *resumedConn) Read(p []byte) (int, error) {
	if len(c.head) > 0 {
		n := copy(p, c.head)
		c.head = c.head[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// SyscallConn gives access to the descriptor (syscall.Conn).
func (c *resumedConn) SyscallConn() (syscall.RawConn, error) {
	return c.Conn.(syscall.Conn).SyscallConn()
}

// CloseWrite shuts the write side.
func (c *resumedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// resumedListener accepts connections from another process before it accepts others.
type resumedListener struct {
	net.Listener
	conns []net.Conn // Accept only.
}

func (l *resumedListener) Accept() (net.Conn, error) {
	if n := len(l.conns); n > 0 {
		nc := l.conns[0]
		l.conns = l.conns[1:]
		return nc, nil
	}
	return l.Listener.Accept()
}

// SetDeadline limits how long Accept waits.
func (l *resumedListener) SetDeadline(t time.Time) error {
	if bounded, ok := l.Listener.(interface{ SetDeadline(time.Time) error }); ok {
		return bounded.SetDeadline(t)
	}
	return errors.ErrUnsupported
}

// SyscallConn gives access to the descriptor (syscall.Conn).
func (l *resumedListener) SyscallConn() (syscall.RawConn, error) {
	return l.Listener.(syscall.Conn).SyscallConn()
}
