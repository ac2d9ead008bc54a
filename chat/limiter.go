package chat

import (
	"net/netip"
	"time"

	"github.com/hawser-ws/hawser/server/rate"
)

// Limiter decides how much each subject may do. It is called from many goroutines and with
// locks held, so it must not block or call the hub.
type Limiter interface {
	// Take counts an operation that a subject is about to do. After wait, the operation is
	// done, or refused with the failure. Whether a refused operation counts is up to the
	// limiter. by is the limit for which the operation has to wait.
	Take(s Subject, c Cost) (wait time.Duration, by Limit, refusal *Failure)
}

// Subject is what a Limiter counts an operation for.
type Subject struct {
	UserID  string         // "": limits by user do not apply
	Role    string         // "": an ordinary user
	Address netip.Prefix   // see AddressSubject; invalid: limits by address do not apply
	Pace    *time.Duration // the limiter's state for this connection, 0 at first; nil: not a connection
}

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

// limiter is the Limiter of one node: Limits, by connection, user and address. For a role that
// may do n times as much, each thing counts as the nth part of one.
type limiter struct {
	clock      Clock
	roles      map[string]float64
	connection rate.Pace

	users     *rate.Limiter[string] // by user id
	addresses *rate.Limiter[netip.Prefix]

	bytes, hour, day quota
}

// quota is a limit of what each user, and each address, may store in some time.
type quota struct {
	users         *rate.Limiter[string]
	addresses     *rate.Limiter[netip.Prefix]
	ofUser, there Failure // how somebody is refused: for the user, and for the address
}

// NewLimiter returns a Limiter that enforces limits on one node. It is the default of
// Config.Limiter.
func NewLimiter(l Limits, clock Clock) Limiter { return newLimiter(&l, clock) }

func newLimiter(l *Limits, clock Clock) *limiter {
	const day, hour = 24 * time.Hour, time.Hour
	users := func(n int, period time.Duration, burst int) *rate.Limiter[string] {
		return rate.NewLimiter[string](rate.NewPace(n, period, burst))
	}
	addresses := func(n int, period time.Duration, burst int) *rate.Limiter[netip.Prefix] {
		return rate.NewLimiter[netip.Prefix](rate.NewPace(n, period, burst))
	}
	return &limiter{
		clock:      clock,
		roles:      l.Roles,
		connection: rate.NewPace(l.MessagesPerSecond, time.Second, l.Burst),
		users:      users(l.UserMessagesPerSecond, time.Second, 2*l.UserMessagesPerSecond),
		addresses:  addresses(l.AddressMessagesPerSecond, time.Second, 2*l.AddressMessagesPerSecond),
		bytes: quota{users(l.UserBytesPerDay, day, 0), addresses(l.AddressBytesPerDay, day, 0),
			Failure{Code: 429, Reason: "quota_exceeded", Limit: UserBytesLimit, Message: "this user has sent as much as may be stored in a day"},
			Failure{Code: 429, Reason: "quota_exceeded", Limit: AddressBytesLimit, Message: "this network address has sent as much as may be stored in a day"}},
		hour: newRooms(users(l.UserRoomsPerHour, hour, 0), addresses(l.AddressRoomsPerHour, hour, 0), UserRoomsPerHourLimit, AddressRoomsPerHourLimit),
		day:  newRooms(users(l.UserRoomsPerDay, day, 0), addresses(l.AddressRoomsPerDay, day, 0), UserRoomsPerDayLimit, AddressRoomsPerDayLimit),
	}
}

func newRooms(users *rate.Limiter[string], addresses *rate.Limiter[netip.Prefix], user, address Limit) quota {
	fail := Failure{Code: 429, Reason: "too_many_new_rooms", Field: "receiver_id", Limit: user, Message: "this user has made as many rooms as it may for now"}
	there := fail
	there.Limit, there.Message = address, "from this network address as many rooms were made as may be for now"
	return quota{users, addresses, fail, there}
}

