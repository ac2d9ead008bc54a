package chat

import (
	"context"
	"time"

	"github.com/hawser-ws/hawser/wsproto"
)

// Ban bans a user or a network, and ends their connections on all nodes within a second. It sets
// Ban.Since if that is 0.
func (h *Hub) Ban(ctx context.Context, b Ban) error {
	if b.Since == 0 {
		b.Since = h.now()
	}
	return h.engine.Bans.Ban(ctx, b)
}

// Unban lifts the ban of a user or a network (Ban.Subject). was says whether there was one.
func (h *Hub) Unban(ctx context.Context, subject string) (was bool, err error) {
	return h.engine.Bans.Unban(ctx, subject)
}

// Banned ends the connections from a banned network, unless the warden spares it. Ended does that
// for a banned user. A connection whose address was looked up before is ended by Open.
func (r receiver) Banned(b Ban) {
	if !b.Network.IsValid() {
		return
	}
	h := r.h
	h.mu.Lock()
	concerned := h.from(b.Network)
	h.mu.Unlock()
	switch {
	case len(concerned) == 0:
	case h.cfg.Warden == nil:
		endBanned(concerned)
	default:
		go func() { // the warden may ask the engine, which waits for this call
			if h.cfg.Warden.Spares(&b) {
				h.lift(b.Subject())
			} else {
				endBanned(concerned)
			}
		}()
	}
}

func endBanned(concerned []*Connection) {
	for _, c := range concerned {
		c.banIfConcerned()
	}
}

// lift lifts the ban of a network that another node has imposed without knowing who is here.
func (h *Hub) lift(subject string) {
	ctx, cancel := context.WithTimeout(context.Background(), h.cfg.OperationTimeout)
	defer cancel()
	if _, err := h.engine.Bans.Unban(ctx, subject); err != nil {
		h.engineFailed(err)
	}
}

// banIfConcerned ends a connection if its address is banned.
func (c *Connection) banIfConcerned() {
	if b, banned := c.hub.engine.Bans.OfAddress(c.info.RemoteAddr.Addr()); banned {
		c.ban(c.hub.banFailure(&b))
	}
}

// ban ends a connection at once.
func (c *Connection) ban(fail *Failure) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = nil
	c.fail(fail, "", wsproto.ClosePolicyViolation)
	if c.state == connectionClosing {
		c.closeNow()
	}
}

// banned returns the failure for a user if they are banned, otherwise nil.
func (h *Hub) banned(userID string) *Failure {
	if b, banned := h.engine.Bans.OfUser(userID); banned {
		return h.banFailure(&b)
	}
	return nil
}

// banFailure says that somebody is banned, and until when.
func (h *Hub) banFailure(b *Ban) *Failure {
	always := failBanned
	if b.UserID == "" {
		always = failBannedNetwork
	}
	if b.Until == 0 {
		return always
	}
	fail := *always
	fail.RetryAfter = time.Duration(max(1, b.Until-h.now())) * time.Millisecond
	return &fail
}
