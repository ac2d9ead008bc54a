package chat

import (
	"math"
	"net/netip"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/server/rate"
)

// Usage is what a user at an address has used of the limits.
type Usage struct {
	UserID   string       `json:"u,omitempty"`
	Role     string       `json:"o,omitempty"`
	Address  netip.Prefix `json:"a,omitzero"`
	Requests int          `json:"r,omitempty"`
	Messages int          `json:"m,omitempty"`
	Bytes    int          `json:"b,omitempty"`
	Rooms    int          `json:"n,omitempty"`
}

// UsageExchange tells the nodes of a service what has been used of the limits at the others.
// What is lost on the way makes the limits a little less strict.
type UsageExchange interface {
	// Send tells the other nodes. It does not block, and does not keep the slice.
	Send(used []Usage)

	// Receive has a function called with what other nodes have sent, from one goroutine. It
	// is called once, before the first Send.
	Receive(func(used []Usage))
}

// usageEvery is how late other nodes are told.
const usageEvery = 500 * time.Millisecond

// sharedLimiter enforces limits of users and addresses on all nodes together.
type sharedLimiter struct {
	*limiter
	exchange UsageExchange

	mu sync.Mutex
	// Guarded by mu.
	used  map[spender]*Usage // since the last Send
	timer bool               // it runs
}

type spender struct {
	userID, role string
	address      netip.Prefix
}

// NewSharedLimiter is like NewLimiter, but what users and addresses do on other nodes counts
// too, within a second.
func NewSharedLimiter(l Limits, clock Clock, exchange UsageExchange) Limiter {
	s := &sharedLimiter{limiter: newLimiter(&l, clock), exchange: exchange, used: make(map[spender]*Usage)}
	exchange.Receive(s.charge)
	return s
}

// Take implements Limiter.
func (l *sharedLimiter) Take(s Subject, c Cost) (wait time.Duration, by Limit, refusal *Failure) {
	wait, by, refusal = l.limiter.Take(s, c)
	if refusal == nil && share(l.roles, s.Role) > 0 && (s.UserID != "" || s.Address.IsValid()) {
		l.note(s, c)
	}
	return wait, by, refusal
}

func (l *sharedLimiter) note(s Subject, c Cost) {
	l.mu.Lock()
	defer l.mu.Unlock()
	who := spender{s.UserID, s.Role, s.Address}
	u := l.used[who]
	if u == nil {
		u = &Usage{UserID: s.UserID, Role: s.Role, Address: s.Address}
		l.used[who] = u
	}
	u.Requests += c.Requests
	u.Messages += c.Messages
	u.Bytes += c.Bytes
	u.Rooms += c.Rooms
	if !l.timer {
		l.timer = true
		l.clock.AfterFunc(usageEvery, l.send)
	}
}

func (l *sharedLimiter) send() {
	l.mu.Lock()
	used := make([]Usage, 0, len(l.used))
	for _, u := range l.used {
		used = append(used, *u)
	}
	clear(l.used)
	l.timer = false
	l.mu.Unlock()
	if len(used) > 0 {
		l.exchange.Send(used)
	}
}

// charge counts what was used on another node. Nothing is refused: it has happened.
func (l *sharedLimiter) charge(used []Usage) {
	now := l.clock.Monotonic()
	for _, u := range used {
		each := share(l.roles, u.Role)
		bytes := 0
		if u.Messages > 0 {
			bytes = u.Bytes + u.Messages*recordCost
		}
		if u.UserID != "" {
			count(l.users, u.UserID, now, u.Requests, each)
			count(l.bytes.users, u.UserID, now, bytes, each)
			count(l.hour.users, u.UserID, now, u.Rooms, each)
			count(l.day.users, u.UserID, now, u.Rooms, each)
		}
		if u.Address.IsValid() {
			count(l.addresses, u.Address, now, u.Requests, 1)
			count(l.bytes.addresses, u.Address, now, bytes, 1)
			count(l.hour.addresses, u.Address, now, u.Rooms, 1)
			count(l.day.addresses, u.Address, now, u.Rooms, 1)
		}
	}
}

func count[S comparable](l *rate.Limiter[S], s S, now time.Duration, n int, each float64) {
	if n > 0 && each > 0 {
		l.Take(s, now, float64(n)*each, math.MaxInt64)
	}
}
