package chat

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"
)

// This file brings a hub to a standstill, so that another process can go on from there.
// frozen.go is what that process is told, and restore.go how it goes on.

// StateVersion is the version of what a Frozen and its connections write. A new field needs no new
// version: older readers skip those that they do not know, and newer ones do without.
const StateVersion = 1

// Takeover is the part of an engine that lets a process take over from another one on the same
// machine. The new process opens its engine as one that inherits, and attaches a node to it. Until
// Start, that engine changes nothing that is stored.
type Takeover interface {
	// Freeze returns when everything that was under way has ended. From then on the engine writes
	// nothing by itself, and tells its receivers nothing. What is asked of it may wait for Thaw. It still keeps the
	// process's place in the service, whatever time the other one takes. With an error, which is ctx's at the
	// latest, it goes on.
	Freeze(ctx context.Context) error

	// State returns what Inherit needs. The files stay the engine's.
	State() (state []byte, files []*os.File, err error)

	// Thaw goes on, because no other process has taken over. After an error, nothing can be stored any more.
	Thaw() error

	// Retire says that the other process has taken over: from now on the engine does nothing at all. This process must
	// exit, without Health.Close.
	Retire()

	// Inherit takes the state, and the files, which become the engine's. After that, Connect, Subscribe and
	// Enter of its node are for what the node of the other process had.
	Inherit(state []byte, files []*os.File) error

	// Rejoin counts a connection for each of these sessions, as Sessions.Resume does, but without a key:
	// the other process has had it. A session may be named several times. Rejoin reports which of them exist. It is
	// called once, after the other methods that tell the engine who is connected.
	Rejoin(sessionIDs []string) (known []bool)

	// Ready returns nil if this process may take over: the other one's place in the service is still
	// there. It is the last thing before Start.
	Ready(ctx context.Context) error

	// Start lets the engine go on where that of the other process stood, which must not do anything any
	// more.
	Start()
}

// Frozen is a hub at a standstill: no operation of a connection begins, and no timer fires. What
// clients say waits, up to Config.ConnectionQueue for each.
//
// The order in the two processes, where the Server is what the connections belong to:
//
//	f, err := hub.Freeze(ctx)             hub := chat.New(config)
//	the Server is frozen                  f, err := hub.Freeze(ctx)
//	f.Rest(ctx)                           engine.Takeover.Inherit(…)
//	engine.Takeover.Freeze(ctx)           f.Restore(state)
//	engine.Takeover.State()               for each connection:
//	state := f.State()                    	f.Open(ctx, socket, remote, state)
//	for each connection: c.Freeze()       f.RestoreLeft(ctx, left)
//	left, n := f.Left()                   engine.Takeover.Ready(ctx)
//	                                      engine.Takeover.Start()
//	                                      f.Thaw()
//	engine.Takeover.Retire()              the Server starts
//
// If anything fails, the old process thaws the engine, calls f.Thaw, and the new one exits.
type Frozen struct {
	h *Hub

	// In a new process.
	rooms    map[string]time.Duration // when their buckets are full; see rate.Pace
	left     []*Connection            // they have ended
	doubtful []*Connection            // their sessions have ended

	making sync.Mutex // held while a room is made
}

// ErrNotMovable is returned by Freeze if the engine cannot be handed to another process.
var ErrNotMovable = errors.New("chat: the engine cannot be handed to another process")

// restPoll is how often to look whether a hub is at rest.
const restPoll = 500 * time.Microsecond

// Freeze stops the hub. It returns when nothing that a connection has begun is under way, or with an error
// that says what is when ctx ends; then everything goes on. What other actors ask for is still
// done: the caller stops that. It must not be called again before Thaw, nor during Shutdown.
func (h *Hub) Freeze(ctx context.Context) (*Frozen, error) {
	if h.engine.Takeover == nil {
		return nil, ErrNotMovable
	}
	if h.closing.Load() || h.frozen.Swap(true) {
		return nil, errors.New("chat: the hub is stopping, or frozen already")
	}
	f := &Frozen{h: h}
	h.clock.close()
	for _, c := range h.all() {
		c.mu.Lock()
		//lint:ignore SA2001 a connection that has not seen that the hub is frozen has begun what it begins
		c.mu.Unlock()
	}
	if err := f.Rest(ctx); err != nil {
		f.Thaw()
		return nil, err
	}
	return f, nil
}

// all returns the open connections.
func (h *Hub) all() []*Connection {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Keys(h.connections))
}

// Rest waits until nothing that other actors, or the engine, have begun is under way either.
func (f *Frozen) Rest(ctx context.Context) error {
	tick := time.NewTicker(restPoll)
	defer tick.Stop()
	for {
		n := f.h.underWay()
		if n == 0 {
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("chat: freeze: %d operations do not end: %w", n, ctx.Err())
		}
	}
	for _, s := range f.h.shards {
		s.sendAllLate()
		s.mu.Lock()
		s.forgetEmpty(0)
		s.mu.Unlock()
	}
	if l, ok := f.h.limits.(*sharedLimiter); ok {
		l.send()
	}
	return nil
}

// underWay counts what may still change something, about.
func (h *Hub) underWay() (n int) {
	for _, p := range h.pools {
		n += p.underWay()
	}
	n += int(h.subscribing.Load())
	for _, s := range h.shards {
		n += s.underWay()
	}
	// One thing leads to the next in this order, or begins again in a pool.
	for _, p := range h.pools {
		n += p.underWay()
	}
	return n
}

func (w *workers) underWay() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.jobs) + w.busy
}

func (s *shard) underWay() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = len(s.waiting) + len(s.flights)
	if s.busy {
		n++
	}
	return n
}

// sendAllLate sends the presence events that wait.
func (s *shard) sendAllLate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rooms {
		for _, id := range r.late.order {
			if r.watchers != nil {
				s.sendHere(r, r.late.events[id])
			}
		}
		r.late = lateEvents{}
	}
}

// Thaw lets the hub go on. In a new process, what the other one has left is known to have ended.
func (f *Frozen) Thaw() {
	h := f.h
	h.restoring.Store(false)
	for _, c := range f.left {
		h.depart(c)
	}
	h.frozen.Store(false)
	h.clock.open()
	for _, c := range h.all() {
		c.thaw()
		if f.rooms != nil { // this process may have learnt of a ban when it had no connection, and the other one never
			c.banIfConcerned()
		}
	}
	for _, c := range f.doubtful {
		c.mayHaveEnded(LoggedOut)
	}
}

// thaw lets a connection go on.
func (c *Connection) thaw() {
	c.mu.Lock()
	c.advance()
	c.readOn()
	next := c.catching
	if !c.parked {
		next = nil
	}
	c.parked, c.written = false, false
	c.mu.Unlock()
	if next != nil {
		next.submit()
	}
}
