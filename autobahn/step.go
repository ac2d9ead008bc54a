package autobahn

import (
	"time"

	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// action is what a Step does.
type action uint8

const (
	actSend      action = iota // frames, joined in one write
	actSync                    // frames, each in a write of its own
	actChop                    // frames, in writes of a few bytes
	actPiece                   // part of a frame
	actClose                   // the tester's own Close, after which it is closing
	actWait                    // let time pass; the connection may end meanwhile
	actAwait                   // wait until a number of events have arrived
	actKill                    // if it is still open after a while, fail the connection
	actFinish                  // if it is still open after a while, close it
	actHangUp                  // close TCP without a Close
	actHalfClose               // end our side of TCP without a Close, and go on reading
	actMute                    // read nothing for now
	actUnmute                  // read again
	actSplit                   // a frame in two writes, a moment apart
	actStream                  // something that only a stream of HTTP/2 has
	actMeet                    // wait for the other parts of the case
)

// Step is one step of a script.
type Step struct {
	do     action
	frames []*wire.Frame
	chop   int
	from   int // of a piece
	to     int
	delay  time.Duration
	tag    string // of a wait, recorded if the connection is open at its end
	code   int    // of a Close; negative for none
	reason []byte
	events int  // for an await
	forced bool // a wait's successors run even when the connection is closing
	stream *streamStep
}

func send(frames ...*wire.Frame) Step        { return Step{do: actSend, frames: frames} }
func apart(frames ...*wire.Frame) Step       { return Step{do: actSync, frames: frames} }
func chop(n int, frames ...*wire.Frame) Step { return Step{do: actChop, chop: n, frames: frames} }
func piece(f *wire.Frame, from, to int) Step {
	return Step{do: actPiece, frames: []*wire.Frame{f}, from: from, to: to}
}
func closeWith(code int, reason ...byte) Step { return Step{do: actClose, code: code, reason: reason} }
func wait(d time.Duration, tag string) Step   { return Step{do: actWait, delay: d, tag: tag} }
func await(events int) Step                   { return Step{do: actAwait, events: events} }
func killAfter(d time.Duration) Step          { return Step{do: actKill, delay: d} }
func closeAfter(d time.Duration) Step         { return Step{do: actFinish, delay: d} }
func hangUp() Step                            { return Step{do: actHangUp} }
func mute() Step                              { return Step{do: actMute} }
func unmute() Step                            { return Step{do: actUnmute} }
func halfClose() Step                         { return Step{do: actHalfClose} }

// split sends a frame in two writes; the first has n bytes.
func split(n int, f *wire.Frame) Step {
	return Step{do: actSplit, frames: []*wire.Frame{f}, from: n, delay: 4 * time.Millisecond}
}

// frame is a whole, legal frame, until an option changes it.
func frame(opcode byte, payload []byte, options ...func(*wire.Frame)) *wire.Frame {
	f := &wire.Frame{Fin: true, Opcode: opcode, Payload: payload}
	for _, o := range options {
		o(f)
	}
	return f
}

func text(s string, options ...func(*wire.Frame)) *wire.Frame {
	return frame(wire.Text, []byte(s), options...)
}

func more(s string, options ...func(*wire.Frame)) *wire.Frame {
	return frame(wire.Continuation, []byte(s), options...)
}

func ping(s string, options ...func(*wire.Frame)) *wire.Frame {
	return frame(wire.Ping, []byte(s), options...)
}

func pong(s string, options ...func(*wire.Frame)) *wire.Frame {
	return frame(wire.Pong, []byte(s), options...)
}

func noFin(f *wire.Frame) { f.Fin = false }

func rsv(bits byte) func(*wire.Frame) { return func(f *wire.Frame) { f.RSV = bits } }

func form(l wire.LengthForm) func(*wire.Frame) { return func(f *wire.Frame) { f.Form = l } }

func claim(n uint64) func(*wire.Frame) {
	return func(f *wire.Frame) { f.Claim, f.Claims = n, true }
}

func masking(m wire.Masking) func(*wire.Frame) { return func(f *wire.Frame) { f.Masking = m } }

func masked(key ...byte) func(*wire.Frame) {
	return func(f *wire.Frame) { f.Key, f.HasKey = [4]byte(key), true }
}

// echoed is the event of a text message.
func echoed(s string) Event { return Event{Kind: MessageEvent, Payload: []byte(s)} }

func echoedBinary(p []byte) Event { return Event{Kind: MessageEvent, Binary: true, Payload: p} }

func ponged(s string) Event { return Event{Kind: PongEvent, Payload: []byte(s)} }

func timedOut(tag string) Event { return Event{Kind: TimeoutEvent, Tag: tag} }

func ok(events ...Event) Outcome { return Outcome{Verdict: OK, Events: events} }

func lax(events ...Event) Outcome { return Outcome{Verdict: NonStrict, Events: events} }

// laxClean is lax for an endpoint that should have failed the connection, but closes
// it cleanly when asked to.
func laxClean(events ...Event) Outcome {
	return Outcome{Verdict: NonStrict, Events: events, end: &cleanClose}
}

// The ends that most cases share.
var (
	cleanClose    = Closing{ByTester: true, Codes: []int{1000}, Clean: true}
	protocolError = Closing{Codes: []int{1002}}
	badPayload    = Closing{Codes: []int{1007}, WrongEndFatal: true}
)

// fragments splits a message into frames of at most n payload bytes. rsvBits go
// into the first.
func fragments(opcode byte, rsvBits byte, p []byte, n int) []*wire.Frame {
	if n <= 0 || len(p) <= n {
		return []*wire.Frame{{Fin: true, Opcode: opcode, RSV: rsvBits, Payload: p}}
	}
	var list []*wire.Frame
	for len(p) >= n { // a message of whole fragments ends with an empty frame
		list = append(list, &wire.Frame{Opcode: opcode, RSV: rsvBits, Payload: p[:n]})
		opcode, rsvBits, p = wire.Continuation, 0, p[n:]
	}
	return append(list, &wire.Frame{Fin: true, Opcode: opcode, Payload: p})
}
