package redis

import (
	"context"
	"slices"
	"strconv"
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
	closed     bool
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
	if r.closed || room != "" && !p.known && p.rooms[room] > 0 {
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

// run tells Redis what is in the queue.
func (r *roster) run() {
	defer close(r.done)
	failures := 0
	for {
		r.mu.Lock()
		for r.answer(nil); len(r.queue) == 0 && !r.closed; r.answer(nil) {
			r.wake.Wait()
		}
		if r.closed {
			r.answer(errClosed)
			r.mu.Unlock()
			return
		}
		n := min(len(r.queue), 256)
		changes := r.queue[:n:n]
		if r.queue = r.queue[n:]; len(r.queue) == 0 {
			r.queue = nil
		}
		id := r.id
		r.mu.Unlock()
		ctx, cancel := context.WithTimeout(r.b.ctx, r.b.cfg.Timeout)
		err := r.tell(ctx, id, changes)
		cancel()
		r.mu.Lock()
		r.told += n
		if err == nil {
			failures = 0
			r.mu.Unlock()
			continue
		}
		if r.id == id {
			r.told -= n
			r.retry(changes)
		}
		r.answer(err)
		r.mu.Unlock()
		failures++
		r.b.pause(failures)
	}
}

// answer answers those who wait: all of them if there is an error. Called with mu held.
func (r *roster) answer(err error) {
	r.waiting = slices.DeleteFunc(r.waiting, func(w waiter) bool {
		ready := err != nil || w.told <= r.told
		if ready {
			w.done <- err
		}
		return ready
	})
}

// retry puts changes back that may or may not have been told, as it is now. Called with mu held.
func (r *roster) retry(changes []presenceChange) {
	var again []presenceChange
	seen := make(map[[2]string]bool)
	for _, c := range append(changes, r.queue...) {
		key := [2]string{c.room, c.user}
		if seen[key] {
			continue
		}
		seen[key] = true
		if p := r.people[c.user]; p != nil {
			c.here, c.rev, c.as = p.here(c.room), p.rev, p.user
		} else {
			c.here = false
		}
		again = append(again, c)
	}
	r.told += len(changes) + len(r.queue) - len(again)
	r.queue = again
}

// tell tells Redis some changes.
func (r *roster) tell(ctx context.Context, id string, changes []presenceChange) error {
	r.mu.Lock()
	registered := r.registered
	r.mu.Unlock()
	if !registered {
		if err := r.b.register(ctx, id); err != nil {
			return err
		}
		r.mu.Lock()
		r.registered = r.id == id
		r.mu.Unlock()
	}
	// Somebody who is only at a dead node does not count any more, although that is not removed
	// yet. Those who have asked meanwhile must hear that they are here.
	again := r.b.anyDead()
	var places, online []call
	for _, c := range changes {
		c.again = c.again || again
		if c.room == "" {
			online = append(online, r.b.onlineCall(id, c.user, c.here))
		} else {
			places = append(places, r.b.placeCall(id, c))
		}
	}
	for _, result := range placeScript.runAll(ctx, r.b.client, places) {
		if err := result.Error(); err != nil {
			return err
		}
	}
	for _, result := range onlineScript.runAll(ctx, r.b.client, online) {
		if err := result.Error(); err != nil {
			return err
		}
	}
	return nil
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// state is what place.lua is told of a user in a room.
func (c presenceChange) state() string {
	if c.here && c.again {
		return "2"
	}
	return flag(c.here)
}

func (b *broker) onlineCall(node, user string, here bool) call {
	return call{
		keys: []string{b.keys.online(user), b.keys.ofNode(partition(user), node)},
		args: []string{node, user, flag(here)},
	}
}

func (b *broker) placeCall(node string, c presenceChange) call {
	conversation := chat.RoomConversation(c.room)
	return call{
		keys: []string{b.keys.present(conversation), b.keys.presence(conversation), b.keys.ofNode(partition(string(conversation)), node), b.keys.channel(conversation), b.keys.moves(partition(string(conversation)))},
		args: []string{node, c.user, c.room, c.state(), strconv.FormatInt(c.rev, 10), strconv.FormatInt(c.as.Created, 10), c.as.Name},
	}
}

// flush waits until Redis was told everything that is in the queue now.
func (r *roster) flush(ctx context.Context) error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil
	}
	w := waiter{r.pushed, make(chan error, 1)}
	r.waiting = append(r.waiting, w)
	r.wake.Signal()
	r.mu.Unlock()
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leaveAll ends everybody's presence, and the roster. If Redis cannot be told, it finds out that
// the node is dead.
func (r *roster) leaveAll(ctx context.Context) {
	r.mu.Lock()
	for id, p := range r.people {
		delete(r.people, id)
		rooms := p.rooms
		p.rooms, p.connections = nil, 0
		for room := range rooms {
			r.push(room, p)
		}
		r.push("", p)
	}
	registered := r.registered || len(r.queue) > 0
	id := r.id
	r.mu.Unlock()
	err := r.flush(ctx)
	r.mu.Lock()
	r.closed = true
	r.wake.Signal()
	r.mu.Unlock()
	<-r.done
	if err == nil && registered {
		r.b.unregister(ctx, id)
	}
}

// pause waits before something is tried again that has failed.
func (b *broker) pause(failures int) {
	select {
	case <-time.After(jitter(50 * time.Millisecond << min(failures, 5))):
	case <-b.ctx.Done():
	}
}
