package wsconn

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// Read returns the next message: its opcode, Text or Binary, and its payload, which
// belongs to the caller. If ctx ends first, nothing is lost: the next Read goes on.
// All messages that arrived before the connection ended are returned before its error.
//
// A message larger than Options.MaxMessage fails the connection with 1009.
func (c *Conn) Read(ctx context.Context) (frame.Opcode, []byte, error) {
	if err := c.reading.take(ctx, c); err != nil {
		return 0, nil, err
	}
	defer c.reading.give()
	r, err := c.begin(ctx)
	if err != nil {
		return 0, nil, err
	}
	p := make([]byte, 0, len(r.rest))
	for {
		if p = append(p, r.rest...); len(p) > c.maxMessage() {
			return 0, nil, c.refuse(&wsproto.PeerError{Code: wsproto.CloseMessageTooBig, Reason: "message over the size limit"})
		}
		if r.fin {
			return r.op, p, nil
		}
		if err := r.next(); err != nil {
			c.kept = &kept{r.op, p}
			return 0, nil, err
		}
	}
}

// kept is the part of a message that a Read had when its context ended.
type kept struct {
	op frame.Opcode
	p  []byte
}

// Reader returns the next message's opcode and a reader of its payload. Without
// Options.Stream it returns when the whole message has arrived. With Options.Stream it
// returns at the message's first bytes, the reader waits for the rest until ctx ends,
// and the message may be of any size.
//
// When the next message is requested, by any goroutine, the rest of this one is skipped.
func (c *Conn) Reader(ctx context.Context) (frame.Opcode, *MessageReader, error) {
	if err := c.reading.take(ctx, c); err != nil {
		return 0, nil, err
	}
	defer c.reading.give()
	r, err := c.begin(ctx)
	if err != nil {
		return 0, nil, err
	}
	c.reader = r
	return r.op, r, nil
}

// MessageReader reads one message. It may be used by one goroutine at a time. The
// boundary between two Reads of a text may be inside a character.
type MessageReader struct {
	// Immutable.
	c   *Conn
	ctx context.Context
	op  frame.Opcode

	// Holder of c.reading only.
	rest []byte // valid until the connection's next event
	fin  bool   // rest is the end of the message
}

// Read reads the message's next bytes. The error is io.EOF at the message's end,
// ErrReaderPassed if the next message has been requested, and otherwise the connection's
// or the context's.
func (r *MessageReader) Read(p []byte) (int, error) {
	c := r.c
	if err := c.reading.take(r.ctx, c); err != nil {
		return 0, err
	}
	defer c.reading.give()
	if c.reader != r {
		if err := c.failure(); err != nil {
			return 0, err
		}
		return 0, ErrReaderPassed
	}
	for len(r.rest) == 0 && len(p) > 0 {
		if r.fin {
			return 0, io.EOF
		}
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *MessageReader) accept(ev wsproto.Event) {
	r.rest = ev.Payload
	r.fin = ev.Kind == wsproto.Message || ev.Fin
}

// next waits for the message's next piece. reading is held.
func (r *MessageReader) next() error {
	ev, err := r.c.next(r.ctx)
	if err == nil {
		r.accept(ev)
	}
	return err
}

// begin waits for a message, or the first piece of one. The rest of the previous message
// is skipped. reading is held.
func (c *Conn) begin(ctx context.Context) (*MessageReader, error) {
	c.reader = nil
	if k := c.kept; k != nil {
		c.kept = nil
		return &MessageReader{c: c, ctx: ctx, op: k.op, rest: k.p}, nil
	}
	for c.partial {
		if _, err := c.next(ctx); err != nil {
			return nil, err
		}
	}
	ev, err := c.next(ctx)
	if err != nil {
		return nil, err
	}
	r := &MessageReader{c: c, ctx: ctx, op: ev.Opcode}
	r.accept(ev)
	return r, nil
}

// next returns the next event that carries a message or a piece of one. It is
// valid until the next call. reading is held.
func (c *Conn) next(ctx context.Context) (wsproto.Event, error) {
	for {
		ev, err := c.step()
		if err != nil {
			return ev, err
		}
		switch ev.Kind {
		case wsproto.Message:
			return ev, nil
		case wsproto.Piece:
			c.partial = !ev.Fin
			return ev, nil
		case wsproto.NeedData:
			if err := c.fill(ctx); err != nil {
				return ev, err
			}
		}
	}
}

// step takes the next event from the protocol and handles it. The error is why the
// connection has ended. reading is held.
func (c *Conn) step() (wsproto.Event, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return wsproto.Event{}, c.err
	}
	closing := c.proto.CloseExpected()
	ev := c.proto.Next()
	c.queueFrames(c.proto.Output())
	switch ev.Kind {
	case wsproto.Pong:
		c.pong(ev.Payload)
	case wsproto.Closed:
		c.answered = true
		if closing {
			c.end(ErrClosed)
		} else {
			c.end(&CloseError{Code: ev.Code, Reason: string(ev.Payload)})
		}
		// 7.1.1: "The underlying TCP connection, in most normal cases, SHOULD be
		// closed first by the server".
		if c.cfg.Role == wsproto.Server {
			go c.finish(closeFirst)
		} else {
			go c.finish(awaitPeer)
		}
	case wsproto.Failed:
		c.end(failedPeer(ev.Err.(*wsproto.PeerError)))
		go c.finish(drainPeer)
	}
	return ev, c.err
}

