package autobahn

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// maxLinger is how long an endpoint may keep a connection whose other end does not do
// its part. RFC 6455 says only "reasonable"; ten seconds are reasonable.
const maxLinger = 10 * time.Second

// endings is P1: the peer closes first, because it must, and what follows.
func endings() []*Case {
	s := series{prefix: "P1"}
	bad := frame(3, nil)
	dropped := func(title, expectation string, rule *Rule, end Closing, o []Outcome, script ...Step) *Case {
		c := s.add(&Case{Title: title, Expectation: expectation, Rule: rule, Script: append(script, killAfter(maxLinger)), Expect: o, Close: end})
		c.dropped = true
		return c
	}
	failed := Closing{Codes: only1002}
	for _, role := range []Role{Server, Client} {
		c := dropped("A reserved opcode; the peer's Close is never answered.", "The peer closes TCP within ten seconds.", ruleFailClose, failed, []Outcome{ok()}, send(bad))
		c.silent, c.Testee = true, role
		if role == Client {
			c.Title = "A reserved opcode; the peer's Close is never answered, and TCP is kept open."
		}
	}
	c := dropped("A reserved opcode, then a text message that is good.", "The connection is failed with 1002; the message does not come back.", ruleFail, failed, []Outcome{ok()},
		send(bad, text("too late")))
	c.Testee = Server
	c = dropped("A reserved opcode, and a Ping once the Close is there.", "No Pong comes; TCP is closed.", ruleFail, failed, []Outcome{ok()},
		send(bad), Step{do: actWait, delay: time.Second / 5, forced: true}, send(ping("too late")))
	c.Testee, c.silent = Server, true
	dropped("The tester ends its side of TCP without a Close.", "The peer closes TCP within ten seconds.", ruleEOF, Closing{EitherEnd: true}, []Outcome{ok()}, halfClose())
	dropped("Half a frame; then the tester ends its side of TCP.", "The peer closes TCP within ten seconds.", ruleEOF, Closing{EitherEnd: true}, []Outcome{ok()},
		piece(text("half of this is missing"), 0, 8), halfClose())
	c = dropped("A Close, after which the tester leaves TCP open.", "The Close is answered, and the server closes TCP at once.", ruleDropTCP, cleanClose, []Outcome{ok()}, closeWith(1000))
	c.Testee, c.keepOpen = Server, true
	s.echo("A text message and a Close in one write.", ruleCloseReply, []Event{echoed("and out")}, send(text("and out")), await(1))
	hello := "before the close"
	s.add(&Case{Title: "A message and, right behind it, the Close.", Expectation: "A clean close; the message comes back before it, or not at all.", Rule: ruleCloseReply,
		Script: []Step{send(text(hello)), closeWith(1000), killAfter(time.Second)}, Expect: []Outcome{ok(echoed(hello)), lax()}, Close: cleanClose, keepOpen: true})
	for _, code := range []int{1000, 1001, 3000, 4999} {
		s.add(&Case{Title: fmt.Sprintf("The server, which is the tester, closes with %d and waits.", code), Testee: Client, Rule: ruleCloseReply,
			Expectation: "The client answers with the same code, 1000 or none.", Script: []Step{closeWith(code, []byte("goodbye")...), killAfter(time.Second)},
			Expect: []Outcome{ok()}, Close: Closing{ByTester: true, Codes: []int{1000, code}, Clean: true}, keepOpen: true, wrongCodeFatal: true})
	}
	return s.list
}

