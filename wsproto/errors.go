package wsproto

import (
	"errors"
	"io"
	"strconv"
)

// ErrClosed is returned for a message or control frame after this side has sent its
// Close frame (RFC 6455 §5.5.1).
var ErrClosed = errors.New("wsproto: connection is closing")

// PeerError says how the peer violated the protocol or exceeded a limit. The connection
// has failed (RFC 6455 §7.1.7): Code was sent to the peer, and nothing more is read from
// it.
type PeerError struct {
	Code   CloseCode
	Reason string // what was wrong, ASCII, short enough for a Close frame
}

func (e *PeerError) Error() string {
	return "wsproto: peer failed with " + e.Code.String() + ": " + e.Reason
}

// UsageError says how this program misused the package. Nothing that a peer sends can
// cause one.
type UsageError struct{ Reason string }

func (e *UsageError) Error() string { return "wsproto: " + e.Reason }

// CloseError says how a connection ended. Drivers return it; a Conn of this package
// reports the same in its events.
type CloseError struct {
	// Code and Reason are those of the first Close frame, in either direction. Code is
	// CloseNoStatus if that frame had none, and CloseAbnormal if the connection ended
	// without a Close frame. If the peer caused that, errors.Is with io.EOF is true.
	Code   CloseCode
	Reason string

	// Local says that this side ended the connection.
	Local bool

	// Err is the cause, if it was not a Close frame that a program asked for: the
	// network's error, a *PeerError, or a driver's own reason. It may be nil.
	Err error
}

func (e *CloseError) Error() string {
	s := "websocket: closed by peer: "
	if e.Local {
		s = "websocket: closed by this side: "
	}
	s += e.Code.String()
	fault, failed := e.Err.(*PeerError)
	switch {
	case failed:
		return s + ": peer failed: " + fault.Reason // which e.Reason repeats
	case e.Reason != "":
		s += " " + strconv.Quote(e.Reason)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *CloseError) Unwrap() error { return e.Err }

// Is makes a connection that the peer ended without a Close frame an io.EOF, whatever
// the network's error.
func (e *CloseError) Is(target error) bool {
	return target == io.EOF && e.Code == CloseAbnormal && !e.Local
}
