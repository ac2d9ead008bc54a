package chat

import "time"

// The bounds of the wire format.
const (
	MaxContent  = 500  // code points
	MaxMetadata = 4096 // bytes, as written
	MaxRef      = 64   // bytes
	MaxToken    = 4096 // bytes

	maxTimestamp = 32 // bytes of a JSON number

	// MaxHistory is the most messages of one history answer, DefaultHistory what it
	// holds if the client does not say.
	MaxHistory     = 100
	DefaultHistory = 50

	maxHistoryBytes = 256 << 10

	maxList     = 500 // rooms or peers in one answer
	defaultList = 100

	maxPresence = 1000 // users in one answer
)

// A connection that makes maxErrors errors within errorWindow is closed.
const (
	maxErrors   = 10
	errorWindow = time.Minute
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

	// MessageBytes is told to clients. It is the driver that enforces it.
	MessageBytes int
}

// DefaultLimits are the limits that PROTOCOL.md names.
func DefaultLimits() Limits {
	return Limits{
		MessagesPerSecond: 10, Burst: 20,
		UserMessagesPerSecond: 20, AddressMessagesPerSecond: 200,
		UserBytesPerDay: 64 << 20, AddressBytesPerDay: 1 << 30,
		UserRoomsPerHour: 20, AddressRoomsPerHour: 100,
		Rooms: 100, MessageBytes: 64 << 10,
	}
}

// errorBudget remembers when a connection's latest errors were.
type errorBudget struct {
	at   *[maxErrors]time.Duration // a ring; made for the first error, as most sessions make none
	next int
	n    int
}

// spend notes an error and reports whether it was one too many.
func (b *errorBudget) spend(now time.Duration) (exhausted bool) {
	if b.at == nil {
		b.at = new([maxErrors]time.Duration)
	}
	b.at[b.next] = now
	b.next = (b.next + 1) % maxErrors
	b.n = min(b.n+1, maxErrors)
	// next now points at the oldest of a full ring.
	return b.n == maxErrors && now-b.at[b.next] <= errorWindow
}
