package chat

import (
	"net/netip"
	"slices"
)

// Warden is told what honest clients do rarely or never, so that it can ban who does it often.
// Offended is called from any goroutine, often with the hub's locks held: it must not block or
// call the hub.
type Warden interface {
	Offended(o Offence)
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
	TooFast            OffenceKind = iota // an operation was held back, or refused, as it came too fast
	OverQuota                             // more was to be stored, or more rooms to be made, than is allowed in some time
	BadToken                              // auth with a token that was not accepted
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
	return [...]string{"too_fast", "over_quota", "bad_token", "no_auth", "too_many_errors", "broke_protocol", "bad_request",
		"too_many_connections", "unused", "banned_guest"}[k]
}

// BrokeProtocol tells the connection that its peer has broken the protocol of WebSockets. Closed
// follows.
func (c *Connection) BrokeProtocol() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offended(BrokeProtocol)
}

// badToken tells the warden of a token that was not accepted. Tokens that have expired are honest.
func (c *Connection) badToken(fail *Failure) {
	if fail == failTokenExpired {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offended(BadToken)
}

// known has what a connection does from now on count for its user, who has just logged in.
func (c *Connection) known() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.userID = c.person.id
}

// UsersAt returns the users who are connected to this node from a network.
func (h *Hub) UsersAt(network netip.Prefix) (ids []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, p := range h.people {
		if slices.ContainsFunc(p.connections, func(c *Connection) bool { return c.isIn(network) }) {
			ids = append(ids, id)
		}
	}
	return ids
}

// isIn reports whether a connection comes from a network.
func (c *Connection) isIn(network netip.Prefix) bool {
	return network.Contains(c.info.RemoteAddr.Addr().Unmap().WithZone(""))
}

// offended tells the warden of an offence, if there is one. Called with mu held.
func (c *Connection) offended(k OffenceKind) {
	if w := c.hub.cfg.Warden; w != nil {
		w.Offended(Offence{Kind: k, UserID: c.userID, Address: c.info.RemoteAddr.Addr()})
	}
}
