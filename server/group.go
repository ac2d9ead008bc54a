package server

import (
	"sync"

	"github.com/hawser-ws/hawser/wsproto"
)

// Policy says what happens to a member of a Group that reads too slowly for a
// message.
type Policy uint8

const (
	// Evict is for messages that must arrive. A member whose write queue has no room
	// for one is closed with 1013.
	Evict Policy = iota

	// Drop is for messages that need not arrive. A member is not sent one if more than a
	// quarter of Config.WriteQueue would then wait to be written, so the rest of the queue
	// is left to messages that must arrive. If the queue has no bound, nothing is dropped.
	Drop
)

// Group is a set of connections that are sent the same messages. A message
// costs one post for each loop that has members, and every member receives the
// group's messages in the same order. Its methods may be called from any
// goroutine and do not block.
//
// A member receives exactly what is sent between its Join and its Leave. A connection
// that ends leaves all its groups.
type Group struct {
	mu    sync.Mutex // held while one call posts to all loops, so that all see one order
	loops []*members // Immutable.
}

// members is the part of a group that lives on one loop.
type members struct {
	group *Group
	loop  *loop
	count int // Guarded by group.mu. Joins posted and not undone; if 0, there are no members.

	// Loop only.
	slots []uint32
	index uint32 // into loop.groups, while there are members
}

// NewGroup makes an empty group of connections of s.
func (s *Server) NewGroup() *Group {
	g := &Group{loops: make([]*members, len(s.loops))}
	for i, l := range s.loops {
		g.loops[i] = &members{group: g, loop: l}
	}
	return g
}

// on returns the group's part on a loop, or nil if the loop is another Server's.
func (g *Group) on(l *loop) *members {
	if i := l.index; i < len(g.loops) && g.loops[i].loop == l {
		return g.loops[i]
	}
	return nil
}

// Join adds a connection of the group's Server. Joining again has no effect. The error
// is ErrClosed, or a *wsproto.UsageError for another Server's connection.
func (g *Group) Join(c Conn) error {
	if c.closed() {
		return ErrClosed
	}
	m := g.on(c.conn.loop)
	if m == nil {
		return &wsproto.UsageError{Reason: "a group has the connections of one Server only"}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	m.count++
	err := c.conn.loop.post(task{kind: taskJoin, to: c, group: m}, nil)
	if err != nil {
		m.count--
	}
	return err
}

// Leave removes a connection, if it is a member.
func (g *Group) Leave(c Conn) {
	if c.conn == nil {
		return
	}
	m := g.on(c.conn.loop)
	if m == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if m.count > 0 {
		c.conn.loop.post(task{kind: taskLeave, to: c, group: m}, nil)
	}
}

// Send sends m to every member.
func (g *Group) Send(m *wsproto.Prepared, p Policy) { g.send(m, p, "") }

// SendNewest sends m to every member as the newest version of a state. The key says which
// state of the group it is; it must not be empty. The message replaces the previous
// version, unless a part of that has been written, and goes to the end of the queue: so a
// slow member has at most one version of each state waiting. If there is still no room, the
// member is closed with 1013.
func (g *Group) SendNewest(m *wsproto.Prepared, key string) {
	if key == "" {
		panic("server: Group.SendNewest with an empty key")
	}
	g.send(m, Evict, key)
}

func (g *Group) send(m *wsproto.Prepared, p Policy, key string) {
	if m == nil {
		panic("server: Group.Send of a nil *wsproto.Prepared")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, part := range g.loops {
		if part.count > 0 {
			part.loop.post(task{kind: taskGroup, group: part, m: m, policy: p, state: part.state(key)}, nil)
		}
	}
}

// state identifies what SendNewest sends versions of. Equal values are the same state.
type state struct {
	of  *members
	key string
}

// state returns nil for an empty key: the message is not a version of anything.
func (m *members) state(key string) *state {
	if key == "" {
		return nil
	}
	return &state{m, key}
}

// undo uncounts one Join.
func (m *members) undo() {
	m.group.mu.Lock()
	m.count--
	m.group.mu.Unlock()
}

// sendGroup queues a message for the members on this loop. It tears none of them down,
// so the list does not change meanwhile.
func (l *loop) sendGroup(m *members, msg *wsproto.Prepared, p Policy, of *state) {
	for _, slot := range m.slots {
		l.sendPrepared(l.at(slot), msg, p, of)
	}
}

// joinGroup adds a connection, or undoes the count if it is a member already.
func (l *loop) joinGroup(m *members, c *conn) {
	if len(m.slots) > 0 && c.groups.find(m.index) >= 0 {
		m.undo()
		return
	}
	if len(m.slots) == 0 {
		l.groups.add(m)
	}
	if c.groups == nil {
		c.groups = new(memberships)
	}
	c.groups.add(place{m.index, uint32(len(m.slots))})
	m.slots = append(m.slots, c.slot)
}

// leaveGroup removes a connection from a group, if it is a member.
func (l *loop) leaveGroup(m *members, c *conn) {
	if len(m.slots) == 0 {
		return
	}
	if i := c.groups.find(m.index); i >= 0 {
		l.vacate(c.groups.places[i])
		c.groups.remove(i)
	}
}

func (l *loop) leaveAll(c *conn) {
	if c.groups == nil {
		return
	}
	for _, p := range c.groups.places {
		l.vacate(p)
	}
	c.groups = nil
}

// vacate empties a place in a group; the last member moves into it.
func (l *loop) vacate(p place) {
	m := l.groups.list[p.group]
	last := uint32(len(m.slots) - 1)
	if moved := m.slots[last]; p.at != last {
		m.slots[p.at] = moved
		groups := l.at(moved).groups
		groups.places[groups.find(p.group)].at = p.at
	}
	m.slots = m.slots[:last]
	if last == 0 {
		l.groups.remove(m)
	}
	m.undo()
}
