package client

import (
	"context"
	"errors"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// NotSentError returns a message that was not sent. The peer cannot have
// received it.
type NotSentError struct {
	Opcode  frame.Opcode
	Payload []byte // as it was given
	Err     error  // why: the context's, ErrClosed, or a *wsproto.UsageError
}

func (e *NotSentError) Error() string { return "client: message not sent: " + e.Err.Error() }

func (e *NotSentError) Unwrap() error { return e.Err }

// Send sends one message on the connection that is open, or on the next one that
// is. It returns nil when the system has taken all of it, as Conn.Write does.
// Otherwise the error is a *NotSentError: because ctx has ended, Run has
// returned, or the message is none. A connection that ends while it takes the
// message has not delivered it: then it is sent again on the next one.
//
// The messages of one goroutine are sent in the order of its calls. If ctx ends
// while the message is being written, that ends the connection.
func (r *Reconnector) Send(ctx context.Context, op frame.Opcode, p []byte) error {
	var last *Conn
	for {
		c, err := r.next(ctx, last)
		if err == nil {
			err = c.Write(ctx, op, p)
			if err == nil {
				return nil
			}
			if ctx.Err() == nil && !errors.As(err, new(*wsproto.UsageError)) {
				last = c
				continue
			}
		}
		return &NotSentError{op, p, err}
	}
}

// next waits for a connection that is open, and not last, which failed.
func (r *Reconnector) next(ctx context.Context, last *Conn) (*Conn, error) {
	for {
		r.mu.Lock()
		c, stopped, changed := r.current, r.stopped, r.changed
		r.mu.Unlock()
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case stopped != nil:
			return nil, stopped
		case c != nil && c != last:
			return c, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}
