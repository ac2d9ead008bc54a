package redis

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/rueidis"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/doorbell"
)

// node is a chat.Node: a doorbell.Node, the channels that ring it, and a roster.
type node struct {
	// Immutable.
	b        *broker
	receiver chat.Receiver
	bell     *doorbell.Node
	roster   *roster

	inherited *inherited // until takeover.Start; nil: it is not another process's

	moves   moves
	telling sync.RWMutex // held for reading while Member and Ended call the receiver

	mu sync.Mutex
	// Guarded by mu.
	subscribed map[chat.Conversation]bool
	detached   bool
}

// Subscribe implements chat.Node. The channel is heard before the position is read, so that no
// doorbell is missed.
func (n *node) Subscribe(ctx context.Context, c chat.Conversation) (chat.Tail, error) {
	channel := n.b.keys.channel(c)
	n.mu.Lock()
	again := n.subscribed[c]
	n.subscribed[c] = true
	n.mu.Unlock()
	if n.inherited != nil {
		return n.bell.Subscribe(ctx, c)
	}
	if err := n.b.listener.acquire(ctx, channel); err != nil {
		n.unsubscribe(c, channel, !again)
		return chat.Tail{}, err
	}
	if again {
		n.b.listener.release(channel)
	}
	tail, err := n.bell.Subscribe(ctx, c)
	if err != nil {
		n.Unsubscribe(c)
	}
	return tail, err
}

// unsubscribe undoes acquire, after it has failed.
func (n *node) unsubscribe(c chat.Conversation, channel string, first bool) {
	if first {
		n.Unsubscribe(c)
	} else {
		n.b.listener.release(channel)
	}
}

// Unsubscribe implements chat.Node.
func (n *node) Unsubscribe(c chat.Conversation) {
	n.mu.Lock()
	was := n.subscribed[c]
	delete(n.subscribed, c)
	n.mu.Unlock()
	if was {
		n.b.listener.release(n.b.keys.channel(c))
	}
	n.bell.Unsubscribe(c)
}

// Connect implements chat.Node.
func (n *node) Connect(ctx context.Context, userID string) (chat.User, error) {
	if n.inherited != nil {
		return n.inherited.connect(n, userID)
	}
	userID = strings.Clone(userID) // it may be part of a larger message
	n.roster.connect(userID)
	err := n.b.listener.acquire(ctx, n.b.keys.userChannel(userID))
	err = join(err, n.bell.Follow(ctx, userID))
	u, rev, failed := n.b.users.user(ctx, userID)
	if failed == nil {
		u = n.roster.is(u, rev)
	}
	return u, join(err, failed)
}

// Disconnect implements chat.Node.
func (n *node) Disconnect(userID string) {
	if n.roster.disconnect(userID) {
		n.bell.Unfollow(userID)
		n.b.listener.release(n.b.keys.userChannel(userID))
	}
}

// Enter implements chat.Node.
func (n *node) Enter(room, userID string) { n.roster.enter(strings.Clone(room), userID) }

// Leave implements chat.Node.
func (n *node) Leave(room, userID string) { n.roster.leave(room, userID) }

// Detach implements chat.Node.
func (n *node) Detach() {
	n.mu.Lock()
	subscribed := n.subscribed
	n.subscribed, n.detached = make(map[chat.Conversation]bool), true
	n.mu.Unlock()
	n.b.mu.Lock()
	n.b.nodes = slices.DeleteFunc(slices.Clone(n.b.nodes), func(other *node) bool { return other == n })
	n.b.mu.Unlock()
	n.bell.Detach()
	for c := range subscribed {
		n.b.listener.release(n.b.keys.channel(c))
	}
	n.roster.mu.Lock()
	connections := make(map[string]int)
	for id, p := range n.roster.people {
		connections[id] = p.connections
	}
	n.roster.mu.Unlock()
	for id, times := range connections {
		for range times {
			n.b.listener.release(n.b.keys.userChannel(id))
		}
	}
	ctx, cancel := context.WithTimeout(n.b.ctx, n.b.cfg.Timeout)
	defer cancel()
	n.roster.leaveAll(ctx)
	n.roster.telling.Lock() // a call of Renamed is over
	defer n.roster.telling.Unlock()
	n.telling.Lock() // and those of Member and Ended
	defer n.telling.Unlock()
}

// member tells the receiver about a membership of somebody who is connected.
func (n *node) member(userID, room string, joined bool) {
	n.tell(userID, func() { n.receiver.Member(userID, room, joined) })
}

