package wsconn

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

const (
	// idleBuffer is how many bytes are read at a time from a connection that may be idle.
	// It keeps a buffer of this size.
	idleBuffer = 2 << 10

	// readBuffer is how many bytes are read at a time from a connection that is busy.
	readBuffer = 16 << 10
)

// readBuffers are the buffers of busy connections.
var readBuffers = sync.Pool{New: func() any { return new([readBuffer]byte) }}

// Conn is one connection, made by Dial, Accept or New. Its methods may be called from any
// goroutine. It must be closed in the end, by Close or CloseNow.
//
// A Conn has no permanent goroutine. It starts a short-lived one to write the
// protocol's own frames, such as pongs, so that a reader never waits for a writer, and
// one to end the connection.
type Conn struct {
	// Immutable.
	nc           net.Conn
	result       handshake.Result
	options      Options
	closeTimeout time.Duration
	over         chan struct{} // closed when err is set
	gone         chan struct{} // closed when nc has been closed

	reading token // to read from nc and take events from proto
	message token // to send a message, all its fragments
	wire    token // to write to nc, whole frames only

	// Holder of reading only.
	idle    []byte            // to read into while the connection may be idle
	busy    *[readBuffer]byte // of readBuffers, while more is known to come; otherwise nil
	more    bool              // the last read filled its buffer, or a message is incomplete
	reader  *MessageReader    // the reader of the current message
	partial bool              // the current message has not been read to its end
	kept    *kept             // the part that a Read had when its context ended

	// Holder of wire only.
	out []byte

	heard  atomic.Uint64 // how many times bytes arrived
	hangUp func()        // closes nc and gone, once

	mu sync.Mutex
	// Guarded by mu.
	proto    wsproto.Conn
	cfg      wsproto.Config // of proto
	pending  []byte         // frames that the protocol or a heartbeat wants written
	err      error          // why the connection is over; nil while it is not
	writeErr error          // why nothing more can be written; reading may still work
	answered bool           // the peer's Close has come
	pings    []*ping
	pinged   uint64 // the last ping's number
}

// New makes a Conn of a connection whose opening handshake is done, for programs that
// perform it themselves, and for tests. nc belongs to the Conn from now on. left, which
// the Conn may modify, holds the bytes that were received after the handshake. Most
// programs use Dial or Accept. A nil o means the defaults.
//
// A context that ends interrupts nc through its deadlines. If nc does not support them,
// the connection is closed instead.
func New(nc net.Conn, role wsproto.Role, left []byte, res handshake.Result, o *Options) *Conn {
	if o == nil {
		o = &Options{}
	}
	c := &Conn{
		nc:           nc,
		result:       res,
		options:      *o,
		closeTimeout: orDefault(o.CloseTimeout, DefaultCloseTimeout),
		over:         make(chan struct{}),
		gone:         make(chan struct{}),
		reading:      make(token, 1),
		message:      make(token, 1),
		wire:         make(token, 1),
		idle:         make([]byte, idleBuffer),
		cfg:          o.config(role),
	}
	c.hangUp = sync.OnceFunc(func() {
		handshake.CloseNow(nc)
		close(c.gone)
	})
	c.proto.Init(&c.cfg)
	if res.Deflate != nil {
		c.proto.UseDeflate(*res.Deflate)
	}
	c.proto.Feed(left)
	return c
}

// Subprotocol returns the negotiated subprotocol, or "".
func (c *Conn) Subprotocol() string { return c.result.Subprotocol }

// Handshake returns the result of the opening handshake. Its Header is shared and must
// not be modified.
func (c *Conn) Handshake() handshake.Result { return c.result }

// LocalAddr returns this side's address.
func (c *Conn) LocalAddr() net.Addr { return c.nc.LocalAddr() }

// RemoteAddr returns the peer's address, which is a proxy's if there is one.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// SetMaxMessage changes Options.MaxMessage, for example to allow a peer more once it has
// logged in. It applies from the next frame that arrives. 0 means the default.
func (c *Conn) SetMaxMessage(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cfg.MaxMessage = orDefault(n, wsproto.DefaultMaxMessage)
}

// maxMessage returns the current limit of a message's size.
func (c *Conn) maxMessage() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cfg.MaxMessage
}

// end ends the connection with err, unless it has ended already. Called with mu held.
func (c *Conn) end(err error) {
	if c.err == nil {
		c.err = err
		close(c.over)
	}
}

// failure returns why the connection has ended, or nil.
func (c *Conn) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// abort ends the connection without a close handshake. A Close frame that is on its way
// still reaches the peer: finish sees to it, and abort does not wait for that.
func (c *Conn) abort(err error) {
	c.mu.Lock()
	first := c.err == nil
	c.end(err)
	owed := c.proto.CloseExpected() && c.writeErr == nil
	if first && owed {
		go c.finish(drainPeer)
	}
	c.mu.Unlock()
	if !owed {
		c.hangUp()
	}
}

// usable reports whether messages can still be sent and received.
func (c *Conn) usable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err == nil && c.writeErr == nil && !c.proto.CloseExpected()
}

// token is a lock that can be acquired with a context.
type token chan struct{}

// take waits for the token until ctx or the connection ends. If it returns nil, the
// connection may still have ended at the same moment.
func (t token) take(ctx context.Context, c *Conn) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-c.over:
		return c.failure()
	}
}

// try takes the token if it is free.
func (t token) try() bool {
	select {
	case t <- struct{}{}:
		return true
	default:
		return false
	}
}

func (t token) give() { <-t }

// interruptible makes the end of ctx interrupt an operation on nc, through the deadline
// that set sets. The caller does the operation and then calls done, which clears the
// deadline.
func (c *Conn) interruptible(ctx context.Context, set func(time.Time) error) (done func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	fired := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(fired)
		if set(time.Unix(1, 0)) != nil {
			c.abort(ErrClosed) // a connection without deadlines can only be closed
		}
	})
	return func() {
		if !stop() {
			<-fired
			set(time.Time{})
		}
	}
}
