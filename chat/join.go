package chat

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// opJoin makes the user a member of a room, and subscribes the connection to it: PROTOCOL.md,
// "join and leave".
var opJoin = definition{
	name:            "join",
	required:        []field{fieldReceiver},
	check:           checkRoom,
	run:             runJoin,
	pool:            poolLookups,
	needsConnection: true,
}

func runJoin(ctx context.Context, h *Hub, a Actor, op *Operation) {
	h.join(ctx, a.(*Connection), op, true, func(fail *Failure) { h.answer(a, op, nil, fail) })
}

// join makes the user a member of op's room, puts the connection into it, unless it is there
// already, and then calls then. An acknowledgement comes before everything that the connection
// receives in the room, and names the change after which the connection receives all changes.
// A connection that is in the room asks the engine all the same, because another one of the user
// may have left, and this one not been told yet.
func (h *Hub) join(ctx context.Context, c *Connection, op *Operation, acknowledge bool, then func(*Failure)) {
	name := op.receiver
	r := c.in(name)
	if r != nil && !acknowledge {
		then(nil)
		return
	}
	if limit := h.cfg.Limits.Rooms; r == nil && limit > 0 && len(c.rooms)+len(c.muted) >= limit && !slices.Contains(c.muted, name) {
		then(failTooManyRooms)
		return
	}
	changed, err := h.engine.Members.Join(ctx, name, c.person.id)
	switch {
	case errors.Is(err, ErrNotFound): // the user was deleted, or the session ended, and the connection is about to hear it
		then(failSessionEnded)
		return
	case err != nil:
		then(h.engineFailed(err))
		return
	}
	if r != nil {
		s := h.shard(RoomConversation(name))
		s.mu.Lock()
		c.send(h.roomAnswer(op, s.heardBy(c, r)))
		s.mu.Unlock()
		then(nil)
		return
	}
	muted := slices.Contains(c.muted, name)
	c.unmute(name)
	ready := func(s *shard, r *room) {
		if acknowledge {
			c.send(h.roomAnswer(op, &r.tail))
		}
		s.add(c, r)
	}
	h.subscribeAll(c, op, []string{name}, ready, func(fail *Failure, _ bool) {
		switch {
		case fail != nil && changed: // what is refused has no effect
			ctx, cancel := context.WithTimeout(context.Background(), h.cfg.OperationTimeout)
			h.engine.Members.Leave(ctx, name, c.person.id)
			cancel()
		case fail != nil && muted:
			c.mute(name)
		}
		then(fail)
	})
}

// roomAnswer acknowledges a join or leave.
func (h *Hub) roomAnswer(op *Operation, t *Tail) []byte {
	a := ack{op: op.kind.name, receiver: op.receiver, seq: t.Seq, epoch: t.Epoch, position: t.position(), serverTS: h.now()}
	return a.appendJSON(nil, op.ref)
}

// subscribing is a connection's entering of several rooms at once.
type subscribing struct {
	// Immutable.
	c     *Connection
	ready func(*shard, *room) // called with shard.mu held when this node is subscribed to a room
	then  func(fail *Failure, atOnce bool)

	mu sync.Mutex
	// Guarded by mu.
	left  int
	rooms []*room
	fail  *Failure
}

// subscribed is called after ready, without shard.mu.
func (all *subscribing) subscribed(r *room) {
	all.c.hub.node.Enter(r.name, all.c.person.id)
	all.done(r, nil)
}

// done notes that a room was entered, or that this failed, or with neither that all were asked
// for.
func (all *subscribing) done(r *room, fail *Failure) {
	all.mu.Lock()
	if r != nil {
		all.rooms = append(all.rooms, r)
	}
	if fail != nil {
		all.fail = fail
	}
	all.left--
	last := all.left == 0
	all.mu.Unlock()
	if last {
		all.c.rooms = append(all.c.rooms, all.rooms...)
		all.then(all.fail, r == nil && fail == nil)
	}
}

// add makes a connection hear a room, which it has to note in Connection.rooms. It must be
// called in an operation of the connection that runs alone, with mu held.
func (s *shard) add(c *Connection, r *room) {
	s.watch(c, r)
	r.members.Join(c.socket)
}

// watch has a connection be in a room, and hear of the others in it. Its client may ask who they are
// before it hears the room's messages. Called with mu held.
func (s *shard) watch(c *Connection, r *room) {
	s.enter(r)
	if c.features&featurePresence != 0 {
		if r.watchers == nil {
			r.watchers = s.hub.cfg.NewFanout()
		}
		r.watchers.Join(c.socket)
		r.watching++
	}
}

// remove undoes add. ended says that the connection or the hub has ended: a connection that has ended
// leaves its fan-outs by itself. Called with mu held.
func (s *shard) remove(c *Connection, r *room, ended bool) {
	if b := s.of(c, RoomConversation(r.name)); b != nil {
		s.unregister(b) // it does not hear the room yet
	} else if !ended {
		r.members.Leave(c.socket)
	}
	if c.features&featurePresence != 0 && r.watchers != nil {
		if !ended {
			r.watchers.Leave(c.socket)
		}
		if r.watching--; r.watching == 0 {
			r.watchers = nil // nobody is told of those who come
		}
	}
	s.leave(r)
}
