package chat

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidwall/btree"
)

// shard is a share of the conversations: those of its rooms that someone here is in, and the
// sequencer of all its conversations.
type shard struct {
	hub  *Hub
	done chan struct{} // closed when the sequencer has ended

	mu   sync.Mutex
	wake sync.Cond
	// Guarded by mu.
	rooms   map[string]*room // by name
	flights map[Conversation]*flight
	behind  map[Conversation][]*behind // connections that catch up
	waiting []appending
	scratch []byte // in which changes are encoded
	busy    bool   // the sequencer has some
	stopped bool

	empty     []*room     // rooms that were empty, and some of which still are
	stopSweep func() bool // of the timer that looks for those; nil: it does not run
}

// room is a room that someone here is in, is about to join, or was in until a moment ago. Guarded
// by shard.mu.
type room struct {
	name     string
	tail     Tail         // as its members know it
	pending  []*Change    // changes that arrived before the subscription was complete
	waiters  []waiter     // for the subscription
	members  Fanout       // every connection in the room
	watchers Fanout       // the members with the feature presence; nil until there is one
	out      outflow      // what it sends out
	watching int          // number of watchers
	count    atomic.Int32 // number of members. Set with shard.mu held
	asking   []*asking    // watchers' questions that are not answered yet
	late     lateEvents   // of presence, that wait for their time
	lost     *Tail        // from a Lost that arrived before the subscription was complete

	subscribing bool // the engine has not answered yet

	emptied time.Duration // since when nobody here is in it, by the monotonic clock, unless somebody is again
	noted   bool          // it is in shard.empty

	// fresh: the room has no messages yet, and none is being appended. Set with shard.mu
	// held.
	fresh atomic.Bool
}

func newShard(h *Hub) *shard {
	s := &shard{hub: h, done: make(chan struct{}), rooms: make(map[string]*room), flights: make(map[Conversation]*flight), behind: make(map[Conversation][]*behind)}
	s.wake.L = &s.mu
	go s.run()
	return s
}

// waiter is a connection that waits for the subscription to a room.
type waiter struct {
	deadline time.Time
	all      *subscribing
}

// subscribed tells a waiter when this node is subscribed to a room: at once, or when the engine
// has answered. It does not block.
func (s *shard) subscribed(name string, w waiter) {
	s.mu.Lock()
	r := s.rooms[name]
	switch {
	case r == nil:
		r = &room{name: strings.Clone(name), subscribing: true, members: s.hub.cfg.NewFanout(), waiters: []waiter{w}}
		s.rooms[r.name] = r
		s.mu.Unlock()
		s.hub.subscribing.Add(1)
		s.hub.subscriptions.Go(func() {
			defer s.hub.subscribing.Add(-1)
			s.subscribe(r)
		})
	case r.subscribing:
		r.waiters = append(r.waiters, w)
		s.mu.Unlock()
	default:
		w.all.ready(s, r)
		s.mu.Unlock()
		w.all.subscribed(r)
	}
}

// subscribe subscribes to a room. It tries until the engine has answered, or no waiter has time
// left.
func (s *shard) subscribe(r *room) {
	for {
		s.mu.Lock()
		deadline := r.waiters[0].deadline
		s.mu.Unlock()
		ctx := limitedUntil(deadline)
		tail, err := s.hub.node.Subscribe(ctx, RoomConversation(r.name))
		ctx.end()
		var told []waiter
		var fail *Failure
		s.mu.Lock()
		if err == nil {
			told = s.begin(r, tail)
		} else {
			fail = s.hub.engineFailed(err)
			told = s.giveUp(r, !errors.Is(err, context.DeadlineExceeded))
		}
		left := len(r.waiters)
		s.mu.Unlock()
		for _, w := range told {
			if fail == nil {
				w.all.subscribed(r)
			} else {
				w.all.done(nil, fail)
			}
		}
		if left == 0 {
			return
		}
	}
}

