package server

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"runtime/debug"
	"sync"
	"unsafe"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// BlockingHandler is like Handler, but its methods may block: they run on goroutines of their
// own, one after the other for each connection, in the order in which things happened. Blocking
// makes a Handler of it. A panic in one ends the connection with 1011 and nothing else.
type BlockingHandler interface {
	// OnOpen is the first call for a connection.
	OnOpen(ctx context.Context, c *BlockingConn)

	// OnMessage is given one message, which is the handler's to keep. ctx ends with the
	// connection, also while its messages wait. What the peer sent before it closed the
	// connection, or vanished, is still delivered, with a context that has ended. Once this
	// side has closed the connection, what waits is discarded.
	OnMessage(ctx context.Context, c *BlockingConn, op frame.Opcode, p []byte)

	// OnClose is the last call. err is a *CloseError.
	OnClose(c *BlockingConn, err error)
}

// BlockingOptions configures Blocking. The zero value is ready for use.
type BlockingOptions struct {
	// MaxGoroutines is the maximum number of goroutines that run the handler's methods, for all
	// connections together. Further work waits. Connections that wait take turns, one call
	// each. Default: no limit, which means no more than there are connections with work.
	MaxGoroutines int

	// MaxQueued is the maximum number of bytes that a connection's messages may use while they
	// wait. When there are more, nothing is read from the connection until half of them are
	// left. Default 256 KiB.
	MaxQueued int

	// Logger receives panics. Default: slog.Default().
	Logger *slog.Logger
}

// BlockingConn is a connection of a BlockingHandler. It embeds the handle, with which one sends:
// SendWait waits for a slow peer, Send does not.
type BlockingConn struct {
	Conn

	// Value is for the handler's use. It is what Config.Admit returned. Only the handler's
	// methods for this connection may use it without a lock.
	Value any

	handler *blocking
	ctx     context.Context
	cancel  context.CancelFunc

	// Immutable.
	handshake handshake.Result
	remote    netip.AddrPort

	mu     sync.Mutex
	work   []blockingWork // Guarded by mu. The calls to make.
	queued int            // Guarded by mu. The cost of these, and of the one being made.
	active bool           // Guarded by mu. It is being worked on, or waits for a goroutine.
	paused bool           // Guarded by mu.
	ended  error          // Guarded by mu. Not nil once OnClose is due.
	closed bool           // Guarded by mu. This side has closed it: no more messages are delivered.
}

// blockingWork is a call of OnOpen (op is 0) or of OnMessage.
type blockingWork struct {
	op frame.Opcode
	p  []byte
}

// cost is what a message uses while it waits or is being worked on.
func (w blockingWork) cost() int { return len(w.p) + int(unsafe.Sizeof(w)) }

// Context returns the context of the handler's calls. It ends with the connection.
func (c *BlockingConn) Context() context.Context { return c.ctx }

// Handshake returns what the opening handshake negotiated.
func (c *BlockingConn) Handshake() handshake.Result { return c.handshake }

// RemoteAddr returns the client's address, or the zero AddrPort; see LoopConn.RemoteAddr.
func (c *BlockingConn) RemoteAddr() netip.AddrPort { return c.remote }

// blocking is the Handler that Blocking returns.
type blocking struct {
	h    BlockingHandler
	opts BlockingOptions

	mu      sync.Mutex
	workers int             // Guarded by mu. Goroutines that run.
	ready   []*BlockingConn // Guarded by mu. Those that wait for a goroutine, from head on.
	head    int             // Guarded by mu.
}

// Blocking returns a Handler for Config.Handler that calls h on goroutines. A connection has
// one only while there is something to call. opts may be nil. Server.Shutdown ends the contexts
// of the calls, and does not wait for them to return.
func Blocking(h BlockingHandler, opts *BlockingOptions) Handler {
	b := &blocking{h: h}
	if opts != nil {
		b.opts = *opts
	}
	if b.opts.MaxQueued <= 0 {
		b.opts.MaxQueued = 256 << 10
	}
	if b.opts.Logger == nil {
		b.opts.Logger = slog.Default()
	}
	return b
}

// OnOpen implements Handler.
func (b *blocking) OnOpen(c LoopConn) {
	ctx, cancel := context.WithCancel(context.Background())
	me := &BlockingConn{
		Conn: c.Conn(), Value: c.Value(), handler: b, ctx: ctx, cancel: cancel,
		handshake: c.Handshake(), remote: c.RemoteAddr(),
	}
	me.work, me.queued = []blockingWork{{}}, blockingWork{}.cost()
	c.SetValue(me)
	me.start()
}