// floods is F1: many small frames.
func floods() []*Case {
	s := series{prefix: "F1"}
	// A peer may refuse more than it is willing to hold.
	bounded := func(title string, want []byte, frames []*wire.Frame) {
		s.add(&Case{Title: title, Expectation: "The message comes back, or the connection is failed with 1008 or 1009.", Rule: ruleLimits,
			Script: []Step{send(frames...), await(1), closeWith(1000), killAfter(10 * time.Second)},
			Expect: []Outcome{ok(Event{Kind: MessageEvent, Payload: want}), ok()}, Close: Closing{EitherEnd: true, Codes: []int{1000, 1008, 1009}}, keepOpen: true})
	}
	bounded("A text message in 1,000 fragments of one byte.", star(1000), fragments(wire.Text, 0, star(1000), 1))
	bounded("A text message in 20,000 fragments of one byte.", star(20000), fragments(wire.Text, 0, star(20000), 1))
	var empty []*wire.Frame
	empty = append(empty, text("at last", noFin))
	for range 5000 {
		empty = append(empty, more("", noFin))
	}
	bounded("A text message in 5,002 fragments, all but the first empty.", []byte("at last"), append(empty, more("")))
	var pinged []*wire.Frame
	var events []Event
	pinged = append(pinged, text("one", noFin))
	for i := range 50 {
		p := fmt.Sprint("between ", i)
		pinged = append(pinged, ping(p), more("", noFin))
		events = append(events, ponged(p))
	}
	s.echo("A text message in 52 fragments with 50 Pings between.", ruleInjected, append(events, echoed("one two")), send(append(pinged, more(" two"))...))
	s.echo("A Ping between two fragments, of which the second is sent when the Pong is there.", ruleInjected, []Event{ponged("now"), echoed("bowstern")},
		send(text("bow", noFin), ping("now")), await(1), send(more("stern")))
	s.fails("A binary message inside a text message.", ruleInterleave, only1002, send(text("bow", noFin), frame(wire.Binary, []byte{1}), more("stern")))
	s.fails("A binary fragment inside a text message.", ruleInterleave, only1002, send(text("bow", noFin), frame(wire.Binary, []byte{1}, noFin)))
	s.fails("A text message inside a binary message.", ruleInterleave, only1002, send(frame(wire.Binary, []byte{1}, noFin), text("bow")))
	s.echo("Pongs that nobody asked for between fragments.", ruleUnasked, []Event{echoed("bowstern")}, send(text("bow", noFin), pong("unasked"), pong(""), more("stern")))
	s.echo("Two messages and a Ping in one write.", ruleFragAny, []Event{echoed("one"), ponged("two"), echoedBinary([]byte{3})},
		send(text("one"), ping("two"), frame(wire.Binary, []byte{3})))
	var hundred []*wire.Frame
	events = nil
	for i := range 100 {
		m := fmt.Sprint("message ", i)
		hundred = append(hundred, text(m))
		events = append(events, echoed(m))
	}
	s.echo("100 text messages in one write.", ruleFragAny, events, send(hundred...))
	s.echo("Each code point of a text split between fragments.", ruleEcho, []Event{echoed("é€\U00010348")},
		send(text("\xc3", noFin), more("\xa9\xe2", noFin), more("\x82", noFin), more("\xac\xf0\x90", noFin), more("\x8d", noFin), more("\x88")))
	s.fails("A text message whose last fragment ends inside a code point.", ruleUTF8, []int{1007}, send(text("abc\xe2", noFin), more("\x82")))
	s.echo("A binary message that is not UTF-8, in fragments.", ruleEcho, []Event{echoedBinary([]byte("\xff\xfe\xfd"))},
		send(frame(wire.Binary, []byte{0xFF}, noFin), frame(wire.Continuation, []byte{0xFE, 0xFD})))
	return s.list
}

// splits is F2: frames that arrive in two parts, split at every byte.
func splits() []*Case {
	s := series{prefix: "F2"}
	each := func(title string, size int, nth func(n int) (*wire.Frame, Event)) {
		var script []Step
		var events []Event
		for n := 1; n < size; n++ {
			f, e := nth(n)
			script = append(script, split(n, f))
			events = append(events, e)
		}
		c := s.echo(title, ruleFragAny, events, script...)
		c.Script[len(c.Script)-1] = killAfter(20 * time.Second)
	}
	everywhere := func(title string, size int, f *wire.Frame, e Event) {
		each(title, size, func(int) (*wire.Frame, Event) { return f, e })
	}
	everywhere("A short text message, split at every byte.", 2+4+9, text("wherever!"), echoed("wherever!"))
	each("A Ping, split at every byte.", 2+4+5, func(n int) (*wire.Frame, Event) {
		p := fmt.Sprintf("ping%d", n-1) // each is distinct, so that the last one's Pong ends the case
		return ping(p), ponged(p)
	})
	everywhere("An empty binary message, split at every byte.", 2+4, frame(wire.Binary, nil), echoedBinary(nil))
	long := star(200)
	everywhere("A text message of 200 bytes, split at every byte of its header.", 2+2+4+2, frame(wire.Text, long), Event{Kind: MessageEvent, Payload: long})
	longer := highBytes(66000)
	everywhere("A binary message of 66,000 bytes, split at every byte of its header.", 2+8+4+2, frame(wire.Binary, longer), echoedBinary(longer))
	text3 := "é€\U00010348"
	everywhere("A text message of three code points, split at every byte.", 2+4+9, text(text3), echoed(text3))
	s.add(&Case{Title: "The Close, byte by byte.", Expectation: "A clean close with 1000.", Rule: ruleCloseReply,
		Script: []Step{chop(1, text("and then")), await(1), {do: actClose, code: 1000, chop: 1}, killAfter(time.Second)},
		Expect: []Outcome{ok(echoed("and then"))}, Close: cleanClose, keepOpen: true})
	s.echo("A fragmented message, byte by byte.", ruleFragAny, []Event{ponged("p"), echoed("bowstern")}, byteByByte(text("bow", noFin), ping("p"), more("stern")))
	return s.list
}

