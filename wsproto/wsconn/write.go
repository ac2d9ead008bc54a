package wsconn

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
	// maxPending is the maximum size in bytes of the pongs that wait to be written.
	maxPending = 4 << 10

	// maxKeptOut is the largest buffer that is kept from one write to the next.
	maxKeptOut = 64 << 10
)

// Write sends p, which is not modified, as one message. A nil error means that the
// system has taken all of it, not that the peer has read it. With an error, the peer
// cannot have received the message.
//
// opts change how this message is sent. A text must be UTF-8, or the error is a
// *wsproto.UsageError. If ctx ends while the frame is being written, the connection is
// closed.
func (c *Conn) Write(ctx context.Context, op frame.Opcode, p []byte, opts ...WriteOption) error {
	if op == frame.Text && !utf8.Valid(p) {
		return errNotUTF8
	}
	if err := c.message.take(ctx, c); err != nil {
		return err
	}
	defer c.message.give()
	return c.send(ctx, func(dst []byte) ([]byte, error) {
		c.cfg.CompressFrom = c.options.compressFrom(opts)
		return c.proto.AppendMessage(dst, op, p)
	})
}

// WritePrepared sends m as Write does. A message for many connections is encoded, and
// compressed, only once: make it by [wsproto.NewPrepared]. It is compressed without
// regard to earlier messages. Its text must be UTF-8, which is not checked.
func (c *Conn) WritePrepared(ctx context.Context, m *wsproto.Prepared, opts ...WriteOption) error {
	if m == nil {
		return &wsproto.UsageError{Reason: "a nil *wsproto.Prepared"}
	}
	if err := c.message.take(ctx, c); err != nil {
		return err
	}
	defer c.message.give()
	return c.send(ctx, func(dst []byte) ([]byte, error) {
		c.cfg.CompressFrom = c.options.compressFrom(opts)
		b, err := c.proto.Frame(m)
		return append(dst, b...), err
	})
}

var errNotUTF8 = &wsproto.UsageError{Reason: "text is not UTF-8"}

// send writes the whole frames that encode appends. encode is called with mu held; if it
// returns an error, nothing is written.
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

// encode returns the pending frames, followed by those that f appends. wire and mu are
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
		c.stopWriting(err)
		c.abort(err)
		return err
	}
	// What the peer sent before may still be read, above all a Close that says
	// why it went away.
	return c.stopWriting(lostPeer(err))
}

// stopWriting keeps everything from being written, because a frame has been cut short or
// the peer is gone. It returns why the connection has ended; err, if it has not.
func (c *Conn) stopWriting(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writeErr = err
	c.pending = nil
	if c.err != nil {
		return c.err
	}
	return err
}

// queueFrames queues frames and returns; a background flush writes them. mu is held.
func (c *Conn) queueFrames(b []byte) {
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
	c.startFlush()
}

// startFlush starts a goroutine that writes the pending frames. If wire is held, its
// holder writes them when it releases wire. mu is held.
func (c *Conn) startFlush() {
	if len(c.pending) > 0 && c.wire.try() {
		go c.flush()
	}
}

// flush writes the pending frames and releases wire, which is held.
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

// giveWire releases wire, and writes what was queued while it was held.
func (c *Conn) giveWire() {
	c.wire.give()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.startFlush()
}
