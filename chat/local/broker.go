package local

import (
	"context"
	"slices"
	"sync"

	"github.com/hawser-ws/hawser/chat"
)

// Broker is a chat.Broker between the hubs of one process. The engine must call Publish for
// each change, in order within a conversation, after it has answered the sender, and Renamed
// for each user that it has stored.
type Broker struct {
	log      Tails
	presence *Presence

	mu sync.RWMutex
	// Guarded by mu. The slices are replaced, never modified.
	subscribed map[chat.Conversation][]*node
	following  map[string][]*node // by user id
	attached   []*node

	delivering sync.RWMutex // held for reading while receivers are called
}

// Tails provides the positions of subscriptions. A chat.Log implements it.
type Tails interface {
	Tail(context.Context, chat.Conversation) (chat.Tail, error)
}

// NewBroker returns a broker with its own Presence.
func NewBroker(log Tails, users Users) *Broker {
	b := &Broker{log: log, subscribed: make(map[chat.Conversation][]*node), following: make(map[string][]*node)}
	b.presence = NewPresence(b, users)
	return b
}

// Presence holds the users that the nodes report as connected.
func (b *Broker) Presence() *Presence { return b.presence }

type node struct {
	b *Broker
	r chat.Receiver

	connected map[string]int // Guarded by b.mu. How many connections a user has here.
}

// Attach implements chat.Broker.
func (b *Broker) Attach(r chat.Receiver) chat.Node {
	n := &node{b: b, r: r, connected: make(map[string]int)}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.attached = append(slices.Clip(b.attached), n)
	return n
}

// Publish gives a change to the nodes that want it. It must not be called for two changes of
// a conversation at once.
func (b *Broker) Publish(c chat.Conversation, ch *chat.Change) {
	b.delivering.RLock()
	defer b.delivering.RUnlock()
	for _, n := range b.interested(c) {
		n.r.Deliver(c, ch)
	}
}

// Lost tells the nodes that subscribe to a conversation that its history has been replaced,
// and continues after now.
func (b *Broker) Lost(c chat.Conversation, now chat.Tail) {
	b.delivering.RLock()
	defer b.delivering.RUnlock()
	for _, n := range b.interested(c) {
		n.r.Lost(c, now)
	}
}

// Renamed tells the nodes at which a user is connected the user's current name and, if it is
// new, also those that subscribe to a room the user is in. It is not called for one user
// twice at a time.
func (b *Broker) Renamed(u chat.User) {
	b.presence.Renamed(u)
	b.toFollowers(u.ID, func(r chat.Receiver) { r.Renamed(u) })
}

// Here tells the nodes that subscribe to a room about a presence event in it.
func (b *Broker) Here(room string, ev chat.PresenceEvent) {
	b.delivering.RLock()
	defer b.delivering.RUnlock()
	b.mu.RLock()
	nodes := b.subscribed[chat.RoomConversation(room)]
	b.mu.RUnlock()
	for _, n := range nodes {
		n.r.Here(room, ev)
	}
}

// Member tells the nodes at which a user is connected that they have become a member of a
// room, or no longer are one.
func (b *Broker) Member(userID, room string, joined bool) {
	b.toFollowers(userID, func(r chat.Receiver) { r.Member(userID, room, joined) })
}

// Ended tells the nodes at which a user is connected that their session with this id, or all
// of them, have ended.
func (b *Broker) Ended(userID, sessionID string, why chat.Ending) {
	b.toFollowers(userID, func(r chat.Receiver) { r.Ended(userID, sessionID, why) })
}

// Banned tells all nodes of a ban.
func (b *Broker) Banned(one chat.Ban) {
	b.delivering.RLock()
	defer b.delivering.RUnlock()
	b.mu.RLock()
	nodes := b.attached
	b.mu.RUnlock()
	for _, n := range nodes {
		n.r.Banned(one)
	}
}

func (b *Broker) toFollowers(userID string, tell func(chat.Receiver)) {
	b.delivering.RLock()
	defer b.delivering.RUnlock()
	b.mu.RLock()
	nodes := b.following[userID]
	b.mu.RUnlock()
	for _, n := range nodes {
		tell(n.r)
	}
}

func (b *Broker) interested(c chat.Conversation) []*node {
	b.mu.RLock()
	defer b.mu.RUnlock()
	nodes := b.subscribed[c]
	if one, other, private := c.Users(); private {
		for _, user := range []string{one, other} {
			for _, n := range b.following[user] {
				if !slices.Contains(nodes, n) {
					nodes = append(slices.Clip(nodes), n)
				}
			}
		}
	}
	return nodes
}

// Subscribe implements chat.Node. A change that is published between the two steps may arrive
// although it is not after the position, but none after the position can be missed.
func (n *node) Subscribe(ctx context.Context, c chat.Conversation) (chat.Tail, error) {
	n.b.mu.Lock()
	if !slices.Contains(n.b.subscribed[c], n) {
		n.b.subscribed[c] = append(slices.Clip(n.b.subscribed[c]), n)
	}
	n.b.mu.Unlock()
	tail, err := n.b.log.Tail(ctx, c)
	if err != nil {
		n.Unsubscribe(c)
	}
	return tail, err
}

// Unsubscribe implements chat.Node.
func (n *node) Unsubscribe(c chat.Conversation) {
	n.b.mu.Lock()
	defer n.b.mu.Unlock()
	without(n.b.subscribed, c, n)
}

// Connect implements chat.Node.
func (n *node) Connect(ctx context.Context, userID string) (chat.User, error) {
	n.b.mu.Lock()
	if n.connected[userID]++; n.connected[userID] == 1 {
		n.b.following[userID] = append(slices.Clip(n.b.following[userID]), n)
	}
	n.b.mu.Unlock()
	return n.b.presence.Connect(ctx, userID)
}

// Disconnect implements chat.Node.
func (n *node) Disconnect(userID string) {
	n.b.mu.Lock()
	was := n.connected[userID]
	switch was {
	case 0: // one call too many
	case 1:
		delete(n.connected, userID)
		without(n.b.following, userID, n)
	default:
		n.connected[userID]--
	}
	n.b.mu.Unlock()
	if was > 0 {
		n.b.presence.Disconnect(userID)
	}
}

// Enter implements chat.Node.
func (n *node) Enter(room, userID string) { n.b.presence.Enter(room, userID) }

// Leave implements chat.Node.
func (n *node) Leave(room, userID string) { n.b.presence.Leave(room, userID) }

// Detach implements chat.Node.
func (n *node) Detach() {
	b := n.b
	b.mu.Lock()
	left := n.connected
	n.connected = make(map[string]int)
	drop(b.subscribed, n)
	drop(b.following, n)
	b.attached = slices.DeleteFunc(slices.Clone(b.attached), func(other *node) bool { return other == n })
	b.mu.Unlock()
	for user, connections := range left {
		for range connections {
			b.presence.Disconnect(user)
		}
	}
	b.delivering.Lock() // wait for deliveries that have found the node before
	defer b.delivering.Unlock()
}

func drop[K comparable](m map[K][]*node, n *node) {
	for key := range m {
		without(m, key, n)
	}
}

func without[K comparable](m map[K][]*node, key K, n *node) {
	var left []*node
	for _, other := range m[key] {
		if other != n {
			left = append(left, other)
		}
	}
	if left == nil {
		delete(m, key)
	} else {
		m[key] = left
	}
}
