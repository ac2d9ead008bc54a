package chat

import "time"

// The bounds of the wire format that are not settings.
const (
	MaxRef   = 64   // bytes
	MaxToken = 4096 // bytes

	maxTimestamp = 32 // bytes of a JSON number
	maxDevice    = 64 // code points
)

// Limits are the limits that a server may set. 0 means no limit.
type Limits struct {
	// MessagesPerSecond is the rate of a connection, and Burst how many messages it may
	// send at once; if Burst is 0, it is MessagesPerSecond. Messages beyond that are not
	// read until their time has come.
	MessagesPerSecond int
	Burst             int

	// The same for all connections of a user together, and of a network address; the burst
	// is twice that. An IPv6 address counts as its /64.
	UserMessagesPerSecond    int
	AddressMessagesPerSecond int

	// How many bytes the messages of a user, and from an address, may take on disk per day:
	// content and metadata, plus 256 for each message. They may be used all at once.
	UserBytesPerDay    int
	AddressBytesPerDay int

	// How many rooms a user, and an address, may create per hour, also all at once. A room
	// is created by its first message.
	UserRoomsPerHour    int
	AddressRoomsPerHour int

	// The same per day.
	UserRoomsPerDay    int
	AddressRoomsPerDay int

	// UserConnections is the maximum number of connections of a user to one node.
	UserConnections int

	// How many messages a room may send out per second, by all who write there together, and how many
	// deliveries on one node: a message is one for each connection in the room there. A second's
	// worth may come at once. Messages beyond that are held back, each for at most 5 s, and then
	// refused.
	RoomMessagesPerSecond   int
	RoomDeliveriesPerSecond int

	// Roles says how many times as much users with a role may do as others, of what is limited
	// by connection and by user; 0 is no limit, not even by address. Rooms are limited for
	// everybody.
	Roles map[string]float64

	// Rooms is the maximum number of rooms that a connection may be in.
	Rooms int

	// Content is the maximum length of a message's content in code points, and Metadata
	// that of its metadata in bytes as written.
	Content  int
	Metadata int

	// MessageBytes is the maximum size of a message. Clients are told it; the driver has to
	// enforce it.
	MessageBytes int

	// Errors is the number of client errors within a minute that closes a connection.
	Errors int
}

// Pages limit how much one answer holds. 0 means the default.
type Pages struct {
	History        int // maximum number of messages in a history answer; default 100
	HistoryDefault int // messages if the client does not say how many; default 50, and at most History
	HistoryBytes   int // maximum size of their JSON, but one message always fits; default 256 KiB
	List           int // maximum number of rooms or peers; default 500
	ListDefault    int // rooms or peers if the client does not say how many; default 100, and at most List
	Presence       int // maximum number of users; default 1,000

	// Resume is the maximum number of changes of a conversation that a client is sent which
	// resumes, and ResumeAll that of all conversations together. One who has missed more is
	// told to read the history. Default 1,000 and 5,000.
	Resume     int
	ResumeAll  int
	ResumePage int // maximum number of changes in a resume answer; default 128
}

func (p *Pages) setDefaults() {
	for _, n := range []struct {
		to  *int
		def int
	}{{&p.History, 100}, {&p.HistoryDefault, 50}, {&p.HistoryBytes, 256 << 10}, {&p.List, 500}, {&p.ListDefault, 100}, {&p.Presence, 1000},
		{&p.Resume, 1000}, {&p.ResumeAll, 5000}, {&p.ResumePage, 128}} {
		if *n.to <= 0 {
			*n.to = n.def
		}
	}
	p.HistoryDefault = min(p.HistoryDefault, p.History)
	p.ListDefault = min(p.ListDefault, p.List)
}

// pageSize returns how many things an answer holds if the client asked for limit of them, or
// for no number (0).
func pageSize(limit, def, maximum int) int {
	if limit == 0 {
		return def
	}
	return min(limit, maximum)
}

// DefaultLimits are the limits that PROTOCOL.md names.
func DefaultLimits() Limits {
	return Limits{
		MessagesPerSecond: 10, Burst: 20,
		UserMessagesPerSecond: 20, AddressMessagesPerSecond: 200,
		UserBytesPerDay: 64 << 20, AddressBytesPerDay: 1 << 30,
		UserRoomsPerHour: 20, AddressRoomsPerHour: 100, UserRoomsPerDay: 100, AddressRoomsPerDay: 1000,
		UserConnections: 100, RoomMessagesPerSecond: 1000, RoomDeliveriesPerSecond: 200_000,
		Rooms: 100, Content: 500, Metadata: 4096, MessageBytes: 64 << 10, Errors: 10,
	}
}

// errorBudget holds the times of a connection's latest errors, the oldest first. Most
// connections make none.
type errorBudget []time.Duration

// spend records an error, and reports whether it was one too many. allowed is how many are
// allowed in a minute; 0 means any number.
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
