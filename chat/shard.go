package chat

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/tidwall/btree"
)

// shard is a share of the conversations: the rooms of these that somebody here is in, and
// the sequencer of what is said in them.
type shard struct {
	hub  *Hub
	done chan struct{} // closed when the sequencer has ended

	mu   sync.Mutex
	wake sync.Cond
	// Guarded by mu.
	rooms   map[string]*room // by name
	flights map[Conversation]*flight
	waiting []appending
	busy    bool // the sequencer has some
	stopped bool
}

// room is a room that somebody here is in, or is about to be. Guarded by shard.mu.
type room struct {
	name     string
	tail     Tail          // as its members know it
	pending  []*Change     // given to it before it was subscribed to
	ready    chan struct{} // closed when it is subscribed to, or that failed; nil: it is
	fail     *Failure      // why that failed
	members  Fanout        // every connection in the room
	watchers Fanout        // those of them with the feature presence; nil until there is one
	count    int           // of the members
	watching int           // of the watchers
	asking   []*asking     // questions of watchers that are not answered yet
	lost     *Tail         // its history became another one while it was subscribed to

	// fresh: nothing was said in it yet, and nothing is about to be. Set with shard.mu held.
	fresh atomic.Bool
}

func newShard(h *Hub) *shard {
	s := &shard{hub: h, done: make(chan struct{}), rooms: make(map[string]*room), flights: make(map[Conversation]*flight)}
	s.wake.L = &s.mu
	go s.run()
	return s
}

// subscribe returns a room that this node is subscribed to, with the lock held, or why
// there is none, without it. It may wait for the engine.
func (s *shard) subscribe(ctx context.Context, name string) (*room, *Failure) {
	s.mu.Lock()
	for {
		r := s.rooms[name]
		if r == nil {
			return s.newSubscription(ctx, name)
		}
		if r.ready == nil {
			return r, nil
		}
		ready := r.ready
		s.mu.Unlock()
		select {
		case <-ready:
		case <-ctx.Done():
			return nil, failStore
		}
		s.mu.Lock()
		if r.fail != nil {
			s.mu.Unlock()
			return nil, r.fail
		}
	}
}

// newSubscription makes a room. Called with mu held.
func (s *shard) newSubscription(ctx context.Context, name string) (*room, *Failure) {
	r := &room{name: name, ready: make(chan struct{}), members: s.hub.cfg.NewFanout()}
	s.rooms[name] = r
	s.mu.Unlock()
	tail, err := s.hub.node.Subscribe(ctx, RoomConversation(name))
	s.mu.Lock()
	close(r.ready)
	r.ready = nil
	if err != nil {
		delete(s.rooms, name)
		if r.fail = failStore; !errors.Is(err, context.DeadlineExceeded) {
			r.fail = s.hub.engineFailed(err)
		}
		s.mu.Unlock()
		return nil, r.fail
	}
	if r.lost != nil && (r.lost.Epoch != tail.Epoch || r.lost.Change > tail.Change) {
		tail = *r.lost // the position was read before that, or there is another Lost to come
	}
	r.tail, r.lost = tail, nil
	if tail.Seq == 0 {
		r.fresh.Store(true)
		s.hub.unused.add(name)
	}
	for _, ch := range r.pending {
		s.emit(RoomConversation(name), ch)
	}
	r.pending = nil
	return r, nil
}

// forget ends a room's subscription if nobody here is in it. Called with mu held.
func (s *shard) forget(r *room) {
	if r.count > 0 || s.rooms[r.name] != r {
		return
	}
	delete(s.rooms, r.name)
	s.hub.unused.remove(r.name)
	s.hub.node.Unsubscribe(RoomConversation(r.name))
}

// unusedRooms are the rooms that somebody here is in and where nothing was said yet: no
// engine lists them.
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
