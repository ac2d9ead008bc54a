package chat

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// opMembership follows a change of the user's memberships that another connection has made.
// No client sends it: the engine's report of the change takes its turn among the connection's
// operations, so that it cannot come between two steps of one of them.
var opMembership = definition{
	name:            "membership",
	internal:        true,
	quick:           membershipKnown,
	pool:            poolLookups,
	needsConnection: true,
}

func init() { opMembership.run = runMembership } // which refers to opMembership

// membershipRetry is how long the connection waits before it asks the engine again, if that
// could not tell who is a member.
const membershipRetry = time.Second

// Member has the connections of a user follow a change of the user's memberships.
func (r receiver) Member(userID, room string, joined bool) {
	r.h.mu.Lock()
	p := r.h.people[userID]
	var concerned []*Connection
	if p != nil {
		concerned = slices.Clone(p.connections)
	}
	r.h.mu.Unlock()
	for _, c := range concerned {
		c.membershipChanged(room, joined)
	}
}

// maxMemberships is how many reports may wait for their turn; more become one of all rooms.
const maxMemberships = 8

func (c *Connection) membershipChanged(room string, joined bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != connectionOpen {
		return
	}
	waiting := 0
	for _, op := range c.queue {
		switch {
		case op.kind != &opMembership:
		case op.receiver == "":
			return
		case op.receiver == room:
			op.unsure = true // two reports, in whatever order
			return
		case waiting == maxMemberships:
			op.receiver = ""
			return
		default:
			waiting++
		}
	}
	c.arrive(&Operation{kind: &opMembership, receiver: room, joined: joined})
}

// retryMembership has a connection ask the engine again after a while. The room "" means all.
func (c *Connection) retryMembership(room string) {
	c.hub.clock.AfterFunc(membershipRetry+rand.N(membershipRetry/2), func() { c.membershipChanged(room, true) })
}

// membershipKnown reports whether a connection has followed a change already: in most cases
// it is the one that made it.
func membershipKnown(c *Connection, op *Operation) bool {
	switch in := c.in(op.receiver) != nil; {
	case op.receiver == "" || op.unsure:
		return false
	case op.joined:
		return in || slices.Contains(c.muted, op.receiver)
	default:
		return !in && !slices.Contains(c.muted, op.receiver)
	}
}

// runMembership asks the engine what is true now, because the report may be an old one.
func runMembership(ctx context.Context, h *Hub, a Actor, op *Operation) {
	c := a.(*Connection)
	var joined, left []string
	var err error
	if op.receiver == "" {
		joined, left, err = h.compareRooms(ctx, c)
	} else {
		var is bool
		if is, err = h.engine.Members.IsMember(ctx, op.receiver, c.person.id); is {
			joined = []string{op.receiver}
		} else {
			left = []string{op.receiver}
		}
	}
	if err != nil {
		h.engineFailed(err)
		c.retryMembership("")
		h.finish(c)
		return
	}
	for _, room := range left {
		h.dropRoom(c, room)
	}
	joined = slices.DeleteFunc(joined, func(room string) bool { return c.in(room) != nil || slices.Contains(c.muted, room) })
	h.subscribeAll(c, op, joined, c.announceRoom, func(fail *Failure, _ bool) {
		if fail != nil {
			c.retryMembership("")
		}
		h.finish(c)
	})
}

// roomsOf lists the rooms of which a user is a member. The limit of rooms is for joining.
func (h *Hub) roomsOf(ctx context.Context, userID string) (rooms []string, err error) {
	after := ""
	for {
		page, more, err := h.engine.Members.RoomsOf(ctx, userID, after, roomsPage)
		if err != nil {
			return nil, err
		}
		rooms = slices.Grow(rooms, len(page))
		for _, m := range page {
			rooms, after = append(rooms, m.Room), m.Room
		}
		if !more {
			return rooms, nil
		}
	}
}

// roomsPage is how many memberships the engine is asked for at a time.
const roomsPage = 256

// compareRooms returns which rooms a connection has to enter, and which to leave.
func (h *Hub) compareRooms(ctx context.Context, c *Connection) (joined, left []string, err error) {
	rooms, err := h.roomsOf(ctx, c.person.id)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range c.rooms {
		if !slices.Contains(rooms, r.name) {
			left = append(left, r.name)
		}
	}
	for _, room := range c.muted {
		if !slices.Contains(rooms, room) {
			left = append(left, room)
		}
	}
	return rooms, left, nil
}

// dropRoom ends a connection's part in a room that the user has left with another one, and
// tells the client, if it wants to hear that.
func (h *Hub) dropRoom(c *Connection, room string) {
	c.unmute(room)
	if h.removeFrom(c, room, nil) && c.features&featureSystem != 0 {
		c.send(appendSystem(nil, "unsubscribed", room, "You have left this room", nil, h.now()))
	}
}

// announceRoom tells a client that its connection hears a room from a position on, although it
// has not asked for it, if it wants to hear that. Called with shard.mu held.
func (c *Connection) announceRoom(s *shard, r *room) {
	s.add(c, r)
	if c.features&featureSystem != 0 {
		dst := appendSystem(nil, "subscribed", r.name, "You are in this room", nil, c.hub.now())
		dst = appendStringField(dst[:len(dst)-1], "epoch", r.tail.Epoch)
		dst = appendIntField(dst, "seq", int64(r.tail.Seq))
		dst = appendPositionField(dst, r.tail.position())
		c.send(append(dst, '}'))
	}
}

// mute has a connection not hear a room of which the user is a member.
func (c *Connection) mute(room string) {
	if !slices.Contains(c.muted, room) {
		c.muted = append(c.muted, room)
	}
}

func (c *Connection) unmute(room string) {
	if c.muted = slices.DeleteFunc(c.muted, func(other string) bool { return other == room }); len(c.muted) == 0 {
		c.muted = nil
	}
}

// subscribeAll has this node subscribe to rooms, calls ready for each, and then calls then,
// with the last failure if there was any. It does not block. atOnce says that this node was
// subscribed to all of them: then is called before subscribeAll returns, and may block as the
// caller may.
func (h *Hub) subscribeAll(c *Connection, op *Operation, rooms []string, ready func(*shard, *room), then func(fail *Failure, atOnce bool)) {
	all := &subscribing{c: c, ready: ready, then: then, left: len(rooms) + 1, rooms: make([]*room, 0, len(rooms))}
	for _, name := range rooms {
		h.shard(RoomConversation(name)).subscribed(name, waiter{h.deadline(op), all})
	}
	all.done(nil, nil)
}
