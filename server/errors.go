package server

import (
	"errors"
	"strconv"

	"github.com/hawser-ws/hawser/wsproto"
)

var (
	// ErrClosed is returned for sending to a connection that is closing or gone.
	ErrClosed = errors.New("server: connection is closed")

	// ErrQueueFull is returned for a message that has no room in the connection's write
	// queue, and is the cause of a CloseError of an evicted connection. The message was not
	// queued.
	ErrQueueFull = errors.New("server: write queue is full")

	// ErrBusy is returned when a loop's mailbox is full because the loop cannot keep
	// up with what other goroutines send. The message was not queued.
	ErrBusy = errors.New("server: loop's mailbox is full")

	// ErrServerClosed is returned by Serve and Adopt after Shutdown.
	ErrServerClosed = errors.New("server: server is shut down")
)

// The causes of a CloseError that this package itself raises.
var (
	ErrPingTimeout     = errors.New("peer does not answer pings")
	ErrAssemblyTimeout = errors.New("message not complete in time")
	ErrWriteTimeout    = errors.New("peer does not read")
	ErrControlRate     = errors.New("too many control frames")
	ErrOverBudget      = errors.New("memory budget is spent")
	ErrPanic           = errors.New("handler panicked")
)

// CloseError says how a connection ended.
type CloseError struct {
	// Code is what the first Close frame said, the peer's or ours, or
	// CloseAbnormal if the connection ended without one.
	Code   wsproto.CloseCode
	Reason string
	Local  bool // this side ended it
	// Err is the cause if it was not a Close frame or a call of Close: io.EOF, a
	// syscall.Errno, a *wsproto.PeerError, or one of this package's errors.
	Err error
}

func (e *CloseError) Error() string {
	s := "server: closed by peer: "
	if e.Local {
		s = "server: closed: "
	}
	s += e.Code.String()
	if e.Reason != "" {
		s += " " + strconv.Quote(e.Reason)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *CloseError) Unwrap() error { return e.Err }
