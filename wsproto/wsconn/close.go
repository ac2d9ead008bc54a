package wsconn

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/hawser-ws/hawser/wsproto"
)

// Close performs the close handshake (RFC 6455 §7.1.2). It sends a Close frame with
// code and reason, which is at most 123 bytes of UTF-8, waits for the peer's Close frame,
// and closes the underlying connection; a client first waits for the server to do so.
// Messages that arrive before the peer's Close go to a Read that is in progress, and are
// skipped otherwise. With CloseNoStatus the frame has neither code nor reason.
//
// If this takes longer than Options.CloseTimeout, the connection is cut. The error is
// nil if the peer sent a Close frame, even before this one; otherwise it says how the
// connection ended. A *wsproto.UsageError leaves the connection open.
func (c *Conn) Close(code wsproto.CloseCode, reason string) error {
	if err := wsproto.CheckClose(code, reason); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.closeTimeout)
	defer cancel()
	c.send(ctx, func(dst []byte) ([]byte, error) {
		return c.proto.AppendClose(dst, code, reason)
	}) // if it fails, so does awaitClose
	c.awaitClose(ctx)
	select {
	case <-c.gone:
	case <-ctx.Done():
	}
	c.mu.Lock()
	// Before hangUp, which a Read in progress must not take for the peer's end.
	c.end(fmt.Errorf("%w: no Close from the peer within %v", ErrClosed, c.closeTimeout))
	err := c.err
	if c.answered {
		err = nil
	}
	c.mu.Unlock()
	c.hangUp()
	return err
}

// awaitClose reads until the connection or ctx ends. If a Read is in progress, it
// waits for that one to end.
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

// CloseNow ends the connection without a close handshake, and does not wait. Calls that
// wait on the connection return ErrClosed. After the connection has ended, it does
// nothing, so it can be deferred.
//
// If a Close frame has been sent, or must still be sent as the answer to the peer's or
// because the peer violated the protocol, the peer still receives it: the underlying
// connection stays open in the background for that, for at most Options.CloseTimeout.
func (c *Conn) CloseNow() {
	c.abort(ErrClosed)
	if _, ok := c.nc.(*http2Stream); ok {
		<-c.gone // the handler must not return before
	}
}

// ending says how the connection below ends once nothing is left to be sent.
type ending uint8

const (
	closeFirst ending = iota // the peer's Close was the last thing to arrive: close at once
	awaitPeer                // the peer closes first
	drainPeer                // the peer may still send, and may not answer: half close, and read until it closes
)

// finish ends a connection on which only a Close frame is left to be sent.
func (c *Conn) finish(how ending) {
	defer time.AfterFunc(c.closeTimeout, c.hangUp).Stop()
	defer c.hangUp()
	c.nc.SetReadDeadline(time.Unix(1, 0)) // a Read in progress returns
	c.wire <- struct{}{}                  // its holder releases it, at the latest after hangUp
	c.flush()
	if _, ok := c.nc.(*http2Stream); ok {
		return // it ends when the handler returns, and discards nothing
	}
	if how == closeFirst {
		c.nc.Close()
		return
	}
	if conn, ok := c.nc.(interface{ CloseWrite() error }); ok && how == drainPeer {
		conn.CloseWrite()
	}
	// Closing with unread input would make the system discard our Close frame.
	select {
	case c.reading <- struct{}{}: // and keep it: nothing else reads from here on
	case <-c.gone:
		return
	}
	c.nc.SetReadDeadline(time.Time{})
	io.Copy(io.Discard, c.nc)
	c.nc.Close()
}
