package server

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// How a sender learns that there is no room, and when there is again.
//
// What is sent from outside of the loop is counted in conn.posted until the loop has put it
// into the connection's queue, so that the limit of the queue is known before. A message that
// has no room is refused; the loop is told so once (taskTell), and gives a notice when there
// is room: it calls OnWritable, and wakes those who wait in SendWait. So after each refusal
// comes a notice, unless the connection ends. A WritableHandler also gets one after each quarter
// of the queue's limit.

// posted is a connection's generation in the upper half; below it, whether the loop has been
// told of a refusal, and how many bytes are posted.
type posted struct{ v atomic.Uint64 }

const (
	postedTold  = 1 << 31
	postedBytes = postedTold - 1
)

// frameSize is the length of a server's frame of n bytes; a client's has four more.
func frameSize(n int) int {
	switch {
	case n < 126:
		return 2 + n
	case n < 1<<16:
		return 4 + n
	}
	return 10 + n
}

// reserve counts n bytes as posted. The error is ErrClosed, or ErrQueueFull if they have no
// room; then a notice comes. Any goroutine.
func (c Conn) reserve(n int) error {
	err := c.reserveFor(n, uint64(c.conn.behind()))
	if err == ErrQueueFull {
		return c.refuse(err, n)
	}
	return err
}

// reserveFor is like reserve, but gives no notice. So many bytes wait behind a message that is
// sent in fragments.
func (c Conn) reserveFor(n int, behind uint64) error {
	limit := uint64(c.conn.loop.cfg.WriteQueue)
	for {
		if c.closed() {
			return ErrClosed
		}
		v := c.conn.posted.v.Load()
		if uint32(v>>32) != c.gen {
			return ErrClosed
		}
		before := v&postedBytes + uint64(c.conn.buffered.Load()) + behind
		if limit > 0 && before > 0 && before+uint64(n) > limit {
			return ErrQueueFull
		}
		if c.conn.posted.v.CompareAndSwap(v, v&^postedBytes|min(v&postedBytes+uint64(n), postedBytes)) {
			return nil
		}
	}
}

// unpost takes n bytes back from what is posted. Any goroutine.
func (c Conn) unpost(n int) {
	for {
		v := c.conn.posted.v.Load()
		if uint32(v>>32) != c.gen || c.conn.posted.v.CompareAndSwap(v, v&^postedBytes|(v&postedBytes-min(v&postedBytes, uint64(n)))) {
			return
		}
	}
}

// refuse returns err, and makes sure that a notice comes when n bytes have room. Any
// goroutine.
func (c Conn) refuse(err error, n int) error {
	for {
		v := c.conn.posted.v.Load()
		if uint32(v>>32) != c.gen {
			return ErrClosed
		}
		if v&postedTold != 0 {
			return err // the loop will look
		}
		if c.conn.posted.v.CompareAndSwap(v, v|postedTold) {
			if c.conn.loop.post(task{kind: taskTell, to: c, size: n}, nil) != nil {
				return ErrClosed
			}
			return err
		}
	}
}

// post queues a message of n bytes for the loop. Any goroutine.
func (c Conn) post(t task, n int, p []byte) error {
	t.to, t.size = c, frameSize(n)
	if err := c.reserve(t.size); err != nil {
		return err
	}
	err := c.conn.loop.post(t, p)
	if err != nil {
		c.unpost(t.size)
	}
	if err == ErrBusy {
		return c.refuse(err, t.size)
	}
	return err
}

// tellRoom makes a notice come when n bytes have room.
func (l *loop) tellRoom(c *conn, n int) {
	c.flags |= flagTell
	if l.cfg.WriteQueue-n < l.cfg.WriteQueue/4 {
		if l.wanted == nil {
			l.wanted = map[uint32]int{}
		}
		l.wanted[c.slot] = max(l.wanted[c.slot], n)
	}
	l.markDirty(c)
}

// oweNotice makes a notice come after more than a quarter of Config.WriteQueue was queued for a
// WritableHandler since the last one: its sender may have stopped because of what Buffered said, or
// because it counts what it sends, although nothing was refused.
func (l *loop) oweNotice(c *conn, n int) {
	if c.endpoint.writable == nil || l.cfg.WriteQueue == 0 || c.has(flagTell) {
		return
	}
	if n += l.unnoticed[c.slot]; n > l.cfg.WriteQueue/4 {
		c.flags |= flagTell // noteQueued has the connection flushed
		n = 0
	}
	l.setUnnoticed(c, n)
}

// setUnnoticed notes how much was queued since the last notice, with what waited then.
func (l *loop) setUnnoticed(c *conn, n int) {
	if n == 0 {
		delete(l.unnoticed, c.slot)
		return
	}
	if l.unnoticed == nil {
		l.unnoticed = map[uint32]int{}
	}
	l.unnoticed[c.slot] = n
}

