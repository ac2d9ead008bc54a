package server

import (
	"errors"

	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

var (
	// ErrClosed is returned for sending to a connection that is closing or gone. It is the
	// ErrClosed of package wsconn, and a net.ErrClosed to errors.Is.
	ErrClosed = handshake.ErrClosed

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

// CloseError says how a connection ended. Err is nil if a Close frame ended it that a program
// asked for; otherwise it is io.EOF, a syscall.Errno, a *wsproto.PeerError, or one of this
// package's errors.
type CloseError = wsproto.CloseError
