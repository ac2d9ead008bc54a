package chat

import "time"

// The bounds of the wire format that no server sets.
const (
	MaxRef   = 64   // bytes
	MaxToken = 4096 // bytes

	maxTimestamp = 32 // bytes of a JSON number
)

// Limits are what a server may set. 0 means no limit.
type Limits struct {
	// MessagesPerSecond is how fast a connection may send, Burst how much at once;
	// without Burst it is MessagesPerSecond. What comes faster is not read until its time
	// has come.
	MessagesPerSecond int
	Burst             int

	// The same for all connections of a user, and of a network address, together; twice as
	// much at once. An IPv6 address counts as its /64.
	UserMessagesPerSecond    int
	AddressMessagesPerSecond int

	// What the messages of a user, and from an address, may take on disk in a day: the
	// bytes of content and metadata, and 256 for each message. They may be used at once.
	UserBytesPerDay    int
	AddressBytesPerDay int

	// How many rooms a user, and an address, may make in an hour, which they may do at
	// once. A room is made by its first message.
	UserRoomsPerHour    int
	AddressRoomsPerHour int

	// Rooms is how many rooms a connection may be in.
	Rooms int

	// Content is how long a message's content may be, in code points, and Metadata how
	// long its metadata, in bytes as written.
	Content  int
	Metadata int

	// MessageBytes is told to clients. It is the driver that enforces it.
	MessageBytes int

	// Errors is how many errors of its client within a minute close a connection.
	Errors int
}

// Pages are what a server may set of the answers that hold many things. A field that is 0
// means its default.
type Pages struct {
	History        int // messages of one history answer; default 100
	HistoryDefault int // the same, if the client does not say; default 50, and History at most
	HistoryBytes   int // of their JSON, but one message always fits; default 256 KiB
	List           int // rooms or peers; default 500
	ListDefault    int // the same, if the client does not say; default 100, and List at most
	Presence       int // users; default 1,000
}

func (p *Pages) setDefaults() {
	for _, n := range []struct {
		to  *int
		def int
	}{{&p.History, 100}, {&p.HistoryDefault, 50}, {&p.HistoryBytes, 256 << 10}, {&p.List, 500}, {&p.ListDefault, 100}, {&p.Presence, 1000}} {
		if *n.to <= 0 {
			*n.to = n.def
		}
	}
	p.HistoryDefault = min(p.HistoryDefault, p.History)
	p.ListDefault = min(p.ListDefault, p.List)
}

// pageSize is how many things an answer holds if limit of them were asked for, 0 if the
// client did not say.
func pageSize(limit, def, most int) int {
	if limit == 0 {
		return def
	}
	return min(limit, most)
}

// DefaultLimits are the limits that PROTOCOL.md names.
func DefaultLimits() Limits {
	return Limits{
		MessagesPerSecond: 10, Burst: 20,
		UserMessagesPerSecond: 20, AddressMessagesPerSecond: 200,
		UserBytesPerDay: 64 << 20, AddressBytesPerDay: 1 << 30,
		UserRoomsPerHour: 20, AddressRoomsPerHour: 100,
		Rooms: 100, Content: 500, Metadata: 4096, MessageBytes: 64 << 10, Errors: 10,
	}
}

// errorBudget is when a connection's latest errors were, the oldest first. Most connections
// make none.
type errorBudget []time.Duration

// spend notes an error and reports whether it was one too many, with so many allowed in
// a minute; 0: any number.
func (b *errorBudget) spend(now time.Duration, allowed int) (exhausted bool) {
	if allowed <= 0 {
		return false
	}
	if n := len(*b); n == allowed {
		copy(*b, (*b)[1:])
		(*b)[n-1] = now
	} else {
		*b = append(*b, now)
	}
	return len(*b) == allowed && now-(*b)[0] <= time.Minute
}
