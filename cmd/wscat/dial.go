package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/connect"
	"github.com/hawser-ws/hawser/handshake"
)

// connection is a connection after its opening handshake.
type connection struct {
	nc     net.Conn
	left   []byte // what came after the handshake
	result handshake.Result
}

// greeting says what was negotiated.
func (c *connection) greeting() string {
	if c.result.Subprotocol == "" {
		return "connected"
	}
	return "connected, subprotocol " + c.result.Subprotocol
}

// dial makes the connection and performs the handshake. A *usageError means that the
// options are wrong and nothing was tried.
func dial(ctx context.Context, o *options) (*connection, error) {
	d, err := o.connect.Open(o.url)
	if err != nil {
		return nil, &usageError{Err: err}
	}
	tried := false
	how, err := d.Options(func(ctx context.Context, network, addr string) (net.Conn, error) {
		tried = true
		return new(net.Dialer).DialContext(ctx, network, addr)
	})
	if err != nil {
		return nil, &usageError{Err: err}
	}
	deadline := time.Now().Add(o.timeout)
	timed, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	nc, left, res, err := handshake.Dial(timed, o.url, how)
	switch {
	case err == nil:
		return &connection{nc, left, res}, nil
	case !tried:
		return nil, &usageError{Err: err}
	case errors.As(err, new(*handshake.Error)):
		return nil, err
	case ctx.Err() != nil:
		return nil, errors.New("interrupted while connecting")
	case !time.Now().Before(deadline): // the socket's timer may fire before timed's
		return nil, fmt.Errorf("no connection within %v (--timeout)", o.timeout)
	}
	return nil, connect.Explain(err)
}
