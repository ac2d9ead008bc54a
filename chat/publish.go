package chat

import "github.com/hawser-ws/hawser/wsproto"

// publish answers one operation and shows it to everybody whom it concerns. entry
// is what the store made of it, if it was in the batch. The session may have closed
// meanwhile: then it enters a room all the same, and leaves it when its departure
// is published, which comes after everything else of it.
func (c *committer) publish(op *commitment, entry *Entry, now int64) {
	h, s := c.hub, op.session
	if op.op == opDepart {
		h.mu.Lock()
		for _, r := range s.rooms {
			h.leaveRoom(s, r)
		}
		h.exit(s)
		h.mu.Unlock()
		return
	}
	s.joining = nil
	if op.fail != nil {
		s.reject(op.fail, op.req.ref)
		s.finished()
		return
	}
	h.mu.Lock()
	switch op.op {
	case opJoin:
		h.publishJoin(op, now)
	case opLeave:
		h.publishLeave(op, now)
	case opGroup:
		h.publishGroup(op, entry)
	case opMessage:
		h.publishMessage(op, entry)
	}
	h.mu.Unlock()
	s.finished()
}

// publishJoin acknowledges a join with the seq after which the session hears
// everything. Called with mu held.
func (h *Hub) publishJoin(op *commitment, now int64) {
	seq := op.tail.Seq
	if r := h.rooms[op.req.receiver]; r != nil {
		seq = r.seq
	}
	h.enterRoom(op.session, op.req.receiver, seq, h.roomAck(op, seq, now))
}

func (h *Hub) publishLeave(op *commitment, now int64) {
	s, seq := op.session, op.tail.Seq
	r := h.rooms[op.req.receiver]
	if r != nil {
		seq = r.seq
	}
	s.answer(h.roomAck(op, seq, now))
	if s.rooms[op.req.receiver] != nil {
		h.leaveRoom(s, r)
	}
}

func (h *Hub) roomAck(op *commitment, seq uint64, now int64) []byte {
	a := ack{op: op.op.String(), receiver: op.req.receiver, seq: seq, epoch: h.epoch, serverTS: now}
	return a.appendJSON(nil, op.req.ref)
}

// publishGroup joins the sender, if need be, acknowledges, and sends to the room.
func (h *Hub) publishGroup(op *commitment, entry *Entry) {
	r := h.enterRoom(op.session, op.req.receiver, entry.Last, nil)
	h.acknowledge(op, entry)
	if !entry.Duplicate {
		r.seq = entry.Seq
		h.unused.Delete(r.name)
		r.members.Send(text(h.publication(op, entry)))
	}
}

// publishMessage sends to every session of both people.
func (h *Hub) publishMessage(op *commitment, entry *Entry) {
	h.acknowledge(op, entry)
	if entry.Duplicate {
		return
	}
	m := text(h.publication(op, entry))
	h.sendToUser(op.message.Sender, m)
	if op.req.receiver != op.message.Sender {
		h.sendToUser(op.req.receiver, m)
	}
}

func (h *Hub) sendToUser(id string, m *wsproto.Prepared) {
	if o := h.online[id]; o != nil {
		for _, s := range o.sessions {
			s.peer.SendPrepared(m)
		}
	}
}

func (h *Hub) publication(op *commitment, entry *Entry) []byte {
	return appendPublication(nil, op.conv, op.message, entry.ID, entry.Seq, h.epoch)
}

// acknowledge tells the sender, if it wants to know.
func (h *Hub) acknowledge(op *commitment, entry *Entry) {
	if op.req.ref == "" && op.session.features&featureAck == 0 {
		return
	}
	a := ack{op: op.op.String(), receiver: op.req.receiver, id: entry.ID, seq: entry.Seq, epoch: h.epoch, serverTS: entry.ServerTS}
	op.session.answer(a.appendJSON(nil, op.req.ref))
}
