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

// A session that makes maxErrors errors within errorWindow is closed.
const (
	maxErrors   = 10
	errorWindow = time.Minute
)

// Limits are what a server may set. 0 means no limit.
type Limits struct {
	// MessagesPerSecond is how fast a session may send, Burst how much at once;
	// without Burst it is MessagesPerSecond.
	MessagesPerSecond int
	Burst             int

	// Rooms is how many rooms a session may be in.
	Rooms int

	// MessageBytes is told to clients. It is the driver that enforces it.
	MessageBytes int
}

// DefaultLimits are the limits that PROTOCOL.md names.
func DefaultLimits() Limits {
	return Limits{MessagesPerSecond: 10, Burst: 20, Rooms: 100, MessageBytes: 64 << 10}
}

// tokenBucket lets rate things per second pass, and burst at once. Its time is
// Clock.Monotonic, so that setting the clock neither blocks a session nor frees it.
type tokenBucket struct {
	rate, burst float64 // rate 0: no limit
	tokens      float64
	filled      time.Duration // when tokens was right
}

func newTokenBucket(rate, burst int, now time.Duration) tokenBucket {
	if burst <= 0 {
		burst = rate
	}
	return tokenBucket{rate: float64(rate), burst: float64(burst), tokens: float64(burst), filled: now}
}

// take takes one token, or says how long it is until there is one.
func (b *tokenBucket) take(now time.Duration) (wait time.Duration) {
	if b.rate <= 0 {
		return 0
	}
	b.tokens = min(b.burst, b.tokens+(now-b.filled).Seconds()*b.rate)
	b.filled = now
	if b.tokens >= 1 {
		b.tokens--
		return 0
	}
	return time.Duration((1 - b.tokens) / b.rate * float64(time.Second))
}

// errorBudget remembers when a session's latest errors were.
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
