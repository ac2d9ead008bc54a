package wsproto

import "errors"

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
