package wsconn

import (
	"context"
	"errors"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// NotSentError is a message that was not sent. The peer cannot have received it.
type NotSentError struct {
	Opcode  frame.Opcode
	Payload []byte // as it was given
	Err     error  // why: the context's error, ErrClosed, or a *wsproto.UsageError
}

func (e *NotSentError) Error() string { return "wsconn: message not sent: " + e.Err.Error() }

func (e *NotSentError) Unwrap() error { return e.Err }

// Send sends one message on the open connection, or on the next one if none is open. It
// returns nil when the system has taken all of it, as Conn.Write does. Otherwise the
// error is a *NotSentError: ctx has ended, Run has returned, or the message is invalid.
// If the connection ends while the message is being written, the peer cannot have
// received it, and it is sent again on the next connection.
//
// The messages of one goroutine are sent in the order of its calls. If ctx ends while a
// message is being written, the connection ends.
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

// next waits for an open connection other than last, which failed.
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
