package chat

import (
	"net/netip"
	"time"
)

// Warden is told what honest clients do rarely or never, so that it can ban those who do it often.
type Warden interface {
	// Offended is called for each offence. It is called from any goroutine, often with the
	// hub's locks held: it must not block or call the hub.
	Offended(o Offence)

	// Spares reports whether the ban of a network is wrong, because well-behaved people are
	// connected to this node from there. The hub lifts such a ban. Spares may block.
	Spares(b *Ban) bool
}

// Offence is something that an honest client does rarely or never.
type Offence struct {
	Kind    OffenceKind
	UserID  string     // "": before log-in
	Address netip.Addr // the zero Addr if it has none
}

// OffenceKind is a kind of Offence.
type OffenceKind uint8

const (
	TooFast            OffenceKind = iota // operations came too fast for some seconds
	OverQuota                             // more was to be stored, or more rooms to be made, than is allowed in some time
	BadToken                              // auth with a token that was not accepted
	RefusedLogin                          // auth with a session or token that is good no longer, or of somebody who is banned
	NoAuth                                // no auth in time, or something else in its place
	TooManyErrors                         // so many operations were wrong that the connection was closed
	BrokeProtocol                         // messages were no WebSocket messages, or no chat messages
	BadRequest                            // an HTTP request that was refused
	TooManyConnections                    // more connections than an address may have
	Unused                                // a connection that ended without a request, or without having logged in
	BannedGuest                           // a guest from this address was banned
	NumOffenceKinds
)

func (k OffenceKind) String() string {
	return [...]string{"too_fast", "over_quota", "bad_token", "refused_login", "no_auth", "too_many_errors", "broke_protocol", "bad_request",
		"too_many_connections", "unused", "banned_guest"}[k]
}

// fastSpell is how long a client has to be too fast for an offence. To send at once what has
// gathered while there was no connection is none.
const fastSpell = 5 * time.Second

// judge decides whether it is an offence that an operation was held back or refused. What others
// at the same address have used up is not the user's fault, unless the user does not mind: then
// more and more operations wait. Called with mu held.
func (c *Connection) judge(wait time.Duration, by Limit, fail *Failure) {
	if c.hub.cfg.Warden == nil {
		return
	}
	if fail != nil && !fail.Limit.HoldsBack() {
		return // refuse judges that
	}
	now := c.hub.cfg.Clock.Monotonic()
	switch {
	case !c.paused && !(wait > 0 && by.ofUser()):
		c.fast = 0
	case c.fast == 0:
		c.fast = now
	case now-c.fast >= fastSpell:
		c.fast = now
		c.offended(TooFast)
	}
}

// BrokeProtocol tells the connection that its peer has broken the protocol of WebSockets. Closed
// follows.
func (c *Connection) BrokeProtocol() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offended(BrokeProtocol)
}

// badToken tells the warden of a token that was not accepted.
func (c *Connection) badToken(fail *Failure) {
	if fail == failTokenRefused || fail == failCertificate {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.offended(BadToken)
	}
}

// refusedLogin tells the warden of an auth that was refused, for any reason.
func (c *Connection) refusedLogin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offended(RefusedLogin)
}

// known has what a connection does from now on count for its user, who has just logged in.
func (c *Connection) known() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.userID = c.person.id
}

// offended tells the warden of an offence, if there is one. Called with mu held.
func (c *Connection) offended(k OffenceKind) {
	if w := c.hub.cfg.Warden; w != nil {
		w.Offended(Offence{Kind: k, UserID: c.userID, Address: c.info.RemoteAddr.Addr()})
	}
}
