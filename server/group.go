package server

import (
	"iter"
	"slices"
	"sync"

	"github.com/hawser-ws/hawser/frame"
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

// Group is a set of connections that are sent the same messages:
//
//	g.Send(wsproto.NewPrepared(frame.Text, text), server.Evict)
//
// A message is encoded once, by [wsproto.NewPrepared], costs one post for each loop that has
// members, and every member receives the group's messages in the same order. Its methods
// may be called from any goroutine and do not block, except SendWait.
//
// A member receives exactly what is sent between its Join and its Leave. A connection
// that ends leaves all its groups. An empty group needs no closing: it is garbage once
// nothing refers to it.
type Group struct {
	mu    sync.Mutex // held while one call posts to all loops, so that all see one order
	loops []*members // Immutable.
}

// members is the part of a group that lives on one loop.
type members struct {
	group *Group
	loop  *loop
	count int // Guarded by group.mu. Joins posted and not undone; if 0, there are no members.

	slots []uint32 // Guarded by group.mu, for all but the loop, which alone changes it.

	// Loop only.
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

// LeaveAll removes every member.
func (g *Group) LeaveAll() { g.postEnd(task{kind: taskLeaveAll}, nil) }

// Close closes every member's connection, as Conn.Close does. The error is a
// *wsproto.UsageError for a code or reason that must not be sent.
func (g *Group) Close(code wsproto.CloseCode, reason string) error {
	if err := wsproto.CheckClose(code, reason); err != nil {
		return err
	}
	g.postEnd(task{kind: taskCloseAll, code: code}, []byte(reason))
	return nil
}

func (g *Group) postEnd(t task, p []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, part := range g.loops {
		if part.count > 0 {
			t.group = part
			part.loop.post(t, p) // ErrClosed: the loop has ended, and so have its connections
		}
	}
}

// Len returns the number of members. A loop that has not yet carried out a Join counts it, and
// one that has not yet carried out a Leave counts the member.
func (g *Group) Len() (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, part := range g.loops {
		n += part.count
	}
	return n
}

// Members ranges over the members in no particular order, as they were when the loop over
// them began. The group may be used meanwhile. A connection is a member once its loop has
// carried out the Join, and until it has carried out the Leave: usually that is at once, but
// in a callback not before the callback has returned.
func (g *Group) Members() iter.Seq[Conn] {
	return func(yield func(Conn) bool) {
		for _, c := range g.snapshot() {
			if !yield(c) {
				return
			}
		}
	}
}

func (g *Group) snapshot() (all []Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, part := range g.loops {
		for _, slot := range part.slots {
			all = append(all, part.loop.at(slot).handle())
		}
	}
	return all
}

// Send sends m to every member but those in except. The error is ErrBusy if a loop that has
// members cannot keep up; then no member is sent it, whatever the policy.
func (g *Group) Send(m *wsproto.Prepared, p Policy, except ...Conn) error {
	return g.send(task{m: m, policy: p, except: except}, "")
}

// SendNewest sends m to every member as the newest version of a state. The key says which
// state of the group it is; it must not be empty. The message replaces the previous
// version, unless a part of that has been written, and goes to the end of the queue: so a
// slow member has at most one version of each state waiting. If there is still no room, the
// member is closed with 1013. The error is that of Send.
func (g *Group) SendNewest(m *wsproto.Prepared, key string) error {
	if key == "" {
		panic("server: Group.SendNewest with an empty key")
	}
	return g.send(task{m: m}, key)
}

// send posts a message to all loops that have members, or to none.
func (g *Group) send(t task, key string) error {
	if t.m == nil {
		panic("server: Group.Send of a nil *wsproto.Prepared")
	}
	t.kind = taskGroup
	g.mu.Lock()
	defer g.mu.Unlock()
	// Every group locks the mailboxes in the order of the loops.
	room := true
	locked := 0
	for _, part := range g.loops {
		if locked++; part.count > 0 {
			b := &part.loop.box
			b.mu.Lock()
			if room = part.loop.takes(&t, 0); !room {
				break
			}
		}
	}
	for _, part := range g.loops[:locked] {
		if part.count == 0 {
			continue
		}
		if room && !part.loop.box.closed {
			t.group, t.state = part, part.state(key)
			part.loop.put(t, nil)
		}
		part.loop.box.mu.Unlock()
	}
	if !room {
		return ErrBusy
	}
	return nil
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

// sendGroup queues a run of messages of one group for the members on this loop: all of them for
// one member, then for the next, so that each connection is fetched into the processor's cache
// once. It tears none of them down, so the list does not change meanwhile.
func (l *loop) sendGroup(run []task) {
	l.joinFrames(run)
	for _, slot := range run[0].group.slots {
		c := l.at(slot)
		for i := range run {
			t := &run[i]
			if len(t.except) > 0 && slices.Contains(t.except, c.handle()) {
				continue
			}
			l.sendPrepared(c, t, l.joined[i])
		}
	}
	clear(l.joined)
}

// maxRun bounds the bytes of a run's messages: while a member waits to be sent one of them,
// all of them stay in memory.
const maxRun = 64 << 10

// groupRun returns how many of the tasks, the first of which is a group's message, are a run:
// messages of the same group, one directly after the other.
func groupRun(tasks []task) int {
	size := 0
	for i := range tasks {
		t := &tasks[i]
		if t.kind != taskGroup || t.group != tasks[0].group {
			return i
		}
		if size += frameSize(len(t.m.Payload())); i > 0 && size > maxRun {
			return i
		}
	}
	return len(tasks)
}

// joinFrames sets joined to the frames of a run, in one piece of memory: then they are one segment
// of an outbox, and need not be copied together for every member. Those of a run of one message
// are left nil, and those of versions of states: each remains a segment of its own, and while it
// waits for a slow member, it must not keep the others in memory.
func (l *loop) joinFrames(run []task) {
	l.joined = slices.Grow(l.joined[:0], len(run))[:len(run)] // all nil, as sendGroup clears it
	if len(run) == 1 {
		return
	}
	n := 0
	for i := range run {
		if run[i].state == nil {
			n += frameSize(len(run[i].m.Payload()))
		}
	}
	buf := make([]byte, 0, n)
	for i := range run {
		m := run[i].m
		if run[i].state != nil {
			continue
		}
		from := len(buf)
		buf = frame.Header{Fin: true, Opcode: m.Opcode(), Length: uint64(len(m.Payload()))}.Append(buf)
		buf = append(buf, m.Payload()...)
		l.joined[i] = buf[from:]
	}
}

// closeAll closes the members on this loop. Closing tears none of them down.
func (l *loop) closeAll(m *members, code wsproto.CloseCode, reason string) {
	for _, slot := range m.slots {
		if c := l.at(slot); c.genClosed.Load()&1 == 0 {
			l.sendClose(c, code, reason, nil)
		}
	}
}

// joinGroup adds a connection, or undoes the count if it is a member already.
func (l *loop) joinGroup(m *members, c *conn) {
	m.group.mu.Lock()
	defer m.group.mu.Unlock()
	if len(m.slots) > 0 && c.groups.find(m.index) >= 0 {
		m.count--
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

// undo uncounts the Join of a connection that has ended.
func (m *members) undo() {
	m.group.mu.Lock()
	m.count--
	m.group.mu.Unlock()
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

// emptyGroup removes all members on this loop.
func (l *loop) emptyGroup(m *members) {
	for len(m.slots) > 0 {
		l.leaveGroup(m, l.at(m.slots[len(m.slots)-1]))
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
	m.group.mu.Lock()
	defer m.group.mu.Unlock()
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
	m.count--
}
