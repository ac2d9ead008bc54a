package chat

import (
	"errors"
	"net/netip"
	"time"

	"github.com/hawser-ws/hawser/wsproto"
)

// Socket is one WebSocket, as the hub sees it. Its methods may be called from any
// goroutine, never block, and do not call into the Connection before they return.
// They may be called after the connection has ended, and then do nothing.
// A Socket is used as a map key by fan-outs and must be comparable.
type Socket interface {
	// SendPrepared queues m behind everything queued before. An error means that
	// the connection is ending; Connection.Closed follows.
	SendPrepared(m *wsproto.Prepared) error

	// Close sends a Close frame behind everything queued before, and ends the
	// connection. The reason is at most 123 bytes.
	Close(code wsproto.CloseCode, reason string)

	// Pause stops reading from the connection, or goes on with it. Messages
	// already read may still be delivered.
	Pause(on bool)
}

// Fanout sends one message to many sockets. Join, Leave and Send take effect in the
// order of the calls: a socket receives exactly what is sent after it joined and
// before it left, in one order with what it is sent directly. They do not block.
type Fanout interface {
	Join(Socket)
	Leave(Socket)
	Send(*wsproto.Prepared, Urgency)
}

// Urgency says what becomes of a message of a Fanout for a socket that reads too slowly. Its
// zero value is that of a message which must arrive.
type Urgency struct {
	Level UrgencyLevel
	State string // what the message is a version of; for NewestOnly, where it is not empty
}

// UrgencyLevel is a kind of Urgency.
type UrgencyLevel uint8

const (
	// MustArrive: a socket that has no room for the message is closed, and its client comes
	// back for what it missed. So are all messages and presence events: a client that keeps
	// a list of who is there would be wrong for good without one of them.
	MustArrive UrgencyLevel = iota

	// NewestOnly: the message takes the place of the fan-out's older version of the same
	// State, if that is not sent yet. It is for what replaces what was said before.
	NewestOnly

	// MayBeDropped: a socket for which much waits already is left out.
	MayBeDropped
)

func (l UrgencyLevel) String() string {
	return [...]string{"must arrive", "newest only", "may be dropped"}[l]
}

// ConnectionInfo says where a connection comes from.
type ConnectionInfo struct {
	// RemoteAddr is the client's address, for limits and the log; the zero value where
	// there is none, as on a Unix socket. Limits by address then do not apply.
	RemoteAddr netip.AddrPort

	// UserID is the user whom the connection itself proves to be at the other end,
	// by a client certificate; "" if it proves nobody. A token of another user is
	// refused; one of theirs is needed all the same.
	UserID string
}

// remote is the address for the log.
func (i *ConnectionInfo) remote() string {
	if !i.RemoteAddr.IsValid() {
		return "a Unix socket"
	}
	return i.RemoteAddr.String()
}

// address is what limits by address count; invalid if there is none.
func (i *ConnectionInfo) address() netip.Prefix { return AddressSubject(i.RemoteAddr.Addr()) }

// Identity is whom a token stands for.
type Identity struct {
	UserID  string
	Expires time.Time // when the token does, and its connections end; zero: never
}

// ErrTokenExpired is the error, perhaps wrapped, of a token that was good once.
var ErrTokenExpired = errors.New("chat: the token has expired")

// Authenticator reads a token. It may block and is called from several
// goroutines. Any error refuses the token; its text is logged and must not
// contain the token.
type Authenticator interface {
	Authenticate(token string) (Identity, error)
}

// Clock tells the time. SystemClock is the real one.
type Clock interface {
	// Now is the wall clock's time, for timestamps.
	Now() time.Time

	// Monotonic is the time since some fixed moment. It does not jump when the
	// wall clock is set; rates and budgets are measured on it.
	Monotonic() time.Duration

	// AfterFunc calls f in a goroutine of its own once d has passed. The
	// function it returns prevents that, if it is not too late.
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

// SystemClock is the machine's clock.
func SystemClock() Clock { return systemClock{start: time.Now()} }

type systemClock struct{ start time.Time }

func (systemClock) Now() time.Time { return time.Now() }

// time.Since subtracts monotonic readings.
func (c systemClock) Monotonic() time.Duration { return time.Since(c.start) }

func (systemClock) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(d, f).Stop
}
