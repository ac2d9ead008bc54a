package autobahn

import (
	"time"

	"github.com/hawser-ws/hawser/autobahn/internal/corpus"
)

// Case is one test case. Cases are shared and never changed.
type Case struct {
	ID          string
	Title       string // what is sent
	Expectation string // what must come back
	Rule        *Rule  // the sentence it tests
	Testee      Role   // which endpoints it can test
	Suite       int    // the first suite version that has it

	// Opening is how the opening handshake differs from an ordinary one; nil
	// for not at all.
	Opening *Opening
	// HTTP2: the case is played over a stream of HTTP/2 (RFC 8441); nil: over TCP.
	HTTP2 *HTTP2
	// Deflate offers, or accepts, permessage-deflate.
	Deflate *Deflate
	// Script is what is sent once the connection is open.
	Script []Step
	// Loop sends messages one by one, each when the previous one has been echoed.
	Loop *Loop

	// Expect are the traces that are allowed, each with its verdict.
	Expect []Outcome
	// Close is how the connection must end.
	Close Closing

	// tolerated is how the connection may end if the testee accepts what it need not
	// accept: NON-STRICT. nil: it may not.
	tolerated *Closing

	keepOpen       bool // do not close when the trace is complete
	wrongCodeFatal bool // a wrong close code fails behaviour as well
	informational  bool // any end is INFORMATIONAL
	silent         bool // never answer the peer's Close
	dropped        bool // the peer must close TCP by itself, in time
	heavy          bool // takes a core for a while: few at a time
	quiet          bool // no octets in the wire log
	narrow         bool // the tester's socket has a small receive buffer
	random         bool // depends on the seed
	window         bool // the original grades the answer's window more mildly
	anyMessages    bool // anything may be received
	make           func(seed uint64) *Case
	inspect        func(s *session) string // what is wrong with what happened
	remark         func(s *session) string // why it is NON-STRICT
	linger         bool                    // after both Closes, listen for more
	parts          func() []*Case          // see parts.go; nil: a single connection
	together       bool                    // the parts are streams of one connection, played at the same time
	settle         bool                    // check what follows the end of the stream
	across         func([]*Result) string  // returns what is wrong with the parts taken together
}

// Outcome is a trace of events, and the verdict on a peer that behaves like that.
type Outcome struct {
	Verdict Verdict
	Events  []Event
	end     *Closing // in place of the case's; nil for that
}

// EventKind says what happened.
type EventKind uint8

// The kinds of event.
const (
	MessageEvent EventKind = iota
	PongEvent
	TimeoutEvent // the script's wait ended, and the connection was still open
)

// Event is something that happened on the connection.
type Event struct {
	Kind    EventKind
	Binary  bool   // a message's type
	Payload []byte // a message's or a Pong's
	Tag     string // a timeout's
}

// Closing is how a connection must end.
type Closing struct {
	ByTester bool // the tester sends the first Close
	Clean    bool // with the whole closing handshake
	// Codes are the close codes that the peer may send; it may always send none.
	// The tester closes with the first. Empty: any code.
	Codes []int
	// EitherEnd: it does not matter which side closes first.
	EitherEnd bool
	// WrongEndFatal fails behaviour where the wrong side closes first: the peer
	// never noticed what was wrong.
	WrongEndFatal bool
}

// Loop is a number of messages, each sent when the previous one came back.
type Loop struct {
	Count  int
	Length int // of each message: bytes, or code points in a text corpus
	// Fragment splits messages into frames of this size in bytes. 0: one frame.
	Fragment int
	Timeout  time.Duration
	Corpus   *corpus.Corpus // nil: Fill, repeated
	Fill     byte
	Binary   bool
	chop     int // bytes in a write; 0: as many as there are
	body     []byte
}

// Suite is the version of the set of cases that this package has. A set never
// changes: new cases come with a new version.
const Suite = 2
