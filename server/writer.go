package server

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// MessageWriter sends one message in fragments, as they come (RFC 6455 §5.4). Until it is
// closed, other messages to the connection wait behind the message, and use the room of the
// connection's queue; only control frames go between the fragments. Its methods may be called
// from any goroutine, but not in a callback.
type MessageWriter struct {
	c    Conn
	ctx  context.Context
	stop func() bool

	mu    sync.Mutex
	op    frame.Opcode // Guarded by mu. Of the next fragment.
	begun bool         // Guarded by mu. A fragment was sent.
	err   error        // Guarded by mu. Why nothing more can be written.
}

// maxFragment is the maximum size of a fragment that a MessageWriter sends.
const maxFragment = 64 << 10

// NewWriter begins a message of type op. It waits until another MessageWriter of the connection
// has been closed. Each Write waits until the peer has read enough, as SendWait does. The writer
// must be closed. If ctx ends before that, the message cannot be completed, so the connection is
// closed with 1011. Text must be UTF-8, which is not checked.
func (c Conn) NewWriter(ctx context.Context, op frame.Opcode) (*MessageWriter, error) {
	if !op.IsData() {
		return nil, notData(op)
	}
	if c.conn == nil {
		return nil, ErrClosed
	}
	waiters := &c.conn.loop.waiters
	if err := waiters.await(ctx, c, func() error { return waiters.claim(c) }); err != nil {
		return nil, err
	}
	w := &MessageWriter{c: c, ctx: ctx, op: op}
	w.mu.Lock()
	w.stop = context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.abandon(ctx.Err())
	})
	w.mu.Unlock()
	return w, nil
}

// Write sends p in one or more fragments. It does not keep p.
func (w *MessageWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 && err == nil {
		piece := p[:min(len(p), maxFragment)]
		if err = w.send(piece, false); err == nil {
			n += len(piece)
			p = p[len(piece):]
		}
	}
	return n, err
}

// Close sends the end of the message. The error is ErrClosed if the message was ended before.
func (w *MessageWriter) Close() error { return w.send(nil, true) }

// send waits until a fragment has room.
func (w *MessageWriter) send(p []byte, fin bool) error {
	return w.c.conn.loop.waiters.await(w.ctx, w.c, func() error { return w.try(p, fin) })
}

// try posts a fragment, unless it has no room yet.
func (w *MessageWriter) try(p []byte, fin bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	if err := w.ctx.Err(); err != nil {
		return w.abandon(err)
	}
	err := w.c.postFragment(w.op, p, fin)
	switch {
	case err == ErrQueueFull || err == ErrBusy:
	case err != nil:
		w.abandon(err)
	case fin:
		w.err = ErrClosed
		w.stop()
	default:
		w.op, w.begun = frame.Continuation, true
	}
	return err
}

// abandon ends the message unfinished, and the connection if a fragment was sent. It returns
// err. Called with mu held.
func (w *MessageWriter) abandon(err error) error {
	if w.err != nil {
		return w.err
	}
	w.err = err
	w.stop()
	if w.begun {
		w.c.Close(wsproto.CloseInternalError, "message not finished")
	} else {
		w.c.conn.loop.waiters.release(w.c)
	}
	return err
}

// postFragment is like post, for a fragment: what waits behind the message does not use the
// room of its fragments.
func (c Conn) postFragment(op frame.Opcode, p []byte, fin bool) error {
	t := task{kind: taskFragment, to: c, op: op, fin: fin, size: frameSize(len(p))}
	err := c.reserveFor(t.size, 0)
	if err == nil {
		if err = c.conn.loop.post(t, p); err != nil {
			c.unpost(t.size)
		}
	}
	if err == ErrQueueFull || err == ErrBusy {
		if c.conn.loop.post(task{kind: taskTellWriter, to: c}, nil) != nil {
			return ErrClosed
		}
	}
	return err
}

// claim makes the caller the only one who sends a message of c in fragments. The error is
// ErrBusy if there is another, until wake is called for c.
func (w *waiters) claim(c Conn) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.closed() {
		return ErrClosed
	}
	if _, taken := w.writers[c]; taken {
		return ErrBusy
	}
	if w.writers == nil {
		w.writers = map[Conn]struct{}{}
	}
	w.writers[c] = struct{}{}
	w.claims.Add(1)
	return nil
}

// release lets the next one claim c.
func (w *waiters) release(c Conn) {
	if w.claims.Load() == 0 {
		return
	}
	w.mu.Lock()
	if _, taken := w.writers[c]; taken {
		delete(w.writers, c)
		w.claims.Add(-1)
	}
	w.mu.Unlock()
	w.wake(c)
}

// stream is the message that a connection sends in fragments.
type stream struct {
	bytes  atomic.Int64    // of what is behind it. Any goroutine may read it.
	behind []behindMessage // Loop only.
}

// behindMessage is a message that waits until the stream has ended: m, or else op and p.
type behindMessage struct {
	m  *wsproto.Prepared
	of *state
	op frame.Opcode
	p  []byte
}

func (b *behindMessage) size() int {
	if b.m != nil {
		return frameSize(len(b.m.Payload()))
	}
	return frameSize(len(b.p))
}

// sendFragment encodes one fragment, which has room.
func (l *loop) sendFragment(c *conn, op frame.Opcode, p []byte, fin bool) {
	l.growArena(frame.MaxHeaderSize + len(p))
	from := len(l.arena)
	b, err := c.proto.AppendFragment(l.arena, op, p, fin)
	if err != nil {
		return // it is closing
	}
	if c.stream.Load() == nil {
		c.stream.Store(new(stream))
	}
	l.arena = b
	l.queue(c, b[from:])
	if fin {
		l.traffic[messagesOut]++
		l.endStream(c)
	}
}

// putBehind lets a message wait until the stream has ended.
func (l *loop) putBehind(c *conn, b behindMessage) {
	if b.m == nil {
		b.p = bytes.Clone(b.p)
	}
	s := c.stream.Load()
	s.behind = append(s.behind, b)
	s.bytes.Add(int64(b.size()))
	l.traffic[queued] += uint64(b.size())
	l.markDirty(c)
}

// removeBehind takes back the version of a state that waits behind the stream. It reports
// whether there was one.
func (l *loop) removeBehind(c *conn, of *state) bool {
	s := c.stream.Load()
	i := slices.IndexFunc(s.behind, func(b behindMessage) bool { return b.of != nil && *b.of == *of })
	if i < 0 {
		return false
	}
	n := s.behind[i].size()
	s.bytes.Add(-int64(n))
	l.traffic[queued] -= uint64(n)
	s.behind = slices.Delete(s.behind, i, i+1)
	return true
}

// takeStream ends the stream, and returns what waits behind it.
func (l *loop) takeStream(c *conn) []behindMessage {
	s := c.stream.Load()
	if s == nil {
		return nil
	}
	c.stream.Store(nil)
	l.traffic[queued] -= uint64(s.bytes.Load())
	return s.behind
}

// endStream queues what waits behind the stream, and lets the next one begin.
func (l *loop) endStream(c *conn) {
	for _, b := range l.takeStream(c) {
		if b.m != nil {
			l.queuePrepared(c, b.m, b.of, nil)
		} else {
			l.sendMessage(c, b.op, b.p)
		}
	}
	l.waiters.release(c.handle())
}
