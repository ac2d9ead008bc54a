package chat

import (
	"errors"
	"net/netip"
	"time"

	"github.com/hawser-ws/hawser/wsproto"
)

// Socket is one WebSocket, as the hub sees it. Its methods may be called from any goroutine,
// must not block, and must not call the Connection before they return. They may be called
// after the connection has ended, and then do nothing. A Socket must be comparable, because
// fan-outs use it as a map key.
type Socket interface {
	// SendPrepared queues m after everything queued before. An error means that the
	// connection is ending; Connection.Closed follows.
	SendPrepared(m *wsproto.Prepared) error

	// Close sends a Close frame after everything queued before, and ends the connection.
	// The reason is at most 123 bytes.
	Close(code wsproto.CloseCode, reason string)

	// Flushed calls f when everything that was sent before was offered to the network, with
	// the number of bytes that still wait to be written. It may call f before it returns,
	// or later, from any goroutine. f does not block.
	Flushed(f func(buffered int))

	// Pause stops or resumes reading from the connection. Messages that were already read
	// may still be delivered.
	Pause(on bool)
}

// Fanout sends one message to many sockets. Join, Leave and Send take effect in the order of
// the calls: a socket receives exactly what is sent after it joined and before it left, in
// order with what it is sent directly. They must not block. A socket that has ended leaves by
// itself.
type Fanout interface {
	Join(Socket)
	Leave(Socket)
	Send(*wsproto.Prepared, Urgency)
}

// Urgency says what happens to a Fanout's message for a socket that reads too slowly. The
// zero value is for messages that must arrive.
type Urgency struct {
	Level UrgencyLevel
	State string // the state that the message is a version of; only and always with NewestOnly
}

// UrgencyLevel is a kind of Urgency.
type UrgencyLevel uint8

const (
	// MustArrive: a socket without room for the message is closed, and its client reconnects
	// to get what it missed. All chat messages and presence events are of this level: a
	// client's list of who is in a room would stay wrong without one of them.
	MustArrive UrgencyLevel = iota

	// NewestOnly: the message replaces the fan-out's older version of the same State, if
	// that has not been sent yet. It is for messages that make earlier ones obsolete.
	NewestOnly

	// MayBeDropped: a socket for which much is already waiting is left out.
	MayBeDropped
)

func (l UrgencyLevel) String() string {
	return [...]string{"must arrive", "newest only", "may be dropped"}[l]
}

// ConnectionInfo says where a connection comes from.
type ConnectionInfo struct {
	// RemoteAddr is the client's address, for limits and the log. It is the zero value if
	// there is none, as on a Unix socket; then limits by address do not apply.
	RemoteAddr netip.AddrPort

	// UserID is the user that a client certificate names; "" if there is none. A token of
	// another user is then refused. A token is needed in any case.
	UserID string
}

// remote returns the address for the log.
func (i *ConnectionInfo) remote() string {
	if !i.RemoteAddr.IsValid() {
		return "a Unix socket"
	}
	return i.RemoteAddr.String()
}

// address returns what limits by address count; invalid if there is none.
func (i *ConnectionInfo) address() netip.Prefix { return AddressSubject(i.RemoteAddr.Addr()) }

// MaxRole is the maximum length of a role in bytes.
const MaxRole = 32

// Identity is what a token says about its user.
type Identity struct {
	UserID  string
	Role    string    // "": an ordinary user
	Issued  time.Time // when the token was issued; zero: not known
	Expires time.Time // when the token expires and its connections end; zero: never
}

// ErrTokenExpired is the error, possibly wrapped, for a token that was valid but has expired.
var ErrTokenExpired = errors.New("chat: the token has expired")

// Authenticator reads a token. It may block and is called from several
// goroutines. Any error refuses the token; its text is logged and must not
// contain the token.
type Authenticator interface {
	Authenticate(token string) (Identity, error)
}

// Clock tells the time. SystemClock is the real one.
type Clock interface {
	// Now returns the wall clock's time, for timestamps.
	Now() time.Time

	// Monotonic returns the time since some fixed moment. It does not jump when the wall
	// clock is set; rates and limits are measured with it.
	Monotonic() time.Duration

	// AfterFunc calls f in its own goroutine after d. The returned function prevents that,
	// if it is not too late.
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

// SystemClock returns the machine's clock.
func SystemClock() Clock { return systemClock{start: time.Now()} }

type systemClock struct{ start time.Time }

func (systemClock) Now() time.Time { return time.Now() }

// time.Since subtracts monotonic readings.
func (c systemClock) Monotonic() time.Duration { return time.Since(c.start) }

func (systemClock) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(d, f).Stop
}
