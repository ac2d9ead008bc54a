package local

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/tidwall/btree"

	"github.com/hawser-ws/hawser/chat"
)

// Announcer tells the nodes that subscribe to a room about a presence event in it. Broker
// implements it.
type Announcer interface {
	Here(room string, ev chat.PresenceEvent)
}

// Users provides users' names. A chat.Directory implements it.
type Users interface {
	User(ctx context.Context, id string) (chat.User, error)
}

// Presence is a chat.Presence of one process.
type Presence struct {
	announcer Announcer
	users     Users

	mu sync.Mutex
	// Guarded by mu. Events are sent with it held, so that they arrive in the right order.
	people map[string]*person // by id, the connected users
	rooms  map[string]*room   // by name, the rooms with users in them
}

// person is a user who is connected.
type person struct {
	user        chat.User // except for the id, not known before the directory was read
	known       bool
	connections int
	in          []*room // one for each connection in a room: the same room may stand here twice
}

// room is a room that someone is in.
type room struct {
	name   string
	people *btree.BTreeG[*person] // in byte order of their ids, so that a list of some is cheap in a room of many
}

// NewPresence returns a Presence that sends its events through a.
func NewPresence(a Announcer, users Users) *Presence {
	return &Presence{announcer: a, users: users, people: make(map[string]*person), rooms: make(map[string]*room)}
}

func newRoom(name string) *room {
	byID := func(a, b *person) bool { return a.user.ID < b.user.ID }
	return &room{name: name, people: btree.NewBTreeGOptions(byID, btree.Options{NoLocks: true})}
}

// Connect counts a connection of a user, and returns the user. A Node of any broker may use
// this and the methods below to implement chat.Node.
func (p *Presence) Connect(ctx context.Context, userID string) (chat.User, error) {
	p.mu.Lock()
	one := p.people[userID]
	if one == nil {
		one = &person{user: chat.User{ID: strings.Clone(userID)}}
		p.people[one.user.ID] = one
	}
	one.connections++
	user, known := one.user, one.known
	p.mu.Unlock()
	if known {
		return user, nil
	}
	user, err := p.users.User(ctx, userID)
	if err != nil {
		return user, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !one.known { // otherwise a new name has arrived in the meantime
		one.user, one.known = user, true
	}
	return one.user, nil
}

// Disconnect undoes Connect. With the last one, the user leaves all rooms.
func (p *Presence) Disconnect(userID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.people[userID]
	if one == nil {
		return
	}
	if one.connections--; one.connections > 0 {
		return
	}
	delete(p.people, userID)
	for len(one.in) > 0 {
		p.remove(one, len(one.in)-1)
	}
}

// Enter records that a connection of a user is in a room.
func (p *Presence) Enter(name, userID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.people[userID]
	if one == nil || !one.known {
		return
	}
	r := p.rooms[name]
	if r == nil {
		r = newRoom(strings.Clone(name)) // it may be part of a larger message
		p.rooms[r.name] = r
	}
	if !slices.Contains(one.in, r) {
		r.people.Set(one)
		p.announcer.Here(r.name, chat.PresenceEvent{Kind: chat.Joined, User: one.user})
	}
	if n := len(one.in); n == cap(one.in) { // grow in small steps, not by doubling: users stay in their rooms for long
		one.in = append(make([]*room, 0, n+n/8+2), one.in...)
	}
	one.in = append(one.in, r)
}

// Leave undoes Enter.
func (p *Presence) Leave(name, userID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.people[userID]
	if one == nil {
		return
	}
	if i := slices.IndexFunc(one.in, func(r *room) bool { return r.name == name }); i >= 0 {
		p.remove(one, i)
	}
}

// remove removes one of a user's connections from a room: that of one.in[i]. Called with mu held.
func (p *Presence) remove(one *person, i int) {
	r := one.in[i]
	last := len(one.in) - 1
	one.in[i], one.in[last] = one.in[last], nil
	if one.in = one.in[:last]; last == 0 {
		one.in = nil
	}
	if slices.Contains(one.in, r) {
		return
	}
	r.people.Delete(one)
	if r.people.Len() == 0 {
		delete(p.rooms, r.name)
	}
	p.announcer.Here(r.name, chat.PresenceEvent{Kind: chat.Left, User: one.user})
}

// Renamed replaces a user who is connected and, if the name is new, tells the nodes that
// subscribe to the user's rooms.
func (p *Presence) Renamed(u chat.User) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.people[u.ID]
	if one == nil {
		return
	}
	before := one.user.Name
	one.user, one.known = u, true
	if before == u.Name {
		return
	}
	for i, r := range one.in {
		if !slices.Contains(one.in[:i], r) {
			p.announcer.Here(r.name, chat.PresenceEvent{Kind: chat.Renamed, User: u, Before: before})
		}
	}
}

// Forget makes the next Connect look a user up again, because they were deleted.
func (p *Presence) Forget(userID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if one := p.people[userID]; one != nil {
		one.known = false
	}
}

// Users implements chat.Presence.
func (p *Presence) Users(ctx context.Context, name string, limit int) (users []chat.User, more bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.rooms[name]
	if r == nil {
		return nil, false, nil
	}
	users = make([]chat.User, 0, min(limit, r.people.Len()))
	r.people.Scan(func(one *person) bool {
		if more = len(users) == limit; more {
			return false
		}
		users = append(users, one.user)
		return true
	})
	return users, more, nil
}

// Counts implements chat.Presence.
func (p *Presence) Counts(ctx context.Context, rooms []string) ([]int, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	counts := make([]int, len(rooms))
	for i, name := range rooms {
		if r := p.rooms[name]; r != nil {
			counts[i] = r.people.Len()
		}
	}
	return counts, nil
}

// Online implements chat.Presence.
func (p *Presence) Online(ctx context.Context, userIDs []string) (map[string]chat.User, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	online := make(map[string]chat.User)
	for _, id := range userIDs {
		if one := p.people[id]; one != nil && one.known {
			online[id] = one.user
		}
	}
	return online, nil
}
