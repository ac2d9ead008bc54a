package wsconn

import (
	"errors"
	"io"
	"strconv"

	"github.com/hawser-ws/hawser/wsproto"
)

var (
	// ErrClosed is returned, possibly wrapped, after this side has closed the
	// connection, the Pool or the Reconnector, or has cut a frame short.
	ErrClosed = errors.New("wsconn: closed by this side")

	// ErrReaderPassed is returned by a MessageReader if the next message was requested
	// before this one was read to its end.
	ErrReaderPassed = errors.New("wsconn: the next message has been requested")
)

// CloseError says how the peer ended the connection.
type CloseError struct {
	// Code and Reason are those of the peer's Close frame. Code is CloseNoStatus if
	// that had none, and CloseAbnormal if the connection ended without a Close frame;
	// then errors.Is with io.EOF is true.
	Code   wsproto.CloseCode
	Reason string

	// Err is the network's error, if the connection ended without a Close frame.
	Err error
}

func (e *CloseError) Error() string {
	s := "wsconn: closed by peer: " + e.Code.String()
	if e.Reason != "" {
		s += " " + strconv.Quote(e.Reason)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *CloseError) Unwrap() error { return e.Err }

// Is makes a connection that ended without a Close frame an io.EOF, whatever the
// network's error.
func (e *CloseError) Is(target error) bool {
	return target == io.EOF && e.Code == wsproto.CloseAbnormal
}

// lostPeer returns the error of a connection that err ended without a Close frame.
func lostPeer(err error) *CloseError {
	return &CloseError{Code: wsproto.CloseAbnormal, Err: err}
}
