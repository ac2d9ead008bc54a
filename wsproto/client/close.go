package client

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/hawser-ws/hawser/wsproto"
)

// DefaultCloseTimeout is Options.CloseTimeout's default.
const DefaultCloseTimeout = 5 * time.Second

// Close performs the close handshake (RFC 6455 §7.1.2): it sends a Close frame
// with code and reason, at most 123 bytes, waits for the peer's, and for the
// peer to close the connection below. What still arrives before the peer's Close
// is for those who are reading, or else skipped. With CloseNoStatus the frame
// has neither code nor reason.
//
// All that takes at most Options.CloseTimeout; then the connection is cut. The
// error is nil if the peer's Close came, also if it came first; otherwise it
// says what did. A *wsproto.UsageError leaves the connection as it was.
func (c *Conn) Close(code wsproto.CloseCode, reason string) error {
	if err := wsproto.CheckClose(code, reason); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.closeTimeout)
	defer cancel()
	c.send(ctx, func(dst []byte) ([]byte, error) {
		return c.proto.AppendClose(dst, code, reason)
	}) // an error shows in what follows
	c.awaitClose(ctx)
	select {
	case <-c.gone:
	case <-ctx.Done():
	}
	c.abort(fmt.Errorf("%w: no Close from the peer within %v", ErrClosed, c.closeTimeout))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answered {
		return nil
	}
	return c.err
}

// awaitClose reads until the connection is over, or ctx is, or has somebody else
// read.
func (c *Conn) awaitClose(ctx context.Context) {
	for c.reading.take(ctx, c) == nil {
		_, err := c.next(ctx)
		c.reader, c.kept = nil, nil
		c.reading.give()
		if err != nil {
			return
		}
	}
}

// CloseNow ends the connection without a close handshake: the peer finds out
// that it vanished. What waits on it returns ErrClosed. After the connection's
// end it does nothing.
func (c *Conn) CloseNow() { c.abort(ErrClosed) }

// finish brings a connection to its end on which no more is to be read or sent,
// but for the Close that is pending. failed says that the peer broke the
// protocol.
func (c *Conn) finish(failed bool) {
	defer time.AfterFunc(c.closeTimeout, c.hangUp).Stop()
	defer c.hangUp()
	c.wire <- struct{}{} // whoever has it comes to an end, at the latest by hangUp
	c.flush()
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok && failed {
		half.CloseWrite() // such a peer may not answer the Close
	}
	// 7.1.1: "The underlying TCP connection, in most normal cases, SHOULD be
	// closed first by the server". And closing with input unread would have the
	// system throw our Close frame away.
	io.Copy(io.Discard, c.nc)
	c.nc.Close()
}
