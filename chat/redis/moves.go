package redis

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/hawser-ws/hawser/chat"
)

// Each partition remembers for ten minutes who has come, gone or been renamed in its rooms, and
// when (place.lua). A node that may not have heard presence events reads there whom they were
// about, and tells its receiver how it is now. What happened before that time stays unknown to
// those who were told nothing else since.

// movesMargin is added to the time for which a node has not heard anything: for what is on its
// way, and for servers of a cluster whose clocks differ.
const movesMargin = 5 * time.Second

// moves brings what a node hears about presence and what it finds out into one order.
type moves struct {
	mu sync.Mutex
	// Guarded by mu.
	searches int             // that are under way
	events   uint64          // that were heard
	heard    map[move]uint64 // about whom one was heard while a search was under way, and which was the last
}

type move struct{ room, user string }

// here tells the receiver about an event that was heard.
func (n *node) here(room string, ev chat.PresenceEvent) {
	n.moves.mu.Lock()
	defer n.moves.mu.Unlock()
	if n.moves.events++; n.moves.searches > 0 {
		n.moves.heard[move{room, ev.User.ID}] = n.moves.events
	}
	n.bell.Here(room, ev)
}

// findMoves tells the receiver what has become of those who have moved since then.
func (n *node) findMoves(since time.Time) {
	n.search(func() error { return n.searchMoves(since) })
}

// findAgain tells the receiver of those who are in rooms although it was told that they are not.
func (n *node) findAgain(some []move) {
	n.mu.Lock()
	some = slices.DeleteFunc(slices.Clone(some), func(m move) bool { return !n.subscribed[chat.RoomConversation(m.room)] })
	n.mu.Unlock()
	n.search(func() error {
		for some := range slices.Chunk(some, 256) {
			if err := n.tellMoves(some, false); err != nil {
				return err
			}
		}
		return nil
	})
}

// search does a search, until it succeeds.
func (n *node) search(find func() error) {
	for failures := 1; ; failures++ {
		n.moves.mu.Lock()
		if n.moves.searches++; n.moves.searches == 1 {
			n.moves.heard = make(map[move]uint64)
		}
		n.moves.mu.Unlock()
		err := find()
		n.moves.mu.Lock()
		if n.moves.searches--; n.moves.searches == 0 {
			n.moves.heard = nil
		}
		n.moves.mu.Unlock()
		n.mu.Lock()
		detached := n.detached
		n.mu.Unlock()
		if err == nil || detached || n.b.ctx.Err() != nil {
			return
		}
		n.b.pause(failures)
	}
}

func (n *node) searchMoves(since time.Time) error {
	b := n.b
	ctx, cancel := context.WithTimeout(b.ctx, b.cfg.Timeout)
	defer cancel()
	now, err := b.client.Do(ctx, b.client.B().Time().Build()).AsIntSlice()
	if err != nil {
		return err
	}
	if len(now) != 2 {
		return errReply
	}
	from := strconv.FormatInt(now[0]*1000+now[1]/1000-(time.Since(since)+movesMargin).Milliseconds(), 10)
	for some := range slices.Chunk(n.partitions(), 256) {
		if err := n.searchPartitions(some, from); err != nil {
			return err
		}
	}
	return nil
}

// partitions are those of the rooms that the node subscribes to.
func (n *node) partitions() []int {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []int
	for c := range n.subscribed {
		if _, room := c.Room(); room {
			all = append(all, partition(string(c)))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (n *node) searchPartitions(partitions []int, from string) error {
	b := n.b
	ctx, cancel := context.WithTimeout(b.ctx, b.cfg.Timeout)
	defer cancel()
	cmds := make(rueidis.Commands, len(partitions))
	for i, p := range partitions {
		cmds[i] = b.client.B().Zrangebyscore().Key(b.keys.moves(p)).Min(from).Max("+inf").Build()
	}
	var moved []move
	n.mu.Lock()
	subscribed := n.subscribed
	n.mu.Unlock()
	for _, r := range b.client.DoMulti(ctx, cmds...) {
		items, err := r.AsStrSlice()
		if err != nil {
			return err
		}
		for _, item := range items {
			room, user, _ := strings.Cut(item, " ")
			n.mu.Lock()
			wanted := subscribed[chat.RoomConversation(room)]
			n.mu.Unlock()
			if wanted {
				moved = append(moved, move{room, user})
			}
		}
	}
	for some := range slices.Chunk(moved, 256) {
		if err := n.tellMoves(some, true); err != nil {
			return err
		}
	}
	return nil
}

// tellMoves tells the receiver where some users are now, also of those who have left, or not. What is heard of them after that was read
// may be newer. What was heard before it is older, also if it was heard during this search, or
// another one.
func (n *node) tellMoves(moved []move, left bool) error {
	b := n.b
	n.moves.mu.Lock()
	before := n.moves.events
	n.moves.mu.Unlock()
	ctx, cancel := context.WithTimeout(b.ctx, b.cfg.Timeout)
	defer cancel()
	cmds := make(rueidis.Commands, 0, 2*len(moved))
	for _, m := range moved {
		cmds = append(cmds, b.client.B().Hget().Key(b.keys.presence(chat.RoomConversation(m.room))).Field(m.user).Build(), b.users.userCommand(m.user))
	}
	results := b.client.DoMulti(ctx, cmds...)
	for i, m := range moved {
		ev := chat.PresenceEvent{Kind: chat.Left, User: chat.User{ID: m.user}}
		text, err := results[2*i].ToString()
		switch {
		case err == nil:
			// Also if the node is dead: those who have removed that tell it.
			u, _, err := parsePresent(m.user, text)
			if err != nil {
				return err
			}
			ev.Kind, ev.User = chat.Joined, u
		case rueidis.IsRedisNil(err) && !left:
			continue
		case rueidis.IsRedisNil(err):
			if u, _, err := b.users.parseUser(m.user, results[2*i+1]); err == nil {
				ev.User = u
			}
		default:
			return err
		}
		n.moves.mu.Lock()
		if n.moves.heard[m] <= before {
			n.bell.Here(m.room, ev)
		}
		n.moves.mu.Unlock()
	}
	return nil
}
