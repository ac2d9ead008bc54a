package chat

import "time"

// Observer is told what a hub does while it does it, so that somebody can count it. Its
// methods are called from any goroutine, and often under the hub's locks: they must not
// block, nor call the hub, and should allocate nothing. What a Failure or a Queue is called
// comes from a fixed set and may be a label.
//
// Embed Unobserved to implement only some of the methods.
type Observer interface {
	// ConnectionOpened, ConnectionAuthenticated and ConnectionClosed follow a connection,
	// in this order. Not every one is authenticated.
	ConnectionOpened()
	ConnectionAuthenticated()
	ConnectionClosed()

	// Waited says how long something stood in one of the hub's queues.
	Waited(q Queue, d time.Duration)

	// Appended is told of each batch that was handed to the engine's Log.
	Appended(b Batch)

	// Delivered says that something was sent to n connections of this node at once.
	Delivered(d Delivery, n int)

	// Refused says that somebody was answered with a Failure of this reason.
	Refused(reason string)
}

// Queue is a place where operations wait in a hub.
type Queue uint8

// The queues: one for each pool of workers, and those of all sequencers together.
const (
	LoginQueue     Queue = iota // auth
	LookupQueue                 // what connections need to know before they go on
	QueryQueue                  // history, lists, presence
	SequencerQueue              // messages to be appended
	NumQueues
)

func (q Queue) String() string {
	return [...]string{"logins", "lookups", "queries", "sequencers"}[q]
}

// Batch is what became of messages that were appended together.
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

// Delivery is a kind of message that goes to many.
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

// delivery is the kind of a presence event.
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

// Stats is what a hub holds at a moment.
type Stats struct {
	Users   int            // connected here
	Rooms   int            // somebody here is in
	Waiting [NumQueues]int // by Queue
}

// Stats sums up what the hub holds. It is for a look now and then.
func (h *Hub) Stats() (s Stats) {
	h.mu.Lock()
	s.Users = len(h.people)
	h.mu.Unlock()
	for _, shard := range h.shards {
		shard.mu.Lock()
		s.Rooms += len(shard.rooms)
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
