package chat

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/hawser-ws/hawser/server/rate"
)

// This file shapes what a room sends out, so that one room cannot take the whole node: a leaky
// bucket lets its messages through one after the other, however many people write at once.

// shaping is the pace of each room. A message takes so much of the room's time that both limits
// hold: for itself, and for all its deliveries on this node. The bucket holds a second.
type shaping struct {
	message, delivery float64 // ns that one takes; 0: no limit
}

func newShaping(l *Limits) shaping {
	each := func(n int) float64 {
		if n <= 0 {
			return 0
		}
		return float64(time.Second) / float64(n)
	}
	return shaping{message: each(l.RoomMessagesPerSecond), delivery: each(l.RoomDeliveriesPerSecond)}
}

func (p *shaping) off() bool { return p.message == 0 && p.delivery == 0 }

// second is a bucket that holds a second. What is taken from it is counted in ns.
var second = rate.NewPace(int(time.Second), time.Second, 0)

// outflow is the state of a room's bucket. Any goroutine.
type outflow struct {
	full atomic.Int64 // see rate.Pace.Take

	// The numbers of changes of this node that have passed the bucket and are not sent yet.
	// Guarded by shard.mu.
	admitted []uint64
}

// take counts a message to so many members, and returns how long to hold it back, for which
// limit. If that is longer than maxThrottle, the message is refused, and not counted.
func (p *shaping) take(o *outflow, now time.Duration, members int) (wait time.Duration, by Limit) {
	cost := max(p.message, p.delivery*float64(members))
	if cost == 0 {
		return 0, NoLimit
	}
	for {
		full := o.full.Load()
		next, wait := second.Take(time.Duration(full), now, cost, maxThrottle)
		switch {
		case int64(next) != full && !o.full.CompareAndSwap(full, int64(next)):
			continue
		case wait == 0:
			return 0, NoLimit
		case cost > p.message:
			return wait, RoomDeliveriesLimit
		default:
			return wait, RoomRateLimit
		}
	}
}

// shape returns how long to hold back a message to a room, or why it is refused. A room in which
// nobody here is has nothing to send.
func (h *Hub) shape(r *room) (wait time.Duration, by Limit, refusal *Failure) {
	if r == nil {
		return 0, NoLimit, nil
	}
	if wait, by = h.shaping.take(&r.out, h.cfg.Clock.Monotonic(), int(r.count.Load())); wait > maxThrottle {
		return 0, by, &Failure{Code: 429, Reason: "room_busy", Field: "receiver_id", Limit: by, RetryAfter: wait,
			Message: "more is said in this room than it may send out; try again later"}
	}
	return wait, by, nil
}

// shaped reports whether rooms have to do with an operation, and are limited.
func (h *Hub) shaped(op *Operation) bool { return op.kind == &opGroup && !h.shaping.off() }

// room returns the room with this name if somebody here is in it, otherwise nil.
func (h *Hub) room(name string) *room {
	s := h.shard(RoomConversation(name))
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.rooms[name]; r != nil && r.count.Load() > 0 {
		return r
	}
	return nil
}

// waitForRoom holds back a message of an actor that is no connection.
func (h *Hub) waitForRoom(ctx context.Context, op *Operation) *Failure {
	if !h.shaped(op) {
		return nil
	}
	wait, by, fail := h.shape(h.room(op.receiver))
	if fail != nil || wait == 0 {
		return fail
	}
	h.cfg.Observer.HeldBack(by)
	passed := make(chan struct{})
	stop := h.cfg.Clock.AfterFunc(wait, func() { close(passed) })
	defer stop()
	select {
	case <-passed:
		return nil
	case <-ctx.Done():
		return failOverloaded
	}
}

// admittedHere notes that a change which will be sent to a room has passed its bucket. Called with
// mu held.
func (s *shard) admittedHere(c Conversation, ch *Change) {
	name, ok := c.Room()
	if !ok || s.hub.shaping.off() {
		return
	}
	if r := s.rooms[name]; r != nil && r.count.Load() > 0 && ch.Epoch == r.tail.Epoch && ch.Number > r.tail.Change {
		r.out.admitted = append(r.out.admitted, ch.Number)
	}
}

// countSent counts a change that is sent to a room, unless it has passed the bucket here: what
// was said on other nodes takes its time, too. Called with mu held.
func (s *shard) countSent(r *room, number uint64) {
	p := &s.hub.shaping
	if p.off() {
		return
	}
	own := false
	a := r.out.admitted
	for len(a) > 0 && a[0] <= number {
		own = own || a[0] == number
		a = a[1:]
	}
	if len(a) == 0 {
		a = r.out.admitted[:0] // the array is used again
	}
	r.out.admitted = a
	if !own {
		p.take(&r.out, s.hub.cfg.Clock.Monotonic(), int(r.count.Load()))
	}
}
