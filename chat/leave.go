package chat

import "context"

// opLeave takes a connection out of a room: PROTOCOL.md, "join and leave".
var opLeave = definition{
	name:            "leave",
	required:        []field{fieldReceiver},
	check:           checkRoom,
	run:             runLeave,
	pool:            poolLookups,
	needsConnection: true,
}

func runLeave(ctx context.Context, h *Hub, a Actor, op *Operation) {
	c := a.(*Connection)
	name := op.receiver
	s := h.shard(RoomConversation(name))
	s.mu.Lock()
	r := s.rooms[name]
	known := r != nil && r.ready == nil
	if known {
		c.send(h.roomAnswer(op, &r.tail))
	}
	member := c.in(name) != nil
	if member {
		s.remove(c, r)
	}
	s.mu.Unlock()
	if member {
		h.note(&h.troubles.presence, h.engine.Presence.Leave(ctx, name, c.person.id))
	}
	if known {
		h.finish(c)
		return
	}
	tail, fail := h.findRoom(ctx, name)
	if fail != nil {
		h.answer(c, op, nil, fail)
		return
	}
	h.answer(c, op, h.roomAnswer(op, &tail), nil)
}
