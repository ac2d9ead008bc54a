package chat

import (
	"context"
	"slices"
)

// opLeave ends the user's membership of a room, on all devices: PROTOCOL.md, "join and leave".
var opLeave = definition{
	name:            "leave",
	required:        []field{fieldReceiver},
	check:           checkRoom,
	run:             runLeave,
	pool:            poolLookups,
	needsConnection: true,
}

// opUnsubscribe has one connection not hear a room any more: PROTOCOL.md, "join and leave".
var opUnsubscribe = definition{
	name:            "unsubscribe",
	required:        []field{fieldReceiver},
	check:           checkRoom,
	run:             runUnsubscribe,
	pool:            poolLookups,
	needsConnection: true,
}

func runLeave(ctx context.Context, h *Hub, a Actor, op *Operation) {
	c := a.(*Connection)
	changed, err := h.engine.Members.Leave(ctx, op.receiver, c.person.id)
	if err != nil {
		h.answer(c, op, nil, h.engineFailed(err))
		return
	}
	c.unmute(op.receiver)
	h.goOut(ctx, c, op, changed)
}

func runUnsubscribe(ctx context.Context, h *Hub, a Actor, op *Operation) {
	c := a.(*Connection)
	if c.in(op.receiver) != nil {
		c.mute(op.receiver)
	}
	h.goOut(ctx, c, op, slices.Contains(c.muted, op.receiver))
}

// goOut takes a connection out of op's room, and acknowledges op. If the user is or was a
// member, there is such a room, although it may have no messages and nobody in it.
func (h *Hub) goOut(ctx context.Context, c *Connection, op *Operation, member bool) {
	if h.removeFrom(c, op.receiver, func(s *shard, r *room) { c.send(h.roomAnswer(op, s.heardBy(c, r))) }) {
		h.finish(c)
		return
	}
	tail, fail := h.findRoom(ctx, op.receiver)
	if fail != nil && !(member && fail == failUnknownRoom) {
		h.answer(c, op, nil, fail)
		return
	}
	h.answer(c, op, h.roomAnswer(op, &tail), nil)
}

// removeFrom takes a connection out of a room, and reports whether it was in it. last, if
// there is one, is called just before the connection hears nothing more, with shard.mu held.
func (h *Hub) removeFrom(c *Connection, name string, last func(*shard, *room)) bool {
	r := c.in(name)
	if r == nil {
		return false
	}
	s := h.shard(RoomConversation(name))
	s.mu.Lock()
	if last != nil {
		last(s, r)
	}
	c.rooms = slices.DeleteFunc(c.rooms, func(other *room) bool { return other == r })
	s.remove(c, r, false)
	s.mu.Unlock()
	h.node.Leave(name, c.person.id)
	return true
}
