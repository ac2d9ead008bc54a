package chat

// close forgets a connection that has ended. What it was part of it leaves in depart.
func (h *Hub) close(c *Connection) {
	h.mu.Lock()
	delete(h.connections, c)
	c.gone = true
	entered := c.person != nil
	h.mu.Unlock()
	if entered {
		h.expiries.remove(c)
	}
}

// depart takes a connection that has ended, and of which nothing is under way, out of
// everything that it was part of.
func (h *Hub) depart(c *Connection) {
	if c.person != nil {
		h.pools[poolDepartures].must(func() { h.leaveAll(c) })
	}
}

func (h *Hub) leaveAll(c *Connection) {
	ctx, cancel := h.context()
	defer cancel()
	for len(c.rooms) > 0 {
		name := c.rooms[len(c.rooms)-1].name
		s := h.shard(RoomConversation(name))
		s.mu.Lock()
		s.remove(c, c.rooms[len(c.rooms)-1])
		s.mu.Unlock()
		h.notePresence(h.engine.Presence.Leave(ctx, name, c.person.id))
	}
	h.exit(c)
	h.disappear(ctx, c.person.id)
	h.notePresence(h.engine.Sessions.End(ctx, c.id))
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

// notePresence logs what nobody can be told of.
func (h *Hub) notePresence(err error) {
	if err != nil {
		h.cfg.Log.Warn("chat: who is there could not be kept up to date", "error", err)
	}
}