// OnMessage implements Handler.
func (b *blocking) OnMessage(c LoopConn, op frame.Opcode, p []byte) {
	me := c.Value().(*BlockingConn)
	me.mu.Lock()
	w := blockingWork{op, bytes.Clone(p)}
	me.work = append(me.work, w)
	if me.queued += w.cost(); me.queued > b.opts.MaxQueued {
		me.paused = true
		c.Pause(true) // with mu held, so that it comes before the resume
	}
	me.mu.Unlock()
	me.start()
}

// OnClose implements Handler.
func (b *blocking) OnClose(c LoopConn, err error) {
	me := c.Value().(*BlockingConn)
	me.cancel()
	me.mu.Lock()
	me.ended = err
	var cause *CloseError
	me.closed = me.closed || errors.As(err, &cause) && cause.Local
	me.mu.Unlock()
	me.start()
}

// start makes sure that a goroutine works on c.
func (c *BlockingConn) start() {
	c.mu.Lock()
	active := c.active
	c.active = true
	c.mu.Unlock()
	if !active {
		c.handler.schedule(c)
	}
}

// schedule gives c a goroutine, or lets it wait for one.
func (b *blocking) schedule(c *BlockingConn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.opts.MaxGoroutines > 0 && b.workers >= b.opts.MaxGoroutines {
		b.ready = append(b.ready, c)
		return
	}
	b.workers++
	go b.run(c)
}

// run works on c and, when its turn is over, on those that wait.
func (b *blocking) run(c *BlockingConn) {
	for c != nil {
		more := c.turn()
		c = b.next(c, more)
	}
}

// next returns which connection to work on after c, or nil if the goroutine is to end. more says
// that c has more work.
func (b *blocking) next(c *BlockingConn, more bool) *BlockingConn {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.head == len(b.ready) {
		if more {
			return c
		}
		b.workers--
		return nil
	}
	if more {
		b.ready = append(b.ready, c)
	}
	next := b.ready[b.head]
	b.ready[b.head] = nil
	b.head++
	if b.head > len(b.ready)/2 {
		n := copy(b.ready, b.ready[b.head:])
		clear(b.ready[n:])
		b.ready, b.head = b.ready[:n], 0
	}
	return next
}

// turn makes one call. It reports whether there are more to make.
func (c *BlockingConn) turn() (more bool) {
	w, ended := c.take()
	returned := false
	defer func() {
		if w != nil {
			more = c.proceed(w.cost())
		}
		if returned {
			return
		}
		// The handler has called runtime.Goexit, as t.FailNow does. This goroutine ends, so
		// another one goes on.
		if next := c.handler.next(c, more); next != nil {
			go c.handler.run(next)
		}
	}()
	switch {
	case w == nil && ended != nil:
		c.call(func() { c.handler.h.OnClose(c, ended) })
	case w == nil:
	case w.op == 0:
		c.call(func() { c.handler.h.OnOpen(c.ctx, c) })
	default:
		c.call(func() { c.handler.h.OnMessage(c.ctx, c, w.op, w.p) })
	}
	returned = true
	return false
}

// take takes the next call. A connection that has ended is still told that it was open, and then
// that it is closed.
func (c *BlockingConn) take() (w *blockingWork, ended error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed && len(c.work) > 0 {
		n := 0
		if c.work[0].op == 0 {
			n = 1
		}
		for _, w := range c.work[n:] {
			c.queued -= w.cost()
		}
		c.work = c.work[:n]
	}
	if len(c.work) == 0 {
		c.active = c.ended != nil
		return nil, c.ended
	}
	first := c.work[0]
	c.work[0] = blockingWork{}
	c.work = c.work[1:]
	return &first, c.ended
}

// Close closes the connection, as Conn.Close does. Messages that wait are discarded.
func (c *BlockingConn) Close(code wsproto.CloseCode, reason string) error {
	err := c.Conn.Close(code, reason)
	if err == nil {
		c.mu.Lock()
		c.closed = true
		c.mu.Unlock()
	}
	return err
}

// proceed takes the cost of a call that was made off, and resumes reading if few messages are
// left. It reports whether there is another call to make; if not, c has no goroutine any more.
func (c *BlockingConn) proceed(cost int) (more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.queued -= cost; c.paused && c.queued <= c.handler.opts.MaxQueued/2 {
		c.paused = false
		c.Pause(false)
	}
	if len(c.work) == 0 {
		c.work = nil
	}
	c.active = len(c.work) > 0 || c.ended != nil
	return c.active
}

// call calls f, and ends the connection if it does not return.
func (c *BlockingConn) call(f func()) {
	returned := false
	defer func() {
		if returned {
			return
		}
		r := recover()
		if r == nil {
			r = "runtime.Goexit was called"
		}
		c.handler.opts.Logger.Error("handler panicked", "panic", r, "remote", c.remote, "stack", string(debug.Stack()))
		c.Close(wsproto.CloseInternalError, "internal error")
	}()
	f()
	returned = true
}
