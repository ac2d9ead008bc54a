package server

import (
	"slices"
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

// place is a connection's position in a group it joined.
type place struct {
	group uint32 // index into loop.groups
	at    uint32 // index into members.slots
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
	m := g.on(c.loop)
	if m == nil {
		return &wsproto.UsageError{Reason: "a group has the connections of one Server only"}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	m.count++
	err := c.loop.post(task{kind: taskJoin, slot: c.slot, gen: c.gen, group: m}, nil)
	if err != nil {
		m.count--
	}
	return err
}

// Leave removes a connection, if it is a member.
func (g *Group) Leave(c Conn) {
	if c.loop == nil {
		return
	}
	m := g.on(c.loop)
	if m == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if m.count > 0 {
		c.loop.post(task{kind: taskLeave, slot: c.slot, gen: c.gen, group: m}, nil)
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
	if own := g.post(m, p, key); own != nil {
		own.loop.sendGroup(own, m, p, own.state(key))
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

// post posts m to the loops, except to the caller's own if that needs no post: its
// members are returned. The caller sends to them after unlocking, because that can take
// long. Order holds: posts from elsewhere run only after this callback returns.
func (g *Group) post(m *wsproto.Prepared, p Policy, key string) (own *members) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, part := range g.loops {
		switch {
		case part.count == 0:
		case part.loop.maySendDirectly():
			own = part
		default:
			part.loop.post(task{kind: taskGroup, group: part, m: m, policy: p, state: part.state(key)}, nil)
		}
	}
	return own
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
		l.sendPrepared(slot, l.at(slot), msg, p, of)
	}
}

// join adds a connection, or undoes the count if it is a member already.
func (l *loop) join(m *members, slot uint32, c *conn) {
	if l.placeIn(m, c) >= 0 {
		m.undo()
		return
	}
	if len(m.slots) == 0 {
		l.groups.add(m)
	}
	c.groups = append(c.groups, place{m.index, uint32(len(m.slots))})
	m.slots = append(m.slots, slot)
}

func (l *loop) leave(m *members, c *conn) {
	if i := l.placeIn(m, c); i >= 0 {
		l.remove(c.groups[i])
		c.groups = slices.Delete(c.groups, i, i+1)
	}
}

func (l *loop) leaveAll(c *conn) {
	for _, p := range c.groups {
		l.remove(p)
	}
	c.groups = nil
}

// placeIn is the index of a connection's place in a group, or -1.
func (l *loop) placeIn(m *members, c *conn) int {
	if len(m.slots) == 0 {
		return -1
	}
	return slices.IndexFunc(c.groups, func(p place) bool { return p.group == m.index })
}

// remove removes a place from its group; the last member moves into it.
func (l *loop) remove(p place) {
	m := l.groups.list[p.group]
	last := uint32(len(m.slots) - 1)
	if moved := m.slots[last]; p.at != last {
		m.slots[p.at] = moved
		places := l.at(moved).groups
		places[slices.Index(places, place{p.group, last})].at = p.at
	}
	m.slots = m.slots[:last]
	if last == 0 {
		l.groups.remove(m)
	}
	m.undo()
}

// groups are the groups that have members on a loop. A number is half as long as a
// pointer, and a connection may be in many groups.
type groups struct {
	list []*members // nil where one was removed
	free []uint32   // indexes of these
}

func (g *groups) add(m *members) {
	if n := len(g.free); n > 0 {
		m.index = g.free[n-1]
		g.free = g.free[:n-1]
		g.list[m.index] = m
		return
	}
	m.index = uint32(len(g.list))
	g.list = append(g.list, m)
}

func (g *groups) remove(m *members) {
	m.slots = nil
	g.list[m.index] = nil
	g.free = append(g.free, m.index)
}
