package chat

import (
	"context"
	"errors"
	"slices"
	"sync"

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
	made     bool          // its first message was accepted
	events   int           // counts what the watchers were told
}

// flight is what this node appends to a conversation at the moment. A change that comes
// meanwhile may be one of those: it is held until their results are there, so that each is
// acknowledged before it is delivered.
type flight struct {
	n    int    // appended, no result yet
	upTo uint64 // the last change that a result has named
	held []*Change
}

// appending is a message on its way through a sequencer.
type appending struct {
	actor Actor
	op    *Operation
	entry Entry
}

// maxBatch is how many messages are appended at a time, so that the first of them need not
// wait long for the last.
const maxBatch = 1024

func newShard(h *Hub) *shard {
	s := &shard{hub: h, done: make(chan struct{}), rooms: make(map[string]*room), flights: make(map[Conversation]*flight)}
	s.wake.L = &s.mu
	go s.run()
	return s
}

// append queues a message. It does not block.
func (s *shard) append(a Actor, op *Operation, c Conversation, m *Message) *Failure {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopped:
		return failShuttingDown
	case len(s.waiting) >= s.hub.cfg.Queue:
		return failOverloaded
	}
	if name, ok := c.Room(); ok {
		// The first message makes a room, if the limits allow that.
		if r := s.rooms[name]; r != nil && r.tail.Seq == 0 && !r.made {
			if fail := s.hub.limits.newRoom(a); fail != nil {
				return fail
			}
			r.made = true
		}
	}
	f := s.flights[c]
	if f == nil {
		f = &flight{}
		s.flights[c] = f
	}
	f.n++
	s.waiting = append(s.waiting, appending{a, op, Entry{c, m}})
	if len(s.waiting) == 1 {
		s.wake.Signal()
	}
	return nil
}

// stop waits until everything that was queued has its result.
func (s *shard) stop() {
	s.mu.Lock()
	s.stopped = true
	s.wake.Signal()
	s.mu.Unlock()
	<-s.done
}

// run is the sequencer: it takes what waits, has it stored, and answers.
func (s *shard) run() {
	defer close(s.done)
	var batch []appending
	var entries []Entry
	for {
		batch = s.take(batch)
		if len(batch) == 0 {
			return
		}
		entries = entries[:0]
		for i := range batch {
			entries = append(entries, batch[i].entry)
		}
		ctx, cancel := s.hub.context()
		s.hub.engine.Log.Append(ctx, entries, func(i int, r Result) { s.result(&batch[i], &r) })
		cancel()
		// Only now does what a connection said next begin: engines of one process have given
		// it its own messages back by then, as it would expect before it leaves the room.
		for i := range batch {
			s.hub.finish(batch[i].actor)
		}
		clear(batch)
		clear(entries)
	}
}

// take waits for work. It returns nothing when the sequencer is stopped and all is done.
func (s *shard) take(spare []appending) []appending {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = false
	for len(s.waiting) == 0 && !s.stopped {
		s.wake.Wait()
	}
	s.busy = true
	if len(s.waiting) <= maxBatch {
		batch := s.waiting
		s.waiting = spare[:0]
		return batch
	}
	batch := append(spare[:0], s.waiting[:maxBatch]...)
	s.waiting = slices.Delete(s.waiting, 0, maxBatch)
	return batch
}

// result answers one message. An acknowledgement is sent under the lock, before anything
// that was held for it.
func (s *shard) result(a *appending, r *Result) {
	s.hub.noteAppend(r.Err)
	c := a.entry.Conversation
	s.mu.Lock()
	if r.Err == nil {
		a.actor.Answer(a.op, a.op.acknowledgement(a.actor, &r.Change), nil)
	}
	f := s.flights[c]
	f.n--
	f.upTo = max(f.upTo, r.Change.Number)
	for len(f.held) > 0 && (f.n == 0 || f.held[0].Number <= f.upTo) {
		s.emit(c, f.held[0])
		f.held = f.held[1:]
	}
	if f.n == 0 {
		delete(s.flights, c)
	}
	s.mu.Unlock()
	if r.Err != nil {
		a.actor.Answer(a.op, nil, appendFailed(r.Err))
	}
}

// noteAppend logs when appending begins to fail, and when it works again.
func (h *Hub) noteAppend(err error) {
	switch {
	case err != nil && !h.failing.Swap(true):
		h.cfg.Log.Error("chat: the engine does not store; messages are refused", "error", err)
	case err == nil && h.failing.Load() && h.failing.Swap(false):
		h.cfg.Log.Info("chat: the engine stores again")
	}
}

// receiver is the hub as its engine sees it.
type receiver struct{ h *Hub }

// Deliver is the only fan-out: everything durable that anybody is sent comes through here.
func (r receiver) Deliver(c Conversation, ch *Change) {
	s := r.h.shard(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.flights[c]; f != nil && (len(f.held) > 0 || ch.Number > f.upTo) {
		f.held = append(f.held, ch)
		return
	}
	s.emit(c, ch)
}

// emit sends a change to those here whom it concerns. Called with mu held.
func (s *shard) emit(c Conversation, ch *Change) {
	name, isRoom := c.Room()
	if !isRoom {
		m := text(appendPublication(nil, c, ch.Message, ch.ID, ch.Seq, ch.Epoch))
		one, other, _ := c.Users()
		s.hub.sendToUser(one, m)
		if other != one {
			s.hub.sendToUser(other, m)
		}
		return
	}
	r := s.rooms[name]
	switch {
	case r == nil:
	case r.ready != nil:
		r.pending = append(r.pending, ch)
	case ch.Epoch == r.tail.Epoch && ch.Number <= r.tail.Change: // before the position of the subscription
	default:
		if r.tail.Seq == 0 {
			s.hub.unused.remove(name)
		}
		r.tail = Tail{Seq: ch.Seq, Change: ch.Number, ServerTS: ch.ServerTS, Epoch: ch.Epoch}
		r.members.Send(text(appendPublication(nil, c, ch.Message, ch.ID, ch.Seq, ch.Epoch)))
	}
}

// Here tells a room's watchers of somebody in it.
func (r receiver) Here(name string, ev PresenceEvent) {
	s := r.h.shard(RoomConversation(name))
	s.mu.Lock()
	defer s.mu.Unlock()
	room := s.rooms[name]
	if room == nil {
		return
	}
	room.events++
	if room.watchers == nil {
		return
	}
	words := ev.User.Name + " " + ev.Kind.String()
	if ev.Kind == Renamed {
		words = ev.Before + " is now called " + ev.User.Name
	}
	room.watchers.Send(text(appendSystem(nil, ev.Kind.String(), name, words, &ev.User, r.h.now())))
}

// Lost has the members of a room read its history again.
func (r receiver) Lost(c Conversation) {
	name, ok := c.Room()
	if !ok {
		return // a private message that follows has the new epoch
	}
	go func() { // a Receiver does not call the engine
		ctx, cancel := r.h.context()
		defer cancel()
		tail, err := r.h.engine.Log.Tail(ctx, c)
		if err != nil {
			r.h.engineFailed(err)
			return
		}
		s := r.h.shard(c)
		s.mu.Lock()
		defer s.mu.Unlock()
		if room := s.rooms[name]; room != nil && room.ready == nil && room.tail.Epoch != tail.Epoch {
			room.tail = tail
			room.members.Send(text(appendReload(nil, name, &tail, r.h.now())))
		}
	}()
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
	r.tail = tail
	if tail.Seq == 0 {
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