// hasRoom reports whether a connection for which so many bytes wait has room for what was
// refused.
func (l *loop) hasRoom(c *conn, waiting int) bool {
	limit := l.cfg.WriteQueue
	return waiting == 0 || limit == 0 || waiting <= limit/4 && waiting+l.wanted[c.slot] <= limit
}

// noticeRoom gives the notice of room. So many bytes still wait.
func (l *loop) noticeRoom(c *conn, waiting int) {
	c.flags &^= flagTell | flagFull
	delete(l.wanted, c.slot)
	for v := c.posted.v.Load(); v&postedTold != 0; v = c.posted.v.Load() {
		c.posted.v.CompareAndSwap(v, v&^postedTold)
	}
	if c.phase >= closing {
		return
	}
	l.waiters.wake(c.handle())
	if c.endpoint.writable != nil {
		l.setUnnoticed(c, waiting)
		l.writables = append(l.writables, c.handle())
	}
}

// waiters are the goroutines that wait for room on a loop's connections; those of the zero
// Conn wait for room in the loop's mailbox.
type waiters struct {
	count atomic.Int32 // of chans
	mu    sync.Mutex
	chans map[Conn]map[chan struct{}]struct{} // Guarded by mu.

	claims  atomic.Int32      // in writers
	writers map[Conn]struct{} // Guarded by mu. The connections with a MessageWriter.
}

// join returns a channel that wake closes.
func (w *waiters) join(c Conn) chan struct{} {
	ch := make(chan struct{})
	w.count.Add(1) // first, so that a loop that makes room from now on sees it
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.chans == nil {
		w.chans = map[Conn]map[chan struct{}]struct{}{}
	}
	if w.chans[c] == nil {
		w.chans[c] = map[chan struct{}]struct{}{}
	}
	w.chans[c][ch] = struct{}{}
	return ch
}

// leave takes back a join whose channel may have been closed.
func (w *waiters) leave(c Conn, ch chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.chans[c][ch]; ok {
		w.count.Add(-1)
		delete(w.chans[c], ch)
		if len(w.chans[c]) == 0 {
			delete(w.chans, c)
		}
	}
}

// wake closes the channels of those who wait for c.
func (w *waiters) wake(c Conn) {
	if w.count.Load() == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for ch := range w.chans[c] {
		close(ch)
		w.count.Add(-1)
	}
	delete(w.chans, c)
}

// await calls try until it returns something else than ErrQueueFull and ErrBusy, each time
// when w says that there may be room for c.
func (w *waiters) await(ctx context.Context, c Conn, try func() error) error {
	err := try()
	for err == ErrQueueFull || err == ErrBusy {
		if err := ctx.Err(); err != nil {
			return err
		}
		ch := w.join(c)
		// There may have been room since. If not, the notice comes after this refusal.
		if err = try(); err == ErrQueueFull || err == ErrBusy {
			select {
			case <-ch:
			case <-ctx.Done():
			}
		}
		w.leave(c, ch)
	}
	return err
}

// SendWait is like Send, but waits while the connection's queue or its loop's mailbox is
// full. It must not be called in a callback: the loop that it waits for would wait for it. The
// error is ErrClosed, ctx's, or a *wsproto.UsageError. Messages of one goroutine keep their
// order.
func (c Conn) SendWait(ctx context.Context, op frame.Opcode, p []byte) error {
	if c.conn == nil {
		return ErrClosed
	}
	return c.conn.loop.waiters.await(ctx, c, func() error { return c.Send(op, p) })
}

// SendPreparedWait is like SendWait for SendPrepared.
func (c Conn) SendPreparedWait(ctx context.Context, m *wsproto.Prepared) error {
	if c.conn == nil {
		return ErrClosed
	}
	return c.conn.loop.waiters.await(ctx, c, func() error { return c.SendPrepared(m) })
}

// SendWait is like Send, but waits while a loop cannot keep up. It must not be called in a
// callback: the loop that it waits for would wait for it. The error is ctx's, or nil.
func (g *Group) SendWait(ctx context.Context, m *wsproto.Prepared, p Policy, except ...Conn) error {
	for {
		err := g.Send(m, p, except...)
		if err != ErrBusy {
			return err
		}
		// Of the loops that are behind, the first one is waited for.
		for _, part := range g.loops {
			err := part.loop.waiters.await(ctx, Conn{}, func() error { return part.loop.hasMailRoom(m) })
			if err != nil {
				return err
			}
		}
	}
}

// hasMailRoom returns ErrBusy if the mailbox has no room for a group's message, or if half of it is
// used. Any goroutine.
func (l *loop) hasMailRoom(m *wsproto.Prepared) error {
	t := task{kind: taskGroup, m: m}
	l.box.mu.Lock()
	defer l.box.mu.Unlock()
	// That it must not only be half empty, but take the message, keeps Group.SendWait from
	// trying again and again until the loop comes round.
	if !l.takes(&t, 0) || l.box.bytes > l.mailLimit/2 {
		return ErrBusy
	}
	return nil
}
