package wsconn

import (
	"errors"

	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// ErrClosed is returned, possibly wrapped, after this side has closed the connection, the
// Pool or the Reconnector, or has cut a frame short. errors.Is says that it is
// net.ErrClosed, too.
var ErrClosed = handshake.ErrClosed

// ErrReaderPassed is returned by a MessageReader if the next message was requested before
// this one was read to its end.
var ErrReaderPassed = errors.New("wsconn: the next message has been requested")

// CloseError says how a connection ended, unless this program ended it: then the error
// is ErrClosed. Local is true if the peer violated the protocol or exceeded a limit; Err
// is then a *wsproto.PeerError.
type CloseError = wsproto.CloseError

// lostPeer returns the error of a connection that err ended without a Close frame.
func lostPeer(err error) *CloseError {
	return &CloseError{Code: wsproto.CloseAbnormal, Err: err}
}

// failedPeer returns the error of a connection that this side failed (RFC 6455 §7.1.7).
func failedPeer(fault *wsproto.PeerError) *CloseError {
	return &CloseError{Code: fault.Code, Reason: fault.Reason, Local: true, Err: fault}
}
