package chat

import (
	"context"
	"slices"
	"strings"
)

// opPresence asks who is there: PROTOCOL.md, "presence".
var opPresence = definition{
	name:     "presence",
	required: []field{fieldReceiver},
	check:    checkRoomOrUser,
	run:      runPresence,
	pool:     poolQueries,
}

func runPresence(ctx context.Context, h *Hub, a Actor, op *Operation) {
	if _, fail := h.findConversation(ctx, a, op.receiver); fail != nil {
		h.answer(a, op, nil, fail)
		return
	}
	if strings.HasPrefix(op.receiver, userPrefix) {
		online, err := h.engine.Presence.Online(ctx, []string{op.receiver})
		if err != nil {
			h.answer(a, op, nil, h.engineFailed(err))
			return
		}
		var users []User
		if u, ok := online[op.receiver]; ok {
			users = append(users, u)
		}
		h.answer(a, op, appendPresence(nil, op, users, false), nil)
		return
	}
	h.answerRoomPresence(ctx, a, op)
}

// maxMissed is how many events may arrive while a watcher's question is being answered. If
// there are more, the engine is asked again.
const maxMissed = 1000

// answerRoomPresence answers who is in a room. If the actor watches the room, events that it
// got between the question and the answer are sent again after the answer, so that the last
// word is true.
func (h *Hub) answerRoomPresence(ctx context.Context, a Actor, op *Operation) {
	s := h.shard(RoomConversation(op.receiver))
	var watched *room
	c, _ := a.(*Connection)
	if c != nil && c.features&featurePresence != 0 {
		watched = c.in(op.receiver)
	}
	for {
		var q *asking
		if watched != nil {
			q = s.ask(watched)
		}
		users, more, err := h.engine.Presence.Users(ctx, op.receiver, h.cfg.Pages.Presence)
		s.mu.Lock()
		if q != nil {
			watched.asking = slices.DeleteFunc(watched.asking, func(other *asking) bool { return other == q })
			if err == nil && len(q.missed) > maxMissed && ctx.Err() == nil {
				s.mu.Unlock()
				continue
			}
		}
		if err != nil {
			s.mu.Unlock()
			h.answer(a, op, nil, h.engineFailed(err))
			return
		}
		a.Answer(op, appendPresence(nil, op, users, more), nil)
		if q != nil {
			for _, m := range q.missed {
				c.socket.SendPrepared(m)
			}
		}
		s.mu.Unlock()
		h.finish(a)
		return
	}
}

// ask registers a watcher's question of who is in a room.
func (s *shard) ask(r *room) *asking {
	q := new(asking)
	s.mu.Lock()
	defer s.mu.Unlock()
	r.asking = append(r.asking, q)
	return q
}

func appendPresence(dst []byte, op *Operation, users []User, more bool) []byte {
	dst = append(dst, `{"type":"presence"`...)
	dst = appendStringField(dst, "receiver_id", op.receiver)
	dst = append(dst, `,"users":[`...)
	for i, u := range users {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"user_id":`...)
		dst = appendString(dst, u.ID)
		dst = appendStringField(dst, "name", u.Name)
		dst = append(dst, '}')
	}
	dst = append(dst, ']')
	dst = appendBoolField(dst, "has_more", more)
	return appendRefAndClose(dst, op.ref)
}

// findConversation returns the conversation that a receiver_id names, for an actor.
func (h *Hub) findConversation(ctx context.Context, a Actor, receiver string) (Conversation, *Failure) {
	if strings.HasPrefix(receiver, userPrefix) {
		if fail := h.findUser(ctx, receiver); fail != nil {
			return "", fail
		}
		return PrivateConversation(a.User().ID, receiver), nil
	}
	_, fail := h.findRoom(ctx, receiver)
	return RoomConversation(receiver), fail
}

// findRoom returns the end of a room. A room exists if it has messages, or if someone is in
// it.
func (h *Hub) findRoom(ctx context.Context, name string) (Tail, *Failure) {
	c := RoomConversation(name)
	s := h.shard(c)
	s.mu.Lock()
	if r := s.rooms[name]; r != nil && !r.subscribing && (r.tail.Seq > 0 || r.count.Load() > 0) {
		defer s.mu.Unlock()
		return r.tail, nil
	}
	s.mu.Unlock()
	tail, err := h.engine.Log.Tail(ctx, c)
	if err != nil {
		return tail, h.engineFailed(err)
	}
	if tail.Seq == 0 {
		if counts, err := h.engine.Presence.Counts(ctx, []string{name}); err != nil {
			return tail, h.engineFailed(err)
		} else if counts[0] == 0 {
			return tail, failUnknownRoom
		}
	}
	return tail, nil
}
