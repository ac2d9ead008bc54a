package doorbell

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// This file lets a node of another process go on where one stands:
//
//	old process                    new process
//	                               Attach, Freeze: nothing is read
//	Freeze
//	State ----- positions -------> Inherit
//	                               Subscribe and Follow, for all who are connected
//	ends, without Detach           Thaw
//
// A thawed node must be probed: doorbells may have been lost.

// Standing is what a frozen node knows.
type Standing struct {
	Conversations []Place
	Inboxes       []InboxPlace
}

// Place is where a node stands in a conversation.
type Place struct {
	Conversation chat.Conversation
	Subscribed   bool
	Tail         chat.Tail     // the last change that the receiver was given
	Told         chat.Tail     // of a later epoch, which somebody at the receiver's side knows; zero: none is
	Idle         time.Duration // since a private one had a hint or a change
}

// InboxPlace is where a node stands among the hints for a user.
type InboxPlace struct {
	User    string
	Last    uint64 // the number of the last hint that was read
	Started bool   // Last is known
	Again   bool   // it was known before
}

// errUnknownPlace is the error for a conversation or a user that the other process's node did not have.
var errUnknownPlace = errors.New("chat/doorbell: the other process's node has no place there")

// Freeze stops the node: it returns when no read is under way and no call of the receiver. With an error,
// which is ctx's, the node goes on. What the node is told meanwhile only takes effect after Thaw, but Here and
// Renamed have no effect at all.
func (n *Node) Freeze(ctx context.Context) error {
	n.mu.Lock()
	n.frozen = true
	n.mu.Unlock()
	n.telling.Lock()
	//lint:ignore SA2001 calls of Here and Renamed that had begun are over
	n.telling.Unlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	for n.busy > 0 {
		idle := make(chan struct{})
		n.idle = idle
		n.mu.Unlock()
		select {
		case <-idle:
			n.mu.Lock()
		case <-ctx.Done():
			n.Thaw()
			n.mu.Lock()
			return fmt.Errorf("chat/doorbell: freeze: a read does not end: %w", ctx.Err())
		}
	}
	return nil
}

// Thaw lets a frozen node go on. One that has inherited places drops those that were not asked for.
func (n *Node) Thaw() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.inherited {
		n.inherited = false
		n.dropUnwanted()
	}
	n.frozen = false
	for _, b := range n.inboxes {
		if !b.started {
			n.ring(b)
		}
	}
	n.wake.Broadcast()
}

// dropUnwanted drops inherited places that were not asked for. Called with mu held.
func (n *Node) dropUnwanted() {
	for user, b := range n.inboxes {
		if b.follows == 0 {
			b.gone = true
			delete(n.inboxes, user)
		}
	}
	for _, f := range n.followers {
		if !f.subscribed {
			n.release(f)
		}
	}
}

// Standing returns what a frozen node knows.
func (n *Node) Standing() (s Standing) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.cfg.Clock.Monotonic()
	for _, f := range n.followers {
		if f.ready {
			s.Conversations = append(s.Conversations, Place{f.c, f.subscribed, f.end(), f.told, now - f.active})
		}
	}
	for _, b := range n.inboxes {
		s.Inboxes = append(s.Inboxes, InboxPlace{b.user, b.last, b.started, b.again})
	}
	return s
}

// Inherit makes a frozen node stand where that of another process stood. Until Thaw, Subscribe and Follow take places
// from there, and read nothing.
func (n *Node) Inherit(s Standing) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.inherited = true
	now := n.cfg.Clock.Monotonic()
	for _, p := range s.Conversations {
		f := &follower{node: n, c: p.Conversation, active: now - p.Idle}
		n.followers[f.c] = f
		if _, _, private := f.c.Users(); private {
			n.talks[f.c] = f
		}
		f.told = p.Told
		n.place(f, p.Tail)
		if f.superseded() {
			n.ring(f)
		}
	}
	for _, p := range s.Inboxes {
		b := newInbox(n, p.User)
		b.last, b.started, b.again = p.Last, p.Started, p.Again
		n.inboxes[p.User] = b
	}
}

// takeOver is Subscribe for a node that has inherited the place. Called with mu held.
func (n *Node) takeOver(c chat.Conversation) (chat.Tail, error) {
	f := n.followers[c]
	if f == nil {
		return chat.Tail{}, errUnknownPlace
	}
	f.subscribed = true
	return f.end(), nil
}
