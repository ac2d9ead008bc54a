package client

import (
	"context"
	"errors"
	"fmt"
	"os"
	"unicode/utf8"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

const (
	// maxPending is how many bytes of pongs wait to be written.
	maxPending = 4 << 10

	// maxKeptOut is the largest buffer that is kept from one write to the next.
	maxKeptOut = 64 << 10
)

// Write sends one message of p, which is not modified, and returns when the
// system has taken all of it: that the peer has read it is not said. Otherwise
// the error is not nil, and the peer cannot have received the message.
//
// A text must be UTF-8. If ctx ends while the frame is being written, the
// connection is closed.
func (c *Conn) Write(ctx context.Context, op frame.Opcode, p []byte) error {
	if op == frame.Text && !utf8.Valid(p) {
		return errNotUTF8
	}
	if err := c.message.take(ctx, c); err != nil {
		return err
	}
	defer c.message.give()
	return c.send(ctx, func(dst []byte) ([]byte, error) {
		return c.proto.AppendMessage(dst, op, p)
	})
}

var errNotUTF8 = &wsproto.UsageError{Reason: "text is not UTF-8"}

// send writes what encode, called with mu held, appends: whole frames. An error
// of encode means that nothing was written.
func (c *Conn) send(ctx context.Context, encode func(dst []byte) ([]byte, error)) error {
	if err := c.wire.take(ctx, c); err != nil {
		return err
	}
	defer c.giveWire()
	c.mu.Lock()
	b, err := c.encode(encode)
	c.mu.Unlock()
	if err != nil {
		return err
	}
	return c.write(ctx, b)
}

// encode has f append its frames behind those that are pending. wire and mu are
// held.
func (c *Conn) encode(f func(dst []byte) ([]byte, error)) ([]byte, error) {
	switch {
	case c.err != nil:
		return nil, c.err
	case c.writeErr != nil:
		return nil, c.writeErr
	}
	b, err := f(append(c.out[:0], c.pending...))
	if errors.Is(err, wsproto.ErrClosed) {
		return nil, ErrClosed
	}
	if err != nil {
		return nil, err
	}
	c.pending = c.pending[:0]
	return b, nil
}

// write writes whole frames. If it does not write all of them, nothing is ever
// written again. wire is held.
func (c *Conn) write(ctx context.Context, b []byte) error {
	done := c.interruptible(ctx, c.nc.SetWriteDeadline)
	_, err := c.nc.Write(b)
	done()
	if cap(b) <= maxKeptOut {
		c.out = b[:0]
	}
	if err == nil {
		return nil
	}
	if ctx.Err() != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("%w: a frame was cut short: %w", ErrClosed, ctx.Err())
		c.abort(err)
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	// What the peer sent before may still be read, a Close that says why it
	// went away above all.
	c.writeErr = vanished(err)
	c.pending = nil
	return c.writeErr
}

// post has frames written by and by, without waiting. mu is held.
func (c *Conn) post(b []byte) {
	if len(b) == 0 || c.writeErr != nil {
		return
	}
	if len(c.pending)+len(b) > maxPending {
		// 5.5.3: "If an endpoint receives a Ping frame and has not yet sent Pong
		// frame(s) in response to previous Ping frame(s), the endpoint MAY elect
		// to send a Pong frame for only the most recently processed Ping frame."
		c.pending = c.pending[:0]
	}
	c.pending = append(c.pending, b...)
	c.kick()
}

// kick has the pending frames written, unless somebody is writing, who then does
// that when he gives wire back. mu is held.
func (c *Conn) kick() {
	if len(c.pending) > 0 && c.wire.try() {
		go c.flush()
	}
}

// flush writes what is pending and gives wire, which is held, back.
func (c *Conn) flush() {
	c.mu.Lock()
	b := append(c.out[:0], c.pending...)
	c.pending = c.pending[:0]
	c.mu.Unlock()
	if len(b) > 0 {
		c.write(context.Background(), b)
	}
	c.giveWire()
}

// giveWire gives wire back and sees to what was posted meanwhile.
func (c *Conn) giveWire() {
	c.wire.give()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kick()
}
