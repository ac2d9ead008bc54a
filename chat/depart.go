package chat

import "slices"

// closed forgets a connection that has ended. What it was part of it leaves in depart.
func (h *Hub) closed(c *Connection) {
	h.mu.Lock()
	delete(h.connections, c)
	c.gone = true
	entered := c.person != nil
	h.mu.Unlock()
	if entered {
		h.expiries.remove(c)
	}
	h.cfg.Observer.ConnectionClosed()
}

// depart takes a connection out of everything that it was part of, once. The connection has
// ended, or the hub has, and nothing of it is under way.
func (h *Hub) depart(c *Connection) {
	if c.person == nil {
		return
	}
	c.mu.Lock()
	rooms, departed := c.rooms, c.departed
	c.rooms, c.departed = nil, true
	c.mu.Unlock()
	if departed {
		return
	}
	id := c.person.id
	for _, r := range rooms {
		s := h.shard(RoomConversation(r.name))
		s.mu.Lock()
		s.remove(c, r)
		s.mu.Unlock()
		h.node.Leave(r.name, id)
	}
	h.mu.Lock()
	p := c.person
	if i := slices.Index(p.connections, c); i >= 0 {
		p.connections = slices.Delete(p.connections, i, i+1)
	}
	h.forget(p)
	h.mu.Unlock()
	h.node.Disconnect(id)
	h.engine.Sessions.End(c.id)
}

// forget drops a person of whom nothing is left. Called with mu held.
func (h *Hub) forget(p *person) {
	if len(p.connections) == 0 && p.expected == 0 {
		delete(h.people, p.id)
	}
}

// removeAll takes everybody out who is still here when the hub has stopped. Other nodes are
// told. The watchers here are not: they know that the server stops.
func (h *Hub) removeAll() {
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
		h.depart(c)
	}
}