// randomCases is R1: conversations that the seed determines.
func randomCases() []*Case {
	s := series{prefix: "R1"}
	for range 10 {
		c := s.add(&Case{Title: "Thirty random messages, fragmented at random, with Pings and Pongs between, written in random pieces.",
			Expectation: "All comes back in order; then a clean close.", Rule: ruleFragAny, random: true, Close: cleanClose})
		c.make = func(seed uint64) *Case { return conversation(c, seed) }
	}
	return s.list
}

// conversation makes a random case's script and trace.
func conversation(base *Case, seed uint64) *Case {
	r := rand.New(rand.NewPCG(seed, 6455))
	c := *base
	var events []Event
	for range 30 {
		opcode, payload := wire.Text, randomText(r)
		if r.IntN(2) == 0 {
			opcode = wire.Binary
			payload = randomBytes(r, size(r))
		}
		frames := randomFragments(r, opcode, payload, func(p []byte) { events = append(events, Event{Kind: PongEvent, Payload: p}) })
		events = append(events, Event{Kind: MessageEvent, Binary: opcode == wire.Binary, Payload: payload})
		c.Script = append(c.Script, randomWrites(r, frames))
	}
	c.Script = append(c.Script, killAfter(5*time.Second))
	c.Expect = []Outcome{ok(events...)}
	return &c
}

// randomFragments are the frames of a message, with Pings and Pongs between; pinged is
// called with each Ping's payload.
func randomFragments(r *rand.Rand, op byte, rest []byte, pinged func(p []byte)) (frames []*wire.Frame) {
	for {
		n := len(rest)
		if r.IntN(3) > 0 {
			n = r.IntN(len(rest) + 1)
		}
		last := n == len(rest)
		frames = append(frames, &wire.Frame{Fin: last, Opcode: op, Payload: rest[:n]})
		if last {
			return frames
		}
		op, rest = wire.Continuation, rest[n:]
		switch r.IntN(4) {
		case 0:
			p := randomBytes(r, r.IntN(126))
			frames = append(frames, ping(string(p)))
			pinged(p)
		case 1:
			frames = append(frames, pong(string(randomBytes(r, r.IntN(126)))))
		}
	}
}

// randomWrites sends frames in one write, one by one, or in pieces.
func randomWrites(r *rand.Rand, frames []*wire.Frame) Step {
	switch r.IntN(3) {
	case 0:
		return send(frames...)
	case 1:
		return apart(frames...)
	}
	return chop(2+r.IntN(999), frames...)
}

// size is a length near one of the borders.
func size(r *rand.Rand) int {
	return []int{0, 1, 124 + r.IntN(4), 65534 + r.IntN(4), r.IntN(300), r.IntN(5000)}[r.IntN(6)]
}

func randomBytes(r *rand.Rand, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(r.Uint32())
	}
	return p
}

func randomText(r *rand.Rand) []byte {
	var b bytes.Buffer
	for n := r.IntN(400); n > 0; n-- {
		switch r.IntN(4) {
		case 0:
			b.WriteRune(rune(r.IntN(0x80)))
		case 1:
			b.WriteRune(rune(0x80 + r.IntN(0x780)))
		case 2:
			b.WriteRune(rune(0x800 + r.IntN(0xD000)))
		default:
			b.WriteRune(rune(0x10000 + r.IntN(0x100000)))
		}
	}
	return b.Bytes()
}
