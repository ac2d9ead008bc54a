package client

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// readBuffer is how many bytes are read at a time.
const readBuffer = 16 << 10

// Conn is one connection, made by Dial. Its methods may be called from any
// goroutine. Whoever has one calls Close or CloseNow in the end.
//
// A Conn has no goroutine of its own. For a moment it starts one to write what
// the protocol itself has to say, so that a reader never waits for a writer, and
// one to bring a connection that is over to its end.
type Conn struct {
	// Immutable.
	nc           net.Conn
	result       handshake.Result
	maxMessage   int
	closeTimeout time.Duration
	over         chan struct{} // closed when err is set
	gone         chan struct{} // closed when nc is

	reading token // to read from nc and take events from proto
	message token // to send a message, all its fragments
	wire    token // to write to nc, whole frames only

	// Holder of reading only.
	buf     []byte
	reader  *MessageReader // who may read on in the current message
	partial bool           // the current message has not come to its end
	kept    *kept          // what a Read had of it when its context ended

	// Holder of wire only.
	out []byte

	heard  atomic.Uint64 // how many times bytes arrived
	hangUp func()        // closes nc and gone, once

	mu sync.Mutex
	// Guarded by mu.
	proto    wsproto.Conn
	pending  []byte // frames that the protocol or a heartbeat wants written
	err      error  // why the connection is over; nil while it is not
	writeErr error  // why nothing can be written any more, though reading may go on
	answered bool   // the peer's Close has come
	pings    []*ping
	pinged   uint64 // the last ping's number
}

// newConn makes a connection of what a handshake left.
func newConn(nc net.Conn, left []byte, res handshake.Result, o *Options) *Conn {
	c := &Conn{
		nc:           nc,
		result:       res,
		maxMessage:   o.MaxMessage,
		closeTimeout: o.CloseTimeout,
		over:         make(chan struct{}),
		gone:         make(chan struct{}),
		reading:      make(token, 1),
		message:      make(token, 1),
		wire:         make(token, 1),
		buf:          make([]byte, readBuffer),
	}
	if c.maxMessage <= 0 {
		c.maxMessage = wsproto.DefaultMaxMessage
	}
	if c.closeTimeout <= 0 {
		c.closeTimeout = DefaultCloseTimeout
	}
	c.hangUp = sync.OnceFunc(func() {
		abandon(nc)
		close(c.gone)
	})
	c.proto.Init(&wsproto.Config{
		Role:         wsproto.Client,
		MaxMessage:   c.maxMessage,
		MaxFragments: o.MaxFragments,
		CompressFrom: o.CompressFrom,
		Stream:       o.Stream,
		MaskKey:      maskKey,
	})
	if res.Deflate != nil {
		c.proto.UseDeflate(*res.Deflate)
	}
	c.proto.Feed(left)
	return c
}

// maskKey makes a key that nobody can foresee.
func maskKey() uint32 {
	// 5.3: "The masking key needs to be unpredictable; thus, the masking key
	// MUST be derived from a strong source of entropy".
	var key [4]byte
	rand.Read(key[:]) // never fails
	return binary.LittleEndian.Uint32(key[:])
}

// Subprotocol is the one that was agreed on, or "".
func (c *Conn) Subprotocol() string { return c.result.Subprotocol }

// Handshake is what the opening handshake settled. Its Header is shared: read
// only.
func (c *Conn) Handshake() handshake.Result { return c.result }

// end makes err the reason why the connection is over, unless there is one. It
// is called with mu held.
func (c *Conn) end(err error) {
	if c.err == nil {
		c.err = err
		close(c.over)
	}
}

// failure is why the connection is over, or nil.
func (c *Conn) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// abort ends the connection at once, without a word to the peer.
func (c *Conn) abort(err error) {
	c.mu.Lock()
	c.end(err)
	c.mu.Unlock()
	c.hangUp()
}

// usable reports whether messages can still be sent and received.
func (c *Conn) usable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err == nil && c.writeErr == nil && !c.proto.CloseExpected()
}

// abandon closes nc without a word to the peer: a tls.Conn's own Close would
// wait for room to send its alert.
func abandon(nc net.Conn) {
	for {
		tc, ok := nc.(*tls.Conn)
		if !ok {
			break
		}
		nc = tc.NetConn() // which is another one behind an https proxy
	}
	nc.Close()
}

// token is a lock whose taking a context can give up.
type token chan struct{}

// take waits for the token until ctx or the connection ends. That the
// connection has not ended is not sure, even then.
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

// try takes the token if nobody has it.
func (t token) try() bool {
	select {
	case t <- struct{}{}:
		return true
	default:
		return false
	}
}

func (t token) give() { <-t }

// interruptible has ctx's end interrupt an operation on nc by its deadline,
// which set sets. The operation is between this call and that of done, which
// leaves no deadline behind.
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
