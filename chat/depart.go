package chat

import (
	"context"
	"time"
)

// close forgets a connection that has ended. What it was part of it leaves in depart.
func (h *Hub) close(c *Connection) {
	h.mu.Lock()
	delete(h.connections, c)
	c.gone = true
	entered := c.person != nil
	h.mu.Unlock()
	h.cfg.Observer.ConnectionClosed()
	if entered {
		h.expiries.remove(c)
	}
}

// depart takes a connection that has ended, and of which nothing is under way, out of
// everything that it was part of.
func (h *Hub) depart(c *Connection) {
	if c.person != nil {
		h.pools[poolDepartures].must(func(time.Time) {
			ctx, cancel := h.context()
			defer cancel()
			h.leaveAll(ctx, c)
		})
	}
}

func (h *Hub) leaveAll(ctx context.Context, c *Connection) {
	for len(c.rooms) > 0 {
		name := c.rooms[len(c.rooms)-1].name
		s := h.shard(RoomConversation(name))
		s.mu.Lock()
		s.remove(c, c.rooms[len(c.rooms)-1])
		s.mu.Unlock()
		h.note(&h.troubles.presence, h.engine.Presence.Leave(ctx, name, c.person.id))
	}
	h.exit(c)
	h.disappear(ctx, c.person.id)
	h.note(&h.troubles.presence, h.engine.Sessions.End(ctx, c.id))
}

// leave takes everybody out who is still here, when the hub has stopped and nothing is under
// way. Other nodes are told. Those who watch here are not: they know that the server stops.
func (h *Hub) leave(ctx context.Context) {
	for _, s := range h.shards {
		s.mu.Lock()
		for _, r := range s.rooms {
			r.watchers = nil
		}
		s.mu.Unlock()
	}
	h.mu.Lock()
	var left []*Connection
	for _, p := range h.people {
		left = append(left, p.connections...)
	}
	h.mu.Unlock()
	for _, c := range left {
		h.leaveAll(ctx, c)
	}
}

// exit removes a connection from its person.
func (h *Hub) exit(c *Connection) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := c.person
	for i, other := range p.connections {
		if other == c {
			p.connections = append(p.connections[:i], p.connections[i+1:]...)
			break
		}
	}
	if len(p.connections) == 0 && h.people[p.id] == p {
		delete(h.people, p.id)
	}
}
