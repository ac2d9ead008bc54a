package chat

import (
	"net/netip"
	"time"
)

// Limiter decides how much each subject may do. It is called from many goroutines and with
// locks held, so it must not block or call the hub.
type Limiter interface {
	// Take counts an operation that a subject is about to do. After wait, the operation is
	// done, or refused with the failure. Whether a refused operation counts is up to the
	// limiter.
	Take(s Subject, c Cost) (wait time.Duration, refusal *Failure)
}

// Subject is what a Limiter counts an operation for.
type Subject struct {
	UserID  string         // "": limits by user do not apply
	Role    string         // "": an ordinary user
	Address netip.Prefix   // see AddressSubject; invalid: limits by address do not apply
	Pace    *time.Duration // the limiter's state for this connection, 0 at first; nil: not a connection
}

const reasonRateLimited = "rate_limited"

// Cost is what an operation uses of the limits.
type Cost struct {
	Operation string // its type
	Requests  int    // as how many requests it counts
	Bytes     int    // bytes of content and metadata to be stored
	Messages  int    // messages to be stored
	Rooms     int    // rooms to be created
}

// maxThrottle is how long an operation may be held back because its sender is too fast. An
// operation that would have to wait longer is refused. That happens only if other connections
// of the same user or address are ahead of it.
const maxThrottle = 5 * time.Second

// recordCost is what a stored message adds to the daily limits besides its content and
// metadata: roughly its overhead on disk.
const recordCost = 256

// limiter is the Limiter of one node: Limits, by connection, user and address.
type limiter struct {
	clock      Clock
	connection Pace

	users, userBytes, userRooms             *Rate[string] // by user id
	addresses, addressBytes, addressedRooms *Rate[netip.Prefix]
}

// NewLimiter returns a Limiter that enforces limits on one node. It is the default of
// Config.Limiter.
func NewLimiter(l Limits, clock Clock) Limiter { return newLimiter(&l, clock) }

func newLimiter(l *Limits, clock Clock) *limiter {
	const day, hour = 24 * time.Hour, time.Hour
	return &limiter{
		clock:          clock,
		connection:     NewPace(l.MessagesPerSecond, time.Second, l.Burst),
		users:          NewRate[string](NewPace(l.UserMessagesPerSecond, time.Second, 2*l.UserMessagesPerSecond)),
		userBytes:      NewRate[string](NewPace(l.UserBytesPerDay, day, 0)),
		userRooms:      NewRate[string](NewPace(l.UserRoomsPerHour, hour, 0)),
		addresses:      NewRate[netip.Prefix](NewPace(l.AddressMessagesPerSecond, time.Second, 2*l.AddressMessagesPerSecond)),
		addressBytes:   NewRate[netip.Prefix](NewPace(l.AddressBytesPerDay, day, 0)),
		addressedRooms: NewRate[netip.Prefix](NewPace(l.AddressRoomsPerHour, hour, 0)),
	}
}

// Take implements Limiter. A refused request uses the connection's rate as well, so that
// errors come no faster than answers.
func (l *limiter) Take(s Subject, c Cost) (wait time.Duration, refusal *Failure) {
	now := l.clock.Monotonic()
	var shared time.Duration
	if c.Requests > 0 {
		if s.Pace != nil {
			*s.Pace, wait = l.connection.take(*s.Pace, now, c.Requests, maxThrottle)
		}
		if s.UserID != "" {
			shared = l.users.Take(s.UserID, now, c.Requests, maxThrottle)
		}
		if s.Address.IsValid() {
			shared = max(shared, l.addresses.Take(s.Address, now, c.Requests, maxThrottle))
		}
		if shared > maxThrottle {
			return wait, &Failure{Code: 429, Reason: reasonRateLimited, Message: "too many messages", RetryAfter: shared}
		}
	}
	if c.Messages > 0 {
		if w := l.both(s, l.userBytes, l.addressBytes, now, c.Bytes+c.Messages*recordCost); w > 0 {
			return wait, &Failure{Code: 429, Reason: "quota_exceeded", RetryAfter: w,
				Message: "this user, or this network address, has sent as much as may be stored in a day"}
		}
	}
	if c.Rooms > 0 {
		if w := l.both(s, l.userRooms, l.addressedRooms, now, c.Rooms); w > 0 {
			return wait, &Failure{Code: 429, Reason: "too_many_new_rooms", Field: "receiver_id", RetryAfter: w,
				Message: "this user, or this network address, has made as many rooms as it may for now"}
		}
	}
	return max(wait, shared), nil
}

// both counts n things for the user and the address, or for neither if one of them has to
// wait: refused operations must not use up a user's share while others at the same address
// use up the address's.
func (l *limiter) both(s Subject, users *Rate[string], addresses *Rate[netip.Prefix], now time.Duration, n int) (wait time.Duration) {
	if s.UserID != "" {
		if wait = users.Take(s.UserID, now, n, 0); wait > 0 {
			return wait
		}
	}
	if s.Address.IsValid() {
		if wait = addresses.Take(s.Address, now, n, 0); wait > 0 && s.UserID != "" {
			users.GiveBack(s.UserID, now, n)
		}
	}
	return wait
}
