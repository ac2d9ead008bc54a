package chat

import (
	"context"
	"slices"
)

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
	known := r != nil && !r.subscribing
	if known {
		c.send(h.roomAnswer(op, &r.tail))
	}
	at := slices.Index(c.rooms, r)
	if at >= 0 {
		c.rooms = slices.Delete(c.rooms, at, at+1)
		s.remove(c, r)
	}
	s.mu.Unlock()
	if at >= 0 {
		h.node.Leave(name, c.person.id)
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
