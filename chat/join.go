package chat

import "context"

// opJoin puts a connection into a room: PROTOCOL.md, "join and leave".
var opJoin = definition{
	name:            "join",
	required:        []field{fieldReceiver},
	check:           checkRoom,
	run:             runJoin,
	pool:            poolLookups,
	needsConnection: true,
}

func runJoin(ctx context.Context, h *Hub, a Actor, op *Operation) {
	fail := h.join(ctx, a.(*Connection), op.receiver, op)
	h.answer(a, op, nil, fail)
}

// join puts a connection into a room, unless it is there already. The answer, if op is to be
// answered, comes before everything that it hears as a member, and names the change after
// which it hears everything.
func (h *Hub) join(ctx context.Context, c *Connection, name string, op *Operation) *Failure {
	already := c.in(name) != nil
	if limit := h.cfg.Limits.Rooms; !already && limit > 0 && len(c.rooms) >= limit {
		return failTooManyRooms
	}
	s := h.shard(RoomConversation(name))
	r, fail := s.subscribe(ctx, name)
	if fail != nil {
		return fail
	}
	if op != nil {
		c.send(h.roomAnswer(op, &r.tail))
	}
	if !already {
		s.add(c, r)
	}
	s.mu.Unlock()
	if !already {
		h.note(&h.troubles.presence, h.engine.Presence.Enter(ctx, name, c.person.id))
	}
	return nil
}

// roomAnswer acknowledges a join or leave.
func (h *Hub) roomAnswer(op *Operation, t *Tail) []byte {
	a := ack{op: op.kind.name, receiver: op.receiver, seq: t.Seq, epoch: t.Epoch, serverTS: h.now()}
	return a.appendJSON(nil, op.ref)
}

// add makes a connection a member of a room. Called with mu held.
func (s *shard) add(c *Connection, r *room) {
	c.rooms = append(c.rooms, r)
	r.count++
	r.members.Join(c.socket)
	if c.features&featurePresence != 0 {
		if r.watchers == nil {
			r.watchers = s.hub.cfg.NewFanout()
		}
		r.watchers.Join(c.socket)
		r.watching++
	}
}

// remove undoes add. Called with mu held.
func (s *shard) remove(c *Connection, r *room) {
	for i, other := range c.rooms {
		if other == r {
			c.rooms = append(c.rooms[:i], c.rooms[i+1:]...)
			break
		}
	}
	if len(c.rooms) == 0 {
		c.rooms = nil
	}
	r.count--
	r.members.Leave(c.socket)
	if c.features&featurePresence != 0 && r.watchers != nil {
		r.watchers.Leave(c.socket)
		r.watching--
	}
	s.forget(r)
}
