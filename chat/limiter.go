package chat

import (
	"net/netip"
	"time"
)

// maxThrottle is how long an operation may be held back because its sender is too fast.
// Beyond that it is refused: only with other connections of the same user or address can
// so much be ahead of it.
const maxThrottle = 5 * time.Second

// recordCost is what a stored message counts in the daily limits beside its content and
// metadata: roughly what else is on disk for it.
const recordCost = 256

// limiter is the one place that knows who has done how much. It is asked by connection,
// user and address.
type limiter struct {
	clock      Clock
	connection Pace

	users, userBytes, userRooms             *Rate[string] // by user id
	addresses, addressBytes, addressedRooms *Rate[netip.Prefix]
}

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

// operation says how long a connection's next operation has to wait, and why it is
// refused then, if it is. What is refused takes the connection's time all the same: nobody
// gets errors faster than answers. Called with c.mu held.
func (l *limiter) operation(c *Connection, op *Operation) (wait time.Duration, fail *Failure) {
	now := l.clock.Monotonic()
	c.free, wait = l.connection.take(c.free, now, 1, maxThrottle)
	shared := l.users.Take(c.person.id, now, 1, maxThrottle)
	if addr := c.info.address(); addr.IsValid() {
		shared = max(shared, l.addresses.Take(addr, now, 1, maxThrottle))
	}
	if shared > maxThrottle {
		return wait, &Failure{Code: 429, Reason: "rate_limited", Message: "too many messages", RetryAfter: shared}
	}
	if op.kind.stores {
		fail = l.storage(c, op, now)
	}
	if fail == nil {
		wait = max(wait, shared)
	}
	return wait, fail
}

// storage refuses a message that may not be stored any more today.
func (l *limiter) storage(a Actor, op *Operation, now time.Duration) *Failure {
	n := len(op.content) + len(op.metadata) + recordCost
	if w := l.both(a, l.userBytes, l.addressBytes, now, n); w > 0 {
		return &Failure{Code: 429, Reason: "quota_exceeded", RetryAfter: w,
			Message: "this user, or this network address, has sent as much as may be stored in a day"}
	}
	return nil
}

// newRoom refuses a room too many.
func (l *limiter) newRoom(a Actor) *Failure {
	if w := l.both(a, l.userRooms, l.addressedRooms, l.clock.Monotonic(), 1); w > 0 {
		return &Failure{Code: 429, Reason: "too_many_new_rooms", Field: "receiver_id", RetryAfter: w,
			Message: "this user, or this network address, has made as many rooms as it may for now"}
	}
	return nil
}

// both counts n things for the user and the address, or for neither if one of them has
// to wait: what is refused must not use up a user's share while others at the address
// use up the address's.
func (l *limiter) both(a Actor, users *Rate[string], addresses *Rate[netip.Prefix], now time.Duration, n int) (wait time.Duration) {
	user := a.User().ID
	if wait = users.Take(user, now, n, 0); wait > 0 {
		return wait
	}
	if addr := a.Address(); addr.IsValid() {
		if wait = addresses.Take(addr, now, n, 0); wait > 0 {
			users.GiveBack(user, now, n)
		}
	}
	return wait
}
