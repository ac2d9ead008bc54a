package client

import (
	"errors"
	"io"
	"strconv"

	"github.com/hawser-ws/hawser/wsproto"
)

var (
	// ErrClosed is returned, perhaps wrapped, once this side has closed the
	// connection, the Pool or the Reconnector, or has cut a frame short.
	ErrClosed = errors.New("client: closed by this side")

	// ErrReaderPassed is returned by a MessageReader when somebody went on to
	// the next message before this one was read to its end.
	ErrReaderPassed = errors.New("client: the next message has been asked for")
)

// CloseError says how the peer ended the connection.
type CloseError struct {
	// Code and Reason are those of its Close frame: CloseNoStatus if that had
	// none, CloseAbnormal if it vanished without one. That case is also io.EOF
	// to errors.Is.
	Code   wsproto.CloseCode
	Reason string

	// Err is what the network said, of a peer that vanished.
	Err error
}

func (e *CloseError) Error() string {
	s := "client: closed by peer: " + e.Code.String()
	if e.Reason != "" {
		s += " " + strconv.Quote(e.Reason)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *CloseError) Unwrap() error { return e.Err }

// Is makes a connection that ended without a Close frame an io.EOF, whatever
// the network called it.
func (e *CloseError) Is(target error) bool {
	return target == io.EOF && e.Code == wsproto.CloseAbnormal
}

// vanished is the error of a connection on which err ended the stream.
func vanished(err error) *CloseError {
	return &CloseError{Code: wsproto.CloseAbnormal, Err: err}
}