// fill reads what has arrived, and waits until something has. reading is held.
func (c *Conn) fill(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	buf := c.buffer()
	done := c.interruptible(ctx, c.nc.SetReadDeadline)
	n, err := c.nc.Read(buf)
	done()
	if n > 0 {
		c.heard.Add(1)
		c.more = n == len(buf)
		c.mu.Lock()
		c.proto.Feed(buf[:n])
		c.mu.Unlock()
		return nil // if there is an error, the next call gets it again
	}
	if ctx.Err() != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		return ctx.Err()
	}
	if err != nil {
		c.abort(lostPeer(err))
		return c.failure()
	}
	return nil
}

// buffer returns the buffer for the next read. What was read before has been used. reading
// is held.
func (c *Conn) buffer() []byte {
	if !c.more {
		c.mu.Lock()
		_, _, c.more = c.proto.Unfinished()
		c.mu.Unlock()
	}
	switch {
	case c.more && c.busy == nil:
		c.busy = readBuffers.Get().(*[readBuffer]byte)
	case !c.more && c.busy != nil:
		readBuffers.Put(c.busy)
		c.busy = nil
	}
	if c.busy != nil {
		return c.busy[:]
	}
	return c.idle
}

// refuse fails the connection because of what the peer sent, and returns why it has
// ended. reading is held.
func (c *Conn) refuse(fault *wsproto.PeerError) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		// ErrClosed means that this side has sent its Close already.
		b, _ := c.proto.AppendClose(nil, fault.Code, fault.Reason)
		c.queueFrames(b)
		c.end(failedPeer(fault))
		go c.finish(drainPeer)
	}
	return c.err
}

// CloseRead is for programs that only write. It reads in the background, so that pings
// are answered, pongs are seen and the peer's Close is noticed. The reading stops when
// ctx ends. The returned context is done when the connection or ctx has ended, and
// context.Cause says why: it is the error that Read would have returned. If a message
// arrives, the connection is closed with 1008.
func (c *Conn) CloseRead(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		_, _, err := c.Reader(ctx)
		if err == nil {
			err = &CloseError{Code: wsproto.ClosePolicyViolation, Reason: "unexpected message", Local: true}
			c.Close(wsproto.ClosePolicyViolation, "unexpected message")
		}
		cancel(err)
	}()
	return ctx
}
