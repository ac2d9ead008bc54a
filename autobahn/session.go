package autobahn

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/hawser-ws/hawser/autobahn/internal/h2"
	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

type state uint8

const (
	stateOpening state = iota
	stateOpen
	stateClosing // a Close was sent
	stateClosed  // TCP is closed, or must be closed by the tester
)

// Delays, before scaling. Those of the closing handshake are the original's.
const (
	closeTimeout = time.Second            // for the answer to our Close
	dropTimeout  = time.Second            // for the server to close TCP after both Closes
	lingerTime   = 300 * time.Millisecond // for what follows both Closes
	openTimeout  = 5 * time.Second
	greetTimeout = 5 * time.Second       // for a server's greeting
	restDelay    = 50 * time.Millisecond // for the rest of a frame that is glued in part
)

// session plays one case over one connection. Everything but the reader and the
// writer happens on the goroutine that calls play; nothing here is safe for
// concurrent use.
type session struct {
	c      *Case
	client bool // the tester is the client
	nc     net.Conn
	opt    *Options
	rng    *rand.Rand
	log    *WireLog
	slow   bool // the handshake took long: the peer may have had enough of it
	start  time.Time
	head   sync.WaitGroup // writes our part of the opening handshake
	draft  *Draft         // of a look's opening handshake

	clientHead *wire.Head // a client's request

	// Over HTTP/2 only.
	conn     *h2.Conn
	stream   *h2.Stream   // it is nc, too
	meeting  *meeting     // with the other parts of the case
	ended    string       // why the connection did not go on, if that is NON-STRICT
	ordinary []wire.Field // a correct request
	calls    chan func()
	over     chan struct{} // closed when no more calls are made

	secrets [][]byte // what logs and reports must not show

	in     *reader
	out    *writer
	parser wire.Parser
	timers timers

	greeting int  // messages of a greeting that are still to come
	waiting  bool // for them, before the case begins

	state      state
	pc         int  // the next step
	blocked    bool // a wait or an await is under way
	awaiting   int
	heard      func()    // called at the next event; nil for none
	muted      bool      // nothing is read for now
	got        time.Time // when bytes came last
	closeChop  int       // bytes in a write of our Close; 0: all
	pieces     map[*wire.Frame][]byte
	inFrame    bool   // a frame is written in part
	rest       []byte // of a frame that began with the opening handshake
	deaf       bool   // the peer sent text that is not UTF-8
	pongs      []*wire.Frame
	negotiated *Agreement
	loop       *loop
	keys       []sentKey // of the peer's first frames
	peerClosed bool      // the peer has sent a Close
	late       []byte    // the opcodes of frames that followed it
	reset      bool      // TCP ended with a reset

	events  []Event
	inTime  int      // events before time ran out
	arrived int      // events, and Pings that the Pong of a later one answers
	asked   [][]byte // the payloads of the Pings that are not answered
	end     Ending
	result  string // why behaviour failed, if there is more to say than the trace
	forced  Verdict
}

// sentKey is the masking key of a frame.
type sentKey struct {
	opcode byte
	key    [4]byte
}

// maxKeys is how many of a peer's masking keys are kept.
const maxKeys = 400

// Ending is how a connection ended.
type Ending struct {
	Opened        bool   `json:"opened"`
	ClosedByUs    bool   `json:"closedByMe"`  // we sent the first Close
	FailedByUs    bool   `json:"failedByMe"`  // we failed the connection
	DroppedByUs   bool   `json:"droppedByMe"` // we closed TCP
	Clean         bool   `json:"wasClean"`
	UncleanReason string `json:"wasNotCleanReason,omitempty"`
	LocalCode     *int   `json:"localCloseCode"`
	RemoteCode    *int   `json:"remoteCloseCode"`
	RemoteReason  string `json:"remoteCloseReason,omitempty"`
	Violation     string `json:"violation,omitempty"` // the first thing the peer did wrong
	RanOut        string `json:"ranOut,omitempty"`    // the time that ran out first

	stream bool // of HTTP/2
}

// below describes the transport of the connection.
func (e *Ending) below() string {
	if e.stream {
		return "the stream"
	}
	return "TCP"
}

// play plays the case. The opening handshake is done; left holds the bytes that
// followed it.
func (s *session) play(left []byte) {
	s.state = stateOpen
	s.end.Opened = true
	s.parser.Receiver = s
	s.parser.Client = s.client
	if nc, ok := s.nc.(interface{ SetReadBuffer(int) error }); ok && s.c.narrow {
		nc.SetReadBuffer(readSize)
	}
	s.in = newReader(s.nc)
	s.out = newWriter(s.nc)
	s.timers.init()
	s.timers.add(s.opt.caseTimeout(s.c), func() { s.giveUp() })
	if s.inFrame = len(s.rest) > 0; s.inFrame {
		s.after(restDelay, s.endFrame)
	}
	if s.client {
		s.awaitGreeting()
	}
	if !s.waiting {
		s.begin()
	}
	if len(left) > 0 {
		s.feed(left)
	}
	for s.state != stateClosed {
		chunks := s.in.chunks
		if s.muted {
			chunks = nil
		}
		select {
		case chunk, ok := <-chunks:
			if !ok {
				s.lost(s.in.err)
				continue
			}
			s.feed(chunk)
			s.in.free <- chunk[:cap(chunk)]
		case <-s.timers.c():
			s.timers.fire()
		case f := <-s.calls:
			f()
		}
	}
	s.timers.stop()
	s.leaveHTTP2()
	s.out.close()
	s.nc.Close()
	s.in.drain()
}