// ended tells the receiver about sessions of somebody who is connected.
func (n *node) ended(userID, sessionID string, why chat.Ending) {
	n.tell(userID, func() { n.receiver.Ended(userID, sessionID, why) })
}

// banned tells the receiver about a ban.
func (n *node) banned(one chat.Ban) {
	n.whileAttached(func() { n.receiver.Banned(one) })
}

// tell calls f, which tells the receiver about a user, if the user is connected.
func (n *node) tell(userID string, f func()) {
	n.whileAttached(func() {
		n.roster.mu.Lock()
		here := n.roster.people[userID] != nil
		n.roster.mu.Unlock()
		if here {
			f()
		}
	})
}

// whileAttached calls f unless the node is detached. Detach waits until it has returned.
func (n *node) whileAttached(f func()) {
	n.telling.RLock()
	defer n.telling.RUnlock()
	n.mu.Lock()
	detached := n.detached
	n.mu.Unlock()
	if !detached {
		f()
	}
}

// catchUp looks at what is not in logs and may have been missed: names and memberships. Like search, it is inside of
// the gate but between two pages.
func (n *node) catchUp() {
	for users := range slices.Chunk(n.roster.all(), 256) {
		if n.breathe() != nil {
			return
		}
		cmds := make(rueidis.Commands, 0, 2*len(users))
		for _, id := range users {
			cmds = append(cmds, n.b.users.userCommand(id), n.b.users.roomsCommand(id))
		}
		ctx, cancel := context.WithTimeout(n.b.ctx, n.b.cfg.Timeout)
		results := n.b.client.DoMulti(ctx, cmds...)
		cancel()
		for i, id := range users {
			if u, rev, err := n.b.users.parseUser(id, results[2*i]); err == nil {
				n.roster.renamed(u, rev, n.bell.Renamed)
			}
			if rooms, err := n.b.users.parseRooms(results[2*i+1]); err != nil || !n.roster.allIn(id, rooms) {
				n.member(id, "", false)
			}
		}
	}
}

// renamed tells all nodes, here and elsewhere, a user's new name.
func (b *broker) renamed(_ string, u chat.User, rev int64) {
	for _, n := range b.all() {
		n.roster.renamed(u, rev, n.bell.Renamed)
	}
	message := "n" + u.ID + " " + strconv.FormatInt(rev, 10) + " " + strconv.FormatInt(u.Created, 10) + "\n" + u.Name
	b.ring(b.client.B().Spublish().Channel(b.keys.userChannel(u.ID)).Message(message).Build())
}

func (b *broker) hearName(text string) error {
	head, name, _ := strings.Cut(text, "\n")
	f := strings.Fields(head)
	if len(f) < 3 {
		return errReply
	}
	rev, e1 := strconv.ParseInt(f[1], 10, 64)
	created, e2 := strconv.ParseInt(f[2], 10, 64)
	if e1 != nil || e2 != nil {
		return errReply
	}
	for _, n := range b.all() {
		n.roster.renamed(chat.User{ID: f[0], Name: name, Created: created}, rev, n.bell.Renamed)
	}
	return nil
}

// hearMember hears "user room 1" or "user room 0".
func (b *broker) hearMember(text string) error {
	f := strings.Fields(text)
	if len(f) < 3 {
		return errReply
	}
	for _, n := range b.all() {
		n.member(f[0], f[1], f[2] == "1")
	}
	return nil
}

// hearPresence hears what the script of presence tells:
//
//	room " " kind " " user " " created " " length-of-name " " time "\n" name name-before
//
// An earlier version leaves out the time, by Redis, in ms.
func (b *broker) hearPresence(text string) error {
	head, names, _ := strings.Cut(text, "\n")
	f := strings.Fields(head)
	if len(f) < 5 {
		return errReply
	}
	created, e1 := strconv.ParseInt(f[3], 10, 64)
	size, e2 := strconv.Atoi(f[4])
	kind, known := map[string]chat.PresenceKind{"j": chat.Joined, "l": chat.Left, "r": chat.Renamed}[f[1]]
	if e1 != nil || e2 != nil || size < 0 || size > len(names) || !known {
		return errReply
	}
	ev := chat.PresenceEvent{Kind: kind, User: chat.User{ID: f[2], Name: names[:size], Created: created}, Before: names[size:]}
	var at int64
	if len(f) > 5 {
		at, _ = strconv.ParseInt(f[5], 10, 64)
	}
	for _, n := range b.all() {
		n.here(f[0], ev, at)
	}
	return nil
}
