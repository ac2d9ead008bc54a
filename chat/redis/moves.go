package redis

import (
	"context"
	"maps"
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

	recent [2]map[move]int64 // when the last event had happened that was told lately, by Redis's time, and before
	found  [2]map[move]int64 // the same, of those that a search has found: they may be heard after that
	turned time.Time         // when the first of them became the second
}

// toldLately is for how long, or somewhat longer, a node remembers what it was told of whom: longer than
// a connection may be silent before that is noticed, and the margin.
const toldLately = 30 * time.Second

// note remembers the last event about somebody that was told, and whether a search has found it. Called with mu
// held.
func (m *moves) note(who dated, found bool) {
	if who.at == 0 {
		return
	}
	if now := time.Now(); m.recent[0] == nil || now.Sub(m.turned) >= toldLately {
		m.recent = [2]map[move]int64{make(map[move]int64), m.recent[0]}
		m.found = [2]map[move]int64{make(map[move]int64), m.found[0]}
		m.turned = now
	}
	if m.recent[0][who.move] = who.at; found {
		m.found[0][who.move] = who.at
	}
}

// toldAt is when the last event about somebody had happened that was told lately. Called with mu held.
func (m *moves) toldAt(who move) int64 { return max(m.recent[0][who], m.recent[1][who]) }

// wasTold reports whether an event, or a later one, was told.
func (m *moves) wasTold(who dated) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.toldAt(who.move) >= who.at
}

// wasFound reports whether a search has found an event, or a later one. Called with mu held.
func (m *moves) wasFound(who dated) bool {
	return who.at > 0 && who.at <= max(m.found[0][who.move], m.found[1][who.move])
}

// inherit takes what known of another process's node has returned.
func (m *moves) inherit(known map[move]int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for who, at := range known {
		m.note(dated{who, at}, false)
	}
}

// known is what note has remembered.
func (m *moves) known() map[move]int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := make(map[move]int64)
	for _, some := range []map[move]int64{m.recent[1], m.recent[0]} {
		maps.Copy(known, some)
	}
	return known
}

type move struct{ room, user string }

// dated is a move, and when its last event had happened, by Redis's time; 0: that is not known.
type dated struct {
	move
	at int64
}

// here tells the receiver about an event that was heard. It had happened at this time; 0: that is not known.
func (n *node) here(room string, ev chat.PresenceEvent, at int64) {
	n.moves.mu.Lock()
	defer n.moves.mu.Unlock()
	who := dated{move{room, ev.User.ID}, at}
	if n.moves.wasFound(who) {
		return // it was on its way
	}
	n.moves.note(who, false)
	if n.moves.events++; n.moves.searches > 0 {
		n.moves.heard[move{room, ev.User.ID}] = n.moves.events
	}
	n.bell.Here(room, ev)
}

// findMoves tells the receiver what has become of those who have moved since then: with once, only what it was
// not told. That is for a time in which Redis has lost nothing, as times are compared.
func (n *node) findMoves(since time.Time, once bool) {
	n.search(func() error { return n.searchMoves(since, once) })
}

// findAgain tells the receiver of those who are in rooms although it was told that they are not.
func (n *node) findAgain(some []move) {
	n.mu.Lock()
	some = slices.DeleteFunc(slices.Clone(some), func(m move) bool { return !n.subscribed[chat.RoomConversation(m.room)] })
	n.mu.Unlock()
	again := make([]dated, len(some))
	for i, m := range some {
		again[i].move = m
	}
	n.search(func() error { return n.tellAllMoves(again, false, false) })
}

// search does a search, until it succeeds. It is inside of the gate, but between two pages and two attempts: if another
// process takes over meanwhile, that one searches.
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
		if err == nil || detached || n.b.gate.outside(n.b.ctx, func() { n.b.pause(failures) }) != nil {
			return
		}
	}
}

// breathe lets the gate be shut between two pages.
func (n *node) breathe() error { return n.b.gate.outside(n.b.ctx, func() {}) }

func (n *node) searchMoves(since time.Time, once bool) error {
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
		if err := n.searchPartitions(some, from, once); err != nil {
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

func (n *node) searchPartitions(partitions []int, from string, once bool) error {
	b := n.b
	if err := n.breathe(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(b.ctx, b.cfg.Timeout)
	defer cancel()
	cmds := make(rueidis.Commands, len(partitions))
	for i, p := range partitions {
		cmds[i] = b.client.B().Zrangebyscore().Key(b.keys.moves(p)).Min(from).Max("+inf").Withscores().Build()
	}
	var moved []dated
	n.mu.Lock()
	subscribed := n.subscribed
	n.mu.Unlock()
	for _, r := range b.client.DoMulti(ctx, cmds...) {
		items, err := r.AsZScores()
		if err != nil {
			return err
		}
		for _, item := range items {
			room, user, _ := strings.Cut(item.Member, " ")
			n.mu.Lock()
			wanted := subscribed[chat.RoomConversation(room)]
			n.mu.Unlock()
			m := dated{move{room, user}, int64(item.Score)}
			if wanted && !(once && n.moves.wasTold(m)) {
				moved = append(moved, m)
			}
		}
	}
	return n.tellAllMoves(moved, true, once)
}

// tellAllMoves is tellMoves for any number of moves.
func (n *node) tellAllMoves(moved []dated, left, once bool) error {
	for len(moved) > 0 {
		some := moved[:min(len(moved), 256)]
		if err := n.tellMoves(some, left, once); err != nil {
			return err
		}
		if moved = moved[len(some):]; len(moved) > 0 {
			if err := n.breathe(); err != nil {
				return err
			}
		}
	}
	return nil
}

// tellMoves tells the receiver where some users are now, also of those who have left, or not. What is heard of them after that was read
// may be newer. What was heard before it is older, also if it was heard during this search, or
// another one.
func (n *node) tellMoves(moved []dated, left, once bool) error {
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
		if n.moves.heard[m.move] <= before && !(once && n.moves.toldAt(m.move) >= m.at) {
			n.moves.note(m, true)
			n.bell.Here(m.room, ev)
		}
		n.moves.mu.Unlock()
	}
	return nil
}
