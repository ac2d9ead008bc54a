package wsproto

import "errors"

// ErrClosed is returned for a message or control frame that would follow the
// Close frame this side has already sent (RFC 6455 §5.5.1).
var ErrClosed = errors.New("wsproto: connection is closing")

// PeerError says how the peer broke the protocol or passed a limit. The
// connection has failed (RFC 6455 §7.1.7): Code is what was sent to the peer,
// and nothing that it sends later is read.
type PeerError struct {
	Code   CloseCode
	Reason string // what was wrong, ASCII, short enough for a Close frame
}

func (e *PeerError) Error() string {
	return "wsproto: peer failed with " + e.Code.String() + ": " + e.Reason
}

// UsageError says how this program used the package wrongly. No byte that a
// peer sends leads to one.
type UsageError struct{ Reason string }

func (e *UsageError) Error() string { return "wsproto: " + e.Reason }
