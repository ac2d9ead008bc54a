//go:build linux

package faults

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// person is a user who may have several clients.
type person struct {
	name    string
	devices int

	mu sync.Mutex
	// Guarded by mu.
	account account
	rooms   map[string]bool // the rooms that they want to be a member of
	members map[string]bool // the rooms that they are a member of, as far as their clients know
}

func (p *person) get() account {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.account
}

// renew makes the person another user, unless another client has done it: after a loss
// of everything no user has the old token.
func (p *person) renew(ctx context.Context, n *node, old string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.account.Token != old {
		return nil
	}
	a, err := n.guest(ctx, p.name)
	if err == nil {
		p.account, p.members = a, map[string]bool{}
	}
	return err
}

// wants returns the rooms that the person wants to be a member of, in order.
func (p *person) wants() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.rooms))
}

func (p *person) want(room string, want bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if want {
		p.rooms[room] = true
	} else {
		delete(p.rooms, room)
		delete(p.members, room)
	}
}

// isMember notes that the person is a member of a room, and member tells it.
func (p *person) isMember(room string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.members[room] = p.rooms[room]
}

// forget notes that the person may not be a member of a room.
func (p *person) forget(room string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.members, room)
}

func (p *person) member(room string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.members[room]
}
