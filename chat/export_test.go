package chat

import "time"

// MaxEmptyRooms is how many rooms of a shard stay subscribed to in which nobody is.
const MaxEmptyRooms = maxEmptyRooms

// Idle reports whether no operation of the connection is under way or waits.
func (s *Connection) Idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running == 0 && len(s.queue) == 0
}

// Throttled reports whether the connection's next operation waits for its time, and what
// came before it is answered.
func (s *Connection) Throttled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.throttled && s.running == 0
}

// Idle reports whether nothing is under way: every operation that may begin is answered, and
// every connection that has ended has left.
func (h *Hub) Idle() bool {
	h.mu.Lock()
	connections := make([]*Connection, 0, len(h.connections))
	for c := range h.connections {
		connections = append(connections, c)
	}
	for _, p := range h.people {
		for _, c := range p.connections {
			if c.gone {
				h.mu.Unlock()
				return false
			}
		}
	}
	h.mu.Unlock()
	for _, c := range connections {
		if !c.Idle() && !c.Throttled() || c.busy() {
			return false
		}
	}
	for _, s := range h.shards {
		if s.busyOrWaiting() {
			return false
		}
	}
	for _, p := range h.pools {
		if p.underWay() > 0 {
			return false
		}
	}
	return true
}

func (c *Connection) busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running > 0
}

func (s *shard) busyOrWaiting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting) > 0 || s.busy
}

// MembershipRetry is how long a connection waits at most for an engine that is away.
const MembershipRetry = 2 * membershipRetry

// RoomDebt returns how much of its time a room has used in advance.
func (h *Hub) RoomDebt(name string) time.Duration {
	r := h.room(name)
	return max(time.Duration(r.out.full.Load())-h.cfg.Clock.Monotonic(), 0)
}

// Info is where the connection comes from.
func (c *Connection) Info() ConnectionInfo { return c.info }

// Pass makes it possible to freeze the hub again, and has nothing begin.
func (f *Frozen) Pass() { f.h.frozen.Store(false) }
