package chat

import "slices"

// closed removes a connection that has ended from the hub. depart makes it leave its rooms.
func (h *Hub) closed(c *Connection) {
	h.mu.Lock()
	delete(h.connections, c)
	h.dislocate(c)
	c.gone = true
	entered := c.person != nil
	h.mu.Unlock()
	if entered {
		h.expiries.remove(c)
	}
	h.cfg.Observer.ConnectionClosed()
}

// depart makes a connection leave everything that it was part of, once: after the connection
// or the hub has ended, and none of its operations is running.
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
		s.remove(c, r, true)
		s.mu.Unlock()
		h.node.Leave(r.name, id)
	}
	for _, b := range c.ahead {
		s := h.shard(b.in)
		s.mu.Lock()
		s.unregister(b)
		s.mu.Unlock()
	}
	h.mu.Lock()
	p := c.person
	if i := slices.Index(p.connections, c); i >= 0 {
		p.connections = slices.Delete(p.connections, i, i+1)
	}
	h.forget(p)
	h.mu.Unlock()
	h.node.Disconnect(id)
	h.engine.Sessions.Release(c.session)
}

// forget drops a person who has no connection here, and no log-in in progress. Called with mu
// held.
func (h *Hub) forget(p *person) {
	if len(p.connections) == 0 && p.expected == 0 {
		delete(h.people, p.id)
	}
}

// removeAll makes all remaining connections leave when the hub has stopped. Other nodes are
// told. Watchers on this node are not: they know that the server stops.
func (h *Hub) removeAll() {
	for _, s := range h.shards {
		s.mu.Lock()
		for _, r := range s.rooms {
			r.watchers = nil
		}
		s.forgetEmpty(0)
		if s.stopSweep != nil {
			s.stopSweep()
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
