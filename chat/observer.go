package chat

import "time"

// Observer is told what a hub does, for monitoring. Its methods are called from any
// goroutine, often with the hub's locks held: they must not block or call the hub, and should
// not allocate. The reasons of Failures and the names of Queues are from fixed sets and can be
// used as labels.
//
// Embed Unobserved to implement only some of the methods.
type Observer interface {
	// ConnectionOpened, ConnectionAuthenticated and ConnectionClosed are called for each
	// connection, in this order. Not every connection is authenticated.
	ConnectionOpened()
	ConnectionAuthenticated()
	ConnectionClosed()

	// Waited says how long something waited in one of the hub's queues.
	Waited(q Queue, d time.Duration)

	// Appended is called for each batch that was given to the engine's Log.
	Appended(b Batch)

	// Delivered says that something was sent to n connections of this node at once.
	Delivered(d Delivery, n int)

	// Refused says that an actor was answered with a Failure with this reason.
	Refused(reason string)

	// Limited says that something was refused, or a connection closed, for a limit. HeldBack
	// says that an operation has to wait for one.
	Limited(l Limit)
	HeldBack(l Limit)
}

// Queue is a place where operations wait in a hub.
type Queue uint8

// The queues: one for each pool of workers, and those of all sequencers together.
const (
	LoginQueue     Queue = iota // auth
	LookupQueue                 // look-ups that a connection needs before it can go on
	QueryQueue                  // history, lists, presence
	ResumeQueue                 // what clients have missed
	SequencerQueue              // messages to be appended
	NumQueues
)

func (q Queue) String() string {
	return [...]string{"logins", "lookups", "queries", "resumes", "sequencers"}[q]
}

// Batch is the result of messages that were appended together.
type Batch struct {
	Size       int
	Duplicates int // not stored again
	Failed     int
	Took       time.Duration // from Log.Append to the last result
}

func (b *Batch) count(r *Result) {
	switch {
	case r.Err != nil:
		b.Failed++
	case r.Duplicate:
		b.Duplicates++
	}
}

// Delivery is a kind of message that is sent to many.
type Delivery uint8

// The kinds of Delivery.
const (
	RoomDelivery Delivery = iota
	PrivateDelivery
	JoinedDelivery
	LeftDelivery
	RenamedDelivery
	NumDeliveries
)

func (d Delivery) String() string {
	return [...]string{"room", "private", "joined", "left", "renamed"}[d]
}

// delivery returns the Delivery of a kind of presence event.
func (k PresenceKind) delivery() Delivery { return JoinedDelivery + Delivery(k) }

// Unobserved is an Observer that ignores everything.
type Unobserved struct{}

func (Unobserved) ConnectionOpened()           {}
func (Unobserved) ConnectionAuthenticated()    {}
func (Unobserved) ConnectionClosed()           {}
func (Unobserved) Waited(Queue, time.Duration) {}
func (Unobserved) Appended(Batch)              {}
func (Unobserved) Delivered(Delivery, int)     {}
func (Unobserved) Refused(string)              {}
func (Unobserved) Limited(Limit)               {}
func (Unobserved) HeldBack(Limit)              {}

// Stats are a hub's current numbers.
type Stats struct {
	Users   int            // connected here
	Rooms   int            // somebody here is in
	Waiting [NumQueues]int // by Queue
}

// Stats returns the hub's current numbers. It is too slow to be called often.
func (h *Hub) Stats() (s Stats) {
	h.mu.Lock()
	s.Users = len(h.people)
	h.mu.Unlock()
	for _, shard := range h.shards {
		shard.mu.Lock()
		for _, r := range shard.rooms {
			if r.subscribing || r.count.Load() > 0 {
				s.Rooms++
			}
		}
		s.Waiting[SequencerQueue] += len(shard.waiting)
		shard.mu.Unlock()
	}
	for q, pool := range h.pools {
		pool.mu.Lock()
		s.Waiting[q] = len(pool.jobs)
		pool.mu.Unlock()
	}
	return s
}
