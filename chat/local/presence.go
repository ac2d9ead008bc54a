package local

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/hawser-ws/hawser/chat"
)

// Presence is a chat.Presence of one process.
type Presence struct {
	broker *Broker

	mu sync.Mutex
	// Guarded by mu. Events are sent under it, so that they come in the order of what
	// they tell.
	people map[string]*person // by id, those who are connected
	rooms  map[string]map[*person]int
}

// person is somebody who is connected.
type person struct {
	user        chat.User
	connections int
}

// NewPresence makes a Presence whose events go through a broker.
func NewPresence(b *Broker) *Presence {
	return &Presence{broker: b, people: make(map[string]*person), rooms: make(map[string]map[*person]int)}
}

// Connect implements chat.Presence.
func (p *Presence) Connect(_ context.Context, u chat.User) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.people[u.ID]
	if one == nil {
		one = &person{user: u}
		p.people[u.ID] = one
	}
	one.connections++
	return nil
}

// Disconnect implements chat.Presence.
func (p *Presence) Disconnect(_ context.Context, userID string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if one := p.people[userID]; one != nil {
		if one.connections--; one.connections == 0 {
			delete(p.people, userID)
		}
	}
	return nil
}

// Enter implements chat.Presence.
func (p *Presence) Enter(_ context.Context, room, userID string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.people[userID]
	if one == nil {
		return chat.ErrNotFound
	}
	there := p.rooms[room]
	if there == nil {
		there = make(map[*person]int)
		p.rooms[room] = there
	}
	there[one]++
	if there[one] == 1 {
		p.broker.here(room, chat.PresenceEvent{Kind: chat.Joined, User: one.user})
	}
	return nil
}

// Leave implements chat.Presence.
func (p *Presence) Leave(_ context.Context, room, userID string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	one, there := p.people[userID], p.rooms[room]
	if one == nil || there[one] == 0 {
		return chat.ErrNotFound
	}
	if there[one]--; there[one] > 0 {
		return nil
	}
	delete(there, one)
	if len(there) == 0 {
		delete(p.rooms, room)
	}
	p.broker.here(room, chat.PresenceEvent{Kind: chat.Left, User: one.user})
	return nil
}

// Rename implements chat.Presence.
func (p *Presence) Rename(_ context.Context, u chat.User) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.people[u.ID]
	if one == nil {
		return nil
	}
	before := one.user.Name
	one.user = u
	for room, there := range p.rooms {
		if there[one] > 0 {
			p.broker.here(room, chat.PresenceEvent{Kind: chat.Renamed, User: u, Before: before})
		}
	}
	return nil
}

// Users implements chat.Presence.
func (p *Presence) Users(_ context.Context, room string, limit int) (users []chat.User, more bool, err error) {
	p.mu.Lock()
	for one := range p.rooms[room] {
		users = append(users, one.user)
	}
	p.mu.Unlock()
	slices.SortFunc(users, func(a, b chat.User) int { return cmp.Compare(a.ID, b.ID) })
	return users[:min(limit, len(users))], len(users) > limit, nil
}

// Counts implements chat.Presence.
func (p *Presence) Counts(_ context.Context, rooms []string) ([]int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	counts := make([]int, len(rooms))
	for i, room := range rooms {
		counts[i] = len(p.rooms[room])
	}
	return counts, nil
}

// Online implements chat.Presence.
func (p *Presence) Online(_ context.Context, userIDs []string) (map[string]chat.User, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	online := make(map[string]chat.User)
	for _, id := range userIDs {
		if one := p.people[id]; one != nil {
			online[id] = one.user
		}
	}
	return online, nil
}
