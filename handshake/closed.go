package handshake

import (
	"net"

	"github.com/hawser-ws/hawser/wsproto"
)

// ErrClosed is the error for using a connection that this side has closed. Both drivers
// return it, possibly wrapped, as their own ErrClosed. errors.Is says that it is
// net.ErrClosed, and wsproto.ErrClosed.
//
// It is here because package wsproto must not know package net.
var ErrClosed error = closedError{}

type closedError struct{}

func (closedError) Error() string { return "websocket: use of a closed connection" }

func (closedError) Is(target error) bool {
	return target == net.ErrClosed || target == wsproto.ErrClosed
}