// share returns as how much a thing counts that somebody with a role does; 0 if nothing is
// limited.
func share(roles map[string]float64, role string) float64 {
	factor, special := roles[role]
	switch {
	case !special:
		return 1
	case factor <= 0:
		return 0
	}
	return 1 / factor
}

// Take implements Limiter. A refused request uses the connection's rate as well, so that
// errors come no faster than answers.
func (l *limiter) Take(s Subject, c Cost) (wait time.Duration, by Limit, refusal *Failure) {
	each := share(l.roles, s.Role)
	if each == 0 {
		return 0, NoLimit, nil
	}
	now := l.clock.Monotonic()
	if c.Requests > 0 {
		if wait, by, refusal = l.takeRequests(s, now, float64(c.Requests), each); refusal != nil {
			return wait, by, refusal
		}
	}
	if c.Messages > 0 {
		if refusal = l.bytes.take(s, now, float64(c.Bytes+c.Messages*recordCost), each); refusal != nil {
			return wait, by, refusal
		}
	}
	if c.Rooms > 0 {
		if refusal = l.hour.take(s, now, float64(c.Rooms), each); refusal != nil {
			return wait, by, refusal
		}
		if refusal = l.day.take(s, now, float64(c.Rooms), each); refusal != nil {
			l.hour.giveBack(s, now, float64(c.Rooms), each)
			return wait, by, refusal
		}
	}
	return wait, by, nil
}

// takeRequests counts requests by connection, user and address. What is refused for the user or
// the address waits for the connection only.
func (l *limiter) takeRequests(s Subject, now time.Duration, n, each float64) (wait time.Duration, by Limit, refusal *Failure) {
	if s.Pace != nil {
		if *s.Pace, wait = l.connection.Take(*s.Pace, now, n*each, maxThrottle); wait > 0 {
			by = ConnectionRateLimit
		}
	}
	var shared time.Duration
	var whose Limit
	if s.UserID != "" {
		if shared = l.users.Take(s.UserID, now, n*each, maxThrottle); shared > 0 {
			whose = UserRateLimit
		}
	}
	if s.Address.IsValid() {
		if w := l.addresses.Take(s.Address, now, n, maxThrottle); w > shared {
			shared, whose = w, AddressRateLimit
		}
	}
	switch {
	case shared > maxThrottle:
		return wait, by, &Failure{Code: 429, Reason: "rate_limited", Message: "too many messages", Limit: whose, RetryAfter: shared}
	case shared > wait:
		return shared, whose, nil
	}
	return wait, by, nil
}

// take counts n things for the user and the address, or for neither if one of them has to
// wait: refused operations must not use up a user's share while others at the same address
// use up the address's.
func (q *quota) take(s Subject, now time.Duration, n, each float64) *Failure {
	if s.UserID != "" {
		if wait := q.users.Take(s.UserID, now, n*each, 0); wait > 0 {
			return after(q.ofUser, wait)
		}
	}
	if s.Address.IsValid() {
		if wait := q.addresses.Take(s.Address, now, n, 0); wait > 0 {
			if s.UserID != "" {
				q.users.GiveBack(s.UserID, now, n*each)
			}
			return after(q.there, wait)
		}
	}
	return nil
}

// giveBack undoes a take that was not refused.
func (q *quota) giveBack(s Subject, now time.Duration, n, each float64) {
	if s.UserID != "" {
		q.users.GiveBack(s.UserID, now, n*each)
	}
	if s.Address.IsValid() {
		q.addresses.GiveBack(s.Address, now, n)
	}
}

// after returns a failure that says when to try again.
func after(fail Failure, wait time.Duration) *Failure {
	fail.RetryAfter = wait
	return &fail
}

// AddressSubject returns what limits by address count addr as (rate.Address): an IPv6 address as its /64,
// which is what one customer has, and an IPv4-mapped address as IPv4.
func AddressSubject(addr netip.Addr) netip.Prefix { return rate.Address(addr) }