func (s *session) begin() {
	switch {
	case s.c.Deflate != nil && !s.beginDeflate():
	case s.c.Loop != nil:
		s.beginLoop()
	default:
		s.advance()
	}
}

// awaitGreeting begins the case after a server's greeting, as if there had been none.
// If frames are glued to the handshake, the case has begun already, and the greeting
// is only skipped.
func (s *session) awaitGreeting() {
	s.greeting = s.opt.Greeting
	if s.greeting == 0 {
		return
	}
	if s.negotiated != nil {
		s.parser.Inflater = s.negotiated.in // the greeting may be compressed
	}
	if o := s.c.Opening; o != nil && len(o.Glue) > 0 {
		return
	}
	s.waiting = true
	s.forced, s.result = Failed, "the greeting did not come"
	s.after(greetTimeout, func() {
		if s.waiting && s.state == stateOpen {
			s.ranOut("the time for the greeting")
			s.sendClose(1000, nil)
		}
	})
}

// greeted handles a message of the greeting. It is false for any other.
func (s *session) greeted(p []byte) bool {
	if s.greeting == 0 {
		return false
	}
	s.note("the greeting, %d bytes, is passed over", len(p))
	if s.greeting--; s.greeting == 0 && s.waiting && s.state == stateOpen {
		s.waiting = false
		s.forced, s.result = "", ""
		s.begin()
	}
	return true
}

// after calls f when d, scaled, has passed.
func (s *session) after(d time.Duration, f func()) {
	s.timers.add(s.opt.scale(d), f)
}

func (s *session) feed(p []byte) {
	s.got = time.Now()
	if s.logging() {
		s.log.octets(Received, p)
	}
	if s.deaf {
		s.drop()
		return
	}
	if err := s.parser.Feed(p); err != nil && s.state != stateClosed {
		// The stream cannot be followed any further: the connection is lost.
		s.note("cannot read on: %v", err)
		s.violate(err.Error())
		s.state = stateClosed
	}
}

func (s *session) lost(err error) {
	if s.state == stateClosed {
		return
	}
	var wrong *h2.Violation
	switch {
	case errors.Is(err, io.EOF):
		s.note("the peer closed %s", s.end.below())
	case errors.As(err, &wrong):
		s.note("the peer broke HTTP/2: %v", err)
		s.violate(err.Error())
	default:
		s.reset = errors.Is(err, syscall.ECONNRESET)
		s.note("the peer reset %s: %v", s.end.below(), err)
	}
	if !s.end.Clean && s.end.UncleanReason == "" {
		s.end.UncleanReason = "the testee ended " + s.end.below() + " without the closing handshake"
	}
	s.state = stateClosed
}

// giveUp ends a case that nothing else has ended.
func (s *session) giveUp() {
	if s.state == stateClosed {
		return
	}
	s.ranOut("the case's own time")
	s.end.Clean = false
	s.end.UncleanReason = fmt.Sprintf("the case did not end within %v", s.opt.caseTimeout(s.c))
	s.drop()
}

// drop closes TCP from our side.
func (s *session) drop() {
	if s.state != stateClosed {
		s.note("closing %s", s.end.below())
		s.end.DroppedByUs = true
		s.state = stateClosed
	}
}

func (s *session) ranOut(what string) {
	if s.end.RanOut == "" {
		s.end.RanOut = what
		s.inTime = len(s.events)
	}
}

func (s *session) violate(what string) {
	if s.end.Violation == "" {
		s.end.Violation = what
	}
}

// write sends bytes; each call is a write of its own.
func (s *session) write(p []byte) {
	if s.state == stateClosed || len(p) == 0 {
		return
	}
	if s.logging() {
		s.log.octets(Sent, p)
	}
	s.out.write(p)
}

// render makes a frame's bytes, and logs it.
func (s *session) render(dst []byte, f *wire.Frame) []byte {
	if s.logging() {
		s.log.frame(Sent, f)
	}
	s.asks(f)
	return f.Append(dst, s.client, s.key())
}

func (s *session) key() [4]byte {
	v := s.rng.Uint32()
	return [4]byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)}
}

func (s *session) note(format string, args ...any) { s.log.note(format, args...) }

// logging reports whether wire traffic is logged: a case that sends a thousand
// messages logs the first few and how it ended.
func (s *session) logging() bool {
	return !s.c.quiet || s.log.Len() < 24 || s.loop == nil || s.loop.ended
}
