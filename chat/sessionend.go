package chat

import (
	"context"
	"slices"
)

// opSessionCheck ends a connection if its session has ended. No client sends it, and it does not
// wait for its turn among the connection's operations.
var opSessionCheck = definition{name: "session check", internal: true, needsConnection: true, pool: poolLookups}

func init() {
	opSessionCheck.run = func(ctx context.Context, h *Hub, a Actor, op *Operation) {
		h.checkSession(ctx, a.(*Connection), op.ending)
	}
}

// Ended ends the connections of sessions that have ended.
func (r receiver) Ended(userID, sessionID string, why Ending) {
	r.h.mu.Lock()
	var concerned []*Connection
	if p := r.h.people[userID]; p != nil {
		for _, c := range p.connections {
			if sessionID == "" || c.session == sessionID {
				concerned = append(concerned, c)
			}
		}
		if p.expected > 0 {
			p.endings = append(p.endings, ending{sessionID, why})
		}
	}
	r.h.mu.Unlock()
	for _, c := range concerned {
		if sessionID == "" && r.h.doubtful(userID, why) {
			c.mayHaveEnded(why)
		} else {
			c.sessionEnded(why)
		}
	}
}

// doubtful reports whether a user may have begun a session since all of theirs have ended. While a
// ban is in force, they cannot have: then nothing that waits is done any more.
func (h *Hub) doubtful(userID string, why Ending) bool {
	return why != UserBanned || h.banned(userID) == nil
}

// mayHaveEnded ends a connection if its session has ended. All sessions of its user have, but the
// report of that may be late, and the session have begun since then: after a ban was lifted, too.
func (c *Connection) mayHaveEnded(why Ending) {
	op := &Operation{kind: &opSessionCheck, ending: why}
	if fail := c.hub.pools[opSessionCheck.pool].submit(job{c, op}); fail != nil {
		c.sessionEnded(why)
	}
}

// checkSession ends a connection if its session has ended, or if that cannot be found out.
func (h *Hub) checkSession(ctx context.Context, c *Connection, why Ending) {
	alive, err := h.engine.Sessions.List(ctx, c.person.id)
	if err != nil {
		h.engineFailed(err)
	}
	if err != nil || !slices.ContainsFunc(alive, func(s Session) bool { return s.ID == c.session }) {
		c.sessionEnded(why)
	}
}
