package redis

import (
	"slices"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// roster is who is connected to a node, and who of them is in which room, as far as other nodes
// must know it: the first connection and the last. Calls only take note. A goroutine tells
// Redis, in order; after a failure, what is right by then.
type roster struct {
	b  *broker
	id string // the node's id in Redis; Guarded by mu, as it is another one after the node was thought dead

	mu   sync.Mutex
	wake sync.Cond
	// Guarded by mu.
	people     map[string]*person
	queue      []presenceChange
	pushed     int // how many changes there ever were in the queue
	told       int // how many of them Redis was told, or need not be
	waiting    []waiter
	registered bool
	unsure     map[[2]string]bool    // rooms and users that Redis was told, and that a failover may have lost
	doubts     int                   // how often that was so, one after the other
	recent     [2]map[[2]string]bool // rooms and users that Redis was told lately, and before
	turned     time.Time             // when the first of them became the second
	closed     bool
	silent     bool          // another process has told Redis; see inherit.go
	done       chan struct{} // closed when the goroutine has ended

	telling sync.Mutex // held from when a name becomes known until the receiver was told
}

// person is a user who is connected to the node.
type person struct {
	user        chat.User // but for the id, not known before it was read
	known       bool
	rev         int64 // of the name
	connections int
	rooms       map[string]int // how often they have entered each
}

// waiter waits until so many changes were told.
type waiter struct {
	told int
	done chan error
}

// presenceChange is a user who comes or goes, or whose name has changed: online if room is "".
type presenceChange struct {
	room, user string
	here       bool
	again      bool // it is told also if it is stored, as it may be believed to be otherwise
	doubted    bool // so it is, and that they are elsewhere: a master that was replaced may have told what its successor does not know
	rev        int64
	as         chat.User
}

func newRoster(b *broker) *roster {
	r := &roster{b: b, id: newNodeID(), people: make(map[string]*person), done: make(chan struct{})}
	r.wake.L = &r.mu
	go r.run()
	return r
}

// connect counts a connection.
func (r *roster) connect(userID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.people[userID]
	if p == nil {
		p = &person{user: chat.User{ID: userID}, rooms: make(map[string]int)}
		r.people[userID] = p
	}
	if p.connections++; p.connections == 1 {
		r.push("", p)
	}
}

// is takes note of a user as they were read, unless something newer is known. It returns what
// is known.
func (r *roster) is(u chat.User, rev int64) chat.User {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.people[u.ID]
	if p == nil {
		return u
	}
	if !p.known || rev >= p.rev {
		r.become(p, u, rev)
	}
	return p.user
}

// become gives a person a name. Called with mu held.
func (r *roster) become(p *person, u chat.User, rev int64) {
	again := !p.known || p.user.Name != u.Name
	p.user, p.rev, p.known = u, rev, true
	if again {
		for room := range p.rooms {
			r.push(room, p)
		}
	}
}

// renamed takes note of a new name, and tells the receiver, unless it was known.
func (r *roster) renamed(u chat.User, rev int64, tell func(chat.User)) {
	r.telling.Lock()
	defer r.telling.Unlock()
	r.mu.Lock()
	p := r.people[u.ID]
	if p == nil || p.known && rev <= p.rev {
		r.mu.Unlock()
		return
	}
	known := p.known // otherwise Connect returns the name
	if known {
		u.Guest, u.ValidFrom = p.user.Guest, p.user.ValidFrom
	}
	r.become(p, u, rev)
	r.mu.Unlock()
	if known {
		tell(u)
	}
}

// disconnect undoes connect, and reports whether there was one. With the last, the user leaves
// all rooms.
func (r *roster) disconnect(userID string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.people[userID]
	if p == nil {
		return false
	}
	if p.connections--; p.connections > 0 {
		return true
	}
	delete(r.people, userID)
	rooms := p.rooms
	p.rooms = nil
	for room := range rooms {
		r.push(room, p)
	}
	r.push("", p)
	return true
}

func (r *roster) enter(room, userID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.people[userID]
	if p == nil {
		return
	}
	if p.rooms[room]++; p.rooms[room] == 1 {
		r.push(room, p)
	}
}

func (r *roster) leave(room, userID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.people[userID]
	if p == nil || p.rooms[room] == 0 {
		return
	}
	if p.rooms[room]--; p.rooms[room] == 0 {
		delete(p.rooms, room)
		r.push(room, p)
	}
}

// push has Redis told where a person is. Called with mu held.
func (r *roster) push(room string, p *person) {
	if r.closed || r.silent || room != "" && !p.known && p.rooms[room] > 0 {
		return // who it is becomes known later
	}
	r.pushed++
	r.queue = append(r.queue, presenceChange{room: room, user: p.user.ID, here: p.here(room), rev: p.rev, as: p.user})
	r.wake.Signal()
}

func (p *person) here(room string) bool {
	if room == "" {
		return p.connections > 0
	}
	return p.rooms[room] > 0
}

// allIn reports whether all connections of a user are in these rooms, and in no others.
func (r *roster) allIn(userID string, rooms []string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.people[userID]
	if p == nil {
		return true
	}
	return len(rooms) == len(p.rooms) && !slices.ContainsFunc(rooms, func(room string) bool { return p.rooms[room] != p.connections })
}

// all are the users who are connected.
func (r *roster) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := make([]string, 0, len(r.people))
	for id := range r.people {
		ids = append(ids, id)
	}
	return ids
}

// again has Redis told everything, under a new id: the node was thought dead, or Redis has lost
// what it knew.
func (r *roster) again() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told += len(r.queue)
	r.id, r.registered, r.queue = newNodeID(), false, nil
	for _, p := range r.people {
		r.push("", p)
		for room := range p.rooms {
			r.push(room, p)
		}
	}
	for i := range r.queue {
		r.queue[i].again = true
	}
}