// begin completes the subscription to a room. Called with mu held.
func (s *shard) begin(r *room, tail Tail) (told []waiter) {
	if r.lost != nil && (r.lost.Epoch != tail.Epoch || r.lost.Change > tail.Change) {
		tail = *r.lost // the position was read before that, or another Lost will follow
	}
	r.subscribing, r.tail, r.lost = false, tail, nil
	r.fresh.Store(tail.Seq == 0)
	for _, ch := range r.pending {
		s.emit(RoomConversation(r.name), ch)
	}
	told, r.pending, r.waiters = r.waiters, nil, nil
	for _, w := range told {
		w.all.ready(s, r)
	}
	s.forget(r)
	return told
}

// giveUp removes the waiters that have no time left, or all of them, and forgets the room if
// none are left. Called with mu held.
func (s *shard) giveUp(r *room, all bool) (told []waiter) {
	now := time.Now()
	r.waiters = slices.DeleteFunc(r.waiters, func(w waiter) bool {
		gone := all || !now.Before(w.deadline)
		if gone {
			told = append(told, w)
		}
		return gone
	})
	if len(r.waiters) == 0 {
		delete(s.rooms, r.name)
	}
	return told
}

// enter counts a connection that is in a room from now on. Called with mu held.
func (s *shard) enter(r *room) {
	if r.count.Add(1) == 1 && r.tail.Seq == 0 {
		s.hub.unused.add(r.name)
	}
}

// leave undoes enter. The room of the last one stays subscribed to for a while: where thousands
// lose their connections at once, they soon come back to the same rooms. Called with mu held.
func (s *shard) leave(r *room) {
	if r.count.Add(-1) > 0 {
		return
	}
	if r.tail.Seq == 0 {
		s.hub.unused.remove(r.name)
	}
	if s.stopped || s.hub.frozen.Load() { // another process takes over what somebody is in
		s.forget(r)
		return
	}
	if r.emptied = s.hub.cfg.Clock.Monotonic(); r.noted {
		return
	}
	if len(s.empty) >= maxEmptyRooms {
		s.forget(r)
		return
	}
	r.noted = true
	if s.empty = append(s.empty, r); s.stopSweep == nil {
		s.stopSweep = s.hub.clock.AfterFunc(emptyRoomTime, s.sweep)
	}
}

// emptyRoomTime is the least time for which a room stays subscribed to after the last one here has left it.
const emptyRoomTime = time.Minute

// maxEmptyRooms is how many empty rooms of a shard stay subscribed to at most. Each takes about
// 800 bytes, and more in the engine: clients that enter one room after the other must not use up
// the memory.
const maxEmptyRooms = 1024

// sweep forgets the rooms that have been empty for long enough.
func (s *shard) sweep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopSweep = nil
	s.forgetEmpty(emptyRoomTime)
	if len(s.empty) > 0 {
		s.stopSweep = s.hub.clock.AfterFunc(emptyRoomTime, s.sweep)
	}
}

// forgetEmpty forgets the rooms that have been empty for at least this long. Called with mu held.
func (s *shard) forgetEmpty(least time.Duration) {
	now := s.hub.cfg.Clock.Monotonic()
	s.empty = slices.DeleteFunc(s.empty, func(r *room) bool {
		if r.count.Load() == 0 && now-r.emptied < least {
			return false
		}
		r.noted = false
		s.forget(r)
		return true
	})
}

// forget ends a room's subscription if no one here is in it. Called with mu held.
func (s *shard) forget(r *room) {
	if r.count.Load() > 0 || s.rooms[r.name] != r {
		return
	}
	delete(s.rooms, r.name)
	s.hub.node.Unsubscribe(RoomConversation(r.name))
}

// unusedRooms are the rooms that someone here is in but that have no messages yet: engines do
// not list them.
type unusedRooms struct {
	mu    sync.Mutex
	names btree.Set[string] // Guarded by mu.
}

func (u *unusedRooms) add(name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.names.Insert(name)
}

func (u *unusedRooms) remove(name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.names.Delete(name)
}
