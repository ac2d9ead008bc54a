package chat

import (
	"maps"
	"slices"
	"time"

	"github.com/hawser-ws/hawser/wsproto/snapshot"
)

// This file writes what a frozen hub and its connections are.

// Freeze returns what Frozen.Open needs to know of a connection. The hub must be frozen.
func (c *Connection) Freeze() []byte {
	f := c.describe()
	return encode(nil, f.fields)
}

func (c *Connection) describe() *frozenConnection {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.written = true
	now := c.hub.clock.Monotonic()
	f := &frozenConnection{
		state: c.state, certified: c.info.UserID, muted: c.muted,
		paused: c.paused, admitted: c.admitted, throttled: c.throttled, refusal: c.refusal,
		pace: max(c.pace-now, 0),
	}
	if c.info.RemoteAddr.IsValid() {
		b, _ := c.info.RemoteAddr.MarshalBinary() // there are no errors
		f.remote = string(b)
	}
	if c.stopTimer != nil {
		f.timer = max(c.timerAt-now, 1)
	}
	if c.fast != 0 {
		f.fast = max(now-c.fast, 1)
	}
	for _, at := range c.errors {
		f.errors = append(f.errors, now-at)
	}
	if c.closing != nil {
		f.closing = &frozenClosing{c.closing.code, c.closing.reason, max(c.closing.cutAt-now, 0)}
	}
	f.queue = frozenQueue(c.queue)
	if c.person != nil {
		c.describeUser(f)
	}
	return f
}

// frozenQueue returns the texts of operations. Of those that the engine has caused, one that looks at all
// memberships takes the place of all.
func frozenQueue(queue []*Operation) (texts []string) {
	for _, op := range queue {
		switch {
		case !op.kind.internal:
			texts = append(texts, string(op.text))
		case !slices.Contains(texts, ""):
			texts = append(texts, "")
		}
	}
	return texts
}

// describeUser adds what a connection has since its log-in. Called with mu held.
func (c *Connection) describeUser(f *frozenConnection) {
	f.user, f.session, f.role, f.features = c.person.id, c.session, c.role, c.features
	if x := c.expiry; x != nil {
		f.expires, f.warned = x.at, x.warned
	}
	f.rooms = c.roomNames()
	var own []*behind // of the catchUp
	if u := c.catching; u != nil {
		own = u.behind
		f.catchUp = u.describe()
	}
	for _, r := range c.rooms {
		s := c.hub.shard(RoomConversation(r.name))
		s.mu.Lock()
		if b := s.of(c, RoomConversation(r.name)); b != nil && !slices.Contains(own, b) {
			f.ahead = append(f.ahead, b.describe())
		}
		s.mu.Unlock()
	}
	for _, b := range c.ahead {
		s := c.hub.shard(b.in)
		s.mu.Lock()
		if b.index >= 0 {
			f.ahead = append(f.ahead, b.describe())
		}
		s.mu.Unlock()
	}
}

func (c *Connection) roomNames() (names []string) {
	for _, r := range c.rooms {
		names = append(names, r.name)
	}
	return names
}

// describe is called with shard.mu held.
func (b *behind) describe() *frozenBehind {
	return &frozenBehind{
		receiver: b.receiver, held: b.held, valid: b.valid, epoch: b.epoch, at: b.at, last: b.last, until: b.until,
		begun: b.begun, stale: b.stale, missed: uint64(b.missed), ahead: b.ahead, cut: b.cut || len(b.kept) > 0, lost: b.lost,
	}
}

// describe is called between two steps.
func (u *catchUp) describe() *frozenCatchUp {
	f := &frozenCatchUp{ref: u.op.ref, missed: uint64(u.missed)}
	for _, b := range u.behind {
		s := u.hub.shard(b.in)
		s.mu.Lock()
		f.behind = append(f.behind, b.describe())
		s.mu.Unlock()
	}
	if l := u.talks; l != nil {
		u.hub.mu.Lock()
		f.talks = &frozenTalks{since: l.since, after: l.after, told: uint64(l.told), listed: l.listed,
			known: conversationNames(l.known), missed: conversationNames(l.missed)}
		u.hub.mu.Unlock()
	}
	return f
}

func conversationNames(all map[Conversation]bool) (names []string) {
	for _, c := range slices.Sorted(maps.Keys(all)) {
		names = append(names, string(c))
	}
	return names
}

// frozenHub is what a hub knows beside its connections.
type frozenHub struct {
	limits      []byte
	rooms       []*frozenRoom
	connections uint64 // how many there are, about
}

// frozenRoom is a room whose bucket is not empty.
type frozenRoom struct {
	name string
	used time.Duration
}

func (f *frozenHub) fields(c *codec) {
	limits := string(f.limits)
	c.string(1, &limits)
	f.limits = []byte(limits)
	records(c, 2, &f.rooms, (*frozenRoom).fields)
	c.uint(3, &f.connections)
}

func (f *frozenRoom) fields(c *codec) {
	c.string(1, &f.name)
	integer(c, 2, &f.used)
}

// State returns what Restore needs to know of the hub.
func (f *Frozen) State() []byte {
	h := f.h
	now := h.clock.Monotonic()
	h.mu.Lock()
	state := &frozenHub{connections: uint64(len(h.connections))}
	h.mu.Unlock()
	if l, ok := h.limits.(interface {
		appendState(dst []byte, now time.Duration) []byte
	}); ok {
		state.limits = l.appendState(nil, now)
	}
	for _, s := range h.shards {
		s.mu.Lock()
		for name, r := range s.rooms {
			if used := time.Duration(r.out.full.Load()) - now; used > 0 {
				state.rooms = append(state.rooms, &frozenRoom{name, used})
			}
		}
		s.mu.Unlock()
	}
	return encode(nil, state.fields)
}

// frozenLeft is a user's connection that does not move.
type frozenLeft struct {
	user, session string
	rooms         []string
}

func (f *frozenLeft) fields(c *codec) {
	c.string(1, &f.user)
	c.string(2, &f.session)
	c.strings(3, &f.rooms)
}

// Left returns what RestoreLeft needs to know of the connections on which Freeze was not called: they will have
// ended when the other process takes over. n is how many have logged in.
func (f *Frozen) Left() (state []byte, n int) {
	h := f.h
	h.mu.Lock()
	var people []*Connection
	for _, p := range h.people {
		people = append(people, p.connections...)
	}
	h.mu.Unlock()
	for _, c := range people {
		c.mu.Lock()
		if !c.written {
			one := &frozenLeft{c.person.id, c.session, c.roomNames()}
			state = snapshot.AppendBytes(state, encode(nil, one.fields))
			n++
		}
		c.mu.Unlock()
	}
	return state, n
}
