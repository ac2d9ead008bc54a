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

func runJoin(_ context.Context, h *Hub, a Actor, op *Operation) {
	h.join(a.(*Connection), op, true, func(fail *Failure) { h.answer(a, op, nil, fail) })
}

// join puts a connection into op's room, unless it is there already, and then calls then. An
// acknowledgement comes before everything that the connection receives as a member, and names
// the change after which the connection receives all changes.
func (h *Hub) join(c *Connection, op *Operation, acknowledge bool, then func(*Failure)) {
	name := op.receiver
	already := c.in(name) != nil
	switch limit := h.cfg.Limits.Rooms; {
	case already && !acknowledge:
		then(nil)
		return
	case !already && limit > 0 && len(c.rooms) >= limit:
		then(failTooManyRooms)
		return
	}
	h.shard(RoomConversation(name)).subscribed(name, waiter{
		deadline: h.deadline(op),
		ready: func(s *shard, r *room) {
			if acknowledge {
				c.send(h.roomAnswer(op, &r.tail))
			}
			if !already {
				s.add(c, r)
			}
		},
		then: func(fail *Failure) {
			if fail == nil && !already {
				h.node.Enter(name, c.person.id)
			}
			then(fail)
		},
	})
}

// roomAnswer acknowledges a join or leave.
func (h *Hub) roomAnswer(op *Operation, t *Tail) []byte {
	a := ack{op: op.kind.name, receiver: op.receiver, seq: t.Seq, epoch: t.Epoch, serverTS: h.now()}
	return a.appendJSON(nil, op.ref)
}

// add makes a connection a member of a room. It must be called in an operation of the
// connection that runs alone, with mu held.
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

// remove undoes add, except for the connection's own list of rooms. Called with mu held.
func (s *shard) remove(c *Connection, r *room) {
	r.count--
	r.members.Leave(c.socket)
	if c.features&featurePresence != 0 && r.watchers != nil {
		r.watchers.Leave(c.socket)
		r.watching--
	}
	s.forget(r)
}
